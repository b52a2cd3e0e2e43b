//! What planning promises, the safety kernel accepts: over the states the laws are drawn from.

use super::laws::{bytes, case};
use super::world::vmk;
use crate::safety::{SafetyLimits, Violation, check_plan, path_is_cut};
use model::Disruption;
use proptest::prelude::*;

/// Plans checked.
const CASES: u32 = 2_000;

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    /// Taking storage away is for the operator to ask and for the kernel alone to refuse.
    #[test]
    fn a_plan_that_keeps_the_path_passes_the_kernel(bytes in bytes()) {
        let Some((observed, _, planned)) = case(&bytes) else { return Ok(()) };
        let checked = check_plan(&planned.plan, &observed, &SafetyLimits::default());
        let storage =
            matches!(checked, Err(Violation::StorageCut { .. } | Violation::StorageServiceLost { .. }));
        let keeps = planned.plan.disruption < Disruption::ManagementPath && !path_is_cut(&observed, &vmk(0));
        prop_assert!(checked.is_ok() || storage || !keeps, "{:?}\n{:#?}", checked, planned.plan);
        let fits = !matches!(checked, Err(Violation::OutOfPlace(_) | Violation::Senseless { .. }));
        prop_assert!(fits, "{:?}\n{:#?}", checked, planned.plan);
    }
}

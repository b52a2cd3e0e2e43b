//! What planning promises, the safety kernel accepts: over the states the laws are drawn from.

use super::laws::{bytes, case};
use super::world::vmk;
use crate::safety::{SafetyLimits, Violation, check_plan, path_is_cut};
use model::{Disruption, ObservedIpv4, ObservedNetwork};
use proptest::prelude::*;

/// Plans checked.
const CASES: u32 = 2_000;

/// Planning watches the IPv4 address of management; the kernel counts IPv6 as well, when there is nothing else.
fn has_ipv4(observed: &ObservedNetwork) -> bool {
    let vmk = observed.vmkernels.read().unwrap().get(&vmk(0));
    vmk.is_some_and(|vmk| *vmk.ipv4.read().unwrap() != ObservedIpv4::None)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    /// Taking storage away is for the operator to ask and for the kernel alone to refuse.
    #[test]
    fn a_plan_that_keeps_the_path_passes_the_kernel(bytes in bytes()) {
        let Some((observed, _, planned)) = case(&bytes) else { return Ok(()) };
        let checked = check_plan(&planned.plan, &observed, &SafetyLimits::default());
        let storage =
            matches!(checked, Err(Violation::StorageCut { .. } | Violation::StorageServiceLost { .. }));
        let keeps =
            planned.plan.disruption < Disruption::ManagementPath && has_ipv4(&observed) && !path_is_cut(&observed, &vmk(0));
        prop_assert!(checked.is_ok() || storage || !keeps, "{:?}\n{:#?}", checked, planned.plan);
        let fits = !matches!(checked, Err(Violation::OutOfPlace(_) | Violation::Senseless { .. }));
        prop_assert!(fits, "{:?}\n{:#?}", checked, planned.plan);
    }
}

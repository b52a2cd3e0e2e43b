//! Laws that hold for every pair of states (product: section 3), over generated ones.

use super::world::{Dice, Extent, blank, creates_or_deletes, desired, links, realise, run};
use crate::plan::management::ManagementPath;
use crate::plan::{Planned, plan};
use crate::project::project;
use crate::verify::{compare_images, verify};
use model::{DesiredNetwork, Disruption, Known, LinkState, ObservedNetwork, Operation};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

/// Cases per law and run.
const CASES: u32 = 10_000;
/// Bytes a case is drawn from.
const BYTES: usize = 416;
/// Longest plan whose every order is tried.
const PERMUTED_STEPS_MAX: usize = 7;

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        max_shrink_iters: 4000,
        ..ProptestConfig::default()
    }
}

/// Drawn eight at a time: far fewer values to make and to shrink.
pub(super) fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::collection::vec(any::<u64>(), BYTES / 8);
    words.prop_map(|words| words.into_iter().flat_map(u64::to_le_bytes).collect())
}

/// A host and a document for it, with the plan.
pub(super) fn case(bytes: &[u8]) -> Option<(ObservedNetwork, DesiredNetwork, Planned)> {
    let mut dice = Dice::new(bytes);
    let links = links(&mut dice);
    let observed = realise(&desired(&mut dice, Extent::Whole), links)?;
    let wanted = desired(&mut dice, Extent::Partial);
    let planned = plan(&wanted, &observed);
    Some((observed, wanted, planned))
}

fn lines(planned: &Planned) -> String {
    let line = |step: &model::Step| {
        format!("\n  {} [{}]", serde_json::to_string(&step.operation).unwrap(), step.disruption)
    };
    planned.plan.steps.iter().map(line).collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn planning_again_after_applying_finds_nothing(bytes in bytes()) {
        let Some((observed, wanted, planned)) = case(&bytes) else { return Ok(()) };
        if planned.is_refused() {
            prop_assert!(planned.plan.is_empty(), "a refused plan has no steps");
            return Ok(());
        }
        let after = run(&planned, &observed);
        let again = plan(&wanted, &after);
        prop_assert!(!again.is_refused(), "{:?}", again.findings);
        prop_assert!(again.plan.is_empty(), "left over:{}\nfirst:{}", lines(&again), lines(&planned));
        prop_assert_eq!(verify(&wanted, &after), Vec::new());
    }

    #[test]
    fn rolling_back_from_any_step_restores(bytes in bytes(), stop in any::<prop::sample::Index>()) {
        let Some((observed, _, planned)) = case(&bytes) else { return Ok(()) };
        if planned.plan.is_empty() {
            return Ok(());
        }
        let last = stop.index(planned.plan.steps.len());
        let done = &planned.plan.steps[..=last];
        let mut state = observed.clone();
        for step in done {
            project(&mut state, &step.operation).unwrap();
        }
        for operation in done.iter().rev().flat_map(|step| &step.inverse) {
            let undone = project(&mut state, operation);
            prop_assert!(undone.is_ok(), "{operation:?}: {undone:?}\nplan:{}", lines(&planned));
        }
        let left = compare_images(&observed, &state);
        prop_assert!(left.is_empty(), "after step {}: {left:#?}\nplan:{}", last + 1, lines(&planned));
    }

    #[test]
    fn the_management_path_is_kept_or_the_step_says_so(bytes in bytes()) {
        let Some((observed, _, planned)) = case(&bytes) else { return Ok(()) };
        let path = ManagementPath::of(&observed);
        let mut state = observed.clone();
        for step in &planned.plan.steps {
            project(&mut state, &step.operation).unwrap();
            let says_so = step.disruption == Disruption::ManagementPath;
            prop_assert!(path.holds(&state) || says_so, "cut by {:?}\nplan:{}", step.operation, lines(&planned));
        }
        let worst = planned.plan.steps.iter().map(|step| step.disruption).max().unwrap_or_default();
        prop_assert_eq!(planned.plan.disruption, worst);
    }

    #[test]
    fn no_order_is_missed_that_keeps_the_management_path(bytes in bytes()) {
        let Some((observed, _, planned)) = case(&bytes) else { return Ok(()) };
        let steps = &planned.plan.steps;
        if planned.plan.disruption != Disruption::ManagementPath || steps.len() > PERMUTED_STEPS_MAX {
            return Ok(());
        }
        let path = ManagementPath::of(&observed);
        let bounce = steps.iter().any(|step| matches!(step.operation, Operation::NicSet { .. }));
        let operations: Vec<&Operation> = steps.iter().map(|step| &step.operation).collect();
        let found = safe_order(&path, &observed, &operations);
        prop_assert!(found.is_none() || bounce, "{found:#?}\nplan:{}", lines(&planned));
    }

    #[test]
    fn equal_inputs_give_an_equal_digest(bytes in bytes()) {
        let Some((observed, wanted, planned)) = case(&bytes) else { return Ok(()) };
        let text = serde_json::to_string(&observed).unwrap();
        let read_again: ObservedNetwork = serde_json::from_str(&text).unwrap();
        let text = serde_json::to_string(&wanted).unwrap();
        let wanted_again: DesiredNetwork = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&wanted_again, &wanted);
        prop_assert_eq!(plan(&wanted_again, &read_again), planned);
    }

    #[test]
    fn what_could_not_be_read_is_never_created_or_deleted(bytes in bytes(), kind in 0_usize..5) {
        let Some((mut observed, wanted, _)) = case(&bytes) else { return Ok(()) };
        let name = ["vswitches", "port_groups", "vmkernels", "netstacks", "nics"][kind];
        match kind {
            0 => observed.vswitches = Known::unreadable("hostd is down"),
            1 => observed.port_groups = Known::unreadable("hostd is down"),
            2 => observed.vmkernels = Known::unreadable("hostd is down"),
            3 => observed.netstacks = Known::unreadable("hostd is down"),
            _ => observed.nics = Known::unreadable("hostd is down"),
        }
        let planned = plan(&wanted, &observed);
        for step in &planned.plan.steps {
            prop_assert!(!creates_or_deletes(&step.operation).contains(name), "{:?}", step.operation);
        }
    }
}

/// An order of the operations that a host accepts and that never cuts the path.
fn safe_order<'a>(
    path: &ManagementPath,
    state: &ObservedNetwork,
    left: &[&'a Operation],
) -> Option<Vec<&'a Operation>> {
    if left.is_empty() {
        return Some(Vec::new());
    }
    for (index, operation) in left.iter().enumerate() {
        let mut next = state.clone();
        if project(&mut next, operation).is_err() || !path.holds(&next) || names_stranger(&next, operation) {
            continue;
        }
        let rest: Vec<&Operation> =
            left.iter().enumerate().filter(|(i, _)| *i != index).map(|(_, o)| *o).collect();
        if let Some(mut order) = safe_order(path, &next, &rest) {
            order.insert(0, operation);
            return Some(order);
        }
    }
    None
}

/// Whether an order names a NIC that is not on the switch, which a host refuses.
fn names_stranger(state: &ObservedNetwork, operation: &Operation) -> bool {
    let (vswitch, change) = match operation {
        Operation::VswitchTeamingSet { vswitch, change } => (Some(vswitch.clone()), change),
        Operation::PortGroupTeamingSet { port_group, change, .. } => {
            (state.port_groups.read().and_then(|g| Some(g.get(port_group)?.vswitch.clone())), change)
        }
        _ => return false,
    };
    let uplinks =
        vswitch.and_then(|v| state.vswitches.read()?.get(&v)?.uplinks.read().cloned()).unwrap_or_default();
    change.active.iter().chain(&change.standby).flatten().any(|vmnic| !uplinks.contains(vmnic))
}

#[test]
fn most_generated_cases_are_planned() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut planned, mut steps, mut cut) = (0, 0, 0);
    let mut why = std::collections::BTreeMap::<String, usize>::new();
    for _ in 0..500 {
        let bytes = bytes().new_tree(&mut runner).unwrap().current();
        let Some((_, _, made)) = case(&bytes) else { continue };
        for finding in made.findings.iter().filter(|finding| finding.is_error()) {
            *why.entry(finding.rule.clone()).or_default() += 1;
        }
        if !made.is_refused() {
            planned += 1;
            steps += made.plan.steps.len();
            cut += usize::from(made.plan.disruption == Disruption::ManagementPath);
        }
    }
    assert!(planned > 150, "only {planned} of 500 were planned: the laws would prove little ({why:?})");
    assert!(steps > planned * 4, "{steps} steps in {planned} plans");
    assert!(cut > 0 && cut < planned, "{cut} of {planned} cut the path");
}

#[test]
fn a_blank_host_has_nothing_to_do_for_an_empty_document() {
    let observed = blank([LinkState::Up; 4]);
    let planned = plan(&DesiredNetwork::default(), &observed);
    assert_eq!(planned.findings, Vec::new());
    assert!(planned.plan.is_empty());
}

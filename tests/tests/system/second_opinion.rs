//! The planner's idea of a host against the simulator's, through the real command lines and outputs.

/// What `world` needs.
mod api {
    pub use engine::plan::{Planned, plan};
    pub use engine::project::project;
}

#[path = "../../../engine/src/plan/tests/world.rs"]
#[expect(dead_code, reason = "shared with the engine's own tests, which use all of it")]
mod world;

use engine::plan::plan;
use engine::verify::{compare_images, verify_applied};
use esxcli::Formatter;
use model::{DesiredNetwork, Ipv4Config, ObservedIpv4, ObservedNetwork, ObservedVmk, Operation, Presence};
use proptest::prelude::*;
use simulator::Host;
use tests::host::{apply, observe, roll_back};
use world::{Dice, Extent, desired, links, realise};

/// Cases per law and run; each runs some hundred simulated calls.
const CASES: u32 = 600;

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        max_shrink_iters: 1000,
        ..ProptestConfig::default()
    }
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::collection::vec(any::<u64>(), 52);
    words.prop_map(|words| words.into_iter().flat_map(u64::to_le_bytes).collect())
}

fn formatter(choice: usize) -> Formatter {
    [Formatter::Json, Formatter::Xml, Formatter::KeyValue, Formatter::Text][choice]
}

fn case(bytes: &[u8]) -> Option<(ObservedNetwork, DesiredNetwork)> {
    let mut dice = Dice::new(bytes);
    let links = links(&mut dice);
    let described = realise(&desired(&mut dice, Extent::Whole), links)?;
    Some((described, desired(&mut dice, Extent::Partial)))
}

fn shown(planned: &engine::plan::Planned) -> String {
    let line =
        |operation| esxcli::argv(operation).map_or_else(|e| e.to_string(), |argv| esxcli::display(&argv));
    planned.plan.steps.iter().map(|step| format!("\n  {}", line(&step.operation))).collect()
}

/// A gateway reached only through a DHCP lease cannot be judged beforehand: the plan allows it, the host may not.
fn routes_on_a_lease(
    planned: &engine::plan::Planned,
    wanted: &DesiredNetwork,
    before: &ObservedNetwork,
) -> bool {
    let routes = planned.plan.steps.iter().any(|step| matches!(step.operation, Operation::RouteAdd { .. }));
    let asked =
        wanted.vmkernels.values().filter_map(Presence::present).any(|vmk| vmk.ipv4 == Some(Ipv4Config::Dhcp));
    let leased = |vmk: &ObservedVmk| matches!(vmk.ipv4.read(), Some(ObservedIpv4::Dhcp { .. }));
    routes && (asked || before.vmkernels.read().into_iter().flatten().any(|(_, vmk)| leased(vmk)))
}

/// A drawn host may carry a route that only a DHCP lease could make real; a host never shows one.
fn has_stray_route(described: &ObservedNetwork) -> bool {
    let stacks = described.netstacks.read().into_iter().flatten();
    let mut routes = stacks.filter_map(|(_, stack)| stack.routes.read()).flatten();
    routes.any(|route| route.gateway.is_some() && route.vmk.is_none())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_described_is_what_is_observed(bytes in bytes(), choice in 0_usize..4) {
        let Some((described, _)) = case(&bytes) else { return Ok(()) };
        if has_stray_route(&described) {
            return Ok(());
        }
        let mut host = Host::from_description(&described).expect("a description");
        let (observed, _) = observe(&mut host, formatter(choice)).expect("an observation");
        prop_assert_eq!(compare_images(&described, &observed), Vec::new());
    }

    #[test]
    fn a_simulated_host_ends_as_planned_and_goes_back(bytes in bytes(), choice in 0_usize..4) {
        let Some((described, wanted)) = case(&bytes) else { return Ok(()) };
        if has_stray_route(&described) {
            return Ok(());
        }
        let mut host = Host::from_description(&described).expect("a description");
        let (before, _) = observe(&mut host, formatter(choice)).expect("an observation");
        let planned = plan(&wanted, &before);
        if planned.is_refused() || routes_on_a_lease(&planned, &wanted, &before) {
            return Ok(());
        }
        if let Err(error) = apply(&mut host, &planned.plan) {
            return Err(TestCaseError::fail(format!("{error:#}\nplan:{}", shown(&planned))));
        }
        let (mut after, _) = observe(&mut host, formatter(choice)).expect("an observation");
        let left = verify_applied(&wanted, &before, &after);
        prop_assert!(left.is_empty(), "{left:#?}\nplan:{}", shown(&planned));
        // What management hangs on is never pruned; a path that moved away leaves that to the next plan.
        after.management_vmk = before.management_vmk.clone();
        let again = plan(&wanted, &after);
        let done = again.plan.is_empty() || wanted.prune;
        prop_assert!(done && !again.is_refused(), "{}\nfirst:{}", shown(&again), shown(&planned));
        if let Err(error) = roll_back(&mut host, &planned.plan) {
            return Err(TestCaseError::fail(format!("going back: {error:#}\nplan:{}", shown(&planned))));
        }
        let (back, _) = observe(&mut host, formatter(choice)).expect("an observation");
        let left = compare_images(&before, &back);
        prop_assert!(left.is_empty(), "{left:#?}\nplan:{}", shown(&planned));
    }
}

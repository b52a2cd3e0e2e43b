//! Which host is in which wave.

use super::*;
use proptest::prelude::*;

fn names(state: &RolloutState) -> Vec<Vec<&str>> {
    state.waves().iter().map(|wave| wave.hosts.iter().map(HostId::as_str).collect()).collect()
}

#[test]
fn the_default_is_one_then_five_then_twenty_five_percent_then_the_rest() {
    let state = RolloutState::new(RolloutSpec::default(), &hosts(100));
    let sizes: Vec<usize> = state.waves().iter().map(|wave| wave.hosts.len()).collect();
    assert_eq!(sizes, [1, 5, 25, 69]);
    let state = RolloutState::new(RolloutSpec::default(), &hosts(12));
    let sizes: Vec<usize> = state.waves().iter().map(|wave| wave.hosts.len()).collect();
    assert_eq!(sizes, [1, 1, 3, 7], "shares are of all hosts, rounded up");
}

#[test]
fn small_fleets_have_no_empty_waves() {
    assert_eq!(names(&RolloutState::new(RolloutSpec::default(), &hosts(1))), [vec!["h01"]]);
    assert_eq!(
        names(&RolloutState::new(RolloutSpec::default(), &hosts(3))),
        [vec!["h01"], vec!["h02"], vec!["h03"]]
    );
    assert!(RolloutState::new(RolloutSpec::default(), &[]).waves().is_empty());
}

#[test]
fn canaries_come_from_different_failure_domains() {
    let fleet = in_domains(&[("a", "r1"), ("b", "r1"), ("c", "r2"), ("d", "r2")]);
    let spec = RolloutSpec { canary: 2, waves: vec![], ..RolloutSpec::default() };
    assert_eq!(names(&RolloutState::new(spec, &fleet)), [vec!["a", "c"], vec!["b", "d"]]);
    let spec = RolloutSpec { canary: 3, waves: vec![], ..RolloutSpec::default() };
    assert_eq!(names(&RolloutState::new(spec, &fleet)), [vec!["a", "b", "c"], vec!["d"]]);
}

#[test]
fn a_canary_has_something_to_do() {
    let mut fleet = hosts(3);
    fleet[0].work = Work::Nothing;
    let state = RolloutState::new(RolloutSpec::default(), &fleet);
    assert_eq!(names(&state), [vec!["h02"], vec!["h01"], vec!["h03"]]);
}

proptest! {
    #[test]
    fn every_host_is_in_exactly_one_wave(
        count in 0_usize..200,
        canary in 0_u32..12,
        sizes in proptest::collection::vec(
            prop_oneof![(1_u32..50).prop_map(WaveSize::Hosts), (1_u8..=100).prop_map(WaveSize::Percent)], 0..5),
    ) {
        let spec = RolloutSpec { canary, waves: sizes, ..RolloutSpec::default() };
        let mut fleet = hosts(count);
        let state = RolloutState::new(spec.clone(), &fleet);
        let mut all: Vec<HostId> = state.waves().iter().flat_map(|wave| wave.hosts.clone()).collect();
        prop_assert!(state.waves().iter().all(|wave| !wave.hosts.is_empty() && wave.hosts.is_sorted()));
        all.sort();
        let expected: Vec<HostId> = hosts(count).into_iter().map(|host| host.id).collect();
        let mut expected_sorted = expected;
        expected_sorted.sort();
        prop_assert_eq!(all, expected_sorted);
        fleet.reverse();
        prop_assert_eq!(state, RolloutState::new(spec, &fleet));
    }
}

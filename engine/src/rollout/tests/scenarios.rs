//! Rollouts as an operator would tell them.

use super::*;
use RolloutPhase as P;

#[test]
fn a_rollout_goes_wave_by_wave_to_the_end() {
    let spec = RolloutSpec { max_parallel: 2, soak: Millis(5_000), ..RolloutSpec::default() };
    let (mut run, effects) = Run::started(spec, &hosts(5));
    assert_eq!(sent(&effects), ["h01"]);
    let effects = run.commit("h01");
    assert!(effects.contains(&Effect::WaveEnded(0)));
    assert_eq!(run.phase(), P::Soaking);
    assert_eq!(run.state.next_deadline(), Some(Wall(6_000)));
    let effects = run.tick();
    assert!(effects.contains(&Effect::WaveStarted(1)));
    assert_eq!(sent(&effects), ["h02"]);
    run.commit("h02");
    assert_eq!(sent(&run.tick()), ["h03", "h04"]);
    run.commit("h03");
    run.commit("h04");
    assert_eq!(sent(&run.tick()), ["h05"]);
    let effects = run.commit("h05");
    assert_eq!(effects.last(), Some(&Effect::Finished));
    assert_eq!(run.phase(), P::Completed);
    assert_eq!(run.state.next_deadline(), None);
    assert!(
        run.state.wave_times().iter().all(|times| times.started_at.is_some() && times.ended_at.is_some())
    );
}

#[test]
fn no_more_than_max_parallel_at_once() {
    let (mut run, _) = Run::started(RolloutSpec { max_parallel: 2, ..quick() }, &hosts(5));
    assert_eq!(sent(&run.commit("h01")), ["h02", "h03"]);
    assert_eq!(sent(&run.commit("h03")), ["h04"]);
    assert_eq!(run.state.in_flight(), 2);
}

#[test]
fn two_hosts_of_one_rack_are_never_touched_at_once() {
    let fleet = in_domains(&[("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b"), ("b2", "b")]);
    let (mut run, effects) = Run::started(quick(), &fleet);
    assert_eq!(sent(&effects), ["a1"]);
    assert_eq!(sent(&run.commit("a1")), ["a2", "b1"]);
    assert_eq!(sent(&run.commit("b1")), ["b2"]);
    assert!(sent(&run.commit("b2")).is_empty());
    assert_eq!(sent(&run.commit("a2")), ["a3"]);
}

#[test]
fn any_canary_failure_halts_at_once() {
    let refused =
        OutcomeKind::Refused(model::RefusalReason::PlanChanged { found: model::PlanDigest("ab".to_owned()) });
    for kind in [rolled_back(), refused, OutcomeKind::FailedMixed { reason: "stuck".to_owned() }] {
        let spec = RolloutSpec { failure_budget: 9, canary: 2, ..quick() };
        let (mut run, effects) = Run::started(spec, &hosts(4));
        assert_eq!(sent(&effects), ["h01", "h02"]);
        run.end("h01", kind);
        assert_eq!(run.phase(), P::Halted);
        assert!(run.state.reason().unwrap().contains("canary h01"));
        assert!(sent(&run.commit("h02")).is_empty(), "hosts in flight end by themselves");
        assert_eq!(run.phase(), P::Halted);
    }
}

#[test]
fn later_waves_halt_beyond_the_budget() {
    let spec = RolloutSpec { failure_budget: 1, max_parallel: 1, ..quick() };
    let (mut run, _) = Run::started(spec, &hosts(5));
    run.commit("h01");
    assert_eq!(sent(&run.end("h02", rolled_back())), ["h03"]);
    assert!(sent(&run.end("h03", rolled_back())).is_empty());
    assert_eq!(run.phase(), P::Halted);
    assert_eq!(run.state.reason(), Some("2 failed, budget 1: h03 ended rolled_back: probe failed"));
}

#[test]
fn resume_after_a_halt_goes_on_with_the_rest() {
    let (mut run, _) = Run::started(quick(), &hosts(3));
    run.end("h01", rolled_back());
    assert_eq!(sent(&run.send(Event::Resume)), ["h02", "h03"]);
    run.commit("h02");
    run.commit("h03");
    assert_eq!(run.phase(), P::Halted);
    assert!(run.state.reason().unwrap().contains("not all committed: h01"));
    assert!(sent(&run.send(Event::Resume)).is_empty());
    assert_eq!(run.phase(), P::Halted);
}

#[test]
fn an_unreachable_host_is_passed_over_and_catches_up() {
    let (mut run, _) = Run::started(quick(), &hosts(3));
    run.down("h03");
    assert_eq!(sent(&run.commit("h01")), ["h02"]);
    run.commit("h02");
    assert_eq!(run.phase(), P::Running);
    assert_eq!(run.state.next_deadline(), Some(Wall(1_000).plus(UNREACHABLE_GRACE)));
    run.tick();
    assert_eq!(run.outcome("h03"), HostOutcome::Unreachable);
    assert!(run.state.is_catching_up());
    assert!(run.state.reason().unwrap().contains("h03"));
    run.now += 86_400_000;
    assert_eq!(sent(&run.up("h03")), ["h03"]);
    assert_eq!(run.commit("h03").last(), Some(&Effect::Finished));
    assert_eq!(run.phase(), P::Completed);
}

#[test]
fn a_canary_nobody_can_reach_holds_and_names_the_way_on() {
    let (mut run, _) = Run::started(quick(), &hosts(3));
    run.send(Event::OrderNotSent { host: id("h01"), why: NotSent::NotConnected });
    run.tick();
    assert_eq!(run.outcome("h01"), HostOutcome::Unreachable);
    assert_eq!(run.phase(), P::Running);
    assert!(!run.state.is_catching_up());
    assert!(run.state.reason().unwrap().contains("bring one of them back"));
    assert_eq!(run.state.next_deadline(), None);
    assert_eq!(sent(&run.up("h01")), ["h01"]);
    assert_eq!(sent(&run.commit("h01")), ["h02", "h03"]);
}

#[test]
fn a_broken_stream_means_the_order_again_not_a_failure() {
    let (mut run, _) = Run::started(quick(), &hosts(2));
    run.down("h01");
    run.now += 10_000;
    assert_eq!(sent(&run.up("h01")), ["h01"]);
    assert_eq!(run.outcome("h01"), HostOutcome::InFlight);
}

#[test]
fn a_host_that_does_not_come_back_after_its_order_is_a_failure() {
    let (mut run, _) = Run::started(quick(), &hosts(2));
    run.down("h01");
    run.tick();
    assert_eq!(run.phase(), P::Halted);
    assert!(run.state.reason().unwrap().contains("did not come back"));
    // It was only late: everything is committed in the end, once a person lets the rest go on.
    run.commit("h01");
    assert_eq!(sent(&run.send(Event::Resume)), ["h02"]);
    run.commit("h02");
    assert_eq!(run.phase(), P::Completed);
}

#[test]
fn a_full_queue_is_tried_again() {
    let (mut run, _) = Run::started(quick(), &hosts(2));
    let effects = run.send(Event::OrderNotSent { host: id("h01"), why: NotSent::Busy });
    assert!(sent(&effects).is_empty());
    assert_eq!(run.outcome("h01"), HostOutcome::Pending);
    assert_eq!(sent(&run.tick()), ["h01"]);
}

#[test]
fn a_host_busy_with_an_earlier_change_is_asked_again() {
    let (mut run, _) = Run::started(quick(), &hosts(2));
    let change = model::ChangeId::new("earlier").unwrap();
    run.end("h01", OutcomeKind::Refused(model::RefusalReason::Busy { change }));
    assert_eq!(run.phase(), P::Running);
    assert_eq!(run.outcome("h01"), HostOutcome::Pending);
    assert_eq!(sent(&run.tick()), ["h01"]);
}

#[test]
fn a_repeat_that_does_not_go_out_leaves_the_first_order_in_doubt() {
    let (mut run, _) = Run::started(quick(), &hosts(2));
    run.up("h01");
    run.send(Event::OrderNotSent { host: id("h01"), why: NotSent::NotConnected });
    assert_eq!(run.outcome("h01"), HostOutcome::InFlight);
    assert_eq!(sent(&run.up("h01")), ["h01"]);
}

#[test]
fn pause_stops_orders_and_resume_goes_on() {
    let (mut run, _) = Run::started(quick(), &hosts(3));
    run.send(Event::Pause { reason: "paused by ann".to_owned() });
    assert_eq!(run.state.reason(), Some("paused by ann"));
    assert!(sent(&run.commit("h01")).is_empty());
    assert_eq!(run.phase(), P::Paused);
    assert_eq!(sent(&run.send(Event::Resume)), ["h02", "h03"]);
    assert_eq!(run.state.reason(), None);
}

#[test]
fn a_pause_keeps_the_soak() {
    let spec = RolloutSpec { soak: Millis(5_000), ..quick() };
    let (mut run, _) = Run::started(spec, &hosts(2));
    run.commit("h01");
    run.send(Event::Pause { reason: String::new() });
    assert_eq!(run.state.next_deadline(), None);
    assert!(sent(&run.send(Event::Resume)).is_empty());
    assert_eq!(run.phase(), P::Soaking);
    run.send(Event::Pause { reason: String::new() });
    run.now += 6_000;
    assert_eq!(sent(&run.send(Event::Resume)), ["h02"]);
}

#[test]
fn a_canary_that_fails_during_a_pause_halts() {
    let (mut run, _) = Run::started(quick(), &hosts(2));
    run.send(Event::Pause { reason: String::new() });
    run.end("h01", rolled_back());
    assert_eq!(run.phase(), P::Halted);
}

#[test]
fn abort_ends_it_and_late_outcomes_are_still_noted() {
    let (mut run, _) = Run::started(quick(), &hosts(2));
    let effects = run.send(Event::Abort { reason: "wrong VLAN".to_owned() });
    assert_eq!(effects.last(), Some(&Effect::Finished));
    assert!(run.commit("h01").is_empty());
    assert_eq!(run.outcome("h01"), HostOutcome::Ended(OutcomeKind::Committed));
    assert_eq!(run.phase(), P::Aborted);
}

#[test]
fn a_restart_sends_again_only_what_has_no_outcome() {
    let (mut run, _) = Run::started(RolloutSpec { max_parallel: 2, ..quick() }, &hosts(5));
    run.commit("h01");
    run.commit("h02");
    let stored = serde_json::to_string(&run.state).unwrap();
    let mut run = Run { state: serde_json::from_str(&stored).unwrap(), now: run.now + 1 };
    assert!(sent(&run.send(Event::Restored)).is_empty());
    let mut orders = Vec::new();
    for host in ["h01", "h02", "h03", "h04", "h05"] {
        orders.extend(sent(&run.up(host)).iter().map(|host| (*host).to_owned()));
    }
    assert_eq!(orders, ["h03", "h04"]);
}

#[test]
fn a_restart_during_a_pause_sends_on_resume() {
    let (mut run, _) = Run::started(quick(), &hosts(2));
    run.send(Event::Pause { reason: String::new() });
    run.send(Event::Restored);
    assert!(sent(&run.up("h01")).is_empty());
    run.up("h02");
    assert_eq!(sent(&run.send(Event::Resume)), ["h01"]);
}

#[test]
fn a_rollout_without_hosts_is_complete_at_once() {
    let (run, effects) = Run::started(quick(), &[]);
    assert_eq!(run.phase(), P::Completed);
    assert_eq!(effects.last(), Some(&Effect::Finished));
}

#[test]
fn a_rollout_paused_before_its_start_starts_on_resume() {
    let mut run = Run { state: RolloutState::new(quick(), &hosts(2)), now: 5 };
    run.send(Event::Pause { reason: String::new() });
    run.up("h01");
    let effects = run.send(Event::Resume);
    assert_eq!(effects.first(), Some(&Effect::WaveStarted(0)));
    assert_eq!(sent(&effects), ["h01"]);
}

#[test]
fn a_canary_that_is_undone_at_its_console_halts_the_rollout() {
    let (mut run, _) = Run::started(RolloutSpec { waves: vec![], ..quick() }, &hosts(3));
    run.commit("h01");
    run.commit("h02");
    run.end("h01", rolled_back());
    assert_eq!(run.phase(), P::Halted);
    assert!(run.state.reason().is_some_and(|reason| reason.starts_with("canary h01 ended rolled_back")));
    // What was undone stays undone: a late word of its commit says nothing new.
    run.end("h01", OutcomeKind::Committed);
    assert!(run.state.outcomes().any(|(host, outcome)| {
        host.as_str() == "h01" && matches!(outcome, HostOutcome::Ended(OutcomeKind::RolledBack { .. }))
    }));
}

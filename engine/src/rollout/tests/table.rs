//! Every phase with every event: what has no meaning is rejected as a value and changes nothing.

use super::*;
use EventKind as K;
use RolloutPhase as P;

/// The machine in this phase; `h01` is not ended where that is possible.
fn in_phase(phase: RolloutPhase) -> RolloutState {
    let spec = RolloutSpec { soak: Millis(5_000), ..RolloutSpec::default() };
    if phase == P::Pending {
        return RolloutState::new(spec, &hosts(3));
    }
    let (mut run, _) = Run::started(spec, &hosts(3));
    match phase {
        P::Pending | P::Running => {}
        P::Soaking => drop(run.commit("h01")),
        P::Paused => drop(run.send(Event::Pause { reason: "test".to_owned() })),
        P::Halted => drop(run.end("h01", rolled_back())),
        P::Aborted => drop(run.send(Event::Abort { reason: "test".to_owned() })),
        P::Completed => {
            for host in ["h01", "h02", "h03"] {
                run.commit(host);
            }
        }
    }
    run.state
}

fn event(kind: EventKind) -> Event {
    match kind {
        K::Start => Event::Start,
        K::Restored => Event::Restored,
        K::HostAvailable => Event::HostAvailable(id("h02")),
        K::HostUnavailable => Event::HostUnavailable(id("h02")),
        K::OrderNotSent => Event::OrderNotSent { host: id("h01"), why: NotSent::NotConnected },
        K::HostEnded => Event::HostEnded { host: id("h01"), kind: OutcomeKind::Committed },
        K::Pause => Event::Pause { reason: "test".to_owned() },
        K::Resume => Event::Resume,
        K::Abort => Event::Abort { reason: "test".to_owned() },
        K::Tick => Event::Tick,
    }
}

fn accepted(phase: RolloutPhase, kind: EventKind) -> bool {
    match (phase, kind) {
        (_, K::Restored | K::HostAvailable | K::HostUnavailable | K::Tick) => true,
        (P::Pending, K::Start) => true,
        (P::Pending | P::Running | P::Soaking, K::Pause) => true,
        (P::Paused | P::Halted, K::Resume) => true,
        (P::Pending | P::Running | P::Soaking | P::Paused | P::Halted, K::Abort) => true,
        // `h01` is in flight there; it has ended in the others.
        (P::Running | P::Paused | P::Aborted, K::OrderNotSent | K::HostEnded) => true,
        _ => false,
    }
}

#[test]
fn every_pair_is_either_taken_or_rejected_without_a_trace() {
    let phases = [P::Pending, P::Running, P::Soaking, P::Paused, P::Halted, P::Aborted, P::Completed];
    let mut pairs = 0;
    for phase in phases {
        let before = in_phase(phase);
        assert_eq!(before.phase(), phase);
        for kind in EventKind::ALL {
            pairs += 1;
            let mut after = before.clone();
            let sent = event(kind);
            assert_eq!(sent.kind(), kind);
            let effects = after.handle(sent, Wall(2_000));
            let rejected = effects == [Effect::Rejected { phase, event: kind }];
            assert_eq!(rejected, !accepted(phase, kind), "{phase:?} x {kind:?}: {effects:?}");
            if rejected {
                assert_eq!(after, before, "{phase:?} x {kind:?}");
            }
        }
    }
    assert_eq!(pairs, 70);
}

#[test]
fn unknown_hosts_are_rejected() {
    let (mut run, _) = Run::started(quick(), &hosts(2));
    let before = run.state.clone();
    for effects in [run.up("other"), run.down("other"), run.commit("other")] {
        assert!(matches!(effects[..], [Effect::Rejected { phase: P::Running, .. }]));
    }
    assert_eq!(run.state, before);
}

#[test]
fn the_state_survives_storage() {
    for phase in [P::Pending, P::Running, P::Soaking, P::Paused, P::Halted, P::Aborted, P::Completed] {
        let state = in_phase(phase);
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<RolloutState>(&text).unwrap(), state);
    }
}

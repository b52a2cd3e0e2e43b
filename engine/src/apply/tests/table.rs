//! Every state with every event: what has no meaning is rejected as a value and changes nothing.

use super::*;
use EventKind as K;
use state::{AwaitingStage, RollingStage};

fn change() -> ChangeId {
    ChangeId::new("change-1").unwrap()
}

/// The machine in this phase, and the token it waits for.
fn in_phase(phase: ApplyPhase) -> ApplyMachine {
    let mut world = World::new();
    if phase == ApplyPhase::Idle {
        return world.machine;
    }
    if phase == ApplyPhase::Probing {
        world.host = host_with_gateway();
        world.silent = 1;
    }
    world.send(Event::order(order(&world.host, 1, &[("web", 120)])));
    if phase == ApplyPhase::Holding {
        world.until(ApplyPhase::Verifying);
        somebody_adds(&mut world, "foreign");
    }
    if phase == ApplyPhase::RollingBack {
        world.confirm = Some(ConfirmVerdict::Withdrawn { reason: "test".to_owned() });
    }
    world.until(phase);
    world.machine
}

fn answer(change: ChangeId, verdict: ConfirmVerdict) -> Event {
    Event::ConfirmAnswered { change, generation: Generation(1), connected_at: Uptime(100), verdict }
}

fn event(kind: EventKind) -> Event {
    let change = change();
    match kind {
        K::OrderReceived => Event::order(order(&empty_host(), 2, &[("db", 130)])),
        K::Observed => Event::Observed(Seen { token: u32::MAX, result: Err("test".to_owned()), calls: 1 }),
        K::StepDone => Event::StepDone { index: u32::MAX, result: StepResult::Done },
        K::InverseDone => Event::InverseDone { position: u32::MAX, result: StepResult::Done },
        K::JournalWritten => Event::JournalWritten,
        K::JournalFailed => Event::JournalFailed { detail: "test".to_owned() },
        K::ConfirmAnswered => answer(change, ConfirmVerdict::Confirmed),
        K::Probed => Event::Probed { token: u32::MAX, results: Vec::new() },
        K::ExtendRequested => Event::ExtendRequested { change, window: Millis::from_secs(120) },
        K::HoldReleased => Event::HoldReleased { change },
        K::UndoRequested => {
            let mut world = World::new();
            world.send(Event::order(order(&world.host, 9, &[("web", 120)])));
            world.until(ApplyPhase::AwaitingConfirm);
            let transaction = world.machine.state().open().unwrap().transaction.clone();
            Event::UndoRequested { transaction: Box::new(transaction), reason: "test".to_owned() }
        }
        K::ConfirmUnavailable => Event::ConfirmUnavailable { change, detail: "test".to_owned() },
        K::Tick => Event::Tick,
        K::CancelRequested => Event::CancelRequested { change, reason: "test".to_owned() },
        K::Persisted => Event::Persisted(Ok(())),
    }
}

const KINDS: [EventKind; 15] = [
    K::OrderReceived,
    K::Observed,
    K::StepDone,
    K::InverseDone,
    K::JournalWritten,
    K::JournalFailed,
    K::ConfirmAnswered,
    K::ConfirmUnavailable,
    K::Tick,
    K::CancelRequested,
    K::ExtendRequested,
    K::HoldReleased,
    K::UndoRequested,
    K::Probed,
    K::Persisted,
];

/// Pairs with a meaning in the stage that `in_phase` stops at (stale tokens and numbers have none).
fn accepted(phase: ApplyPhase, kind: EventKind) -> bool {
    use ApplyPhase as P;
    match (phase, kind) {
        (_, K::OrderReceived | K::Tick | K::Persisted) => true,
        (P::Idle | P::RollingBack | P::Saving, K::CancelRequested) => false,
        (_, K::CancelRequested) => true,
        (P::Idle | P::Planning | P::RollingBack | P::Saving, K::ExtendRequested) => false,
        (_, K::ExtendRequested) => true,
        (P::Holding, K::HoldReleased) => true,
        // `Applying` stops at the record before the first step.
        (P::Applying, K::JournalWritten | K::JournalFailed) => true,
        (P::AwaitingConfirm, K::ConfirmAnswered | K::ConfirmUnavailable) => true,
        _ => false,
    }
}

#[test]
fn every_pair_is_either_taken_or_rejected_without_a_trace() {
    use ApplyPhase as P;
    let phases = [
        P::Idle,
        P::Planning,
        P::Applying,
        P::Verifying,
        P::Probing,
        P::AwaitingConfirm,
        P::Holding,
        P::RollingBack,
        P::Saving,
    ];
    let mut pairs = 0;
    for phase in phases {
        let machine = in_phase(phase);
        assert_eq!(machine.phase(), phase);
        for kind in KINDS {
            pairs += 1;
            let mut after = machine.clone();
            let sent = event(kind);
            assert_eq!(sent.kind(), kind);
            let effects = after.handle(sent, at(100));
            let rejected = effects == [Effect::Rejected { state: phase, event: kind }];
            assert_eq!(rejected, !accepted(phase, kind), "{phase:?} x {kind:?}: {effects:?}");
            if rejected {
                assert_eq!(after.state(), machine.state(), "{phase:?} x {kind:?}");
            }
        }
    }
    assert_eq!(pairs, 135);
}

#[test]
fn an_answer_for_another_change_is_rejected() {
    let mut machine = in_phase(ApplyPhase::AwaitingConfirm);
    let change = ChangeId::new("other").unwrap();
    for event in [
        answer(change.clone(), ConfirmVerdict::Confirmed),
        Event::ConfirmUnavailable { change: change.clone(), detail: String::new() },
        Event::CancelRequested { change, reason: String::new() },
    ] {
        let effects = machine.handle(event, at(100));
        assert!(matches!(effects[..], [Effect::Rejected { .. }]));
    }
    assert!(matches!(machine.state(), State::AwaitingConfirm(at) if at.stage == AwaitingStage::Asking));
}

#[test]
fn a_commit_under_way_cannot_be_cancelled_and_does_not_expire() {
    let mut machine = in_phase(ApplyPhase::AwaitingConfirm);
    let effects = machine.handle(event(K::ConfirmAnswered), at(100));
    assert_eq!(effects, [Effect::Journal(Record::Confirmed)]);
    for stage in [ApplyPhase::AwaitingConfirm, ApplyPhase::Saving] {
        assert_eq!(machine.phase(), stage);
        let effects = machine.handle(event(K::CancelRequested), at(100));
        assert!(matches!(effects[..], [Effect::Rejected { .. }]));
        assert!(machine.handle(Event::Tick, at(10_000_000)).is_empty());
        if stage == ApplyPhase::AwaitingConfirm {
            let effects = machine.handle(Event::JournalWritten, at(10_000_000));
            assert!(effects.contains(&Effect::Persist));
        }
    }
    let effects = machine.handle(event(K::Persisted), at(10_000_000));
    assert!(matches!(effects[..], [Effect::Journal(Record::Closed(_))]));
    let effects = machine.handle(Event::JournalWritten, at(10_000_000));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Report(_))), "told when it is on record");
    assert_eq!(machine.phase(), ApplyPhase::Idle);
}

#[test]
fn a_stale_observation_proves_nothing() {
    let mut machine = in_phase(ApplyPhase::RollingBack);
    assert!(
        matches!(machine.state(), State::RollingBack(at) if matches!(at.stage, RollingStage::Inverting { .. }))
    );
    let seen = Seen { token: 1, result: Ok(Box::new(empty_host())), calls: 1 };
    let effects = machine.handle(Event::Observed(seen), at(100));
    assert!(matches!(effects[..], [Effect::Rejected { .. }]));
}

//! What counts as proof, who may change the window, and what happens when somebody else changes the host.

use super::*;
use model::{LocalVerb, RefusalReason};

fn opened(world: &mut World, phase: ApplyPhase) -> ChangeId {
    let first = order(&world.host, 1, &[("web", 120)]);
    let change = first.change.clone();
    world.send(Event::order(first));
    world.until(phase);
    change
}

fn reason(world: &World) -> String {
    match world.last() {
        OutcomeKind::RolledBack { reason } | OutcomeKind::RolledBackUnverified { reason, .. } => {
            reason.clone()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_connection_older_than_the_last_step_proves_nothing() {
    let mut world = World::new();
    world.connection_age = 10_000_000;
    world.order(order(&world.host, 1, &[("web", 120)]));
    assert!(reason(&world).contains("not confirmed"), "{}", reason(&world));
    assert!(world.groups().is_empty());
}

#[test]
fn a_confirmation_of_another_generation_is_rejected() {
    let mut world = World::new();
    let change = opened(&mut world, ApplyPhase::AwaitingConfirm);
    let connected_at = Uptime(world.now);
    let verdict = ConfirmVerdict::Confirmed;
    world.send(Event::ConfirmAnswered { change, generation: Generation(7), connected_at, verdict });
    assert!(matches!(world.pending.back(), Some(Effect::Rejected { .. })));
    assert_eq!(world.machine.phase(), ApplyPhase::AwaitingConfirm);
}

#[test]
fn what_answered_before_must_answer_after_and_is_asked_again_until_it_does() {
    let mut world = World::new();
    world.host = host_with_gateway();
    world.silent = 3;
    world.order(order(&world.host, 1, &[("web", 120)]));
    assert_eq!(world.last(), &OutcomeKind::Committed);
    assert!(world.now > 6_000, "three rounds take time: {}", world.now);

    let mut world = World::new();
    world.host = host_with_gateway();
    world.silent = u32::MAX;
    world.order(order(&world.host, 1, &[("web", 120)]));
    let reason = reason(&world);
    assert!(reason.contains("gateway of vmk0") && reason.contains("unknown"), "{reason}");
    assert!(world.groups().is_empty());
}

#[test]
fn k_of_n_probes_are_enough_when_the_order_says_so() {
    let mut world = World::new();
    world.host = host_with_gateway();
    world.silent = u32::MAX;
    let mut lenient = order(&world.host, 1, &[("web", 120)]);
    lenient.probes.need = Some(0);
    world.order(lenient);
    assert_eq!(world.last(), &OutcomeKind::Committed);
}

#[test]
fn a_link_that_does_not_come_back_leads_back() {
    for comes_back in [true, false] {
        let mut world = World::new();
        world.host = host_with_gateway();
        let nic: model::ObservedNic = serde_json::from_value(serde_json::json!({
            "mac": {"unreadable": {"reason": "not asked"}}, "admin": {"read": "up"}, "link": "up",
            "duplex": "full", "auto_negotiation": {"read": true}}))
        .unwrap();
        let vmnic = model::VmnicName::new("vmnic0").unwrap();
        world.host.nics = Known::Read(BTreeMap::from([(vmnic.clone(), nic)]));
        let switch = VswitchName::new("vSwitch0").unwrap();
        let uplinks = Known::Read(BTreeSet::from([vmnic.clone()]));
        world.host.vswitches.read_mut().unwrap().get_mut(&switch).unwrap().uplinks = uplinks;
        opened(&mut world, ApplyPhase::Verifying);
        let link = |world: &mut World, state| {
            world.host.nics.read_mut().unwrap().get_mut(&vmnic).unwrap().link = state;
        };
        link(&mut world, model::LinkState::Down);
        while world.perform() {}
        assert_eq!(world.machine.phase(), ApplyPhase::Verifying);
        if comes_back {
            link(&mut world, model::LinkState::Up);
        }
        world.settle();
        if comes_back {
            assert_eq!(world.last(), &OutcomeKind::Committed);
        } else {
            assert!(reason(&world).contains("vmnic0"), "{}", reason(&world));
        }
    }
}

#[test]
fn the_window_can_be_set_anew_by_the_right_id_only() {
    let mut world = World::new();
    world.confirm = None;
    let change = opened(&mut world, ApplyPhase::AwaitingConfirm);
    let before = world.machine.state().open().unwrap().deadline;
    for (id, secs) in [("other", 120), (change.as_str(), 5), (change.as_str(), 601)] {
        let change = ChangeId::new(id).unwrap();
        world.send(Event::ExtendRequested { change, window: Millis::from_secs(secs) });
        assert!(matches!(world.pending.back(), Some(Effect::Rejected { .. })), "{id} {secs}");
    }
    assert_eq!(world.machine.state().open().unwrap().deadline, before);
    world.send(Event::ExtendRequested { change, window: Millis::from_secs(300) });
    world.settle();
    assert!(matches!(world.last(), OutcomeKind::RolledBack { .. }));
    assert!((300_000..302_000).contains(&world.now), "{}", world.now);
}

#[test]
fn a_foreign_change_before_the_proof_holds_and_ends_as_the_deadline_says() {
    let mut world = World::new();
    opened(&mut world, ApplyPhase::Verifying);
    somebody_adds(&mut world, "foreign");
    while world.perform() {}
    assert_eq!(world.machine.phase(), ApplyPhase::Holding);
    assert!(world.journal.iter().any(|record| matches!(record, Record::Held { .. })));
    world.settle();
    let OutcomeKind::RolledBackUnverified { reason, differences } = world.last() else {
        panic!("{:?}", world.last())
    };
    assert!(reason.contains("something else") && reason.contains("foreign"), "{reason}");
    assert_eq!(differences.len(), 1);
    assert_eq!(world.groups(), [("foreign".to_owned(), 0)]);
}

#[test]
fn a_foreign_change_while_waiting_for_the_word_is_seen_before_the_next_question() {
    let mut world = World::new();
    world.confirm = None;
    opened(&mut world, ApplyPhase::AwaitingConfirm);
    somebody_adds(&mut world, "foreign");
    world.confirm = Some(ConfirmVerdict::Confirmed);
    let asks = |effect: &Effect| matches!(effect, Effect::TryConfirm { .. });
    let question = world.pending.iter().position(asks).unwrap();
    let Some(Effect::TryConfirm { change, .. }) = world.pending.remove(question) else { panic!() };
    world.send(Event::ConfirmUnavailable { change, detail: "no route".to_owned() });
    world.until(ApplyPhase::AwaitingConfirm);
    world.now += 500;
    world.send(Event::Tick);
    while world.perform() {}
    assert_eq!(world.machine.phase(), ApplyPhase::Holding);
}

#[test]
fn a_person_can_release_a_held_change_and_it_goes_on_beside_the_foreign_one() {
    let mut world = World::new();
    let change = opened(&mut world, ApplyPhase::Verifying);
    somebody_adds(&mut world, "foreign");
    while world.perform() {}
    let other = ChangeId::new("other").unwrap();
    world.send(Event::HoldReleased { change: other });
    assert!(matches!(world.pending.back(), Some(Effect::Rejected { .. })));
    world.send(Event::HoldReleased { change });
    world.settle();
    assert_eq!(world.last(), &OutcomeKind::Committed);
    assert_eq!(world.groups().len(), 2);
}

#[test]
fn a_held_change_can_be_cancelled() {
    let mut world = World::new();
    let change = opened(&mut world, ApplyPhase::Verifying);
    somebody_adds(&mut world, "foreign");
    while world.perform() {}
    world.send(Event::CancelRequested { change, reason: "console".to_owned() });
    world.settle();
    assert!(reason(&world).starts_with("console; something else"), "{}", reason(&world));
}

#[test]
fn a_frozen_or_pinned_host_takes_no_order_and_a_freeze_stops_the_next_step() {
    let frozen = LocalGuards { frozen: Some("storage move".to_owned()), pinned: None };
    let pinned = LocalGuards { frozen: None, pinned: Some("vendor case".to_owned()) };
    let mut world = World::new();
    world.machine.set_guards(pinned.clone());
    world.order(order(&world.host, 1, &[("web", 120)]));
    assert_eq!(
        world.last(),
        &OutcomeKind::Refused(RefusalReason::Pinned { reason: "vendor case".to_owned() })
    );
    world.machine.set_guards(frozen.clone());
    world.order(order(&world.host, 1, &[("web", 120)]));
    assert!(matches!(world.last(), OutcomeKind::Refused(RefusalReason::Frozen { .. })));
    world.machine.set_guards(LocalGuards::default());
    world.order(order(&world.host, 1, &[("web", 120)]));
    assert_eq!(world.last(), &OutcomeKind::Committed);

    for (guards, ends) in [(frozen, "rolled_back"), (pinned, "committed")] {
        let mut world = World::new();
        opened(&mut world, ApplyPhase::Applying);
        world.machine.set_guards(guards);
        world.settle();
        assert_eq!(world.last().as_str(), ends);
    }
}

fn committed_twice() -> World {
    let mut world = World::new();
    world.order(order(&world.host, 1, &[("web", 120)]));
    world.order(order(&world.host, 2, &[("web", 121), ("db", 130)]));
    assert_eq!(world.machine.memory().committed_generation(), Generation(2));
    world
}

fn transactions(world: &World) -> Vec<Transaction> {
    let opened = world.journal.iter().filter_map(|record| match record {
        Record::Opened(transaction) => Some((**transaction).clone()),
        _ => None,
    });
    opened.collect()
}

#[test]
fn the_last_committed_change_can_be_undone_once_and_only_the_last() {
    let mut world = committed_twice();
    let [first, second] = transactions(&world).try_into().unwrap();
    let undo = |transaction| Event::UndoRequested {
        transaction: Box::new(transaction),
        reason: "console".to_owned(),
    };
    world.send(undo(first.clone()));
    assert!(matches!(world.pending.back(), Some(Effect::Rejected { .. })));
    world.settle();
    let saved = world.persisted;
    world.send(undo(second.clone()));
    world.settle();
    assert_eq!(world.last(), &OutcomeKind::RolledBack { reason: "console".to_owned() });
    assert_eq!(world.groups(), [("web".to_owned(), 120)]);
    assert_eq!(world.machine.memory().committed_generation(), Generation(1));
    assert_eq!(world.machine.held_generation(), Generation(2));
    assert_eq!(world.persisted, saved + 1);
    world.send(undo(second));
    assert!(matches!(world.pending.back(), Some(Effect::Rejected { .. })));
    world.settle();
    world.crash("b1");
    assert_eq!(world.machine.memory().committed_generation(), Generation(1));
    assert!(!world.machine.memory().persist_due);
}

#[test]
fn an_undo_survives_a_crash_at_any_effect() {
    for effects in 0..14 {
        let mut world = committed_twice();
        let second = transactions(&world).pop().unwrap();
        world.send(Event::UndoRequested { transaction: Box::new(second), reason: "console".to_owned() });
        for _ in 0..effects {
            world.perform();
        }
        let begun = world.journal.iter().any(|record| matches!(record, Record::Undoing { .. }));
        world.crash("b1");
        world.settle();
        let groups = world.groups().len();
        assert_eq!(groups, if begun { 1 } else { 2 }, "crash after {effects}");
        let generation = world.machine.memory().committed_generation();
        assert_eq!(generation, Generation(if begun { 1 } else { 2 }), "crash after {effects}");
    }
}

#[test]
fn actions_at_the_console_are_kept_until_the_coordinator_knows_them() {
    let mut world = World::new();
    for number in 0..3_u64 {
        let effects = world.machine.note_local(LocalVerb::Freeze, format!("reason {number}"), Wall(number));
        world.pending.extend(effects);
    }
    let effects = world.machine.local_acknowledged(2);
    world.pending.extend(effects);
    world.settle();
    world.crash("b1");
    let left: Vec<u64> = world.machine.memory().local.iter().map(|action| action.sequence).collect();
    assert_eq!(left, [3]);
    assert_eq!(world.machine.memory().local_sequence, 3);
}

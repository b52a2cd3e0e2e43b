//! One change after the other, told as a story.

use super::*;
use model::RefusalReason;

fn failed(text: &str) -> StepResult {
    StepResult::Failed { detail: text.to_owned() }
}

#[test]
fn a_change_is_applied_verified_confirmed_and_saved() {
    let mut world = World::new();
    world.order(order(&world.host, 1, &[("web", 120), ("db", 130)]));
    assert_eq!(world.last(), &OutcomeKind::Committed);
    assert_eq!(world.groups(), [("db".to_owned(), 130), ("web".to_owned(), 120)]);
    assert_eq!(world.persisted, 1);
    assert_eq!(world.machine.memory().committed_generation(), Generation(1));
    assert_eq!(world.rejected, 0);
    let first_step = world.journal.iter().position(|r| matches!(r, Record::StepStarted { .. })).unwrap();
    assert!(matches!(world.journal[first_step - 1], Record::Opened(_)));
}

#[test]
fn a_repeat_is_answered_with_the_stored_outcome_and_touches_nothing() {
    let mut world = World::new();
    let first = order(&world.host, 1, &[("web", 120)]);
    world.order(first.clone());
    let steps = world.steps_run.len();
    world.order(first);
    assert_eq!(world.reports.len(), 2);
    assert_eq!(world.reports[0], world.reports[1]);
    assert_eq!(world.steps_run.len(), steps);
}

#[test]
fn generations_guard_against_the_past_and_against_two_truths() {
    let mut world = World::new();
    world.order(order(&world.host, 5, &[("web", 120)]));
    world.order(order(&world.host, 4, &[("web", 121)]));
    assert_eq!(world.last(), &OutcomeKind::Refused(RefusalReason::OlderGeneration { held: Generation(5) }));
    world.order(order(&world.host, 5, &[("web", 122)]));
    assert_eq!(world.last(), &OutcomeKind::Refused(RefusalReason::ContentDiffers));
    assert_eq!(world.groups(), [("web".to_owned(), 120)]);
}

#[test]
fn a_second_order_is_refused_while_one_is_open() {
    let mut world = World::new();
    let first = order(&world.host, 1, &[("web", 120)]);
    let second = order(&world.host, 2, &[("web", 121)]);
    world.send(Event::order(first.clone()));
    world.until(ApplyPhase::AwaitingConfirm);
    world.send(Event::order(second));
    world.send(Event::order(first));
    world.settle();
    let kinds: Vec<&str> = world.reports.iter().map(|o| o.kind.as_str()).collect();
    assert_eq!(kinds, ["refused", "committed"]);
    assert!(matches!(world.reports[0].kind, OutcomeKind::Refused(RefusalReason::Busy { .. })));
}

#[test]
fn an_order_for_another_host_or_with_a_wild_window_is_refused() {
    let mut world = World::new();
    let mut wrong = order(&world.host, 1, &[("web", 120)]);
    wrong.host = HostId::new("esx2").unwrap();
    world.order(wrong);
    assert_eq!(world.last(), &OutcomeKind::Refused(RefusalReason::WrongHost));
    let mut wild = order(&world.host, 1, &[("web", 120)]);
    wild.confirm_timeout = Millis::from_secs(601);
    world.order(wild);
    assert!(matches!(world.last(), OutcomeKind::Refused(RefusalReason::Malformed { .. })));
    assert!(world.journal.is_empty());
}

#[test]
fn another_plan_than_the_approved_one_is_not_run() {
    let mut world = World::new();
    let mut stale = order(&world.host, 1, &[("web", 120)]);
    stale.plan_digest = model::PlanDigest("0".repeat(64));
    world.order(stale);
    assert!(matches!(world.last(), OutcomeKind::Refused(RefusalReason::PlanChanged { .. })));
    assert!(world.steps_run.is_empty());
    let mut gentle = order(&world.host, 2, &[("web", 120)]);
    gentle.disruption_allowed = Disruption::None;
    let plan = plan(&gentle.desired, &world.host).plan;
    world.order(gentle);
    if plan.disruption > Disruption::None {
        assert!(matches!(world.last(), OutcomeKind::Refused(RefusalReason::TooDisruptive { .. })));
    }
}

#[test]
fn a_host_that_cannot_be_read_refuses_and_may_be_asked_again() {
    let mut world = World::new();
    let first = order(&world.host, 1, &[("web", 120)]);
    world.unreadable = 1;
    world.order(first.clone());
    assert!(matches!(world.last(), OutcomeKind::Refused(RefusalReason::Unreadable { .. })));
    world.order(first);
    assert_eq!(world.last(), &OutcomeKind::Committed);
}

#[test]
fn what_is_so_already_is_committed_at_once() {
    let mut world = World::new();
    world.order(order(&world.host, 1, &[("web", 120)]));
    world.confirm = None;
    let again = order(&world.host, 2, &[("web", 120)]);
    world.order(again);
    assert_eq!(world.last(), &OutcomeKind::Committed);
    assert_eq!(world.machine.memory().committed_generation(), Generation(2));
    assert_eq!(world.reports[1].steps_run, 0);
}

#[test]
fn a_full_disk_stops_the_change_before_anything_is_touched() {
    let mut world = World::new();
    world.journal_fails = true;
    world.order(order(&world.host, 1, &[("web", 120)]));
    assert!(matches!(world.last(), OutcomeKind::Refused(RefusalReason::JournalUnavailable { .. })));
    assert!(world.steps_run.is_empty());
}

#[test]
fn a_disk_that_fills_up_later_leads_back() {
    for journal_from in [ApplyPhase::Applying, ApplyPhase::Verifying, ApplyPhase::AwaitingConfirm] {
        let mut world = World::new();
        world.send(Event::order(order(&world.host, 1, &[("web", 120), ("db", 130)])));
        world.until(journal_from);
        if journal_from == ApplyPhase::Applying {
            assert!(world.perform());
        }
        world.journal_fails = true;
        wait_for_the_disk(&mut world);
        world.settle();
        assert!(
            matches!(world.last(), OutcomeKind::RolledBack { .. }),
            "{journal_from:?}: {:?}",
            world.last()
        );
        assert!(world.groups().is_empty(), "{journal_from:?}");
        assert_eq!((world.persisted, world.reports.len()), (1, 1), "{journal_from:?}");
    }
}

/// The host is back, and nothing is told while the disk takes no record of it; then the disk is mended.
fn wait_for_the_disk(world: &mut World) {
    world.until(ApplyPhase::Saving);
    for _ in 0..50 {
        if !world.perform() {
            world.now = world.machine.next_deadline().map_or(world.now, |due| due.0.max(world.now));
            world.send(Event::Tick);
        }
    }
    assert_eq!((world.machine.phase(), world.reports.len()), (ApplyPhase::Saving, 0));
    assert!(world.groups().is_empty());
    world.journal_fails = false;
}

#[test]
fn without_a_confirmation_the_deadline_leads_back() {
    let mut world = World::new();
    world.confirm = None;
    world.order(order(&world.host, 1, &[("web", 120)]));
    let OutcomeKind::RolledBack { reason } = world.last() else { panic!("{:?}", world.last()) };
    assert!(reason.contains("60 s"), "{reason}");
    assert!(world.groups().is_empty());
    assert!((60_000..62_000).contains(&world.now), "{}", world.now);
}

#[test]
fn a_confirmation_after_the_deadline_does_not_count() {
    let mut world = World::new();
    let first = order(&world.host, 1, &[("web", 120)]);
    let change = first.change.clone();
    world.send(Event::order(first));
    world.until(ApplyPhase::AwaitingConfirm);
    world.pending.clear();
    world.now += 120_000;
    let connected_at = Uptime(world.now);
    let verdict = ConfirmVerdict::Confirmed;
    world.send(Event::ConfirmAnswered { change, generation: Generation(1), connected_at, verdict });
    world.settle();
    assert!(matches!(world.last(), OutcomeKind::RolledBack { .. }));
    assert!(world.groups().is_empty());
}

#[test]
fn a_withdrawn_change_goes_back_at_once() {
    let mut world = World::new();
    world.confirm = Some(ConfirmVerdict::Withdrawn { reason: "canary failed".to_owned() });
    world.order(order(&world.host, 1, &[("web", 120)]));
    let OutcomeKind::RolledBack { reason } = world.last() else { panic!("{:?}", world.last()) };
    assert!(reason.contains("canary failed"));
    assert!(world.now < 5_000);
}

#[test]
fn a_failing_step_is_judged_by_reading_whether_it_had_its_effect_or_not() {
    for (index, works) in [(0, false), (0, true), (1, false), (1, true), (3, true), (3, false)] {
        let mut world = World::new();
        world.step_faults = vec![(StepResult::Done, true); index];
        world.step_faults.push((failed("exit status 1"), works));
        world.order(order(&world.host, 1, &[("web", 120), ("db", 130)]));
        let OutcomeKind::RolledBack { reason } = world.last() else { panic!("{:?}", world.last()) };
        assert!(reason.contains("exit status 1"), "{reason}");
        assert!(world.groups().is_empty(), "{index} {works}: {:?}", world.groups());
    }
}

#[test]
fn already_so_counts_when_reading_agrees_and_fails_when_it_does_not() {
    let already = StepResult::AlreadySo { detail: "already exists".to_owned() };
    let mut world = World::new();
    world.step_faults = vec![(already.clone(), true)];
    world.order(order(&world.host, 1, &[("web", 120)]));
    assert_eq!(world.last(), &OutcomeKind::Committed);

    let mut world = World::new();
    world.step_faults = vec![(already, false)];
    world.order(order(&world.host, 1, &[("web", 120)]));
    assert!(matches!(world.last(), OutcomeKind::RolledBack { .. }));
    assert!(world.groups().is_empty());
}

#[test]
fn a_step_that_lies_is_found_by_verifying() {
    let mut world = World::new();
    world.step_faults = vec![(StepResult::Done, true), (StepResult::Done, false)];
    world.order(order(&world.host, 1, &[("web", 120)]));
    let OutcomeKind::RolledBack { reason } = world.last() else { panic!("{:?}", world.last()) };
    assert!(reason.contains("read back"), "{reason}");
}

#[test]
fn verifying_bears_a_host_that_is_unreadable_for_a_moment() {
    let mut world = World::new();
    world.send(Event::order(order(&world.host, 1, &[("web", 120)])));
    world.until(ApplyPhase::Verifying);
    world.unreadable = VERIFY_ATTEMPTS_MAX - 1;
    world.settle();
    assert_eq!(world.last(), &OutcomeKind::Committed);
}

#[test]
fn inverses_that_fail_are_tried_again_and_the_truth_is_told_in_the_end() {
    let mut world = World::new();
    world.confirm = None;
    world.send(Event::order(order(&world.host, 1, &[("web", 120)])));
    world.until(ApplyPhase::AwaitingConfirm);
    world.step_faults = vec![(failed("hostd is down"), false); 3];
    world.settle();
    assert!(matches!(world.last(), OutcomeKind::RolledBack { .. }), "{:?}", world.last());

    let mut world = World::new();
    world.confirm = None;
    world.send(Event::order(order(&world.host, 1, &[("web", 120)])));
    world.until(ApplyPhase::AwaitingConfirm);
    world.step_faults = vec![(failed("hostd is down"), false); 1_000];
    world.settle();
    assert!(matches!(world.last(), OutcomeKind::FailedMixed { .. }), "{:?}", world.last());
}

#[test]
fn a_cancel_ends_the_change_in_every_phase() {
    for phase in [
        ApplyPhase::Planning,
        ApplyPhase::Applying,
        ApplyPhase::Verifying,
        ApplyPhase::Probing,
        ApplyPhase::AwaitingConfirm,
    ] {
        let mut world = World::new();
        world.host = host_with_gateway();
        let first = order(&world.host, 1, &[("web", 120)]);
        let change = first.change.clone();
        world.send(Event::order(first));
        world.until(phase);
        world.send(Event::CancelRequested { change, reason: "console".to_owned() });
        world.settle();
        assert!(matches!(world.last(), OutcomeKind::RolledBack { .. }), "{phase:?}: {:?}", world.last());
        assert_eq!(world.reports.len(), 1, "{phase:?}");
        assert!(world.groups().is_empty());
    }
}

#[test]
fn a_damaged_journal_takes_no_order() {
    let mut world = World::new();
    let health = JournalHealth::Damaged { detail: "record 3 is corrupt".to_owned() };
    world.machine = ApplyMachine::restore(id(), boot("b1"), Replay::default(), health, at(0)).0;
    world.order(order(&world.host, 1, &[("web", 120)]));
    assert!(matches!(world.last(), OutcomeKind::Refused(RefusalReason::JournalUnavailable { .. })));
}

#[test]
fn orders_are_read_strictly_and_a_bad_one_can_still_be_answered() {
    let good = order(&empty_host(), 7, &[("web", 120)]);
    let bytes = serde_json::to_vec(&good).unwrap();
    assert_eq!(read_order(&bytes).unwrap(), *good);
    let mut value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    value["surprise"] = 1.into();
    let error = read_order(value.to_string().as_bytes()).unwrap_err();
    assert_eq!(error.refusal().unwrap().generation, Generation(7));
    assert!(read_order(b"garbage").unwrap_err().refusal().is_none());
}

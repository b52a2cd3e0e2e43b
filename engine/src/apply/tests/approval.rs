//! Orders with and without a proof: what the machine makes of the verdict.

use super::*;
use crate::proof::{Proven, Standing};
use model::{ApprovalNote, RefusalReason, Unproven, UnprovenKind, Wall};

fn proven(parent: u64, standing: Standing) -> Result<Proven, Unproven> {
    Ok(Proven { parent: Generation(parent), names: vec!["ann".to_owned()], standing })
}

fn lacking() -> Result<Proven, Unproven> {
    Err(Unproven { kind: UnprovenKind::ThresholdNotMet, detail: "0 of 1".to_owned() })
}

fn send(world: &mut World, generation: u64, vlan: u16, approval: Approval) {
    let order = order(&world.host, generation, &[("web", vlan)]);
    world.send(Event::OrderReceived { order, approval });
    world.settle();
}

#[track_caller]
fn refused_for(world: &World, kind: UnprovenKind) {
    match world.last() {
        OutcomeKind::Refused(RefusalReason::Unproven(unproven)) => assert_eq!(unproven.kind, kind),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_approved_order_is_applied() {
    let mut world = World::new();
    send(&mut world, 1, 120, Approval::Enforced(proven(0, Standing::Approved)));
    assert_eq!(world.last(), &OutcomeKind::Committed);
    assert_eq!(world.reports[0].approval, None, "nothing special is to be said");
}

#[test]
fn an_order_that_is_not_proven_touches_nothing_and_may_come_again() {
    let mut world = World::new();
    send(&mut world, 1, 120, Approval::Enforced(lacking()));
    refused_for(&world, UnprovenKind::ThresholdNotMet);
    assert!(world.steps_run.is_empty() && world.groups().is_empty());
    assert_eq!(world.machine.held_generation(), Generation(0));
    assert!(
        matches!(world.journal.as_slice(), [Record::Refused { outcome, .. }] if *outcome.as_ref() == world.reports[0])
    );
    send(&mut world, 1, 120, Approval::Enforced(proven(0, Standing::Approved)));
    assert_eq!(world.last(), &OutcomeKind::Committed);
}

#[test]
fn an_order_approved_on_top_of_another_state_is_refused() {
    let mut world = World::new();
    send(&mut world, 3, 120, Approval::Enforced(proven(0, Standing::Approved)));
    send(&mut world, 5, 121, Approval::Enforced(proven(0, Standing::Approved)));
    refused_for(&world, UnprovenKind::ParentDiffers);
    send(&mut world, 5, 121, Approval::Enforced(proven(4, Standing::Approved)));
    refused_for(&world, UnprovenKind::ParentDiffers);
    assert_eq!(world.groups(), [("web".to_owned(), 120)]);
    send(&mut world, 5, 121, Approval::Enforced(proven(3, Standing::Approved)));
    assert_eq!(world.last(), &OutcomeKind::Committed);
}

#[test]
fn a_repeat_needs_no_proof_any_more() {
    let mut world = World::new();
    send(&mut world, 1, 120, Approval::Enforced(proven(0, Standing::Approved)));
    let first = order(&empty_host(), 1, &[("web", 120)]);
    // Its parent is not committed any more, and its release may have ended.
    for verdict in [proven(0, Standing::Approved), lacking()] {
        world.send(Event::OrderReceived { order: first.clone(), approval: Approval::Enforced(verdict) });
        world.settle();
        assert_eq!(world.last(), &OutcomeKind::Committed);
    }
}

#[test]
fn a_repeat_of_the_open_order_does_not_disturb_it() {
    let mut world = World::new();
    let order = order(&world.host, 1, &[("web", 120)]);
    let approval = Approval::Enforced(proven(0, Standing::Approved));
    world.send(Event::OrderReceived { order: order.clone(), approval });
    world.until(ApplyPhase::AwaitingConfirm);
    world.send(Event::OrderReceived { order, approval: Approval::Enforced(lacking()) });
    world.settle();
    let kinds: Vec<&str> = world.reports.iter().map(|outcome| outcome.kind.as_str()).collect();
    assert_eq!(kinds, ["committed"]);
}

#[test]
fn a_host_that_only_warns_goes_on_and_says_so() {
    let mut world = World::new();
    send(&mut world, 1, 120, Approval::Warned(lacking()));
    assert_eq!(world.last(), &OutcomeKind::Committed);
    let note = |world: &World| world.reports.last().unwrap().approval.clone();
    assert!(matches!(
        note(&world),
        Some(ApprovalNote::Unproven(Unproven { kind: UnprovenKind::ThresholdNotMet, .. }))
    ));
    send(&mut world, 2, 121, Approval::Warned(proven(0, Standing::Approved)));
    assert!(matches!(
        note(&world),
        Some(ApprovalNote::Unproven(Unproven { kind: UnprovenKind::ParentDiffers, .. }))
    ));
    send(&mut world, 3, 122, Approval::Warned(proven(2, Standing::Approved)));
    assert_eq!((world.last(), note(&world)), (&OutcomeKind::Committed, None));
}

#[test]
fn an_emergency_is_named_in_the_outcome_even_after_a_crash() {
    let eve = Some(ApprovalNote::BreakGlass { names: vec!["ann".to_owned()] });
    let mut world = World::new();
    send(&mut world, 1, 120, Approval::Enforced(proven(0, Standing::BreakGlass)));
    assert_eq!((world.last(), &world.reports[0].approval), (&OutcomeKind::Committed, &eve));
    let order = order(&world.host, 2, &[("web", 121)]);
    let approval = Approval::Enforced(proven(1, Standing::BreakGlass));
    world.send(Event::OrderReceived { order, approval });
    world.until(ApplyPhase::AwaitingConfirm);
    world.crash("boot-1");
    world.settle();
    assert!(matches!(world.last(), OutcomeKind::RolledBack { .. }));
    assert_eq!(world.reports.last().unwrap().approval, eve);
}

#[test]
fn an_order_that_needs_no_step_says_how_it_was_approved() {
    let mut world = World::new();
    send(&mut world, 1, 120, Approval::Enforced(proven(0, Standing::Approved)));
    send(&mut world, 2, 120, Approval::Warned(lacking()));
    let last = world.reports.last().unwrap();
    assert_eq!((&last.kind, last.steps_run, last.approval.is_some()), (&OutcomeKind::Committed, 0, true));
}

#[test]
fn another_hosts_order_is_refused_however_well_it_is_approved() {
    let mut world = World::new();
    let mut wrong = order(&world.host, 1, &[("web", 120)]);
    wrong.host = HostId::new("esx2").unwrap();
    let approval = Approval::Enforced(proven(0, Standing::Approved));
    world.send(Event::OrderReceived { order: wrong, approval });
    world.settle();
    assert_eq!(world.last(), &OutcomeKind::Refused(RefusalReason::WrongHost));
}

#[test]
fn many_refusals_do_not_fill_the_journal() {
    let mut world = World::new();
    for generation in 1..=u64::from(UNPROVEN_RECORDS_MAX) + 20 {
        for _ in 0..3 {
            send(&mut world, generation, 120, Approval::Enforced(lacking()));
        }
    }
    assert_eq!(world.journal.len(), usize::try_from(UNPROVEN_RECORDS_MAX).unwrap());
    assert_eq!(
        world.reports.len(),
        3 * (usize::try_from(UNPROVEN_RECORDS_MAX).unwrap() + 20),
        "all are answered"
    );
    send(&mut world, 100, 120, Approval::Enforced(proven(0, Standing::Approved)));
    let records = world.journal.len();
    send(&mut world, 101, 121, Approval::Enforced(lacking()));
    assert_eq!(world.journal.len(), records + 1, "written down again after an order was taken");
}

#[test]
fn bytes_that_were_not_signed_are_answered_and_written_down() {
    let mut world = World::new();
    let unproven = Unproven { kind: UnprovenKind::CoordinatorSignature, detail: "wrong".to_owned() };
    let error = UnreadableOrder::unproven(br#"{"change":"c1","generation":4,"x":[]}"#, unproven.clone());
    let outcome = error.refusal().unwrap();
    assert_eq!((outcome.change.as_str(), outcome.generation), ("c1", Generation(4)));
    assert_eq!(outcome.kind, OutcomeKind::Refused(RefusalReason::Unproven(unproven.clone())));
    let effects = world.machine.note_refusal(&outcome, Wall(5));
    assert!(matches!(effects.as_slice(), [Effect::Note(Record::Refused { at: Wall(5), .. })]));
    assert!(world.machine.note_refusal(&outcome, Wall(6)).is_empty(), "once in a row");
    assert_eq!(UnreadableOrder::unproven(b"{", unproven).refusal(), None);
}

//! A commit is told once it is saved and on record; a way back is saved too, and what cannot be saved is told.

use super::*;

fn confirmed() -> World {
    let mut world = World::new();
    world.send(Event::order(order(&world.host, 1, &[("web", 120)])));
    world.until(ApplyPhase::Saving);
    world
}

/// Until this effect is next.
fn until_next(world: &mut World, wanted: fn(&Effect) -> bool) {
    for _ in 0..200 {
        if world.pending.front().is_some_and(wanted) {
            return;
        }
        assert!(world.perform());
    }
    panic!("never asked for");
}

#[test]
fn a_power_cut_before_the_saving_brings_the_old_state_back_and_that_is_told() {
    let mut world = confirmed();
    assert!(world.reports.is_empty());
    world.crash("b2");
    assert_eq!(world.machine.phase(), ApplyPhase::Saving);
    world.settle();
    let OutcomeKind::RolledBack { reason } = world.last() else { panic!("{:?}", world.last()) };
    assert!(reason.contains("restarted before"), "{reason}");
    assert!(world.groups().is_empty() && world.machine.memory().committed.is_none());
}

#[test]
fn a_power_cut_after_the_saving_leaves_a_commit_and_that_is_told() {
    let mut world = confirmed();
    until_next(&mut world, |effect| matches!(effect, Effect::Journal(Record::Closed(_))));
    world.crash("b2");
    world.unreadable = 10;
    world.settle();
    assert_eq!(world.last(), &OutcomeKind::Committed);
    assert_eq!((world.groups().len(), world.reports.len()), (1, 1));
}

#[test]
fn a_restart_of_the_agent_goes_on_saving_what_was_confirmed() {
    let mut world = confirmed();
    world.crash("b1");
    world.settle();
    assert_eq!(world.last(), &OutcomeKind::Committed);
    assert_eq!((world.persisted, world.groups().len()), (1, 1));
    world.crash("b2");
    world.settle();
    assert_eq!(world.groups().len(), 1);
}

#[test]
fn a_confirmed_change_that_is_half_there_after_a_restart_goes_back() {
    let mut world = confirmed();
    world.crash("b1");
    project(&mut world.host, &Operation::PortGroupVlanSet { port_group: name("web"), vlan: vlan(7) })
        .unwrap();
    world.settle();
    let OutcomeKind::RolledBack { reason } = world.last() else { panic!("{:?}", world.last()) };
    assert!(reason.contains("not in force"), "{reason}");
    assert!(world.groups().is_empty());
    assert_eq!(world.saved, world.host);
}

#[test]
fn what_cannot_be_saved_is_no_commit() {
    let mut world = confirmed();
    world.save_fails = SAVE_ATTEMPTS_MAX - 1;
    world.settle();
    assert_eq!(world.last(), &OutcomeKind::Committed);

    let mut world = confirmed();
    world.save_fails = SAVE_ATTEMPTS_MAX;
    world.settle();
    let OutcomeKind::RolledBack { reason } = world.last() else { panic!("{:?}", world.last()) };
    assert!(reason.contains("cannot be saved: exit status 1"), "{reason}");
    assert!(world.groups().is_empty());
}

#[test]
fn a_way_back_that_cannot_be_saved_is_told_as_unverified_and_saved_later() {
    let mut world = World::new();
    world.confirm = None;
    world.save_fails = SAVE_ATTEMPTS_MAX;
    world.order(order(&world.host, 1, &[("web", 120)]));
    let OutcomeKind::RolledBackUnverified { differences, .. } = world.last() else {
        panic!("{:?}", world.last())
    };
    assert_eq!(differences[0].field, "saved configuration");
    assert!(world.machine.memory().persist_due);
    world.crash("b1");
    world.settle();
    assert_eq!(world.persisted, 1);
    assert!(!world.machine.memory().persist_due);
}

#[test]
fn what_the_host_saved_by_itself_inside_the_window_does_not_survive_the_way_back() {
    for effects in 0..14 {
        let mut world = World::new();
        world.confirm = None;
        world.send(Event::order(order(&world.host, 1, &[("web", 120), ("db", 130)])));
        world.until(ApplyPhase::Applying);
        for _ in 0..effects {
            world.perform();
        }
        world.saved = world.host.clone();
        for boot_id in ["b1", "b2", "b3"] {
            let mut world = World { machine: world.machine.clone(), ..clone_of(&world) };
            if boot_id != "b1" {
                world.crash(boot_id);
            }
            world.settle();
            assert!(matches!(world.last(), OutcomeKind::RolledBack { .. }), "{effects}: {:?}", world.last());
            assert!(world.groups().is_empty(), "{effects}: {:?}", world.groups());
            assert_eq!(world.saved.port_groups, world.host.port_groups, "{effects}");
        }
    }
}

fn clone_of(world: &World) -> World {
    World {
        host: world.host.clone(),
        saved: world.saved.clone(),
        journal: world.journal.clone(),
        pending: world.pending.clone(),
        now: world.now,
        confirm: world.confirm.clone(),
        ..World::new()
    }
}

//! The process dies after every single effect; the host ends as it was, or committed, never between.

use super::*;

/// Runs a change, kills the process after `effects` effects, restarts, and settles.
fn crash_after(effects: usize, boot_id: &str) -> Option<World> {
    let mut world = World::new();
    world.send(Event::order(order(&world.host, 1, &[("web", 120), ("db", 130)])));
    for _ in 0..effects {
        if !world.perform() {
            return None;
        }
    }
    world.crash(boot_id);
    world.settle();
    Some(world)
}

#[test]
fn a_crash_at_any_effect_leads_to_the_old_or_the_new_state() {
    let mut points = 0;
    let mut committed = 0;
    for boot_id in ["b1", "b2"] {
        for effects in 0.. {
            let Some(world) = crash_after(effects, boot_id) else { break };
            points += 1;
            let opened = world.journal.iter().any(|record| matches!(record, Record::Opened(_)));
            let done = world.machine.memory().committed.is_some();
            committed += u32::from(done);
            let groups = world.groups().len();
            assert_eq!(groups, if done { 2 } else { 0 }, "crash after {effects}");
            assert_eq!(world.machine.phase(), ApplyPhase::Idle);
            let closed = world.journal.iter().filter(|record| matches!(record, Record::Closed(_))).count();
            assert_eq!(closed, usize::from(opened), "crash after {effects}");
            assert_eq!(world.rejected, 0);
        }
    }
    assert!(points > 40, "{points}");
    assert!(committed >= 2);
}

#[test]
fn a_crash_inside_a_step_is_settled_by_reading() {
    for had_effect in [false, true] {
        let mut world = World::new();
        world.send(Event::order(order(&world.host, 1, &[("web", 120)])));
        world.until(ApplyPhase::Applying);
        while !matches!(world.pending.front(), Some(Effect::RunStep { .. })) {
            assert!(world.perform());
        }
        if had_effect {
            let Some(Effect::RunStep { operation, .. }) = world.pending.pop_front() else { panic!() };
            project(&mut world.host, &operation).unwrap();
        }
        world.crash("b1");
        world.settle();
        assert!(matches!(world.last(), OutcomeKind::RolledBack { .. }));
        assert!(world.groups().is_empty());
    }
}

#[test]
fn a_host_that_is_still_booting_is_waited_for() {
    let mut world = World::new();
    world.send(Event::order(order(&world.host, 1, &[("web", 120)])));
    world.until(ApplyPhase::AwaitingConfirm);
    world.crash("b2");
    world.unreadable = 20;
    world.settle();
    let OutcomeKind::RolledBack { reason } = world.last() else { panic!("{:?}", world.last()) };
    assert!(reason.contains("host was restarted"), "{reason}");
    assert!(world.groups().is_empty());
}

#[test]
fn a_second_crash_inside_the_way_back_still_ends_it() {
    for effects in 0..12 {
        let mut world = World::new();
        world.send(Event::order(order(&world.host, 1, &[("web", 120), ("db", 130)])));
        world.until(ApplyPhase::AwaitingConfirm);
        world.crash("b1");
        for _ in 0..effects {
            world.perform();
        }
        world.crash("b1");
        world.settle();
        assert!(world.groups().is_empty(), "{effects}");
        assert!(world.machine.memory().committed.is_none());
    }
}

#[test]
fn records_that_make_no_sense_are_refused() {
    let mut replay = Replay::default();
    assert!(replay.take(Record::StepStarted { index: 0 }).is_err());
    let mut world = World::new();
    world.send(Event::order(order(&world.host, 1, &[("web", 120)])));
    world.until(ApplyPhase::AwaitingConfirm);
    let opened = world.journal[0].clone();
    replay.take(opened).unwrap();
    assert!(replay.take(Record::StepStarted { index: 99 }).is_err());
}

#[test]
fn records_survive_json() {
    let mut world = World::new();
    world.order(order(&world.host, 1, &[("web", 120)]));
    for record in &world.journal {
        let json = serde_json::to_vec(record).unwrap();
        assert_eq!(&serde_json::from_slice::<Record>(&json).unwrap(), record);
    }
}

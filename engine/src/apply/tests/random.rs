//! Laws over random runs: faults, crashes, strays and time in any order.

use super::*;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Chance {
    Perform(u8),
    Wait(u32),
    Order { generation: u64, vlan: u16 },
    Fault { says_failed: bool, works: bool },
    Unreadable(u8),
    Disk(bool),
    Coordinator(u8),
    Stray(u8),
    Cancel(u64),
    Extend(u64),
    Undo,
    OldConnection(u64),
    Silent(u8),
    SaveFails(u8),
    HourlyBackup,
    Crash { reboot: bool },
}

fn chance() -> impl Strategy<Value = Chance> {
    prop_oneof![
        8 => (1u8..12).prop_map(Chance::Perform),
        2 => (1u32..90_000).prop_map(Chance::Wait),
        3 => (1u64..5, 100u16..103).prop_map(|(generation, vlan)| Chance::Order { generation, vlan }),
        2 => (any::<bool>(), any::<bool>()).prop_map(|(says_failed, works)| Chance::Fault { says_failed, works }),
        1 => (1u8..4).prop_map(Chance::Unreadable),
        1 => any::<bool>().prop_map(Chance::Disk),
        1 => (0u8..3).prop_map(Chance::Coordinator),
        2 => (0u8..6).prop_map(Chance::Stray),
        1 => (1u64..5).prop_map(Chance::Cancel),
        1 => (1u64..5).prop_map(Chance::Extend),
        1 => Just(Chance::Undo),
        1 => (0u64..40).prop_map(Chance::OldConnection),
        1 => (1u8..4).prop_map(Chance::Silent),
        1 => (1u8..8).prop_map(Chance::SaveFails),
        1 => Just(Chance::HourlyBackup),
        1 => any::<bool>().prop_map(|reboot| Chance::Crash { reboot }),
    ]
}

/// Watches what the machine asks for and holds it against the laws.
struct Law {
    world: World,
    verified: bool,
    confirmed: bool,
    boots: u32,
}

impl Law {
    fn perform(&mut self) -> bool {
        let Some(next) = self.world.pending.front().cloned() else { return false };
        match &next {
            Effect::Journal(Record::Opened(_)) => (self.verified, self.confirmed) = (false, false),
            Effect::Journal(Record::Applied { .. }) => self.verified = true,
            Effect::TryConfirm { .. } => {
                assert!(self.verified, "asks before it has verified");
                let due = self.world.machine.state().open().map(|open| open.deadline.uptime);
                let in_time = due.is_some_and(|due| Uptime(self.world.now + 10) < due);
                self.confirmed = in_time && self.world.confirm == Some(ConfirmVerdict::Confirmed);
            }
            Effect::Journal(Record::Closed(closing))
                if closing.outcome.kind == OutcomeKind::Committed && closing.outcome.steps_run > 0 =>
            {
                assert!(self.verified && self.confirmed, "commits without proof");
            }
            Effect::RunStep { .. } => {
                let last = self
                    .world
                    .journal
                    .iter()
                    .rev()
                    .find(|r| !matches!(r, Record::Persisted | Record::Extended { .. }));
                assert!(matches!(last, Some(Record::StepStarted { .. })), "runs what is not recorded");
            }
            Effect::Persist => {
                let State::Saving(at) = self.world.machine.state() else { return self.world.perform() };
                let proven = at.kind != OutcomeKind::Committed || self.verified && self.confirmed;
                assert!(proven, "saves unconfirmed");
            }
            _ => {}
        }
        self.world.perform()
    }

    fn take(&mut self, chance: Chance) {
        let world = &mut self.world;
        match chance {
            Chance::Perform(times) => {
                for _ in 0..times {
                    self.perform();
                }
            }
            Chance::Wait(ms) => {
                world.now += u64::from(ms);
                if world.machine.next_deadline().is_some_and(|due| due.0 <= world.now) {
                    world.send(Event::Tick);
                }
            }
            Chance::Order { generation, vlan } => {
                let order = order(&world.host, generation, &[("web", vlan), ("db", vlan + 10)]);
                world.send(Event::order(order));
            }
            Chance::Fault { says_failed, works } => {
                let said = if says_failed {
                    StepResult::Failed { detail: "fault".to_owned() }
                } else {
                    StepResult::AlreadySo { detail: "fault".to_owned() }
                };
                world.step_faults.push((said, works));
            }
            Chance::Unreadable(times) => world.unreadable = u32::from(times),
            Chance::Disk(full) => world.journal_fails = full,
            Chance::Coordinator(0) => world.confirm = None,
            Chance::Coordinator(1) => {
                world.confirm = Some(ConfirmVerdict::Withdrawn { reason: "chance".to_owned() });
            }
            Chance::Coordinator(_) => world.confirm = Some(ConfirmVerdict::Confirmed),
            Chance::Stray(which) => world.send(stray(which)),
            Chance::Cancel(generation) => {
                let change = ChangeId::new(format!("change-{generation}")).unwrap();
                world.send(Event::CancelRequested { change, reason: "chance".to_owned() });
            }
            Chance::Extend(generation) => {
                let change = ChangeId::new(format!("change-{generation}")).unwrap();
                world.send(Event::ExtendRequested { change, window: Millis::from_secs(120) });
            }
            Chance::Undo => {
                let opened = world.journal.iter().rev().find_map(|record| match record {
                    Record::Opened(transaction) => Some(transaction.clone()),
                    _ => None,
                });
                if let Some(transaction) = opened {
                    world.send(Event::UndoRequested { transaction, reason: "console".to_owned() });
                }
            }
            Chance::OldConnection(age) => world.connection_age = age,
            Chance::Silent(times) => world.silent = u32::from(times),
            Chance::SaveFails(times) => world.save_fails = u32::from(times),
            Chance::HourlyBackup => world.saved = world.host.clone(),
            Chance::Crash { reboot } => {
                self.boots += u32::from(reboot);
                let boot_id = format!("b{}", self.boots);
                self.world.crash(&boot_id);
            }
        }
    }
}

fn stray(which: u8) -> Event {
    match which {
        0 => Event::StepDone { index: 9_999, result: StepResult::Done },
        1 => Event::InverseDone { position: 9_999, result: StepResult::Done },
        2 => Event::Observed(Seen { token: 999_999, result: Err("stray".to_owned()), calls: 0 }),
        3 => Event::ConfirmUnavailable { change: ChangeId::new("stray").unwrap(), detail: String::new() },
        4 => Event::ConfirmAnswered {
            change: ChangeId::new("stray").unwrap(),
            generation: Generation(1),
            connected_at: Uptime(u64::MAX),
            verdict: ConfirmVerdict::Confirmed,
        },
        _ => Event::Tick,
    }
}

/// Transactions in a journal, and how often each was closed.
fn closings(journal: &[Record]) -> Vec<u32> {
    let mut counts = Vec::new();
    let mut open = false;
    for record in journal {
        match record {
            Record::Opened(_) | Record::Undoing { .. } => {
                counts.push(0);
                open = true;
            }
            Record::Closed(_) if open => {
                open = false;
                *counts.last_mut().unwrap() += 1;
            }
            _ => {}
        }
    }
    counts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_host_ends_as_before_or_as_committed(
        chances in proptest::collection::vec(chance(), 1..60)
    ) {
        let mut law = Law { world: World::new(), verified: false, confirmed: false, boots: 1 };
        for chance in chances {
            law.take(chance);
        }
        // Faults stop: everything comes to rest.
        law.world.journal_fails = false;
        law.world.step_faults.clear();
        law.world.unreadable = 0;
        law.world.connection_age = 0;
        law.world.silent = 0;
        law.world.save_fails = 0;
        for _ in 0..20_000 {
            if law.perform() {
                continue;
            }
            let Some(due) = law.world.machine.next_deadline() else { break };
            law.world.now = law.world.now.max(due.0);
            law.world.send(Event::Tick);
        }
        let world = &law.world;
        prop_assert_eq!(world.machine.phase(), ApplyPhase::Idle);
        let counts = closings(&world.journal);
        prop_assert!(counts.iter().all(|count| *count == 1), "{:?}", counts);

        // A report may die with the process, its record does not.
        let recorded = world.journal.iter().filter_map(|record| match record {
            Record::Closed(closing) => Some(&closing.outcome),
            _ => None,
        });
        let gave_up = world.reports.iter().chain(recorded).any(|outcome| {
            matches!(outcome.kind, OutcomeKind::FailedMixed { .. } | OutcomeKind::RolledBackUnverified { .. })
        });
        if !gave_up {
            let wanted = match &world.machine.memory().committed {
                None => Vec::new(),
                Some(committed) => committed
                    .desired
                    .port_groups
                    .iter()
                    .map(|(name, group)| (name.to_string(), group.present().unwrap().vlan.unwrap().number()))
                    .collect(),
            };
            prop_assert_eq!(world.groups(), wanted);
            prop_assert_eq!(&world.saved.port_groups, &world.host.port_groups);
        }
    }

    #[test]
    fn without_a_word_from_the_coordinator_the_deadline_always_leads_back(
        faults in proptest::collection::vec((any::<bool>(), any::<bool>()), 0..4),
        timeout in 30u64..600,
    ) {
        let mut world = World::new();
        world.confirm = None;
        for (fails, works) in faults {
            // A call that says done and does nothing, twice, cannot be told from a foreign change.
            let works = works || !fails;
            let said = if fails { StepResult::Failed { detail: "fault".to_owned() } } else { StepResult::Done };
            world.step_faults.push((said, works));
        }
        let mut order = order(&world.host, 1, &[("web", 120), ("db", 130)]);
        order.confirm_timeout = Millis::from_secs(timeout);
        world.order(order);
        prop_assert_eq!(world.reports.len(), 1);
        prop_assert_eq!(world.last().as_str(), "rolled_back");
        prop_assert!(world.groups().is_empty());
        prop_assert!(world.now <= timeout * 1_000 + 10_000);
    }
}

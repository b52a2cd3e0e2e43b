//! Power failures at every effect: what was acknowledged stays, nothing else appears.

use super::disk::{Dice, MemoryDisk};
use super::*;
use proptest::prelude::*;

/// What the event loop might do next.
#[derive(Debug, Clone)]
enum Act {
    /// Append a record that makes sense; `pick` says which, `padding` how long it is.
    Append { pick: u8, padding: usize },
    /// Write the state file, when no change is open.
    Checkpoint,
    /// After so many more effects the power fails; `seed` says what survives.
    PowerFails { effects: u32, seed: u64 },
}

fn act() -> impl Strategy<Value = Act> {
    let padding = prop_oneof![4 => 0usize..3_000, 1 => 30_000usize..60_000];
    prop_oneof![
        6 => (any::<u8>(), padding).prop_map(|(pick, padding)| Act::Append { pick, padding }),
        2 => Just(Act::Checkpoint),
        2 => (1u32..14, any::<u64>()).prop_map(|(effects, seed)| Act::PowerFails { effects, seed }),
    ]
}

/// A record that may follow.
fn next(replay: &Replay, pick: u8, padding: usize, number: u64) -> Record {
    let Some(open) = &replay.open else {
        return match pick % 5 {
            0 if replay.memory.persist_due => Record::Persisted,
            1 => closed(number, End::Refused),
            _ => opened(number, padding),
        };
    };
    let generation = open.order().generation.0;
    match pick % 8 {
        0 | 1 => Record::StepStarted { index: u32::from(pick % 2) },
        2 | 3 => Record::StepEnded { index: u32::from(pick % 2), result: StepResult::Done },
        4 => Record::Applied { deadline: open.deadline },
        5 => Record::RollbackStarted { reason: "r".repeat(padding) },
        6 => closed(generation, End::RolledBack),
        _ => closed(generation, End::Committed),
    }
}

fn with(replay: &Replay, record: Record) -> Replay {
    let mut replay = replay.clone();
    replay.take(record).unwrap();
    replay
}

/// The world: the disk, the journal on it, and what was acknowledged.
struct World {
    journal: Journal<MemoryDisk>,
    acknowledged: Replay,
    seed: u64,
    number: u64,
}

impl World {
    /// The power fails when an effect says so; true when it did.
    fn failed(&self) -> bool {
        self.journal.disk.power == Some(0)
    }

    /// Opens what is left, as often as it takes: the power may fail again while it is opened.
    fn restart(mut self, in_flight: Option<Record>) -> Self {
        let mut disk = self.journal.into_disk();
        let mut dice = Dice::new(self.seed);
        for left in [self.seed % 13, 0] {
            disk.restart(&mut dice);
            disk.power = u32::try_from(left).ok().filter(|left| *left > 0);
            let (journal, _) = Journal::open(disk, &boot());
            disk = journal.into_disk();
        }
        disk.restart(&mut dice);
        let (journal, opened) = Journal::open(disk, &boot());
        assert_eq!(opened.health, JournalHealth::Sound, "{:?}", opened.notes);
        let more = in_flight.map(|record| with(&self.acknowledged, record));
        assert!(
            opened.replay == self.acknowledged || Some(&opened.replay) == more.as_ref(),
            "found {:?}\nacknowledged {:?}",
            opened.replay,
            self.acknowledged
        );
        self.acknowledged = opened.replay;
        self.journal = journal;
        self
    }

    fn perform(mut self, act: Act) -> Self {
        match act {
            Act::PowerFails { effects, seed } => {
                self.journal.disk.power = Some(effects);
                self.seed = seed;
                self
            }
            Act::Checkpoint if self.acknowledged.open.is_some() => self,
            Act::Checkpoint => {
                let memory = self.acknowledged.memory.clone();
                let result = self.journal.checkpoint(&memory);
                if self.failed() {
                    return self.restart(None);
                }
                result.unwrap();
                self
            }
            Act::Append { pick, padding } => {
                self.number += 1;
                let record = next(&self.acknowledged, pick, padding, self.number);
                let result = self.journal.append(&record);
                if self.failed() {
                    return match result {
                        Err(_) => self.restart(Some(record)),
                        Ok(()) => {
                            self.acknowledged = with(&self.acknowledged, record);
                            self.restart(None)
                        }
                    };
                }
                match result {
                    Ok(()) => self.acknowledged = with(&self.acknowledged, record),
                    Err(JournalError::Full) => {}
                    Err(error) => panic!("{error}"),
                }
                self
            }
        }
    }
}

/// A journal of `count` records, and where each begins.
fn several(count: u64) -> (MemoryDisk, Vec<usize>) {
    let (mut journal, _) = Journal::open(MemoryDisk::default(), &boot());
    let mut starts = Vec::new();
    for number in 1..=count {
        starts.push(usize::try_from(journal.length).unwrap());
        let record = if number % 2 == 1 {
            opened(number, usize::try_from(number).unwrap() * 300)
        } else {
            closed(number - 1, End::Committed)
        };
        journal.append(&record).unwrap();
    }
    (journal.into_disk(), starts)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_acknowledged_survives_every_power_failure(acts in prop::collection::vec(act(), 1..40)) {
        let (journal, _) = Journal::open(MemoryDisk::default(), &boot());
        let mut world = World { journal, acknowledged: Replay::default(), seed: 7, number: 0 };
        for act in acts {
            world = world.perform(act);
        }
        world.journal.disk.power = None;
        let world = world.restart(None);
        let numbers: Vec<u64> =
            world.journal.into_disk_history().entries.iter().map(|entry| entry.sequence).collect();
        prop_assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    }

    #[test]
    fn garbage_before_a_good_record_is_damage(
        count in 2u64..7, place in any::<prop::sample::Index>(),
        garbage in prop::collection::vec(any::<u8>(), 1..40), inserted in any::<bool>(),
    ) {
        let (mut disk, starts) = several(count);
        let mut bytes = disk.bytes(JOURNAL_FILE).unwrap();
        let last = *starts.last().unwrap();
        let at = place.index(last);
        let before = bytes.clone();
        if inserted {
            bytes.splice(at..at, garbage);
        } else {
            let end = last.min(at + garbage.len());
            bytes[at..end].copy_from_slice(&garbage[..end - at]);
        }
        prop_assume!(bytes != before);
        disk.put(JOURNAL_FILE, &bytes);
        let (journal, opened) = Journal::open(disk, &boot());
        prop_assert!(matches!(opened.health, JournalHealth::Damaged { .. }), "at {}", at);
        prop_assert_eq!(opened.replay, Replay::default());
        prop_assert_eq!(journal.into_disk().bytes(JOURNAL_FILE).unwrap(), bytes);
    }
}

impl Journal<MemoryDisk> {
    fn into_disk_history(mut self) -> History {
        self.history()
    }
}

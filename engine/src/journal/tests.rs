//! Tests of the journal: each rule in a table, and power failures at random.

mod crash;
mod disk;
mod health;
mod history;
mod versions;

use super::*;
use crate::apply::{Closing, Committed, ContentHash, StepResult, Transaction};
use disk::MemoryDisk;
use model::{ApplyOutcome, ChangeId, Generation, OutcomeKind, RefusalReason};

pub(super) const V1_OPEN: &[u8] = include_bytes!("fixtures/v1-open/journal.log");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Committed,
    RolledBack,
    Refused,
}

pub(super) fn boot() -> BootId {
    BootId("boot-1".to_owned())
}

fn change(number: u64) -> ChangeId {
    ChangeId::new(format!("change-{number}")).unwrap()
}

/// The recorded transaction under another number, and longer.
pub(super) fn transaction(number: u64, padding: usize) -> Transaction {
    let entry = frame::scan(V1_OPEN).links.remove(0).entry;
    let Record::Opened(mut transaction) = entry.record else { panic!("not the recorded change") };
    transaction.order.change = change(number);
    transaction.order.generation = Generation(number);
    transaction.order.commit = "c".repeat(padding);
    *transaction
}

pub(super) fn opened(number: u64, padding: usize) -> Record {
    Record::Opened(Box::new(transaction(number, padding)))
}

pub(super) fn closed(number: u64, end: End) -> Record {
    let kind = match end {
        End::Committed => OutcomeKind::Committed,
        End::RolledBack => OutcomeKind::RolledBack { reason: "test".to_owned() },
        End::Refused => OutcomeKind::Refused(RefusalReason::WrongHost),
    };
    let outcome = ApplyOutcome {
        change: change(number),
        generation: Generation(number),
        kind,
        steps_run: 1,
        esxcli_calls: 2,
        approval: None,
    };
    let committed = (end == End::Committed)
        .then(|| Committed { generation: Generation(number), desired: transaction(number, 0).order.desired });
    let persist_due = committed.is_some();
    let content = ContentHash("abc".into());
    Record::Closed(Box::new(Closing { content, outcome, committed, persist_due, undone: false }))
}

pub(super) fn held(replay: &Replay) -> u64 {
    replay.memory.held.as_ref().map_or(0, |held| held.outcome.generation.0)
}

pub(super) fn damage(opened: &Opened) -> &str {
    match &opened.health {
        JournalHealth::Damaged { detail } => detail,
        JournalHealth::Sound => panic!("sound: {opened:?}"),
    }
}

/// A disk with so many refused orders.
pub(super) fn written(count: u64) -> MemoryDisk {
    let (mut journal, opened) = Journal::open(MemoryDisk::default(), &boot());
    assert_eq!(opened.health, JournalHealth::Sound);
    for number in 1..=count {
        journal.append(&closed(number, End::Refused)).unwrap();
    }
    journal.into_disk()
}

pub(super) fn reopen(disk: MemoryDisk) -> (Journal<MemoryDisk>, Opened) {
    Journal::open(disk, &boot())
}

#[test]
fn what_was_appended_is_read_again() {
    let (mut journal, opened) = reopen(written(3));
    assert_eq!(held(&opened.replay), 3);
    journal.append(&closed(4, End::Refused)).unwrap();
    assert_eq!(held(&Journal::inspect(&mut journal.into_disk()).unwrap()), 4);
}

#[test]
fn a_torn_tail_is_dropped_at_every_length() {
    let whole = written(2).bytes(JOURNAL_FILE).unwrap();
    let first = written(1).bytes(JOURNAL_FILE).unwrap().len();
    for cut in first..whole.len() {
        let mut disk = written(2);
        disk.put(JOURNAL_FILE, &whole[..cut]);
        let (mut journal, opened) = reopen(disk);
        assert_eq!((&opened.health, held(&opened.replay)), (&JournalHealth::Sound, 1), "{cut}");
        assert_eq!(opened.notes.len(), usize::from(cut > first), "{cut}");
        journal.append(&closed(9, End::Refused)).unwrap();
        assert_eq!(held(&Journal::inspect(&mut journal.into_disk()).unwrap()), 9, "{cut}");
    }
}

#[test]
fn a_checkpoint_keeps_the_memory_and_counts_records_once() {
    let (mut journal, opened) = reopen(written(3));
    journal.checkpoint(&opened.replay.memory).unwrap();
    let (mut journal, opened) = reopen(journal.into_disk());
    assert_eq!((opened.health, held(&opened.replay)), (JournalHealth::Sound, 3));
    journal.append(&closed(4, End::Refused)).unwrap();
    // The state wins over the records that it includes.
    let mut disk = journal.into_disk();
    let memory = Memory::default();
    let last = frame::scan(&disk.bytes(JOURNAL_FILE).unwrap()).links[2].hash.clone();
    StateFile::new(3, Some(last), 0, memory).write(&mut disk).unwrap();
    let (mut journal, opened) = reopen(disk);
    assert_eq!((opened.health, held(&opened.replay)), (JournalHealth::Sound, 4));
    journal.append(&closed(5, End::Refused)).unwrap();
    assert_eq!(held(&Journal::inspect(&mut journal.into_disk()).unwrap()), 5);
}

#[test]
fn a_change_that_is_too_large_leaves_no_trace() {
    let disk = written(1);
    let before = disk.bytes(JOURNAL_FILE).unwrap();
    let (mut journal, _) = reopen(disk);
    let large = usize::try_from(JOURNAL_BYTES_MAX - CLOSING_BYTES).unwrap();
    assert!(matches!(journal.append(&opened(2, large)), Err(JournalError::Full)));
    assert_eq!(journal.disk.bytes(JOURNAL_FILE).unwrap(), before);
    journal.append(&opened(2, large - 10_000)).unwrap();
    let reason = "r".repeat(usize::try_from(CLOSING_BYTES).unwrap() - 10_000);
    journal.append(&Record::RollbackStarted { reason }).unwrap();
}

//! The ring of old journals, and journals that became history at a bad time.

use super::*;

/// Padding that makes one change enough for a journal to become history.
fn large() -> usize {
    usize::try_from(ROTATE_BYTES).unwrap()
}

fn run(journal: &mut Journal<MemoryDisk>, memory: &mut Replay, number: u64, end: End) {
    for record in [opened(number, large()), closed(number, end)] {
        journal.append(&record).unwrap();
        memory.take(record).unwrap();
    }
    journal.checkpoint(&memory.memory).unwrap();
}

fn ran(ends: &[End]) -> (Journal<MemoryDisk>, Replay) {
    let (mut journal, _) = reopen(MemoryDisk::default());
    let mut replay = Replay::default();
    for (number, end) in (1..).zip(ends) {
        run(&mut journal, &mut replay, number, *end);
    }
    (journal, replay)
}

#[test]
fn finished_changes_are_kept_in_order_and_no_more_than_fit() {
    let (mut journal, replay) = ran(&[End::Committed; 11]);
    journal.append(&Record::Persisted).unwrap();
    let history = journal.history();
    let numbers: Vec<u64> = history.entries.iter().map(|entry| entry.sequence).collect();
    assert_eq!(numbers, (7..=23).collect::<Vec<u64>>(), "eight old journals and the present one");
    assert_eq!(history.notes, Vec::<String>::new());
    assert_eq!(history.last_committed().unwrap().order.change, change(11));
    let (_, found) = reopen(journal.into_disk());
    assert_eq!((found.health, held(&found.replay)), (JournalHealth::Sound, held(&replay)));
}

#[test]
fn damaged_history_is_skipped_and_never_blocks() {
    let (journal, _) = ran(&[End::Committed; 3]);
    let mut disk = journal.into_disk();
    let mut bytes = disk.bytes("history.1").unwrap();
    bytes[20] ^= 1;
    disk.put("history.1", &bytes);
    disk.put("history.3", b"not a journal");
    disk.fails = vec![("read", "history.0".to_owned())];
    let (mut journal, found) = reopen(disk);
    assert_eq!(found.health, JournalHealth::Sound);
    let history = journal.history();
    assert_eq!(history.entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [5, 6]);
    assert_eq!(history.notes.len(), 3, "{:?}", history.notes);
    run(&mut journal, &mut Replay::default(), 4, End::Committed);
}

#[test]
fn the_last_committed_change_is_the_one_that_can_be_undone() {
    use End::{Committed, Refused, RolledBack};
    let last = |ends: &[End]| {
        let (mut journal, _) = ran(ends);
        journal.history().last_committed().map(|transaction| transaction.order.generation.0)
    };
    assert_eq!(last(&[]), None);
    assert_eq!(last(&[RolledBack]), None);
    assert_eq!(last(&[Committed, RolledBack]), Some(1));
    assert_eq!(last(&[Committed, Committed, Refused]), Some(2));
    let (mut journal, mut replay) = ran(&[Committed]);
    run(&mut journal, &mut replay, 1, RolledBack);
    assert_eq!(journal.history().last_committed(), None, "undone once");
}

#[test]
fn a_crash_before_the_journal_becomes_history_counts_its_records_once() {
    let (mut journal, _) = reopen(MemoryDisk::default());
    let mut replay = Replay::default();
    for record in [opened(1, large()), closed(1, End::Committed)] {
        journal.append(&record).unwrap();
        replay.take(record).unwrap();
    }
    journal.disk.fails = vec![("rename", JOURNAL_FILE.to_owned())];
    assert!(journal.checkpoint(&replay.memory).is_err());
    journal.disk.fails.clear();
    let (mut journal, found) = reopen(journal.into_disk());
    assert_eq!((&found.health, &found.replay), (&JournalHealth::Sound, &replay));
    run(&mut journal, &mut replay, 2, End::Committed);
    assert_eq!(journal.disk.bytes(JOURNAL_FILE).unwrap().len(), 0);
    let (mut journal, found) = reopen(journal.into_disk());
    assert_eq!((&found.health, &found.replay), (&JournalHealth::Sound, &replay));
    assert_eq!(journal.history().entries.len(), 4);
}

#[test]
fn history_replaces_a_state_file_that_was_lost() {
    let (journal, _) = ran(&[End::Committed]);
    let old = journal.disk.bytes(state_file::STATE_FILE).unwrap();
    let (mut journal, found) = reopen(journal.into_disk());
    let mut replay = found.replay;
    for number in 2..=4 {
        run(&mut journal, &mut replay, number, End::Committed);
    }
    journal.append(&Record::Persisted).unwrap();
    replay.take(Record::Persisted).unwrap();
    let mut disk = journal.into_disk();
    for state in [Some(old), None] {
        match state {
            Some(bytes) => disk.put(state_file::STATE_FILE, &bytes),
            None => disk.take(state_file::STATE_FILE),
        }
        let (_, found) = reopen(disk.clone());
        assert_eq!((&found.health, &found.replay), (&JournalHealth::Sound, &replay));
        assert!(found.notes.len() >= 3, "{:?}", found.notes);
    }
}

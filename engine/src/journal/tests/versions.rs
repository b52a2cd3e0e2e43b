//! Journals as version 1 wrote them, and what later versions may write.

use super::*;
use crate::apply::Mark;

const V1_CLOSED: &[u8] = include_bytes!("../fixtures/v1-closed/journal.log");
const V1_STATE: &[u8] = include_bytes!("../fixtures/v1-closed/state.json");

#[test]
fn the_checksum_is_the_usual_one() {
    assert_eq!(frame::crc32(b"123456789"), 0xCBF4_3926);
}

#[test]
fn an_open_change_of_version_1_is_read_and_gone_on_with() {
    let mut disk = MemoryDisk::default();
    disk.put(JOURNAL_FILE, V1_OPEN);
    let (mut journal, found) = reopen(disk);
    assert_eq!((&found.health, found.notes.len()), (&JournalHealth::Sound, 0));
    let open = found.replay.open.unwrap();
    assert_eq!(
        (open.order().change.as_str(), &open.marks[..]),
        ("change-1", &[Mark::Done, Mark::Started][..])
    );
    journal.append(&closed(1, End::RolledBack)).unwrap();
    let (mut journal, found) = reopen(journal.into_disk());
    assert_eq!((found.health, &found.replay.open, held(&found.replay)), (JournalHealth::Sound, &None, 1));
    let entries = journal.history().entries;
    assert_eq!(entries.iter().map(|entry| entry.version).collect::<Vec<_>>(), [1, 1, 1, 1, 2]);
    assert!(entries[4].previous.is_some(), "the chain begins with the last record without one");
}

#[test]
fn a_closed_change_of_version_1_is_read_and_gone_on_with() {
    for journal_file in [V1_CLOSED, b""] {
        let mut disk = MemoryDisk::default();
        disk.put(JOURNAL_FILE, journal_file);
        disk.put(state_file::STATE_FILE, V1_STATE);
        let (mut journal, found) = reopen(disk);
        assert_eq!(found.health, JournalHealth::Sound);
        assert_eq!((held(&found.replay), found.replay.memory.committed_generation().0), (1, 1));
        assert_eq!(found.replay.memory.persist_due, journal_file.is_empty());
        journal.append(&closed(2, End::RolledBack)).unwrap();
        let (mut journal, found) = reopen(journal.into_disk());
        assert_eq!((&found.health, held(&found.replay)), (&JournalHealth::Sound, 2));
        journal.checkpoint(&found.replay.memory).unwrap();
        journal.append(&closed(3, End::RolledBack)).unwrap();
        let (_, found) = reopen(journal.into_disk());
        assert_eq!((found.health, held(&found.replay)), (JournalHealth::Sound, 3));
    }
}

#[test]
fn a_newer_form_is_not_guessed() {
    let payload = br#"{"version":3,"sequence":1,"boot":"b","record":"persisted","more":1}"#;
    let mut newer = u32::try_from(payload.len()).unwrap().to_le_bytes().to_vec();
    newer.extend(frame::crc32(payload).to_le_bytes());
    newer.extend(payload);
    for (name, bytes) in [(JOURNAL_FILE, &newer[..]), (state_file::STATE_FILE, br#"{"version":3,"more":1}"#)]
    {
        let mut disk = MemoryDisk::default();
        disk.put(name, bytes);
        let (_, found) = reopen(disk);
        assert!(damage(&found).contains("version 3"), "{}", damage(&found));
    }
}

#[test]
fn version_1_behind_version_2_is_damage() {
    let mut entry = frame::scan(&written(2).bytes(JOURNAL_FILE).unwrap()).links.remove(1).entry;
    (entry.version, entry.previous) = (1, None);
    let mut disk = written(1);
    let bytes = [disk.bytes(JOURNAL_FILE).unwrap(), entry.to_frame().unwrap().0].concat();
    disk.put(JOURNAL_FILE, &bytes);
    let (_, found) = reopen(disk);
    assert!(damage(&found).contains("older version"), "{}", damage(&found));
}

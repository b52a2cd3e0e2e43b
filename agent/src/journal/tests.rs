//! The journal after torn tails, corruption and full disks.

use super::frame::crc32;
use super::*;
use engine::apply::{Closing, ContentHash, StepResult};
use model::{ApplyOutcome, ChangeId, Generation, OutcomeKind};

fn boot() -> BootId {
    BootId("boot-1".to_owned())
}

fn closed(generation: u64) -> Record {
    let outcome = ApplyOutcome {
        change: ChangeId::new(format!("c{generation}")).unwrap(),
        generation: Generation(generation),
        kind: OutcomeKind::RolledBack { reason: "test".to_owned() },
        steps_run: 1,
        esxcli_calls: 2,
    };
    let content = ContentHash("abc".to_owned());
    Record::Closed(Box::new(Closing { content, outcome, committed: None, persist_due: false }))
}

fn held(replay: &Replay) -> u64 {
    replay.memory.held.as_ref().map_or(0, |held| held.outcome.generation.0)
}

fn written(count: u64) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, opened) = Journal::open(dir.path(), &boot());
    assert_eq!(opened.health, JournalHealth::Sound);
    for generation in 1..=count {
        journal.append(&closed(generation)).unwrap();
    }
    let file = dir.path().join(JOURNAL_FILE);
    (dir, file)
}

#[test]
fn the_checksum_is_the_usual_one() {
    assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
}

#[test]
fn what_was_appended_is_read_again() {
    let (dir, _) = written(3);
    let (mut journal, opened) = Journal::open(dir.path(), &boot());
    assert_eq!(held(&opened.replay), 3);
    journal.append(&closed(4)).unwrap();
    assert_eq!(held(&Journal::inspect(dir.path()).unwrap()), 4);
}

#[test]
fn a_torn_tail_is_dropped_at_every_length() {
    let (dir, file) = written(2);
    let whole = std::fs::read(&file).unwrap();
    let first = {
        let (one, one_file) = written(1);
        let length = std::fs::read(one_file).unwrap().len();
        drop(one);
        length
    };
    for cut in first..whole.len() {
        std::fs::write(&file, &whole[..cut]).unwrap();
        let (mut journal, opened) = Journal::open(dir.path(), &boot());
        assert_eq!(opened.health, JournalHealth::Sound, "{cut}");
        assert_eq!(held(&opened.replay), 1, "{cut}");
        journal.append(&closed(9)).unwrap();
        assert_eq!(held(&Journal::inspect(dir.path()).unwrap()), 9, "{cut}");
    }
}

#[test]
fn a_flipped_bit_in_the_last_record_is_a_torn_tail() {
    let (dir, file) = written(2);
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 5;
    bytes[last] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let (_, opened) = Journal::open(dir.path(), &boot());
    assert_eq!((opened.health, held(&opened.replay)), (JournalHealth::Sound, 1));
}

#[test]
fn corruption_before_good_records_refuses_all_work() {
    let (dir, file) = written(3);
    let whole = std::fs::read(&file).unwrap();
    for at in [0, 4, 12, 40] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        std::fs::write(&file, &bytes).unwrap();
        let (mut journal, opened) = Journal::open(dir.path(), &boot());
        assert!(matches!(opened.health, JournalHealth::Damaged { .. }), "{at}");
        assert!(journal.append(&closed(4)).is_err());
        assert!(journal.checkpoint(&Memory::default()).is_err());
        assert_eq!(std::fs::read(&file).unwrap(), bytes, "evidence is kept");
    }
}

#[test]
fn a_newer_form_is_not_guessed() {
    let (dir, file) = written(1);
    let payload = br#"{"version":2,"sequence":1,"boot":"b","record":"persisted"}"#;
    let mut frame = u32::try_from(payload.len()).unwrap().to_le_bytes().to_vec();
    frame.extend(crc32(payload).to_le_bytes());
    frame.extend(payload);
    std::fs::write(&file, &frame).unwrap();
    let (_, opened) = Journal::open(dir.path(), &boot());
    let JournalHealth::Damaged { detail } = opened.health else { panic!() };
    assert!(detail.contains("version 2"), "{detail}");
}

#[test]
fn missing_records_are_noticed() {
    let (dir, file) = written(3);
    let bytes = std::fs::read(&file).unwrap();
    let first = 8 + usize::try_from(u32::from_le_bytes(bytes[..4].try_into().unwrap())).unwrap();
    std::fs::write(&file, &bytes[first..]).unwrap();
    let (_, opened) = Journal::open(dir.path(), &boot());
    assert!(matches!(opened.health, JournalHealth::Damaged { .. }));
}

#[test]
fn a_checkpoint_keeps_the_memory_and_empties_the_journal() {
    let (dir, file) = written(3);
    let before = std::fs::read(&file).unwrap();
    let (mut journal, opened) = Journal::open(dir.path(), &boot());
    journal.checkpoint(&opened.replay.memory).unwrap();
    assert_eq!(std::fs::read(&file).unwrap().len(), 0);
    assert_eq!(held(&Journal::inspect(dir.path()).unwrap()), 3);
    journal.append(&closed(4)).unwrap();
    assert_eq!(held(&Journal::inspect(dir.path()).unwrap()), 4);

    // A crash between the state file and the emptying: the old records count once.
    std::fs::write(&file, &before).unwrap();
    let (mut journal, opened) = Journal::open(dir.path(), &boot());
    assert_eq!((opened.health, held(&opened.replay)), (JournalHealth::Sound, 3));
    journal.append(&closed(5)).unwrap();
    assert_eq!(held(&Journal::inspect(dir.path()).unwrap()), 5);
}

#[test]
fn a_broken_state_file_refuses_work() {
    let (dir, _) = written(1);
    std::fs::write(dir.path().join(STATE_FILE), b"{\"version\":1").unwrap();
    let (_, opened) = Journal::open(dir.path(), &boot());
    assert!(matches!(opened.health, JournalHealth::Damaged { .. }));
}

#[test]
fn a_directory_that_cannot_be_used_still_gives_a_journal() {
    let dir = tempfile::tempdir().unwrap();
    let blocked = dir.path().join("file");
    std::fs::write(&blocked, b"").unwrap();
    let (mut journal, opened) = Journal::open(&blocked.join("state"), &boot());
    assert!(matches!(opened.health, JournalHealth::Damaged { .. }));
    assert!(journal.append(&closed(1)).is_err());
}

#[test]
fn records_without_a_change_are_damage() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(dir.path(), &boot());
    journal.append(&Record::StepEnded { index: 0, result: StepResult::Done }).unwrap();
    let (_, opened) = Journal::open(dir.path(), &boot());
    assert!(matches!(opened.health, JournalHealth::Damaged { .. }));
}

//! The journal on a real disk: what only the standard library can get wrong.

use super::*;
use engine::apply::{Closing, ContentHash, JournalHealth, Record};
use engine::journal::Disk;
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
        approval: None,
    };
    let content = ContentHash("abc".to_owned());
    Record::Closed(Box::new(Closing { content, outcome, committed: None, persist_due: false, undone: false }))
}

fn held(replay: &Replay) -> u64 {
    replay.memory.held.as_ref().map_or(0, |held| held.outcome.generation.0)
}

#[test]
fn what_was_appended_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("deep/state");
    let (mut journal, opened) = open(&state, &boot());
    assert_eq!(opened.health, JournalHealth::Sound);
    for generation in 1..=3 {
        journal.append(&closed(generation)).unwrap();
    }
    assert_eq!(held(&inspect(&state).unwrap()), 3);
    let (mut journal, opened) = open(&state, &boot());
    assert_eq!(held(&opened.replay), 3);
    journal.append(&closed(4)).unwrap();
    journal.checkpoint(&inspect(&state).unwrap().memory).unwrap();
    journal.append(&closed(5)).unwrap();
    let (_, opened) = open(&state, &boot());
    assert_eq!((held(&opened.replay), opened.health), (5, JournalHealth::Sound));
}

#[test]
fn a_torn_tail_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(dir.path(), &boot());
    journal.append(&closed(1)).unwrap();
    let file = dir.path().join("journal.log");
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, [&whole[..], &whole[..20]].concat()).unwrap();
    let (_, opened) = open(dir.path(), &boot());
    assert_eq!((opened.health, opened.notes.len()), (JournalHealth::Sound, 1));
    assert_eq!(std::fs::read(&file).unwrap(), whole);
}

#[test]
fn inspecting_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    assert_eq!(inspect(&state).unwrap(), Replay::default());
    assert!(!state.exists());
}

#[test]
fn a_directory_that_cannot_be_used_still_gives_a_journal() {
    let dir = tempfile::tempdir().unwrap();
    let blocked = dir.path().join("file");
    std::fs::write(&blocked, b"").unwrap();
    let (mut journal, opened) = open(&blocked.join("state"), &boot());
    assert!(matches!(opened.health, JournalHealth::Damaged { .. }));
    assert!(journal.append(&closed(1)).is_err());
}

#[test]
fn a_renamed_file_is_not_written_under_its_old_name() {
    let dir = tempfile::tempdir().unwrap();
    let mut disk = StdDisk::new(dir.path());
    disk.write_at("a", 0, b"one").unwrap();
    disk.rename("a", "b").unwrap();
    disk.write_at("a", 0, b"two").unwrap();
    disk.sync("a").unwrap();
    assert_eq!(disk.read("a", 9).unwrap().unwrap(), b"two");
    assert_eq!(disk.read("b", 2).unwrap().unwrap(), b"on");
    disk.remove("b").unwrap();
    disk.remove("b").unwrap();
    assert_eq!(disk.read("b", 2).unwrap(), None);
    assert!(disk.truncate("b", 0).is_err() && disk.sync("b").is_err());
}

#[test]
fn a_file_is_replaced_as_a_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("certificate.pem");
    write_durably(&path, b"a long first text").unwrap();
    write_durably(&path, b"second").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"second");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

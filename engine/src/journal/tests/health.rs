//! What makes a journal unfit, and what it says all the same.

use super::*;

fn open_change() -> MemoryDisk {
    let mut disk = MemoryDisk::default();
    let (mut journal, _) = Journal::open(&mut disk, &boot());
    journal.append(&opened(1, 0)).unwrap();
    journal.append(&Record::StepStarted { index: 0 }).unwrap();
    journal.append(&Record::StepEnded { index: 0, result: StepResult::Done }).unwrap();
    disk
}

#[test]
fn corruption_before_good_records_refuses_all_work() {
    let whole = written(3).bytes(JOURNAL_FILE).unwrap();
    for at in [0, 4, 12, 40] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        let mut disk = written(3);
        disk.put(JOURNAL_FILE, &bytes);
        let (mut journal, opened) = reopen(disk);
        assert!(damage(&opened).contains("byte 0"), "{}", damage(&opened));
        assert!(journal.append(&closed(4, End::Refused)).is_err());
        assert!(journal.checkpoint(&Memory::default()).is_err());
        assert!(journal.writable().is_err());
        assert_eq!(journal.disk.bytes(JOURNAL_FILE).unwrap(), bytes, "evidence is kept");
    }
}

#[test]
fn an_open_change_before_corruption_is_named_and_left_alone() {
    let mut disk = open_change();
    let mut bytes = disk.bytes(JOURNAL_FILE).unwrap();
    // The second of three records, as if its sectors had never been written.
    let first = usize::try_from(u32::from_le_bytes(bytes[..4].try_into().unwrap())).unwrap() + 8;
    bytes[first..first + 60].fill(0);
    disk.put(JOURNAL_FILE, &bytes);
    let (_, opened) = reopen(disk);
    assert_eq!(opened.replay.open, None);
    assert!(damage(&opened).contains("change change-1 may be open"), "{}", damage(&opened));
}

#[test]
fn what_does_not_continue_the_chain_is_damage() {
    let ours = written(3).bytes(JOURNAL_FILE).unwrap();
    let links = frame::scan(&ours).links;
    let starts: Vec<usize> = (0..3)
        .scan(0, |at, _| {
            let start = *at;
            *at +=
                usize::try_from(u32::from_le_bytes(ours[start..start + 4].try_into().unwrap())).unwrap() + 8;
            Some(start)
        })
        .collect();
    let mut other = links[1].entry.clone();
    other.boot = BootId("another".to_owned());
    let replaced = [&ours[..starts[1]], &other.to_frame().unwrap().0, &ours[starts[2]..]].concat();
    let dropped = ours[starts[1]..].to_vec();
    let skipped = [&ours[..starts[1]], &ours[starts[2]..]].concat();
    let twice = [&ours[..], &ours[starts[2]..]].concat();
    let tables =
        [(replaced, "chain"), (dropped, "follows number 0"), (skipped, "follows"), (twice, "follows")];
    for (bytes, says) in tables {
        let mut disk = MemoryDisk::default();
        disk.put(JOURNAL_FILE, &bytes);
        let (_, opened) = reopen(disk);
        assert!(damage(&opened).contains(says), "{}", damage(&opened));
    }
}

#[test]
fn a_journal_that_is_not_the_one_of_the_state_is_damage() {
    let (mut journal, opened) = reopen(written(3));
    journal.checkpoint(&opened.replay.memory).unwrap();
    let mut disk = journal.into_disk();
    let (mut other, _) = Journal::open(MemoryDisk::default(), &BootId("another".to_owned()));
    for number in 1..=4 {
        other.append(&closed(number, End::Refused)).unwrap();
    }
    disk.put(JOURNAL_FILE, &other.into_disk().bytes(JOURNAL_FILE).unwrap());
    let (_, opened) = reopen(disk);
    assert!(damage(&opened).contains("not the one that the state file includes"), "{}", damage(&opened));
    assert_eq!(held(&opened.replay), 3, "the state can still be told");
}

#[test]
fn a_rotten_tail_that_the_state_includes_is_set_aside() {
    let (mut journal, found) = reopen(written(3));
    journal.checkpoint(&found.replay.memory).unwrap();
    let mut disk = journal.into_disk();
    let mut bytes = disk.bytes(JOURNAL_FILE).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    disk.put(JOURNAL_FILE, &bytes);
    let (mut journal, found) = reopen(disk);
    assert_eq!((&found.health, held(&found.replay)), (&JournalHealth::Sound, 3));
    journal.append(&closed(4, End::Refused)).unwrap();
    let (_, found) = reopen(journal.into_disk());
    assert_eq!((&found.health, held(&found.replay)), (&JournalHealth::Sound, 4));
}

#[test]
fn a_state_file_that_is_not_whole_refuses_work() {
    let (mut journal, found) = reopen(written(1));
    journal.checkpoint(&found.replay.memory).unwrap();
    let disk = journal.into_disk();
    let whole = disk.bytes(state_file::STATE_FILE).unwrap();
    let mut flipped = whole.clone();
    let at = whole.windows(12).position(|text| text == b"\"steps_run\":").unwrap() + 12;
    flipped[at] ^= 1;
    let cut = whole[..whole.len() - 10].to_vec();
    let first_line = whole[..whole.iter().position(|byte| *byte == b'\n').unwrap()].to_vec();
    for (bytes, says) in
        [(flipped, "checksum"), (cut, "checksum"), (first_line, "checksum"), (Vec::new(), "cannot be read")]
    {
        let mut disk = disk.clone();
        disk.put(state_file::STATE_FILE, &bytes);
        let (_, opened) = reopen(disk);
        assert!(damage(&opened).contains(says), "{}", damage(&opened));
    }
}

#[test]
fn a_state_file_that_does_not_read_back_empties_nothing() {
    let (mut journal, _) = reopen(MemoryDisk::default());
    journal.append(&opened(1, usize::try_from(ROTATE_BYTES).unwrap())).unwrap();
    journal.append(&closed(1, End::Committed)).unwrap();
    let before = journal.disk.bytes(JOURNAL_FILE).unwrap();
    journal.disk.rots = Some("state.json.new".to_owned());
    let error = journal.checkpoint(&Memory::default()).unwrap_err();
    assert!(error.to_string().contains("does not read back"), "{error}");
    assert_eq!(journal.disk.bytes(JOURNAL_FILE).unwrap(), before);
}

#[test]
fn a_disk_that_cannot_be_written_gives_its_open_change_and_no_new_work() {
    for broken in [
        |disk: &mut MemoryDisk| disk.read_only = true,
        |disk: &mut MemoryDisk| disk.fails = vec![("sync", JOURNAL_FILE.to_owned())],
    ] {
        let mut disk = open_change();
        let before = disk.bytes(JOURNAL_FILE).unwrap();
        broken(&mut disk);
        let (mut journal, found) = reopen(disk);
        assert!(damage(&found).contains("state directory"), "{}", damage(&found));
        assert_eq!(found.replay.open.as_ref().unwrap().order().change, change(1));
        assert!(journal.append(&closed(1, End::RolledBack)).is_err());
        assert!(journal.writable().is_err());
        // The disk works again: so does the journal, without a restart.
        assert_eq!(journal.disk.bytes(JOURNAL_FILE).unwrap(), before);
        (journal.disk.read_only, journal.disk.fails) = (false, Vec::new());
        journal.append(&closed(1, End::RolledBack)).unwrap();
        journal.writable().unwrap();
        let (_, found) = reopen(journal.into_disk());
        assert_eq!((found.health, found.replay.open), (JournalHealth::Sound, None));
    }
}

#[test]
fn a_full_disk_refuses_a_change_but_lets_one_end() {
    let (mut journal, _) = reopen(written(1));
    // Room for the record that opens the change and no more.
    let frame = opened(2, 0);
    journal.append(&frame).unwrap();
    let used: usize = [JOURNAL_FILE, RESERVE_FILE].iter().map(|n| journal.disk.bytes(n).unwrap().len()).sum();
    journal.disk.capacity = Some(used + 50);
    journal.append(&Record::StepStarted { index: 0 }).unwrap();
    assert_eq!(journal.disk.bytes(RESERVE_FILE), None, "given up");
    journal.append(&closed(2, End::RolledBack)).unwrap();
    assert!(journal.writable().is_err());
    assert!(matches!(journal.append(&opened(3, 0)), Err(JournalError::Disk(_))));

    let (mut journal, found) = reopen(journal.into_disk());
    assert!(damage(&found).contains("no space"), "{}", damage(&found));
    assert_eq!((held(&found.replay), &found.replay.open), (2, &None));
    assert!(matches!(journal.append(&opened(3, 0)), Err(JournalError::Disk(_))));
    journal.disk.capacity = None;
    journal.append(&opened(3, 0)).unwrap();
    assert!(journal.disk.bytes(RESERVE_FILE).is_some());
}

#[test]
fn a_failed_record_is_cut_off_before_the_next_one() {
    let (mut journal, _) = reopen(written(1));
    let before = journal.disk.bytes(JOURNAL_FILE).unwrap();
    journal.disk.fails = vec![("sync", JOURNAL_FILE.to_owned()), ("cut", JOURNAL_FILE.to_owned())];
    assert!(journal.append(&opened(2, 0)).is_err());
    assert!(journal.disk.bytes(JOURNAL_FILE).unwrap().len() > before.len(), "it is there, and must not stay");
    journal.disk.fails = vec![("cut", JOURNAL_FILE.to_owned())];
    assert!(journal.append(&closed(2, End::Refused)).is_err());
    assert!(journal.checkpoint(&Memory::default()).is_err());
    journal.disk.fails.clear();
    journal.append(&closed(2, End::Refused)).unwrap();
    let (_, found) = reopen(journal.into_disk());
    assert_eq!((found.health, held(&found.replay), found.replay.open), (JournalHealth::Sound, 2, None));
}

#[test]
fn a_directory_that_cannot_be_read_is_damage() {
    let mut disk = written(1);
    disk.fails = vec![("read", JOURNAL_FILE.to_owned())];
    let (_, found) = reopen(disk);
    assert!(damage(&found).contains("cannot read journal.log"), "{}", damage(&found));
}

#[test]
fn records_without_a_change_are_damage() {
    let (mut journal, _) = reopen(MemoryDisk::default());
    journal.append(&Record::StepEnded { index: 0, result: StepResult::Done }).unwrap();
    let (_, found) = reopen(journal.into_disk());
    assert!(damage(&found).contains("without an open change"), "{}", damage(&found));
}

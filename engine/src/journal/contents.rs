//! What the files say together: the state, then the entries that it does not include. Reads only.

use super::frame::{Ending, Link, follows, scan};
use super::history::history_name;
use super::state_file::StateFile;
use super::{Disk, FILE_READ_MAX, HISTORY_FILES_MAX, JOURNAL_FILE, JournalError};
use crate::apply::Replay;

/// The sum of all files.
#[derive(Debug)]
pub(super) struct Contents {
    /// The meaning.
    pub replay: Replay,
    /// Number of the last entry.
    pub sequence: u64,
    /// Hash of the last entry, as far as it is known.
    pub last: Option<String>,
    /// How often a journal became history.
    pub rotations: u64,
    /// Length of the good part of the journal.
    pub good_length: u64,
    /// The journal has lost entries that the state includes: it must not be appended to.
    pub behind: bool,
    /// What a person may want to know.
    pub notes: Vec<String>,
}

impl Contents {
    /// Reads and adds up.
    pub fn read<D: Disk>(disk: &mut D) -> Result<Self, JournalError> {
        let state = StateFile::read(disk)?;
        let mut contents = Self {
            replay: Replay::from_memory(state.memory),
            sequence: state.sequence,
            last: state.last,
            rotations: state.rotations,
            good_length: 0,
            behind: false,
            notes: Vec::new(),
        };
        contents.take_newer_history(disk)?;
        contents.take_journal(disk)?;
        Ok(contents)
    }

    /// Where directories cannot be synced, a journal may have become history durably while the state
    /// file that includes it was lost: then the next history file goes on where the state ends.
    fn take_newer_history<D: Disk>(&mut self, disk: &mut D) -> Result<(), JournalError> {
        for _ in 0..HISTORY_FILES_MAX {
            let name = history_name(self.rotations);
            let Ok(Some(bytes)) = disk.read(&name, FILE_READ_MAX) else { return Ok(()) };
            let found = scan(&bytes);
            let ends = found.links.last().map_or(0, |link| link.entry.sequence);
            let begins = found.links.first().map_or(0, |link| link.entry.sequence);
            if found.ending != Ending::Whole || ends <= self.sequence || begins > self.sequence + 1 {
                return Ok(());
            }
            self.notes.push(format!("{name} holds records that the state file had lost"));
            self.take(found.links).map_err(|problem| damaged(&name, &problem))?;
            self.rotations += 1;
        }
        Ok(())
    }

    fn take_journal<D: Disk>(&mut self, disk: &mut D) -> Result<(), JournalError> {
        let bytes = disk.read(JOURNAL_FILE, FILE_READ_MAX)?.unwrap_or_default();
        let found = scan(&bytes);
        self.good_length = found.good_length;
        let ends = found.links.last().map_or(0, |link| link.entry.sequence);
        let included = self.sequence;
        let taken = self.take(found.links);
        match (taken, found.ending) {
            (Err(problem), _) | (Ok(()), Ending::Corrupt(problem)) => {
                Err(damaged(JOURNAL_FILE, &format!("{problem}{}", self.left_alone())))
            }
            (Ok(()), Ending::Torn) => {
                let length = self.good_length;
                self.notes.push(format!("{JOURNAL_FILE} ended in a torn record: cut to {length} bytes"));
                self.behind = ends < included;
                Ok(())
            }
            (Ok(()), Ending::Whole) => {
                self.behind = !bytes.is_empty() && ends < included;
                Ok(())
            }
        }
    }

    /// Adds entries; those that are included already count once.
    fn take(&mut self, links: Vec<Link>) -> Result<(), String> {
        for Link { entry, hash } in links {
            let number = entry.sequence;
            if number < self.sequence {
                continue;
            }
            if number == self.sequence {
                match &self.last {
                    Some(known) if *known != hash => {
                        return Err(format!("record {number} is not the one that the state file includes"));
                    }
                    Some(_) => {}
                    None => self.last = Some(hash),
                }
                continue;
            }
            follows(&entry, self.sequence, self.last.as_deref())
                .map_err(|problem| format!("the record {problem}"))?;
            self.replay.take(entry.record).map_err(|error| format!("record {number}: {error}"))?;
            self.sequence = number;
            self.last = Some(hash);
        }
        Ok(())
    }

    fn left_alone(&self) -> String {
        match &self.replay.open {
            None => String::new(),
            Some(open) => format!("; change {} may be open and is left as it is", open.order().change),
        }
    }
}

fn damaged(name: &str, problem: &str) -> JournalError {
    JournalError::Damaged { detail: format!("{name}: {problem}") }
}

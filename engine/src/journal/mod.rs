//! The crash-safe notebook of one host: `journal.log` (the change at work), `state.json` (what
//! outlives it), `history.<k>` (journals of the past) and `reserve` (room to go back on a full disk).
//!
//! Owns: these files, their framing and every sync, over a [`Disk`] that it is given. Must not: do
//! I/O itself, or know what a record means for the host; `apply::Replay` does. Called by the agent's
//! event loop, by its console verbs and by simulators.
//!
//! A frame is: length (4 bytes, little endian), CRC-32 of the payload (4 bytes), payload (JSON with
//! format version, sequence number, boot id, hash of the payload before, and the record).
//!
//! **Torn or corrupt.** Frames are written and synced one by one, and the next one only after the
//! sync of the one before returned. So a frame that a crash cut off, or whose sectors came to the
//! disk out of order, was never acknowledged and has nothing behind it: it is dropped. A bad frame
//! with a good one behind it, a gap in the numbers or a hash that does not fit cannot come from a
//! crash: the disk or another program changed what was durable. Then nothing the journal says can
//! be relied on; nothing is changed on the host, not even an open change, and a person decides.
//!
//! **Checkpoints.** The state file names the last entry it includes, so it may be written at any
//! time while no change is open; entries up to there count once, wherever they still stand. A
//! journal that has grown becomes history only after the state that includes it was read back.
//!
//! **Full disk.** A change is opened only while [`RESERVE_BYTES`] are held in a file of their own.
//! When a later record finds the disk full, that file is given up for it.

mod contents;
mod disk;
mod frame;
mod history;
mod state_file;

pub use disk::{Disk, DiskError, replace_file};
pub use frame::Entry;
pub use history::History;

use crate::apply::{JournalHealth, Memory, Record, Replay};
use contents::Contents;
use frame::FORMAT_VERSION;
use history::history_name;
use model::BootId;
use state_file::StateFile;

/// Largest journal; a change that needs more is refused.
pub const JOURNAL_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// Part of it that the record which opens a change must leave for the records of its end.
pub const CLOSING_BYTES: u64 = 512 * 1024;
/// A journal of this size becomes history at the next checkpoint.
pub const ROTATE_BYTES: u64 = 128 * 1024;
/// Journals of the past that are kept.
pub const HISTORY_FILES_MAX: u64 = 8;
/// Room that is held so that a change can be ended on a full disk.
pub const RESERVE_BYTES: u64 = 64 * 1024;
/// Longest file that is read; older versions allowed larger journals.
const FILE_READ_MAX: u64 = 16 * 1024 * 1024 + 1;
const JOURNAL_FILE: &str = "journal.log";
const RESERVE_FILE: &str = "reserve";
/// Not zero: a file of zeros may take no room.
const RESERVE_FILLER: u8 = 0xA5;

/// Why something was not made durable.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk does not work.
    #[error("{0}: check space and rights of the state directory")]
    Disk(#[from] DiskError),
    /// The record cannot be written as JSON.
    #[error("a journal record cannot be written: {0}")]
    Encode(serde_json::Error),
    /// The journal is as large as it may get.
    #[error("the change does not fit into a journal of {JOURNAL_BYTES_MAX} bytes: make it in smaller parts")]
    Full,
    /// What is on the disk cannot come from this journal.
    #[error("the journal cannot be trusted: {detail}")]
    Damaged {
        /// What is wrong.
        detail: String,
    },
}

/// The journal, open for appending.
#[derive(Debug)]
pub struct Journal<D> {
    disk: D,
    boot: BootId,
    /// Length up to which the file is known to be good.
    length: u64,
    sequence: u64,
    /// Hash of the last entry.
    last: Option<String>,
    rotations: u64,
    /// Why nothing may be written any more.
    damage: Option<String>,
    /// The file may hold something behind `length`, or not exist.
    unsettled: bool,
    /// The reserve is in its place.
    reserved: bool,
}

/// What a journal says, and whether it can be written.
#[derive(Debug)]
pub struct Opened {
    /// The meaning of its records.
    pub replay: Replay,
    /// Whether orders may be taken.
    pub health: JournalHealth,
    /// What a person may want to know: a torn record that was cut off, records found in history.
    pub notes: Vec<String>,
}

impl<D: Disk> Journal<D> {
    /// Opens or makes the journal of a directory. Never fails: one that cannot be trusted gives no
    /// open change; one that can be read but not written gives all it says, so that the host can go
    /// back. Both are unfit for new orders.
    #[must_use]
    pub fn open(disk: D, boot: &BootId) -> (Self, Opened) {
        let mut journal = Self {
            disk,
            boot: boot.clone(),
            length: 0,
            sequence: 0,
            last: None,
            rotations: 0,
            damage: None,
            unsettled: true,
            reserved: false,
        };
        match Contents::read(&mut journal.disk) {
            Ok(contents) => {
                let opened = journal.adopt(contents);
                (journal, opened)
            }
            Err(error) => {
                let detail = error.to_string();
                journal.damage = Some(detail.clone());
                let memory = StateFile::read(&mut journal.disk).map(|state| state.memory).unwrap_or_default();
                let replay = Replay::from_memory(memory);
                let health = JournalHealth::Damaged { detail };
                (journal, Opened { replay, health, notes: Vec::new() })
            }
        }
    }

    /// What the files say, without changing them.
    pub fn inspect(disk: &mut D) -> Result<Replay, JournalError> {
        Ok(Contents::read(disk)?.replay)
    }

    fn adopt(&mut self, contents: Contents) -> Opened {
        let Contents { replay, sequence, last, rotations, good_length, behind, notes } = contents;
        (self.sequence, self.last, self.rotations, self.length) = (sequence, last, rotations, good_length);
        // What comes next must not stand behind a gap; all that is in this file is in the state.
        let ready = if behind { self.set_aside(rotations) } else { self.settle() };
        let ready = ready.and_then(|()| self.hold_reserve());
        let health = match ready {
            Ok(()) => JournalHealth::Sound,
            Err(error) => JournalHealth::Damaged { detail: JournalError::from(error).to_string() },
        };
        Opened { replay, health, notes }
    }

    /// Appends a record; it is durable when this returns. After an error it is not in the journal,
    /// or will be cut off before anything else is written.
    pub fn append(&mut self, record: &Record) -> Result<(), JournalError> {
        self.trusted()?;
        let entry = Entry {
            version: FORMAT_VERSION,
            sequence: self.sequence.saturating_add(1),
            boot: self.boot.clone(),
            previous: self.last.clone(),
            record: record.clone(),
        };
        let (frame, hash) = entry.to_frame().map_err(JournalError::Encode)?;
        let grown = self.length.saturating_add(u64::try_from(frame.len()).unwrap_or(u64::MAX));
        if let Record::Opened(_) = record {
            if grown > JOURNAL_BYTES_MAX - CLOSING_BYTES {
                return Err(JournalError::Full);
            }
            self.writable()?;
            self.write_frame(&frame)?;
        } else {
            if grown > JOURNAL_BYTES_MAX {
                return Err(JournalError::Full);
            }
            if let Err(error) = self.write_frame(&frame) {
                self.release_reserve(error)?;
                self.write_frame(&frame)?;
            }
        }
        (self.length, self.sequence, self.last) = (grown, entry.sequence, Some(hash));
        Ok(())
    }

    /// Whether a change may be opened: the journal can be trusted, and there is room to end it.
    pub fn writable(&mut self) -> Result<(), JournalError> {
        self.trusted()?;
        if self.unsettled {
            self.settle()?;
        }
        Ok(self.hold_reserve()?)
    }

    /// Writes what outlives transactions to the state file; a journal that has grown becomes history.
    /// Only call it while no change is open.
    pub fn checkpoint(&mut self, memory: &Memory) -> Result<(), JournalError> {
        self.trusted()?;
        if self.unsettled {
            self.settle()?;
        }
        let slot = self.rotations;
        let rotates = self.length >= ROTATE_BYTES;
        let rotations = if rotates { slot.saturating_add(1) } else { slot };
        StateFile::new(self.sequence, self.last.clone(), rotations, memory.clone()).write(&mut self.disk)?;
        self.rotations = rotations;
        if rotates {
            self.set_aside(slot)?;
        }
        Ok(())
    }

    /// The past as far as it is kept, oldest first.
    pub fn history(&mut self) -> History {
        History::read(&mut self.disk)
    }

    /// The disk, for whoever simulates the end of the process.
    pub fn into_disk(self) -> D {
        self.disk
    }

    fn trusted(&self) -> Result<(), JournalError> {
        match &self.damage {
            None => Ok(()),
            Some(detail) => Err(JournalError::Damaged { detail: detail.clone() }),
        }
    }

    fn write_frame(&mut self, frame: &[u8]) -> Result<(), DiskError> {
        if self.unsettled {
            self.settle()?;
        }
        self.unsettled = true;
        let written =
            self.disk.write_at(JOURNAL_FILE, self.length, frame).and_then(|()| self.disk.sync(JOURNAL_FILE));
        match &written {
            Ok(()) => self.unsettled = false,
            // A torn frame must not get good ones behind it. If this fails too, the next call begins
            // with it.
            Err(_) => self.settle().unwrap_or_default(),
        }
        written
    }

    /// Makes the journal exist and end where its last good frame ends.
    fn settle(&mut self) -> Result<(), DiskError> {
        self.unsettled = true;
        self.disk.write_at(JOURNAL_FILE, self.length, &[])?;
        self.disk.truncate(JOURNAL_FILE, self.length)?;
        self.disk.sync(JOURNAL_FILE)?;
        self.disk.sync_dir()?;
        self.unsettled = false;
        Ok(())
    }

    /// The journal becomes history, and a new one begins.
    fn set_aside(&mut self, slot: u64) -> Result<(), DiskError> {
        if let Err(error) = self.disk.rename(JOURNAL_FILE, &history_name(slot)) {
            // An error does not say that nothing happened.
            if self.disk.read(JOURNAL_FILE, FILE_READ_MAX).is_ok_and(|found| found.is_none()) {
                self.length = 0;
            }
            self.unsettled = true;
            return Err(error);
        }
        self.length = 0;
        self.settle()
    }

    fn hold_reserve(&mut self) -> Result<(), DiskError> {
        if self.reserved {
            return Ok(());
        }
        let filler = vec![RESERVE_FILLER; usize::try_from(RESERVE_BYTES).unwrap_or(usize::MAX)];
        if self.disk.read(RESERVE_FILE, RESERVE_BYTES)?.as_deref() != Some(&filler) {
            let held = self
                .disk
                .write_at(RESERVE_FILE, 0, &filler)
                .and_then(|()| self.disk.sync(RESERVE_FILE))
                .and_then(|()| self.disk.sync_dir());
            if let Err(error) = held {
                // A part of a reserve only takes room away.
                self.disk.remove(RESERVE_FILE).unwrap_or_default();
                return Err(error);
            }
        }
        self.reserved = true;
        Ok(())
    }

    /// Gives up the reserve after `error`, which comes back when there is none.
    fn release_reserve(&mut self, error: DiskError) -> Result<(), DiskError> {
        if !self.reserved {
            return Err(error);
        }
        self.disk.remove(RESERVE_FILE)?;
        self.reserved = false;
        self.disk.sync_dir()
    }
}

#[cfg(test)]
mod tests;

//! The crash-safe notebook: `journal.log` (the change at work) and `state.json` (what outlives it).
//!
//! Owns: the two files, their framing and every fsync. Must not: know what a record means for the
//! host; `engine::apply::Replay` does. Called by the event loop; the command line only inspects.
//!
//! A frame is: length (4 bytes, little endian), CRC-32 of the payload (4 bytes), payload (JSON with
//! format version, sequence number, boot id and record). A frame that is cut off at the end of the
//! file was never acknowledged and is dropped; a bad frame with good ones behind it means that the
//! file cannot be trusted: no order is taken any more.

pub mod frame;

use engine::apply::{JournalHealth, Memory, Record, Replay};
use frame::{Entry, Scan};
use model::BootId;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Largest journal; a change that needs more is refused.
pub const JOURNAL_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Version of the payload and of the state file.
const FORMAT_VERSION: u32 = 1;
const JOURNAL_FILE: &str = "journal.log";
const STATE_FILE: &str = "state.json";

/// Why something was not made durable.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A file could not be written or synced.
    #[error("{path} cannot be written: check space and rights of the state directory")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The record cannot be written as JSON.
    #[error("a journal record cannot be written")]
    Encode(#[source] serde_json::Error),
    /// The journal is as large as it may get.
    #[error("{path} has reached its limit of {JOURNAL_BYTES_MAX} bytes")]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// An earlier failure left the file in doubt.
    #[error("the journal cannot be trusted: {detail}")]
    Damaged {
        /// What is wrong.
        detail: String,
    },
}

impl JournalError {
    /// The error and its cause in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        match std::error::Error::source(self) {
            Some(source) => format!("{self}: {source}"),
            None => self.to_string(),
        }
    }
}

/// `state.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateFile {
    version: u32,
    /// Journal entries up to this one are included.
    sequence: u64,
    memory: Memory,
}

/// The journal, open for appending.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    boot: BootId,
    file: Option<File>,
    /// Length up to which the file is known to be good.
    length: u64,
    sequence: u64,
    damage: Option<String>,
}

/// What a journal says, and whether it can be trusted.
#[derive(Debug)]
pub struct Opened {
    /// The meaning of its records.
    pub replay: Replay,
    /// Whether orders may be taken.
    pub health: JournalHealth,
}

struct Contents {
    replay: Replay,
    sequence: u64,
    good_length: u64,
    torn: bool,
}

impl Journal {
    /// Opens or makes the journal of a state directory. Never fails: a directory that cannot be
    /// used gives a damaged journal, so that the host can still be watched.
    #[must_use]
    pub fn open(dir: &Path, boot: &BootId) -> (Self, Opened) {
        let mut journal = Self {
            dir: dir.to_owned(),
            boot: boot.clone(),
            file: None,
            length: 0,
            sequence: 0,
            damage: None,
        };
        match journal.load() {
            Ok(replay) => (journal, Opened { replay, health: JournalHealth::Sound }),
            Err(error) => {
                let detail = error.chain();
                journal.damage = Some(detail.clone());
                let replay = Replay::from_memory(read_state(dir).map(|(m, _)| m).unwrap_or_default());
                (journal, Opened { replay, health: JournalHealth::Damaged { detail } })
            }
        }
    }

    /// What the files say, without changing them.
    pub fn inspect(dir: &Path) -> Result<Replay, JournalError> {
        Ok(read_contents(dir)?.replay)
    }

    /// Every entry that is still in the journal, oldest first, without changing it.
    pub fn entries(dir: &Path) -> Result<Vec<Entry>, JournalError> {
        let path = dir.join(JOURNAL_FILE);
        let scan = frame::scan(&read_optional(&path)?);
        let damaged = |problem| JournalError::Damaged { detail: format!("{}: {problem}", path.display()) };
        scan.map(|scan| scan.entries).map_err(damaged)
    }

    fn load(&mut self) -> Result<Replay, JournalError> {
        let io = |path: &Path, source| JournalError::Io { path: path.to_owned(), source };
        std::fs::create_dir_all(&self.dir).map_err(|source| io(&self.dir, source))?;
        let contents = read_contents(&self.dir)?;
        let path = self.dir.join(JOURNAL_FILE);
        let file = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(&path)
            .map_err(|source| io(&path, source))?;
        if contents.torn {
            tracing::warn!(length = contents.good_length, "journal ends in a torn record: cut off");
            file.set_len(contents.good_length).map_err(|source| io(&path, source))?;
        }
        file.sync_all().map_err(|source| io(&path, source))?;
        sync_dir(&self.dir);
        self.length = contents.good_length;
        self.sequence = contents.sequence;
        self.file = Some(file);
        Ok(contents.replay)
    }

    /// Appends a record; it is durable when this returns.
    pub fn append(&mut self, record: &Record) -> Result<(), JournalError> {
        let path = self.dir.join(JOURNAL_FILE);
        if let Some(detail) = &self.damage {
            return Err(JournalError::Damaged { detail: detail.clone() });
        }
        let sequence = self.sequence.saturating_add(1);
        let entry =
            Entry { version: FORMAT_VERSION, sequence, boot: self.boot.clone(), record: record.clone() };
        let frame = entry.to_frame().map_err(JournalError::Encode)?;
        let grown = self.length.saturating_add(u64::try_from(frame.len()).unwrap_or(u64::MAX));
        if grown > JOURNAL_BYTES_MAX {
            return Err(JournalError::Full { path });
        }
        let Some(file) = &mut self.file else {
            return Err(JournalError::Damaged { detail: "it is not open".to_owned() });
        };
        let written = file
            .seek(SeekFrom::Start(self.length))
            .and_then(|_| file.write_all(&frame))
            .and_then(|()| file.sync_all());
        if let Err(source) = written {
            // A torn frame must not get good ones behind it.
            if file.set_len(self.length).and_then(|()| file.sync_all()).is_err() {
                self.damage = Some(format!("a failed record could not be taken back: {source}"));
            }
            return Err(JournalError::Io { path, source });
        }
        self.length = grown;
        self.sequence = sequence;
        Ok(())
    }

    /// Writes what outlives transactions to the state file and empties the journal.
    /// Only call it while no change is open.
    pub fn checkpoint(&mut self, memory: &Memory) -> Result<(), JournalError> {
        if let Some(detail) = &self.damage {
            return Err(JournalError::Damaged { detail: detail.clone() });
        }
        let state = StateFile { version: FORMAT_VERSION, sequence: self.sequence, memory: memory.clone() };
        let bytes = serde_json::to_vec(&state).map_err(JournalError::Encode)?;
        let path = self.dir.join(STATE_FILE);
        write_durably(&path, &bytes).map_err(|source| JournalError::Io { path, source })?;
        let path = self.dir.join(JOURNAL_FILE);
        let Some(file) = &self.file else { return Ok(()) };
        file.set_len(0).and_then(|()| file.sync_all()).map_err(|source| JournalError::Io { path, source })?;
        self.length = 0;
        Ok(())
    }
}

/// Temporary file, fsync, rename, fsync of the directory.
pub fn write_durably(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    std::fs::rename(&temporary, path)?;
    if let Some(dir) = path.parent() {
        sync_dir(dir);
    }
    Ok(())
}

/// Some file systems of hosts cannot sync a directory; the rename is their commit point.
fn sync_dir(dir: &Path) {
    if let Err(error) = File::open(dir).and_then(|dir| dir.sync_all()) {
        tracing::debug!(%error, "directory not synced");
    }
}

fn read_optional(path: &Path) -> Result<Vec<u8>, JournalError> {
    let mut bytes = Vec::new();
    let io = |source| JournalError::Io { path: path.to_owned(), source };
    match File::open(path) {
        Ok(file) => {
            file.take(JOURNAL_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io)?;
            Ok(bytes)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(bytes),
        Err(source) => Err(io(source)),
    }
}

fn read_state(dir: &Path) -> Result<(Memory, u64), JournalError> {
    let path = dir.join(STATE_FILE);
    let bytes = read_optional(&path)?;
    if bytes.is_empty() {
        return Ok((Memory::default(), 0));
    }
    let damaged =
        |problem: String| JournalError::Damaged { detail: format!("{}: {problem}", path.display()) };
    let state: StateFile = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    if state.version != FORMAT_VERSION {
        return Err(damaged(format!("version {} is not known to this agent", state.version)));
    }
    Ok((state.memory, state.sequence))
}

fn read_contents(dir: &Path) -> Result<Contents, JournalError> {
    let (memory, included) = read_state(dir)?;
    let path = dir.join(JOURNAL_FILE);
    let bytes = read_optional(&path)?;
    let damaged =
        |problem: String| JournalError::Damaged { detail: format!("{}: {problem}", path.display()) };
    let Scan { entries, good_length, torn } = frame::scan(&bytes).map_err(damaged)?;
    let mut replay = Replay::from_memory(memory);
    let mut sequence = included;
    let mut last = None;
    for entry in entries {
        if entry.version != FORMAT_VERSION {
            return Err(damaged(format!("version {} is not known to this agent", entry.version)));
        }
        if last.is_some_and(|last: u64| entry.sequence != last.saturating_add(1)) {
            return Err(damaged(format!("record {} is out of order", entry.sequence)));
        }
        last = Some(entry.sequence);
        if entry.sequence <= included {
            continue;
        }
        if entry.sequence != sequence.saturating_add(1) {
            return Err(damaged(format!("records before {} are missing", entry.sequence)));
        }
        sequence = entry.sequence;
        replay.take(entry.record).map_err(|error| damaged(error.to_string()))?;
    }
    Ok(Contents { replay, sequence, good_length, torn })
}

#[cfg(test)]
mod tests;

//! `state.json`: what outlives transactions. Owns its form; must not know what is in the journal.
//!
//! Two lines: the state, and the SHA-256 of that line as a JSON string (version 1 had one line).

use super::frame::{FORMAT_VERSION, FORMAT_VERSION_MIN, sha256};
use super::{Disk, FILE_READ_MAX, JournalError, disk};
use crate::apply::Memory;
use serde::{Deserialize, Serialize};

/// Name of the file.
pub(super) const STATE_FILE: &str = "state.json";

/// Its first line.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StateFile {
    version: u32,
    /// Journal entries up to this one are included.
    pub sequence: u64,
    /// The hash of that entry; none before the first one, and in version 1.
    #[serde(default)]
    pub last: Option<String>,
    /// How often a journal became history.
    #[serde(default)]
    pub rotations: u64,
    /// The meaning of all entries up to there.
    pub memory: Memory,
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl StateFile {
    /// A state to be written.
    pub fn new(sequence: u64, last: Option<String>, rotations: u64, memory: Memory) -> Self {
        Self { version: FORMAT_VERSION, sequence, last, rotations, memory }
    }

    /// The state as it was written last; an empty one when there is none.
    pub fn read<D: Disk>(disk: &mut D) -> Result<Self, JournalError> {
        match disk.read(STATE_FILE, FILE_READ_MAX)? {
            None => Ok(Self::new(0, None, 0, Memory::default())),
            Some(bytes) => Self::parse(&bytes)
                .map_err(|problem| JournalError::Damaged { detail: format!("{STATE_FILE} {problem}") }),
        }
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut lines = bytes.splitn(2, |byte| *byte == b'\n');
        let (line, rest) = (lines.next().unwrap_or_default(), lines.next());
        let version = serde_json::from_slice::<Versioned>(line)
            .map_err(|error| format!("cannot be read: {error}"))?
            .version;
        if !(FORMAT_VERSION_MIN..=FORMAT_VERSION).contains(&version) {
            return Err(format!("has version {version}, which is not known to this agent"));
        }
        let hash = rest.map(|rest| serde_json::from_slice::<String>(rest).unwrap_or_default());
        let wanted = (version > FORMAT_VERSION_MIN).then(|| sha256(line));
        if hash != wanted {
            return Err("does not have the checksum it was written with".to_owned());
        }
        serde_json::from_slice(line).map_err(|error| format!("is not known to this agent: {error}"))
    }

    /// Makes it durable, and reads it back.
    pub fn write<D: Disk>(&self, disk: &mut D) -> Result<(), JournalError> {
        let mut bytes = serde_json::to_vec(self).map_err(JournalError::Encode)?;
        let hash = sha256(&bytes);
        bytes.extend_from_slice(format!("\n\"{hash}\"\n").as_bytes());
        Ok(disk::replace_file(disk, STATE_FILE, &bytes)?)
    }
}

//! Frames of the journal: bytes to entries and back. Must not touch a disk.

use crate::apply::Record;
use model::BootId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Version of the payload and of the state file. Version 1 had no chain.
pub(super) const FORMAT_VERSION: u32 = 2;
/// The oldest version that is still read.
pub(super) const FORMAT_VERSION_MIN: u32 = 1;
/// Length and checksum.
const HEADER_BYTES: usize = 8;

/// One journal entry as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Version of this form.
    pub version: u32,
    /// Counts up by one.
    pub sequence: u64,
    /// The boot it was written in.
    pub boot: BootId,
    /// SHA-256 of the payload before, in lower-case hexadecimal; none for the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// What it says.
    pub record: Record,
}

/// An entry with the hash that the next one names.
#[derive(Debug, Clone)]
pub(super) struct Link {
    /// The entry.
    pub entry: Entry,
    /// SHA-256 of its payload.
    pub hash: String,
}

impl Entry {
    /// The bytes to append, and the hash that the next entry names.
    pub(super) fn to_frame(&self) -> Result<(Vec<u8>, String), serde_json::Error> {
        let payload = serde_json::to_vec(self)?;
        let hash = sha256(&payload);
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let mut frame = Vec::with_capacity(HEADER_BYTES + payload.len());
        frame.extend(length.to_le_bytes());
        frame.extend(crc32(&payload).to_le_bytes());
        frame.extend(payload);
        Ok((frame, hash))
    }

    /// The entry of a payload whose checksum is right.
    fn from_payload(payload: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let parsed = serde_json::from_slice::<Self>(payload);
        let version = match &parsed {
            Ok(entry) => Some(entry.version),
            Err(_) => serde_json::from_slice::<Versioned>(payload).ok().map(|found| found.version),
        };
        match version {
            Some(version) if !(FORMAT_VERSION_MIN..=FORMAT_VERSION).contains(&version) => {
                Err(format!("has version {version}, which is not known to this agent"))
            }
            _ => parsed.map_err(|error| format!("is not known to this agent: {error}")),
        }
    }
}

/// How a file ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    /// With its last frame.
    Whole,
    /// With something unfinished.
    Torn,
    /// With something that cannot have come from a crash.
    Corrupt(String),
}

/// What a journal file holds.
#[derive(Debug)]
pub(super) struct Scan {
    /// The entries up to the first bad one.
    pub links: Vec<Link>,
    /// Length of the good part.
    pub good_length: u64,
    /// What comes behind it.
    pub ending: Ending,
}

/// Reads all frames. A bad frame at the end is a torn one; with a good frame anywhere behind it, or
/// with a sequence number or a hash that does not continue, the file is corrupt.
pub(super) fn scan(bytes: &[u8]) -> Scan {
    let mut links: Vec<Link> = Vec::new();
    let mut at = 0;
    let mut ending = Ending::Whole;
    while at < bytes.len() {
        let Some((payload, next)) = frame_at(bytes, at) else {
            ending = match good_frame_behind(bytes, at) {
                true => Ending::Corrupt(format!("the record at byte {at} is corrupt, and good ones follow")),
                false => Ending::Torn,
            };
            break;
        };
        // The checksum is right: what does not fit was written by something else.
        match continued(payload, links.last()) {
            Ok(link) => links.push(link),
            Err(problem) => {
                ending = Ending::Corrupt(format!("the record at byte {at} {problem}"));
                break;
            }
        }
        at = next;
    }
    Scan { links, good_length: u64::try_from(at).unwrap_or(u64::MAX), ending }
}

fn continued(payload: &[u8], before: Option<&Link>) -> Result<Link, String> {
    let entry = Entry::from_payload(payload)?;
    if let Some(before) = before {
        follows(&entry, before.entry.sequence, Some(&before.hash))?;
        if entry.version < before.entry.version {
            return Err("is of an older version than the one before".to_owned());
        }
    }
    Ok(Link { entry, hash: sha256(payload) })
}

/// Whether an entry is the one right after the entry with this number and hash.
pub(super) fn follows(entry: &Entry, sequence: u64, hash: Option<&str>) -> Result<(), String> {
    if entry.sequence != sequence.saturating_add(1) {
        return Err(format!("has number {}, but follows number {sequence}", entry.sequence));
    }
    if entry.version > FORMAT_VERSION_MIN && entry.previous.as_deref() != hash {
        return Err(format!("(number {}) does not continue the chain of hashes", entry.sequence));
    }
    Ok(())
}

fn number_at(bytes: &[u8], at: usize) -> Option<u32> {
    let slice = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(slice.try_into().ok()?))
}

/// The payload of a whole frame with the right checksum, and where the next one begins.
fn frame_at(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let length = usize::try_from(number_at(bytes, at)?).ok()?;
    let checksum = number_at(bytes, at.checked_add(4)?)?;
    let start = at.checked_add(HEADER_BYTES)?;
    let end = start.checked_add(length)?;
    let payload = bytes.get(start..end)?;
    (length > 0 && crc32(payload) == checksum).then_some((payload, end))
}

/// A frame's payload begins with `{`, which spares most checksums. A payload never holds a frame: it
/// is text, and the length in front of a frame has a zero byte.
fn good_frame_behind(bytes: &[u8], at: usize) -> bool {
    (at.saturating_add(1)..bytes.len())
        .filter(|from| bytes.get(from.saturating_add(HEADER_BYTES)) == Some(&b'{'))
        .any(|from| frame_at(bytes, from).is_some())
}

/// SHA-256 in lower-case hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// CRC-32 (IEEE 802.3), bit by bit with a table made at compile time.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    let mut crc = u32::MAX;
    for byte in bytes {
        let index = usize::from((crc.to_le_bytes()[0]) ^ byte);
        crc = (crc >> 8) ^ TABLE[index];
    }
    !crc
}

const fn table() -> [u32; 256] {
    let mut table = [0u32; 256];
    let mut index = 0;
    let mut seed = 0u32;
    while index < 256 {
        let mut value = seed;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ 0xEDB8_8320 } else { value >> 1 };
            bit += 1;
        }
        table[index] = value;
        index += 1;
        seed += 1;
    }
    table
}

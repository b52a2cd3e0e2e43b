//! Frames of the journal: bytes to entries and back. Must not touch files.

use engine::apply::Record;
use model::BootId;
use serde::{Deserialize, Serialize};

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
    /// What it says.
    pub record: Record,
}

impl Entry {
    /// The bytes to append.
    pub fn to_frame(&self) -> Result<Vec<u8>, serde_json::Error> {
        let payload = serde_json::to_vec(self)?;
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let mut frame = Vec::with_capacity(HEADER_BYTES + payload.len());
        frame.extend(length.to_le_bytes());
        frame.extend(crc32(&payload).to_le_bytes());
        frame.extend(payload);
        Ok(frame)
    }
}

/// What a journal file holds.
#[derive(Debug)]
pub struct Scan {
    /// Its entries.
    pub entries: Vec<Entry>,
    /// Length of the good part.
    pub good_length: u64,
    /// Whether something unfinished follows.
    pub torn: bool,
}

/// Reads all frames. A bad frame at the end is a torn one; with a good frame anywhere behind it,
/// the file is corrupt.
pub fn scan(bytes: &[u8]) -> Result<Scan, String> {
    let mut entries = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let Some((payload, next)) = frame_at(bytes, at) else {
            if good_frame_behind(bytes, at) {
                return Err(format!("the record at byte {at} is corrupt, and good ones follow"));
            }
            break;
        };
        // The checksum is right: what cannot be read was written by something else.
        let entry = serde_json::from_slice(payload)
            .map_err(|error| format!("the record at byte {at} is not known to this agent: {error}"))?;
        entries.push(entry);
        at = next;
    }
    let good_length = u64::try_from(at).unwrap_or(u64::MAX);
    Ok(Scan { entries, good_length, torn: at < bytes.len() })
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

/// A frame's payload begins with `{`, which spares most checksums.
fn good_frame_behind(bytes: &[u8], at: usize) -> bool {
    (at.saturating_add(1)..bytes.len())
        .filter(|from| bytes.get(from.saturating_add(HEADER_BYTES)) == Some(&b'{'))
        .any(|from| frame_at(bytes, from).is_some())
}

/// CRC-32 (IEEE 802.3), bit by bit with a table made at compile time.
pub fn crc32(bytes: &[u8]) -> u32 {
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

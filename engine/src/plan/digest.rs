//! The digest of a plan: SHA-256 over the canonical JSON of its steps.

use model::{PlanDigest, Step};
use sha2::{Digest, Sha256};

/// Hashes what is written, without keeping it.
struct Hashing(Sha256);

impl std::io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Digest in lower-case hexadecimal. Field order is the declaration order, maps are sorted: equal steps give
/// equal bytes on every machine.
#[must_use]
pub fn digest(steps: &[Step]) -> PlanDigest {
    let mut hashing = Hashing(Sha256::new());
    if serde_json::to_writer(&mut hashing, steps).is_err() {
        hashing = Hashing(Sha256::new());
    }
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    let hash = hashing.0.finalize();
    PlanDigest(hash.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect())
}

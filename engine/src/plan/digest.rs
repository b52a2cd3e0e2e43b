//! The digest of a plan: SHA-256 over the canonical JSON of its steps.

use model::{PlanDigest, Step};
use sha2::{Digest, Sha256};

/// Digest in lower-case hexadecimal. Field order is the declaration order, maps are sorted: equal steps give
/// equal bytes on every machine.
pub(super) fn digest(steps: &[Step]) -> PlanDigest {
    let bytes = serde_json::to_vec(steps).unwrap_or_default();
    let hash = Sha256::digest(&bytes);
    PlanDigest(hash.iter().map(|byte| format!("{byte:02x}")).collect())
}

//! The leaf of one host in a release: made from the order, never sent. Both sides build it here.

use super::merkle::leaf_hash;
use model::{Generation, Order, ReleaseLeaf, Sha256Hash};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Canonical JSON of a leaf or a manifest: the bytes that are hashed, signed and stored.
#[must_use]
pub fn to_bytes<T: Serialize>(document: &T) -> Vec<u8> {
    // These are plain data with text keys: writing them as JSON cannot fail, and no bytes prove nothing.
    serde_json::to_vec(document).unwrap_or_default()
}

/// The leaf of an order: `order_json` are the exact bytes that are sent.
#[must_use]
pub fn leaf_of(order: &Order, order_json: &[u8], parent: Generation, wave: u32) -> ReleaseLeaf {
    ReleaseLeaf {
        host: order.host.clone(),
        generation: order.generation,
        parent,
        wave,
        desired_sha256: Sha256Hash(Sha256::digest(to_bytes(&order.desired)).into()),
        plan_digest: order.plan_digest.clone(),
        order_sha256: Sha256Hash(Sha256::digest(order_json).into()),
    }
}

/// The hash of a leaf in the tree.
#[must_use]
pub fn release_leaf_hash(leaf: &ReleaseLeaf) -> Sha256Hash {
    leaf_hash(&to_bytes(leaf))
}

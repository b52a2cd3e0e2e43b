//! Sealing a release: from the exact orders of a change to the Merkle root that approvers sign, and each host's path to it.
//!
//! Owns: which leaf is whose. Leaves, hashes and the tree are `proof`'s. Must not: make an order. Called by the
//! coordinator when a change is accepted, and by the verbs of approvers, who build everything anew before they sign.

use crate::proof::{MerkleTree, leaf_of, release_leaf_hash};
use model::{Generation, HostId, Order, Sha256Hash};
use std::collections::BTreeMap;

/// One host's part, before it is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The exact bytes of its order.
    pub order: Vec<u8>,
    /// What the host had committed when the change was accepted; 0 for nothing.
    pub parent: Generation,
    /// Its wave, from 0.
    pub wave: u32,
}

/// One host's place in the release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The host.
    pub host: HostId,
    /// Which of the parts it is.
    pub part: usize,
    /// Position of its leaf, from 0.
    pub index: u32,
    /// Hashes of the siblings, bottom-up.
    pub path: Vec<Sha256Hash>,
}

/// A sealed release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// What the manifest holds.
    pub root: Sha256Hash,
    /// Every host, in order of name.
    pub leaves: Vec<Sealed>,
}

/// Why parts make no release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// There are none.
    #[error("it has no hosts")]
    Empty,
    /// One host twice.
    #[error("it has two orders for {0}")]
    Twice(HostId),
    /// An order cannot be read.
    #[error("it has an order that is not understood: {0}")]
    Order(String),
}

/// Seals the parts; their order does not matter.
///
/// # Errors
/// When there are none, two for one host, or an order that is not understood.
pub fn seal(parts: &[Part]) -> Result<Release, SealError> {
    let mut by_host: BTreeMap<HostId, (usize, Sha256Hash)> = BTreeMap::new();
    for (number, Part { order: bytes, parent, wave }) in parts.iter().enumerate() {
        let order: Order =
            serde_json::from_slice(bytes).map_err(|error| SealError::Order(error.to_string()))?;
        let hash = release_leaf_hash(&leaf_of(&order, bytes, *parent, *wave));
        if by_host.insert(order.host.clone(), (number, hash)).is_some() {
            return Err(SealError::Twice(order.host));
        }
    }
    let tree = MerkleTree::new(by_host.values().map(|(_, hash)| *hash).collect()).ok_or(SealError::Empty)?;
    let leaf = |(index, (host, (part, _))): (u32, (HostId, (usize, Sha256Hash)))| {
        let path = tree.path(index).ok_or(SealError::Empty)?;
        Ok(Sealed { host, part, index, path })
    };
    let leaves = (0..).zip(by_host).map(leaf).collect::<Result<_, SealError>>()?;
    Ok(Release { root: tree.root(), leaves })
}

#[cfg(test)]
mod tests;

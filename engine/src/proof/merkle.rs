//! The Merkle tree of RFC 6962 over the leaves of a release: a root for all hosts, a short path for one.
//! Must not know what a leaf says.

use model::Sha256Hash;
use sha2::{Digest, Sha256};

/// Distinguishes the hash of a leaf from that of a node.
const LEAF_PREFIX: [u8; 1] = [0x00];
const NODE_PREFIX: [u8; 1] = [0x01];

/// The hash of a leaf's bytes.
#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> Sha256Hash {
    Sha256Hash(Sha256::new().chain_update(LEAF_PREFIX).chain_update(leaf).finalize().into())
}

fn node_hash(left: Sha256Hash, right: Sha256Hash) -> Sha256Hash {
    let hash = Sha256::new().chain_update(NODE_PREFIX).chain_update(left.0).chain_update(right.0);
    Sha256Hash(hash.finalize().into())
}

/// A tree with all its nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MerkleTree {
    /// Leaves first, the root last. The last node of an odd level is its own parent.
    levels: Vec<Vec<Sha256Hash>>,
}

impl MerkleTree {
    /// The tree over leaf hashes in their order; none for no leaves.
    #[must_use]
    pub fn new(leaves: Vec<Sha256Hash>) -> Option<Self> {
        if leaves.is_empty() {
            return None;
        }
        let mut levels = vec![leaves];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let above = below.chunks(2).map(|pair| match pair {
                [left, right] => node_hash(*left, *right),
                alone => alone[0],
            });
            levels.push(above.collect());
        }
        Some(Self { levels })
    }

    /// The hash over everything.
    #[must_use]
    pub fn root(&self) -> Sha256Hash {
        // A tree has at least one level, and its last level has one node.
        self.levels.last().and_then(|level| level.first()).copied().unwrap_or(Sha256Hash([0; 32]))
    }

    /// The siblings of a leaf, bottom-up; none when there is no such leaf.
    #[must_use]
    pub fn path(&self, leaf: u32) -> Option<Vec<Sha256Hash>> {
        let mut index = usize::try_from(leaf).ok()?;
        self.levels.first()?.get(index)?;
        let mut path = Vec::new();
        for level in &self.levels {
            if let Some(sibling) = level.get(index ^ 1) {
                path.push(*sibling);
            }
            index /= 2;
        }
        Some(path)
    }
}

/// Whether a leaf with this hash stands at `index` of `count` leaves below `root` (RFC 9162, 2.1.3.2).
#[must_use]
pub fn is_included(leaf: Sha256Hash, index: u32, count: u32, path: &[Sha256Hash], root: Sha256Hash) -> bool {
    if index >= count {
        return false;
    }
    let (mut node, mut last, mut hash) = (index, count - 1, leaf);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(*sibling, hash);
            // The last node of odd levels goes up alone.
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(hash, *sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && hash == root
}

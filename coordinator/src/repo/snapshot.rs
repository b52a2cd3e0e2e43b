//! The state files of one commit, in memory, without a checkout, a filter or an attribute.
//!
//! Must not: interpret a file. Called by: the review pipeline and the operator commands, through [`Mirror`].

use std::collections::BTreeMap;

use super::error::SnapshotError;
use super::ident::{CommitId, TreeId};
use super::mirror::Mirror;
use super::walk::{self, RefusedEntry};

/// What a commit says, as files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The commit that was read.
    pub commit: CommitId,
    /// Its root tree; two commits with equal trees say the same.
    pub tree: TreeId,
    /// `pointsman.yaml`, `groups/**` and `rfcs/**` by path from the root. The bytes are as committed.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Entries that cannot be state. A commit with any of them is not to be applied.
    pub refused: Vec<RefusedEntry>,
    /// Entries outside the state, which were only counted.
    pub ignored: usize,
}

impl Mirror {
    /// Reads the state files of `commit`, within the mirror's limits.
    ///
    /// # Errors
    /// When the commit is unknown, damaged, or exceeds a limit that concerns the whole tree. A single bad entry is
    /// in [`Snapshot::refused`] instead.
    pub fn snapshot(&self, commit: CommitId) -> Result<Snapshot, SnapshotError> {
        let limits = self.limits();
        let listing = walk::list(self.repo(), commit, limits)?;
        let mut files = BTreeMap::new();
        let mut total: u64 = 0;
        for (path, id) in listing.files {
            let blob = self.repo().find_blob(id).map_err(|error| walk::corrupt(commit, &error))?;
            total += blob.size() as u64;
            if total > limits.total_bytes {
                return Err(SnapshotError::TooManyBytes { commit, limit: limits.total_bytes });
            }
            files.insert(path, blob.content().to_vec());
        }
        Ok(Snapshot { commit, tree: listing.tree, files, refused: listing.refused, ignored: listing.ignored })
    }
}

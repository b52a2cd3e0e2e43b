//! Commits that are only proposed: fetched by their ref, and merged in memory to see what the branch would become.
//!
//! Owns: bringing one more ref here without moving the branch, and the merge result as a commit that no ref points to. Must
//! not: check out, keep a ref, or look for renames (that would compare contents a stranger chose). Called by the task that
//! reviews proposals.

use git2::{ErrorCode, Index, MergeOptions, Oid, Reference, Repository, Signature, Time};

use super::error::{FetchRepoError, SnapshotError, printable};
use super::ident::CommitId;
use super::mirror::Mirror;
use super::walk;

/// Conflicting paths that are named.
const CONFLICTS_SHOWN_MAX: usize = 20;
/// Author of merge results.
const MERGER: (&str, &str) = ("Pointsman", "pointsman@localhost");

/// What comes of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merge {
    /// This commit: the proposal's own head when the branch has not moved since it was begun, else one made for the purpose.
    Clean(CommitId),
    /// The branch has it already.
    Contained,
    /// These paths were changed on both sides. At most 20, then their number.
    Conflicts {
        /// Paths; unusual characters are escaped.
        paths: Vec<String>,
        /// How many there are.
        count: usize,
    },
}

impl Mirror {
    /// Brings one ref of the remote here, e.g. `refs/heads/topic`. The branch that is followed stays where it is.
    ///
    /// # Errors
    /// As [`Mirror::fetch`]; a ref that is not there is [`FetchRepoError::BranchMissing`].
    pub fn fetch_topic(&mut self, reference: &str) -> Result<CommitId, FetchRepoError> {
        if !Reference::is_valid_name(reference) {
            return Err(self.missing(reference));
        }
        let fetched = self.fetch_incoming(reference)?;
        fetched.map(CommitId::new).ok_or_else(|| self.missing(reference))
    }

    /// Merges `head` into `base`, in memory. Equal commits give an equal result.
    ///
    /// # Errors
    /// As [`Mirror::snapshot`]: both trees are held to the mirror's limits first.
    pub fn merge(&self, base: CommitId, head: CommitId) -> Result<Merge, SnapshotError> {
        walk::list(self.repo(), head, self.limits())?;
        walk::list(self.repo(), base, self.limits())?;
        merge(self.repo(), base.oid(), head.oid()).map_err(|error| walk::corrupt(head, &error))
    }

    /// Whether `commit` is `part` or has it in its history; no when either is not here.
    #[must_use]
    pub fn contains(&self, commit: CommitId, part: CommitId) -> bool {
        let repo = self.repo();
        commit == part || repo.graph_descendant_of(commit.oid(), part.oid()).unwrap_or(false)
    }
}

fn merge(repo: &Repository, base: Oid, head: Oid) -> Result<Merge, git2::Error> {
    let common = match repo.merge_base(base, head) {
        Ok(common) => Some(common),
        Err(error) if error.code() == ErrorCode::NotFound => None,
        Err(error) => return Err(error),
    };
    if common == Some(head) {
        return Ok(Merge::Contained);
    }
    if common == Some(base) {
        return Ok(Merge::Clean(CommitId::new(head)));
    }
    let (ours, theirs) = (repo.find_commit(base)?, repo.find_commit(head)?);
    let mut options = MergeOptions::new();
    options.find_renames(false);
    let mut index = repo.merge_commits(&ours, &theirs, Some(&options))?;
    if index.has_conflicts() {
        return conflicts(&index);
    }
    let tree = repo.find_tree(index.write_tree_to(repo)?)?;
    let time = theirs.time().seconds().max(ours.time().seconds());
    let who = Signature::new(MERGER.0, MERGER.1, &Time::new(time, 0))?;
    let message = format!("Merge result of {head} into {base}\n");
    let commit = repo.commit(None, &who, &who, &message, &tree, &[&ours, &theirs])?;
    Ok(Merge::Clean(CommitId::new(commit)))
}

fn conflicts(index: &Index) -> Result<Merge, git2::Error> {
    let mut paths = Vec::new();
    let mut count = 0;
    for conflict in index.conflicts()? {
        let conflict = conflict?;
        count += 1;
        let entry = conflict.our.or(conflict.their).or(conflict.ancestor);
        if let Some(entry) = entry.filter(|_| paths.len() < CONFLICTS_SHOWN_MAX) {
            paths.push(printable(&String::from_utf8_lossy(&entry.path)));
        }
    }
    Ok(Merge::Conflicts { paths, count })
}

//! Errors of the repository module. Each names the object and what to do next; none carries a credential.
//!
//! Must not: hold a libgit2 error (its text is copied, made printable). Called by: every part of this module.

use std::path::PathBuf;

use thiserror::Error;

use super::ident::CommitId;

/// Characters of foreign text kept in an error.
const FOREIGN_CHARS: usize = 400;

/// Makes text that came from outside printable and short, for errors and logs.
pub(super) fn printable(text: &str) -> String {
    let flat: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    flat.trim().chars().take(FOREIGN_CHARS).collect()
}

/// Why a mirror could not be opened.
#[derive(Debug, Error)]
pub enum OpenMirrorError {
    /// The address cannot be used.
    #[error("repository address `{url}`: {reason}")]
    BadUrl {
        /// The address as given.
        url: String,
        /// What is wrong and what is accepted.
        reason: String,
    },
    /// The branch name cannot be used.
    #[error("`{branch}` is not a branch name: give it without `refs/heads/`, as `git branch` prints it")]
    BadBranch {
        /// The name as given.
        branch: String,
    },
    /// The credential does not fit the address.
    #[error("credential for `{url}`: {reason}")]
    AuthMismatch {
        /// The address.
        url: String,
        /// What is wrong and what to use.
        reason: &'static str,
    },
    /// The directory holds something that is not our mirror.
    #[error("{} holds files that are not a Pointsman mirror: give an empty or new directory", path.display())]
    NotAMirror {
        /// The directory.
        path: PathBuf,
    },
    /// Another process, or another part of this one, has the mirror open.
    #[error("the mirror {} is in use: stop the other coordinator or give this one a directory of its own", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The directory cannot be read or written.
    #[error("the mirror {}: {reason}: check the directory's owner, rights and free space", path.display())]
    Storage {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The HTTP client or its TLS provider could not be set up.
    #[error("https client: {reason}")]
    HttpClient {
        /// What is missing.
        reason: String,
    },
}

/// Why a fetch did not bring the branch up to date. The mirror keeps the head it had.
#[derive(Debug, Error)]
pub enum FetchRepoError {
    /// No connection, no such repository, or the connection was lost.
    #[error("cannot reach {url}: {reason}: check the address, the network and that the repository exists")]
    Unreachable {
        /// The address.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The remote, or its host key, was not accepted.
    #[error("{url} refused access: {reason}: check the token or key, its rights, and the known host keys")]
    AuthRefused {
        /// The address.
        url: String,
        /// What the other side said.
        reason: String,
    },
    /// The remote has refs, but not this branch.
    #[error("{url} has no branch `{branch}`: create it or correct the branch in the settings")]
    BranchMissing {
        /// The address.
        url: String,
        /// The branch that is followed.
        branch: String,
    },
    /// More was sent than is allowed; nothing of it is kept.
    #[error("{url} sends more than {limit} {unit}: remove large files from the history or raise the limit")]
    TooBig {
        /// The address.
        url: String,
        /// The limit.
        limit: u64,
        /// `bytes` or `objects`.
        unit: &'static str,
    },
    /// The time for one fetch was over.
    #[error("{url} was not fetched within {seconds} s: check the network or raise the limit")]
    TimedOut {
        /// The address.
        url: String,
        /// The limit.
        seconds: u64,
    },
    /// The other side does not speak Git, or sent something broken.
    #[error("{url} gave an unusable answer: {reason}: check that the address is a Git repository")]
    BadReply {
        /// The address.
        url: String,
        /// What was wrong.
        reason: String,
    },
    /// The mirror itself failed.
    #[error("the mirror {}: {reason}: check free space and rights, or remove the directory to start again", path.display())]
    Storage {
        /// The mirror's directory.
        path: PathBuf,
        /// What happened.
        reason: String,
    },
}

/// Why a commit's state could not be read at all. A single bad entry is a `RefusedEntry` instead.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum SnapshotError {
    /// The commit is not in the mirror.
    #[error("commit {commit} is not in the mirror: fetch first, or check the branch")]
    UnknownCommit {
        /// The commit.
        commit: CommitId,
    },
    /// The tree has more entries than allowed.
    #[error("commit {commit} has more than {limit} entries: keep only configuration in this repository")]
    TooManyFiles {
        /// The commit.
        commit: CommitId,
        /// The limit.
        limit: usize,
    },
    /// The state files together are too big.
    #[error("the state files of commit {commit} exceed {limit} bytes: split the fleet or raise the limit")]
    TooManyBytes {
        /// The commit.
        commit: CommitId,
        /// The limit.
        limit: u64,
    },
    /// One directory listing is too big to be honest.
    #[error("the directory `{path}` of commit {commit} is larger than {limit} bytes: reject this commit")]
    TreeTooBig {
        /// The commit.
        commit: CommitId,
        /// The directory, empty for the root.
        path: String,
        /// The limit.
        limit: usize,
    },
    /// An object is missing or damaged.
    #[error(
        "commit {commit} cannot be read: {reason}: rebuild the mirror; if it stays so, the remote is damaged"
    )]
    Corrupt {
        /// The commit.
        commit: CommitId,
        /// What is missing or damaged.
        reason: String,
    },
}

/// Why facts about commits could not be read.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum ReadCommitError {
    /// The commit is not in the mirror.
    #[error("commit {commit} is not in the mirror: fetch first, or check the branch")]
    UnknownCommit {
        /// The commit.
        commit: CommitId,
    },
    /// The commit object is larger than any honest one.
    #[error("commit {commit} is a {bytes} byte object, more than {limit}: reject it")]
    TooBig {
        /// The commit.
        commit: CommitId,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The object is damaged.
    #[error("commit {commit} cannot be read: {reason}: rebuild the mirror")]
    Corrupt {
        /// The commit.
        commit: CommitId,
        /// What is damaged.
        reason: String,
    },
}

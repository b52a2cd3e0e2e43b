//! The configuration repository: a bare mirror, read without a checkout.
//!
//! Owns: fetching one branch (and proposals to it) over file, https and ssh, merging in memory, reading a commit's state files into memory, and comparing
//! commits. Everything in the repository is hostile input: paths, modes, sizes and counts are bounded here.
//! Must not: interpret a document, write a work tree, run a hook or a filter, or depend on another coordinator module.
//! Called by: the task that follows the main branch, and the operator commands that check a revision.
//!
//! Every call **blocks** (network, disk). Keep a [`Mirror`] on a thread of its own, never on an async worker: the
//! HTTP client underneath panics there. A [`Mirror`] is `Send`, one owner at a time.

mod diff;
mod error;
mod ident;
mod mirror;
mod settings;
mod snapshot;
mod store;
mod topic;
mod transport;
mod walk;

#[cfg(test)]
mod testkit;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_fetch;
#[cfg(test)]
mod tests_topic;

pub use diff::{ChangeKind, ChangedPath, CommitInfo, CommitRange};
pub use error::{FetchRepoError, OpenMirrorError, ReadCommitError, SnapshotError};
pub use ident::{CommitId, InvalidId, TreeId};
pub use mirror::{FetchReport, Mirror, Rewrite};
pub use settings::{Auth, MirrorSettings, RepoLimits};
pub use snapshot::Snapshot;
pub use store::MirrorOrigin;
pub use topic::Merge;
pub use walk::{Refusal, RefusedEntry};

//! The vocabulary of all forges. Must not: know one of them.

use super::ForgeKind;
use crate::repo::CommitId;
use serde::{Deserialize, Serialize};

/// Where a pull request is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullState {
    /// It can still be merged.
    Open,
    /// Closed without a merge.
    Closed,
    /// On its base branch.
    Merged,
}

/// Where the commits of a pull request come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Another repository than ours, or one that is gone: somebody without rights on ours may have written it.
    pub fork: bool,
    /// Its name, when the forge says one.
    pub repository: Option<String>,
    /// Its branch.
    pub branch: String,
}

/// A proposal to merge commits into a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number in the repository.
    pub number: u64,
    /// One line, written by its author.
    pub title: String,
    /// The account that opened it.
    pub author: String,
    /// Last commit of it.
    pub head: CommitId,
    /// Branch it wants to be merged into.
    pub base: String,
    /// Where its commits come from.
    pub source: Source,
    /// Its author is not done.
    pub draft: bool,
    /// Where it is in its life.
    pub state: PullState,
    /// The commit on the base branch that holds it, once it is merged.
    pub merged: Option<CommitId>,
    /// Its labels.
    pub labels: Vec<String>,
    /// Page for people.
    pub page: String,
}

/// Number of a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommentId(pub u64);

/// A comment of a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Its number.
    pub id: CommentId,
    /// The account that wrote it.
    pub author: String,
    /// Its text.
    pub body: String,
    /// Page for people, when the forge says one.
    pub page: Option<String>,
}

/// How a commit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusState {
    /// Being looked at, or rolled out.
    Pending,
    /// Good.
    Success,
    /// Refused: its author has to do something.
    Failure,
    /// Could not be decided: somebody has to look at Pointsman.
    Error,
}

/// What is shown beside a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitStatus {
    /// How it stands.
    pub state: StatusState,
    /// One line; what the forge does not take is cut off.
    pub description: String,
    /// Page for people.
    pub target: Option<String>,
    /// Name of the check: one status for each name.
    pub context: String,
}

impl CommitStatus {
    /// The line as this forge takes it.
    #[must_use]
    pub fn description_for(&self, kind: ForgeKind) -> String {
        let flat: String = self.description.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let most = kind.description_chars();
        if flat.chars().count() <= most {
            return flat;
        }
        let kept: String = flat.chars().take(most - 1).collect();
        format!("{kept}\u{2026}")
    }
}

/// What somebody said by the forge's review.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReviewVerdict {
    /// Agreed.
    Approved,
    /// Wants changes.
    ChangesWanted,
    /// Anything else.
    Other,
}

/// A review on the forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// The account.
    pub author: String,
    /// What it said.
    pub verdict: ReviewVerdict,
    /// The commit it looked at, when the forge says one.
    pub commit: Option<CommitId>,
}

//! Forges: the places where pull requests live (GitHub, GitLab, Gitea and Forgejo), behind one small vocabulary.
//!
//! Owns: the trait [`Forge`] and its three clients, the one comment of a pull request ([`sticky`]), and what a webhook must
//! prove ([`Hooks`]). Must not: judge a change, store anything, listen on a port, or believe a webhook: an event is only a
//! hint to look again. Addresses, repository and secrets come from settings, never from what a forge sent. Called by the
//! task that reviews pull requests and by the route that takes webhooks.
//!
//! Written for: GitHub REST API version 2022-11-28 (github.com, and GitHub Enterprise Server 3.9 and later), GitLab REST API
//! v4 (16.0 and later; signed webhooks need a GitLab that offers a signing token), Gitea 1.20 and later, Forgejo 1.20 and
//! later. See `docs/how-to/connect-a-forge.md`.

mod app_token;
mod clients;
mod error;
mod settings;
pub mod sticky;
mod transport;
mod types;
mod webhook;

#[cfg(test)]
pub(crate) mod tests;

pub use clients::open;
pub use error::ForgeError;
pub use settings::{Credential, ForgeKind, ForgeSettings};
pub use transport::HttpLimits;
pub use types::{
    Comment, CommentId, CommitStatus, PullRequest, PullState, Review, ReviewVerdict, Source, StatusState,
};
pub use webhook::{Arrived, ForgeEvent, HookRefusal, Hooks};

use crate::repo::CommitId;
use std::future::Future;
use std::pin::Pin;

/// What a forge answers.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, ForgeError>> + Send + 'a>>;

/// One repository on a forge.
pub trait Forge: Send + Sync {
    /// Which kind of forge.
    fn kind(&self) -> ForgeKind;

    /// The name we write under.
    fn account(&self) -> Answer<'_, String>;

    /// One pull request.
    fn pull_request(&self, number: u64) -> Answer<'_, PullRequest>;

    /// Every open pull request into this branch.
    fn open_pull_requests<'a>(&'a self, base: &'a str) -> Answer<'a, Vec<PullRequest>>;

    /// Pull requests merged into this branch, of those that were closed last: one page, newest first.
    fn merged_pull_requests<'a>(&'a self, base: &'a str) -> Answer<'a, Vec<PullRequest>>;

    /// Every comment of a pull request, oldest first.
    fn comments(&self, number: u64) -> Answer<'_, Vec<Comment>>;

    /// Writes a comment. Not tried again by itself: the forge may have taken it without saying so.
    fn add_comment<'a>(&'a self, number: u64, body: &'a str) -> Answer<'a, Comment>;

    /// Changes a comment.
    fn edit_comment<'a>(&'a self, number: u64, comment: CommentId, body: &'a str) -> Answer<'a, ()>;

    /// Removes a comment; one that is gone already is no error.
    fn delete_comment(&self, number: u64, comment: CommentId) -> Answer<'_, ()>;

    /// Says how a commit stands.
    fn set_status<'a>(&'a self, commit: CommitId, status: &'a CommitStatus) -> Answer<'a, ()>;

    /// Puts labels on a pull request and takes others off; a label that is not there is no error.
    fn set_labels<'a>(&'a self, number: u64, add: &'a [&'a str], remove: &'a [&'a str]) -> Answer<'a, ()>;

    /// What people said by the forge's own review. A reason to look again, never a proof of approval.
    fn reviews(&self, number: u64) -> Answer<'_, Vec<Review>>;
}

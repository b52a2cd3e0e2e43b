//! One file for each kind of forge: its paths, its words, its oddities. Must not: know how a request travels (`transport`).

mod gitea;
mod github;
mod gitlab;

use super::transport::Http;
use super::{Forge, ForgeError, ForgeKind, ForgeSettings, HttpLimits, ReviewVerdict};
use crate::repo::CommitId;
use serde::Deserialize;
use std::sync::Arc;

/// The client that these settings mean. Connects to nothing.
///
/// # Errors
/// When the settings cannot work.
pub fn open(settings: &ForgeSettings, limits: HttpLimits) -> Result<Arc<dyn Forge>, ForgeError> {
    let (owner, name) = settings.owner_and_name()?;
    let (owner, name) = (owner.to_owned(), name.to_owned());
    let http = Http::new(settings, limits)?;
    Ok(match settings.kind {
        ForgeKind::Github => Arc::new(github::Github::new(http, owner, name)),
        ForgeKind::Gitlab => Arc::new(gitlab::Gitlab::new(http, settings.repository.clone())),
        ForgeKind::Gitea => Arc::new(gitea::Gitea::new(http, owner, name)),
    })
}

/// An account as GitHub and Gitea write it; null when it was deleted.
#[derive(Deserialize)]
struct User {
    login: String,
}

/// A label as GitHub and Gitea write it.
#[derive(Deserialize)]
struct Label {
    name: String,
}

/// A comment as GitHub and Gitea write it.
#[derive(Deserialize)]
struct IssueComment {
    id: u64,
    #[serde(default)]
    body: Option<String>,
    user: Option<User>,
    html_url: Option<String>,
}

impl From<IssueComment> for super::Comment {
    fn from(comment: IssueComment) -> Self {
        let IssueComment { id, body, user, html_url } = comment;
        Self { id: super::CommentId(id), author: login(user), body: body.unwrap_or_default(), page: html_url }
    }
}

/// A review as GitHub and Gitea write it.
#[derive(Deserialize)]
struct PullReview {
    user: Option<User>,
    #[serde(default)]
    state: String,
    commit_id: Option<String>,
}

impl From<PullReview> for super::Review {
    fn from(review: PullReview) -> Self {
        let verdict = match review.state.as_str() {
            "APPROVED" => ReviewVerdict::Approved,
            // GitHub's word, and Gitea's.
            "CHANGES_REQUESTED" | "REQUEST_CHANGES" => ReviewVerdict::ChangesWanted,
            _ => ReviewVerdict::Other,
        };
        Self {
            author: login(review.user),
            verdict,
            commit: review.commit_id.and_then(|commit| commit.parse().ok()),
        }
    }
}

fn login(user: Option<User>) -> String {
    user.map(|user| user.login).unwrap_or_default()
}

/// A commit's name out of an answer.
fn commit(doing: &str, text: &str) -> Result<CommitId, ForgeError> {
    text.parse().map_err(|error: crate::repo::InvalidId| ForgeError::BadAnswer {
        doing: doing.to_owned(),
        reason: error.to_string(),
    })
}

//! Gitea and Forgejo: API v1, from 1.20 on. Must not: know how a request travels.
//!
//! Oddities: pull requests cannot be asked for by base branch in all of these versions, so ours are picked out; comments come
//! without pages; labels are named by number, and have to exist.

use super::super::transport::{Ask, Http};
use super::super::{
    Answer, Comment, CommentId, CommitStatus, Forge, ForgeError, ForgeKind, PullRequest, PullState, Review,
    Source, StatusState,
};
use super::{IssueComment, Label, PullReview, User, commit, login};
use crate::repo::CommitId;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::OnceCell;

/// Entries of a page: the most Gitea gives as it is shipped.
const PAGE: &str = "50";
/// Colour of a label we make.
const LABEL_COLOUR: &str = "#1f6feb";

/// One repository on Gitea or Forgejo.
pub(super) struct Gitea {
    http: Http,
    owner: String,
    name: String,
    account: OnceCell<String>,
}

#[derive(Deserialize)]
struct Pull {
    number: u64,
    #[serde(default)]
    title: String,
    user: Option<User>,
    head: Head,
    base: Base,
    state: String,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    merged: bool,
    merge_commit_sha: Option<String>,
    #[serde(default)]
    labels: Option<Vec<Label>>,
    #[serde(default)]
    html_url: String,
}

#[derive(Deserialize)]
struct Head {
    sha: String,
    #[serde(rename = "ref", default)]
    branch: String,
    /// Null when the fork was deleted.
    repo: Option<Repo>,
}

#[derive(Deserialize)]
struct Base {
    #[serde(rename = "ref")]
    branch: String,
}

#[derive(Deserialize)]
struct Repo {
    full_name: String,
}

#[derive(Deserialize)]
struct KnownLabel {
    id: u64,
    name: String,
}

impl Gitea {
    pub(super) fn new(http: Http, owner: String, name: String) -> Self {
        Self { http, owner, name, account: OnceCell::new() }
    }

    fn path<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        ["repos", &self.owner, &self.name].into_iter().chain(rest.iter().copied()).collect()
    }

    fn pull(&self, pull: Pull) -> Result<PullRequest, ForgeError> {
        let repository = pull.head.repo.map(|repo| repo.full_name);
        let ours = format!("{}/{}", self.owner, self.name);
        let state = match (pull.merged, pull.state.as_str()) {
            (true, _) => PullState::Merged,
            (false, "open") => PullState::Open,
            (false, _) => PullState::Closed,
        };
        let merged = match (state, &pull.merge_commit_sha) {
            (PullState::Merged, Some(sha)) => Some(commit("a pull request", sha)?),
            _ => None,
        };
        Ok(PullRequest {
            number: pull.number,
            title: pull.title,
            author: login(pull.user),
            head: commit("a pull request", &pull.head.sha)?,
            base: pull.base.branch,
            source: Source {
                fork: !repository.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(&ours)),
                repository,
                branch: pull.head.branch,
            },
            draft: pull.draft,
            state,
            merged,
            labels: pull.labels.unwrap_or_default().into_iter().map(|label| label.name).collect(),
            page: pull.html_url,
        })
    }

    fn of_base(&self, found: Vec<Pull>, base: &str) -> Result<Vec<PullRequest>, ForgeError> {
        found.into_iter().filter(|pull| pull.base.branch == base).map(|pull| self.pull(pull)).collect()
    }

    /// The number of a label, which is made when `make` is set.
    async fn label(&self, known: &[KnownLabel], name: &str, make: bool) -> Result<Option<u64>, ForgeError> {
        if let Some(label) = known.iter().find(|label| label.name == name) {
            return Ok(Some(label.id));
        }
        if !make {
            return Ok(None);
        }
        let body = json!({"name": name, "color": LABEL_COLOUR, "description": "Set by Pointsman"});
        let label: KnownLabel = self.http.json(Ask::post(&self.path(&["labels"]), body).once()).await?;
        Ok(Some(label.id))
    }
}

impl Forge for Gitea {
    fn kind(&self) -> ForgeKind {
        ForgeKind::Gitea
    }

    fn account(&self) -> Answer<'_, String> {
        Box::pin(async {
            let ask = async || self.http.json::<User>(Ask::get(&["user"])).await.map(|user| user.login);
            self.account.get_or_try_init(ask).await.cloned()
        })
    }

    fn pull_request(&self, number: u64) -> Answer<'_, PullRequest> {
        Box::pin(async move {
            let ask = Ask::get(&self.path(&["pulls", &number.to_string()]));
            self.pull(self.http.json(ask).await?)
        })
    }

    fn open_pull_requests<'a>(&'a self, base: &'a str) -> Answer<'a, Vec<PullRequest>> {
        Box::pin(async move {
            let ask = Ask::get(&self.path(&["pulls"])).query("state", "open").query("limit", PAGE);
            self.of_base(self.http.all(ask).await?, base)
        })
    }

    fn merged_pull_requests<'a>(&'a self, base: &'a str) -> Answer<'a, Vec<PullRequest>> {
        Box::pin(async move {
            let ask = Ask::get(&self.path(&["pulls"])).query("state", "closed");
            let ask = ask.query("sort", "recentupdate").query("limit", PAGE);
            let found = self.of_base(self.http.json(ask).await?, base)?;
            Ok(found.into_iter().filter(|pull| pull.state == PullState::Merged).collect())
        })
    }

    fn comments(&self, number: u64) -> Answer<'_, Vec<Comment>> {
        Box::pin(async move {
            let ask = Ask::get(&self.path(&["issues", &number.to_string(), "comments"]));
            let found: Vec<IssueComment> = self.http.json(ask).await?;
            Ok(found.into_iter().map(Comment::from).collect())
        })
    }

    fn add_comment<'a>(&'a self, number: u64, body: &'a str) -> Answer<'a, Comment> {
        Box::pin(async move {
            let number = number.to_string();
            let ask = Ask::post(&self.path(&["issues", &number, "comments"]), json!({"body": body})).once();
            self.http.json::<IssueComment>(ask).await.map(Comment::from)
        })
    }

    fn edit_comment<'a>(&'a self, _number: u64, comment: CommentId, body: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            let id = comment.0.to_string();
            let ask = Ask::patch(&self.path(&["issues", "comments", &id]), json!({"body": body}));
            self.http.done(ask).await
        })
    }

    fn delete_comment(&self, _number: u64, comment: CommentId) -> Answer<'_, ()> {
        Box::pin(async move {
            let id = comment.0.to_string();
            self.http.done_or_gone(Ask::delete(&self.path(&["issues", "comments", &id]))).await
        })
    }

    fn set_status<'a>(&'a self, commit: CommitId, status: &'a CommitStatus) -> Answer<'a, ()> {
        Box::pin(async move {
            let state = match status.state {
                StatusState::Pending => "pending",
                StatusState::Success => "success",
                StatusState::Failure => "failure",
                StatusState::Error => "error",
            };
            let body = json!({
                "state": state,
                "description": status.description_for(ForgeKind::Gitea),
                "context": status.context,
                "target_url": status.target.as_deref().unwrap_or_default(),
            });
            self.http.done(Ask::post(&self.path(&["statuses", &commit.to_string()]), body)).await
        })
    }

    fn set_labels<'a>(&'a self, number: u64, add: &'a [&'a str], remove: &'a [&'a str]) -> Answer<'a, ()> {
        Box::pin(async move {
            let number = number.to_string();
            let ask = Ask::get(&self.path(&["labels"])).query("limit", PAGE);
            let known: Vec<KnownLabel> = self.http.all(ask).await?;
            let mut ids = Vec::new();
            for name in add {
                ids.extend(self.label(&known, name, true).await?);
            }
            if !ids.is_empty() {
                let ask = Ask::post(&self.path(&["issues", &number, "labels"]), json!({"labels": ids}));
                self.http.done(ask).await?;
            }
            for name in remove {
                if let Some(id) = self.label(&known, name, false).await? {
                    let ask = Ask::delete(&self.path(&["issues", &number, "labels", &id.to_string()]));
                    self.http.done_or_gone(ask).await?;
                }
            }
            Ok(())
        })
    }

    fn reviews(&self, number: u64) -> Answer<'_, Vec<Review>> {
        Box::pin(async move {
            let ask = Ask::get(&self.path(&["pulls", &number.to_string(), "reviews"]));
            let found: Vec<PullReview> = self.http.all(ask.query("limit", PAGE)).await?;
            Ok(found.into_iter().map(Review::from).collect())
        })
    }
}

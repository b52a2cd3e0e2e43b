//! GitHub: REST API, version 2022-11-28. Must not: know how a request travels.

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

/// Entries of a page: the most GitHub gives.
const PAGE: &str = "100";

/// One repository on GitHub.
pub(super) struct Github {
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
    merged_at: Option<String>,
    merge_commit_sha: Option<String>,
    #[serde(default)]
    labels: Vec<Label>,
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

impl Github {
    pub(super) fn new(http: Http, owner: String, name: String) -> Self {
        Self { http, owner, name, account: OnceCell::new() }
    }

    fn path<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        ["repos", &self.owner, &self.name].into_iter().chain(rest.iter().copied()).collect()
    }

    fn pull(&self, pull: Pull) -> Result<PullRequest, ForgeError> {
        let repository = pull.head.repo.map(|repo| repo.full_name);
        let ours = format!("{}/{}", self.owner, self.name);
        // `merge_commit_sha` of an open pull request is a trial merge: it means something only after `merged_at`.
        let state = match (pull.merged_at.is_some(), pull.state.as_str()) {
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
            labels: pull.labels.into_iter().map(|label| label.name).collect(),
            page: pull.html_url,
        })
    }
}

impl Forge for Github {
    fn kind(&self) -> ForgeKind {
        ForgeKind::Github
    }

    fn account(&self) -> Answer<'_, String> {
        Box::pin(async {
            let ask = async || match self.http.app_account().await? {
                Some(account) => Ok(account),
                None => self.http.json::<User>(Ask::get(&["user"])).await.map(|user| user.login),
            };
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
            let ask = Ask::get(&self.path(&["pulls"]));
            let ask = ask.query("state", "open").query("base", base).query("per_page", PAGE);
            let found: Vec<Pull> = self.http.all(ask).await?;
            found.into_iter().map(|pull| self.pull(pull)).collect()
        })
    }

    fn merged_pull_requests<'a>(&'a self, base: &'a str) -> Answer<'a, Vec<PullRequest>> {
        Box::pin(async move {
            let ask = Ask::get(&self.path(&["pulls"])).query("state", "closed").query("base", base);
            let ask = ask.query("sort", "updated").query("direction", "desc").query("per_page", PAGE);
            let found: Vec<Pull> = self.http.json(ask).await?;
            let pulls = found.into_iter().filter(|pull| pull.merged_at.is_some());
            pulls.map(|pull| self.pull(pull)).collect()
        })
    }

    fn comments(&self, number: u64) -> Answer<'_, Vec<Comment>> {
        Box::pin(async move {
            let ask = Ask::get(&self.path(&["issues", &number.to_string(), "comments"]));
            let found: Vec<IssueComment> = self.http.all(ask.query("per_page", PAGE)).await?;
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
                "description": status.description_for(ForgeKind::Github),
                "context": status.context,
                "target_url": status.target,
            });
            self.http.done(Ask::post(&self.path(&["statuses", &commit.to_string()]), body)).await
        })
    }

    fn set_labels<'a>(&'a self, number: u64, add: &'a [&'a str], remove: &'a [&'a str]) -> Answer<'a, ()> {
        Box::pin(async move {
            let number = number.to_string();
            if !add.is_empty() {
                let ask = Ask::post(&self.path(&["issues", &number, "labels"]), json!({"labels": add}));
                self.http.done(ask).await?;
            }
            for label in remove {
                let ask = Ask::delete(&self.path(&["issues", &number, "labels", label]));
                self.http.done_or_gone(ask).await?;
            }
            Ok(())
        })
    }

    fn reviews(&self, number: u64) -> Answer<'_, Vec<Review>> {
        Box::pin(async move {
            let ask = Ask::get(&self.path(&["pulls", &number.to_string(), "reviews"]));
            let found: Vec<PullReview> = self.http.all(ask.query("per_page", PAGE)).await?;
            Ok(found.into_iter().map(Review::from).collect())
        })
    }
}

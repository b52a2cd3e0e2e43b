//! GitLab: REST API v4, from 16.0 on. Must not: know how a request travels.
//!
//! Oddities: a repository is one path segment; a status cannot go from `pending` to `pending`, which GitLab answers with 400
//! although it already stands as asked (and keeps the words of the first); approvals name no commit.

use super::super::transport::{Ask, Http};
use super::super::{
    Answer, Comment, CommentId, CommitStatus, Forge, ForgeError, ForgeKind, PullRequest, PullState, Review,
    ReviewVerdict, Source, StatusState,
};
use super::commit;
use crate::repo::CommitId;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::OnceCell;

/// Entries of a page: the most GitLab gives.
const PAGE: &str = "100";
/// How GitLab's refusal of a status begins that stands already.
const NO_TRANSITION: &str = "Cannot transition status";

/// One project on GitLab.
pub(super) struct Gitlab {
    http: Http,
    project: String,
    account: OnceCell<String>,
}

#[derive(Deserialize)]
struct MergeRequest {
    iid: u64,
    #[serde(default)]
    title: String,
    author: Option<User>,
    /// Null for a moment after the merge request was opened.
    sha: Option<String>,
    #[serde(default)]
    source_branch: String,
    target_branch: String,
    /// Null when the fork was deleted.
    source_project_id: Option<u64>,
    target_project_id: u64,
    state: String,
    #[serde(default)]
    draft: bool,
    merge_commit_sha: Option<String>,
    squash_commit_sha: Option<String>,
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    web_url: String,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Deserialize)]
struct Note {
    id: u64,
    #[serde(default)]
    body: String,
    author: Option<User>,
    /// Written by GitLab itself ("added 1 commit").
    #[serde(default)]
    system: bool,
}

#[derive(Deserialize)]
struct Approvals {
    #[serde(default)]
    approved_by: Vec<Approver>,
}

#[derive(Deserialize)]
struct Approver {
    user: User,
}

#[derive(Deserialize)]
struct KnownStatus {
    status: String,
    name: String,
}

impl Gitlab {
    pub(super) fn new(http: Http, project: String) -> Self {
        Self { http, project, account: OnceCell::new() }
    }

    fn path<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        ["projects", &self.project].into_iter().chain(rest.iter().copied()).collect()
    }

    /// Nothing while GitLab does not know the head yet.
    fn pull(found: MergeRequest) -> Result<Option<PullRequest>, ForgeError> {
        let Some(sha) = &found.sha else { return Ok(None) };
        let head = commit("a merge request", sha)?;
        let state = match found.state.as_str() {
            // Locked: its merge is going on.
            "opened" | "locked" => PullState::Open,
            "merged" => PullState::Merged,
            _ => PullState::Closed,
        };
        let merged = match state {
            PullState::Merged => {
                // A fast-forward merge makes no commit of its own.
                let of_merge = found.merge_commit_sha.or(found.squash_commit_sha);
                Some(of_merge.map_or(Ok(head), |sha| commit("a merge request", &sha))?)
            }
            PullState::Open | PullState::Closed => None,
        };
        Ok(Some(PullRequest {
            number: found.iid,
            title: found.title,
            author: found.author.map(|user| user.username).unwrap_or_default(),
            head,
            base: found.target_branch,
            source: Source {
                fork: found.source_project_id != Some(found.target_project_id),
                repository: found.source_project_id.map(|id| id.to_string()),
                branch: found.source_branch,
            },
            draft: found.draft,
            state,
            merged,
            labels: found.labels,
            page: found.web_url,
        }))
    }

    fn pulls(found: Vec<MergeRequest>) -> Result<Vec<PullRequest>, ForgeError> {
        found.into_iter().filter_map(|found| Self::pull(found).transpose()).collect()
    }

    fn comment(note: Note) -> Comment {
        let author = note.author.map(|user| user.username).unwrap_or_default();
        Comment { id: CommentId(note.id), author, body: note.body, page: None }
    }

    fn list(&self, state: &str, base: &str) -> Ask {
        let ask = Ask::get(&self.path(&["merge_requests"])).query("state", state);
        ask.query("target_branch", base).query("per_page", PAGE)
    }

    /// Whether a commit already stands like this.
    async fn stands(&self, commit: CommitId, context: &str, word: &str) -> Result<bool, ForgeError> {
        let commit = commit.to_string();
        let ask = Ask::get(&self.path(&["repository", "commits", &commit, "statuses"]));
        let found: Vec<KnownStatus> = self.http.json(ask.query("name", context)).await?;
        Ok(found.iter().any(|known| known.name == context && known.status == word))
    }
}

impl Forge for Gitlab {
    fn kind(&self) -> ForgeKind {
        ForgeKind::Gitlab
    }

    fn account(&self) -> Answer<'_, String> {
        Box::pin(async {
            let ask = async || self.http.json::<User>(Ask::get(&["user"])).await.map(|user| user.username);
            self.account.get_or_try_init(ask).await.cloned()
        })
    }

    fn pull_request(&self, number: u64) -> Answer<'_, PullRequest> {
        Box::pin(async move {
            let ask = Ask::get(&self.path(&["merge_requests", &number.to_string()]));
            let found = Self::pull(self.http.json(ask).await?)?;
            found.ok_or_else(|| ForgeError::Unreachable {
                doing: format!("merge request {number}"),
                reason: "GitLab does not know its head yet".to_owned(),
            })
        })
    }

    fn open_pull_requests<'a>(&'a self, base: &'a str) -> Answer<'a, Vec<PullRequest>> {
        Box::pin(async move { Self::pulls(self.http.all(self.list("opened", base)).await?) })
    }

    fn merged_pull_requests<'a>(&'a self, base: &'a str) -> Answer<'a, Vec<PullRequest>> {
        Box::pin(async move {
            let ask = self.list("merged", base).query("order_by", "updated_at").query("sort", "desc");
            Self::pulls(self.http.json(ask).await?)
        })
    }

    fn comments(&self, number: u64) -> Answer<'_, Vec<Comment>> {
        Box::pin(async move {
            let ask = Ask::get(&self.path(&["merge_requests", &number.to_string(), "notes"]));
            let ask = ask.query("order_by", "created_at").query("sort", "asc").query("per_page", PAGE);
            let found: Vec<Note> = self.http.all(ask).await?;
            Ok(found.into_iter().filter(|note| !note.system).map(Self::comment).collect())
        })
    }

    fn add_comment<'a>(&'a self, number: u64, body: &'a str) -> Answer<'a, Comment> {
        Box::pin(async move {
            let number = number.to_string();
            let path = self.path(&["merge_requests", &number, "notes"]);
            self.http.json(Ask::post(&path, json!({"body": body})).once()).await.map(Self::comment)
        })
    }

    fn edit_comment<'a>(&'a self, number: u64, comment: CommentId, body: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            let (number, id) = (number.to_string(), comment.0.to_string());
            let path = self.path(&["merge_requests", &number, "notes", &id]);
            self.http.done(Ask::put(&path, json!({"body": body}))).await
        })
    }

    fn delete_comment(&self, number: u64, comment: CommentId) -> Answer<'_, ()> {
        Box::pin(async move {
            let (number, id) = (number.to_string(), comment.0.to_string());
            self.http.done_or_gone(Ask::delete(&self.path(&["merge_requests", &number, "notes", &id]))).await
        })
    }

    fn set_status<'a>(&'a self, commit: CommitId, status: &'a CommitStatus) -> Answer<'a, ()> {
        Box::pin(async move {
            let word = match status.state {
                StatusState::Pending => "pending",
                StatusState::Success => "success",
                StatusState::Failure | StatusState::Error => "failed",
            };
            let mut body = json!({
                "state": word,
                "description": status.description_for(ForgeKind::Gitlab),
                "name": status.context,
            });
            if let (Some(target), Some(body)) = (&status.target, body.as_object_mut()) {
                body.insert("target_url".to_owned(), json!(target));
            }
            let ask = Ask::post(&self.path(&["statuses", &commit.to_string()]), body);
            match self.http.done(ask).await {
                Err(ForgeError::Rejected { status: 400, message, doing })
                    if message.contains(NO_TRANSITION) =>
                {
                    if self.stands(commit, &status.context, word).await? {
                        Ok(())
                    } else {
                        Err(ForgeError::Rejected { status: 400, message, doing })
                    }
                }
                other => other,
            }
        })
    }

    fn set_labels<'a>(&'a self, number: u64, add: &'a [&'a str], remove: &'a [&'a str]) -> Answer<'a, ()> {
        Box::pin(async move {
            let number = number.to_string();
            let body = json!({"add_labels": add.join(","), "remove_labels": remove.join(",")});
            self.http.done(Ask::put(&self.path(&["merge_requests", &number]), body)).await
        })
    }

    fn reviews(&self, number: u64) -> Answer<'_, Vec<Review>> {
        Box::pin(async move {
            let ask = Ask::get(&self.path(&["merge_requests", &number.to_string(), "approvals"]));
            let found: Approvals = self.http.json(ask).await?;
            let review = |approver: Approver| Review {
                author: approver.user.username,
                verdict: ReviewVerdict::Approved,
                commit: None,
            };
            Ok(found.approved_by.into_iter().map(review).collect())
        })
    }
}

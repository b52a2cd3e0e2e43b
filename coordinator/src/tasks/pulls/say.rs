//! An open pull request: pending, then the comment, then the verdict. Must not: say anything twice.

use super::{LookError, Pulls, is_fresh, reviewed_as};
use crate::forge::{CommitStatus, PullRequest, PullState, StatusState, sticky};
use crate::repo::CommitId;
use crate::review::{ReviewFacts, Verdict, render};
use crate::store::pulls::PullRecord;
use crate::tasks::wall_now;

/// Name of our status beside a commit.
pub const CONTEXT: &str = "pointsman";
/// Labels of ours; a pull request has at most one of them.
const LABELS: [&str; 5] = [READY, REFUSED, ROLLING_OUT, DONE, FAILED];
const READY: &str = "pointsman/ready";
const REFUSED: &str = "pointsman/refused";
pub(super) const ROLLING_OUT: &str = "pointsman/rolling-out";
pub(super) const DONE: &str = "pointsman/done";
pub(super) const FAILED: &str = "pointsman/failed";

impl Pulls {
    /// Reviews a pull request, unless that was done, and says what came of it.
    pub(super) async fn review(&self, pull: PullRequest, known: Option<PullRecord>) -> Result<(), LookError> {
        // Before the first fetch there is nothing to merge with; the next look comes soon.
        let Some(main) = self.parts.repo.status().head else { return Err(LookError::Behind) };
        let head = pull.head.to_string();
        if known.as_ref().is_some_and(|known| {
            known.state == PullState::Open && !known.done && is_fresh(known, &head, &main)
        }) {
            return Ok(());
        }
        let mut record = record_of(&pull, known);
        if record.said.as_ref().is_none_or(|(commit, _)| *commit != head) {
            let target = Some(pull.page.clone());
            let pending = status(StatusState::Pending, "being reviewed", target);
            self.say(&mut record, pull.head, pending).await?;
            self.store(record.clone()).await?;
        }
        let reference = self.parts.forge.kind().pull_ref(pull.number);
        let facts = self.parts.reviewer.review(&format!("pull request {}", pull.number), reference).await?;
        if facts.subject.head.as_ref().is_some_and(|reviewed| *reviewed != head) {
            // Pushed to in between, or not there yet: the forge is asked again.
            return Err(LookError::Behind);
        }
        let comment = sticky::put(&*self.parts.forge, pull.number, &render::comment(&facts)).await?;
        let verdict =
            status(state_of(facts.verdict), &facts.headline(), comment.page.or(Some(pull.page.clone())));
        self.say(&mut record, pull.head, verdict).await?;
        self.label(pull.number, &pull.labels, label_of(&facts)).await;
        let main = facts.subject.main.clone().unwrap_or(main);
        record.reviewed = Some(reviewed_as(&head, &main));
        record.reviewed_at = Some(wall_now());
        record.facts = Some(facts);
        Ok(self.store(record).await?)
    }

    /// Says how a commit stands, unless that was said last.
    pub(super) async fn say(
        &self,
        record: &mut PullRecord,
        commit: CommitId,
        status: CommitStatus,
    ) -> Result<(), LookError> {
        let said = (commit.to_string(), status);
        if record.said.as_ref() == Some(&said) {
            return Ok(());
        }
        self.parts.forge.set_status(commit, &said.1).await?;
        record.said = Some(said);
        Ok(())
    }

    /// Leaves this label of ours. Labels are for people's lists: without the right to set them everything else goes on.
    pub(super) async fn label(&self, number: u64, now: &[String], label: &str) {
        let has = |name: &str| now.iter().any(|known| known == name);
        let remove: Vec<&str> = LABELS.into_iter().filter(|name| *name != label && has(name)).collect();
        let add: &[&str] = if has(label) { &[] } else { &[label] };
        if add.is_empty() && remove.is_empty() {
            return;
        }
        if let Err(error) = self.parts.forge.set_labels(number, add, &remove).await {
            tracing::warn!(number, %error, "the label of a pull request was not set");
        }
    }
}

pub(super) fn status(state: StatusState, description: &str, target: Option<String>) -> CommitStatus {
    let target = target.filter(|target| !target.is_empty());
    CommitStatus { state, description: description.to_owned(), target, context: CONTEXT.to_owned() }
}

/// What is stored of a pull request as it is now.
pub(super) fn record_of(pull: &PullRequest, known: Option<PullRecord>) -> PullRecord {
    let known = known.unwrap_or_else(|| PullRecord {
        number: pull.number,
        title: String::new(),
        author: String::new(),
        state: pull.state,
        head: String::new(),
        merged: None,
        reviewed: None,
        reviewed_at: None,
        facts: None,
        said: None,
        done: false,
        updated: wall_now(),
    });
    PullRecord {
        title: pull.title.clone(),
        author: pull.author.clone(),
        state: pull.state,
        head: pull.head.to_string(),
        merged: pull.merged.map(|commit| commit.to_string()),
        // Opened again after it was closed.
        done: false,
        ..known
    }
}

fn state_of(verdict: Verdict) -> StatusState {
    match verdict {
        Verdict::Ready | Verdict::NoSteps | Verdict::Contained => StatusState::Success,
        Verdict::Refused | Verdict::Conflict | Verdict::Unreadable => StatusState::Failure,
    }
}

fn label_of(facts: &ReviewFacts) -> &'static str {
    if facts.verdict.is_good() { READY } else { REFUSED }
}

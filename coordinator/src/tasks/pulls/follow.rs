//! A merged pull request: from the branch to the last host. Must not: drive the rollout.

use super::say::{DONE, FAILED, ROLLING_OUT, record_of, status};
use super::{LookError, Pulls};
use crate::forge::{CommitStatus, PullRequest, StatusState, sticky};
use crate::repo::CommitId;
use crate::review::render;
use crate::store::changes::{self, ChangeRecord, ChangeStatus};
use crate::store::pulls::PullRecord;
use crate::store::rollouts::{self, RolloutRecord};
use crate::tasks::wall_now;
use model::{Finding, RolloutPhase};

/// Changes among which the one that brought a pull request is looked for, newest first.
const CHANGES_SEARCHED_MAX: u32 = 50;

/// Time after which a rollout that does not move is followed no more, in milliseconds: 30 days.
const FOLLOWED_MS_MAX: u64 = 30 * 86_400_000;

/// How far a merged pull request is.
struct Standing {
    state: StatusState,
    description: String,
    label: &'static str,
    /// Nothing more will come.
    done: bool,
}

impl Pulls {
    /// A pull request that was merged since the last look.
    pub(super) async fn merged(&self, pull: PullRequest, known: Option<PullRecord>) -> Result<(), LookError> {
        let is_new = known.is_none();
        let record = record_of(&pull, known);
        // Its commit may not be here yet.
        self.parts.repo.nudge();
        if is_new && self.is_history(&record).await? {
            return Ok(self.store(PullRecord { done: true, ..record }).await?);
        }
        self.store(record).await?;
        Ok(())
    }

    /// Merged and rolled out before we ever saw it: nothing is said about the past.
    async fn is_history(&self, record: &PullRecord) -> Result<bool, LookError> {
        let Some(change) = self.change_of(record).await? else { return Ok(false) };
        let rollout = rollouts::of_change(&self.parts.db, &change.id).await?;
        Ok(rollout.is_none_or(|rollout| rollout.phase == RolloutPhase::Completed))
    }

    /// Says how far it is, when that has changed.
    pub(super) async fn follow(&self, record: PullRecord) -> Result<(), LookError> {
        let mut standing = self.standing(&record).await?;
        standing.done |= wall_now().0.saturating_sub(record.updated.0) > FOLLOWED_MS_MAX;
        let merged = record.merged.clone().unwrap_or_else(|| record.head.clone());
        let Ok(commit) = merged.parse::<CommitId>() else {
            return Ok(self.store(PullRecord { done: true, ..record }).await?);
        };
        let mut record = record;
        let target = record.said.as_ref().and_then(|(_, said)| said.target.clone());
        let next: CommitStatus = status(standing.state, &standing.description, target);
        let said = record.said.clone();
        self.say(&mut record, commit, next).await?;
        let is_news = said.as_ref() != record.said.as_ref();
        if is_news {
            if let Some(facts) = &record.facts {
                let text = format!(
                    "**After the merge: {}**\n\n{}",
                    render::inline(&standing.description),
                    render::comment(facts)
                );
                sticky::put(&*self.parts.forge, record.number, &text).await?;
            }
            let pull = self.parts.forge.pull_request(record.number).await?;
            self.label(record.number, &pull.labels, standing.label).await;
        }
        if is_news || standing.done {
            record.done = standing.done;
            self.store(record).await?;
        }
        Ok(())
    }

    async fn standing(&self, record: &PullRecord) -> Result<Standing, LookError> {
        let Some(change) = self.change_of(record).await? else {
            return Ok(pending("merged; waits for its turn"));
        };
        if change.status == ChangeStatus::Refused {
            let errors = change.findings.iter().filter(|finding| Finding::is_error(finding)).count();
            let description = format!("refused on the branch: {errors} errors; no host is touched");
            return Ok(Standing { state: StatusState::Failure, description, label: FAILED, done: false });
        }
        Ok(match rollouts::of_change(&self.parts.db, &change.id).await? {
            Some(rollout) => of_rollout(&rollout),
            None => Standing {
                state: StatusState::Success,
                description: "done: no host had to change".to_owned(),
                label: DONE,
                done: true,
            },
        })
    }

    /// The newest accepted change that holds the merged commit, else a refused one.
    async fn change_of(&self, record: &PullRecord) -> Result<Option<ChangeRecord>, LookError> {
        let merged = record.merged.as_ref().unwrap_or(&record.head);
        let Ok(part) = merged.parse::<CommitId>() else { return Ok(None) };
        let mut refused = None;
        for change in changes::list(&self.parts.db, CHANGES_SEARCHED_MAX).await? {
            let Some(Ok(commit)) = change.commit.split('+').next().map(str::parse::<CommitId>) else {
                continue;
            };
            if !self.parts.reviewer.mirror().contains(commit, part).await {
                continue;
            }
            if change.status == ChangeStatus::Refused {
                refused = refused.or(Some(change));
            } else {
                return Ok(Some(change));
            }
        }
        Ok(refused)
    }
}

fn pending(description: &str) -> Standing {
    let description = description.to_owned();
    Standing { state: StatusState::Pending, description, label: ROLLING_OUT, done: false }
}

/// Only what changes seldom is said: forges keep every status.
fn of_rollout(rollout: &RolloutRecord) -> Standing {
    let why = |word: &str| match &rollout.reason {
        Some(reason) => format!("{word}: {reason}"),
        None => word.to_owned(),
    };
    let failed = |description: String, done: bool| Standing {
        state: StatusState::Failure,
        description,
        label: FAILED,
        done,
    };
    match rollout.phase {
        RolloutPhase::Pending => pending(&why("waits to be rolled out")),
        RolloutPhase::Running | RolloutPhase::Soaking => pending("rolling out"),
        RolloutPhase::Paused => pending(&why("paused")),
        RolloutPhase::Halted => failed(why("halted"), false),
        RolloutPhase::Aborted => failed(why("aborted"), false),
        RolloutPhase::Completed => Standing {
            state: StatusState::Success,
            description: "done: every host is as decided".to_owned(),
            label: DONE,
            done: true,
        },
    }
}

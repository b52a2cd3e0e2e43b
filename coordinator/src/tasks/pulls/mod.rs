//! Follows the pull requests of a forge: each open one is reviewed and gets one comment and a status; each merged one is followed
//! until its rollout is over.
//!
//! Owns: when the forge is asked, what is said there, and the emptying of the inbox. Must not: judge a proposal (that is
//! `proposals`), accept a change, or believe a webhook. Called by the composition root; woken by the door for webhooks.
//!
//! Three things set it off, and any of them is enough: a delivery in the inbox, the poll (all open pull requests and the last
//! merged ones), and stored rows that are not done. A delivery is marked as dealt with after what it hints at was looked at, so
//! that a crash in between only means another look. What a forge has been told is stored, and told again only when it changes.

mod follow;
mod say;

#[cfg(test)]
mod tests;

use super::lease::LeaseHandle;
use super::proposals::{ReviewProposalError, Reviewer};
use super::repo_sync::RepoHandle;
use super::{stopped, wall_now};
use crate::forge::{Forge, ForgeError, ForgeEvent, PullRequest, PullState};
use crate::store::pulls::{self, PullRecord};
use crate::store::{Db, StoreError, inbox};
use model::Wall;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// Wait after a failure that may pass.
const RETRY: Duration = Duration::from_secs(10);
/// Wait before rollouts of merged pull requests are looked at again.
const FOLLOW: Duration = Duration::from_secs(3);
/// Deliveries taken at once.
const DELIVERIES_MAX: u32 = 500;
/// Pull requests followed at once.
const FOLLOWED_MAX: u32 = 500;
/// A review is made again after this time, because hosts change too.
const REVIEW_AGE: Duration = Duration::from_secs(15 * 60);
/// Deliveries that were dealt with are known for this time, in milliseconds: a week.
const DELIVERY_AGE_MS: u64 = 7 * 86_400_000;

/// What the task needs.
pub struct PullsParts {
    /// The forge.
    pub forge: Arc<dyn Forge>,
    /// Kind and repository, e.g. `github:net/esxi`.
    pub name: String,
    /// The branch that is followed.
    pub branch: String,
    /// Time between looks at all pull requests.
    pub poll: Duration,
    /// The database.
    pub db: Db,
    /// Whether this coordinator leads: only the leader speaks to the forge.
    pub lease: LeaseHandle,
    /// Reviews.
    pub reviewer: Reviewer,
    /// Has the repository looked at.
    pub repo: RepoHandle,
}

/// The way to the task; cheap to clone.
#[derive(Debug, Clone)]
pub struct PullsHandle {
    wake: Arc<Notify>,
    all: Arc<AtomicBool>,
}

impl PullsHandle {
    /// Look at every pull request now.
    pub fn resync(&self) {
        self.all.store(true, Ordering::SeqCst);
        self.wake.notify_one();
    }

    /// What the door for webhooks calls.
    #[must_use]
    pub fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }
}

/// Why a look did not come to its end; the next one begins again.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Forge(#[from] ForgeError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Review(#[from] ReviewProposalError),
    #[error("the Git repository of the forge is behind its API; trying again")]
    Behind,
}

impl LookError {
    /// Whether it may pass with nobody doing anything.
    fn is_passing(&self) -> bool {
        match self {
            Self::Forge(error) => error.is_passing(),
            Self::Store(_) | Self::Review(_) | Self::Behind => true,
        }
    }
}

/// Starts the task. It ends when `stop` turns true.
#[must_use]
pub fn spawn(parts: PullsParts, stop: watch::Receiver<bool>) -> (PullsHandle, JoinHandle<()>) {
    let handle = PullsHandle { wake: Arc::new(Notify::new()), all: Arc::new(AtomicBool::new(true)) };
    let pulls = Pulls { parts, all: Arc::clone(&handle.all), polled: None, unfinished: false, again: false };
    (handle.clone(), tokio::spawn(run(pulls, Arc::clone(&handle.wake), stop)))
}

async fn run(mut pulls: Pulls, wake: Arc<Notify>, mut stop: watch::Receiver<bool>) {
    loop {
        let wait = tokio::select! {
            // What is begun and cut off is begun again after the next start.
            () = stopped(&mut stop) => return,
            wait = pulls.round() => wait,
        };
        tokio::select! {
            () = stopped(&mut stop) => return,
            () = tokio::time::sleep(wait) => {}
            () = wake.notified() => {}
        }
    }
}

struct Pulls {
    parts: PullsParts,
    /// Everything is to be looked at.
    all: Arc<AtomicBool>,
    /// When everything was looked at last.
    polled: Option<Instant>,
    /// Merged pull requests whose rollout is not over.
    unfinished: bool,
    /// Some pull request could not be dealt with now.
    again: bool,
}

impl Pulls {
    /// One look; gives the wait before the next.
    async fn round(&mut self) -> Duration {
        match self.look().await {
            Ok(()) if std::mem::take(&mut self.again) => {
                self.all.store(true, Ordering::SeqCst);
                RETRY
            }
            Ok(()) => {
                let since = self.polled.map(|at| at.elapsed()).unwrap_or_default();
                let until_poll = self.parts.poll.saturating_sub(since);
                if self.unfinished { until_poll.min(FOLLOW) } else { until_poll }
            }
            Err(LookError::Forge(ForgeError::RateLimited { wait })) => {
                tracing::warn!(seconds = wait.as_secs(), "the forge wants no requests");
                wait.max(RETRY)
            }
            Err(error) => {
                tracing::warn!(%error, "the pull requests were not looked at; trying again");
                if error.is_passing() { RETRY } else { self.parts.poll }
            }
        }
    }

    async fn look(&mut self) -> Result<(), LookError> {
        if self.parts.lease.check().is_err() {
            return Ok(());
        }
        let deliveries = inbox::pending(&self.parts.db, DELIVERIES_MAX).await?;
        let hints = Hints::of(&deliveries, &self.parts.branch);
        if hints.branch_moved {
            self.parts.repo.nudge();
        }
        let due = self.polled.is_none_or(|at| at.elapsed() >= self.parts.poll);
        let asked = self.all.swap(false, Ordering::SeqCst);
        if due || asked {
            if let Err(error) = self.look_at_all().await {
                self.all.store(asked, Ordering::SeqCst);
                return Err(error);
            }
            self.polled = Some(Instant::now());
        }
        for number in hints.numbers {
            let pull = match self.parts.forge.pull_request(number).await {
                // Transferred or deleted: there is nothing to look at.
                Err(ForgeError::NotFound { .. }) => continue,
                other => other?,
            };
            self.look_at(pull).await?;
        }
        self.look_at_stored().await?;
        self.settle(&deliveries).await?;
        Ok(())
    }

    /// Open pull requests, and the last ones that were merged: what a lost webhook did not say.
    async fn look_at_all(&mut self) -> Result<(), LookError> {
        let branch = self.parts.branch.clone();
        let open = self.parts.forge.open_pull_requests(&branch).await?;
        let merged = self.parts.forge.merged_pull_requests(&branch).await?;
        let seen: BTreeSet<u64> = open.iter().chain(&merged).map(|pull| pull.number).collect();
        for pull in open.into_iter().chain(merged) {
            self.look_at(pull).await?;
        }
        // Open here and in neither list: closed, or merged long ago.
        for record in pulls::unfinished(&self.parts.db, &self.parts.name, FOLLOWED_MAX).await? {
            if record.state == PullState::Open && !seen.contains(&record.number) {
                match self.parts.forge.pull_request(record.number).await {
                    Ok(pull) => self.look_at(pull).await?,
                    Err(ForgeError::NotFound { .. }) => self.close(record).await?,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        let mut tx = self.parts.db.begin().await?;
        inbox::prune(&mut tx, Wall(wall_now().0.saturating_sub(DELIVERY_AGE_MS))).await?;
        tx.commit().await?;
        Ok(())
    }

    /// One pull request as the forge says it is now. What is wrong with one of them does not stop the others.
    async fn look_at(&mut self, pull: PullRequest) -> Result<(), LookError> {
        let number = pull.number;
        match self.deal_with(pull).await {
            Err(error @ (LookError::Review(_) | LookError::Behind)) => {
                tracing::info!(number, %error, "a pull request is looked at again soon");
                self.again = true;
                Ok(())
            }
            Err(error) if !error.is_passing() => {
                tracing::error!(number, %error, "a pull request was not dealt with");
                Ok(())
            }
            other => other,
        }
    }

    async fn deal_with(&mut self, pull: PullRequest) -> Result<(), LookError> {
        let known = pulls::get(&self.parts.db, &self.parts.name, pull.number).await?;
        if pull.base != self.parts.branch {
            // Turned to another branch: no more of ours.
            return match known {
                Some(record) if !record.done => self.close(record).await,
                _ => Ok(()),
            };
        }
        match pull.state {
            PullState::Open => self.review(pull, known).await,
            PullState::Closed => match known {
                Some(record) if !record.done => self.close(record).await,
                _ => Ok(()),
            },
            PullState::Merged => match known {
                Some(record) if record.done => Ok(()),
                known => self.merged(pull, known).await,
            },
        }
    }

    /// Reviews that are old or were made against another head of the branch, and rollouts that are not over.
    async fn look_at_stored(&mut self) -> Result<(), LookError> {
        let main = self.parts.repo.status().head;
        self.unfinished = false;
        for record in pulls::unfinished(&self.parts.db, &self.parts.name, FOLLOWED_MAX).await? {
            match record.state {
                PullState::Open => {
                    if main.as_ref().is_some_and(|main| !is_fresh(&record, &record.head, main)) {
                        let pull = self.parts.forge.pull_request(record.number).await?;
                        self.look_at(pull).await?;
                    }
                }
                PullState::Merged => {
                    let number = record.number;
                    match self.follow(record).await {
                        Err(error) if !error.is_passing() => {
                            tracing::error!(number, %error, "a merged pull request was not followed");
                        }
                        other => other?,
                    }
                    self.unfinished = true;
                }
                PullState::Closed => {}
            }
        }
        Ok(())
    }

    async fn close(&self, record: PullRecord) -> Result<(), LookError> {
        let closed = PullRecord { state: PullState::Closed, done: true, ..record };
        Ok(self.store(closed).await?)
    }

    async fn store(&self, record: PullRecord) -> Result<(), StoreError> {
        let mut tx = self.parts.db.begin().await?;
        pulls::put(&mut tx, &self.parts.name, &PullRecord { updated: wall_now(), ..record }).await?;
        tx.commit().await
    }

    /// What the deliveries hinted at was looked at.
    async fn settle(&self, deliveries: &[inbox::Delivery]) -> Result<(), StoreError> {
        if deliveries.is_empty() {
            return Ok(());
        }
        let mut tx = self.parts.db.begin().await?;
        for delivery in deliveries {
            inbox::mark_processed(&mut tx, &delivery.id, wall_now()).await?;
        }
        tx.commit().await
    }
}

/// What deliveries hint at.
struct Hints {
    numbers: BTreeSet<u64>,
    branch_moved: bool,
}

impl Hints {
    fn of(deliveries: &[inbox::Delivery], branch: &str) -> Self {
        let mut hints = Self { numbers: BTreeSet::new(), branch_moved: false };
        for delivery in deliveries {
            match serde_json::from_str(&delivery.body) {
                Ok(ForgeEvent::PullRequest { number }) => drop(hints.numbers.insert(number)),
                Ok(ForgeEvent::Push { branch: moved }) => hints.branch_moved |= moved == branch,
                // Of another version of us, at worst: the poll finds what it meant.
                Ok(ForgeEvent::Other) | Err(_) => {}
            }
        }
        hints
    }
}

/// Whether a pull request was reviewed as it is now, not long ago.
fn is_fresh(record: &PullRecord, head: &str, main: &str) -> bool {
    let age_ms = |at: Wall| wall_now().0.saturating_sub(at.0);
    let is_young = record.reviewed_at.is_some_and(|at| u128::from(age_ms(at)) < REVIEW_AGE.as_millis());
    is_young && record.reviewed.as_deref() == Some(reviewed_as(head, main).as_str())
}

/// How a review names what it looked at.
fn reviewed_as(head: &str, main: &str) -> String {
    format!("{head} {main}")
}

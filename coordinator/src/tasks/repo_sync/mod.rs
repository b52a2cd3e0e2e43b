//! Follows the main branch: every new head becomes an accepted or a refused change.
//!
//! Owns: when the repository is looked at, in which order commits are dealt with, and the one transaction that accepts.
//! Must not: judge a commit (that is `review`) or send anything (that is the rollout driver). Called by the composition
//! root; nudged by the API, the intake and the driver.
//!
//! Order of changes: one rollout at a time. A head that arrives while a rollout is at work is *held* (its documents are
//! checked at once, and refused if they are wrong); when the rollout ends, the newest head wins and those between are
//! never rolled out by themselves. A rollout that waits for approval, is halted, or only waits for hosts that are away does
//! not hold a new head: it is aborted as superseded, and what it left undone is part of the new change.
//!
//! Hosts that were read for the first time after the head was accepted get a change of their own for the same commit, noted
//! as `<commit>+2`, `<commit>+3`, ...

mod mirror;
mod sync;

#[cfg(test)]
mod tests;

pub use mirror::{MergeResult, MirrorThread, OpenError, Proposal, ProposalError};
pub(super) use sync::{base_of, fleet_view};

use super::rollout_driver::RolloutHandle;
use crate::store::Db;
use crate::tasks::lease::LeaseHandle;
use model::Wall;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use sync::Sync;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// Wait after a new observation, so that one look serves many. Doubles with every look that led to the same refusal, so that
/// a host that changes all the time does not have the whole fleet planned again and again.
const OBSERVED_WAIT: Duration = Duration::from_millis(300);
/// Longest such wait.
const OBSERVED_WAIT_MAX: Duration = Duration::from_secs(60);

/// How long a refused head waits after looks of hosts that changed nothing.
fn observed_wait(same_refusals: u32) -> Duration {
    OBSERVED_WAIT.saturating_mul(2_u32.saturating_pow(same_refusals)).min(OBSERVED_WAIT_MAX)
}

/// How it stands with the repository; in memory only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RepoStatus {
    /// Head of the branch.
    pub head: Option<String>,
    /// When it was last fetched without an error.
    pub fetched: Option<Wall>,
    /// Why the last fetch or reading failed.
    pub error: Option<String>,
    /// Why the head is not dealt with yet.
    pub held: Option<String>,
}

/// The way to the task; cheap to clone.
#[derive(Clone, Debug)]
pub struct RepoHandle {
    nudge: Arc<Notify>,
    seen: Arc<Notify>,
    observed: Arc<AtomicBool>,
    status: watch::Receiver<RepoStatus>,
}

impl RepoHandle {
    /// Look at the repository now.
    pub fn nudge(&self) {
        self.nudge.notify_one();
    }

    /// A host looks different: a refused head, or a host without an order, may be dealt with now.
    pub fn observed(&self) {
        self.observed.store(true, Ordering::SeqCst);
        self.seen.notify_one();
    }

    /// How it stands.
    #[must_use]
    pub fn status(&self) -> RepoStatus {
        self.status.borrow().clone()
    }

    /// Follows how it stands.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<RepoStatus> {
        self.status.clone()
    }
}

/// The handle before the task runs, because others need it first.
#[derive(Debug)]
pub struct RepoSignals {
    handle: RepoHandle,
    status: watch::Sender<RepoStatus>,
}

impl Default for RepoSignals {
    fn default() -> Self {
        let (status, receiver) = watch::channel(RepoStatus::default());
        let handle = RepoHandle {
            nudge: Arc::new(Notify::new()),
            seen: Arc::new(Notify::new()),
            // The first look is a full one.
            observed: Arc::new(AtomicBool::new(true)),
            status: receiver,
        };
        Self { handle, status }
    }
}

/// What the task is given.
pub struct SyncParts {
    /// The database.
    pub db: Db,
    /// Whether this coordinator leads: only then it looks at the repository.
    pub lease: LeaseHandle,
    /// The mirror.
    pub mirror: MirrorThread,
    /// The driver that hears of new rollouts.
    pub rollouts: RolloutHandle,
}

impl RepoSignals {
    /// The way to the task.
    #[must_use]
    pub fn handle(&self) -> RepoHandle {
        self.handle.clone()
    }

    /// What others notify to have the repository looked at.
    #[must_use]
    pub fn nudge(&self) -> Arc<Notify> {
        Arc::clone(&self.handle.nudge)
    }

    /// Starts the task. It ends when `stop` turns true.
    #[must_use]
    pub fn spawn(self, parts: SyncParts, poll: Duration, stop: watch::Receiver<bool>) -> JoinHandle<()> {
        let Self { handle, status } = self;
        let leads = parts.lease.leads();
        let sync = Sync::new(parts, status);
        tokio::spawn(run(sync, handle, Pace { poll, leads, stop }))
    }
}

/// When the task works.
struct Pace {
    poll: Duration,
    leads: watch::Receiver<bool>,
    stop: watch::Receiver<bool>,
}

async fn run(mut sync: Sync, handle: RepoHandle, pace: Pace) {
    let Pace { poll, mut leads, mut stop } = pace;
    loop {
        if !*leads.borrow_and_update() {
            sync.stands_by();
            tokio::select! {
                () = super::stopped(&mut stop) => return,
                led = leads.wait_for(|leads| *leads) => {
                    if led.is_err() {
                        return;
                    }
                }
            }
            // Another coordinator decided meanwhile.
            sync.hosts_changed();
        }
        if handle.observed.swap(false, Ordering::SeqCst) {
            sync.hosts_changed();
        }
        // The round is not cut off by the end: it is short, and half a round is one that is begun again.
        sync.round().await;
        tokio::select! {
            () = super::stopped(&mut stop) => return,
            () = tokio::time::sleep(poll) => {}
            () = handle.nudge.notified() => {}
            () = handle.seen.notified(), if sync.waits_for_hosts() => tokio::select! {
                () = super::stopped(&mut stop) => return,
                () = tokio::time::sleep(sync.observed_wait()) => {}
                () = handle.nudge.notified() => {}
            },
        }
    }
}

//! Drives rollouts: feeds events to `engine::rollout`, stores its state, sends what it asks for.
//!
//! Owns: the one task that moves rollouts, and the handle others use to reach it. Must not: decide who gets an order or
//! when to stop (that is the machine). Called by `fleet_intake` (hosts come, go and end), `repo_sync` (a rollout was made)
//! and the operators' API (pause, resume, abort).
//!
//! A rollout whose hosts' groups have an approver set stays pending until enough of its approvers have signed; it is looked
//! at again when woken, and every time the driver looks for rollouts that nobody told of.
//!
//! The state is stored by compare-and-set *before* an effect is performed. When a save fails or is lost to another
//! coordinator, the rollout is dropped from memory and taken up again from what is stored: state, outcomes, streams. While
//! another coordinator leads, nothing is in memory and commands are refused; every write carries the epoch of the lease.

mod command;
mod dispatch;
mod driver;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_approval;

pub use dispatch::{Dispatch, SentLog};

use crate::store::{Db, StoreError};
use crate::tasks::lease::{LeaseHandle, StandsBy};
use crate::trust::OrderKey;
use driver::Driver;
use model::{ApplyOutcome, HostId, RolloutId, RolloutPhase};
use std::sync::Arc;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// Signals and commands that may wait; senders wait when it is full.
const INBOX_MAX: usize = 1024;

/// What a person can do to a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RolloutVerb {
    /// No new orders for a while.
    Pause,
    /// Go on.
    Resume,
    /// End it.
    Abort,
}

impl RolloutVerb {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Abort => "abort",
        }
    }
}

/// Why a rollout was not paused, resumed or aborted.
#[derive(Debug, thiserror::Error)]
pub enum RolloutCommandError {
    /// No such rollout.
    #[error("rollout `{0}` is not known here; look for it with `pointsman rollouts`")]
    NotFound(RolloutId),
    /// It makes no sense where the rollout is.
    #[error("cannot {verb} rollout `{rollout}`: it is {phase}")]
    NotPossible {
        /// The rollout.
        rollout: RolloutId,
        /// What was asked.
        verb: &'static str,
        /// Where it is.
        phase: &'static str,
    },
    /// It has not begun, and approvals are missing.
    #[error("cannot resume rollout `{rollout}`: it {waits_for}")]
    Unapproved {
        /// The rollout.
        rollout: RolloutId,
        /// What is missing.
        waits_for: String,
    },
    /// Somebody else moved it at the same moment.
    #[error("rollout `{0}` was moved by somebody else at the same moment; look at it and try again")]
    Lost(RolloutId),
    /// Another coordinator leads.
    #[error(transparent)]
    StandsBy(#[from] StandsBy),
    /// The store failed; nothing was changed.
    #[error("the rollout was not changed: {0}")]
    Store(#[from] StoreError),
    /// The coordinator ends.
    #[error("the coordinator is shutting down; try again when it is back")]
    Stopped,
}

/// A message to the driver.
enum Message {
    /// A rollout was made or moved by somebody else.
    Wake,
    Connected(HostId),
    Disconnected(HostId),
    Ended(HostId, Box<ApplyOutcome>),
    Command {
        rollout: RolloutId,
        verb: RolloutVerb,
        actor: String,
        reason: String,
        reply: oneshot::Sender<Result<RolloutPhase, RolloutCommandError>>,
    },
}

/// What the driver is given.
pub struct DriverParts {
    /// The database.
    pub db: Db,
    /// Whether this coordinator leads.
    pub lease: LeaseHandle,
    /// The way orders go out.
    pub dispatch: Arc<dyn Dispatch>,
    /// When they went out.
    pub sent: SentLog,
    /// Signs them.
    pub order_key: Arc<OrderKey>,
    /// Told when the head may be dealt with.
    pub repo_nudge: Arc<Notify>,
}

/// The way to the driver; cheap to clone.
#[derive(Clone, Debug)]
pub struct RolloutHandle {
    inbox: mpsc::Sender<Message>,
}

/// Starts the driver. It ends when `stop` turns true.
#[must_use]
pub fn spawn(parts: DriverParts, stop: watch::Receiver<bool>) -> (RolloutHandle, JoinHandle<()>) {
    let (inbox, messages) = mpsc::channel(INBOX_MAX);
    let driver = Driver::new(parts);
    (RolloutHandle { inbox }, tokio::spawn(driver.run(messages, stop)))
}

impl RolloutHandle {
    /// Stops new orders; hosts in flight end by themselves. Gives the phase after it.
    pub async fn pause(
        &self,
        rollout: &RolloutId,
        actor: &str,
        reason: &str,
    ) -> Result<RolloutPhase, RolloutCommandError> {
        self.command(rollout, RolloutVerb::Pause, actor, reason).await
    }

    /// Goes on after a pause or a halt; hosts that failed are left as they are. Gives the phase after it.
    pub async fn resume(
        &self,
        rollout: &RolloutId,
        actor: &str,
        reason: &str,
    ) -> Result<RolloutPhase, RolloutCommandError> {
        self.command(rollout, RolloutVerb::Resume, actor, reason).await
    }

    /// Ends it: no order follows, hosts that wait for their confirmation roll back. Gives the phase after it.
    pub async fn abort(
        &self,
        rollout: &RolloutId,
        actor: &str,
        reason: &str,
    ) -> Result<RolloutPhase, RolloutCommandError> {
        self.command(rollout, RolloutVerb::Abort, actor, reason).await
    }

    /// One of the three.
    pub async fn command(
        &self,
        rollout: &RolloutId,
        verb: RolloutVerb,
        actor: &str,
        reason: &str,
    ) -> Result<RolloutPhase, RolloutCommandError> {
        let (reply, answer) = oneshot::channel();
        let (actor, reason) = (actor.to_owned(), reason.to_owned());
        let message = Message::Command { rollout: rollout.clone(), verb, actor, reason, reply };
        self.inbox.send(message).await.map_err(|_| RolloutCommandError::Stopped)?;
        answer.await.map_err(|_| RolloutCommandError::Stopped)?
    }

    /// A rollout was made, or an approval came.
    pub async fn wake(&self) {
        self.tell(Message::Wake).await;
    }

    /// A host has a new stream.
    pub async fn host_connected(&self, host: &HostId) {
        self.tell(Message::Connected(host.clone())).await;
    }

    /// A host's stream is gone.
    pub async fn host_disconnected(&self, host: &HostId) {
        self.tell(Message::Disconnected(host.clone())).await;
    }

    /// A host ended an order; the outcome is stored already.
    pub async fn host_ended(&self, host: &HostId, outcome: ApplyOutcome) {
        self.tell(Message::Ended(host.clone(), Box::new(outcome))).await;
    }

    async fn tell(&self, message: Message) {
        if self.inbox.send(message).await.is_err() {
            // The next start reads what is stored.
            tracing::debug!("a signal came after the rollout driver had ended");
        }
    }
}

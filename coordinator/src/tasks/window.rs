//! Another confirm window for a host with an open change, asked for by a person.
//!
//! Owns: the rule of when that makes sense, and its entry in the audit trail. Must not: move a rollout, or keep a deadline
//! (the host owns its own). Called by the operators' API.

use super::lease::{LeaseHandle, StandsBy};
use super::wall_now;
use crate::fleet::{FleetHandle, SendOrderError};
use crate::store::audit::{self, AuditEntry};
use crate::store::{Db, StoreError, outcomes, plans, rollouts};
use model::{
    ApplyPhase, CONFIRM_TIMEOUT_SECS_MAX, CONFIRM_TIMEOUT_SECS_MIN, ChangeId, HostId, Millis, RolloutId,
};
use std::sync::Arc;

/// Why a window was not extended.
#[derive(Debug, thiserror::Error)]
pub enum ExtendError {
    /// Outside of what a window may be.
    #[error("a window has {CONFIRM_TIMEOUT_SECS_MIN} to {CONFIRM_TIMEOUT_SECS_MAX} s from now on, not {0}")]
    OutOfBounds(u64),
    /// No such rollout.
    #[error("rollout `{0}` is not known here; look for it with `pointsman rollouts`")]
    NoRollout(RolloutId),
    /// The rollout has no order for the host.
    #[error(
        "host `{host}` is not part of rollout `{rollout}`; `pointsman rollout show {rollout}` lists its hosts"
    )]
    NotItsHost {
        /// The rollout.
        rollout: RolloutId,
        /// The host.
        host: HostId,
    },
    /// The host ended its order.
    #[error("host `{host}` has no open window: its order ended as {kind}")]
    Ended {
        /// The host.
        host: HostId,
        /// How.
        kind: &'static str,
    },
    /// The host does not work on an order.
    #[error("host `{0}` has no open window: it is not at work on a change")]
    NotAtWork(HostId),
    /// The host cannot be told.
    #[error("host `{host}` cannot be told: {source}; its own deadline stands")]
    NotSent {
        /// The host.
        host: HostId,
        /// Why.
        source: SendOrderError,
    },
    /// Another coordinator leads.
    #[error(transparent)]
    StandsBy(#[from] StandsBy),
    /// The store failed.
    #[error("nothing was asked of the host: {0}")]
    Store(#[from] StoreError),
}

/// What a person asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// The rollout.
    pub rollout: RolloutId,
    /// The host.
    pub host: HostId,
    /// The new window in seconds, counted from its arrival at the host.
    pub secs: u64,
    /// Who asks.
    pub actor: String,
    /// Why; may be empty.
    pub reason: String,
}

/// The way to a host's window.
pub trait Windows: Send + Sync + 'static {
    /// Where the host is with its order; `None` without a stream.
    fn phase(&self, host: &HostId) -> Option<ApplyPhase>;

    /// Tells the host its new window.
    fn extend(&self, host: &HostId, change: &ChangeId, window: Millis) -> Result<(), SendOrderError>;
}

impl Windows for FleetHandle {
    fn phase(&self, host: &HostId) -> Option<ApplyPhase> {
        self.snapshot().into_iter().find(|live| live.host == *host).map(|live| live.phase)
    }

    fn extend(&self, host: &HostId, change: &ChangeId, window: Millis) -> Result<(), SendOrderError> {
        self.extend_window(host, change, window)
    }
}

/// Extends windows.
#[derive(Clone)]
pub struct WindowExtender {
    db: Db,
    lease: LeaseHandle,
    windows: Arc<dyn Windows>,
}

impl WindowExtender {
    /// Through this fleet.
    #[must_use]
    pub fn new(db: Db, lease: LeaseHandle, windows: Arc<dyn Windows>) -> Self {
        Self { db, lease, windows }
    }

    /// Tells the host, and notes it. The host refuses for itself when its change is on the way back or was just kept.
    pub async fn extend(&self, extension: &Extension) -> Result<(), ExtendError> {
        let Extension { rollout, host, secs, actor, reason } = extension;
        self.lease.check()?;
        if !(CONFIRM_TIMEOUT_SECS_MIN..=CONFIRM_TIMEOUT_SECS_MAX).contains(secs) {
            return Err(ExtendError::OutOfBounds(*secs));
        }
        let record = rollouts::get(&self.db, rollout).await?;
        let change = record.ok_or_else(|| ExtendError::NoRollout(rollout.clone()))?.change;
        if plans::get(&self.db, &change, host).await?.is_none() {
            return Err(ExtendError::NotItsHost { rollout: rollout.clone(), host: host.clone() });
        }
        let ends = outcomes::outcomes_of(&self.db, &change).await?;
        if let Some(end) = ends.into_iter().find(|end| end.host == *host) {
            return Err(ExtendError::Ended { host: host.clone(), kind: end.outcome.kind.as_str() });
        }
        if self.windows.phase(host) == Some(ApplyPhase::Idle) {
            return Err(ExtendError::NotAtWork(host.clone()));
        }
        let entry = AuditEntry {
            at: wall_now(),
            actor: actor.clone(),
            action: "host.window_extended".to_owned(),
            subject: format!("host/{host}"),
            detail: serde_json::json!({
                "rollout": rollout, "change": change, "window_secs": secs, "reason": reason,
            }),
        };
        let mut tx = self.db.begin().await?;
        audit::append(&mut tx, &entry).await?;
        if let Err(source) = self.windows.extend(host, &change, Millis::from_secs(*secs)) {
            tx.cancel().await;
            return Err(ExtendError::NotSent { host: host.clone(), source });
        }
        tx.commit().await?;
        tracing::info!(%host, %change, secs, reason, "the window of an open change was extended");
        Ok(())
    }
}

#[cfg(test)]
mod tests;

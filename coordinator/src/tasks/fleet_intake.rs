//! What agents say becomes rows, and only then they hear that it was stored.
//!
//! Owns: the way of every fleet event into the store, the audit entries of hosts, the signals to the rollout driver, the
//! progress shown live, and the bulk write of "last seen". Must not: decide about a rollout, or write per heartbeat. Called
//! by the composition root with the fleet's event stream.
//!
//! Events of one host are dealt with in order, those of different hosts side by side ([`LANES`]), so that the group commit
//! of `store::writer` has something to group.

mod refusals;

use super::repo_sync::RepoHandle;
use super::rollout_driver::RolloutHandle;
use super::wall_now;
use crate::fleet::{AgentHello, FleetEvent, FleetHandle, Refusal, SessionId, SetAck};
use crate::store::audit::{self, AuditEntry};
use crate::store::observations::RecordedObservation;
use crate::store::outcomes::RecordedOutcome;
use crate::store::writer::Writer;
use crate::store::{Db, StoreError, approvers, hosts};
use crate::trust::{Evidence, Receipt};
use model::{ApplyOutcome, ApproverRotation, DriftReport, HostId, LocalAction, ObservedNetwork, Wall};
use proto::convert::StepProgress;
use refusals::RefusalLog;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// Hosts whose events are dealt with side by side.
pub const LANES: usize = 64;
/// Events that may wait in one lane; the fleet waits when it is full.
const LANE_EVENTS: usize = 64;
/// Time between bulk writes of when hosts were last heard of.
pub const LAST_SEEN_EVERY: Duration = Duration::from_secs(15);

/// How far each host is with its order, as it last said; in memory only.
#[derive(Clone, Debug, Default)]
pub struct ProgressBoard {
    steps: Arc<RwLock<BTreeMap<HostId, StepProgress>>>,
}

impl ProgressBoard {
    /// What a host last said.
    #[must_use]
    pub fn of(&self, host: &HostId) -> Option<StepProgress> {
        self.steps.read().unwrap_or_else(PoisonError::into_inner).get(host).cloned()
    }

    fn set(&self, host: HostId, progress: StepProgress) {
        self.steps.write().unwrap_or_else(PoisonError::into_inner).insert(host, progress);
    }

    fn clear(&self, host: &HostId) {
        self.steps.write().unwrap_or_else(PoisonError::into_inner).remove(host);
    }
}

/// The way approver sets go to hosts.
pub trait OfferApprovers: Send + Sync {
    /// Puts an offer into the host's queue; one that is lost is made again at the host's next stream.
    fn offer(&self, host: &HostId, rotation: ApproverRotation);
}

impl OfferApprovers for FleetHandle {
    fn offer(&self, host: &HostId, rotation: ApproverRotation) {
        if let Err(error) = self.offer_approvers(host, rotation) {
            tracing::debug!(%host, %error, "an approver set was not offered; it is when the host is back");
        }
    }
}

/// What the intake is given.
#[derive(Clone)]
pub struct IntakeParts {
    /// The database.
    pub db: Db,
    /// Its group commit.
    pub writer: Writer,
    /// Offers approver sets.
    pub fleet: Arc<dyn OfferApprovers>,
    /// The driver that hears of hosts.
    pub rollouts: RolloutHandle,
    /// The task that hears of new observations.
    pub repo: RepoHandle,
    /// Where steps are shown.
    pub progress: ProgressBoard,
}

/// Deals with events until the fleet ends, then with what is left in the lanes.
pub async fn run(parts: IntakeParts, mut events: mpsc::Receiver<FleetEvent>) {
    let mut lanes = Vec::with_capacity(LANES);
    let mut workers = JoinSet::new();
    for _ in 0..LANES {
        let (lane, queue) = mpsc::channel(LANE_EVENTS);
        lanes.push(lane);
        workers.spawn(work(Intake::new(parts.clone()), queue));
    }
    while let Some(event) = events.recv().await {
        let mut hasher = DefaultHasher::new();
        host_of(&event).hash(&mut hasher);
        let lane = usize::try_from(hasher.finish() % LANES as u64).unwrap_or_default();
        if let Some(lane) = lanes.get(lane)
            && lane.send(event).await.is_err()
        {
            tracing::error!("a lane of the fleet intake has ended; its events are sent again by the agents");
        }
    }
    drop(lanes);
    while workers.join_next().await.is_some() {}
}

/// Writes when hosts were last heard of, every [`LAST_SEEN_EVERY`] and once more at the end.
pub async fn flush_last_seen(fleet: FleetHandle, writer: Writer, mut stop: watch::Receiver<bool>) {
    loop {
        let stopped = tokio::select! {
            () = tokio::time::sleep(LAST_SEEN_EVERY) => false,
            () = super::stopped(&mut stop) => true,
        };
        let seen: BTreeMap<HostId, Wall> =
            fleet.snapshot().into_iter().map(|live| (live.host, live.last_seen)).collect();
        if !seen.is_empty()
            && let Err(error) = writer.last_seen(seen).await
        {
            tracing::warn!(%error, "when hosts were last seen was not stored");
        }
        if stopped {
            return;
        }
    }
}

/// The host an event is about; a refused stranger is nobody's.
fn host_of(event: &FleetEvent) -> Option<&HostId> {
    match event {
        FleetEvent::Refused(refusal) => refusal.host.as_ref(),
        FleetEvent::Connected { host, .. }
        | FleetEvent::Disconnected { host, .. }
        | FleetEvent::Observation { host, .. }
        | FleetEvent::Outcome { host, .. }
        | FleetEvent::Drift { host, .. }
        | FleetEvent::Local { host, .. }
        | FleetEvent::ApproverSet { host, .. }
        | FleetEvent::Progress { host, .. }
        | FleetEvent::DuplicateIdentity { host, .. } => Some(host),
    }
}

async fn work(mut intake: Intake, mut queue: mpsc::Receiver<FleetEvent>) {
    while let Some(event) = queue.recv().await {
        let host = host_of(&event).cloned();
        if let Err(error) = intake.take(event).await {
            // What matters is sent again until it is acknowledged.
            tracing::warn!(?host, %error, "an event of a host was not stored");
        }
    }
}

/// One lane.
pub(super) struct Intake {
    pub(super) parts: IntakeParts,
    /// Newest stream per host, so that the late end of an older one is told.
    pub(super) sessions: BTreeMap<HostId, SessionId>,
    refusals: RefusalLog,
}

impl Intake {
    pub(super) fn new(parts: IntakeParts) -> Self {
        Self { parts, sessions: BTreeMap::new(), refusals: RefusalLog::default() }
    }

    pub(super) async fn take(&mut self, event: FleetEvent) -> Result<(), StoreError> {
        match event {
            FleetEvent::Connected { host, session, hello, remote: _ } => {
                self.sessions.insert(host.clone(), session);
                let noted = self.connected(&host, &hello).await;
                self.parts.rollouts.host_connected(&host).await;
                noted
            }
            FleetEvent::Disconnected { host, session, reason } => {
                if self.sessions.get(&host).is_some_and(|newest| *newest > session) {
                    return Ok(());
                }
                tracing::info!(%host, %reason, "host disconnected");
                self.parts.rollouts.host_disconnected(&host).await;
                Ok(())
            }
            FleetEvent::Observation { host, observed, hash, calls: _, ack } => {
                self.observation(&host, *observed, hash).await?;
                ack.ack();
                Ok(())
            }
            FleetEvent::Outcome { host, outcome, receipt, ack } => {
                self.outcome(&host, *outcome, *receipt).await?;
                ack.ack();
                Ok(())
            }
            FleetEvent::Local { host, action, ack } => {
                self.local(&host, &action).await?;
                ack.ack();
                Ok(())
            }
            FleetEvent::Drift { host, report } => self.drift(&host, *report).await,
            FleetEvent::ApproverSet { host, answer } => self.approver_set(&host, &answer).await,
            FleetEvent::Progress { host, progress } => {
                self.parts.progress.set(host, progress);
                Ok(())
            }
            FleetEvent::Refused(refusal) => self.refused(&refusal).await,
            FleetEvent::DuplicateIdentity { host, holder, refused } => {
                tracing::warn!(%host, %holder, %refused, "a second agent claims to be this host; it was refused");
                let detail = serde_json::json!({ "holder": holder, "refused": refused });
                self.note(&host, "host.duplicate_identity", detail).await
            }
        }
    }

    async fn connected(&self, host: &HostId, hello: &AgentHello) -> Result<(), StoreError> {
        self.note_hello(host, hello).await?;
        self.offer_approvers(host, hello.approver_set_version).await
    }

    /// Offers the version after the one that a host has pinned. A host without a set gets none: a person pins the first.
    async fn offer_approvers(&self, host: &HostId, pinned: u64) -> Result<(), StoreError> {
        if pinned == 0 {
            return Ok(());
        }
        let group = hosts::get(&self.parts.db, host).await?.and_then(|row| row.group);
        let sets = approvers::newest(&self.parts.db).await?;
        let Some(newest) = approvers::for_group(&sets, group.as_ref()) else { return Ok(()) };
        if newest.set.version <= pinned {
            return Ok(());
        }
        let next = approvers::after(&self.parts.db, &newest.set.name, pinned, 1).await?.into_iter().next();
        if let Some(rotation) = next.and_then(|next| next.rotation) {
            self.parts.fleet.offer(host, rotation);
        }
        Ok(())
    }

    /// A host took an approver set, and may lack more; or it refused one, and holds what it held.
    async fn approver_set(&self, host: &HostId, answer: &SetAck) -> Result<(), StoreError> {
        let SetAck { version, refused } = answer;
        if let Some(reason) = refused {
            tracing::warn!(%host, version, reason, "a host refused an approver set");
            let detail = serde_json::json!({ "version": version, "reason": reason });
            return self.note(host, "host.approvers_refused", detail).await;
        }
        self.note(host, "host.approvers_pinned", serde_json::json!({ "version": version })).await?;
        self.offer_approvers(host, *version).await
    }

    async fn note_hello(&self, host: &HostId, hello: &AgentHello) -> Result<(), StoreError> {
        let mut tx = self.parts.db.begin().await?;
        hosts::note_agent(&mut tx, host, &hello.agent_version, &hello.boot_id, wall_now()).await?;
        hosts::note_held_generation(&mut tx, host, hello.held_generation).await?;
        hosts::note_reported_generation(&mut tx, host, hello.committed_generation).await?;
        tx.commit().await
    }

    pub(super) async fn observation(
        &self,
        host: &HostId,
        observed: ObservedNetwork,
        hash: String,
    ) -> Result<(), StoreError> {
        let writer = &self.parts.writer;
        let recorded = writer.observation(host.clone(), observed, hash, wall_now()).await?;
        if recorded == RecordedObservation::Changed {
            self.parts.repo.observed();
        }
        Ok(())
    }

    pub(super) async fn outcome(
        &self,
        host: &HostId,
        outcome: ApplyOutcome,
        receipt: Receipt,
    ) -> Result<(), StoreError> {
        self.parts.progress.clear(host);
        let evidence = Evidence::from(&receipt);
        match self.parts.writer.outcome(host.clone(), outcome.clone(), receipt, wall_now()).await {
            Ok(recorded @ (RecordedOutcome::Kept | RecordedOutcome::Undone)) => {
                let ApplyOutcome { change, generation, kind, steps_run, esxcli_calls, approval } = &outcome;
                let detail = serde_json::json!({
                    "change": change, "generation": generation, "steps_run": steps_run,
                    "esxcli_calls": esxcli_calls, "outcome": kind, "approval": approval, "evidence": evidence,
                });
                let action = match recorded {
                    RecordedOutcome::Undone => "host.undone".to_owned(),
                    RecordedOutcome::Kept | RecordedOutcome::Repeat => format!("host.{}", kind.as_str()),
                };
                if recorded == RecordedOutcome::Undone {
                    tracing::warn!(%host, %change, "a committed change was undone on its host");
                }
                // The outcome is stored: a missing audit row must not keep the host from hearing so.
                if let Err(error) = self.note(host, &action, detail).await {
                    tracing::error!(%host, %error, "the audit entry of an outcome was not stored");
                }
            }
            Ok(RecordedOutcome::Repeat) => {}
            Err(error) if is_unknown(&error) => {
                tracing::warn!(%host, %error, "a host reports the end of an order that was never given; passed over");
                let ApplyOutcome { change, generation, .. } = &outcome;
                let detail = serde_json::json!({
                    "change": change, "generation": generation, "evidence": evidence,
                });
                return self.note(host, "refused.unknown_order", detail).await;
            }
            Err(error) => return Err(error),
        }
        self.parts.rollouts.host_ended(host, outcome).await;
        Ok(())
    }

    async fn drift(&self, host: &HostId, report: DriftReport) -> Result<(), StoreError> {
        let objects: Vec<String> = report.differences.iter().map(ToString::to_string).collect();
        let change = self.parts.writer.drift(report, wall_now()).await?;
        if change.opened == 0 && change.resolved == 0 {
            return Ok(());
        }
        let detail = serde_json::json!({
            "opened": change.opened, "kept": change.kept, "resolved": change.resolved, "differences": objects,
        });
        self.note(host, "host.drift", detail).await
    }

    /// An action at the console; one that is sent again because the answer was lost is stored once.
    async fn local(&self, host: &HostId, action: &LocalAction) -> Result<(), StoreError> {
        let LocalAction { sequence, verb, reason, at } = action;
        let name = format!("host.console_{}", verb.as_str());
        let detail = serde_json::json!({ "sequence": sequence, "reason": reason, "at": at });
        let mut tx = self.parts.db.begin().await?;
        if !audit::has(&mut tx, &name, &format!("host/{host}"), &detail).await? {
            tracing::warn!(%host, verb = verb.as_str(), reason, "somebody acted at the console of a host");
            audit::append(&mut tx, &entry(host, &name, detail, wall_now())).await?;
        }
        tx.commit().await
    }

    /// Somebody was refused; a flood of refusals is told by its number.
    async fn refused(&mut self, refusal: &Refusal) -> Result<(), StoreError> {
        let Some(entry) = self.refusals.entry(refusal, wall_now()) else { return Ok(()) };
        let mut tx = self.parts.db.begin().await?;
        audit::append(&mut tx, &entry).await?;
        tx.commit().await
    }

    async fn note(&self, host: &HostId, action: &str, detail: serde_json::Value) -> Result<(), StoreError> {
        let mut tx = self.parts.db.begin().await?;
        audit::append(&mut tx, &entry(host, action, detail, wall_now())).await?;
        tx.commit().await
    }
}

fn is_unknown(error: &StoreError) -> bool {
    matches!(error, StoreError::NotFound { .. })
}

fn entry(host: &HostId, action: &str, detail: serde_json::Value, at: Wall) -> AuditEntry {
    AuditEntry {
        at,
        actor: format!("host:{host}"),
        action: action.to_owned(),
        subject: format!("host/{host}"),
        detail,
    }
}

#[cfg(test)]
mod tests;

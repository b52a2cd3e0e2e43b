//! What agents say becomes rows, and only then they hear that it was stored.
//!
//! Owns: the way of every fleet event into the store, the audit entries of hosts, the signals to the rollout driver, the
//! progress shown live, and the bulk write of "last seen". Must not: decide about a rollout, or write per heartbeat. Called
//! by the composition root with the fleet's event stream.
//!
//! Events of one host are dealt with in order, those of different hosts side by side ([`LANES`]), so that the group commit
//! of `store::writer` has something to group.

use super::repo_sync::RepoHandle;
use super::rollout_driver::RolloutHandle;
use super::wall_now;
use crate::fleet::{AgentHello, FleetEvent, FleetHandle, SessionId};
use crate::store::audit::{self, AuditEntry};
use crate::store::hosts::HostStatus;
use crate::store::observations::RecordedObservation;
use crate::store::outcomes::RecordedOutcome;
use crate::store::writer::Writer;
use crate::store::{Db, StoreError, hosts};
use model::{ApplyOutcome, DriftReport, HostId, LocalAction, ObservedNetwork, Wall};
use proto::convert::StepProgress;
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

/// What the intake is given.
#[derive(Clone)]
pub struct IntakeParts {
    /// The database.
    pub db: Db,
    /// Its group commit.
    pub writer: Writer,
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
        workers.spawn(work(Intake { parts: parts.clone(), sessions: BTreeMap::new() }, queue));
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

fn host_of(event: &FleetEvent) -> &HostId {
    match event {
        FleetEvent::Enrolled { host, .. }
        | FleetEvent::Connected { host, .. }
        | FleetEvent::Disconnected { host, .. }
        | FleetEvent::Observation { host, .. }
        | FleetEvent::Outcome { host, .. }
        | FleetEvent::Drift { host, .. }
        | FleetEvent::Local { host, .. }
        | FleetEvent::Progress { host, .. }
        | FleetEvent::DuplicateIdentity { host, .. } => host,
    }
}

async fn work(mut intake: Intake, mut queue: mpsc::Receiver<FleetEvent>) {
    while let Some(event) = queue.recv().await {
        let host = host_of(&event).clone();
        if let Err(error) = intake.take(event).await {
            // What matters is sent again until it is acknowledged.
            tracing::warn!(%host, %error, "an event of a host was not stored");
        }
    }
}

/// One lane.
pub(super) struct Intake {
    pub(super) parts: IntakeParts,
    /// Newest stream per host, so that the late end of an older one is told.
    pub(super) sessions: BTreeMap<HostId, SessionId>,
}

impl Intake {
    pub(super) async fn take(&mut self, event: FleetEvent) -> Result<(), StoreError> {
        match event {
            FleetEvent::Enrolled { host, remote } => {
                self.enrol(&host, "host.enrolled", serde_json::json!({ "remote": remote })).await
            }
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
            FleetEvent::Outcome { host, outcome, ack } => {
                self.outcome(&host, *outcome).await?;
                ack.ack();
                Ok(())
            }
            FleetEvent::Local { host, action, ack } => {
                self.local(&host, &action).await?;
                ack.ack();
                Ok(())
            }
            FleetEvent::Drift { host, report } => self.drift(&host, *report).await,
            FleetEvent::Progress { host, progress } => {
                self.parts.progress.set(host, progress);
                Ok(())
            }
            FleetEvent::DuplicateIdentity { host, holder, refused } => {
                tracing::warn!(%host, %holder, %refused, "a second agent claims to be this host; it was refused");
                let detail = serde_json::json!({ "holder": holder, "refused": refused });
                self.note(&host, "host.duplicate_identity", detail).await
            }
        }
    }

    async fn enrol(&self, host: &HostId, action: &str, detail: serde_json::Value) -> Result<(), StoreError> {
        let now = wall_now();
        let mut tx = self.parts.db.begin().await?;
        hosts::enrol(&mut tx, host, None, now).await?;
        audit::append(&mut tx, &entry(host, action, detail, now)).await?;
        tx.commit().await
    }

    async fn connected(&self, host: &HostId, hello: &AgentHello) -> Result<(), StoreError> {
        if let Err(error) = self.note_hello(host, hello).await {
            if !is_unknown(&error) {
                return Err(error);
            }
            self.adopt(host).await?;
            return self.note_hello(host, hello).await;
        }
        // Named by the documents, but its enrolment was lost to a crash between certificate and row.
        let row = hosts::get(&self.parts.db, host).await?;
        if row.is_some_and(|row| row.status == HostStatus::Expected) {
            self.adopt(host).await?;
        }
        Ok(())
    }

    async fn note_hello(&self, host: &HostId, hello: &AgentHello) -> Result<(), StoreError> {
        let mut tx = self.parts.db.begin().await?;
        hosts::note_agent(&mut tx, host, &hello.agent_version, &hello.boot_id, wall_now()).await?;
        hosts::note_held_generation(&mut tx, host, hello.held_generation).await?;
        tx.commit().await
    }

    /// The host holds a certificate of ours but has no row: its enrolment was lost, or the database is older.
    async fn adopt(&self, host: &HostId) -> Result<(), StoreError> {
        let why = serde_json::json!({ "why": "has a certificate of ours, was not known here" });
        self.enrol(host, "host.adopted", why).await
    }

    pub(super) async fn observation(
        &self,
        host: &HostId,
        observed: ObservedNetwork,
        hash: String,
    ) -> Result<(), StoreError> {
        let writer = &self.parts.writer;
        let recorded =
            match writer.observation(host.clone(), observed.clone(), hash.clone(), wall_now()).await {
                Err(error) if is_unknown(&error) => {
                    self.adopt(host).await?;
                    writer.observation(host.clone(), observed, hash, wall_now()).await?
                }
                other => other?,
            };
        if recorded == RecordedObservation::Changed {
            self.parts.repo.observed();
        }
        Ok(())
    }

    pub(super) async fn outcome(&self, host: &HostId, outcome: ApplyOutcome) -> Result<(), StoreError> {
        self.parts.progress.clear(host);
        match self.parts.writer.outcome(host.clone(), outcome.clone(), wall_now()).await {
            Ok(recorded @ (RecordedOutcome::Kept | RecordedOutcome::Undone)) => {
                let ApplyOutcome { change, generation, kind, steps_run, esxcli_calls } = &outcome;
                let detail = serde_json::json!({
                    "change": change, "generation": generation, "steps_run": steps_run,
                    "esxcli_calls": esxcli_calls, "outcome": kind,
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
                return Ok(());
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

//! The driver's loop: what is active, what arrived, what is due.

use super::command::Command;
use super::dispatch::{Dispatch, SentLog};
use super::{DriverParts, Message};
use crate::fleet::SendOrderError;
use crate::release::{self, Release};
use crate::store::audit::{self, AuditEntry};
use crate::store::rfcs::{self, RfcState};
use crate::store::rollouts::{self, RolloutRecord, RolloutUpdate, SaveState};
use crate::store::{Db, StoreError, Tx, changes, outcomes, plans, releases};
use crate::tasks::lease::{Lead, LeaseHandle};
use crate::tasks::{stopped, wall_now};
use crate::trust::OrderKey;
use engine::rollout::{Effect, Event, NotSent, RolloutState};
use model::{
    ApplyOutcome, ChangeId, Generation, HostId, OutcomeKind, RefusalReason, RfcId, RolloutId, RolloutPhase,
    Wall,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep_until};

/// Messages dealt with before the state is stored once.
const BATCH_MAX: usize = 256;
/// Time between looks for rollouts that nobody told of.
const RELOAD_EVERY: Duration = Duration::from_secs(30);
/// Wait before a rollout whose save failed or was lost is taken up again.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// Who moves rollouts when no person does.
const ACTOR: &str = "task:rollout_driver";

/// A rollout in memory.
pub(super) struct Active {
    change: ChangeId,
    rfc: Option<RfcId>,
    version: u64,
    pub(super) state: RolloutState,
    generations: BTreeMap<HostId, Generation>,
    /// What its hosts are sent beside their orders; nothing when it has no hosts.
    release: Option<Release>,
    /// What it waits for before it begins, as it is stored.
    pub(super) waits_for: Option<String>,
}

/// Why a step was not kept.
pub(super) enum NotKept {
    /// Another coordinator moved the rollout.
    Lost,
    Store(StoreError),
}

impl From<StoreError> for NotKept {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

pub(super) struct Driver {
    pub(super) db: Db,
    pub(super) lease: LeaseHandle,
    lead: watch::Receiver<Lead>,
    dispatch: Arc<dyn Dispatch>,
    sent: SentLog,
    order_key: Arc<OrderKey>,
    pub(super) repo_nudge: Arc<Notify>,
    pub(super) active: BTreeMap<RolloutId, Active>,
    reload_at: Instant,
}

impl Driver {
    pub(super) fn new(parts: DriverParts) -> Self {
        let DriverParts { db, lease, dispatch, sent, order_key, repo_nudge } = parts;
        let lead = lease.watch();
        let (active, reload_at) = (BTreeMap::new(), Instant::now());
        Self { db, lease, lead, dispatch, sent, order_key, repo_nudge, active, reload_at }
    }

    pub(super) async fn run(
        mut self,
        mut messages: mpsc::Receiver<Message>,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        loop {
            let wake_at = self.wake_at();
            tokio::select! {
                biased;
                () = stopped(&mut stop) => return,
                count = messages.recv_many(&mut batch, BATCH_MAX) => {
                    if count == 0 {
                        return;
                    }
                    self.take(std::mem::take(&mut batch)).await;
                }
                // An error means that the coordinator ends.
                Ok(()) = self.lead.changed() => {
                    self.active.clear();
                    self.reload().await;
                }
                () = sleep_until(wake_at) => self.tick().await,
            }
        }
    }

    fn wake_at(&self) -> Instant {
        let now = wall_now();
        let until = |deadline: Wall| Instant::now() + Duration::from_millis(deadline.0.saturating_sub(now.0));
        let deadlines = self.active.values().filter_map(|active| active.state.next_deadline().map(until));
        deadlines.chain([self.reload_at]).min().unwrap_or(self.reload_at)
    }

    async fn tick(&mut self) {
        if Instant::now() >= self.reload_at {
            self.reload().await;
        }
        let now = wall_now();
        let due = |active: &Active| active.state.next_deadline().is_some_and(|deadline| deadline <= now);
        let due: Vec<RolloutId> =
            self.active.iter().filter(|(_, active)| due(active)).map(|(id, _)| id.clone()).collect();
        for id in due {
            self.advance_or_drop(&id, vec![Event::Tick]).await;
        }
    }

    /// Signals of hosts are gathered per rollout and stored once; a command sees everything before it.
    async fn take(&mut self, batch: Vec<Message>) {
        let mut gathered: BTreeMap<RolloutId, Vec<Event>> = BTreeMap::new();
        for message in batch {
            match message {
                Message::Connected(host) => self.gather(&mut gathered, &host, Event::HostAvailable),
                Message::Disconnected(host) => self.gather(&mut gathered, &host, Event::HostUnavailable),
                Message::Ended(host, outcome) => self.gather_outcome(&mut gathered, host, *outcome),
                Message::Wake => {
                    self.flush(&mut gathered).await;
                    self.reload().await;
                }
                Message::Command { rollout, verb, actor, reason, reply } => {
                    self.flush(&mut gathered).await;
                    let command = Command { rollout: &rollout, verb, actor: &actor, reason: &reason };
                    let answer = self.command(&command).await;
                    // Nobody waits for the answer any more: the rollout moved all the same.
                    let _ = reply.send(answer);
                }
            }
        }
        self.flush(&mut gathered).await;
    }

    fn gather(
        &self,
        gathered: &mut BTreeMap<RolloutId, Vec<Event>>,
        host: &HostId,
        event: fn(HostId) -> Event,
    ) {
        for (id, _) in self.active.iter().filter(|(_, active)| active.generations.contains_key(host)) {
            gathered.entry(id.clone()).or_default().push(event(host.clone()));
        }
    }

    fn gather_outcome(
        &self,
        gathered: &mut BTreeMap<RolloutId, Vec<Event>>,
        host: HostId,
        outcome: ApplyOutcome,
    ) {
        let ApplyOutcome { change, generation, kind, .. } = outcome;
        let of_it =
            |active: &Active| active.change == change && active.generations.get(&host) == Some(&generation);
        if let Some((id, _)) = self.active.iter().find(|(_, active)| of_it(active)) {
            gathered.entry(id.clone()).or_default().push(Event::HostEnded { host, kind });
        }
    }

    async fn flush(&mut self, gathered: &mut BTreeMap<RolloutId, Vec<Event>>) {
        for (id, events) in std::mem::take(gathered) {
            self.advance_or_drop(&id, events).await;
        }
    }

    /// Takes up active rollouts that are not in memory.
    pub(super) async fn reload(&mut self) {
        self.reload_at = Instant::now() + RELOAD_EVERY;
        if self.lease.check().is_err() {
            self.active.clear();
            return;
        }
        let records = match rollouts::active(&self.db).await {
            Ok(records) => records,
            Err(error) => {
                tracing::warn!(%error, "active rollouts cannot be read; trying again");
                self.reload_at = Instant::now() + RETRY_AFTER;
                return;
            }
        };
        for record in
            records.into_iter().filter(|record| !self.active.contains_key(&record.id)).collect::<Vec<_>>()
        {
            let id = record.id.clone();
            if let Err(error) = self.take_up(record).await {
                tracing::error!(rollout = %id, %error, "a rollout cannot be taken up; trying again");
                self.reload_at = Instant::now() + RETRY_AFTER;
            }
        }
        self.begin_approved().await;
    }

    /// Begins what has waited for approval and has it now; reads anew what hosts are sent.
    async fn begin_approved(&mut self) {
        let waiting = |active: &Active| !begun(&active.state);
        let waiting: Vec<RolloutId> =
            self.active.iter().filter(|(_, active)| waiting(active)).map(|(id, _)| id.clone()).collect();
        for id in waiting {
            let pending =
                self.active.get(&id).is_some_and(|active| active.state.phase() == RolloutPhase::Pending);
            match self.may_begin(&id).await {
                Ok(true) if pending => self.advance_or_drop(&id, vec![Event::Start]).await,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(rollout = %id, %error, "approvals cannot be read; trying again");
                    self.reload_at = Instant::now() + RETRY_AFTER;
                }
            }
        }
    }

    /// Whether everybody who has to has approved; if not, what is lacking is kept for people to see.
    pub(super) async fn may_begin(&mut self, id: &RolloutId) -> Result<bool, StoreError> {
        let Some(active) = self.active.get_mut(id) else { return Ok(false) };
        let now = wall_now();
        active.release = release::read(&self.db, &active.change, now).await?;
        let waits_for = active.release.as_ref().and_then(|release| release.standing.waits_for());
        if waits_for != active.waits_for {
            let mut tx = self.db.begin().await?;
            if !self.lease.fence(&mut tx).await? {
                tx.cancel().await;
                return Ok(false);
            }
            rollouts::waits(&mut tx, &active.change, waits_for.as_deref(), now).await?;
            tx.commit().await?;
            tracing::info!(rollout = %id, reason = waits_for.as_deref().unwrap_or("approved"), "rollout waits");
            active.waits_for.clone_from(&waits_for);
        }
        Ok(waits_for.is_none())
    }

    /// From what is stored to what is known now: outcomes first, so that nobody who has one gets an order.
    async fn take_up(&mut self, record: RolloutRecord) -> Result<(), StoreError> {
        let RolloutRecord { id, change, version, state, reason, .. } = record;
        let state = read_state(&id, state)?;
        let rfc = changes::get(&self.db, &change).await?.and_then(|change| change.rfc);
        let generations = plans::generations(&self.db, &change).await?;
        let mut events = vec![Event::Restored];
        for known in outcomes::outcomes_of(&self.db, &change).await? {
            if generations.get(&known.host) == Some(&known.outcome.generation) {
                events.push(Event::HostEnded { host: known.host, kind: known.outcome.kind });
            }
        }
        let connected = generations.keys().filter(|host| self.dispatch.connected(host));
        events.extend(connected.map(|host| Event::HostAvailable(host.clone())));
        let pending = state.phase() == RolloutPhase::Pending;
        let waits_for = reason.filter(|_| pending);
        let release = if begun(&state) { release::read(&self.db, &change, wall_now()).await? } else { None };
        let active = Active { change, rfc, version, state, generations, release, waits_for };
        self.active.insert(id.clone(), active);
        if pending {
            match self.may_begin(&id).await {
                Ok(true) => events.push(Event::Start),
                Ok(false) => {}
                Err(error) => {
                    // It has not heard of its hosts yet: as if it had never been taken up.
                    self.active.remove(&id);
                    return Err(error);
                }
            }
        }
        self.advance_or_drop(&id, events).await;
        Ok(())
    }

    async fn advance_or_drop(&mut self, id: &RolloutId, events: Vec<Event>) {
        match self.advance(id, events, ACTOR).await {
            Ok(_) => {}
            Err(NotKept::Lost) => {
                tracing::info!(rollout = %id, "somebody else moved the rollout; reading it again");
                self.drop_for_now(id);
            }
            Err(NotKept::Store(error)) => {
                tracing::warn!(rollout = %id, %error, "a step of the rollout was not stored; trying again");
                self.drop_for_now(id);
            }
        }
    }

    pub(super) fn drop_for_now(&mut self, id: &RolloutId) {
        self.active.remove(id);
        self.reload_at = self.reload_at.min(Instant::now() + RETRY_AFTER);
    }

    /// Feeds events, stores the state, performs the effects; then the same with what the effects led to.
    pub(super) async fn advance(
        &mut self,
        id: &RolloutId,
        events: Vec<Event>,
        actor: &str,
    ) -> Result<Step, NotKept> {
        let mut events = events;
        let mut step = Step { rejected: 0, phase: RolloutPhase::Pending };
        while let Some(active) = self.active.get_mut(id) {
            let now = wall_now();
            let mut state = active.state.clone();
            let effects: Vec<Effect> = events.drain(..).flat_map(|event| state.handle(event, now)).collect();
            step.rejected +=
                effects.iter().filter(|effect| matches!(effect, Effect::Rejected { .. })).count();
            if state != active.state {
                let turn = Turn { state: &state, effects: &effects, actor, now };
                active.version = save(&self.db, &self.lease, id, active, turn).await?;
                active.state = state;
            }
            step.phase = active.state.phase();
            events = self.perform(id, effects).await;
            if events.is_empty() {
                break;
            }
        }
        Ok(step)
    }

    async fn perform(&mut self, id: &RolloutId, effects: Vec<Effect>) -> Vec<Event> {
        let mut events = Vec::new();
        for effect in effects {
            match effect {
                Effect::SendOrder(host) => {
                    let Some(active) = self.active.get(id) else { continue };
                    events.extend(self.send(active, host).await);
                }
                Effect::PhaseChanged { from, to, reason } => {
                    tracing::info!(rollout = %id, from = from.as_str(), to = to.as_str(), reason, "rollout moved");
                    if to == RolloutPhase::Halted {
                        self.repo_nudge.notify_one();
                    }
                }
                Effect::Finished => {
                    self.active.remove(id);
                    self.repo_nudge.notify_one();
                }
                Effect::WaveEnded(_) => {
                    if self.active.get(id).is_some_and(|active| active.state.is_catching_up()) {
                        self.repo_nudge.notify_one();
                    }
                }
                Effect::WaveStarted(_) => {}
                Effect::Rejected { phase, event } => {
                    tracing::debug!(rollout = %id, phase = phase.as_str(), ?event, "an event had no meaning");
                }
            }
        }
        events
    }

    /// Sends one order; gives the event of a failure.
    async fn send(&self, active: &Active, host: HostId) -> Option<Event> {
        let malformed = |host: HostId, detail: String| Event::HostEnded {
            host,
            kind: OutcomeKind::Refused(RefusalReason::Malformed { detail }),
        };
        let leaf = match releases::leaf(&self.db, &active.change, &host).await {
            Ok(leaf) => leaf,
            Err(error) => {
                tracing::warn!(%host, %error, "an order cannot be read; trying again");
                return Some(Event::OrderNotSent { host, why: NotSent::Busy });
            }
        };
        let Some((leaf, release)) = leaf.zip(active.release.as_ref()) else {
            return Some(malformed(host, "no order is stored for it".to_owned()));
        };
        let offered = match release.offer(leaf, &self.order_key) {
            Ok(offered) => offered,
            Err(error) => return Some(malformed(host, error.to_string())),
        };
        self.sent.note(&host, &active.change, wall_now());
        match self.dispatch.send_order(&host, offered) {
            Ok(()) => None,
            Err(SendOrderError::NotConnected) => {
                Some(Event::OrderNotSent { host, why: NotSent::NotConnected })
            }
            Err(SendOrderError::Busy) => Some(Event::OrderNotSent { host, why: NotSent::Busy }),
            Err(SendOrderError::NotSendable { detail }) => Some(malformed(host, detail)),
        }
    }
}

/// Whether the first wave was ever started.
pub(super) fn begun(state: &RolloutState) -> bool {
    state.wave_times().first().is_some_and(|times| times.started_at.is_some())
}

/// The machine of a stored rollout.
pub(super) fn read_state(id: &RolloutId, state: serde_json::Value) -> Result<RolloutState, StoreError> {
    serde_json::from_value(state).map_err(|error| StoreError::Inconsistent {
        table: "rollouts",
        column: "state".to_owned(),
        id: id.to_string(),
        detail: format!("{error} (a rollout of another release? it can still be aborted)"),
    })
}

/// What a step led to.
pub(super) struct Step {
    pub(super) rejected: usize,
    pub(super) phase: RolloutPhase,
}

/// A transition to keep.
struct Turn<'a> {
    state: &'a RolloutState,
    effects: &'a [Effect],
    actor: &'a str,
    now: Wall,
}

/// Keeps the state, the times of waves, the RFC's place and the audit trail in one unit of work.
async fn save(
    db: &Db,
    lease: &LeaseHandle,
    id: &RolloutId,
    active: &Active,
    turn: Turn<'_>,
) -> Result<u64, NotKept> {
    let Turn { state, effects, actor, now } = turn;
    let stored = serde_json::to_value(state)
        .map_err(|error| StoreError::Unfit { what: "rollout state", detail: error.to_string() })?;
    let waits_for = active.waits_for.clone().filter(|_| state.phase() == RolloutPhase::Pending);
    let reason = state.reason().map(str::to_owned).or(waits_for);
    let update = RolloutUpdate { phase: state.phase(), state: stored, reason, now };
    let mut tx = db.begin().await?;
    if !lease.fence(&mut tx).await? {
        tx.cancel().await;
        return Err(NotKept::Lost);
    }
    let SaveState::Saved { version } = rollouts::save_state(&mut tx, id, active.version, &update).await?
    else {
        tx.cancel().await;
        return Err(NotKept::Lost);
    };
    for effect in effects {
        match effect {
            Effect::WaveStarted(number) => rollouts::wave_started(&mut tx, id, *number, now).await?,
            Effect::WaveEnded(number) => rollouts::wave_ended(&mut tx, id, *number, now).await?,
            _ => {}
        }
    }
    for effect in effects {
        if let Effect::PhaseChanged { from, to, reason } = effect {
            move_rfc(&mut tx, active.rfc, *to, now).await?;
            let detail =
                serde_json::json!({ "from": from.as_str(), "reason": reason, "change": active.change });
            let entry = AuditEntry {
                at: now,
                actor: actor.to_owned(),
                action: format!("rollout.{}", to.as_str()),
                subject: format!("rollout/{id}"),
                detail,
            };
            audit::append(&mut tx, &entry).await?;
        }
    }
    tx.commit().await?;
    Ok(version)
}

pub(super) async fn move_rfc(
    tx: &mut Tx,
    rfc: Option<RfcId>,
    phase: RolloutPhase,
    now: Wall,
) -> Result<(), StoreError> {
    let Some(rfc) = rfc else { return Ok(()) };
    let state = match phase {
        RolloutPhase::Pending => return Ok(()),
        RolloutPhase::Running | RolloutPhase::Soaking | RolloutPhase::Paused => RfcState::RollingOut,
        RolloutPhase::Halted | RolloutPhase::Aborted => RfcState::Failed,
        RolloutPhase::Completed => RfcState::Implemented,
    };
    rfcs::set_state(tx, rfc, state, now).await
}

//! Up to three coordinators over one database, each with the real rollout machine.
//!
//! Owns: what the coordinator's driver, its intake and its rule of confirmation do, on virtual time: the state is stored
//! by compare-and-set before an effect is performed. Must not decide about a rollout. Called by `world`.

use super::mutants::Mutant;
use super::station::Task;
use super::witness::Vouch;
use super::world::{Event, WALL_START, World};
use engine::apply::ConfirmVerdict;
use engine::rollout::{Effect, Event as Machine, NotSent, RolloutState};
use model::{
    ApplyOutcome, ChangeId, Generation, HostId, HostOutcome, ObservedNetwork, Order, OutcomeKind, PlanDigest,
    RolloutPhase, Uptime, Wall,
};
use std::collections::BTreeMap;

/// Between two looks for rollouts that nobody told of; the lease is renewed with it.
const RELOAD_MS: u64 = 10_000;
/// How long a lease holds.
const LEASE_MS: u64 = 30_000;
/// Before a rollout whose save failed or was lost is taken up again.
const RETRY_MS: u64 = 2_000;

/// What a coordinator hears.
#[derive(Debug, Clone)]
pub enum Note {
    /// A host has a stream.
    Connected {
        /// The host.
        host: usize,
        /// The stream.
        session: u64,
    },
    /// A stream ended.
    Disconnected {
        /// The host.
        host: usize,
        /// The stream.
        session: u64,
    },
    /// A host was read.
    Observed {
        /// The host.
        host: usize,
        /// What it looks like.
        observed: Box<ObservedNetwork>,
    },
    /// An order ended.
    Outcome {
        /// The host.
        host: usize,
        /// How.
        outcome: Box<ApplyOutcome>,
    },
    /// Does my change stand?
    Question(Box<Question>),
    /// A deadline of the rollout.
    Due,
    /// Time to look into the database.
    Reload,
}

/// What a host asks over a connection of its own.
#[derive(Debug, Clone)]
pub struct Question {
    /// The host.
    pub host: usize,
    /// The run of the agent that asks.
    pub run: u32,
    /// The change.
    pub change: ChangeId,
    /// Its generation.
    pub generation: Generation,
    /// Its plan.
    pub digest: PlanDigest,
    /// When the connection was opened.
    pub opened_at: u64,
    /// The same on the host's clock.
    pub connected_at: Uptime,
}

/// A stored rollout.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its change.
    pub change: ChangeId,
    version: u64,
    /// Its state.
    pub state: RolloutState,
    /// Its hosts and their generation.
    pub generations: BTreeMap<HostId, Generation>,
}

/// The one database.
#[derive(Debug, Default)]
pub struct Db {
    /// Rollouts, oldest first; only the last one can be active.
    pub rollouts: Vec<Row>,
    /// Orders by change and host.
    pub orders: BTreeMap<(ChangeId, HostId), Order>,
    /// Ends by change and host.
    pub outcomes: BTreeMap<(ChangeId, HostId), ApplyOutcome>,
    /// Who drives rollouts, and until when.
    lease: Option<(usize, u64)>,
    /// The newest reading of each host.
    pub observations: BTreeMap<usize, ObservedNetwork>,
}

#[derive(Debug, Clone)]
struct Active {
    rollout: usize,
    version: u64,
    state: RolloutState,
}

/// One coordinator.
#[derive(Debug, Default)]
pub struct Coordinator {
    /// Whether it runs.
    pub up: bool,
    run: u32,
    /// Whether it reaches the database.
    pub db_cut: bool,
    active: Option<Active>,
    /// Until when it may drive rollouts and keep streams.
    lease_until: u64,
    sessions: BTreeMap<usize, u64>,
    sent: BTreeMap<usize, (ChangeId, u64)>,
    due_at: Option<u64>,
}

impl Coordinator {
    /// Its present run; messages to another one are lost.
    #[must_use]
    pub fn run_of(&self) -> u32 {
        self.run
    }

    /// Whether this stream is open here.
    #[must_use]
    pub fn knows(&self, host: usize, session: u64) -> bool {
        self.sessions.get(&host) == Some(&session)
    }

    /// The process is gone.
    pub fn kill(&mut self) {
        *self = Self { run: self.run + 1, db_cut: self.db_cut, ..Self::default() };
    }
}

impl World {
    fn wall(&self) -> Wall {
        Wall(WALL_START + self.now)
    }

    fn host_index(&self, id: &HostId) -> Option<usize> {
        self.stations.iter().position(|station| station.id == *id)
    }

    /// A coordinator begins.
    pub fn start_coordinator(&mut self, index: usize) {
        let Some(coordinator) = self.coordinators.get_mut(index).filter(|coordinator| !coordinator.up) else {
            return;
        };
        coordinator.up = true;
        coordinator.run += 1;
        let run = coordinator.run;
        self.after(100, Event::Coordinator { coordinator: index, run, note: Note::Reload });
    }

    /// One event of a coordinator.
    pub fn coordinator_note(&mut self, index: usize, run: u32, note: Note) {
        let Some(coordinator) = self.coordinators.get_mut(index) else { return };
        if !coordinator.up || coordinator.run != run {
            return;
        }
        match note {
            Note::Connected { host, session } => {
                if coordinator.sessions.get(&host).is_none_or(|known| *known < session) {
                    coordinator.sessions.insert(host, session);
                    self.tell_host(index, host, Machine::HostAvailable);
                }
            }
            Note::Disconnected { host, session } => {
                if coordinator.sessions.get(&host) == Some(&session) {
                    coordinator.sessions.remove(&host);
                    self.tell_host(index, host, Machine::HostUnavailable);
                }
            }
            Note::Observed { host, observed } => {
                if !coordinator.db_cut {
                    self.db.observations.insert(host, *observed);
                }
            }
            Note::Outcome { host, outcome } => self.outcome(index, host, *outcome),
            Note::Question(question) => {
                let verdict = self.verdict(index, &question);
                self.answer(&question, verdict);
            }
            Note::Due => {
                coordinator.due_at = None;
                let due = coordinator.active.as_ref().and_then(|active| active.state.next_deadline());
                if due.is_some_and(|due| due <= self.wall()) {
                    self.advance(index, vec![Machine::Tick]);
                }
                self.plan_due(index);
            }
            Note::Reload => {
                self.after(RELOAD_MS, Event::Coordinator { coordinator: index, run, note: Note::Reload });
                self.reload(index);
            }
        }
    }

    fn tell_host(&mut self, index: usize, host: usize, event: fn(HostId) -> Machine) {
        if let Some(id) = self.stations.get(host).map(|station| station.id.clone()) {
            self.advance(index, vec![event(id)]);
        }
    }

    fn plan_due(&mut self, index: usize) {
        let (now, wall) = (self.now, self.wall());
        let Some(coordinator) = self.coordinators.get_mut(index) else { return };
        let Some(due) = coordinator.active.as_ref().and_then(|active| active.state.next_deadline()) else {
            return;
        };
        let at = if due > wall { now + (due.0 - wall.0) } else { now + 500 };
        if coordinator.due_at.is_none_or(|planned| at < planned) {
            coordinator.due_at = Some(at);
            let run = coordinator.run;
            self.at(at, Event::Coordinator { coordinator: index, run, note: Note::Due });
        }
    }

    /// Whether a coordinator may drive rollouts and keep streams: it holds the lease of the database. With the planted
    /// bug every one does, which is what the product's driver does today.
    #[must_use]
    pub fn leads(&self, index: usize) -> bool {
        let free = self.settings.mutant == Some(Mutant::NoLease);
        free || self.coordinators.get(index).is_some_and(|coordinator| self.now < coordinator.lease_until)
    }

    fn renew_lease(&mut self, index: usize) {
        let now = self.now;
        let Some(coordinator) = self.coordinators.get_mut(index).filter(|coordinator| !coordinator.db_cut)
        else {
            return;
        };
        if self.db.lease.is_none_or(|(holder, until)| holder == index || until <= now) {
            self.db.lease = Some((index, now + LEASE_MS));
            coordinator.lease_until = now + LEASE_MS;
        }
    }

    /// Takes up the rollout that is not ended and not in memory.
    pub fn reload(&mut self, index: usize) {
        self.renew_lease(index);
        let leads = self.leads(index);
        let Some(coordinator) = self.coordinators.get_mut(index) else { return };
        if !leads {
            coordinator.active = None;
            coordinator.sessions.clear();
            return;
        }
        if coordinator.db_cut || coordinator.active.is_some() {
            // What it knows may be old: the next save tells.
            return;
        }
        let Some((rollout, row)) = self.db.rollouts.iter().enumerate().next_back() else { return };
        if row.state.is_ended() {
            return;
        }
        let (version, state) = (row.version, row.state.clone());
        let mut events = vec![Machine::Restored];
        for (host, generation) in &row.generations {
            let known = self.db.outcomes.get(&(row.change.clone(), host.clone()));
            if let Some(known) = known.filter(|known| known.generation == *generation) {
                events.push(Machine::HostEnded { host: host.clone(), kind: known.kind.clone() });
            }
        }
        let stations = &self.stations;
        let connected =
            coordinator.sessions.keys().filter_map(|host| stations.get(*host).map(|s| s.id.clone()));
        events.extend(connected.filter(|id| row.generations.contains_key(id)).map(Machine::HostAvailable));
        if state.phase() == RolloutPhase::Pending {
            events.push(Machine::Start);
        }
        coordinator.active = Some(Active { rollout, version, state });
        self.advance(index, events);
    }

    /// Feeds events, stores the state, performs the effects; then the same with what these led to.
    pub fn advance(&mut self, index: usize, mut events: Vec<Machine>) {
        let wall = self.wall();
        if !self.leads(index) {
            return;
        }
        loop {
            let Some(active) =
                self.coordinators.get(index).and_then(|coordinator| coordinator.active.clone())
            else {
                return;
            };
            let mut state = active.state.clone();
            let effects: Vec<Effect> = events.drain(..).flat_map(|event| state.handle(event, wall)).collect();
            let early = self.settings.mutant == Some(Mutant::SendBeforeStore);
            if early {
                events = self.perform_rollout(index, &active, &effects);
            }
            if state != active.state && !self.store(index, &active, &state) {
                return;
            }
            if let Some(known) = self.coordinators.get_mut(index).and_then(|c| c.active.as_mut()) {
                known.state = state;
            }
            if !early {
                events = self.perform_rollout(index, &active, &effects);
            }
            if events.is_empty() {
                break;
            }
        }
        self.plan_due(index);
    }

    fn store(&mut self, index: usize, active: &Active, state: &RolloutState) -> bool {
        let linked = self.linked();
        let Some(coordinator) = self.coordinators.get_mut(index) else { return false };
        let row = self.db.rollouts.get_mut(active.rollout);
        let Some(row) = row.filter(|row| row.version == active.version && !coordinator.db_cut) else {
            // Somebody else moved it, or the database cannot be reached: read it again later.
            coordinator.active = None;
            let run = coordinator.run;
            self.after(RETRY_MS, Event::Coordinator { coordinator: index, run, note: Note::Reload });
            return false;
        };
        self.gates.stored(&row.state, state, self.now, &linked);
        if row.state.phase() != state.phase() {
            let (from, to, reason) = (row.state.phase(), state.phase(), state.reason().map(str::to_owned));
            self.trace.note(self.now, "rollout", || format!("{from:?} -> {to:?} {reason:?} by {index}"));
        }
        row.version += 1;
        row.state = state.clone();
        if let Some(active) = &mut coordinator.active {
            active.version = row.version;
        }
        true
    }

    fn perform_rollout(&mut self, index: usize, active: &Active, effects: &[Effect]) -> Vec<Machine> {
        let mut events = Vec::new();
        for effect in effects {
            match effect {
                Effect::SendOrder(host) => events.extend(self.send_order(index, active.rollout, host)),
                Effect::WaveStarted(0) if self.settings.mutant == Some(Mutant::SkipCanaryGate) => {
                    let all: Vec<HostId> = active.state.outcomes().map(|(host, _)| host.clone()).collect();
                    for host in all {
                        self.send_order(index, active.rollout, &host);
                    }
                }
                Effect::Finished => {
                    if let Some(coordinator) = self.coordinators.get_mut(index) {
                        coordinator.active = None;
                    }
                }
                Effect::WaveStarted(_)
                | Effect::WaveEnded(_)
                | Effect::PhaseChanged { .. }
                | Effect::Rejected { .. } => {}
            }
        }
        events
    }

    fn send_order(&mut self, index: usize, rollout: usize, host: &HostId) -> Option<Machine> {
        let not_sent = |why| Some(Machine::OrderNotSent { host: host.clone(), why });
        let change = self.db.rollouts.get(rollout)?.change.clone();
        let order = self.db.orders.get(&(change.clone(), host.clone()))?.clone();
        let station = self.host_index(host)?;
        let now = self.now;
        let coordinator = self.coordinators.get_mut(index)?;
        if !coordinator.sessions.contains_key(&station) {
            return not_sent(NotSent::NotConnected);
        }
        if coordinator.sent.get(&station).is_none_or(|(known, _)| *known != change) {
            coordinator.sent.insert(station, (change, now));
        }
        if let Some(row) = self.db.rollouts.get(rollout) {
            self.gates.sent(&row.state, host);
        }
        self.trace.note(now, "order", || format!("{} to {host} by {index}", order.generation));
        self.send_down(station, index, Task::Order(Box::new(order)));
        None
    }

    fn outcome(&mut self, index: usize, host: usize, outcome: ApplyOutcome) {
        let Some(id) = self.stations.get(host).map(|station| station.id.clone()) else { return };
        if self.coordinators.get(index).is_none_or(|coordinator| coordinator.db_cut) {
            return;
        }
        let key = (outcome.change.clone(), id.clone());
        let known = self.db.outcomes.get(&key);
        if known.is_none_or(|known| matches!(known.kind, OutcomeKind::Refused(_))) {
            self.db.outcomes.insert(key, outcome.clone());
        }
        let (change, generation) = (outcome.change.clone(), outcome.generation);
        self.send_down(host, index, Task::Ack(change.clone(), generation));
        let rollout =
            self.coordinators.get(index).and_then(|c| c.active.as_ref()).map(|active| active.rollout);
        let row = rollout.and_then(|rollout| self.db.rollouts.get(rollout));
        if row.is_some_and(|row| row.change == change && row.generations.get(&id) == Some(&generation)) {
            self.advance(index, vec![Machine::HostEnded { host: id, kind: outcome.kind }]);
        }
    }

    /// The rule of confirmation.
    fn verdict(&mut self, index: usize, question: &Question) -> Result<ConfirmVerdict, String> {
        let Question { host, generation, opened_at, .. } = *question;
        let Question { change, digest, .. } = question;
        let withdrawn = |reason: &str| Ok(ConfirmVerdict::Withdrawn { reason: reason.to_owned() });
        let coordinator = self.coordinators.get(index).ok_or("no coordinator")?;
        if coordinator.db_cut {
            return Err("the store cannot be read".to_owned());
        }
        let id = self.stations.get(host).map(|station| station.id.clone()).ok_or("no host")?;
        let Some(order) = self.db.orders.get(&(change.clone(), id.clone())) else {
            return withdrawn("no order");
        };
        if order.generation != generation || order.plan_digest != *digest {
            return withdrawn("another order");
        }
        let Some(row) = self.db.rollouts.iter().find(|row| row.change == *change) else {
            return withdrawn("no rollout");
        };
        let ended = row.state.outcome(&id);
        if let Some(HostOutcome::Ended(kind)) = &ended
            && *kind != OutcomeKind::Committed
        {
            return withdrawn("it ended before");
        }
        let committed = ended == Some(HostOutcome::Ended(OutcomeKind::Committed));
        if row.state.phase() == RolloutPhase::Aborted && !committed {
            return withdrawn("the rollout was aborted");
        }
        if coordinator.sent.get(&host).is_some_and(|(known, at)| known == change && opened_at < *at) {
            return Err("an old connection".to_owned());
        }
        let vouch = if committed { Vouch::NoNeed } else { self.vouch(host, index) };
        if vouch == Vouch::No && self.settings.mutant != Some(Mutant::NoWitness) {
            return Err("no peer vouches for the change".to_owned());
        }
        if let Some(watch) = self.watches.get_mut(host) {
            watch.confirmed(change, generation);
            watch.unwitnessed = vouch == Vouch::No;
        }
        Ok(ConfirmVerdict::Confirmed)
    }

    /// A person's word goes to a coordinator that drives the rollout.
    pub fn command(&mut self, event: Machine) {
        let drives = |index: &usize| {
            let coordinator = self.coordinators.get(*index);
            self.leads(*index) && coordinator.is_some_and(|c| c.up && !c.db_cut && c.active.is_some())
        };
        let index = (0..self.coordinators.len()).find(drives);
        if let Some(index) = index {
            self.advance(index, vec![event]);
        }
    }

    /// A rollout was made: coordinators that can, take it up.
    pub fn wake(&mut self) {
        for index in 0..self.coordinators.len() {
            if self.coordinators.get(index).is_some_and(|coordinator| coordinator.up) {
                self.reload(index);
            }
        }
    }

    /// A new rollout is stored.
    pub fn insert_rollout(
        &mut self,
        change: ChangeId,
        state: RolloutState,
        generations: BTreeMap<HostId, Generation>,
    ) {
        self.db.rollouts.push(Row { change, version: 1, state, generations });
        self.wake();
    }
}

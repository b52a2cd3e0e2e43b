//! One host, one order, no fleet: every call is answered at once, and the process can be ended anywhere.
//!
//! Owns: virtual time of one change and the checks that hold at every call. Called by `crash`.

use crate::sim::agent::{Agent, Ask, Start, disk};
use crate::sim::disk::SimDisk;
use crate::sim::host::{self, CallFault, Reading, is_reachable};
use crate::sim::image::Image;
use crate::sim::mutants::Mutant;
use crate::sim::record;
use engine::apply::{ConfirmVerdict, Event, Seen, StepResult};
use model::{ApplyOutcome, ApplyPhase, BootId, HostId, Now, Operation, Order, OutcomeKind, Uptime, Wall};
use simulator::Host;
use std::collections::VecDeque;

/// Wall clock at the start of every run, milliseconds.
const WALL_START: u64 = 1_790_000_000_000;
/// Time of one call.
const CALL_MS: u64 = 200;
/// Answers and ticks after which a run that does not end is a failure.
const TURNS_MAX: u32 = 3_000;
/// From the opening of a change to its end: window, steps, and every attempt of the way back.
pub const OPEN_LIMIT_MS: u64 = 60_000 + 60_000 + 240_000;

/// How often a call that answers an error without having done anything does so.
const STUBBORN: u32 = 3;

/// How the coordinator answers the confirm question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Confirmed, when the host can be reached.
    Confirm,
    /// Withdrawn, when the host can be reached.
    Withdraw,
    /// Never.
    Silence,
}

/// Where the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Instead of this disk operation.
    Disk(u64),
    /// Before this call of the host or the coordinator.
    Before(u64),
    /// After this call, before its answer.
    After(u64),
}

/// What does not change over the runs of one change.
#[derive(Debug, Clone)]
pub struct Case {
    /// The host before.
    pub host: Host,
    /// The order.
    pub order: Order,
    /// How the coordinator answers.
    pub answer: Answer,
    /// Before the order.
    pub old: Image,
    /// After it.
    pub new: Image,
    /// A planted bug.
    pub mutant: Option<Mutant>,
}

/// The world around one agent.
#[derive(Debug)]
pub struct Bench<'a> {
    case: &'a Case,
    /// The host.
    pub host: Host,
    /// Its disk.
    pub disk: SimDisk,
    agent: Option<Agent>,
    asks: VecDeque<Ask>,
    now_ms: u64,
    booted_ms: u64,
    opened_ms: Option<u64>,
    /// Calls of the host or the coordinator so far.
    pub calls: u64,
    /// The first call that is done wrong, and how.
    pub fault: Option<(u64, CallFault)>,
    stubborn: Option<(Operation, u32)>,
    /// Outcomes told.
    pub outcomes: Vec<ApplyOutcome>,
    /// ESXi saves by itself before the call of this number.
    pub backup_at: Option<u64>,
    /// What was violated.
    pub violations: Vec<String>,
    confirmed: bool,
}

impl<'a> Bench<'a> {
    /// A host on which nothing has happened, its agent started.
    #[must_use]
    pub fn new(case: &'a Case) -> Self {
        let mut bench = Self {
            case,
            host: case.host.clone(),
            disk: disk(case.mutant),
            agent: None,
            asks: VecDeque::new(),
            now_ms: 1_000_000,
            booted_ms: 0,
            opened_ms: None,
            calls: 0,
            fault: None,
            stubborn: None,
            outcomes: Vec::new(),
            backup_at: None,
            violations: Vec::new(),
            confirmed: false,
        };
        bench.start();
        bench
    }

    /// The same world later on, with a disk of its own and no process.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self {
            case: self.case,
            host: self.host.clone(),
            disk: self.disk.copy(),
            agent: None,
            asks: VecDeque::new(),
            now_ms: self.now_ms,
            booted_ms: self.booted_ms,
            opened_ms: None,
            calls: self.calls,
            fault: None,
            stubborn: None,
            outcomes: self.outcomes.clone(),
            backup_at: None,
            violations: Vec::new(),
            confirmed: self.confirmed,
        }
    }

    fn now(&self) -> Now {
        Now { wall: Wall(WALL_START + self.now_ms), uptime: Uptime(self.now_ms - self.booted_ms) }
    }

    fn fail(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.violations.contains(&what) {
            self.violations.push(what);
        }
    }

    /// The power is cut and comes back: the saved configuration, another boot.
    pub fn reboot(&mut self) {
        self.host.reboot();
        self.now_ms += 60_000;
        self.booted_ms = self.now_ms;
    }

    /// Starts the agent's program, which ends instead of this disk operation.
    pub fn start_dying(&mut self, op: u64) {
        self.begin(Some(op));
    }

    /// Starts the agent's program.
    pub fn start(&mut self) {
        self.begin(None);
    }

    fn begin(&mut self, die_at: Option<u64>) {
        let start = Start {
            host: self.case.order.host.clone(),
            boot: BootId(self.host.boot.id.clone()),
            disk: self.disk.clone(),
            mutant: self.case.mutant,
        };
        self.now_ms += 1_000;
        self.disk.revive();
        self.disk.die_at(die_at);
        self.asks.clear();
        let (agent, asks, last) = Agent::start(start, self.now());
        self.asks.extend(last.map(Ask::Report));
        self.asks.extend(asks);
        self.agent = Some(agent);
    }

    /// Sends the order and lets everything happen until nothing is left, or until the process ends at `point`.
    /// True when it ended there.
    pub fn order(&mut self, point: Option<Point>) -> bool {
        if let Some(Point::Disk(at)) = point {
            self.disk.die_at(Some(at));
        }
        if self.settle(point) {
            return true;
        }
        self.tell(Event::order(Box::new(self.case.order.clone())));
        self.settle(point)
    }

    fn tell(&mut self, event: Event) {
        let now = self.now();
        if let Some(agent) = &mut self.agent {
            let asks = agent.take(event, now);
            self.asks.extend(asks);
        }
    }

    /// Until nothing is left, or until the process ends at `point`; true when it ended there.
    pub fn settle(&mut self, point: Option<Point>) -> bool {
        for _ in 0..TURNS_MAX {
            if self.disk.is_dead() {
                self.agent = None;
                // What was told before the end was told.
                for ask in std::mem::take(&mut self.asks) {
                    if let Ask::Report(outcome) = ask {
                        self.heard(outcome);
                    }
                }
                return true;
            }
            let Some(ask) = self.asks.pop_front() else {
                let Some(due) = self.agent.as_ref().and_then(Agent::due) else { return false };
                self.now_ms = (self.booted_ms + due.0).max(self.now_ms + 1);
                self.tell(Event::Tick);
                self.check_time();
                continue;
            };
            if !matches!(ask, Ask::Opened(_) | Ask::Rolling(_) | Ask::Undoing(_)) {
                if self.backup_at == Some(self.calls) {
                    self.host.auto_backup();
                }
                if point == Some(Point::Before(self.calls)) {
                    self.agent = None;
                    return true;
                }
                self.calls += 1;
            }
            let answer = self.perform(ask);
            if point == Some(Point::After(self.calls.saturating_sub(1))) {
                self.agent = None;
                return true;
            }
            if let Some(event) = answer {
                self.tell(event);
            }
        }
        self.fail("I9 the agent does not come to an end");
        false
    }

    fn perform(&mut self, ask: Ask) -> Option<Event> {
        match ask {
            Ask::Opened(_) => {
                self.opened_ms = Some(self.now_ms);
                if self.outcomes.iter().any(|told| !matches!(told.kind, OutcomeKind::Refused(_))) {
                    self.fail("I3 an order that has ended is opened again");
                }
                None
            }
            Ask::Rolling(_) | Ask::Undoing(_) => None,
            Ask::Observe { token } => {
                self.now_ms += CALL_MS;
                let wall = self.now().wall;
                let result = host::read(&mut self.host, Reading::Direct, wall).map(Box::new);
                Some(Event::Observed(Seen { token, result, calls: 1 }))
            }
            Ask::Probe { token, probes } => {
                self.now_ms += CALL_MS;
                Some(Event::Probed { token, results: host::probe(&self.host, probes) })
            }
            Ask::Step { index, operation } => {
                self.check_intent(Some(index));
                let result = self.call(&operation);
                Some(Event::StepDone { index, result })
            }
            Ask::Inverse { position, operation } => {
                self.check_intent(None);
                let result = self.call(&operation);
                Some(Event::InverseDone { position, result })
            }
            Ask::Blind(operation) => {
                self.fail("I7 a step was run again after a restart, without looking");
                self.call(&operation);
                None
            }
            Ask::Persist => Some(Event::Persisted(self.save())),
            Ask::Confirm { change, generation, .. } => Some(self.confirm(change, generation)),
            Ask::Report(outcome) => {
                self.heard(outcome);
                None
            }
        }
    }

    /// Only the confirmed state is saved, or the one before.
    fn save(&mut self) -> Result<(), String> {
        self.now_ms += CALL_MS;
        let fault = self.fault.filter(|(at, _)| at + 1 == self.calls).map(|(_, fault)| fault);
        if matches!(fault, Some(CallFault::FailBefore | CallFault::HangBefore)) {
            return Err("the simulation says so".to_owned());
        }
        let image = Image::running(&self.host);
        let open = record::open(&self.disk);
        if open.is_some_and(|open| !(image == self.case.old || open.confirmed && image == self.case.new)) {
            self.fail("I2 the configuration was saved while a change was open");
        }
        self.host.auto_backup();
        match fault {
            Some(CallFault::FailAfter | CallFault::HangAfter) => Err("the simulation says so".to_owned()),
            _ => Ok(()),
        }
    }

    fn call(&mut self, operation: &Operation) -> StepResult {
        let fault = self.fault_of(operation);
        self.now_ms += if fault.is_some_and(CallFault::hangs) { 60_000 } else { CALL_MS };
        host::run(&mut self.host, operation, fault)
    }

    /// The chosen call goes wrong; an error is repeated for the same operation.
    fn fault_of(&mut self, operation: &Operation) -> Option<CallFault> {
        let (at, fault) = self.fault?;
        if at + 1 == self.calls {
            self.stubborn = (fault == CallFault::FailBefore).then(|| (operation.clone(), STUBBORN - 1));
            return Some(fault);
        }
        let (stubborn, left) = self.stubborn.as_mut()?;
        if stubborn != operation || *left == 0 {
            return None;
        }
        *left -= 1;
        Some(fault)
    }

    fn confirm(&mut self, change: model::ChangeId, generation: model::Generation) -> Event {
        let connected_at = self.now().uptime;
        self.now_ms += CALL_MS;
        let old_flow = self.case.mutant == Some(Mutant::OldConnection);
        let verdict = match self.case.answer {
            Answer::Confirm => ConfirmVerdict::Confirmed,
            Answer::Withdraw => ConfirmVerdict::Withdrawn { reason: "aborted".to_owned() },
            Answer::Silence => return self.unanswered(change),
        };
        if !(is_reachable(&self.host) || old_flow) {
            return self.unanswered(change);
        }
        self.confirmed |= verdict == ConfirmVerdict::Confirmed;
        Event::ConfirmAnswered { change, generation, connected_at, verdict }
    }

    fn unanswered(&mut self, change: model::ChangeId) -> Event {
        self.now_ms += 10_000;
        Event::ConfirmUnavailable { change, detail: "no answer".to_owned() }
    }

    /// I7: what is about to change the host is durable, whatever happens to the power.
    fn check_intent(&mut self, step: Option<u32>) {
        match (record::open(&self.disk), step) {
            (None, _) => self.fail("I7 a call without a durable change"),
            (Some(open), Some(index)) if !record::is_begun(&open, index) => {
                self.fail("I7 a step without a durable intent");
            }
            (Some(_), _) => {}
        }
    }

    fn check_time(&mut self) {
        let busy = self.agent.as_ref().is_some_and(|agent| agent.machine().phase() != ApplyPhase::Idle);
        let late = self.opened_ms.is_some_and(|opened| self.now_ms > opened + OPEN_LIMIT_MS);
        if busy && late && self.fault.is_none() {
            self.fail("I1 a change is open for too long");
        }
    }

    /// I8: what is told is true at the moment it is told, and always the same.
    fn heard(&mut self, outcome: ApplyOutcome) {
        let is_end = |outcome: &ApplyOutcome| !matches!(outcome.kind, OutcomeKind::Refused(_));
        if let Some(before) = self.outcomes.iter().find(|before| is_end(before) && is_end(&outcome))
            && before.kind != outcome.kind
            && before.generation == outcome.generation
        {
            self.fail(format!("I8 two outcomes: {} and {}", before.kind.as_str(), outcome.kind.as_str()));
        }
        if is_end(&outcome) && record::held(&self.disk).is_none_or(|held| held.kind != outcome.kind) {
            self.fail(format!("I8 {} is told and not on record", outcome.kind.as_str()));
        }
        if outcome.kind == OutcomeKind::Committed {
            if !self.confirmed {
                self.fail("I8 committed, and nobody confirmed it");
            }
            if !is_reachable(&self.host) && is_reachable(&self.case.host) {
                self.fail("I1 committed, and the host is cut off");
            }
        }
        let before = self.outcomes.last().is_some_and(|last| last.kind == outcome.kind);
        if !before {
            self.check_truth(&outcome.kind, "told");
        }
        self.outcomes.push(outcome);
    }

    fn check_truth(&mut self, kind: &OutcomeKind, how: &str) {
        let image = Image::running(&self.host);
        let wanted = match kind {
            OutcomeKind::Committed => &self.case.new,
            OutcomeKind::RolledBack { .. } | OutcomeKind::Refused(_) => &self.case.old,
            OutcomeKind::RolledBackUnverified { .. } | OutcomeKind::FailedMixed { .. } => {
                return self
                    .fail(format!("I2 {} although every call can be undone: {kind:?}", kind.as_str()));
            }
        };
        if image != *wanted {
            self.fail(format!("I8 {} {how}, but: {}", kind.as_str(), image.difference(wanted)));
        }
    }

    /// What holds when everything has ended: exactly the old or the new state, and the record says which.
    pub fn check_end(&mut self) {
        let image = Image::running(&self.host);
        if image != self.case.old && image != self.case.new {
            self.fail(format!("I2 neither old nor new: {}", image.difference(&self.case.old)));
        }
        if record::open(&self.disk).is_some() {
            self.fail("I9 a change is still open in the record");
        }
        match record::held(&self.disk) {
            Some(outcome) => self.check_truth(&outcome.kind, "on record"),
            None if image != self.case.old => self.fail("I8 changed, and no record of it"),
            None => {}
        }
        let committed = self.outcomes.iter().any(|told| told.kind == OutcomeKind::Committed);
        if committed && image == self.case.old && self.case.new != self.case.old {
            self.fail("I8 committed told, and the old state is back");
        }
        if self.violations.is_empty() {
            self.check_saved(&image);
        }
    }

    fn check_saved(&mut self, image: &Image) {
        let saved = Image::saved(&self.host);
        if saved != *image {
            self.fail(format!("I2 the next boot begins with another state: {}", saved.difference(image)));
        }
    }

    /// The host this is about.
    #[must_use]
    pub fn id(&self) -> &HostId {
        &self.case.order.host
    }
}

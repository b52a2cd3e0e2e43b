//! The agent without its shell: the real apply machine and the real journal on a simulated disk.
//!
//! Owns: the one place where the simulation touches `engine::apply` and `engine::journal`. It performs effects in the
//! order and with the meaning of the agent's own loop; journal records are written at once, everything else is asked
//! of the harness. Must not decide anything, except where a planted bug says so. Called by `process` and `crash`.

use super::disk::{SimDisk, SyncBug};
use super::mutants::Mutant;
use engine::apply::{
    ApplyMachine, Closing, Committed, ConfirmVerdict, Effect, Event, JournalHealth, LocalGuards, Open,
    Record, Replay, Seen, State, StepResult, Transaction,
};
use engine::journal::{Journal, Opened};
use engine::project::project;
use model::{
    ApplyOutcome, ApplyPhase, BootId, ChangeId, Generation, HostId, LocalVerb, Millis, Now, Operation,
    OutcomeKind, PlanDigest, Probe, Uptime,
};
use std::collections::VecDeque;

/// Something the harness is to do or to know.
#[derive(Debug, Clone)]
pub enum Ask {
    /// Read the host.
    Observe {
        /// To be given back.
        token: u32,
    },
    /// Run a step.
    Step {
        /// To be given back.
        index: u32,
        /// The call.
        operation: Operation,
    },
    /// Run a call of the way back.
    Inverse {
        /// To be given back.
        position: u32,
        /// The call.
        operation: Operation,
    },
    /// Run a call nobody waits for (planted bugs only).
    Blind(Operation),
    /// Ask the network around the host.
    Probe {
        /// To be given back.
        token: u32,
        /// What to ask.
        probes: Vec<Probe>,
    },
    /// Save the host's configuration.
    Persist,
    /// Ask for the confirmation.
    Confirm {
        /// The change.
        change: ChangeId,
        /// Its generation.
        generation: Generation,
        /// Its plan.
        digest: PlanDigest,
    },
    /// Tell how an order ended.
    Report(ApplyOutcome),
    /// A change is open from now on; nothing was touched yet.
    Opened(Box<Transaction>),
    /// The way back begins.
    Rolling(String),
    /// A committed change is being undone from now on; nothing was touched yet.
    Undoing(Box<Transaction>),
}

/// What an agent begins with.
#[derive(Debug, Clone)]
pub struct Start {
    /// The host.
    pub host: HostId,
    /// Its boot.
    pub boot: BootId,
    /// Its disk.
    pub disk: SimDisk,
    /// A planted bug.
    pub mutant: Option<Mutant>,
}

/// One run of the agent's program.
#[derive(Debug)]
pub struct Agent {
    machine: ApplyMachine,
    journal: Journal<SimDisk>,
    start: Start,
    /// Of a planted bug: the change that is taken for applied.
    ghost: Option<Box<Open>>,
    persisted_early: bool,
}

/// The disk of a host as this planted bug leaves it.
#[must_use]
pub fn disk(mutant: Option<Mutant>) -> SimDisk {
    SimDisk::new(match mutant {
        Some(Mutant::SkipSync) => SyncBug::All,
        Some(Mutant::SkipReplacementSync) => SyncBug::Replacement,
        _ => SyncBug::None,
    })
}

impl Agent {
    /// The program starts on a disk that was revived: what the journal says comes first. Also gives the outcome to tell again.
    pub fn start(start: Start, now: Now) -> (Self, Vec<Ask>, Option<ApplyOutcome>) {
        let (agent, effects, last, mut asks) = Self::open(start, now);
        let mut agent = agent;
        if agent.is_dead() {
            // It died while it opened its journal: it told nobody anything.
            return (agent, Vec::new(), None);
        }
        asks.extend(agent.perform(effects, now));
        (agent, asks, last)
    }

    fn open(start: Start, now: Now) -> (Self, Vec<Effect>, Option<ApplyOutcome>, Vec<Ask>) {
        let (mut journal, Opened { mut replay, mut health, .. }) =
            Journal::open(start.disk.clone(), &start.boot);
        if let (Some(Mutant::IgnoreDamage), JournalHealth::Damaged { .. }) = (start.mutant, &health) {
            start.disk.wipe();
            let (anew, opened) = Journal::open(start.disk.clone(), &start.boot);
            (journal, replay, health) = (anew, opened.replay, opened.health);
        }
        let mut asks = Vec::new();
        let mut ghost = None;
        match start.mutant {
            Some(Mutant::ForgetMemory) => replay.memory = engine::apply::Memory::default(),
            Some(Mutant::ForgetOpen) => replay.open = None,
            Some(Mutant::ReplaySteps) => {
                let steps = replay.open.iter().flat_map(|open| &open.transaction.plan.steps);
                asks.extend(steps.map(|step| Ask::Blind(step.operation.clone())));
            }
            Some(Mutant::IgnoreBootId) => ghost = take_applied(&mut replay),
            _ => {}
        }
        let last = replay.memory.held.as_ref().map(|held| held.outcome.clone());
        let (host, boot) = (start.host.clone(), start.boot.clone());
        let (machine, effects) = ApplyMachine::restore(host, boot, replay, health, now);
        if let Some(open) = &ghost {
            asks.push(confirm_of(open));
        }
        (Self { machine, journal, start, ghost, persisted_early: false }, effects, last, asks)
    }

    /// The machine, for looking at.
    #[must_use]
    pub fn machine(&self) -> &ApplyMachine {
        &self.machine
    }

    /// When the next tick is due.
    #[must_use]
    pub fn due(&self) -> Option<Uptime> {
        self.machine.next_deadline()
    }

    /// Whether the process died while it wrote to the disk.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.start.disk.is_dead()
    }

    /// One event for the machine, and all that follows at once.
    pub fn take(&mut self, event: Event, now: Now) -> Vec<Ask> {
        if let Some(asks) = self.take_for_ghost(&event, now) {
            return asks;
        }
        let event = self.bend(event);
        let now = self.bend_clock(now);
        let mut asks = self.extend_by_itself(&event, now);
        let effects = self.machine.handle(event, now);
        asks.extend(self.perform(effects, now));
        let early = self.start.mutant == Some(Mutant::PersistEarly);
        if early && self.machine.phase() == ApplyPhase::AwaitingConfirm && !self.persisted_early {
            self.persisted_early = true;
            asks.push(Ask::Persist);
        }
        asks
    }

    /// What a person at the console forbids from now on.
    pub fn guards(&mut self, guards: LocalGuards) {
        if self.start.mutant != Some(Mutant::IgnoreFreeze) {
            self.machine.set_guards(guards);
        }
    }

    /// A person did something at the console.
    pub fn note_local(&mut self, verb: LocalVerb, now: Now) -> Vec<Ask> {
        let effects = self.machine.note_local(verb, "the simulation".to_owned(), now.wall);
        self.perform(effects, now)
    }

    /// As the agent does when a person wants the last committed change undone.
    pub fn undo_last(&mut self, now: Now) -> Vec<Ask> {
        let Some(transaction) = self.journal.history().last_committed().cloned() else { return Vec::new() };
        let reason = "at the console: undone".to_owned();
        self.take(Event::UndoRequested { transaction: Box::new(transaction), reason }, now)
    }

    fn extend_by_itself(&mut self, event: &Event, now: Now) -> Vec<Ask> {
        let open = self.machine.state().open().map(|open| open.order().change.clone());
        let (Some(Mutant::ExtendByItself), Event::Tick, Some(change)) = (self.start.mutant, event, open)
        else {
            return Vec::new();
        };
        let window = Millis::from_secs(model::CONFIRM_TIMEOUT_SECS_MAX);
        let effects = self.machine.handle(Event::ExtendRequested { change, window }, now);
        self.perform(effects, now)
    }

    fn perform(&mut self, effects: Vec<Effect>, now: Now) -> Vec<Ask> {
        let mut queue = VecDeque::from(effects);
        let mut asks = Vec::new();
        let mut closed = false;
        while let Some(effect) = queue.pop_front() {
            if self.is_dead() {
                return asks;
            }
            let answer = match effect {
                Effect::Journal(record) => {
                    closed |= ends_something(&record);
                    self.tell_too_early(&record, &mut asks);
                    let written = self.write(&record);
                    match (&written, record) {
                        (Ok(()), Record::Opened(transaction)) => asks.push(Ask::Opened(transaction)),
                        (Ok(()), Record::Undoing { transaction, .. }) => asks.push(Ask::Undoing(transaction)),
                        _ => {}
                    }
                    Some(match written {
                        Ok(()) => Event::JournalWritten,
                        Err(detail) => Event::JournalFailed { detail },
                    })
                }
                Effect::Note(record) => {
                    closed |= ends_something(&record);
                    if let Record::RollbackStarted { reason } = &record {
                        asks.push(Ask::Rolling(reason.clone()));
                    }
                    // As in the agent: a note that is lost changes nothing.
                    let _ = self.write(&record);
                    None
                }
                other => self.ask(other, &mut asks),
            };
            if self.is_dead() {
                return asks;
            }
            if let Some(event) = answer {
                queue.extend(self.machine.handle(event, now));
            }
        }
        if closed && self.machine.phase() == ApplyPhase::Idle {
            // As in the agent: the journal only stays longer.
            let _ = self.journal.checkpoint(self.machine.memory());
        }
        asks
    }

    /// Of planted bugs: an end is told before it is saved, or before it is on record.
    fn tell_too_early(&self, record: &Record, asks: &mut Vec<Ask>) {
        match (self.start.mutant, record, self.machine.state().open()) {
            (Some(Mutant::ReportBeforeRecord), Record::Closed(closing), _) => {
                asks.push(Ask::Report(closing.outcome.clone()));
            }
            (Some(Mutant::ReportBeforeSave), Record::Confirmed, Some(open)) => {
                asks.push(Ask::Report(committed(open)));
            }
            _ => {}
        }
    }

    fn write(&mut self, record: &Record) -> Result<(), String> {
        match (self.start.mutant, record) {
            (Some(Mutant::DropStepStarted), Record::StepStarted { .. })
            | (Some(Mutant::SkipUndoRecord), Record::Undoing { .. }) => return Ok(()),
            (Some(Mutant::SkipIntentSync), Record::StepStarted { .. }) => self.start.disk.skip_syncs(1),
            (Some(Mutant::SkipOpenedSync), Record::Opened(_)) => self.start.disk.skip_syncs(2),
            _ => {}
        }
        self.journal.append(record).map_err(|error| error.to_string())
    }

    /// An effect that is not the journal's; an answer when a planted bug has one already.
    fn ask(&mut self, effect: Effect, asks: &mut Vec<Ask>) -> Option<Event> {
        match effect {
            Effect::Observe { token } => asks.push(Ask::Observe { token }),
            Effect::RunStep { index, operation } => asks.push(Ask::Step { index, operation }),
            Effect::RunInverse { position, operation } => return self.inverse(position, operation, asks),
            Effect::Probe { token, probes } => asks.push(Ask::Probe { token, probes }),
            Effect::Persist => {
                if let (Some(Mutant::SkipRollbackSave), State::Saving(at)) =
                    (self.start.mutant, self.machine.state())
                    && at.kind != OutcomeKind::Committed
                {
                    return Some(Event::Persisted(Ok(())));
                }
                asks.push(Ask::Persist);
            }
            Effect::TryConfirm { change, generation, digest } => {
                asks.push(Ask::Confirm { change, generation, digest });
            }
            Effect::Report(outcome) => {
                if self.start.mutant != Some(Mutant::LoseOutcome) {
                    asks.push(Ask::Report(outcome));
                }
            }
            Effect::Progress { .. } | Effect::Rejected { .. } | Effect::Journal(_) | Effect::Note(_) => {}
        }
        None
    }

    fn inverse(&mut self, position: u32, operation: Operation, asks: &mut Vec<Ask>) -> Option<Event> {
        match self.start.mutant {
            Some(Mutant::ForgetInverse) if position == 0 => {
                return Some(Event::InverseDone { position, result: StepResult::Done });
            }
            Some(Mutant::InverseOrder) => {
                let open = self.machine.state().open();
                let steps = open.iter().flat_map(|open| open.transaction.plan.steps.iter().zip(&open.marks));
                let begun = steps.filter(|(_, mark)| **mark != engine::apply::Mark::Untouched);
                let mut forward = begun.flat_map(|(step, _)| step.inverse.iter());
                let at = usize::try_from(position).unwrap_or(usize::MAX);
                let operation = forward.nth(at).cloned().unwrap_or(operation);
                asks.push(Ask::Inverse { position, operation });
            }
            _ => asks.push(Ask::Inverse { position, operation }),
        }
        None
    }

    /// What a planted bug makes of an event.
    fn bend(&self, event: Event) -> Event {
        match (self.start.mutant, event) {
            (Some(Mutant::FailedAsDone), Event::InverseDone { position, .. }) => {
                Event::InverseDone { position, result: StepResult::Done }
            }
            (Some(Mutant::FailedAsDone), Event::StepDone { index, .. }) => {
                Event::StepDone { index, result: StepResult::Done }
            }
            (
                Some(Mutant::CommitOnWithdrawn),
                Event::ConfirmAnswered { change, generation, connected_at, .. },
            ) => Event::ConfirmAnswered {
                change,
                generation,
                connected_at,
                verdict: ConfirmVerdict::Confirmed,
            },
            (Some(Mutant::TrustExitCode), Event::Observed(seen))
                if matches!(self.machine.phase(), ApplyPhase::Verifying | ApplyPhase::AwaitingConfirm) =>
            {
                Event::Observed(self.trusting(seen))
            }
            (Some(Mutant::TrustConfirmed), Event::Observed(seen))
                if self.machine.phase() == ApplyPhase::Saving =>
            {
                Event::Observed(self.trusting(seen))
            }
            (Some(Mutant::IgnoreForeign), Event::Observed(seen)) => Event::Observed(self.blind(seen)),
            (_, event) => event,
        }
    }

    /// What would be read if every call had done what it said.
    fn trusting(&self, seen: Seen) -> Seen {
        let Some(open) = self.machine.state().open() else { return seen };
        let mut network = open.transaction.pre_image.clone();
        for step in &open.transaction.plan.steps {
            // What cannot be projected stays as it was.
            let _ = project(&mut network, &step.operation);
        }
        Seen { result: Ok(Box::new(network)), ..seen }
    }

    /// What would be read if nobody else had touched the host.
    fn blind(&self, mut seen: Seen) -> Seen {
        if let (Some(open), Ok(network)) = (self.machine.state().open(), &mut seen.result)
            && let (Some(before), Some(groups)) =
                (open.transaction.pre_image.port_groups.read(), network.port_groups.read_mut())
        {
            groups.retain(|name, _| !name.as_str().starts_with("foreign") || before.contains_key(name));
        }
        seen
    }

    fn bend_clock(&self, now: Now) -> Now {
        match (self.start.mutant, self.machine.state().open()) {
            (Some(Mutant::IgnoreDeadline), Some(open)) => {
                let last = open.deadline.uptime.0.saturating_sub(1);
                Now { uptime: Uptime(now.uptime.0.min(last)), ..now }
            }
            _ => now,
        }
    }

    /// Of a planted bug: the answer for a change that the machine does not know of.
    fn take_for_ghost(&mut self, event: &Event, now: Now) -> Option<Vec<Ask>> {
        let open = self.ghost.take()?;
        let order = &open.transaction.order;
        match event {
            Event::ConfirmAnswered { change, verdict: ConfirmVerdict::Confirmed, .. }
                if *change == order.change => {}
            Event::ConfirmUnavailable { .. } => {
                let again = confirm_of(&open);
                self.ghost = Some(open);
                return Some(vec![again]);
            }
            _ => {
                self.ghost = Some(open);
                return None;
            }
        }
        let outcome = committed(&open);
        let committed = Committed { generation: order.generation, desired: order.desired.clone() };
        let content = open.transaction.content.clone();
        let closing = Closing {
            content,
            outcome: outcome.clone(),
            committed: Some(committed),
            persist_due: true,
            undone: false,
        };
        let _ = self.write(&Record::Closed(Box::new(closing)));
        let (agent, effects, _, mut asks) = Self::open(self.start.clone(), now);
        *self = agent;
        asks.push(Ask::Report(outcome));
        asks.extend(self.perform(effects, now));
        Some(asks)
    }
}

/// Takes a change out of which every step is done.
fn take_applied(replay: &mut Replay) -> Option<Box<Open>> {
    let all = |open: &Open| open.marks.iter().all(|mark| *mark == engine::apply::Mark::Done);
    let applied = replay.open.as_ref().is_some_and(all);
    applied.then(|| replay.open.take()).flatten().map(Box::new)
}

fn committed(open: &Open) -> ApplyOutcome {
    ApplyOutcome {
        change: open.order().change.clone(),
        generation: open.order().generation,
        kind: OutcomeKind::Committed,
        steps_run: open.steps_run(),
        esxcli_calls: open.calls,
        approval: None,
    }
}

fn confirm_of(open: &Open) -> Ask {
    let order = &open.transaction.order;
    let digest = open.transaction.plan.digest.clone();
    Ask::Confirm { change: order.change.clone(), generation: order.generation, digest }
}

fn ends_something(record: &Record) -> bool {
    matches!(record, Record::Closed(_) | Record::Persisted)
}

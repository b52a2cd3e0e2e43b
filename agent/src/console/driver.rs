//! The apply machine without a running agent: its effects performed one after the other, on this
//! thread, until nothing is open. Needs no network and no event loop.
//!
//! Owns: machine, journal and host programs while a console verb acts itself; it must have the seat
//! (`seat`). Must not: decide, or ask a coordinator. Called by the console verbs.

use crate::host::apply::{run_operation, save};
use crate::host::boot::Clock;
use crate::host::observe::{Depth, Observer};
use crate::host::ping::run_probes;
use crate::host::runner::Runner;
use crate::journal::{self, Journal, Opened};
use crate::settings::Settings;
use engine::apply::{ApplyMachine, Effect, Event, EventKind, JournalHealth, Record, Seen, Transaction};
use model::{ApplyOutcome, ApplyPhase, BootId, LocalVerb};
use std::collections::VecDeque;
use std::time::Duration;

/// Tries to put the end on record before the console gives up; an agent goes on trying.
const RECORD_TRIES_MAX: u32 = 4;
/// Longest pause at a time while the machine waits for its next try.
const PAUSE_MAX: Duration = Duration::from_millis(200);

/// Why the verb could not act.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The journal cannot be trusted.
    #[error("the journal cannot be trusted, nothing was done: {detail}")]
    Damaged {
        /// What is wrong.
        detail: String,
    },
    /// The end cannot be put on record.
    #[error(
        "the host is brought back as far as it goes, and its journal cannot be written: {detail}; the next agent tells the end"
    )]
    Unrecorded {
        /// What the disk said.
        detail: String,
    },
    /// The machine waits for something that cannot come here.
    #[error("the change stays {phase:?}: start the agent")]
    Stuck {
        /// Where it is.
        phase: ApplyPhase,
    },
}

/// The machine and its hands.
pub struct Driver<'a> {
    settings: &'a Settings,
    clock: Clock,
    boot: BootId,
    machine: ApplyMachine,
    journal: Journal,
    observer: Observer,
    esxcli: Runner,
    auto_backup: Runner,
    outcome: Option<ApplyOutcome>,
    /// Ends that could not be put on record, and the last reason.
    unrecorded: (u32, String),
    tell: &'a mut dyn FnMut(String),
}

impl<'a> Driver<'a> {
    /// Opens the journal; the effects are those of recovery, an open change begins to roll back.
    pub fn begin(
        settings: &'a Settings,
        boot: BootId,
        tell: &'a mut dyn FnMut(String),
    ) -> Result<(Self, Vec<Effect>), DriveError> {
        let clock = Clock::new();
        let (journal, Opened { replay, health, .. }) = journal::open(&settings.state_dir, &boot);
        // One that can be read but not written still leads back.
        if let JournalHealth::Damaged { detail } = &health
            && replay.open.is_none()
        {
            return Err(DriveError::Damaged { detail: detail.clone() });
        }
        let (machine, effects) =
            ApplyMachine::restore(settings.host_id.clone(), boot.clone(), replay, health, clock.now());
        let driver = Self {
            settings,
            clock,
            boot,
            machine,
            journal,
            observer: Observer::new(settings),
            esxcli: Runner::new(&settings.esxcli, &settings.extra_env),
            auto_backup: Runner::new(&settings.auto_backup, &settings.extra_env),
            outcome: None,
            unrecorded: (0, String::new()),
            tell,
        };
        Ok((driver, effects))
    }

    /// Writes down what a person does at the console.
    pub fn note(&mut self, verb: LocalVerb, reason: &str) {
        let effects = self.machine.note_local(verb, reason.to_owned(), self.clock.now().wall);
        self.perform(effects);
    }

    /// Whether a change is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.machine.phase() != ApplyPhase::Idle
    }

    /// Begins to undo the last committed change.
    pub fn undo(&mut self, transaction: Transaction, reason: String) -> Vec<Effect> {
        let event = Event::UndoRequested { transaction: Box::new(transaction), reason };
        self.machine.handle(event, self.clock.now())
    }

    /// Performs effects and all that follows until nothing is open; gives the last outcome.
    pub fn run(mut self, effects: Vec<Effect>) -> Result<Option<ApplyOutcome>, DriveError> {
        self.perform(effects);
        while self.machine.phase() != ApplyPhase::Idle {
            if self.unrecorded.0 >= RECORD_TRIES_MAX {
                return Err(DriveError::Unrecorded { detail: self.unrecorded.1 });
            }
            let Some(due) = self.machine.next_deadline() else {
                return Err(DriveError::Stuck { phase: self.machine.phase() });
            };
            let left = Duration::from_millis(due.0.saturating_sub(self.clock.now().uptime.0));
            if left.is_zero() {
                let effects = self.machine.handle(Event::Tick, self.clock.now());
                self.perform(effects);
            } else {
                std::thread::sleep(left.min(PAUSE_MAX));
            }
        }
        if let Err(error) = self.journal.checkpoint(self.machine.memory()) {
            // The journal itself says the same; the next agent writes the file.
            (self.tell)(format!("the state file is not written: {error}"));
        }
        Ok(self.outcome)
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        let mut queue = VecDeque::from(effects);
        while let Some(effect) = queue.pop_front() {
            if let Some(event) = self.perform_one(effect) {
                queue.extend(self.machine.handle(event, self.clock.now()));
            }
        }
    }

    fn perform_one(&mut self, effect: Effect) -> Option<Event> {
        match effect {
            Effect::Journal(record) => Some(match self.journal.append(&record) {
                Ok(()) => Event::JournalWritten,
                Err(error) => {
                    if matches!(record, Record::Closed(_)) {
                        self.unrecorded = (self.unrecorded.0.saturating_add(1), error.to_string());
                    }
                    Event::JournalFailed { detail: error.to_string() }
                }
            }),
            Effect::Note(record) => {
                if let Err(error) = self.journal.append(&record) {
                    (self.tell)(format!("the journal is not written: {error}"));
                }
                None
            }
            Effect::Observe { token } => {
                (self.tell)("reading the host".to_owned());
                let wall = self.clock.now().wall;
                let (result, calls) = self.observer.observe(Depth::Full, &self.boot, wall);
                let result = result.map(Box::new).map_err(|error| error.to_string());
                Some(Event::Observed(Seen { token, result, calls }))
            }
            Effect::RunStep { index, operation } => {
                let result = self.run_one(&operation);
                Some(Event::StepDone { index, result })
            }
            Effect::RunInverse { position, operation } => {
                let result = self.run_one(&operation);
                Some(Event::InverseDone { position, result })
            }
            Effect::Persist => Some(Event::Persisted(save(&self.auto_backup, self.settings.step_timeout))),
            Effect::TryConfirm { change, .. } => {
                let detail = "the console asks no coordinator".to_owned();
                Some(Event::ConfirmUnavailable { change, detail })
            }
            Effect::Probe { token, probes } => {
                Some(Event::Probed { token, results: run_probes(&self.esxcli, probes) })
            }
            Effect::Report(outcome) => {
                self.outcome = Some(outcome);
                None
            }
            Effect::Rejected { event: EventKind::UndoRequested, .. } => {
                (self.tell)("the last change cannot be undone: see `log`".to_owned());
                None
            }
            Effect::Progress { .. } | Effect::Rejected { .. } => None,
        }
    }

    fn run_one(&mut self, operation: &model::Operation) -> engine::apply::StepResult {
        let line =
            esxcli::argv(operation).map_or_else(|error| error.to_string(), |argv| esxcli::display(&argv));
        let result = run_operation(&self.esxcli, operation, self.settings.step_timeout);
        let ended = match &result {
            engine::apply::StepResult::Done => String::new(),
            engine::apply::StepResult::AlreadySo { detail } => format!("  (already so: {detail})"),
            engine::apply::StepResult::Failed { detail } => format!("  FAILED: {detail}"),
        };
        (self.tell)(format!("{line}{ended}"));
        result
    }
}

//! Commit confirmed on one host: try a change, keep it only when management still works.
//!
//! Owns: every decision between an order and its outcome, and what a journal must say so that a
//! crash at any point leads back. Must not: do I/O, read a clock, know esxcli or the wire. Called
//! by the agent, which performs the effects, and by simulators on virtual time.
//!
//! ```text
//!           order                 journal: opened            last step done              as desired, links up;
//!   Idle ----------> Planning --------------------> Applying ----------------> Verifying   journal: applied
//!    ^  ^ refused, or   |                              |                        |   ^  \-----------> Probing
//!    |  | already so    |                              |          foreign change|   |released           | answers as
//!    |  +---------------+                              |                        v   |                   v before
//!    |                                                 |                       Holding <---------- AwaitingConfirm
//!    |                                                 v                          |  foreign change     |      |
//!    |             +------------------------------ RollingBack <------------------+---------------------+      |
//!    | journal:    | as before / unverified / mixed    ^    step failed, silent, withdrawn, cancelled,         |
//!    | closed      v                                   |    frozen, deadline                                 |
//!    +---------- Saving -------------------------------+                                                       |
//!                  ^    cannot be saved, not there after a restart                                             |
//!                  +-------------------------------------------------------------------------------------------+
//!                    confirmed over a connection newer than the last step; journal: confirmed
//! ```
//!
//! | State | What it waits for |
//! |---|---|
//! | `Idle` | an order, or a person who wants the last commit undone |
//! | `Planning` | the observation to plan from; what the network answers now; then the journal |
//! | `Applying` | the journal before a step, the step, or the observation after a failed step |
//! | `Verifying` | the observation to compare, or a link to come back; then the journal |
//! | `Probing` | the answers of the network, the next round, or the deadline |
//! | `AwaitingConfirm` | the verdict, the observation before the next question, or the deadline; then the journal |
//! | `Holding` | a person, or the deadline |
//! | `RollingBack` | an inverse, the observation to compare with the state before, or the next try |
//! | `Saving` | the saving of the configuration, the journal, the next try; after a restart first an observation |
//!
//! The window of an open change can be set anew by its id (`ExtendRequested`) in every state but `Planning`,
//! `RollingBack` and `Saving`; it can be cancelled by its id in every state but `RollingBack` and `Saving`. A wrong id is rejected as a value.
#![deny(clippy::wildcard_enum_match_arm)]

mod approval;
mod awaiting;
mod effect;
mod event;
mod foreign;
mod holding;
mod intake;
mod order;
mod probing;
mod record;
mod rollback;
mod saving;
mod standing;
mod state;
mod steps;
mod verifying;

pub use approval::{Approval, UNPROVEN_RECORDS_MAX};
pub use effect::Effect;
pub use event::{ConfirmVerdict, Event, EventKind, Seen, StepResult};
pub use order::{UnreadableOrder, content_hash, read_order};
pub use record::{
    Closing, Committed, ContentHash, Deadline, Held, Memory, Record, Replay, ReplayError, Transaction,
};
pub use rollback::{ROLLBACK_ATTEMPTS_MAX, ROLLBACK_DIFFERS_MAX, ROLLBACK_READS_MAX};
pub use saving::SAVE_ATTEMPTS_MAX;
pub use state::{Mark, Open, State};
pub use steps::STEP_ALLOWANCE;
pub use verifying::VERIFY_ATTEMPTS_MAX;

use crate::safety::SafetyLimits;
use awaiting::Answer;
use model::{
    ApplyOutcome, ApplyPhase, BootId, Generation, HostId, LocalAction, LocalVerb, Now, OutcomeKind, Uptime,
    Wall,
};

/// The state after an event, and what is to be done.
type Turn = (State, Vec<Effect>);

/// Whether the journal can be written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalHealth {
    /// It can.
    Sound,
    /// It cannot be trusted; no order is taken.
    Damaged {
        /// What is wrong with it.
        detail: String,
    },
}

/// What a person at the console has forbidden; no coordinator can override it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalGuards {
    /// Takes no order and starts no further step; an open change goes back. The reason.
    pub frozen: Option<String>,
    /// Takes no order; an open change ends as it would. The reason.
    pub pinned: Option<String>,
}

/// The commit-confirmed machine of one host. At most one change is open.
#[derive(Debug, Clone)]
pub struct ApplyMachine {
    host: HostId,
    boot: BootId,
    memory: Memory,
    journal: JournalHealth,
    guards: LocalGuards,
    limits: SafetyLimits,
    state: State,
    tokens: u32,
    /// The last refusal that was written down, and how many were since an order was taken.
    refused: Option<ApplyOutcome>,
    unproven_records: u32,
}

impl ApplyMachine {
    /// A machine of a host that never had an order.
    #[must_use]
    pub fn new(host: HostId, boot: BootId) -> Self {
        Self {
            host,
            boot,
            memory: Memory::default(),
            journal: JournalHealth::Sound,
            guards: LocalGuards::default(),
            limits: SafetyLimits::default(),
            state: State::Idle,
            tokens: 0,
            refused: None,
            unproven_records: 0,
        }
    }

    /// A machine that goes on from its journal. An open change is rolled back, whoever asks for what;
    /// perform the effects before anything else.
    #[must_use]
    pub fn restore(
        host: HostId,
        boot: BootId,
        replay: Replay,
        journal: JournalHealth,
        now: Now,
    ) -> (Self, Vec<Effect>) {
        let mut machine = Self::new(host, boot);
        machine.memory = replay.memory;
        machine.journal = journal;
        let mut effects = Vec::new();
        // Never save while a change is open: it would outlive its rollback.
        if machine.memory.persist_due && replay.open.is_none() {
            effects.push(Effect::Persist);
        }
        if let Some(open) = replay.open {
            let (state, more) = machine.recover(open, now);
            machine.state = state;
            effects.extend(more);
        }
        (machine, effects)
    }

    /// Takes one event and tells what is to be done, in order.
    pub fn handle(&mut self, event: Event, now: Now) -> Vec<Effect> {
        let state = std::mem::take(&mut self.state);
        let before = state.phase();
        let (state, mut effects) = self.turn(state, event, now);
        if state.phase() != before {
            effects.extend(progress(&state));
        }
        self.state = state;
        effects
    }

    /// What a person at the console forbids from now on.
    pub fn set_guards(&mut self, guards: LocalGuards) {
        self.guards = guards;
    }

    /// Whether the journal can be trusted now: a disk that was full may have room again.
    pub fn set_journal_health(&mut self, health: JournalHealth) {
        self.journal = health;
    }

    /// What the host's own settings add to the safety kernel.
    pub fn set_limits(&mut self, limits: SafetyLimits) {
        self.limits = limits;
    }

    /// Remembers an action at the console until the coordinator knows it.
    pub fn note_local(&mut self, verb: LocalVerb, reason: String, at: Wall) -> Vec<Effect> {
        let sequence = self.memory.local_sequence.saturating_add(1);
        let action = LocalAction { sequence, verb, reason, at };
        self.memory.note_local(action.clone());
        vec![Effect::Note(Record::Local(action))]
    }

    /// The coordinator has stored the actions at the console up to this one.
    pub fn local_acknowledged(&mut self, sequence: u64) -> Vec<Effect> {
        self.memory.local_acknowledged(sequence);
        vec![Effect::Note(Record::LocalAcknowledged { sequence })]
    }

    /// When the next `Tick` is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Uptime> {
        self.state.next_deadline()
    }

    /// Where the machine is.
    #[must_use]
    pub fn phase(&self) -> ApplyPhase {
        self.state.phase()
    }

    /// The state with its data, for status and tests.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What outlives a transaction: last outcome, last committed document.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The highest generation ever taken, open or closed.
    #[must_use]
    pub fn held_generation(&self) -> Generation {
        let closed = self.memory.held.as_ref().map_or(Generation(0), |held| held.outcome.generation);
        self.state.order().map_or(closed, |order| order.generation.max(closed))
    }

    /// One place for every pair of state and event; what has no meaning is rejected as a value.
    #[expect(clippy::too_many_lines, reason = "the transition table is one match on purpose")]
    fn turn(&mut self, state: State, event: Event, now: Now) -> Turn {
        use Event as E;
        use State as S;
        match (state, event) {
            (S::Idle, E::OrderReceived { order, approval }) => self.take_order(order, approval, now),
            (
                busy @ (S::Planning(_)
                | S::Applying(_)
                | S::Verifying(_)
                | S::Probing(_)
                | S::AwaitingConfirm(_)
                | S::Holding(_)
                | S::RollingBack(_)
                | S::Saving(_)),
                E::OrderReceived { order, approval: _ },
            ) => self.order_while_busy(busy, &order),

            (S::Planning(at), E::Observed(seen)) => self.plan_from(at, seen, now),
            (S::Applying(at), E::Observed(seen)) => self.judge_step(at, seen, now),
            (S::Verifying(at), E::Observed(seen)) => self.compare(at, seen, now),
            (S::AwaitingConfirm(at), E::Observed(seen)) => self.looked_again(at, seen, now),
            (S::RollingBack(at), E::Observed(seen)) => self.observed_in_rollback(at, seen, now),
            (S::Saving(at), E::Observed(seen)) => self.confirmed_read(at, seen, now),

            (S::Applying(at), E::StepDone { index, result }) => self.step_done(at, index, result, now),
            (S::RollingBack(at), E::InverseDone { position, result }) => {
                self.inverse_done(at, position, result)
            }

            (S::Planning(at), E::JournalWritten) => self.opened(at, now),
            (S::Applying(at), E::JournalWritten) => self.step_recorded(at, now),
            (S::Verifying(at), E::JournalWritten) => self.applied_recorded(at, now),
            (S::AwaitingConfirm(at), E::JournalWritten) => self.confirm_recorded(at),
            (S::RollingBack(at), E::JournalWritten) => self.undo_recorded(at),
            (S::Saving(at), E::JournalWritten) => self.end_recorded(at),

            (S::Planning(at), E::JournalFailed { detail }) => self.open_failed(at, detail),
            (S::Applying(at), E::JournalFailed { detail }) => self.step_unrecorded(at, &detail),
            (S::Verifying(at), E::JournalFailed { detail }) => self.applied_unrecorded(at, &detail),
            (S::AwaitingConfirm(at), E::JournalFailed { detail }) => self.confirm_unrecorded(at, &detail),
            (S::RollingBack(at), E::JournalFailed { .. }) => self.undo_unrecorded(at),
            (S::Saving(at), E::JournalFailed { .. }) => self.end_unrecorded(at, now),

            (S::Planning(at), E::Probed { token, results }) => self.baseline(at, token, results, now),
            (S::Probing(at), E::Probed { token, results }) => self.probed(at, token, results, now),

            (S::AwaitingConfirm(at), E::ConfirmAnswered { change, generation, connected_at, verdict }) => {
                self.answered(at, Answer { change, generation, connected_at, verdict }, now)
            }
            (S::AwaitingConfirm(at), E::ConfirmUnavailable { change, detail }) => {
                self.unanswered(at, &change, detail, now)
            }

            (quiet @ (S::Idle | S::Planning(_)), E::Tick) => (quiet, Vec::new()),
            (S::Applying(at), E::Tick) => (S::Applying(at.on_tick(now)), Vec::new()),
            (S::Verifying(at), E::Tick) => self.tick_verifying(at, now),
            (S::Probing(at), E::Tick) => self.tick_probing(at, now),
            (S::AwaitingConfirm(at), E::Tick) => self.tick_awaiting(at, now),
            (S::Holding(at), E::Tick) => self.tick_holding(at, now),
            (S::RollingBack(at), E::Tick) => self.tick_rollback(at, now),
            (S::Saving(at), E::Tick) => self.tick_saving(at, now),

            (S::Planning(at), E::CancelRequested { change, reason }) => {
                self.cancel_planning(at, &change, reason)
            }
            (S::Applying(at), E::CancelRequested { change, reason }) => {
                self.cancel_applying(at, &change, reason)
            }
            (S::Verifying(at), E::CancelRequested { change, reason }) => {
                self.cancel_verifying(at, &change, reason)
            }
            (S::Probing(at), E::CancelRequested { change, reason }) => {
                self.cancel_probing(at, &change, reason)
            }
            (S::AwaitingConfirm(at), E::CancelRequested { change, reason }) => {
                self.cancel_awaiting(at, &change, reason)
            }
            (S::Holding(at), E::CancelRequested { change, reason }) => {
                self.cancel_holding(at, &change, reason)
            }

            (
                open @ (S::Applying(_)
                | S::Verifying(_)
                | S::Probing(_)
                | S::AwaitingConfirm(_)
                | S::Holding(_)),
                E::ExtendRequested { change, window },
            ) => self.extended(open, &change, window, now),
            (S::Holding(at), E::HoldReleased { change }) => self.hold_released(at, &change),
            (S::Saving(at), E::Persisted(result)) => self.saved(at, result, now),
            (S::Idle, E::UndoRequested { transaction, reason }) => self.undo(transaction, reason, now),

            (
                any @ (S::Idle
                | S::Planning(_)
                | S::Applying(_)
                | S::Verifying(_)
                | S::Probing(_)
                | S::AwaitingConfirm(_)
                | S::Holding(_)
                | S::RollingBack(_)),
                E::Persisted(result),
            ) => self.persisted(any, &result),

            // What follows has no meaning, named pair by pair so that a new state or event must be placed.
            (
                state @ S::Idle,
                event @ (E::Observed(_)
                | E::StepDone { .. }
                | E::InverseDone { .. }
                | E::JournalWritten
                | E::JournalFailed { .. }
                | E::ConfirmAnswered { .. }
                | E::ConfirmUnavailable { .. }
                | E::Probed { .. }
                | E::CancelRequested { .. }
                | E::ExtendRequested { .. }
                | E::HoldReleased { .. }),
            )
            | (
                state @ S::Planning(_),
                event @ (E::StepDone { .. }
                | E::InverseDone { .. }
                | E::ConfirmAnswered { .. }
                | E::ConfirmUnavailable { .. }
                | E::ExtendRequested { .. }
                | E::HoldReleased { .. }
                | E::UndoRequested { .. }),
            )
            | (
                state @ S::Applying(_),
                event @ (E::InverseDone { .. }
                | E::ConfirmAnswered { .. }
                | E::ConfirmUnavailable { .. }
                | E::Probed { .. }
                | E::HoldReleased { .. }
                | E::UndoRequested { .. }),
            )
            | (
                state @ S::Verifying(_),
                event @ (E::StepDone { .. }
                | E::InverseDone { .. }
                | E::ConfirmAnswered { .. }
                | E::ConfirmUnavailable { .. }
                | E::Probed { .. }
                | E::HoldReleased { .. }
                | E::UndoRequested { .. }),
            )
            | (
                state @ S::Probing(_),
                event @ (E::Observed(_)
                | E::StepDone { .. }
                | E::InverseDone { .. }
                | E::JournalWritten
                | E::JournalFailed { .. }
                | E::ConfirmAnswered { .. }
                | E::ConfirmUnavailable { .. }
                | E::HoldReleased { .. }
                | E::UndoRequested { .. }),
            )
            | (
                state @ S::AwaitingConfirm(_),
                event @ (E::StepDone { .. }
                | E::InverseDone { .. }
                | E::Probed { .. }
                | E::HoldReleased { .. }
                | E::UndoRequested { .. }),
            )
            | (
                state @ S::Holding(_),
                event @ (E::Observed(_)
                | E::StepDone { .. }
                | E::InverseDone { .. }
                | E::JournalWritten
                | E::JournalFailed { .. }
                | E::ConfirmAnswered { .. }
                | E::ConfirmUnavailable { .. }
                | E::Probed { .. }
                | E::UndoRequested { .. }),
            )
            | (
                state @ S::Saving(_),
                event @ (E::StepDone { .. }
                | E::InverseDone { .. }
                | E::ConfirmAnswered { .. }
                | E::ConfirmUnavailable { .. }
                | E::Probed { .. }
                | E::CancelRequested { .. }
                | E::ExtendRequested { .. }
                | E::HoldReleased { .. }
                | E::UndoRequested { .. }),
            )
            | (
                state @ S::RollingBack(_),
                event @ (E::StepDone { .. }
                | E::ConfirmAnswered { .. }
                | E::ConfirmUnavailable { .. }
                | E::Probed { .. }
                | E::CancelRequested { .. }
                | E::ExtendRequested { .. }
                | E::HoldReleased { .. }
                | E::UndoRequested { .. }),
            ) => reject(state, event.kind()),
        }
    }

    /// Remembers the end of an order and tells everybody.
    fn close(&mut self, closing: Closing) -> Vec<Effect> {
        let outcome = closing.outcome.clone();
        self.memory.close(closing);
        vec![Effect::Report(outcome)]
    }

    fn persisted(&mut self, state: State, result: &Result<(), String>) -> Turn {
        if result.is_err() || !self.memory.persist_due {
            return (state, Vec::new());
        }
        self.memory.persist_due = false;
        (state, vec![Effect::Note(Record::Persisted)])
    }

    fn token(&mut self) -> u32 {
        self.tokens = self.tokens.wrapping_add(1);
        self.tokens
    }
}

/// The state stays as it is.
fn reject(state: State, event: EventKind) -> Turn {
    let effect = Effect::Rejected { state: state.phase(), event };
    (state, vec![effect])
}

/// What an operator may watch.
fn progress(state: &State) -> Option<Effect> {
    let order = state.order()?;
    let (step, steps_total) = state.open().map_or((0, 0), |open| (open.steps_run(), open.steps_total()));
    Some(Effect::Progress {
        change: order.change.clone(),
        generation: order.generation,
        phase: state.phase(),
        step,
        steps_total,
    })
}

/// The outcome of an order that never got as far as a transaction.
fn outcome_without_steps(order: &model::Order, kind: OutcomeKind, calls: u32) -> ApplyOutcome {
    ApplyOutcome {
        change: order.change.clone(),
        generation: order.generation,
        kind,
        steps_run: 0,
        esxcli_calls: calls,
        approval: None,
    }
}

#[cfg(test)]
#[expect(clippy::wildcard_enum_match_arm, reason = "a test looks at some variants only")]
mod tests;

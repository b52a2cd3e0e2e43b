//! `RollingBack`: the inverses of all begun steps in reverse, then the proof that all is as before.
//!
//! Journal failures do not stop it: bringing the host back matters more than writing it down.

use super::event::Seen;
use super::standing::standing;
use super::state::{Again, RollingBack, RollingStage, after};
use super::{
    ApplyMachine, Effect, EventKind, JournalHealth, Mark, Open, Record, State, StepResult, Transaction, Turn,
    reject,
};
use crate::verify::compare_images;
use model::{Component, Difference, DifferenceKind, Millis, Now, ObservedNetwork, Operation, OutcomeKind};

/// Attempts while inverses fail.
pub const ROLLBACK_ATTEMPTS_MAX: u32 = 6;
/// Attempts while all inverses succeed and the host still differs from the state before.
pub const ROLLBACK_DIFFERS_MAX: u32 = 2;
/// Attempts while the host cannot be read: long enough for a host that is still booting.
pub const ROLLBACK_READS_MAX: u32 = 40;
/// Pauses before the second and later attempts; the last one repeats.
const PAUSES_MS: [u64; 5] = [1_000, 2_000, 5_000, 15_000, 30_000];

impl ApplyMachine {
    /// Begins the way back from a machine that knows what was done.
    pub(super) fn roll_back(&mut self, open: Box<Open>) -> Turn {
        let reason = open.abort.clone().unwrap_or_else(|| "rolled back".to_owned());
        let note = Effect::Note(Record::RollbackStarted { reason: reason.clone() });
        let at = begin(open, reason, RollingStage::Reading { token: 0 });
        let queue = way_back(&at.open);
        let (state, mut effects) = self.invert(at, queue);
        effects.insert(0, note);
        (state, effects)
    }

    /// Begins the way back after a restart: what was done is only known in part, so read first.
    pub(super) fn recover(&mut self, open: Open, _now: Now) -> Turn {
        let mut open = Box::new(open);
        if open.confirmed && open.abort.is_none() {
            let (state, mut effects) = self.read_confirmed(open, 1);
            effects.splice(0..0, super::progress(&state));
            return (state, effects);
        }
        let rebooted = open.transaction.boot != self.boot;
        let why = if rebooted { "the host was restarted" } else { "the agent was restarted" };
        open.abort(format!("{why} before the change was confirmed"));
        let reason = open.abort.clone().unwrap_or_default();
        let note = Effect::Note(Record::RollbackStarted { reason: reason.clone() });
        let token = self.token();
        let at = begin(open, reason, RollingStage::Reading { token });
        let state = State::RollingBack(at);
        let mut effects = vec![note];
        effects.extend(super::progress(&state));
        effects.push(Effect::Observe { token });
        (state, effects)
    }

    fn invert(&mut self, mut at: RollingBack, queue: Vec<Operation>) -> Turn {
        at.failures.clear();
        match queue.first().cloned() {
            None => self.prove(at),
            Some(operation) => {
                at.stage = RollingStage::Inverting { queue, position: 0 };
                (State::RollingBack(at), vec![Effect::RunInverse { position: 0, operation }])
            }
        }
    }

    fn prove(&mut self, mut at: RollingBack) -> Turn {
        let token = self.token();
        at.stage = RollingStage::Proving { token };
        (State::RollingBack(at), vec![Effect::Observe { token }])
    }

    /// The intent to undo a committed change is durable.
    pub(super) fn undo_recorded(&mut self, at: RollingBack) -> Turn {
        if at.stage != RollingStage::Recording {
            return reject(State::RollingBack(at), EventKind::JournalWritten);
        }
        let queue = way_back(&at.open);
        self.invert(at, queue)
    }

    /// The intent to undo a committed change could not be written: the change stays.
    pub(super) fn undo_unrecorded(&mut self, at: RollingBack) -> Turn {
        if at.stage != RollingStage::Recording {
            return reject(State::RollingBack(at), EventKind::JournalFailed);
        }
        reject(State::Idle, EventKind::UndoRequested)
    }

    /// A person at the console wants the last committed change undone.
    pub(super) fn undo(&mut self, transaction: Box<Transaction>, reason: String, now: Now) -> Turn {
        let last = self.memory.held.as_ref();
        let is_last = last.is_some_and(|held| {
            held.content == transaction.content && held.outcome.kind == OutcomeKind::Committed
        });
        if !is_last || self.journal != JournalHealth::Sound {
            return reject(State::Idle, EventKind::UndoRequested);
        }
        let transaction = Box::new(Transaction { boot: self.boot.clone(), opened: now, ..*transaction });
        let open = Box::new(Open::undoing((*transaction).clone(), reason.clone()));
        let at = begin(open, reason.clone(), RollingStage::Recording);
        (State::RollingBack(at), vec![Effect::Journal(Record::Undoing { transaction, reason })])
    }

    /// An inverse ended. A failure is remembered; whether it matters is told by reading back.
    pub(super) fn inverse_done(&mut self, mut at: RollingBack, done: u32, result: StepResult) -> Turn {
        let next = match &mut at.stage {
            RollingStage::Inverting { queue, position } if *position == done => {
                *position = position.saturating_add(1);
                usize::try_from(*position).ok().and_then(|index| queue.get(index).cloned())
            }
            RollingStage::Inverting { .. }
            | RollingStage::Recording
            | RollingStage::Reading { .. }
            | RollingStage::Proving { .. }
            | RollingStage::Waiting { .. } => return reject(State::RollingBack(at), EventKind::InverseDone),
        };
        at.open.calls = at.open.calls.saturating_add(1);
        if let StepResult::Failed { detail } = result {
            at.failures.push(detail);
        }
        match next {
            None => self.prove(at),
            Some(operation) => {
                let effect = Effect::RunInverse { position: done.saturating_add(1), operation };
                (State::RollingBack(at), vec![effect])
            }
        }
    }

    /// The host was read: to learn what was done, or to prove that all is as before.
    pub(super) fn observed_in_rollback(&mut self, mut at: RollingBack, seen: Seen, now: Now) -> Turn {
        let proving = match at.stage {
            RollingStage::Reading { token } if token == seen.token => false,
            RollingStage::Proving { token } if token == seen.token => true,
            RollingStage::Recording
            | RollingStage::Reading { .. }
            | RollingStage::Proving { .. }
            | RollingStage::Inverting { .. }
            | RollingStage::Waiting { .. } => return reject(State::RollingBack(at), EventKind::Observed),
        };
        at.open.calls = at.open.calls.saturating_add(seen.calls);
        let again = if !proving {
            Again::Read
        } else if at.failures.is_empty() {
            Again::Prove
        } else {
            Again::Invert
        };
        let observed = match seen.result {
            Ok(observed) => observed,
            Err(detail) => {
                let unread = vec![unreadable(detail)];
                return self.again_or_end(at, again, ROLLBACK_READS_MAX, unread, now);
            }
        };
        let differences = compare_images(&at.open.transaction.pre_image, &observed);
        if differences.is_empty() {
            let kind = OutcomeKind::RolledBack { reason: at.reason.clone() };
            return self.end_with(at.open, kind);
        }
        if !proving {
            at.attempt = 1; // the host answers again: waiting for it was no attempt to go back
            judge_open_steps(&mut at.open, &observed);
            let queue = way_back(&at.open);
            return self.invert(at, queue);
        }
        let partly_unread = differences.iter().all(|found| found.kind == DifferenceKind::Unreadable);
        match (at.failures.is_empty(), partly_unread) {
            (false, _) => self.again_or_end(at, Again::Invert, ROLLBACK_ATTEMPTS_MAX, differences, now),
            (true, true) => self.again_or_end(at, Again::Prove, ROLLBACK_ATTEMPTS_MAX, differences, now),
            // Every inverse said "done" and one of them was not: the way back once more, it is harmless.
            (true, false) => self.again_or_end(at, Again::Invert, ROLLBACK_DIFFERS_MAX, differences, now),
        }
    }

    /// Tries again after a pause, or gives up and says truthfully in which state the host is.
    fn again_or_end(
        &mut self,
        mut at: RollingBack,
        again: Again,
        limit: u32,
        differences: Vec<Difference>,
        now: Now,
    ) -> Turn {
        if at.attempt < limit {
            at.stage = RollingStage::Waiting { until: after(now, pause(at.attempt)), again };
            at.attempt = at.attempt.saturating_add(1);
            return (State::RollingBack(at), Vec::new());
        }
        let kind = if at.failures.is_empty() && again != Again::Read {
            OutcomeKind::RolledBackUnverified { reason: at.reason.clone(), differences }
        } else {
            let left: Vec<String> =
                at.failures.iter().cloned().chain(differences.iter().map(ToString::to_string)).collect();
            OutcomeKind::FailedMixed { reason: format!("{}; not undone: {}", at.reason, left.join("; ")) }
        };
        self.end_with(at.open, kind)
    }

    pub(super) fn tick_rollback(&mut self, mut at: RollingBack, now: Now) -> Turn {
        let again = match at.stage {
            RollingStage::Waiting { until, again } if now.uptime >= until => again,
            RollingStage::Waiting { .. }
            | RollingStage::Recording
            | RollingStage::Reading { .. }
            | RollingStage::Inverting { .. }
            | RollingStage::Proving { .. } => return (State::RollingBack(at), Vec::new()),
        };
        match again {
            Again::Read => {
                let token = self.token();
                at.stage = RollingStage::Reading { token };
                (State::RollingBack(at), vec![Effect::Observe { token }])
            }
            Again::Invert => {
                // The whole way back again: an inverse that seemed done may have met what a failed one left behind.
                let queue = way_back(&at.open);
                self.invert(at, queue)
            }
            Again::Prove => self.prove(at),
        }
    }
}

fn begin(open: Box<Open>, reason: String, stage: RollingStage) -> RollingBack {
    RollingBack { open, reason, attempt: 1, failures: Vec::new(), stage }
}

/// The inverses of every begun step, last step first; what is proven not done is left out.
fn way_back(open: &Open) -> Vec<Operation> {
    let steps = open.transaction.plan.steps.iter().zip(&open.marks).rev();
    let begun = steps.filter(|(_, mark)| matches!(mark, Mark::Started | Mark::Done));
    begun.flat_map(|(step, _)| step.inverse.iter().cloned()).collect()
}

/// Steps that were begun and have no known end are judged by what the host shows.
///
/// Only the last one can be open: a later step begins after the earlier one has succeeded.
fn judge_open_steps(open: &mut Open, observed: &ObservedNetwork) {
    let begun = |mark: &Mark| matches!(mark, Mark::Started | Mark::Done);
    let last = open.marks.iter().rposition(begun);
    for (index, (step, mark)) in open.transaction.plan.steps.iter().zip(&mut open.marks).enumerate() {
        if *mark != Mark::Started {
            continue;
        }
        *mark = if Some(index) == last { standing(&step.operation, observed).mark() } else { Mark::Done };
    }
}

fn unreadable(detail: String) -> Difference {
    Difference {
        component: Component::Host,
        object: "host".to_owned(),
        field: "network".to_owned(),
        kind: DifferenceKind::Unreadable,
        desired: String::new(),
        observed: detail,
    }
}

pub(super) fn pause(attempt: u32) -> Millis {
    let index = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
    let last = PAUSES_MS.len().saturating_sub(1);
    Millis(PAUSES_MS.get(index.min(last)).copied().unwrap_or(1_000))
}

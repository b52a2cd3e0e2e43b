//! `Applying`: one step after the other, one journal record before and one after each.

use super::event::Seen;
use super::standing::{Standing, standing};
use super::state::{Applying, ApplyingStage};
use super::{ApplyMachine, Effect, EventKind, Mark, Open, Record, State, StepResult, Turn, progress, reject};
use model::{ChangeId, Millis, Now};

/// What one step may add to the time an order may be open.
pub const STEP_ALLOWANCE: Millis = Millis(2_000);

impl Applying {
    /// A late change is not cut off inside a call: the call ends, then the way back begins.
    pub(super) fn on_tick(mut self, now: Now) -> Self {
        self.open.abort_when_late(now);
        self
    }
}

impl ApplyMachine {
    /// Begins a step, or the verification after the last one, or the way back.
    pub(super) fn start_step(&mut self, mut open: Box<Open>, index: u32, now: Now) -> Turn {
        open.abort_when_late(now);
        if let Some(reason) = &self.guards.frozen {
            open.abort(format!("the host was frozen at its console: {reason}"));
        }
        if open.abort.is_some() {
            return self.roll_back(open);
        }
        if index >= open.steps_total() {
            return self.start_verifying(open, 1);
        }
        let applying = State::Applying(Applying { open, index, stage: ApplyingStage::Starting });
        let mut effects: Vec<Effect> = Vec::new();
        if index > 0 {
            effects.extend(progress(&applying));
        }
        effects.push(Effect::Journal(Record::StepStarted { index }));
        (applying, effects)
    }

    /// The intent is durable: run the step.
    pub(super) fn step_recorded(&mut self, mut at: Applying, now: Now) -> Turn {
        if at.stage != ApplyingStage::Starting {
            return reject(State::Applying(at), EventKind::JournalWritten);
        }
        at.open.abort_when_late(now);
        let operation = at.open.step(at.index).map(|step| step.operation.clone());
        let (None, Some(operation)) = (&at.open.abort, operation) else {
            return self.roll_back(at.open);
        };
        at.open.set_mark(at.index, Mark::Started);
        at.stage = ApplyingStage::Running;
        let effect = Effect::RunStep { index: at.index, operation };
        (State::Applying(at), vec![effect])
    }

    /// The intent is not durable: the step does not run.
    pub(super) fn step_unrecorded(&mut self, mut at: Applying, detail: &str) -> Turn {
        if at.stage != ApplyingStage::Starting {
            return reject(State::Applying(at), EventKind::JournalFailed);
        }
        at.open.abort(format!("the journal cannot be written: {detail}"));
        self.roll_back(at.open)
    }

    /// The step ended; only a plain success needs no second look.
    pub(super) fn step_done(&mut self, mut at: Applying, index: u32, result: StepResult, now: Now) -> Turn {
        if at.stage != ApplyingStage::Running || at.index != index {
            return reject(State::Applying(at), EventKind::StepDone);
        }
        at.open.calls = at.open.calls.saturating_add(1);
        at.open.touched = now.uptime;
        at.open.set_mark(index, Mark::after(&result));
        let note = Effect::Note(Record::StepEnded { index, result: result.clone() });
        let (state, mut effects) = match result {
            StepResult::Done => self.start_step(at.open, index.saturating_add(1), now),
            StepResult::AlreadySo { .. } | StepResult::Failed { .. } => {
                let token = self.token();
                at.stage = ApplyingStage::Judging { token, result };
                (State::Applying(at), vec![Effect::Observe { token }])
            }
        };
        effects.insert(0, note);
        (state, effects)
    }

    /// The host was read after a step that did not simply succeed.
    pub(super) fn judge_step(&mut self, mut at: Applying, seen: Seen, now: Now) -> Turn {
        let result = match &at.stage {
            ApplyingStage::Judging { token, result } if *token == seen.token => result.clone(),
            ApplyingStage::Judging { .. } | ApplyingStage::Starting | ApplyingStage::Running => {
                return reject(State::Applying(at), EventKind::Observed);
            }
        };
        at.open.calls = at.open.calls.saturating_add(seen.calls);
        let found = match (&seen.result, at.open.step(at.index)) {
            (Ok(observed), Some(step)) => standing(&step.operation, observed),
            (Ok(_), None) | (Err(_), Some(_) | None) => Standing::Unknown,
        };
        let detail = match result {
            StepResult::AlreadySo { .. } if found != Standing::NotInForce && seen.result.is_ok() => {
                at.open.set_mark(at.index, Mark::Done);
                let next = at.index.saturating_add(1);
                return self.start_step(at.open, next, now);
            }
            StepResult::Done => String::new(),
            StepResult::AlreadySo { detail } | StepResult::Failed { detail } => detail,
        };
        at.open.set_mark(at.index, found.mark());
        let number = at.index.saturating_add(1);
        at.open.abort(format!("step {number} of {} failed: {detail}", at.open.steps_total()));
        self.roll_back(at.open)
    }

    /// The running call ends first.
    pub(super) fn cancel_applying(&mut self, mut at: Applying, change: &ChangeId, reason: String) -> Turn {
        if at.open.order().change != *change {
            return reject(State::Applying(at), EventKind::CancelRequested);
        }
        at.open.abort(reason);
        (State::Applying(at), Vec::new())
    }
}

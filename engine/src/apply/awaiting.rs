//! `AwaitingConfirm`: applied and verified; only the coordinator's word over a new connection commits.

use super::state::{Awaiting, AwaitingStage, after};
use super::{
    ApplyMachine, Closing, Committed, ConfirmVerdict, Effect, EventKind, Open, Record, State, Turn, reject,
};
use model::{ChangeId, Millis, Now, OutcomeKind};

/// Time between the first two tries to ask; grows with every try.
const CONFIRM_PAUSE: Millis = Millis(500);
/// Longest time between two tries.
const CONFIRM_PAUSE_MAX: Millis = Millis(5_000);

impl ApplyMachine {
    /// Asks for the confirmation, unless it is too late.
    pub(super) fn ask(&mut self, mut open: Box<Open>, attempt: u32, now: Now) -> Turn {
        open.abort_when_late(now);
        if open.abort.is_some() {
            return self.roll_back(open);
        }
        let effect = Effect::TryConfirm {
            change: open.order().change.clone(),
            generation: open.order().generation,
            digest: open.transaction.plan.digest.clone(),
        };
        (State::AwaitingConfirm(Awaiting { open, attempt, stage: AwaitingStage::Asking }), vec![effect])
    }

    /// The coordinator answered.
    pub(super) fn answered(
        &mut self,
        mut at: Awaiting,
        change: &ChangeId,
        verdict: ConfirmVerdict,
        now: Now,
    ) -> Turn {
        let committing = matches!(at.stage, AwaitingStage::Committing(_));
        if committing || at.open.order().change != *change {
            return reject(State::AwaitingConfirm(at), EventKind::ConfirmAnswered);
        }
        at.open.abort_when_late(now);
        if let ConfirmVerdict::Withdrawn { reason } = verdict {
            at.open.abort(format!("withdrawn by the coordinator: {reason}"));
        }
        if at.open.abort.is_some() {
            return self.roll_back(at.open);
        }
        let order = at.open.order();
        let committed = Committed { generation: order.generation, desired: order.desired.clone() };
        let closing = Closing {
            content: at.open.transaction.content.clone(),
            outcome: at.open.outcome(OutcomeKind::Committed),
            committed: Some(committed),
            persist_due: true,
        };
        let record = Record::Closed(Box::new(closing.clone()));
        at.stage = AwaitingStage::Committing(Box::new(closing));
        (State::AwaitingConfirm(at), vec![Effect::Journal(record)])
    }

    /// The coordinator could not be asked; the deadline decides how often that is borne.
    pub(super) fn unanswered(
        &mut self,
        mut at: Awaiting,
        change: &ChangeId,
        _detail: String,
        now: Now,
    ) -> Turn {
        if at.stage != AwaitingStage::Asking || at.open.order().change != *change {
            return reject(State::AwaitingConfirm(at), EventKind::ConfirmUnavailable);
        }
        at.open.abort_when_late(now);
        if at.open.abort.is_some() {
            return self.roll_back(at.open);
        }
        let pause = CONFIRM_PAUSE.0.saturating_mul(u64::from(at.attempt)).min(CONFIRM_PAUSE_MAX.0);
        at.stage = AwaitingStage::Waiting { until: after(now, Millis(pause)) };
        (State::AwaitingConfirm(at), Vec::new())
    }

    /// The commit is durable: it stands whatever comes.
    pub(super) fn commit_recorded(&mut self, at: Awaiting) -> Turn {
        let AwaitingStage::Committing(closing) = at.stage else {
            return reject(State::AwaitingConfirm(at), EventKind::JournalWritten);
        };
        let mut effects = vec![Effect::Persist];
        effects.extend(self.close(*closing));
        (State::Idle, effects)
    }

    /// A commit that may be forgotten is no commit.
    pub(super) fn commit_unrecorded(&mut self, mut at: Awaiting, detail: &str) -> Turn {
        if !matches!(at.stage, AwaitingStage::Committing(_)) {
            return reject(State::AwaitingConfirm(at), EventKind::JournalFailed);
        }
        at.open.abort(format!("the journal cannot be written: {detail}"));
        self.roll_back(at.open)
    }

    pub(super) fn tick_awaiting(&mut self, mut at: Awaiting, now: Now) -> Turn {
        if matches!(at.stage, AwaitingStage::Committing(_)) {
            return (State::AwaitingConfirm(at), Vec::new());
        }
        at.open.abort_when_late(now);
        if at.open.abort.is_some() {
            return self.roll_back(at.open);
        }
        match at.stage {
            AwaitingStage::Waiting { until } if now.uptime >= until => {
                self.ask(at.open, at.attempt.saturating_add(1), now)
            }
            AwaitingStage::Waiting { .. } | AwaitingStage::Asking | AwaitingStage::Committing(_) => {
                (State::AwaitingConfirm(at), Vec::new())
            }
        }
    }

    pub(super) fn cancel_awaiting(&mut self, mut at: Awaiting, change: &ChangeId, reason: String) -> Turn {
        let committing = matches!(at.stage, AwaitingStage::Committing(_));
        if committing || at.open.order().change != *change {
            return reject(State::AwaitingConfirm(at), EventKind::CancelRequested);
        }
        at.open.abort(reason);
        self.roll_back(at.open)
    }
}

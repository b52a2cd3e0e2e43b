//! `AwaitingConfirm`: applied and verified; only the coordinator's word over a new connection commits.

use super::event::Seen;
use super::foreign::foreign;
use super::state::{Awaiting, AwaitingStage, after};
use super::{ApplyMachine, ConfirmVerdict, Effect, EventKind, Open, Record, State, Turn, reject};
use crate::verify::verify_applied;
use model::{ChangeId, Generation, Millis, Now, OutcomeKind, Uptime};

/// Time between the first two tries to ask; grows with every try.
const CONFIRM_PAUSE: Millis = Millis(500);
/// Longest time between two tries.
const CONFIRM_PAUSE_MAX: Millis = Millis(5_000);

/// The coordinator's answer as it came in.
pub(super) struct Answer {
    pub(super) change: ChangeId,
    pub(super) generation: Generation,
    pub(super) connected_at: Uptime,
    pub(super) verdict: ConfirmVerdict,
}

/// Time before the next try.
fn pause(attempt: u32) -> Millis {
    Millis(CONFIRM_PAUSE.0.saturating_mul(u64::from(attempt)).min(CONFIRM_PAUSE_MAX.0))
}

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

    /// Before the question is asked again: is it still the host that was verified?
    fn look_again(&mut self, mut at: Awaiting) -> Turn {
        let token = self.token();
        at.stage = AwaitingStage::Looking { token };
        (State::AwaitingConfirm(at), vec![Effect::Observe { token }])
    }

    /// The host was read before the next question.
    pub(super) fn looked_again(&mut self, mut at: Awaiting, seen: Seen, now: Now) -> Turn {
        if (at.stage != AwaitingStage::Looking { token: seen.token }) {
            return reject(State::AwaitingConfirm(at), EventKind::Observed);
        }
        at.open.calls = at.open.calls.saturating_add(seen.calls);
        at.open.abort_when_late(now);
        if at.open.abort.is_some() {
            return self.roll_back(at.open);
        }
        let attempt = at.attempt.saturating_add(1);
        match seen.result {
            // Unread is not unchanged: the question waits until the host can be read, or for the deadline.
            Err(_) => {
                at.attempt = attempt;
                at.stage = AwaitingStage::Waiting { until: after(now, pause(attempt)) };
                (State::AwaitingConfirm(at), Vec::new())
            }
            Ok(observed) => {
                let foreign = foreign(&at.open, &observed);
                if !foreign.is_empty() {
                    return self.hold(at.open, foreign);
                }
                let before = &at.open.transaction.pre_image;
                let differences = verify_applied(&at.open.order().desired, before, &observed);
                if !differences.is_empty() {
                    return self.hold(at.open, differences);
                }
                self.ask(at.open, attempt, now)
            }
        }
    }

    /// The coordinator answered.
    pub(super) fn answered(&mut self, mut at: Awaiting, answer: Answer, now: Now) -> Turn {
        let Answer { change, generation, connected_at, verdict } = answer;
        let confirming = at.stage == AwaitingStage::Confirming;
        let order = at.open.order();
        if confirming || order.change != change || order.generation != generation {
            return reject(State::AwaitingConfirm(at), EventKind::ConfirmAnswered);
        }
        // A connection opened before the last step ended proves nothing: it may live on an old path.
        if connected_at < at.open.touched && verdict == ConfirmVerdict::Confirmed {
            let attempt = at.attempt;
            at.stage = AwaitingStage::Waiting { until: after(now, pause(attempt)) };
            return (State::AwaitingConfirm(at), Vec::new());
        }
        at.open.abort_when_late(now);
        if let ConfirmVerdict::Withdrawn { reason } = verdict {
            at.open.abort(format!("withdrawn by the coordinator: {reason}"));
        }
        if at.open.abort.is_some() {
            return self.roll_back(at.open);
        }
        at.stage = AwaitingStage::Confirming;
        (State::AwaitingConfirm(at), vec![Effect::Journal(Record::Confirmed)])
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
        at.stage = AwaitingStage::Waiting { until: after(now, pause(at.attempt)) };
        (State::AwaitingConfirm(at), Vec::new())
    }

    /// The word is on record: it stands as soon as the configuration is saved.
    pub(super) fn confirm_recorded(&mut self, mut at: Awaiting) -> Turn {
        if at.stage != AwaitingStage::Confirming {
            return reject(State::AwaitingConfirm(at), EventKind::JournalWritten);
        }
        at.open.confirmed = true;
        self.end_with(at.open, OutcomeKind::Committed)
    }

    /// A word that may be forgotten does not count.
    pub(super) fn confirm_unrecorded(&mut self, mut at: Awaiting, detail: &str) -> Turn {
        if at.stage != AwaitingStage::Confirming {
            return reject(State::AwaitingConfirm(at), EventKind::JournalFailed);
        }
        at.open.abort(format!("the journal cannot be written: {detail}"));
        self.roll_back(at.open)
    }

    pub(super) fn tick_awaiting(&mut self, mut at: Awaiting, now: Now) -> Turn {
        if at.stage == AwaitingStage::Confirming {
            return (State::AwaitingConfirm(at), Vec::new());
        }
        at.open.abort_when_late(now);
        if at.open.abort.is_some() {
            return self.roll_back(at.open);
        }
        match at.stage {
            AwaitingStage::Waiting { until } if now.uptime >= until => self.look_again(at),
            AwaitingStage::Waiting { .. }
            | AwaitingStage::Asking
            | AwaitingStage::Looking { .. }
            | AwaitingStage::Confirming => (State::AwaitingConfirm(at), Vec::new()),
        }
    }

    pub(super) fn cancel_awaiting(&mut self, mut at: Awaiting, change: &ChangeId, reason: String) -> Turn {
        let confirming = at.stage == AwaitingStage::Confirming;
        if confirming || at.open.order().change != *change {
            return reject(State::AwaitingConfirm(at), EventKind::CancelRequested);
        }
        at.open.abort(reason);
        self.roll_back(at.open)
    }
}

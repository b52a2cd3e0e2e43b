//! `Holding`: somebody else changed the host inside the window.
//!
//! Nothing more is done: not confirmed, not fought against. A person looks at both views and releases the change or
//! cancels it; at the deadline our own steps are undone and the foreign change is left as it is, and told.

use super::state::Holding;
use super::verifying::listed;
use super::{ApplyMachine, Deadline, Effect, EventKind, Open, Record, State, Turn, reject};
use model::{CONFIRM_TIMEOUT_SECS_MAX, CONFIRM_TIMEOUT_SECS_MIN, ChangeId, Difference, Millis, Now};

impl ApplyMachine {
    pub(super) fn hold(&mut self, open: Box<Open>, foreign: Vec<Difference>) -> Turn {
        let note = Effect::Note(Record::Held { foreign: foreign.clone() });
        (State::Holding(Holding { open, foreign }), vec![note])
    }

    pub(super) fn tick_holding(&mut self, mut at: Holding, now: Now) -> Turn {
        if !at.open.deadline.passed(now) {
            return (State::Holding(at), Vec::new());
        }
        at.open.abort(format!("something else changed the host inside the window: {}", listed(&at.foreign)));
        self.roll_back(at.open)
    }

    pub(super) fn cancel_holding(&mut self, mut at: Holding, change: &ChangeId, reason: String) -> Turn {
        if at.open.order().change != *change {
            return reject(State::Holding(at), EventKind::CancelRequested);
        }
        at.open.abort(format!("{reason}; something else changed the host: {}", listed(&at.foreign)));
        self.roll_back(at.open)
    }

    /// A person has looked: what was found is accepted, and the host is read again.
    pub(super) fn hold_released(&mut self, mut at: Holding, change: &ChangeId) -> Turn {
        if at.open.order().change != *change {
            return reject(State::Holding(at), EventKind::HoldReleased);
        }
        at.open.accepted.extend(at.foreign.into_iter().map(|found| (found.object, found.field)));
        self.start_verifying(at.open, 1)
    }

    /// A new window for the open change; a wrong id, a change on its way back, or a wild window is refused.
    pub(super) fn extended(&mut self, mut state: State, change: &ChangeId, window: Millis, now: Now) -> Turn {
        let allowed =
            Millis::from_secs(CONFIRM_TIMEOUT_SECS_MIN)..=Millis::from_secs(CONFIRM_TIMEOUT_SECS_MAX);
        match state.open_mut() {
            Some(open)
                if open.order().change == *change
                    && open.abort.is_none()
                    && !open.deadline.passed(now)
                    && allowed.contains(&window) =>
            {
                let deadline = Deadline::after(now, window);
                open.extend(deadline);
                (state, vec![Effect::Note(Record::Extended { deadline })])
            }
            Some(_) | None => reject(state, EventKind::ExtendRequested),
        }
    }
}

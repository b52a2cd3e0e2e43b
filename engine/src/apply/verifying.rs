//! `Verifying`: read the host back and compare it with what was ordered.

use super::event::Seen;
use super::foreign::{foreign, traceless};
use super::state::{Verifying, VerifyingStage, after};
use super::{ApplyMachine, Deadline, Effect, EventKind, Open, Record, State, Turn, reject};
use crate::probe::lost_links;
use crate::verify::verify_applied;
use model::{ChangeId, Millis, Now, ObservedNetwork};

/// How often the host is read back before the change counts as failed.
pub const VERIFY_ATTEMPTS_MAX: u32 = 3;
/// Time between two readings.
const VERIFY_PAUSE: Millis = Millis(1_000);
/// Differences named in a reason.
const DIFFERENCES_NAMED_MAX: usize = 5;

impl Verifying {
    /// Whether an uplink in use lost its link: with an uplink that bounced, that takes seconds.
    fn lost_link(&mut self, observed: Option<&ObservedNetwork>) -> bool {
        let before = &self.open.transaction.pre_image;
        let lost = observed.map(|observed| lost_links(before, observed)).unwrap_or_default();
        self.lacking = lost.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        !self.lacking.is_empty()
    }

    /// The reason to go back names the links that did not come up.
    fn abort_when_late(&mut self, now: Now) {
        if self.open.deadline.passed(now) && !self.lacking.is_empty() {
            self.open.abort(format!("the link did not come back within the window: {}", self.lacking));
        }
        self.open.abort_when_late(now);
    }
}

impl ApplyMachine {
    pub(super) fn start_verifying(&mut self, open: Box<Open>, attempt: u32) -> Turn {
        let token = self.token();
        let stage = VerifyingStage::Reading { token };
        let verifying = Verifying { open, attempt, lacking: String::new(), stage };
        (State::Verifying(verifying), vec![Effect::Observe { token }])
    }

    /// The host was read back.
    pub(super) fn compare(&mut self, mut at: Verifying, seen: Seen, now: Now) -> Turn {
        if (at.stage != VerifyingStage::Reading { token: seen.token }) {
            return reject(State::Verifying(at), EventKind::Observed);
        }
        at.open.calls = at.open.calls.saturating_add(seen.calls);
        at.abort_when_late(now);
        if at.open.abort.is_some() {
            return self.roll_back(at.open);
        }
        if let Ok(observed) = &seen.result {
            let foreign = foreign(&at.open, observed);
            if !foreign.is_empty() {
                return self.hold(at.open, foreign);
            }
        }
        let problem = match &seen.result {
            Err(detail) => Some(format!("the host could not be read back: {detail}")),
            Ok(observed) => {
                let before = &at.open.transaction.pre_image;
                let wanted = named(&verify_applied(&at.open.order().desired, before, observed));
                wanted.or_else(|| traceless(&at.open, observed))
            }
        };
        match problem {
            None if at.lost_link(seen.result.as_deref().ok()) => {
                at.stage = VerifyingStage::Waiting { until: after(now, VERIFY_PAUSE) };
                (State::Verifying(at), Vec::new())
            }
            None => {
                if !at.open.extended {
                    at.open.deadline =
                        at.open.deadline.min(Deadline::after(now, at.open.order().confirm_timeout));
                }
                at.stage = VerifyingStage::Recording;
                let record = Record::Applied { deadline: at.open.deadline };
                (State::Verifying(at), vec![Effect::Journal(record)])
            }
            Some(_) if at.attempt < VERIFY_ATTEMPTS_MAX => {
                at.stage = VerifyingStage::Waiting { until: after(now, VERIFY_PAUSE) };
                (State::Verifying(at), Vec::new())
            }
            Some(problem) => {
                at.open.abort(problem);
                self.roll_back(at.open)
            }
        }
    }

    /// That it was applied is durable: ask for the confirmation.
    pub(super) fn applied_recorded(&mut self, at: Verifying, now: Now) -> Turn {
        if at.stage != VerifyingStage::Recording {
            return reject(State::Verifying(at), EventKind::JournalWritten);
        }
        if at.open.abort.is_some() {
            return self.roll_back(at.open);
        }
        self.start_probing(at.open, now)
    }

    pub(super) fn applied_unrecorded(&mut self, mut at: Verifying, detail: &str) -> Turn {
        if at.stage != VerifyingStage::Recording {
            return reject(State::Verifying(at), EventKind::JournalFailed);
        }
        at.open.abort(format!("the journal cannot be written: {detail}"));
        self.roll_back(at.open)
    }

    pub(super) fn tick_verifying(&mut self, mut at: Verifying, now: Now) -> Turn {
        at.abort_when_late(now);
        match at.stage {
            VerifyingStage::Recording => (State::Verifying(at), Vec::new()),
            VerifyingStage::Reading { .. } | VerifyingStage::Waiting { .. } if at.open.abort.is_some() => {
                self.roll_back(at.open)
            }
            VerifyingStage::Waiting { until } if now.uptime >= until => {
                // A link comes back in its own time; all else has few tries.
                let attempt = at.attempt.saturating_add(u32::from(at.lacking.is_empty()));
                self.start_verifying(at.open, attempt)
            }
            VerifyingStage::Reading { .. } | VerifyingStage::Waiting { .. } => {
                (State::Verifying(at), Vec::new())
            }
        }
    }

    pub(super) fn cancel_verifying(&mut self, mut at: Verifying, change: &ChangeId, reason: String) -> Turn {
        if at.open.order().change != *change {
            return reject(State::Verifying(at), EventKind::CancelRequested);
        }
        at.open.abort(reason);
        match at.stage {
            VerifyingStage::Recording => (State::Verifying(at), Vec::new()),
            VerifyingStage::Reading { .. } | VerifyingStage::Waiting { .. } => self.roll_back(at.open),
        }
    }
}

/// The first differences as one sentence; none when there is no difference.
fn named(differences: &[model::Difference]) -> Option<String> {
    if differences.is_empty() {
        return None;
    }
    Some(format!("the host does not read back as desired: {}", listed(differences)))
}

/// The first differences, and how many more.
pub(super) fn listed(differences: &[model::Difference]) -> String {
    let first: Vec<String> =
        differences.iter().take(DIFFERENCES_NAMED_MAX).map(ToString::to_string).collect();
    let more = differences.len().saturating_sub(first.len());
    let tail = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("{}{tail}", first.join("; "))
}

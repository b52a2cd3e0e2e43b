//! `Saving`: how the change ends is decided; the host's configuration is saved, then the end goes on record, then it is told.
//!
//! A power cut before the saving brings the old state back, so a commit is told only after it. A way back is saved too:
//! ESXi may have saved the unconfirmed state by itself inside the window. Nothing is told that is not on record, so
//! that no later start can tell it otherwise.

use super::event::Seen;
use super::foreign::traceless;
use super::rollback::{ROLLBACK_READS_MAX, pause};
use super::state::{RollingBack, RollingStage, SaveNext, Saving, SavingStage, after};
use super::{ApplyMachine, Closing, Committed, Effect, EventKind, Open, Record, State, Turn, reject};
use crate::verify::verify_applied;
use model::{Component, Difference, DifferenceKind, Now, ObservedNetwork, OutcomeKind};

/// Attempts to save before a commit is taken back, and before a way back is told as unverified.
pub const SAVE_ATTEMPTS_MAX: u32 = 5;

impl ApplyMachine {
    /// How the change ends is decided.
    pub(super) fn end_with(&mut self, open: Box<Open>, kind: OutcomeKind) -> Turn {
        let saves = match &kind {
            OutcomeKind::Committed | OutcomeKind::RolledBack { .. } => true,
            // The saved configuration may be the way out for a person who power-cycles the host.
            OutcomeKind::RolledBackUnverified { .. } => open.undo,
            OutcomeKind::FailedMixed { .. } | OutcomeKind::Refused(_) => false,
        };
        let at = Saving { open, kind, attempt: 1, unsaved: false, stage: SavingStage::Persisting };
        if saves { (State::Saving(at), vec![Effect::Persist]) } else { record_end(at) }
    }

    /// After a restart: a change that was confirmed stands if the host shows it; all else goes back.
    pub(super) fn read_confirmed(&mut self, open: Box<Open>, attempt: u32) -> Turn {
        let token = self.token();
        let stage = SavingStage::Reading { token };
        let at = Saving { open, kind: OutcomeKind::Committed, attempt, unsaved: false, stage };
        (State::Saving(at), vec![Effect::Observe { token }])
    }

    /// The host was read after a restart.
    pub(super) fn confirmed_read(&mut self, mut at: Saving, seen: Seen, now: Now) -> Turn {
        if (at.stage != SavingStage::Reading { token: seen.token }) {
            return reject(State::Saving(at), EventKind::Observed);
        }
        at.open.calls = at.open.calls.saturating_add(seen.calls);
        let found = seen.result.as_ref().ok().and_then(|observed| in_force(&at.open, observed));
        match found {
            Some(true) => self.end_with(at.open, OutcomeKind::Committed),
            None if at.attempt < ROLLBACK_READS_MAX => wait(at, SaveNext::Read, now),
            Some(false) | None => self.confirmed_lost(at, seen, now),
        }
    }

    /// The host does not show the confirmed change: everything goes back, and that is told.
    fn confirmed_lost(&mut self, at: Saving, seen: Seen, now: Now) -> Turn {
        let Saving { mut open, attempt, .. } = at;
        let rebooted = open.transaction.boot != self.boot;
        open.abort(if rebooted {
            "the host was restarted before the confirmed configuration was saved"
        } else {
            "the confirmed change is not in force after a restart of the agent"
        });
        let reason = open.abort.clone().unwrap_or_default();
        let note = Effect::Note(Record::RollbackStarted { reason: reason.clone() });
        let stage = RollingStage::Reading { token: seen.token };
        let rolling = RollingBack { open, reason, attempt, failures: Vec::new(), stage };
        let (state, mut effects) = self.observed_in_rollback(rolling, Seen { calls: 0, ..seen }, now);
        effects.insert(0, note);
        (state, effects)
    }

    /// The configuration was saved, or not.
    pub(super) fn saved(&mut self, mut at: Saving, result: Result<(), String>, now: Now) -> Turn {
        if at.stage != SavingStage::Persisting {
            return reject(State::Saving(at), EventKind::Persisted);
        }
        let Err(detail) = result else { return record_end(at) };
        if at.attempt < SAVE_ATTEMPTS_MAX {
            return wait(at, SaveNext::Save, now);
        }
        at.unsaved = true;
        match at.kind {
            // It would be lost at the next power cycle: that is no commit.
            OutcomeKind::Committed => {
                at.open.abort(format!("the configuration of the host cannot be saved: {detail}"));
                self.roll_back(at.open)
            }
            OutcomeKind::RolledBack { reason } => {
                at.kind = OutcomeKind::RolledBackUnverified { reason, differences: vec![unsaved(detail)] };
                record_end(at)
            }
            OutcomeKind::RolledBackUnverified { .. }
            | OutcomeKind::FailedMixed { .. }
            | OutcomeKind::Refused(_) => record_end(at),
        }
    }

    /// The end is on record: tell it.
    pub(super) fn end_recorded(&mut self, at: Saving) -> Turn {
        match at.stage {
            SavingStage::Recording(closing) => (State::Idle, self.close(*closing)),
            SavingStage::Reading { .. } | SavingStage::Persisting | SavingStage::Waiting { .. } => {
                reject(State::Saving(at), EventKind::JournalWritten)
            }
        }
    }

    /// The end is not on record: it is not told before it is.
    pub(super) fn end_unrecorded(&mut self, at: Saving, now: Now) -> Turn {
        if !matches!(at.stage, SavingStage::Recording(_)) {
            return reject(State::Saving(at), EventKind::JournalFailed);
        }
        wait(at, SaveNext::Record, now)
    }

    pub(super) fn tick_saving(&mut self, mut at: Saving, now: Now) -> Turn {
        let next = match at.stage {
            SavingStage::Waiting { until, next } if now.uptime >= until => next,
            SavingStage::Waiting { .. }
            | SavingStage::Reading { .. }
            | SavingStage::Persisting
            | SavingStage::Recording(_) => return (State::Saving(at), Vec::new()),
        };
        match next {
            SaveNext::Read => self.read_confirmed(at.open, at.attempt),
            SaveNext::Save => {
                at.stage = SavingStage::Persisting;
                (State::Saving(at), vec![Effect::Persist])
            }
            SaveNext::Record => record_end(at),
        }
    }
}

fn wait(mut at: Saving, next: SaveNext, now: Now) -> Turn {
    at.stage = SavingStage::Waiting { until: after(now, pause(at.attempt)), next };
    at.attempt = at.attempt.saturating_add(1);
    (State::Saving(at), Vec::new())
}

/// The end goes on record before it is told.
fn record_end(mut at: Saving) -> Turn {
    let committed = (at.kind == OutcomeKind::Committed).then(|| {
        let order = at.open.order();
        Committed { generation: order.generation, desired: order.desired.clone() }
    });
    // Half undone is not undone: the committed state stays what it was, and the rest shows as drift.
    let undone = at.open.undo && !matches!(at.kind, OutcomeKind::FailedMixed { .. });
    let closing = Closing {
        content: at.open.transaction.content.clone(),
        outcome: at.open.outcome(at.kind.clone()),
        committed,
        persist_due: at.unsaved,
        undone,
    };
    let record = Record::Closed(Box::new(closing.clone()));
    at.stage = SavingStage::Recording(Box::new(closing));
    (State::Saving(at), vec![Effect::Journal(record)])
}

/// Whether the host shows the confirmed change: as desired, with a trace of every step. None when that part of it
/// cannot be read.
fn in_force(open: &Open, observed: &ObservedNetwork) -> Option<bool> {
    let differences = verify_applied(&open.order().desired, &open.transaction.pre_image, observed);
    let unread = |found: &Difference| found.kind == DifferenceKind::Unreadable;
    if !differences.is_empty() && differences.iter().all(unread) {
        return None;
    }
    Some(differences.is_empty() && traceless(open, observed).is_none())
}

fn unsaved(detail: String) -> Difference {
    Difference {
        component: Component::Host,
        object: "host".to_owned(),
        field: "saved configuration".to_owned(),
        kind: DifferenceKind::Unreadable,
        desired: "as before".to_owned(),
        observed: detail,
    }
}

//! What surrounds the agent on its own host: the guard that watches it and the console that asks it.
//!
//! Owns: signs of life, freeze and pin as the machine sees them, answers to the console. Must not:
//! decide about a change. Called by the event loop.

use super::Agent;
use crate::console::holds::{self, Hold, Holds, Kind, tidy_reason};
use crate::console::server::Local;
use crate::console::wire::{Answer, Request};
use crate::guard::line::Said;
use crate::guard::pulse::{BEAT, Pulse};
use crate::status::{Source, Status};
use engine::apply::{Event as ApplyEvent, JournalHealth, LocalGuards};
use model::{ApplyPhase, ChangeId, LocalVerb};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// What the agent was started with.
#[derive(Debug)]
pub struct Surroundings {
    /// The way to the guard.
    pub pulse: Pulse,
    /// Whether a guard watches.
    pub guarded: bool,
    /// Requests of the console, and the end of the guard.
    pub local: mpsc::Receiver<Local>,
    /// Kept so that the receiver never ends by itself.
    pub keep: mpsc::Sender<Local>,
}

/// The agent's side of it.
#[derive(Debug)]
pub(super) struct Shell {
    pulse: Pulse,
    guarded: bool,
    guard_gone: bool,
    holds: Holds,
    journal_damage: Option<String>,
    next_beat: Instant,
    _keep: mpsc::Sender<Local>,
}

impl Surroundings {
    pub(super) fn begin(self, health: &JournalHealth) -> (Shell, mpsc::Receiver<Local>) {
        let journal_damage = match health {
            JournalHealth::Sound => None,
            JournalHealth::Damaged { detail } => Some(detail.clone()),
        };
        let shell = Shell {
            pulse: self.pulse,
            guarded: self.guarded,
            guard_gone: false,
            holds: Holds::default(),
            journal_damage,
            next_beat: Instant::now(),
            _keep: self.keep,
        };
        (shell, self.local)
    }
}

impl Shell {
    pub(super) fn next_beat(&self) -> Instant {
        self.next_beat
    }
}

impl Agent {
    /// A sign of life when it is time.
    pub(super) fn beat(&mut self, now: Instant) {
        if self.shell.next_beat <= now {
            self.shell.next_beat = now + BEAT;
            self.shell.pulse.beat();
            self.take_holds();
        }
    }

    /// Tells the guard how the open change stands; called after every event of the machine.
    pub(super) fn tell_guard(&mut self) {
        let standing = match (self.machine.state().open(), self.machine.phase()) {
            // Saving: the end is decided, no deadline counts any more.
            (None, _) | (Some(_), ApplyPhase::Saving) => Said::Closed,
            (Some(_), ApplyPhase::RollingBack) => Said::Rolling,
            (Some(open), _) => Said::Open(open.deadline.uptime),
        };
        self.shell.pulse.stand(standing);
    }

    /// Whether the guard is gone and nothing is open any more: the host starts both again.
    pub(super) fn may_end(&self) -> bool {
        self.shell.guard_gone && self.machine.phase() == ApplyPhase::Idle
    }

    /// Reads freeze and pin anew: a person may have made the files by hand.
    pub(super) fn take_holds(&mut self) {
        let holds = Holds::read(&self.settings.state_dir);
        if holds != self.shell.holds {
            tracing::warn!(frozen = ?holds.frozen, pinned = ?holds.pinned, "freeze and pin");
            let reason =
                |hold: &Option<Hold>| hold.as_ref().map(|hold| format!("{}: {}", hold.by, hold.reason));
            self.machine
                .set_guards(LocalGuards { frozen: reason(&holds.frozen), pinned: reason(&holds.pinned) });
            self.shell.holds = holds;
        }
    }

    pub(super) fn on_local(&mut self, local: Local) {
        match local {
            Local::GuardGone => {
                tracing::error!(
                    "the guard is gone: no new order is taken, the agent ends when nothing is open"
                );
                self.shell.guard_gone = true;
            }
            Local::Asked(request, answer) => {
                let said = self.answer(request);
                // The console may have given up.
                let _ = answer.try_send(said);
            }
        }
    }

    fn answer(&mut self, request: Request) -> Answer {
        match request {
            Request::Ping => Answer::Pong,
            Request::Status => {
                self.take_holds();
                Answer::Status { status: Box::new(self.status()) }
            }
            Request::Rollback { reason } => self.roll_back(&tidy_reason(&reason)),
            Request::Hold { kind, reason, by } => self.hold(kind, &reason, &by),
            Request::Release { by } => self.release(&by),
            Request::ApproversPinned { told } => self.approvers_pinned(&tidy_reason(&told)),
        }
    }

    fn status(&self) -> Status {
        let (memory, open) = (self.machine.memory(), self.machine.state().open());
        let mut status = Status::new(&self.settings, Source::Agent, memory, open, self.clock.now());
        status.agent_pid = Some(std::process::id());
        status.guarded = Some(self.shell.guarded && !self.shell.guard_gone);
        status.connected = Some(self.connected);
        status.phase = Some(self.machine.phase());
        status.journal_damage.clone_from(&self.shell.journal_damage);
        status
    }

    fn roll_back(&mut self, reason: &str) -> Answer {
        match self.machine.state().order().map(|order| order.change.clone()) {
            None => self.undo_last(reason),
            Some(change) if self.is_going_back() => {
                Answer::Done { text: format!("change {change} is on its way back already") }
            }
            Some(change) => {
                self.note_local(LocalVerb::Rollback, reason);
                self.cancel(&change, format!("at the console: {reason}"))
            }
        }
    }

    fn is_going_back(&self) -> bool {
        let aborted = self.machine.state().open().is_some_and(|open| open.abort.is_some());
        self.machine.phase() == ApplyPhase::RollingBack
            || self.machine.phase() == ApplyPhase::Saving && aborted
    }

    fn cancel(&mut self, change: &ChangeId, reason: String) -> Answer {
        self.step(ApplyEvent::CancelRequested { change: change.clone(), reason });
        let aborted = self.machine.state().open().is_some_and(|open| open.abort.is_some());
        let taken = self.machine.phase() == ApplyPhase::Idle || self.is_going_back() || aborted;
        if taken {
            Answer::Done { text: format!("change {change} is rolled back") }
        } else {
            Answer::Refused {
                text: format!("change {change} is just being committed: ask for its rollback again"),
            }
        }
    }

    fn undo_last(&mut self, reason: &str) -> Answer {
        let Some(transaction) = self.journal.history().last_committed().cloned() else {
            return Answer::Refused {
                text: "no change is open, and the history holds none that was committed".to_owned(),
            };
        };
        let change = transaction.order.change.clone();
        self.step(ApplyEvent::UndoRequested {
            transaction: Box::new(transaction),
            reason: format!("at the console: {reason}"),
        });
        if self.machine.phase() == ApplyPhase::Idle {
            let text = format!(
                "change {change} is not the last that ended on this host, or the journal cannot be written"
            );
            return Answer::Refused { text };
        }
        self.note_local(LocalVerb::Rollback, reason);
        Answer::Done { text: format!("committed change {change} is undone") }
    }

    fn approvers_pinned(&mut self, told: &str) -> Answer {
        self.gatekeeper.read_again();
        self.note_local(LocalVerb::PinApprovers, told);
        Answer::Done { text: "the agent trusts it from now on".to_owned() }
    }

    fn note_local(&mut self, verb: LocalVerb, reason: &str) {
        let effects = self.machine.note_local(verb, reason.to_owned(), self.clock.now().wall);
        self.perform(effects);
    }

    fn hold(&mut self, kind: Kind, reason: &str, by: &str) -> Answer {
        let at = self.clock.now().wall;
        let hold = Hold { reason: tidy_reason(reason), by: tidy_reason(by), at };
        if let Err(error) = holds::hold(&self.settings.state_dir, kind, &hold) {
            return Answer::Refused { text: error.to_string() };
        }
        let told = format!("{}: {}", hold.by, hold.reason);
        self.note_local(kind.verb(), &told);
        self.take_holds();
        // Frozen: an open change goes back also when all its steps are done.
        let open = self.machine.state().order().map(|order| order.change.clone());
        if let (Kind::Freeze, Some(change)) = (kind, open)
            && !self.is_going_back()
        {
            let answer = self.cancel(&change, format!("frozen at the console by {told}"));
            tracing::warn!(?answer, "frozen while a change is open");
        }
        Answer::Done { text: kind.done().to_owned() }
    }

    fn release(&mut self, by: &str) -> Answer {
        if let Err(error) = holds::release(&self.settings.state_dir) {
            return Answer::Refused { text: error.to_string() };
        }
        self.note_local(LocalVerb::Release, &tidy_reason(by));
        self.take_holds();
        // A change that waits because somebody else changed the host goes on.
        if self.machine.phase() == ApplyPhase::Holding
            && let Some(change) = self.machine.state().order().map(|order| order.change.clone())
        {
            self.step(ApplyEvent::HoldReleased { change });
        }
        Answer::Done { text: "the host is released: it takes orders again".to_owned() }
    }
}

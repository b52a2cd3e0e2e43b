//! What the journal says, and what it means when it is read again. Must not write anything.
//!
//! Framing, checksums and files are `journal`'s; this is the payload, and the fold over it.

use super::{Mark, Open, StepResult};
use model::{
    ApplyOutcome, ApprovalNote, BootId, DesiredNetwork, Difference, Generation, LocalAction, Millis, Now,
    ObservedNetwork, Order, Plan, Probe, Uptime, Wall,
};
use serde::{Deserialize, Serialize};

/// SHA-256 of an order's canonical form, in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContentHash(pub String);

/// When an open change must be confirmed at the latest, on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deadline {
    /// On the monotonic clock of the boot it was made in; this one decides.
    pub uptime: Uptime,
    /// On the wall clock; for people.
    pub wall: Wall,
}

impl Deadline {
    /// A span from now.
    #[must_use]
    pub fn after(now: Now, span: Millis) -> Self {
        Self { uptime: now.uptime.plus(span), wall: now.wall.plus(span) }
    }

    /// Whether it has passed.
    #[must_use]
    pub fn passed(self, now: Now) -> bool {
        now.uptime >= self.uptime
    }

    /// The one that comes first.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        if other.uptime < self.uptime { other } else { self }
    }
}

/// Actions at the console that are kept for the coordinator.
pub const LOCAL_ACTIONS_MAX: usize = 64;

/// All that is needed to go back, durable before the first step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transaction {
    /// The order.
    pub order: Order,
    /// Its content hash.
    pub content: ContentHash,
    /// The steps with their inverses.
    pub plan: Plan,
    /// The host before the first step.
    pub pre_image: ObservedNetwork,
    /// The boot it was opened in.
    pub boot: BootId,
    /// When it was opened.
    pub opened: Now,
    /// When it rolls back unless it is confirmed.
    pub deadline: Deadline,
    /// How the order before it ended, in case its own record was lost to a full disk.
    pub previous: Option<Held>,
    /// Probes that passed before the first step: they must pass again.
    #[serde(default)]
    pub probes: Vec<Probe>,
    /// What is to be said of the order's approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalNote>,
}

/// The last state of this host that was confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Committed {
    /// Its generation.
    pub generation: Generation,
    /// What should be.
    pub desired: DesiredNetwork,
}

/// The end of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closing {
    /// The order's content hash.
    pub content: ContentHash,
    /// How it ended.
    pub outcome: ApplyOutcome,
    /// What is confirmed from now on; none when the order was not committed.
    pub committed: Option<Committed>,
    /// Whether the host's configuration is still to be saved.
    pub persist_due: bool,
    /// Whether the last committed change was undone: the one before it is confirmed again.
    #[serde(default)]
    pub undone: bool,
}

/// One entry of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Record {
    /// A change begins.
    Opened(Box<Transaction>),
    /// A step is about to run.
    StepStarted {
        /// Which one.
        index: u32,
    },
    /// A step ended.
    StepEnded {
        /// Which one.
        index: u32,
        /// How.
        result: StepResult,
    },
    /// All steps are done and the host reads back as desired.
    Applied {
        /// The deadline from now on.
        deadline: Deadline,
    },
    /// The coordinator confirmed it over a new connection: it stands as soon as the configuration is saved.
    Confirmed,
    /// A person gave the change another deadline.
    Extended {
        /// The deadline from now on.
        deadline: Deadline,
    },
    /// Somebody else changed the host inside the window.
    Held {
        /// What: as it should be (`desired`) and as it is (`observed`).
        foreign: Vec<Difference>,
    },
    /// The way back begins.
    RollbackStarted {
        /// Why.
        reason: String,
    },
    /// A committed change is being undone.
    Undoing {
        /// The transaction of that change.
        transaction: Box<Transaction>,
        /// Who and why.
        reason: String,
    },
    /// A person did something at the console.
    Local(LocalAction),
    /// The coordinator has stored the actions at the console up to this one.
    LocalAcknowledged {
        /// Sequence number of the action.
        sequence: u64,
    },
    /// An order was refused for want of a proof: nothing else was done.
    Refused {
        /// The refusal.
        outcome: Box<ApplyOutcome>,
        /// When, by the host's clock.
        at: Wall,
    },
    /// The order ended.
    Closed(Box<Closing>),
    /// The host's configuration was saved later than the end it belongs to.
    Persisted,
}

/// The last order that ended and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// The order's content hash.
    pub content: ContentHash,
    /// How it ended; it names change and generation.
    pub outcome: ApplyOutcome,
}

/// What outlives a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// The last order that ended.
    pub held: Option<Held>,
    /// The last confirmed state.
    pub committed: Option<Committed>,
    /// The confirmed state before that one; an undo goes back to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Box<Committed>>,
    /// Whether the host's configuration is still to be saved.
    #[serde(default)]
    pub persist_due: bool,
    /// Actions at the console that the coordinator does not know yet, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub local: Vec<LocalAction>,
    /// Sequence number of the last action at the console; 0 for none.
    #[serde(default)]
    pub local_sequence: u64,
}

impl Memory {
    /// Takes an action at the console in; the oldest is forgotten when there are too many.
    pub fn note_local(&mut self, action: LocalAction) {
        self.local_sequence = self.local_sequence.max(action.sequence);
        self.local.push(action);
        let surplus = self.local.len().saturating_sub(LOCAL_ACTIONS_MAX);
        self.local.drain(..surplus);
    }

    /// The coordinator knows the actions up to this one.
    pub fn local_acknowledged(&mut self, sequence: u64) {
        self.local.retain(|action| action.sequence > sequence);
    }

    /// Takes the end of an order in.
    pub fn close(&mut self, closing: Closing) {
        let Closing { content, outcome, committed, persist_due, undone } = closing;
        self.held = Some(Held { content, outcome });
        if let Some(committed) = committed {
            self.before = self.committed.replace(committed).map(Box::new);
        }
        if undone {
            self.committed = self.before.take().map(|before| *before);
        }
        self.persist_due |= persist_due;
    }

    /// The generation of the last confirmed state; 0 for none.
    #[must_use]
    pub fn committed_generation(&self) -> Generation {
        self.committed.as_ref().map_or(Generation(0), |committed| committed.generation)
    }
}

/// Why records do not make sense together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// A record of a change without the change.
    #[error("journal record `{record}` without an open change")]
    NothingOpen {
        /// The record.
        record: &'static str,
    },
    /// A step that the plan does not have.
    #[error("journal names step {index}, the plan has {steps}")]
    NoSuchStep {
        /// The step.
        index: u32,
        /// Steps of the plan.
        steps: usize,
    },
}

/// The meaning of a journal: fold [`Replay::take`] over its records, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replay {
    /// What outlives transactions.
    pub memory: Memory,
    /// The change that was not closed.
    pub open: Option<Open>,
}

impl Replay {
    /// Begins from what was remembered.
    #[must_use]
    pub fn from_memory(memory: Memory) -> Self {
        Self { memory, open: None }
    }

    /// Takes the next record in.
    pub fn take(&mut self, record: Record) -> Result<(), ReplayError> {
        match record {
            // A change is only opened after the one before ended, even if that could not be written.
            Record::Opened(transaction) => {
                if let Some(previous) = &transaction.previous {
                    self.memory.held = Some(previous.clone());
                }
                self.open = Some(Open::new(*transaction));
            }
            Record::StepStarted { index } => *self.mark("step_started", index)? = Mark::Started,
            Record::StepEnded { index, result } => *self.mark("step_ended", index)? = Mark::after(&result),
            Record::Applied { deadline } => self.opened("applied")?.deadline = deadline,
            Record::Confirmed => self.opened("confirmed")?.confirmed = true,
            Record::Extended { deadline } => self.opened("extended")?.extend(deadline),
            // What it says is for people: a restart rolls back whatever was held.
            Record::Held { .. } => _ = self.opened("held")?,
            // For people: the same order may be tried again.
            Record::Refused { .. } => {}
            Record::Undoing { transaction, reason } => {
                self.open = Some(Open::undoing(*transaction, reason));
            }
            Record::Local(action) => self.memory.note_local(action),
            Record::LocalAcknowledged { sequence } => self.memory.local_acknowledged(sequence),
            Record::RollbackStarted { reason } => self.opened("rollback_started")?.abort = Some(reason),
            Record::Closed(closing) => {
                self.open = None;
                self.memory.close(*closing);
            }
            Record::Persisted => self.memory.persist_due = false,
        }
        Ok(())
    }

    fn opened(&mut self, record: &'static str) -> Result<&mut Open, ReplayError> {
        self.open.as_mut().ok_or(ReplayError::NothingOpen { record })
    }

    fn mark(&mut self, record: &'static str, index: u32) -> Result<&mut Mark, ReplayError> {
        let open = self.opened(record)?;
        let steps = open.marks.len();
        open.mark_mut(index).ok_or(ReplayError::NoSuchStep { index, steps })
    }
}

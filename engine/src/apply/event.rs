//! What can happen to the apply machine. Must not decide anything.

use super::{Approval, Transaction};
use model::{ChangeId, Generation, Millis, ObservedNetwork, Order, ProbeResult, Uptime};

/// The answer of the coordinator, asked over a connection opened after the last step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfirmVerdict {
    /// The change stands.
    Confirmed,
    /// The change is not wanted any more.
    Withdrawn {
        /// Why.
        reason: String,
    },
}

/// How one call ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum StepResult {
    /// The host took it.
    Done,
    /// The host says that it is so already; only reading tells whether that is true.
    AlreadySo {
        /// What it said.
        detail: String,
    },
    /// The call failed, hung or could not be started; the host may have changed all the same.
    Failed {
        /// What happened.
        detail: String,
    },
}

/// The answer to `Effect::Observe`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The token of the effect it answers; another one is stale.
    pub token: u32,
    /// The host, or why it could not be read.
    pub result: Result<Box<ObservedNetwork>, String>,
    /// esxcli calls it took.
    pub calls: u32,
}

/// Everything that can happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The coordinator sent an order.
    OrderReceived {
        /// The order.
        order: Box<Order>,
        /// What its proof is worth on this host.
        approval: Approval,
    },
    /// The host was read.
    Observed(Seen),
    /// A step ended.
    StepDone {
        /// Which step.
        index: u32,
        /// How.
        result: StepResult,
    },
    /// An inverse ended.
    InverseDone {
        /// Which one of this attempt.
        position: u32,
        /// How.
        result: StepResult,
    },
    /// The record of the last `Effect::Journal` is durable.
    JournalWritten,
    /// The record of the last `Effect::Journal` may not be durable.
    JournalFailed {
        /// What happened.
        detail: String,
    },
    /// The coordinator answered the confirm question.
    ConfirmAnswered {
        /// The change it answered for.
        change: ChangeId,
        /// The generation it answered for.
        generation: Generation,
        /// When the connection it was asked over began to be opened.
        connected_at: Uptime,
        /// The answer.
        verdict: ConfirmVerdict,
    },
    /// The coordinator could not be asked.
    ConfirmUnavailable {
        /// The change it was asked for.
        change: ChangeId,
        /// What happened.
        detail: String,
    },
    /// The probes were asked.
    Probed {
        /// The token of the effect it answers.
        token: u32,
        /// One verdict per probe.
        results: Vec<ProbeResult>,
    },
    /// The time of `next_deadline` has come.
    Tick,
    /// A person at the console or the coordinator wants the open change undone.
    CancelRequested {
        /// Which change.
        change: ChangeId,
        /// Why.
        reason: String,
    },
    /// The open change gets another window, counted from now.
    ExtendRequested {
        /// Which change.
        change: ChangeId,
        /// The new window.
        window: Millis,
    },
    /// A person has looked at what somebody else changed: the change may go on beside it.
    HoldReleased {
        /// Which change.
        change: ChangeId,
    },
    /// A person at the console wants the last committed change undone.
    UndoRequested {
        /// The transaction of that change, from the journal's history.
        transaction: Box<Transaction>,
        /// Who and why.
        reason: String,
    },
    /// The host's configuration was saved, or not.
    Persisted(Result<(), String>),
}

/// The events by name, for rejections and tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the event of the same name")]
pub enum EventKind {
    OrderReceived,
    Observed,
    StepDone,
    InverseDone,
    JournalWritten,
    JournalFailed,
    ConfirmAnswered,
    ConfirmUnavailable,
    Probed,
    Tick,
    CancelRequested,
    ExtendRequested,
    HoldReleased,
    UndoRequested,
    Persisted,
}

impl Event {
    /// An order on a host that looks for no proof.
    #[must_use]
    pub fn order(order: Box<Order>) -> Self {
        Self::OrderReceived { order, approval: Approval::Unchecked }
    }

    /// The name of this event.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        match self {
            Self::OrderReceived { .. } => EventKind::OrderReceived,
            Self::Observed(_) => EventKind::Observed,
            Self::StepDone { .. } => EventKind::StepDone,
            Self::InverseDone { .. } => EventKind::InverseDone,
            Self::JournalWritten => EventKind::JournalWritten,
            Self::JournalFailed { .. } => EventKind::JournalFailed,
            Self::ConfirmAnswered { .. } => EventKind::ConfirmAnswered,
            Self::ConfirmUnavailable { .. } => EventKind::ConfirmUnavailable,
            Self::Probed { .. } => EventKind::Probed,
            Self::Tick => EventKind::Tick,
            Self::CancelRequested { .. } => EventKind::CancelRequested,
            Self::ExtendRequested { .. } => EventKind::ExtendRequested,
            Self::HoldReleased { .. } => EventKind::HoldReleased,
            Self::UndoRequested { .. } => EventKind::UndoRequested,
            Self::Persisted(_) => EventKind::Persisted,
        }
    }
}

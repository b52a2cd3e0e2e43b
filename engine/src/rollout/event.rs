//! What can happen to a rollout. Must not decide anything.

use model::{HostId, OutcomeKind};

/// Why an order did not go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSent {
    /// The host has no stream.
    NotConnected,
    /// The host's queue is full.
    Busy,
}

/// Everything that can happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Begin.
    Start,
    /// The state was read back after a restart of the coordinator: no stream is known, no order is sure to have
    /// gone out. `HostAvailable` follows for every connected host.
    Restored,
    /// The host has a stream.
    HostAvailable(HostId),
    /// The host's stream is gone.
    HostUnavailable(HostId),
    /// An order that was asked for did not go out.
    OrderNotSent {
        /// The host.
        host: HostId,
        /// Why.
        why: NotSent,
    },
    /// The host ended its order.
    HostEnded {
        /// The host.
        host: HostId,
        /// How.
        kind: OutcomeKind,
    },
    /// A person stops new orders for a while.
    Pause {
        /// Who and why.
        reason: String,
    },
    /// A person lets it go on.
    Resume,
    /// A person ends it.
    Abort {
        /// Who and why.
        reason: String,
    },
    /// The time of `next_deadline` has come.
    Tick,
}

/// The events by name, for rejections and tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the event of the same name")]
pub enum EventKind {
    Start,
    Restored,
    HostAvailable,
    HostUnavailable,
    OrderNotSent,
    HostEnded,
    Pause,
    Resume,
    Abort,
    Tick,
}

impl Event {
    /// The name of this event.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        match self {
            Self::Start => EventKind::Start,
            Self::Restored => EventKind::Restored,
            Self::HostAvailable(_) => EventKind::HostAvailable,
            Self::HostUnavailable(_) => EventKind::HostUnavailable,
            Self::OrderNotSent { .. } => EventKind::OrderNotSent,
            Self::HostEnded { .. } => EventKind::HostEnded,
            Self::Pause { .. } => EventKind::Pause,
            Self::Resume => EventKind::Resume,
            Self::Abort { .. } => EventKind::Abort,
            Self::Tick => EventKind::Tick,
        }
    }
}

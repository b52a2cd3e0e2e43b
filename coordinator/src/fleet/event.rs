//! What the fleet tells the composition root, and the way back for acknowledgements.

use super::outgoing::Outgoing;
use super::refusal::Refusal;
use crate::trust::Receipt;
use model::{ApplyOutcome, DriftReport, HostId, LocalAction, ObservedNetwork};
use proto::convert::{AgentHello, FromCoordinator, SetAck, StepProgress};
use std::net::SocketAddr;

/// One stream of one host; grows with every stream, so that a late `Disconnected` of an older
/// stream can be told from the newest `Connected`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// The right to tell an agent that its message is stored. Dropped without a call, the agent sends
/// the message again on its next stream.
#[must_use = "the agent repeats its message until it is acknowledged"]
pub struct Ack {
    outgoing: Outgoing,
    message: FromCoordinator,
}

impl Ack {
    pub(super) fn new(outgoing: Outgoing, message: FromCoordinator) -> Self {
        Self { outgoing, message }
    }

    /// Tells the agent. Call it after the database commit. When the stream is gone nothing happens.
    pub fn ack(self) {
        self.outgoing.offer_or_cut(self.message);
    }
}

impl std::fmt::Debug for Ack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ack").field("message", &self.message).finish_non_exhaustive()
    }
}

/// Something happened with a host. The host is always the one its certificate names.
#[derive(Debug)]
pub enum FleetEvent {
    /// A host's stream is open. A second one without a `Disconnected` between replaced the first.
    Connected {
        /// The host.
        host: HostId,
        /// The stream.
        session: SessionId,
        /// What the agent said of itself.
        hello: Box<AgentHello>,
        /// From where.
        remote: SocketAddr,
    },
    /// A host's stream ended and no other replaced it.
    Disconnected {
        /// The host.
        host: HostId,
        /// The stream.
        session: SessionId,
        /// Why, in words.
        reason: String,
    },
    /// A full reading of a host.
    Observation {
        /// The host.
        host: HostId,
        /// The reading.
        observed: Box<ObservedNetwork>,
        /// Its content hash, checked.
        hash: String,
        /// esxcli calls it took.
        calls: u32,
        /// Call after the commit.
        ack: Ack,
    },
    /// The end of an order.
    Outcome {
        /// The host.
        host: HostId,
        /// How it ended.
        outcome: Box<ApplyOutcome>,
        /// The host's signature over it, checked.
        receipt: Box<Receipt>,
        /// Call after the commit.
        ack: Ack,
    },
    /// Differences from the confirmed state; none means the drift is gone.
    Drift {
        /// The host.
        host: HostId,
        /// The differences.
        report: Box<DriftReport>,
    },
    /// What a person did at the console of a host.
    Local {
        /// The host.
        host: HostId,
        /// What.
        action: LocalAction,
        /// Call after the commit.
        ack: Ack,
    },
    /// What became of an approver set that was offered to a host.
    ApproverSet {
        /// The host.
        host: HostId,
        /// What it holds now, or why it refused.
        answer: SetAck,
    },
    /// A step was done.
    Progress {
        /// The host.
        host: HostId,
        /// How far.
        progress: StepProgress,
    },
    /// Somebody was refused; nothing was done.
    Refused(Refusal),
    /// A second agent claimed the identity of a live one and was refused.
    DuplicateIdentity {
        /// The host both claim to be.
        host: HostId,
        /// Where the accepted agent is.
        holder: SocketAddr,
        /// Where the refused one is.
        refused: SocketAddr,
    },
}

//! What the rest of the coordinator may ask of the fleet.

use super::event::SessionId;
use super::identity::Denial;
use super::outgoing::Ending;
use super::ping::OpenPings;
use super::registry::Registry;
use model::{
    ApplyPhase, ApproverRotation, BootId, ChangeId, Generation, HostId, KeyFingerprint, Millis, Wall,
};
use proto::convert::{FromCoordinator, OfferedOrder};
use std::net::SocketAddr;
use std::sync::Arc;

/// Why an order did not go out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendOrderError {
    /// The host has no stream: send the order when it is back.
    #[error("the host is not connected")]
    NotConnected,
    /// The host's queue is full: try again.
    #[error("the host's queue is full")]
    Busy,
    /// The order cannot be sent at all.
    #[error("the order cannot be sent: {detail}")]
    NotSendable {
        /// Why.
        detail: String,
    },
}

/// A host with an open stream, as its last messages said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveHost {
    /// The host.
    pub host: HostId,
    /// The stream.
    pub session: SessionId,
    /// Since when.
    pub connected_since: Wall,
    /// When the last message came.
    pub last_seen: Wall,
    /// Where it is with its order.
    pub phase: ApplyPhase,
    /// Last generation it committed.
    pub committed_generation: Generation,
    /// Highest generation it took.
    pub held_generation: Generation,
    /// Release of the agent.
    pub agent_version: String,
    /// This boot of the host.
    pub boot_id: BootId,
    /// Whether the agent sees drift.
    pub drift: bool,
    /// Hash of the agent's newest observation; empty before its first heartbeat.
    pub observation_hash: String,
    /// Resident memory of the agent in bytes; 0 when unknown.
    pub rss_bytes: u64,
    /// From where.
    pub remote: SocketAddr,
}

/// The way to the live hosts; cheap to clone.
#[derive(Clone)]
pub struct FleetHandle {
    registry: Arc<Registry>,
}

impl FleetHandle {
    pub(super) fn new(registry: Arc<Registry>) -> Self {
        Self { registry }
    }

    /// Whether the host has an open stream.
    pub fn connected(&self, host: &HostId) -> bool {
        self.registry.get(host).is_some()
    }

    /// Ends the stream of a host, unless it was opened with the key that is still good. Tells whether one was ended.
    pub fn cut(&self, host: &HostId, good: Option<&KeyFingerprint>, why: Denial) -> bool {
        let Some(slot) = self.registry.get(host).filter(|slot| Some(&slot.key) != good) else { return false };
        slot.outgoing.end(Ending::Denied(why));
        true
    }

    /// Every live host, in order of name.
    pub fn snapshot(&self) -> Vec<LiveHost> {
        self.registry.snapshot()
    }

    /// Puts an order into the host's queue. `Ok` means queued, not taken: the outcome tells.
    /// Orders may be repeated: hosts know them by their generation, and refuse another host's.
    pub fn send_order(&self, host: &HostId, order: OfferedOrder) -> Result<(), SendOrderError> {
        self.offer(host, FromCoordinator::Order(Box::new(order)))
    }

    /// Offers a host a newer approver set.
    pub fn offer_approvers(&self, host: &HostId, rotation: ApproverRotation) -> Result<(), SendOrderError> {
        self.offer(host, FromCoordinator::ApproverSet(Box::new(rotation)))
    }

    /// Asks a host to read itself and report.
    pub fn observe_now(&self, host: &HostId) -> Result<(), SendOrderError> {
        self.offer(host, FromCoordinator::ObserveNow)
    }

    /// Gives the open change of a host another window, counted from its arrival there.
    pub fn extend_window(
        &self,
        host: &HostId,
        change: &ChangeId,
        window: Millis,
    ) -> Result<(), SendOrderError> {
        self.offer(host, FromCoordinator::Extend { change: change.clone(), window })
    }

    /// Pings that hosts were asked for.
    pub(super) fn pings(&self) -> &Arc<OpenPings> {
        &self.registry.pings
    }

    pub(super) fn offer(&self, host: &HostId, message: FromCoordinator) -> Result<(), SendOrderError> {
        self.registry.get(host).ok_or(SendOrderError::NotConnected)?.outgoing.offer(message)
    }
}

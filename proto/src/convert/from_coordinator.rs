//! What the coordinator says on an agent's stream.

use super::document::{from_json, to_json};
use super::error::{WireError, short_text};
use super::from_agent::change;
use super::ping::PingQuestion;
use super::proof::OfferedOrder;
use crate::v1;
use model::{ApproverRotation, ChangeId, Generation, Millis};

/// Any message of the coordinator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromCoordinator {
    /// First message.
    Welcome {
        /// The agreed protocol version.
        protocol: u32,
        /// Time between heartbeats.
        heartbeat: Millis,
    },
    /// Bring the host to this state.
    Order(Box<OfferedOrder>),
    /// The outcome is stored: forget it.
    OutcomeAck {
        /// The change.
        change: ChangeId,
        /// The generation of the order.
        generation: Generation,
    },
    /// The observation is stored.
    ObservationAck {
        /// Its content hash.
        hash: String,
    },
    /// Read the host now.
    ObserveNow,
    /// The coordinator leaves: come back within the span.
    Goodbye {
        /// Wait a random time within this.
        spread: Millis,
    },
    /// Send a heartbeat now.
    AreYouThere,
    /// The actions at the console up to this one are stored.
    LocalAck {
        /// Its sequence number.
        sequence: u64,
    },
    /// Ping another host and report.
    Ping(PingQuestion),
    /// A newer approver set.
    ApproverSet(Box<ApproverRotation>),
    /// The open change gets another window, counted from now.
    Extend {
        /// The change.
        change: ChangeId,
        /// The new window, in whole seconds.
        window: Millis,
    },
}

/// A span for a 32-bit field; longer ones become the longest.
fn wire_millis(span: Millis) -> u32 {
    u32::try_from(span.0).unwrap_or(u32::MAX)
}

impl TryFrom<v1::CoordinatorMessage> for FromCoordinator {
    type Error = WireError;

    fn try_from(wire: v1::CoordinatorMessage) -> Result<Self, WireError> {
        use v1::coordinator_message::Message;
        let v1::CoordinatorMessage { message } = wire;
        Ok(match message.ok_or(WireError::Missing { field: "message" })? {
            Message::Welcome(v1::Welcome { protocol, heartbeat_ms }) => {
                Self::Welcome { protocol, heartbeat: Millis(u64::from(heartbeat_ms)) }
            }
            Message::Order(offer) => Self::Order(Box::new(offer.try_into()?)),
            Message::OutcomeAck(v1::OutcomeAck { change_id, generation }) => Self::OutcomeAck {
                change: change("change_id", change_id)?,
                generation: Generation(generation),
            },
            Message::ObservationAck(v1::ObservationAck { content_hash }) => {
                Self::ObservationAck { hash: short_text("content_hash", content_hash)? }
            }
            Message::ObserveNow(v1::ObserveNow {}) => Self::ObserveNow,
            Message::Goodbye(v1::Goodbye { spread_ms }) => {
                Self::Goodbye { spread: Millis(u64::from(spread_ms)) }
            }
            Message::AreYouThere(v1::AreYouThere {}) => Self::AreYouThere,
            Message::LocalActionAck(v1::LocalActionAck { sequence }) => Self::LocalAck { sequence },
            Message::PingRequest(request) => Self::Ping(request.try_into()?),
            Message::ApproverSetOffer(v1::ApproverSetOffer { rotation_json }) => {
                Self::ApproverSet(Box::new(from_json("rotation_json", &rotation_json)?))
            }
            Message::ExtendWindow(v1::ExtendWindow { change_id, seconds }) => Self::Extend {
                change: change("change_id", change_id)?,
                window: Millis::from_secs(seconds.into()),
            },
        })
    }
}

impl TryFrom<FromCoordinator> for v1::CoordinatorMessage {
    type Error = WireError;

    fn try_from(message: FromCoordinator) -> Result<Self, WireError> {
        use v1::coordinator_message::Message;
        let message = match message {
            FromCoordinator::Welcome { protocol, heartbeat } => {
                Message::Welcome(v1::Welcome { protocol, heartbeat_ms: wire_millis(heartbeat) })
            }
            FromCoordinator::Order(order) => Message::Order((*order).try_into()?),
            FromCoordinator::OutcomeAck { change, generation } => {
                Message::OutcomeAck(v1::OutcomeAck { change_id: change.into(), generation: generation.0 })
            }
            FromCoordinator::ObservationAck { hash } => {
                Message::ObservationAck(v1::ObservationAck { content_hash: hash })
            }
            FromCoordinator::ObserveNow => Message::ObserveNow(v1::ObserveNow {}),
            FromCoordinator::Goodbye { spread } => {
                Message::Goodbye(v1::Goodbye { spread_ms: wire_millis(spread) })
            }
            FromCoordinator::AreYouThere => Message::AreYouThere(v1::AreYouThere {}),
            FromCoordinator::LocalAck { sequence } => {
                Message::LocalActionAck(v1::LocalActionAck { sequence })
            }
            FromCoordinator::Ping(question) => Message::PingRequest(question.into()),
            FromCoordinator::ApproverSet(rotation) => Message::ApproverSetOffer(v1::ApproverSetOffer {
                rotation_json: to_json("rotation_json", rotation.as_ref())?,
            }),
            FromCoordinator::Extend { change, window } => {
                let seconds = u32::try_from(window.0.div_ceil(1000)).unwrap_or(u32::MAX);
                Message::ExtendWindow(v1::ExtendWindow { change_id: change.into(), seconds })
            }
        };
        Ok(Self { message: Some(message) })
    }
}

//! The bounded way to one agent. The stream's task holds the only strong end: when it ends, every
//! acknowledgement and order handed out before goes nowhere instead of keeping the stream open.

use super::connection::ConnectionState;
use super::handle::SendOrderError;
use proto::convert::FromCoordinator;
use proto::v1::CoordinatorMessage;
use std::sync::Arc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tonic::Status;

/// An item of the response stream.
pub(super) type Item = Result<CoordinatorMessage, Status>;

/// Why a stream ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Ending {
    #[error("the agent closed the stream")]
    Closed,
    #[error("the stream broke: {0}")]
    Broken(String),
    #[error("the message is too large: {0}")]
    TooLarge(String),
    #[error("the agent sent something wrong: {0}")]
    Invalid(String),
    #[error(
        "this coordinator speaks protocol {ours_min} to {ours_max}, the agent {theirs_min} to {theirs_max}: update the older one"
    )]
    NoProtocol { ours_min: u32, ours_max: u32, theirs_min: u32, theirs_max: u32 },
    #[error(
        "another agent with this identity is connected and answers: stop one of the two, or enrol one of them under its own name"
    )]
    Duplicate,
    #[error("the agent said nothing for too long")]
    Silent,
    #[error("the agent does not read what it is sent")]
    SlowReader,
    #[error("a newer stream of the same host replaced this one")]
    Replaced,
    #[error("the coordinator shuts down")]
    ShuttingDown,
    #[error("this coordinator stands by, another one leads: try the next address")]
    StandsBy,
}

impl Ending {
    /// The last item of the response stream; `None` for a plain end.
    pub(super) fn status(&self) -> Option<Status> {
        let text = self.to_string();
        match self {
            Self::Closed | Self::ShuttingDown => None,
            Self::Broken(_) | Self::StandsBy => Some(Status::unavailable(text)),
            Self::TooLarge(_) | Self::SlowReader => Some(Status::resource_exhausted(text)),
            Self::Invalid(_) => Some(Status::invalid_argument(text)),
            Self::NoProtocol { .. } => Some(Status::failed_precondition(text)),
            Self::Duplicate => Some(Status::already_exists(text)),
            Self::Silent => Some(Status::deadline_exceeded(text)),
            Self::Replaced => Some(Status::aborted(text)),
        }
    }

    /// Whether the whole connection goes down with the stream, because its agent no longer reacts.
    pub(super) fn closes_connection(&self) -> bool {
        matches!(self, Self::Silent | Self::SlowReader)
    }
}

/// The way to one agent.
#[derive(Clone)]
pub(super) struct Outgoing {
    queue: mpsc::WeakSender<Item>,
    ending: Arc<watch::Sender<Option<Ending>>>,
    connection: Arc<ConnectionState>,
}

impl Outgoing {
    pub(super) fn new(queue: &mpsc::Sender<Item>, connection: Arc<ConnectionState>) -> Self {
        Self { queue: queue.downgrade(), ending: Arc::new(watch::Sender::new(None)), connection }
    }

    /// Puts a message into the queue, or says why not.
    pub(super) fn offer(&self, message: FromCoordinator) -> Result<(), SendOrderError> {
        let wire = CoordinatorMessage::try_from(message)
            .map_err(|error| SendOrderError::NotSendable { detail: error.to_string() })?;
        let queue = self.queue.upgrade().ok_or(SendOrderError::NotConnected)?;
        queue.try_send(Ok(wire)).map_err(|error| match error {
            TrySendError::Full(_) => SendOrderError::Busy,
            TrySendError::Closed(_) => SendOrderError::NotConnected,
        })
    }

    /// Puts a message into the queue; an agent that leaves its queue full is cut off.
    pub(super) fn offer_or_cut(&self, message: FromCoordinator) {
        match self.offer(message) {
            Ok(()) | Err(SendOrderError::NotConnected) => {}
            Err(SendOrderError::Busy) => self.end(Ending::SlowReader),
            Err(SendOrderError::NotSendable { detail }) => {
                tracing::error!(%detail, "a message to an agent cannot be written; it is dropped");
            }
        }
    }

    /// Ends the stream; the first reason counts.
    pub(super) fn end(&self, why: Ending) {
        self.ending.send_if_modified(|ending| {
            let first = ending.is_none();
            if first {
                *ending = Some(why);
            }
            first
        });
    }

    /// Waits until somebody ends the stream.
    pub(super) async fn ended(&self) -> Ending {
        let mut receiver = self.ending.subscribe();
        match receiver.wait_for(Option::is_some).await {
            Ok(ending) => ending.clone().unwrap_or(Ending::Closed),
            Err(_) => Ending::Closed,
        }
    }

    /// The connection of the stream.
    pub(super) fn connection(&self) -> &ConnectionState {
        &self.connection
    }
}

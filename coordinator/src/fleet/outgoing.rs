//! The bounded way to one agent. The stream's task holds the only strong end: when it ends, every
//! acknowledgement and order handed out before goes nowhere instead of keeping the stream open.

use super::connection::ConnectionState;
use super::handle::SendOrderError;
use super::identity::Denial;
use super::refusal::RefusalKind;
use crate::trust::ReceiptError;
use proto::convert::FromCoordinator;
use proto::v1::CoordinatorMessage;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_stream::Stream;
use tonic::Status;

/// How long a connection stays open so that its agent hears why it is closed.
const LAST_WORDS: Duration = Duration::from_secs(1);

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
    #[error("the receipt of an outcome is refused: {0}")]
    BadReceipt(ReceiptError),
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
    #[error("the agent sends more than {per_sec} messages a second: look for the cause on the host")]
    Flooding { per_sec: u32 },
    #[error("the agent floods its connection: {0}")]
    Frames(String),
    #[error(transparent)]
    Denied(#[from] Denial),
    #[error("the certificate the stream was opened with has run out")]
    CertificateEnded,
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
            Self::Closed | Self::ShuttingDown | Self::CertificateEnded => None,
            Self::Broken(_) | Self::StandsBy => Some(Status::unavailable(text)),
            Self::TooLarge(_) | Self::SlowReader | Self::Flooding { .. } | Self::Frames(_) => {
                Some(Status::resource_exhausted(text))
            }
            Self::Invalid(_) | Self::BadReceipt(_) => Some(Status::invalid_argument(text)),
            Self::NoProtocol { .. } => Some(Status::failed_precondition(text)),
            Self::Duplicate => Some(Status::already_exists(text)),
            Self::Denied(denial) => Some(denial.status()),
            Self::Silent => Some(Status::deadline_exceeded(text)),
            Self::Replaced => Some(Status::aborted(text)),
        }
    }

    /// The kind of refusal, when the agent did something that is refused.
    pub(super) fn refusal(&self) -> Option<RefusalKind> {
        match self {
            Self::TooLarge(_) => Some(RefusalKind::TooLarge),
            Self::Invalid(_) => Some(RefusalKind::Message),
            Self::BadReceipt(_) => Some(RefusalKind::Receipt),
            Self::NoProtocol { .. } => Some(RefusalKind::Protocol),
            Self::Flooding { .. } | Self::Frames(_) => Some(RefusalKind::Flooding),
            Self::SlowReader => Some(RefusalKind::SlowReader),
            Self::Denied(denial) => denial.refusal(),
            // A duplicate is told by an event of its own.
            Self::Duplicate
            | Self::Closed
            | Self::Broken(_)
            | Self::Silent
            | Self::CertificateEnded
            | Self::Replaced
            | Self::ShuttingDown
            | Self::StandsBy => None,
        }
    }

    /// When the whole connection goes down: at once when its agent no longer reacts, a moment later when it should hear
    /// why; `None` when the connection may live on.
    pub(super) fn closes_connection(&self) -> Option<Duration> {
        match self {
            Self::Silent | Self::SlowReader => Some(Duration::ZERO),
            Self::Denied(_) | Self::Flooding { .. } | Self::Frames(_) => Some(LAST_WORDS),
            Self::Closed
            | Self::Broken(_)
            | Self::TooLarge(_)
            | Self::Invalid(_)
            | Self::BadReceipt(_)
            | Self::NoProtocol { .. }
            | Self::Duplicate
            | Self::CertificateEnded
            | Self::Replaced
            | Self::ShuttingDown
            | Self::StandsBy => None,
        }
    }
}

/// The reading end of the queue: what the HTTP/2 layer takes messages from, and counts.
pub(super) struct Outlet {
    items: mpsc::Receiver<Item>,
    taken: Arc<AtomicU64>,
}

impl Stream for Outlet {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Item>> {
        let item = self.items.poll_recv(context);
        if item.is_ready() {
            self.taken.fetch_add(1, Ordering::Relaxed);
        }
        item
    }
}

/// The writing end, held by the stream's task alone; notices messages that wait too long.
pub(super) struct Inlet {
    pub(super) queue: mpsc::Sender<Item>,
    taken: Arc<AtomicU64>,
    taken_then: u64,
    moved_at: Instant,
}

/// A queue of so many messages.
pub(super) fn queue(messages_max: usize) -> (Inlet, Outlet) {
    let (queue, items) = mpsc::channel(messages_max.max(1));
    let taken = Arc::new(AtomicU64::new(0));
    let inlet = Inlet { queue, taken: Arc::clone(&taken), taken_then: 0, moved_at: Instant::now() };
    (inlet, Outlet { items, taken })
}

impl Inlet {
    /// Whether a message has been waiting for `limit` and none was taken in that time. To be asked again and again.
    pub(super) fn stuck(&mut self, limit: Duration, now: Instant) -> bool {
        let taken = self.taken.load(Ordering::Relaxed);
        let empty = self.queue.capacity() == self.queue.max_capacity();
        if empty || taken != self.taken_then {
            (self.taken_then, self.moved_at) = (taken, now);
        }
        now.saturating_duration_since(self.moved_at) >= limit
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

//! One TLS connection: whose it is, when it was opened, and the switch that ends it.

use crate::trust::PeerId;
use model::Wall;
use std::future::Future;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

/// What the outside may know of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionFacts {
    /// Number of the connection, unique in this process.
    pub id: u64,
    /// When its TCP connection was accepted.
    pub opened_at: Wall,
    /// The other end.
    pub remote: SocketAddr,
}

/// Shared state of a connection.
#[derive(Debug)]
pub(super) struct ConnectionState {
    pub(super) facts: ConnectionFacts,
    /// Proven after the handshake; `None` without a client certificate.
    pub(super) peer: Option<PeerId>,
    carried_session: AtomicBool,
    /// What a host without a certificate was asked to sign.
    challenge: Mutex<Option<String>>,
    close: Notify,
}

impl ConnectionState {
    pub(super) fn new(facts: ConnectionFacts, peer: Option<PeerId>) -> Self {
        let (carried_session, challenge) = (AtomicBool::new(false), Mutex::default());
        Self { facts, peer, carried_session, challenge, close: Notify::new() }
    }

    /// Ends the connection, whatever is still under way on it.
    pub(super) fn close(&self) {
        self.close.notify_one();
    }

    /// Keeps what the host is asked to sign; the one before is void.
    pub(super) fn set_challenge(&self, challenge: String) {
        *self.challenge.lock().unwrap_or_else(PoisonError::into_inner) = Some(challenge);
    }

    /// What the host was asked to sign, once.
    pub(super) fn take_challenge(&self) -> Option<String> {
        self.challenge.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Notes that a session runs, or ran, over this connection.
    pub(super) fn mark_session(&self) {
        self.carried_session.store(true, Ordering::SeqCst);
    }

    /// Whether a session ever ran over this connection.
    pub(super) fn carried_session(&self) -> bool {
        self.carried_session.load(Ordering::SeqCst)
    }
}

/// What every request of a connection finds in its extensions.
#[derive(Debug, Clone)]
pub(super) struct ConnectionInfo(pub(super) Arc<ConnectionState>);

type Closing = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The byte stream of a connection.
pub(super) struct PeerStream {
    tls: TlsStream<TcpStream>,
    state: Arc<ConnectionState>,
    /// Ends when the connection is to be closed; `None` after that.
    closing: Option<Closing>,
    /// Held as long as somebody without a certificate is connected.
    _anonymous: Option<OwnedSemaphorePermit>,
}

impl PeerStream {
    /// Wraps a connection; one without a host certificate lives no longer than `anonymous_max`.
    pub(super) fn new(
        tls: TlsStream<TcpStream>,
        state: Arc<ConnectionState>,
        anonymous_max: Duration,
        anonymous: Option<OwnedSemaphorePermit>,
    ) -> Self {
        let switch = Arc::clone(&state);
        let closing: Closing = match state.peer {
            Some(_) => Box::pin(async move { switch.close.notified().await }),
            None => Box::pin(async move {
                // Closed by the switch or by the time: the same.
                let _ = tokio::time::timeout(anonymous_max, switch.close.notified()).await;
            }),
        };
        Self { tls, state, closing: Some(closing), _anonymous: anonymous }
    }

    fn poll_closing(&mut self, context: &mut Context<'_>) -> Poll<Error> {
        if let Some(closing) = &mut self.closing {
            if closing.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.closing = None;
        }
        Poll::Ready(Error::new(ErrorKind::ConnectionAborted, "closed by the coordinator"))
    }
}

impl AsyncRead for PeerStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        if let Poll::Ready(error) = self.poll_closing(context) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.tls).poll_read(context, buffer)
    }
}

impl AsyncWrite for PeerStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.tls).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.tls).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.tls.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.tls).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(context)
    }
}

impl Connected for PeerStream {
    type ConnectInfo = ConnectionInfo;

    fn connect_info(&self) -> ConnectionInfo {
        ConnectionInfo(Arc::clone(&self.state))
    }
}

//! The accept loop: TCP, then TLS in its own task under a limit and a timeout, then the identity.

use super::connection::{ConnectionFacts, ConnectionState, PeerStream};
use super::event::FleetEvent;
use super::refusal::{Refusal, RefusalKind};
use super::settings::FleetSettings;
use super::wall_now;
use crate::trust::{PeerError, PeerId, peer_of};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Pause after a failed accept (no file descriptors, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What every handshake task needs.
struct Door {
    acceptor: TlsAcceptor,
    trust_domain: String,
    settings: FleetSettings,
    next_id: AtomicU64,
    accepted: mpsc::Sender<Result<PeerStream, std::io::Error>>,
    refusals: mpsc::Sender<FleetEvent>,
}

/// Why a connection was dropped before its first request.
#[derive(Debug, thiserror::Error)]
enum DoorError {
    #[error("the TLS handshake took longer than {0:?}")]
    Slow(Duration),
    #[error("the TLS handshake failed: {0}")]
    Handshake(std::io::Error),
    #[error("the peer's certificate is not a host's: {0}")]
    Identity(#[from] PeerError),
}

impl DoorError {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::Slow(_) | Self::Handshake(_) => RefusalKind::Handshake,
            Self::Identity(_) => RefusalKind::Identity,
        }
    }
}

/// The two ends of the accept loop: connections, and what became of those that were dropped.
pub(super) struct Doorway {
    pub(super) accepted: mpsc::Sender<Result<PeerStream, std::io::Error>>,
    pub(super) refusals: mpsc::Sender<FleetEvent>,
}

/// Accepts until `shutdown` turns true.
pub(super) async fn accept_loop(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    trust_domain: String,
    settings: FleetSettings,
    doorway: Doorway,
    mut shutdown: watch::Receiver<bool>,
) {
    let handshakes = Arc::new(Semaphore::new(settings.handshakes_max.max(1)));
    let Doorway { accepted, refusals } = doorway;
    let next_id = AtomicU64::new(1);
    let door = Arc::new(Door { acceptor, trust_domain, settings, next_id, accepted, refusals });
    let accepting = async {
        // The permit comes first: what cannot be served waits in the kernel's queue.
        while let Ok(permit) = Arc::clone(&handshakes).acquire_owned().await {
            match listener.accept().await {
                Ok((tcp, remote)) => {
                    tokio::spawn(Arc::clone(&door).welcome(tcp, remote, permit));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept an agent's connection; trying again");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        _ = shutdown.wait_for(|stop| *stop) => {}
    }
}

impl Door {
    async fn welcome(self: Arc<Self>, tcp: TcpStream, remote: SocketAddr, permit: OwnedSemaphorePermit) {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let facts = ConnectionFacts { id, opened_at: wall_now(), remote };
        let result = self.handshake(tcp).await;
        drop(permit);
        match result {
            Ok((tls, peer)) => {
                let state = Arc::new(ConnectionState::new(facts, peer));
                let stream = PeerStream::new(tls, state, self.settings.anonymous_max);
                // Fails only while the server ends.
                let _ = self.accepted.send(Ok(stream)).await;
            }
            Err(error) => {
                tracing::info!(%remote, %error, "dropped a connection to the agents' port");
                let refusal = Refusal::new(error.kind(), None, remote, &error.to_string());
                // A stranger must not be able to fill the queue of the hosts' events: when it is full the log has it.
                let _ = self.refusals.try_send(FleetEvent::Refused(refusal));
            }
        }
    }

    async fn handshake(&self, tcp: TcpStream) -> Result<(TlsStream<TcpStream>, Option<PeerId>), DoorError> {
        tcp.set_nodelay(true).map_err(DoorError::Handshake)?;
        let limit = self.settings.handshake_timeout;
        let tls = tokio::time::timeout(limit, self.acceptor.accept(tcp))
            .await
            .map_err(|_| DoorError::Slow(limit))?
            .map_err(DoorError::Handshake)?;
        let leaf = tls.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let peer = leaf.map(|leaf| peer_of(leaf, &self.trust_domain)).transpose()?;
        Ok((tls, peer))
    }
}

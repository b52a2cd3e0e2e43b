//! The accept loop: TCP, then TLS in its own task under a limit and a timeout, then the identity.

use super::connection::{ConnectionFacts, ConnectionState, PeerStream};
use super::event::FleetEvent;
use super::refusal::{Refusal, RefusalKind};
use super::settings::FleetSettings;
use super::sources::{Arrival, Sources};
use super::wall_now;
use crate::trust::{PeerError, PeerId, peer_of_chain};
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
    /// Handshakes at once.
    handshakes: Arc<Semaphore>,
    /// Connections without a certificate at once.
    anonymous: Arc<Semaphore>,
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
    #[error("its address has too many connections at the door")]
    Crowded,
    #[error("there are too many connections without a certificate")]
    Anonymous,
}

impl DoorError {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::Slow(_) | Self::Handshake(_) => RefusalKind::Handshake,
            Self::Identity(_) => RefusalKind::Identity,
            Self::Crowded | Self::Anonymous => RefusalKind::Crowded,
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
    let arrivals = Arc::new(Semaphore::new(settings.arrivals_max.max(1)));
    let sources = Sources::new(settings.arrivals_per_source_max, settings.handshakes_per_source_max);
    let handshakes = Arc::new(Semaphore::new(settings.handshakes_max.max(1)));
    let anonymous = Arc::new(Semaphore::new(settings.anonymous_connections_max.max(1)));
    let next_id = AtomicU64::new(1);
    let Doorway { accepted, refusals } = doorway;
    let door = Arc::new(Door {
        acceptor,
        trust_domain,
        settings,
        next_id,
        handshakes,
        anonymous,
        accepted,
        refusals,
    });
    let accepting = async {
        // The permit comes first: what cannot be served waits in the kernel's queue.
        while let Ok(permit) = Arc::clone(&arrivals).acquire_owned().await {
            match listener.accept().await {
                Ok((tcp, remote)) => match sources.arrive(remote.ip()) {
                    Some(arrival) => {
                        tokio::spawn(Arc::clone(&door).welcome(tcp, remote, (permit, arrival)));
                    }
                    None => door.refused(remote, &DoorError::Crowded),
                },
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
    async fn welcome(
        self: Arc<Self>,
        tcp: TcpStream,
        remote: SocketAddr,
        (permit, arrival): (OwnedSemaphorePermit, Arrival),
    ) {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let facts = ConnectionFacts { id, opened_at: wall_now(), remote };
        let result = self.handshake(tcp, &arrival).await;
        drop((permit, arrival));
        match result.and_then(|(tls, peer)| self.stream(tls, peer, facts)) {
            // Fails only while the server ends.
            Ok(stream) => drop(self.accepted.send(Ok(stream)).await),
            Err(error) => self.refused(remote, &error),
        }
    }

    /// A stranger must not be able to fill the queue of the hosts' events: when it is full the log has it.
    fn refused(&self, remote: SocketAddr, error: &DoorError) {
        tracing::info!(%remote, %error, "dropped a connection to the agents' port");
        let refusal = Refusal::new(error.kind(), None, remote, &error.to_string());
        let _ = self.refusals.try_send(FleetEvent::Refused(refusal));
    }

    fn stream(
        &self,
        tls: TlsStream<TcpStream>,
        peer: Option<PeerId>,
        facts: ConnectionFacts,
    ) -> Result<PeerStream, DoorError> {
        let anonymous = match peer {
            Some(_) => None,
            None => Some(Arc::clone(&self.anonymous).try_acquire_owned().map_err(|_| DoorError::Anonymous)?),
        };
        let state = Arc::new(ConnectionState::new(facts, peer));
        Ok(PeerStream::new(tls, state, self.settings.anonymous_max, anonymous))
    }

    async fn handshake(
        &self,
        tcp: TcpStream,
        arrival: &Arrival,
    ) -> Result<(TlsStream<TcpStream>, Option<PeerId>), DoorError> {
        tcp.set_nodelay(true).map_err(DoorError::Handshake)?;
        let limit = self.settings.handshake_timeout;
        let slow = |_| DoorError::Slow(limit);
        // Its own address first, so that those who wait for it take no turn of others. Neither semaphore is ever closed.
        let waiting = async { (arrival.handshakes.acquire().await, self.handshakes.acquire().await) };
        let _turns = tokio::time::timeout(limit, waiting).await.map_err(slow)?;
        let tls = tokio::time::timeout(limit, self.acceptor.accept(tcp))
            .await
            .map_err(slow)?
            .map_err(DoorError::Handshake)?;
        let chain = tls.get_ref().1.peer_certificates();
        let peer = chain.map(|chain| peer_of_chain(chain, &self.trust_domain)).transpose()?;
        Ok((tls, peer))
    }
}

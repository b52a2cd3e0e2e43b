//! Puts the parts of the fleet together, starts them, and ends them.

use super::accept::{Doorway, accept_loop};
use super::connection::PeerStream;
use super::event::FleetEvent;
use super::gate::Gate;
use super::handle::FleetHandle;
use super::identity::Identities;
use super::pace::Bucket;
use super::registry::Registry;
use super::service::{AgentService, ConfirmDecider, Shared};
use super::settings::FleetSettings;
use super::tls::{TlsSetupError, server_config};
use crate::trust::{Authority, OrderKey, ServerCertificate};
use proto::MESSAGE_BYTES_MAX;
use proto::v1::agent_server::AgentServer;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;

/// Accepted connections that wait for the server.
const ACCEPTED_MAX: usize = 64;
/// Calls at once on one connection.
const STREAMS_PER_CONNECTION_MAX: u32 = 8;
/// HTTP/2 window in bytes: what a peer may send before it is read.
const WINDOW_BYTES: u32 = 64 * 1024;
/// Largest HTTP/2 frame in bytes.
const FRAME_BYTES_MAX: u32 = 16 * 1024;
/// Header bytes of one call.
const HEADER_BYTES_MAX: u32 = 8 * 1024;
/// Calls that a peer opened and took back before they were looked at; more end the connection.
const RESET_CALLS_MAX: usize = 32;
/// HTTP/2 ping on a quiet connection, so that a dead one is noticed.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// Longest wait for the answer to a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Why the agents' port cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// TLS cannot be set up.
    #[error("the agents' port cannot be served: {0}")]
    Tls(#[from] TlsSetupError),
    /// The listener is not usable.
    #[error("the agents' port cannot be served: {0}")]
    Listener(#[from] std::io::Error),
}

/// What the fleet is given.
pub struct FleetParts {
    /// Signs and verifies hosts.
    pub authority: Arc<Authority>,
    /// Signs orders; hosts learn its public half when they enrol.
    pub order_key: Arc<OrderKey>,
    /// The coordinator's own certificate.
    pub certificate: ServerCertificate,
    /// Says who may speak.
    pub identities: Arc<dyn Identities>,
    /// Decides about confirm requests.
    pub confirm: Arc<dyn ConfirmDecider>,
    /// Whether this coordinator leads: only then it takes streams and answers questions of hosts.
    pub leads: watch::Receiver<bool>,
}

/// The running server.
pub struct FleetServer {
    local_address: SocketAddr,
    shutdown: watch::Sender<bool>,
    grace: Duration,
    serving: JoinHandle<Result<(), tonic::transport::Error>>,
    accepting: JoinHandle<()>,
}

/// Starts serving agents on `listener`. Must be called within the async runtime.
pub fn start(
    listener: TcpListener,
    settings: FleetSettings,
    parts: FleetParts,
) -> Result<(FleetServer, FleetHandle, mpsc::Receiver<FleetEvent>), FleetError> {
    let FleetParts { authority, order_key, certificate, identities, confirm, leads } = parts;
    let local_address = listener.local_addr()?;
    let acceptor = TlsAcceptor::from(server_config(&authority, certificate)?);
    let trust_domain = authority.trust_domain().to_owned();
    let registry = Arc::new(Registry::default());
    let (events, event_receiver) = mpsc::channel(settings.events_max.max(1));
    let (shutdown, stop) = watch::channel(false);
    let (accepted, connections) = mpsc::channel(ACCEPTED_MAX);
    let grace = settings.shutdown_grace;
    let doorway = Doorway { accepted, refusals: events.clone() };
    let shared = Arc::new(Shared {
        registry: Arc::clone(&registry),
        settings: settings.clone(),
        events,
        shutdown: stop.clone(),
        authority,
        order_key,
        identities,
        confirm,
        leads,
        enrolments: Semaphore::new(settings.enrolments_max.max(1)),
        enrolment_budget: Mutex::new(Bucket::new(
            settings.enrolments_per_sec,
            settings.enrolments_burst,
            Instant::now(),
        )),
        sessions: AtomicU64::new(1),
    });
    let accepting =
        tokio::spawn(accept_loop(listener, acceptor, trust_domain, settings, doorway, stop.clone()));
    let serving = tokio::spawn(serve(shared, connections, stop));
    let server = FleetServer { local_address, shutdown, grace, serving, accepting };
    Ok((server, FleetHandle::new(registry), event_receiver))
}

async fn serve(
    shared: Arc<Shared>,
    connections: mpsc::Receiver<Result<PeerStream, std::io::Error>>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), tonic::transport::Error> {
    let gated = Arc::clone(&shared);
    let service = AgentServer::new(AgentService(shared))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    Server::builder()
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .http2_max_pending_accept_reset_streams(Some(RESET_CALLS_MAX))
        .http2_keepalive_interval(Some(PING_INTERVAL))
        .http2_keepalive_timeout(Some(PING_TIMEOUT))
        .add_service(Gate::new(service, gated))
        .serve_with_incoming_shutdown(ReceiverStream::new(connections), async move {
            // An error means that the server's handle is gone: the same.
            let _ = stop.wait_for(|stop| *stop).await;
        })
        .await
}

impl FleetServer {
    /// The address agents connect to.
    pub fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    /// Says goodbye to every host, then ends all streams; waits no longer than the grace time.
    pub async fn shutdown(self) {
        let Self { local_address: _, shutdown, grace, mut serving, accepting } = self;
        shutdown.send_replace(true);
        match tokio::time::timeout(grace, &mut serving).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "the agents' port ended with an error"),
            Ok(Err(error)) => tracing::error!(%error, "the agents' port failed"),
            Err(_) => {
                tracing::warn!("some agents did not leave in time; their connections end with the process");
                serving.abort();
            }
        }
        accepting.abort();
    }
}

//! The evil coordinator's server: speaks to the real agent over TLS with whatever certificate it is given, says what it is
//! told to say, and keeps what the agent answers. Must not know a single attack.

use crate::wire::{self, Identity};
use anyhow::{Context as _, Result};
use proto::v1;
use proto::v1::agent_server::{Agent, AgentServer};
use proto::v1::coordinator_message::Message;
use rustls::pki_types::CertificateDer;
use std::io::{IoSlice, Result as IoResult};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status, Streaming};

/// Messages that wait for the agent, and connections that wait for the server.
const QUEUE: usize = 64;
/// Time between heartbeats that the agent is told, in milliseconds.
const HEARTBEAT_MS: u32 = 500;

type Answer = Result<v1::CoordinatorMessage, Status>;

/// What the server and its calls share.
struct Shared {
    /// What the agent hears first.
    first: Message,
    /// The newest stream to the agent.
    to_agent: Mutex<Option<mpsc::Sender<Answer>>>,
    from_agent: mpsc::Sender<v1::AgentMessage>,
    /// What a host gets that recovers its certificate.
    recovered: Mutex<v1::RecoverResponse>,
    sessions: AtomicUsize,
    confirms: AtomicUsize,
}

struct Service(Arc<Shared>);

#[tonic::async_trait]
impl Agent for Service {
    type SessionStream = ReceiverStream<Answer>;

    async fn enrol(&self, _: Request<v1::EnrolRequest>) -> Result<Response<v1::EnrolResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn renew(&self, _: Request<v1::RenewRequest>) -> Result<Response<v1::RenewResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    /// Any answer to the challenge will do.
    async fn recover(
        &self,
        request: Request<v1::RecoverRequest>,
    ) -> Result<Response<v1::RecoverResponse>, Status> {
        if request.into_inner().csr_pem.is_empty() {
            let challenge = "sign this".to_owned();
            return Ok(Response::new(v1::RecoverResponse { challenge, ..v1::RecoverResponse::default() }));
        }
        let answer = self.0.recovered.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Response::new(answer))
    }

    async fn session(
        &self,
        request: Request<Streaming<v1::AgentMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let shared = Arc::clone(&self.0);
        let (to_agent, answers) = mpsc::channel(QUEUE);
        let first = v1::CoordinatorMessage { message: Some(shared.first.clone()) };
        to_agent.send(Ok(first)).await.map_err(|_| Status::internal("the queue is new"))?;
        *shared.to_agent.lock().unwrap_or_else(PoisonError::into_inner) = Some(to_agent);
        shared.sessions.fetch_add(1, Ordering::SeqCst);
        let mut inbound = request.into_inner();
        tokio::spawn(async move {
            while let Ok(Some(message)) = inbound.message().await {
                if shared.from_agent.send(message).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(answers)))
    }

    /// Whatever the agent asks, the change stands.
    async fn confirm(&self, _: Request<v1::ConfirmRequest>) -> Result<Response<v1::ConfirmResponse>, Status> {
        self.0.confirms.fetch_add(1, Ordering::SeqCst);
        let verdict = v1::confirm_response::Verdict::Confirmed(v1::Confirmed {});
        Ok(Response::new(v1::ConfirmResponse { verdict: Some(verdict) }))
    }
}

/// The usual first message.
pub fn welcome() -> Message {
    Message::Welcome(v1::Welcome { protocol: 1, heartbeat_ms: HEARTBEAT_MS })
}

/// A running evil coordinator; it ends when it is dropped.
pub struct EvilServer {
    runtime: Runtime,
    shared: Arc<Shared>,
    from_agent: mpsc::Receiver<v1::AgentMessage>,
}

impl EvilServer {
    /// Listens on the coordinator's port.
    pub fn start(
        port: u16,
        trusted: &CertificateDer<'static>,
        identity: &Identity,
        first: Message,
    ) -> Result<Self> {
        let acceptor = TlsAcceptor::from(wire::server(trusted, identity)?);
        let (sender, from_agent) = mpsc::channel(QUEUE);
        let shared = Arc::new(Shared {
            first,
            to_agent: Mutex::new(None),
            from_agent: sender,
            recovered: Mutex::default(),
            sessions: AtomicUsize::new(0),
            confirms: AtomicUsize::new(0),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", port)));
        let listener = listener.context("the coordinator's port is not free")?;
        let (accepted, connections) = mpsc::channel(QUEUE);
        runtime.spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (acceptor, accepted) = (acceptor.clone(), accepted.clone());
                tokio::spawn(async move {
                    // A handshake that the agent breaks off is what some attacks are about.
                    if let Ok(tls) = acceptor.accept(tcp).await {
                        let _ended = accepted.send(Ok::<_, std::io::Error>(Pipe(tls))).await;
                    }
                });
            }
        });
        let service = AgentServer::new(Service(Arc::clone(&shared)));
        runtime.spawn(
            Server::builder().add_service(service).serve_with_incoming(ReceiverStream::new(connections)),
        );
        Ok(Self { runtime, shared, from_agent })
    }

    /// A host that recovers its certificate gets this one, and must count so.
    pub fn recovers(&self, certificate_pem: String, join_count: u64) {
        let answer = v1::RecoverResponse { certificate_pem, join_count, ..v1::RecoverResponse::default() };
        *self.shared.recovered.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// Streams that the agent opened.
    pub fn sessions(&self) -> usize {
        self.shared.sessions.load(Ordering::SeqCst)
    }

    /// Confirmations that the agent asked for.
    pub fn confirms(&self) -> usize {
        self.shared.confirms.load(Ordering::SeqCst)
    }

    /// Says something to the agent over its newest stream; waits for one.
    pub fn say(&mut self, message: Option<Message>, limit: Duration) -> Result<()> {
        let until = Instant::now() + limit;
        loop {
            let to_agent = self.shared.to_agent.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(to_agent) = to_agent {
                let wire = v1::CoordinatorMessage { message: message.clone() };
                if self.runtime.block_on(to_agent.send(Ok(wire))).is_ok() {
                    return Ok(());
                }
            }
            anyhow::ensure!(Instant::now() < until, "the agent has no stream to the evil coordinator");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The next message of the agent that means something to `look`.
    pub fn hear<T>(
        &mut self,
        limit: Duration,
        mut look: impl FnMut(v1::AgentMessage) -> Option<T>,
    ) -> Option<T> {
        let from_agent = &mut self.from_agent;
        self.runtime.block_on(async {
            let hearing = async {
                loop {
                    let found = look(from_agent.recv().await?);
                    if found.is_some() {
                        return found;
                    }
                }
            };
            tokio::time::timeout(limit, hearing).await.ok().flatten()
        })
    }

    /// Ends it: the port is free afterwards.
    pub fn stop(self) {
        self.runtime.shutdown_timeout(Duration::from_secs(5));
    }
}

/// A TLS connection as the server wants it.
struct Pipe(TlsStream<TcpStream>);

impl Connected for Pipe {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<IoResult<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<IoResult<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<IoResult<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<IoResult<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<IoResult<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

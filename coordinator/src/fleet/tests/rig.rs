//! A running fleet on a loopback port and a test agent that speaks real TLS and gRPC to it.

use crate::fleet::*;
use crate::trust::memory::MemoryTokens;
use crate::trust::{Authority, Token, crypto, issue_token};
use hyper_util::rt::TokioIo;
use model::{ApplyPhase, BootId, ChangeId, Generation, HostId, Millis, ObservedNetwork, Order, Wall};
use proto::convert::{FromAgent, FromCoordinator, HeartbeatReport};
use proto::v1;
use proto::v1::agent_client::AgentClient;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, Streaming};

/// No wait of a test is longer.
const LIMIT: Duration = Duration::from_secs(20);

/// What the coordinator may send before the test agent reads, in bytes.
const WINDOW_BYTES: u32 = 64 * 1024;

/// The value of `future`, or a failed test.
#[track_caller]
pub fn within<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let place = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(LIMIT, future).await {
            Ok(value) => value,
            Err(_) => panic!("nothing happened at {place}"),
        }
    }
}

pub fn host(name: &str) -> HostId {
    HostId::new(name).unwrap()
}

pub fn change() -> ChangeId {
    ChangeId::new("change-1").unwrap()
}

/// A decider that gives one answer and keeps what it was asked.
pub struct OneVerdict {
    pub verdict: Result<Verdict, Undecided>,
    pub asked: Mutex<Vec<ConfirmAttempt>>,
}

impl ConfirmDecider for OneVerdict {
    fn decide(&self, attempt: ConfirmAttempt) -> ConfirmFuture<'_> {
        self.asked.lock().unwrap().push(attempt);
        Box::pin(std::future::ready(self.verdict.clone()))
    }
}

/// A fleet with everything around it.
pub struct Rig {
    _dir: tempfile::TempDir,
    pub authority: Arc<Authority>,
    pub tokens: Arc<MemoryTokens>,
    pub confirm: Arc<OneVerdict>,
    /// Whether this coordinator leads.
    pub leads: watch::Sender<bool>,
    pub server: FleetServer,
    pub fleet: FleetHandle,
    pub events: mpsc::Receiver<FleetEvent>,
    pub address: SocketAddr,
}

impl Rig {
    pub async fn start(settings: FleetSettings) -> Self {
        Self::start_with(settings, Ok(Verdict::Confirmed)).await
    }

    pub async fn start_with(settings: FleetSettings, verdict: Result<Verdict, Undecided>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Arc::new(Authority::create(dir.path(), "pointsman.test", wall_now()).unwrap());
        let tokens = Arc::new(MemoryTokens::default());
        let confirm = Arc::new(OneVerdict { verdict, asked: Mutex::default() });
        let (leads, leading) = watch::channel(true);
        let parts = FleetParts {
            authority: Arc::clone(&authority),
            certificate: authority.issue_server(&["127.0.0.1".into()], wall_now()).unwrap(),
            tokens: tokens.clone(),
            confirm: confirm.clone(),
            leads: leading,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (server, fleet, events) = start(listener, settings, parts).unwrap();
        let address = server.local_address();
        Self { _dir: dir, authority, tokens, confirm, leads, server, fleet, events, address }
    }

    pub async fn event(&mut self) -> FleetEvent {
        within(self.events.recv()).await.unwrap()
    }

    pub async fn token(&self, name: &str) -> Token {
        issue_token(self.tokens.as_ref(), host(name), wall_now(), Millis(60_000)).await.unwrap()
    }

    /// A connection with a certificate of this rig's authority.
    pub async fn dial(&self, name: &str) -> AgentClient<Channel> {
        let identity = Identity::signed_by(&self.authority, name, wall_now());
        client(self.address, &self.authority, Some(&identity)).await.unwrap()
    }

    /// An agent with an open stream: hello said, welcome and event received.
    pub async fn agent(&mut self, name: &str, instance: &str) -> TestAgent {
        let mut agent = TestAgent::open(self.dial(name).await, instance).await.unwrap();
        assert!(matches!(agent.next().await, FromCoordinator::Welcome { protocol: 1, .. }));
        assert!(matches!(self.event().await, FleetEvent::Connected { host, .. } if host.as_str() == name));
        agent
    }
}

/// A host's key and certificate.
pub struct Identity {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

/// A key and the request for its certificate.
pub fn request() -> (KeyPair, String) {
    let key = KeyPair::generate().unwrap();
    let request = CertificateParams::default().serialize_request(&key).unwrap();
    (key, request.pem().unwrap())
}

impl Identity {
    pub fn new(certificate_pem: &str, key: &KeyPair) -> Self {
        let certificate = CertificateDer::from_pem_slice(certificate_pem.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        Self { chain: vec![certificate], key }
    }

    pub fn signed_by(authority: &Authority, name: &str, at: Wall) -> Self {
        let (key, csr) = request();
        Self::new(&authority.sign_host_csr(&csr, &host(name), at).unwrap(), &key)
    }
}

fn client_config(trusted: &Authority, identity: Option<&Identity>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.certificate_der().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(crypto())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        Some(identity) => {
            builder.with_client_auth_cert(identity.chain.clone(), identity.key.clone_key()).unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// One TLS connection without gRPC.
pub async fn tls(
    address: SocketAddr,
    trusted: &Authority,
    identity: Option<&Identity>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let connector = TlsConnector::from(Arc::new(client_config(trusted, identity)));
    let tcp = TcpStream::connect(address).await?;
    connector.connect(ServerName::from(address.ip()), tcp).await
}

/// Gives out one connection, once.
struct Once(Option<TlsStream<TcpStream>>);

impl tower::Service<http::Uri> for Once {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = std::io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Uri) -> Self::Future {
        let stream = self.0.take().ok_or_else(|| std::io::Error::other("the connection is gone"));
        Box::pin(std::future::ready(stream.map(TokioIo::new)))
    }
}

/// A gRPC client over exactly one connection.
pub async fn client(
    address: SocketAddr,
    trusted: &Authority,
    identity: Option<&Identity>,
) -> Result<AgentClient<Channel>, String> {
    let stream = within(tls(address, trusted, identity)).await.map_err(|error| error.to_string())?;
    let endpoint = Endpoint::from_static("http://coordinator")
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES);
    let channel = within(endpoint.connect_with_connector(Once(Some(stream))));
    Ok(AgentClient::new(channel.await.map_err(|error| error.to_string())?))
}

/// An agent's end of a stream.
pub struct TestAgent {
    pub client: AgentClient<Channel>,
    pub outgoing: mpsc::Sender<v1::AgentMessage>,
    pub incoming: Streaming<v1::CoordinatorMessage>,
}

pub fn hello(instance: &str) -> AgentHello {
    AgentHello {
        protocol_min: 1,
        protocol_max: 1,
        agent_version: "0.1.0-test".into(),
        boot_id: BootId("boot".into()),
        instance_id: instance.into(),
        held_generation: Generation(4),
        committed_generation: Generation(3),
        open_change: None,
        phase: ApplyPhase::Idle,
    }
}

impl TestAgent {
    pub async fn open(client: AgentClient<Channel>, instance: &str) -> Result<Self, Status> {
        Self::open_with(client, FromAgent::Hello(hello(instance))).await
    }

    pub async fn open_with(mut client: AgentClient<Channel>, first: FromAgent) -> Result<Self, Status> {
        let (outgoing, messages) = mpsc::channel(4);
        let incoming = within(client.session(ReceiverStream::new(messages))).await?.into_inner();
        let agent = Self { client, outgoing, incoming };
        agent.say(first).await;
        Ok(agent)
    }

    pub async fn say(&self, message: FromAgent) {
        within(self.outgoing.send(message.try_into().unwrap())).await.unwrap();
    }

    pub async fn beat(&self, sequence: u64) {
        self.say(FromAgent::Heartbeat(HeartbeatReport {
            sequence,
            phase: ApplyPhase::Verifying,
            committed_generation: Generation(5),
            drift: true,
            observation_hash: "feed".into(),
            rss_bytes: 3_700_000,
        }))
        .await;
    }

    pub async fn next(&mut self) -> FromCoordinator {
        let message = within(self.incoming.message()).await.unwrap().unwrap();
        FromCoordinator::try_from(message).unwrap()
    }

    /// The end of the stream: `None` for a plain one.
    pub async fn end(&mut self) -> Option<Status> {
        loop {
            match within(self.incoming.message()).await {
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(status) => return Some(status),
            }
        }
    }
}

pub fn order(name: &str, generation: u64) -> Order {
    Order {
        host: host(name),
        change: change(),
        generation: Generation(generation),
        commit: "c0ffee".into(),
        desired: serde_json::from_str("{}").unwrap(),
        plan_digest: model::PlanDigest("ab".into()),
        disruption_allowed: model::Disruption::None,
        confirm_timeout: Millis(60_000),
        probes: model::ProbePlan::default(),
    }
}

pub fn observed() -> ObservedNetwork {
    use model::Known;
    ObservedNetwork {
        taken_at: Wall(1),
        facts: model::HostFacts::default(),
        management_vmk: Known::Read(None),
        vswitches: Known::unreadable("not asked"),
        port_groups: Known::unreadable("not asked"),
        vmkernels: Known::unreadable("not asked"),
        nics: Known::unreadable("not asked"),
        netstacks: Known::unreadable("not asked"),
        vms: Known::unreadable("not asked"),
        dvs: Known::unreadable("not asked"),
    }
}

//! A running fleet on a loopback port and a test agent that speaks real TLS and gRPC to it.

use crate::fleet::*;
use crate::store::Db;
use crate::store::identities::{self, Binding};
use crate::store::tokens::{self, NewToken};
use crate::tasks::identities::StoredIdentities;
use crate::trust::{
    Authority, AuthorityFiles, HostCertificate, OrderKey, Token, TokenKey, crypto, peer_of_chain,
};
use hyper_util::rt::TokioIo;
use model::{
    ApplyOutcome, ApplyPhase, BootId, ChangeId, Generation, HostId, Millis, ObservedNetwork, Order, Wall,
};
use proto::convert::{FromAgent, FromCoordinator, HeartbeatReport, OutcomeReport};
use proto::v1;
use proto::v1::agent_client::AgentClient;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::collections::BTreeMap;
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
    dir: tempfile::TempDir,
    pub authority: Arc<Authority>,
    pub order_key: Arc<OrderKey>,
    pub db: Db,
    token_key: TokenKey,
    pub confirm: Arc<OneVerdict>,
    /// Whether this coordinator leads.
    pub leads: watch::Sender<bool>,
    pub server: FleetServer,
    pub fleet: FleetHandle,
    pub events: mpsc::Receiver<FleetEvent>,
    pub address: SocketAddr,
    known: Mutex<BTreeMap<String, Identity>>,
}

/// A token for a host, to be changed as needed.
pub fn token_for(name: &str) -> NewToken {
    NewToken {
        hash: String::new(),
        host: Some(host(name)),
        system_uuid: None,
        group: None,
        expires: wall_now().plus(Millis(60_000)),
        created_by: "test".into(),
        created: wall_now(),
        needs_approval: true,
    }
}

impl Rig {
    pub async fn start(settings: FleetSettings) -> Self {
        Self::start_with(settings, Ok(Verdict::Confirmed)).await
    }

    pub async fn start_with(settings: FleetSettings, verdict: Result<Verdict, Undecided>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = AuthorityFiles::new(&dir.path().join("ca"), None);
        let authority = Arc::new(files.create("pointsman.test", None, wall_now()).unwrap());
        let token_key = files.token_key().unwrap();
        let db = Db::open(&format!("sqlite://{}", dir.path().join("p.db").display())).await.unwrap();
        let confirm = Arc::new(OneVerdict { verdict, asked: Mutex::default() });
        let order_key = Arc::new(files.order_key(&dir.path().join("order.key")).unwrap());
        let (leads, leading) = watch::channel(true);
        let parts = FleetParts {
            authority: Arc::clone(&authority),
            order_key: Arc::clone(&order_key),
            certificate: authority.issue_server(&["127.0.0.1".into()], wall_now()).unwrap(),
            identities: Arc::new(StoredIdentities::new(db.clone(), token_key.clone())),
            confirm: confirm.clone(),
            leads: leading,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (server, fleet, events) = start(listener, settings, parts).unwrap();
        let address = server.local_address();
        Self {
            dir,
            authority,
            order_key,
            db,
            token_key,
            confirm,
            leads,
            server,
            fleet,
            events,
            address,
            known: Mutex::default(),
        }
    }

    /// The next event that is no refusal.
    pub async fn event(&mut self) -> FleetEvent {
        loop {
            match within(self.events.recv()).await.unwrap() {
                FleetEvent::Refused(_) => {}
                event => return event,
            }
        }
    }

    /// The next refusal; other events are passed over.
    pub async fn refusal(&mut self) -> Refusal {
        loop {
            if let FleetEvent::Refused(refusal) = within(self.events.recv()).await.unwrap() {
                return refusal;
            }
        }
    }

    /// A token for a host that needs no approval.
    pub async fn token(&self, name: &str) -> Token {
        self.token_like(NewToken { needs_approval: false, ..token_for(name) }).await
    }

    /// A token like this one.
    pub async fn token_like(&self, new: NewToken) -> Token {
        let token = Token::generate(&self.authority.fingerprint()).unwrap();
        let mut tx = self.db.begin().await.unwrap();
        tokens::create(&mut tx, &NewToken { hash: self.token_key.hash(&token).0, ..new }).await.unwrap();
        tx.commit().await.unwrap();
        token
    }

    /// The host is enrolled with the key of this identity.
    pub async fn bind(&self, name: &str, identity: &Identity) {
        let peer = peer_of_chain(&identity.chain, self.authority.trust_domain()).unwrap();
        let binding = Binding { host: &host(name), key: &peer.key, system_uuid: None, group: None };
        let mut tx = self.db.begin().await.unwrap();
        identities::bind(&mut tx, &binding, wall_now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// The same authority once more.
    pub fn reopened_authority(&self) -> Authority {
        Authority::open(&self.dir.path().join("ca")).unwrap()
    }

    /// Actions of the audit trail, newest first.
    pub async fn audited(&self) -> Vec<String> {
        let entries = crate::store::audit::list(&self.db, 100).await.unwrap();
        entries.into_iter().map(|entry| entry.action).collect()
    }

    /// A connection of an enrolled host.
    pub async fn dial(&self, name: &str) -> AgentClient<Channel> {
        let identity = self.identity(name).await;
        self.dial_as(&identity).await
    }

    /// The identity of a host: made and enrolled at the first call.
    pub async fn identity(&self, name: &str) -> Identity {
        let known = self.known.lock().unwrap().get(name).cloned();
        if let Some(identity) = known {
            return identity;
        }
        let identity = Identity::signed_by(&self.authority, name, wall_now());
        self.bind(name, &identity).await;
        self.known.lock().unwrap().insert(name.to_owned(), identity.clone());
        identity
    }

    /// A connection with this identity.
    pub async fn dial_as(&self, identity: &Identity) -> AgentClient<Channel> {
        client(self.address, &self.authority, Some(identity)).await.unwrap()
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

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

impl Identity {
    pub fn new(chain_pem: &str, key: &KeyPair) -> Self {
        let chain = CertificateDer::pem_slice_iter(chain_pem.as_bytes()).map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        Self { chain, key }
    }

    pub fn signed_by(authority: &Authority, name: &str, at: Wall) -> Self {
        let (key, csr) = request();
        let HostCertificate { chain_pem, .. } = authority.sign_host_csr(&csr, &host(name), at).unwrap();
        Self::new(&chain_pem, &key)
    }
}

impl Identity {
    /// The end of an order, signed as this host.
    pub fn outcome(&self, outcome: ApplyOutcome) -> FromAgent {
        let mut report = OutcomeReport::new(outcome).unwrap();
        let key = crypto().key_provider.load_private_key(self.key.clone_key()).unwrap();
        let signer = key.choose_scheme(&[rustls::SignatureScheme::ECDSA_NISTP256_SHA256]).unwrap();
        report.receipt = signer.sign(&proto::receipt_message(&report.json)).unwrap();
        FromAgent::Outcome(Box::new(report))
    }
}

pub fn client_config(trusted: &Authority, identity: Option<&Identity>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.root_der().clone()).unwrap();
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
    tls_with(address, Arc::new(client_config(trusted, identity))).await
}

/// One TLS connection with this configuration.
pub async fn tls_with(
    address: SocketAddr,
    config: Arc<ClientConfig>,
) -> std::io::Result<TlsStream<TcpStream>> {
    tls_over(TcpStream::connect(address).await?, address, config).await
}

/// TLS over a connection that stands.
pub async fn tls_over(
    tcp: TcpStream,
    address: SocketAddr,
    config: Arc<ClientConfig>,
) -> std::io::Result<TlsStream<TcpStream>> {
    TlsConnector::from(config).connect(ServerName::from(address.ip()), tcp).await
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
        system_uuid: String::new(),
        approver_set_version: 0,
        approval_mode: model::ApprovalMode::Off,
    }
}

pub fn beat(sequence: u64) -> HeartbeatReport {
    HeartbeatReport {
        sequence,
        phase: ApplyPhase::Verifying,
        committed_generation: Generation(5),
        drift: true,
        observation_hash: "feed".into(),
        rss_bytes: 3_700_000,
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
        self.say(FromAgent::Heartbeat(beat(sequence))).await;
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

/// The order as it travels, without a proof.
pub fn offered(order: Order) -> OfferedOrder {
    OfferedOrder::without_proof(&order).unwrap()
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

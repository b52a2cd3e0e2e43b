//! The three calls of an agent. Session and Confirm need a host certificate; the host is always
//! the one the certificate names, never one from a message.

use super::connection::{ConnectionFacts, ConnectionInfo, ConnectionState};
use super::event::FleetEvent;
use super::outgoing::{Ending, Item};
use super::registry::Registry;
use super::session::Session;
use super::settings::FleetSettings;
use super::wall_now;
use crate::trust::{Authority, PeerId, Token, TokenRefusal, TokenStore, redeem_token};
use model::{ChangeId, Generation, HostId, PlanDigest};
use proto::convert::{ConfirmQuestion, EnrolAnswer, EnrolQuestion, Verdict};
use proto::v1;
use proto::v1::agent_server::Agent;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// A host asks, over a connection of its own, whether its applied change stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmAttempt {
    /// The host, from its certificate.
    pub host: HostId,
    /// The change.
    pub change: ChangeId,
    /// The generation of the order.
    pub generation: Generation,
    /// Digest of the plan that was applied.
    pub plan_digest: PlanDigest,
    /// The connection the question came over: not the one of the host's stream. Compare
    /// `opened_at` with when the order went out: an older connection proves nothing.
    pub connection: ConnectionFacts,
}

/// No verdict now: the host asks again, and rolls back by itself when its time is up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no verdict now: {0}")]
pub struct Undecided(pub String);

/// The future of a verdict.
pub type ConfirmFuture<'a> = Pin<Box<dyn Future<Output = Result<Verdict, Undecided>> + Send + 'a>>;

/// Decides about confirm requests. Supplied by the composition root.
pub trait ConfirmDecider: Send + Sync {
    /// Whether the change stands.
    fn decide(&self, attempt: ConfirmAttempt) -> ConfirmFuture<'_>;
}

/// What calls and streams share.
pub(super) struct Shared {
    pub(super) registry: Arc<Registry>,
    pub(super) settings: FleetSettings,
    pub(super) events: mpsc::Sender<FleetEvent>,
    pub(super) shutdown: watch::Receiver<bool>,
    pub(super) authority: Arc<Authority>,
    pub(super) tokens: Arc<dyn TokenStore>,
    pub(super) confirm: Arc<dyn ConfirmDecider>,
    pub(super) leads: watch::Receiver<bool>,
    pub(super) enrolments: Semaphore,
    pub(super) sessions: AtomicU64,
}

impl Shared {
    /// Refuses hosts while another coordinator leads: they try the next address.
    fn leads(&self) -> Result<(), Status> {
        if *self.leads.borrow() { Ok(()) } else { Err(Status::unavailable(Ending::StandsBy.to_string())) }
    }

    /// Waits until another coordinator leads.
    pub(super) async fn stands_by(&self) {
        let mut leads = self.leads.clone();
        if leads.wait_for(|leads| !*leads).await.is_err() {
            // Nobody decides about it any more: the coordinator ends, which streams hear otherwise.
            std::future::pending::<()>().await;
        }
    }

    /// The number of the next stream.
    pub(super) fn next_session(&self) -> u64 {
        self.sessions.fetch_add(1, Ordering::Relaxed)
    }
}

/// The gRPC service.
pub(super) struct AgentService(pub(super) Arc<Shared>);

fn connection_of<T>(request: &Request<T>) -> Result<Arc<ConnectionState>, Status> {
    request
        .extensions()
        .get::<ConnectionInfo>()
        .map(|ConnectionInfo(state)| Arc::clone(state))
        .ok_or_else(|| Status::internal("the connection is unknown"))
}

fn peer_of(connection: &ConnectionState) -> Result<&PeerId, Status> {
    connection
        .peer
        .as_ref()
        .ok_or_else(|| Status::unauthenticated("this call needs a host certificate: enrol the host first"))
}

/// One answer for every refused token, so that nobody learns which tokens exist.
fn refused(host: &HostId, refusal: &TokenRefusal) -> Status {
    tracing::warn!(%host, %refusal, "enrolment refused");
    match refusal {
        TokenRefusal::Store(_) => Status::unavailable("tokens cannot be checked now: try again"),
        TokenRefusal::UnknownOrUsed | TokenRefusal::Expired | TokenRefusal::OtherHost { .. } => {
            Status::unauthenticated("the token is not valid for this host: make a new one on the coordinator")
        }
    }
}

#[tonic::async_trait]
impl Agent for AgentService {
    type SessionStream = ReceiverStream<Item>;

    async fn enrol(&self, request: Request<v1::EnrolRequest>) -> Result<Response<v1::EnrolResponse>, Status> {
        let shared = &self.0;
        let _permit = shared
            .enrolments
            .try_acquire()
            .map_err(|_| Status::resource_exhausted("too many hosts enrol at once: try again"))?;
        let remote = connection_of(&request)?.facts.remote;
        let EnrolQuestion { token, host, csr_pem } = request
            .into_inner()
            .try_into()
            .map_err(|error: proto::convert::WireError| Status::invalid_argument(error.to_string()))?;
        // Before the token: a bad request should not cost it.
        Authority::check_host_csr(&csr_pem, &host)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let now = wall_now();
        redeem_token(shared.tokens.as_ref(), &Token::presented(&token), &host, now)
            .await
            .map_err(|refusal| refused(&host, &refusal))?;
        let certificate_pem = shared
            .authority
            .sign_host_csr(&csr_pem, &host, now)
            .map_err(|error| Status::internal(error.to_string()))?;
        tracing::info!(%host, %remote, "host enrolled");
        shared
            .events
            .send(FleetEvent::Enrolled { host, remote })
            .await
            .map_err(|_| Status::unavailable("the coordinator shuts down"))?;
        let ca_pem = shared.authority.certificate_pem().to_owned();
        Ok(Response::new(EnrolAnswer { certificate_pem, ca_pem }.into()))
    }

    async fn session(
        &self,
        request: Request<Streaming<v1::AgentMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let connection = connection_of(&request)?;
        let peer = peer_of(&connection)?.clone();
        self.0.leads()?;
        connection.mark_session();
        let (queue, items) = mpsc::channel(self.0.settings.outgoing_max.max(1));
        let session = Session::new(Arc::clone(&self.0), peer, connection, request.into_inner(), queue);
        // Answer at once: an agent may wait for the answer before it says hello.
        tokio::spawn(session.run());
        Ok(Response::new(ReceiverStream::new(items)))
    }

    async fn confirm(
        &self,
        request: Request<v1::ConfirmRequest>,
    ) -> Result<Response<v1::ConfirmResponse>, Status> {
        let connection = connection_of(&request)?;
        let host = peer_of(&connection)?.host.clone();
        self.0.leads()?;
        if connection.carried_session() {
            return Err(Status::failed_precondition(
                "this connection carries the host's stream and proves nothing: confirm over a new one",
            ));
        }
        let ConfirmQuestion { change, generation, plan_digest } = request
            .into_inner()
            .try_into()
            .map_err(|error: proto::convert::WireError| Status::invalid_argument(error.to_string()))?;
        let connection = connection.facts;
        let attempt = ConfirmAttempt { host, change, generation, plan_digest, connection };
        let limit = self.0.settings.confirm_timeout;
        let verdict = tokio::time::timeout(limit, self.0.confirm.decide(attempt))
            .await
            .map_err(|_| Status::unavailable("no verdict in time: ask again"))?
            .map_err(|undecided| Status::unavailable(undecided.to_string()))?;
        Ok(Response::new(verdict.into()))
    }
}

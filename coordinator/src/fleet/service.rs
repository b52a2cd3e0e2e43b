//! The calls of an agent. Who may make which is decided before, in `gate`; the host is the one the gate admitted, never
//! one from a message.

use super::connection::{ConnectionFacts, ConnectionState};
use super::event::FleetEvent;
use super::gate::{admitted, connection_of};
use super::identity::{Denial, Identities};
use super::join;
use super::outgoing::{Ending, Outlet, queue};
use super::pace::Bucket;
use super::refusal::{Refusal, RefusalKind};
use super::registry::Registry;
use super::session::Session;
use super::settings::FleetSettings;
use crate::trust::{Authority, OrderKey};
use model::{ChangeId, Generation, HostId, PlanDigest};
use proto::convert::{ConfirmQuestion, Verdict, WireError, renewal_from_wire};
use proto::v1;
use proto::v1::agent_server::Agent;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::{Semaphore, mpsc, watch};
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
    pub(super) order_key: Arc<OrderKey>,
    pub(super) identities: Arc<dyn Identities>,
    pub(super) confirm: Arc<dyn ConfirmDecider>,
    pub(super) leads: watch::Receiver<bool>,
    /// Enrolments and recoveries at once.
    pub(super) enrolments: Semaphore,
    /// Enrolments and recoveries in a time.
    pub(super) enrolment_budget: Mutex<Bucket>,
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

    /// Tells of a refusal. Never waits: a stranger must not be able to fill the queue of the hosts' events.
    pub(super) fn refused(&self, refusal: Refusal) {
        if self.events.try_send(FleetEvent::Refused(refusal)).is_err() {
            tracing::warn!("a refusal is not in the audit trail: too many events wait");
        }
    }

    /// The answer to somebody who is not let in.
    pub(super) fn denied(
        &self,
        host: Option<&HostId>,
        connection: &ConnectionState,
        call: &str,
        denial: &Denial,
    ) -> Status {
        let remote = connection.facts.remote;
        let detail = format!("{call}: {}", denial.detail());
        match denial.refusal() {
            Some(kind) => {
                tracing::info!(?host, %remote, kind = kind.as_str(), detail, "call refused");
                self.refused(Refusal::new(kind, host.cloned(), remote, &detail));
            }
            None => tracing::warn!(?host, %remote, detail, "a call could not be judged"),
        }
        denial.status()
    }

    /// The answer to a message that cannot be understood.
    fn malformed(
        &self,
        kind: RefusalKind,
        host: Option<&HostId>,
        connection: &ConnectionState,
        error: &WireError,
    ) -> Status {
        let detail = error.to_string();
        self.refused(Refusal::new(kind, host.cloned(), connection.facts.remote, &detail));
        Status::invalid_argument(detail)
    }

    /// The number of the next stream.
    pub(super) fn next_session(&self) -> u64 {
        self.sessions.fetch_add(1, Ordering::Relaxed)
    }
}

/// The gRPC service.
pub(super) struct AgentService(pub(super) Arc<Shared>);

#[tonic::async_trait]
impl Agent for AgentService {
    type SessionStream = Outlet;

    async fn enrol(&self, request: Request<v1::EnrolRequest>) -> Result<Response<v1::EnrolResponse>, Status> {
        let shared = &self.0;
        let connection = connection_of(request.extensions())?;
        let question = request
            .into_inner()
            .try_into()
            .map_err(|error| shared.malformed(RefusalKind::Enrolment, None, &connection, &error))?;
        let reply = join::enrol(shared, &connection, question).await?;
        Ok(Response::new(reply.into()))
    }

    async fn renew(&self, request: Request<v1::RenewRequest>) -> Result<Response<v1::RenewResponse>, Status> {
        let shared = &self.0;
        let connection = connection_of(request.extensions())?;
        let peer = admitted(&request)?;
        let csr_pem = renewal_from_wire(request.into_inner())
            .map_err(|error| shared.malformed(RefusalKind::Renewal, Some(&peer.host), &connection, &error))?;
        let certificate_pem = join::renew(shared, &connection, &peer, &csr_pem).await?;
        Ok(Response::new(v1::RenewResponse { certificate_pem }))
    }

    async fn recover(
        &self,
        request: Request<v1::RecoverRequest>,
    ) -> Result<Response<v1::RecoverResponse>, Status> {
        let shared = &self.0;
        let connection = connection_of(request.extensions())?;
        let question = request
            .into_inner()
            .try_into()
            .map_err(|error| shared.malformed(RefusalKind::Recovery, None, &connection, &error))?;
        let reply = join::recover(shared, &connection, question).await?;
        Ok(Response::new(reply.into()))
    }

    async fn session(
        &self,
        request: Request<Streaming<v1::AgentMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let connection = connection_of(request.extensions())?;
        let peer = admitted(&request)?;
        self.0.leads()?;
        connection.mark_session();
        let (inlet, outlet) = queue(self.0.settings.outgoing_max);
        let session = Session::new(Arc::clone(&self.0), peer, connection, request.into_inner(), inlet);
        // Answer at once: an agent may wait for the answer before it says hello.
        tokio::spawn(session.run());
        Ok(Response::new(outlet))
    }

    async fn confirm(
        &self,
        request: Request<v1::ConfirmRequest>,
    ) -> Result<Response<v1::ConfirmResponse>, Status> {
        let shared = &self.0;
        let connection = connection_of(request.extensions())?;
        let host = admitted(&request)?.host;
        shared.leads()?;
        if connection.carried_session() {
            let detail = "over the connection of the host's stream";
            let remote = connection.facts.remote;
            shared.refused(Refusal::new(RefusalKind::Confirmation, Some(host), remote, detail));
            return Err(Status::failed_precondition(
                "this connection carries the host's stream and proves nothing: confirm over a new one",
            ));
        }
        let question = request
            .into_inner()
            .try_into()
            .map_err(|error| shared.malformed(RefusalKind::Confirmation, Some(&host), &connection, &error))?;
        let ConfirmQuestion { change, generation, plan_digest } = question;
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

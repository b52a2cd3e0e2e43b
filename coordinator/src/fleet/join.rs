//! The calls by which a host gets and keeps its certificate. The host is proven by its key: by the signature of a
//! certificate request, by its certificate, or by the answer to a challenge. Called by the service.

use super::connection::ConnectionState;
use super::identity::{Denial, EnrolAttempt, EnrolDecision, RecoverAttempt};
use super::refusal::{Refusal, RefusalKind};
use super::service::Shared;
use super::wall_now;
use crate::trust::{Authority, PeerId, RequestFacts, Token, challenge, usable_uuid};
use model::HostId;
use proto::convert::{EnrolAnswer, EnrolQuestion, EnrolReply, RecoverQuestion, RecoverReply};
use std::sync::PoisonError;
use std::time::Duration;
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;
use tonic::Status;

/// A host that waits for an operator asks again after this.
const PENDING_RETRY: Duration = Duration::from_secs(5);

/// The right to work on one enrolment or recovery: their number and their rate are limited, so that a storm of them
/// cannot starve the hosts that are in.
fn turn<'a>(shared: &'a Shared, connection: &ConnectionState) -> Result<SemaphorePermit<'a>, Status> {
    let busy = |detail: &str| {
        shared.refused(Refusal::new(RefusalKind::Crowded, None, connection.facts.remote, detail));
        Status::resource_exhausted(detail)
    };
    let permit =
        shared.enrolments.try_acquire().map_err(|_| busy("too many hosts enrol at once: try again"))?;
    let mut budget = shared.enrolment_budget.lock().unwrap_or_else(PoisonError::into_inner);
    if !budget.take(1, Instant::now()) {
        return Err(busy("too many hosts enrol in a short time: try again"));
    }
    Ok(permit)
}

/// What a certificate request says; one that proves no key is refused.
fn request_facts(
    shared: &Shared,
    kind: RefusalKind,
    connection: &ConnectionState,
    (csr_pem, host): (&str, &HostId),
) -> Result<RequestFacts, Status> {
    Authority::check_host_csr(csr_pem, host).map_err(|error| {
        let detail = error.to_string();
        shared.refused(Refusal::new(kind, Some(host.clone()), connection.facts.remote, &detail));
        Status::invalid_argument(detail)
    })
}

/// Signs a certificate and notes until when it is good.
async fn certify(shared: &Shared, host: &HostId, csr_pem: &str) -> Result<String, Status> {
    let certificate = shared
        .authority
        .sign_host_csr(csr_pem, host, wall_now())
        .map_err(|error| Status::unavailable(error.to_string()))?;
    shared.identities.certified(host.clone(), certificate.expires).await.map_err(|denial| denial.status())?;
    Ok(certificate.chain_pem)
}

/// A token and a certificate request.
pub(super) async fn enrol(
    shared: &Shared,
    connection: &ConnectionState,
    question: EnrolQuestion,
) -> Result<EnrolReply, Status> {
    let _turn = turn(shared, connection)?;
    let EnrolQuestion { token, host, csr_pem, system_uuid } = question;
    // Before the token: a bad request should not cost it.
    let RequestFacts { key, common_name: _ } =
        request_facts(shared, RefusalKind::Enrolment, connection, (&csr_pem, &host))?;
    let attempt = EnrolAttempt {
        host: host.clone(),
        token: Token::presented(&token),
        key: key.clone(),
        system_uuid: usable_uuid(&system_uuid),
        remote: connection.facts.remote,
    };
    let decision = shared.identities.enrol(attempt).await;
    match decision.map_err(|denial| shared.denied(Some(&host), connection, "Enrol", &denial))? {
        EnrolDecision::Pending => {
            Ok(EnrolReply::Pending { fingerprint: key.as_str().to_owned(), retry: PENDING_RETRY })
        }
        EnrolDecision::Granted => {
            let certificate_pem = certify(shared, &host, &csr_pem).await?;
            tracing::info!(%host, remote = %connection.facts.remote, %key, "host enrolled");
            let order_key = Some(shared.order_key.public());
            let ca_pem = shared.authority.root_pem().to_owned();
            Ok(EnrolReply::Certified(EnrolAnswer { certificate_pem, ca_pem, order_key }))
        }
    }
}

/// A certificate request for the key of the certificate the call came with.
pub(super) async fn renew(
    shared: &Shared,
    connection: &ConnectionState,
    peer: &PeerId,
    csr_pem: &str,
) -> Result<String, Status> {
    let RequestFacts { key, common_name: _ } =
        request_facts(shared, RefusalKind::Renewal, connection, (csr_pem, &peer.host))?;
    if key != peer.key {
        let detail = "the request is for another key than the certificate: a new key needs a new enrolment";
        let remote = connection.facts.remote;
        shared.refused(Refusal::new(RefusalKind::Renewal, Some(peer.host.clone()), remote, detail));
        return Err(Status::invalid_argument(detail));
    }
    let certificate_pem = certify(shared, &peer.host, csr_pem).await?;
    tracing::info!(host = %peer.host, "certificate renewed");
    Ok(certificate_pem)
}

/// Hands out a challenge, or checks the answer to it. A challenge is good once, and on its own connection only.
pub(super) async fn recover(
    shared: &Shared,
    connection: &ConnectionState,
    question: RecoverQuestion,
) -> Result<RecoverReply, Status> {
    let _turn = turn(shared, connection)?;
    let RecoverQuestion { host, csr_pem, join_count, join_id, system_uuid } = question;
    let Some(csr_pem) = csr_pem else {
        let fresh = challenge().map_err(|error| Status::unavailable(error.to_string()))?;
        connection.set_challenge(fresh.clone());
        return Ok(RecoverReply::Challenge(fresh));
    };
    let RequestFacts { key, common_name } =
        request_facts(shared, RefusalKind::Recovery, connection, (&csr_pem, &host))?;
    if connection.take_challenge().as_deref() != Some(common_name.as_str()) {
        let denial = Denial::Unproven { why: "it does not answer the challenge of this connection" };
        return Err(shared.denied(Some(&host), connection, "Recover", &denial));
    }
    let attempt = RecoverAttempt {
        host: host.clone(),
        key,
        system_uuid: usable_uuid(&system_uuid),
        join_count,
        join_id,
        remote: connection.facts.remote,
    };
    let counted = shared.identities.recover(attempt).await;
    let join_count = counted.map_err(|denial| shared.denied(Some(&host), connection, "Recover", &denial))?;
    let certificate_pem = certify(shared, &host, &csr_pem).await?;
    tracing::info!(%host, remote = %connection.facts.remote, join_count, "host recovered its certificate");
    Ok(RecoverReply::Certified { certificate_pem, join_count })
}

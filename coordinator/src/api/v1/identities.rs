//! Who may be a host: requests that wait, and what operators decide about identities.

use super::super::ApiParts;
use super::super::error::ApiError;
use super::super::views::{
    AcceptedView, ApproveRequest, EnrolmentView, IdentityView, PageView, ReasonRequest,
};
use super::super::who::Who;
use super::{Answer, REASON_CHARS_MAX, word};
use crate::store::identities as stored;
use crate::tasks::identities::operator::{self, DecideError, Decider, Verb};
use crate::tasks::wall_now;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use model::HostId;

/// Requests shown at once.
const REQUESTS_MAX: u32 = 500;

impl From<DecideError> for ApiError {
    fn from(error: DecideError) -> Self {
        match error {
            DecideError::Store(error) => error.into(),
            DecideError::NoHost { host } => Self::not_found("host", host.as_str()),
            refused @ (DecideError::NoRequest { .. }
            | DecideError::OtherKey { .. }
            | DecideError::NotPossible { .. }) => Self::conflict(refused.to_string()),
        }
    }
}

fn host_of(id: &str) -> Result<HostId, ApiError> {
    HostId::new(id).map_err(|_| ApiError::not_found("host", id))
}

/// Hosts that wait for an operator.
pub async fn pending(State(parts): State<ApiParts>) -> Answer<PageView<EnrolmentView>> {
    let mut items = Vec::new();
    for request in stored::open_requests(&parts.db, wall_now(), REQUESTS_MAX).await? {
        let known = stored::get(&parts.db, &request.host).await?;
        let stored::EnrolmentRequest {
            host,
            key,
            source,
            token_hash: _,
            system_uuid,
            group,
            remote,
            status: _,
            created,
            expires,
        } = request;
        let source = word(&source)?;
        let replaces = known.map(|known| known.status.as_str().to_owned());
        items.push(EnrolmentView {
            host,
            key,
            source,
            system_uuid,
            group,
            remote,
            replaces,
            created,
            expires,
        });
    }
    Ok(Json(PageView::whole(items)))
}

/// The identity of one host.
pub async fn get(State(parts): State<ApiParts>, Path(id): Path<String>) -> Answer<IdentityView> {
    let missing = || ApiError::not_found("host", &id);
    let record = stored::get(&parts.db, &host_of(&id)?).await?.ok_or_else(missing)?;
    let stored::IdentityRecord {
        host,
        status,
        reason,
        key,
        system_uuid,
        join_count,
        join_id: _,
        certificate_expires,
        enrolled,
    } = record;
    let status = status.as_str().to_owned();
    let view =
        IdentityView { host, status, reason, key, system_uuid, join_count, certificate_expires, enrolled };
    Ok(Json(view))
}

/// Lets a host in that waits.
pub async fn approve(
    State(parts): State<ApiParts>,
    who: Who,
    Path(id): Path<String>,
    body: Result<Json<ApproveRequest>, JsonRejection>,
) -> Answer<AcceptedView> {
    let Json(ApproveRequest { fingerprint }) = body?;
    let host = host_of(&id)?;
    let by = Decider { actor: &who.actor, reason: "" };
    let key = operator::approve(&parts.db, &host, fingerprint.as_ref(), by).await?;
    Ok(Json(AcceptedView { message: format!("host {host} with key {key} is let in") }))
}

/// Refuses a host that waits.
pub async fn deny(
    State(parts): State<ApiParts>,
    who: Who,
    Path(id): Path<String>,
    body: Result<Json<ReasonRequest>, JsonRejection>,
) -> Answer<AcceptedView> {
    let (host, reason) = (host_of(&id)?, reason_of(body)?);
    let by = Decider { actor: &who.actor, reason: &reason };
    let key = operator::deny(&parts.db, &host, by).await?;
    Ok(Json(AcceptedView { message: format!("host {host} with key {key} is not let in") }))
}

/// Takes a host out for good.
pub async fn revoke(
    state: State<ApiParts>,
    who: Who,
    path: Path<String>,
    body: Result<Json<ReasonRequest>, JsonRejection>,
) -> Answer<AcceptedView> {
    act(state, who, path, body, Verb::Revoke).await
}

/// Takes a host out until somebody has looked.
pub async fn quarantine(
    state: State<ApiParts>,
    who: Who,
    path: Path<String>,
    body: Result<Json<ReasonRequest>, JsonRejection>,
) -> Answer<AcceptedView> {
    act(state, who, path, body, Verb::Quarantine).await
}

/// Lets a host out of quarantine.
pub async fn release(
    state: State<ApiParts>,
    who: Who,
    path: Path<String>,
    body: Result<Json<ReasonRequest>, JsonRejection>,
) -> Answer<AcceptedView> {
    act(state, who, path, body, Verb::Release).await
}

async fn act(
    State(parts): State<ApiParts>,
    who: Who,
    Path(id): Path<String>,
    body: Result<Json<ReasonRequest>, JsonRejection>,
    verb: Verb,
) -> Answer<AcceptedView> {
    let (host, reason) = (host_of(&id)?, reason_of(body)?);
    let by = Decider { actor: &who.actor, reason: &reason };
    operator::act(&parts.db, &host, verb, by).await?;
    Ok(Json(AcceptedView { message: format!("host {host} is {}", verb.done()) }))
}

fn reason_of(body: Result<Json<ReasonRequest>, JsonRejection>) -> Result<String, ApiError> {
    let Json(ReasonRequest { reason }) = body?;
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
        let message = format!("`reason` has to be said, in at most {REASON_CHARS_MAX} characters");
        return Err(ApiError::bad_request(message));
    }
    Ok(reason.to_owned())
}

//! Version 1 of the interface: its routes, one file per kind of object.

mod approvals;
mod approvers;
mod audit;
mod changes;
mod drift;
mod hosts;
mod identities;
mod reviews;
mod rfcs;
mod rollouts;
mod status;
mod tokens;

use super::ApiParts;
use super::error::ApiError;
use crate::store::{StoreError, Tx, audit as trail};
use crate::tasks::wall_now;
use axum::Json;
use axum::Router;
use axum::routing::{get, post};
use serde::Serialize;

/// The actor of everything done with the operator's token.
const OPERATOR: &str = "operator";
/// Longest reason, in characters.
const REASON_CHARS_MAX: usize = 500;

/// An answer.
type Answer<T> = Result<Json<T>, ApiError>;

pub(super) fn routes() -> Router<ApiParts> {
    Router::new()
        .route("/status", get(status::get))
        .route("/hosts", get(hosts::list))
        .route("/hosts/{id}", get(hosts::get))
        .route("/hosts/{id}/observed", get(hosts::observed))
        .route("/hosts/{id}/identity", get(identities::get))
        .route("/hosts/{id}/approve", post(identities::approve))
        .route("/hosts/{id}/deny", post(identities::deny))
        .route("/hosts/{id}/revoke", post(identities::revoke))
        .route("/hosts/{id}/quarantine", post(identities::quarantine))
        .route("/hosts/{id}/release", post(identities::release))
        .route("/enrolments", get(identities::pending))
        .route("/groups", get(hosts::groups))
        .route("/rfcs", get(rfcs::list))
        .route("/rfcs/{number}", get(rfcs::get))
        .route("/changes", get(changes::list))
        .route("/changes/{id}", get(changes::get))
        .route("/changes/{id}/plans", get(changes::plans))
        .route("/changes/{id}/release", get(approvals::release))
        .route("/changes/{id}/release/parts", get(approvals::parts))
        .route("/changes/{id}/approvals", post(approvals::create))
        .route("/approvers", get(approvers::list).post(approvers::create))
        .route("/approvers/rotate", post(approvers::rotate))
        .route("/rollouts", get(rollouts::list))
        .route("/rollouts/{id}", get(rollouts::get))
        .route("/rollouts/{id}/{command}", post(rollouts::steer))
        .route("/drift", get(drift::list))
        .route("/audit", get(audit::list))
        .route("/audit/entries", get(audit::entries))
        .route("/audit/verify", get(audit::verify))
        .route("/tokens", post(tokens::create))
        .route("/reviews", post(reviews::create))
        .route("/forge/resync", post(status::resync))
        .route("/repo/sync", post(status::sync))
}

/// The word of a unit variant.
fn word<T: Serialize>(value: &T) -> Result<String, ApiError> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        _ => Err(ApiError::internal("a value has no word: please report this")),
    }
}

/// Notes an action of the operator in the audit trail.
async fn note(
    tx: &mut Tx,
    action: &str,
    subject: String,
    detail: serde_json::Value,
) -> Result<(), StoreError> {
    let entry = trail::AuditEntry {
        at: wall_now(),
        actor: OPERATOR.to_owned(),
        action: action.to_owned(),
        subject,
        detail,
    };
    trail::append(tx, &entry).await.map(|_| ())
}

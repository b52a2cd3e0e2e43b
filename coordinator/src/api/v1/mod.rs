//! Version 1 of the interface: its routes, one file per kind of object.

mod api_tokens;
mod approvals;
mod approvers;
mod audit;
mod changes;
mod drift;
mod hosts;
mod identities;
mod oidc;
mod reviews;
mod rfcs;
mod rollouts;
mod session;
mod status;
mod tokens;
mod users;

use super::HEALTH_ROUTE;
use super::error::ApiError;
use super::routes::{Access, Routes};
use super::who::Who;
use crate::people::Permission::{
    ApproverSets, AuditRead, ChangeApprove, FleetRead, HostEnrol, HostTrust, OwnAccess, PeopleManage,
    RepositorySync, RolloutSteer,
};
use crate::store::{StoreError, Tx, audit as trail};
use crate::tasks::wall_now;
use axum::Json;
use serde::Serialize;

/// Longest reason, in characters.
const REASON_CHARS_MAX: usize = 500;

/// An answer.
type Answer<T> = Result<Json<T>, ApiError>;

/// Every route and who may use it.
pub(super) fn routes() -> Routes {
    Routes::new()
        .get(HEALTH_ROUTE, Access::Open, async || "ok\n")
        .get("/status", FleetRead, status::get)
        .get("/hosts", Access::InGroup(FleetRead), hosts::list)
        .get("/hosts/{id}", Access::InGroup(FleetRead), hosts::get)
        .get("/hosts/{id}/observed", Access::InGroup(FleetRead), hosts::observed)
        .get("/hosts/{id}/identity", FleetRead, identities::get)
        .post("/hosts/{id}/approve", HostEnrol, identities::approve)
        .post("/hosts/{id}/deny", HostEnrol, identities::deny)
        .post("/hosts/{id}/revoke", HostTrust, identities::revoke)
        .post("/hosts/{id}/quarantine", HostTrust, identities::quarantine)
        .post("/hosts/{id}/release", HostTrust, identities::release)
        .get("/enrolments", FleetRead, identities::pending)
        .get("/groups", Access::InGroup(FleetRead), hosts::groups)
        .get("/rfcs", FleetRead, rfcs::list)
        .get("/rfcs/{number}", FleetRead, rfcs::get)
        .get("/changes", FleetRead, changes::list)
        .get("/changes/{id}", FleetRead, changes::get)
        .get("/changes/{id}/plans", FleetRead, changes::plans)
        .get("/changes/{id}/release", FleetRead, approvals::release)
        .get("/changes/{id}/release/parts", FleetRead, approvals::parts)
        .post("/changes/{id}/approvals", ChangeApprove, approvals::create)
        .get("/approvers", FleetRead, approvers::list)
        .post("/approvers", ApproverSets, approvers::create)
        .post("/approvers/rotate", ApproverSets, approvers::rotate)
        .get("/rollouts", FleetRead, rollouts::list)
        .get("/rollouts/{id}", Access::InGroup(FleetRead), rollouts::get)
        .post("/rollouts/{id}/extend", Access::InGroup(RolloutSteer), rollouts::extend)
        .post("/rollouts/{id}/{command}", Access::InGroup(RolloutSteer), rollouts::steer)
        .get("/drift", FleetRead, drift::list)
        .get("/audit", AuditRead, audit::list)
        .get("/audit/entries", AuditRead, audit::entries)
        .get("/audit/verify", AuditRead, audit::verify)
        .post("/tokens", Access::InGroup(HostEnrol), tokens::create)
        .post("/reviews", FleetRead, reviews::create)
        .post("/forge/resync", RepositorySync, status::resync)
        .post("/repo/sync", RepositorySync, status::sync)
        .get("/whoami", Access::InGroup(OwnAccess), session::whoami)
        .post("/session", Access::Open, session::sign_in)
        .delete("/session", OwnAccess, session::sign_out)
        .get("/sign-in-methods", Access::Open, oidc::methods)
        .get("/oidc/login", Access::Open, oidc::login)
        .get("/oidc/callback", Access::Open, oidc::callback)
        .post("/oidc/redeem", Access::Open, oidc::redeem)
        .get("/users", PeopleManage, users::list)
        .post("/users", PeopleManage, users::add)
        .patch("/users/{name}", PeopleManage, users::change)
        .post("/users/{name}/password", OwnAccess, users::set_password)
        .get("/api-tokens", OwnAccess, api_tokens::list)
        .post("/api-tokens", OwnAccess, api_tokens::create)
        .delete("/api-tokens/{id}", OwnAccess, api_tokens::revoke)
}

/// The word of a unit variant.
fn word<T: Serialize>(value: &T) -> Result<String, ApiError> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        _ => Err(ApiError::internal("a value has no word: please report this")),
    }
}

/// Notes in the audit trail what somebody did.
async fn note(
    tx: &mut Tx,
    who: &Who,
    action: &str,
    subject: String,
    detail: serde_json::Value,
) -> Result<(), StoreError> {
    let entry = trail::AuditEntry {
        at: wall_now(),
        actor: who.actor.clone(),
        action: action.to_owned(),
        subject,
        detail,
    };
    trail::append(tx, &entry).await.map(|_| ())
}

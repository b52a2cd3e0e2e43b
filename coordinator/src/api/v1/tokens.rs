//! One-time enrolment tokens. The secret is in the answer and nowhere else.

use super::super::ApiParts;
use super::super::error::ApiError;
use super::super::views::{TokenRequest, TokenView};
use super::super::who::Who;
use super::{Answer, note};
use crate::store::hosts::{self, HostStatus};
use crate::store::tokens::{self as stored, NewToken};
use crate::tasks::wall_now;
use crate::trust::usable_uuid;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use model::Millis;
use serde_json::json;

/// Longest life of a token, in seconds: one week.
const TTL_SECS_MAX: u64 = 7 * 24 * 60 * 60;

pub async fn create(
    State(parts): State<ApiParts>,
    who: Who,
    body: Result<Json<TokenRequest>, JsonRejection>,
) -> Answer<TokenView> {
    let Json(TokenRequest { host, system_uuid, group, ttl_secs, approval }) = body?;
    if !(1..=TTL_SECS_MAX).contains(&ttl_secs) {
        let message = format!("`ttl_secs` is {ttl_secs}: use 1 to {TTL_SECS_MAX}");
        return Err(ApiError::bad_request(message));
    }
    if let Some(group) = who.group() {
        // A host that is not known yet is in no group, and a machine may take any name.
        let known = match &host {
            Some(host) => hosts::get(&parts.db, host).await?,
            None => None,
        };
        let known = known.filter(|known| who.reaches(known.group.as_ref()));
        let status = known.ok_or_else(|| ApiError::out_of_group(group))?.status;
        // The way back of a host in doubt, and past the operator who compares keys, is for who answers for the fleet.
        let new_here = status == HostStatus::Expected;
        if !(new_here || status == HostStatus::Enrolled && approval) {
            return Err(ApiError::host_trust(status.as_str()));
        }
    }
    let system_uuid = system_uuid.map(|text| usable_uuid(&text).ok_or(text)).transpose().map_err(|text| {
        ApiError::bad_request(format!(
            "`system_uuid` is `{text}`, which names no machine: see `esxcli system uuid get`"
        ))
    })?;
    let subject = match (&host, &system_uuid) {
        (Some(host), _) => format!("host/{host}"),
        (None, Some(uuid)) => format!("machine/{uuid}"),
        (None, None) => {
            return Err(ApiError::bad_request("a token is for a `host`, or for a `system_uuid`: say one"));
        }
    };
    let (token, hash) = parts.token_maker.make().map_err(|error| ApiError::internal(error.to_string()))?;
    let created = wall_now();
    let expires = created.plus(Millis::from_secs(ttl_secs));
    let detail =
        json!({ "expires": expires, "system_uuid": system_uuid, "group": group, "approval": approval });
    let stored_token = NewToken {
        hash: hash.0,
        host: host.clone(),
        system_uuid: system_uuid.clone(),
        group,
        expires,
        created_by: who.actor.clone(),
        created,
        needs_approval: approval,
    };
    let mut tx = parts.db.begin().await?;
    stored::create(&mut tx, &stored_token).await?;
    note(&mut tx, &who, "token.created", subject, detail).await?;
    tx.commit().await?;
    Ok(Json(TokenView { host, system_uuid, approval, token: token.reveal().to_owned(), expires }))
}

//! One-time enrolment tokens. The secret is in the answer and nowhere else.

use super::super::ApiParts;
use super::super::error::ApiError;
use super::super::views::{TokenRequest, TokenView};
use super::super::who::Who;
use super::{Answer, note};
use crate::store::hosts;
use crate::store::tokens::{self as stored, NewToken};
use crate::tasks::wall_now;
use crate::trust::Token;
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
    let Json(TokenRequest { host, ttl_secs }) = body?;
    if !(1..=TTL_SECS_MAX).contains(&ttl_secs) {
        let message = format!("`ttl_secs` is {ttl_secs}: use 1 to {TTL_SECS_MAX}");
        return Err(ApiError::bad_request(message));
    }
    if let Some(group) = who.group() {
        // A host that is not known yet is in no group.
        let known = hosts::get(&parts.db, &host).await?;
        if !who.reaches(known.and_then(|host| host.group).as_ref()) {
            return Err(ApiError::out_of_group(group));
        }
    }
    let token = Token::generate().map_err(|error| ApiError::internal(error.to_string()))?;
    let created = wall_now();
    let expires = created.plus(Millis::from_secs(ttl_secs));
    let stored_token = NewToken {
        hash: token.hash().0,
        host: Some(host.clone()),
        group: None,
        expires,
        created_by: who.actor.clone(),
        created,
    };
    let mut tx = parts.db.begin().await?;
    stored::create(&mut tx, &stored_token).await?;
    note(&mut tx, &who, "token.created", format!("host/{host}"), json!({ "expires": expires })).await?;
    tx.commit().await?;
    Ok(Json(TokenView { host, token: token.reveal().to_owned(), expires }))
}

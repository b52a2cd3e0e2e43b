//! API tokens of people: listed, made, revoked. The secret is in the answer that made it and nowhere else.

use super::super::ApiParts;
use super::super::views::{AcceptedView, ApiTokenRequest, ApiTokenView, PageView};
use super::super::who::Who;
use super::Answer;
use crate::people::TokenToMake;
use crate::store::api_tokens::ApiTokenRecord;
use crate::tasks::wall_now;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};

pub async fn list(State(parts): State<ApiParts>, who: Who) -> Answer<PageView<ApiTokenView>> {
    let tokens = parts.people.tokens(&who).await?;
    Ok(Json(PageView::whole(tokens.into_iter().map(|token| view(token, None)).collect())))
}

pub async fn create(
    State(parts): State<ApiParts>,
    who: Who,
    body: Result<Json<ApiTokenRequest>, JsonRejection>,
) -> Answer<ApiTokenView> {
    let Json(ApiTokenRequest { name, role, group, ttl_secs }) = body?;
    let token = TokenToMake { name, role, group, ttl_secs };
    let (record, secret) = parts.people.make_token(&who, token, wall_now()).await?;
    Ok(Json(view(record, Some(secret.expose().to_owned()))))
}

pub async fn revoke(State(parts): State<ApiParts>, who: Who, Path(id): Path<String>) -> Answer<AcceptedView> {
    parts.people.revoke_token(&who, &id, wall_now()).await?;
    Ok(Json(AcceptedView { message: format!("API token {id} is worthless now") }))
}

fn view(record: ApiTokenRecord, token: Option<String>) -> ApiTokenView {
    let ApiTokenRecord { id, name, user: _, role, group, created_by, created, expires, last_used, revoked } =
        record;
    let revoked = revoked.map(|(at, _)| at);
    ApiTokenView { id, name, role, group, created_by, created, expires, last_used, revoked, token }
}

//! Signing in with a password, signing out, and "who am I".

use super::super::ApiParts;
use super::super::cookie;
use super::super::error::ApiError;
use super::super::views::{AcceptedView, SessionView, SignInRequest, WhoamiView};
use super::super::who::{Source, Who};
use super::Answer;
use crate::people::{Means, SignedIn, csrf_of};
use crate::store::sessions::SessionKind;
use crate::tasks::wall_now;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, HeaderValue, SET_COOKIE};
use axum::response::{IntoResponse, Response};

/// Answers with secrets are nobody's to keep.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

pub async fn sign_in(
    State(parts): State<ApiParts>,
    source: Source,
    body: Result<Json<SignInRequest>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(SignInRequest { user, password, kind }) = body?;
    let source = source.0.to_string();
    let signed_in = parts.people.sign_in(&user, password, kind, &source, wall_now()).await?;
    answer(&parts, kind, &signed_in)
}

/// The answer that carries a new session.
pub(super) fn answer(
    parts: &ApiParts,
    kind: SessionKind,
    signed_in: &SignedIn,
) -> Result<Response, ApiError> {
    let SignedIn { user, secret, expires } = signed_in;
    let secret = secret.expose();
    let (token, csrf) = match kind {
        SessionKind::Cli => (Some(secret.to_owned()), None),
        SessionKind::Browser => (None, Some(csrf_of(secret))),
    };
    let view = SessionView { user: user.clone(), expires: *expires, token, csrf };
    let mut response = Json(view).into_response();
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    if kind == SessionKind::Browser {
        let cookie = cookie::set_session(parts.transport, secret)
            .ok_or_else(|| ApiError::internal("the session does not fit a cookie: please report this"))?;
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

pub async fn sign_out(State(parts): State<ApiParts>, who: Who) -> Result<Response, ApiError> {
    parts.people.sign_out(&who, wall_now()).await?;
    let mut response = Json(AcceptedView { message: "you are signed out".to_owned() }).into_response();
    if let (Means::Cookie { .. }, Some(cookie)) = (&who.means, cookie::clear_session(parts.transport)) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

pub async fn whoami(who: Who, headers: HeaderMap) -> Answer<WhoamiView> {
    let csrf = match who.means {
        Means::Cookie { .. } => cookie::session(&headers).map(csrf_of),
        Means::OperatorToken | Means::Session { .. } | Means::ApiToken { .. } => None,
    };
    Ok(Json(WhoamiView {
        actor: who.actor.clone(),
        user: who.user.clone(),
        email: who.email.clone(),
        roles: who.roles.0.iter().copied().collect(),
        token_role: who.limit.as_ref().map(|limit| limit.role),
        group: who.group().cloned(),
        csrf,
    }))
}

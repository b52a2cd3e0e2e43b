//! Errors as `application/problem+json` with a word for programs and a sentence for people.
//!
//! Must not: show what a driver said to anybody but the log. Called by every handler.

use super::SteerError;
use super::admission::IN_FLIGHT_MAX;
use super::views::ProblemView;
use crate::people::{Identity, PeopleError, Permission};
use crate::store::StoreError;
use crate::tasks::lease::StandsBy;
use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use model::HostGroupId;

/// Media type of every error.
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// When to come back after "too much", in seconds.
const RETRY_AFTER_SECS: HeaderValue = HeaderValue::from_static("2");

/// An answer that is an error.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    kind: &'static str,
    message: String,
}

impl ApiError {
    fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, message: message.into() }
    }

    pub fn unauthorised() -> Self {
        let message = "who are you? Sign in with `pointsman login`, or send `Authorization: Bearer TOKEN` with a good token";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorised", message)
    }

    pub fn forbidden(who: &Identity, permission: Permission) -> Self {
        let roles: Vec<&str> = permission.roles().iter().map(|role| role.as_str()).collect();
        let message = format!(
            "{} may not do this: it needs the permission {}, which {} has",
            who.actor,
            permission.as_str(),
            roles.join(" or ")
        );
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    pub fn out_of_group(group: &HostGroupId) -> Self {
        let message =
            format!("this token is for group `{group}` only, and this is about more than one group");
        Self::new(StatusCode::FORBIDDEN, "out_of_group", message)
    }

    pub fn host_trust(status: &str) -> Self {
        let message = format!(
            "this token is for one group, and the host is {status}: it may ask for a token only of a host that is new, \
             or of an enrolled one whose key an operator then compares; ask who may use the whole fleet"
        );
        Self::new(StatusCode::FORBIDDEN, "host_trust", message)
    }

    pub fn not_declared() -> Self {
        let message = "nobody may use this route: it does not say who may; please report this";
        Self::new(StatusCode::FORBIDDEN, "not_declared", message)
    }

    pub fn cross_site() -> Self {
        let message = "this came from another site, or without the session's second secret: reload the page";
        Self::new(StatusCode::FORBIDDEN, "cross_site", message)
    }

    pub fn too_many() -> Self {
        let message = "too many requests in a short time: wait a few seconds and try again";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many", message)
    }

    pub fn busy() -> Self {
        let message = format!("{IN_FLIGHT_MAX} requests are in work already: try again in a second");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message)
    }

    pub fn too_slow() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_slow",
            "this took too long and was given up: try again",
        )
    }

    pub fn not_found(what: &str, id: &str) -> Self {
        let message = format!("{what} `{}` is not known here; look for it with the list command", shown(id));
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "no_such_route", "there is nothing here: routes are below /api/v1")
    }

    pub fn no_method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "no_such_method", "this route does not take this method")
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    pub fn bad_cursor() -> Self {
        let message = "the cursor is not one of ours: take `next` of the page before, or start without one";
        Self::new(StatusCode::BAD_REQUEST, "bad_cursor", message)
    }

    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }
}

/// What somebody sent, short and printable.
fn shown(text: &str) -> String {
    text.chars().take(128).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::NotFound { what, id } => Self::not_found(what, id),
            StoreError::Conflict { .. } => Self::new(StatusCode::CONFLICT, "conflict", error.to_string()),
            passing if passing.is_passing() => {
                tracing::warn!(%error, "the store does not answer");
                let message = "the database does not answer now: try again";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
            }
            _ => {
                tracing::error!(%error, "the store failed");
                Self::internal("the database failed: the coordinator's log says why")
            }
        }
    }
}

impl From<SteerError> for ApiError {
    fn from(error: SteerError) -> Self {
        match error {
            SteerError::Conflict(message) => Self::new(StatusCode::CONFLICT, "conflict", message),
            SteerError::Unavailable(message) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
            }
        }
    }
}

impl From<PeopleError> for ApiError {
    fn from(error: PeopleError) -> Self {
        let message = error.to_string();
        match error {
            PeopleError::Store(error) => error.into(),
            PeopleError::NoRandomness(_) | PeopleError::Hash(_) => {
                tracing::error!(%message, "a secret could not be made");
                Self::internal(message)
            }
            PeopleError::Busy => Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message),
            PeopleError::SignInRefused => Self::new(StatusCode::UNAUTHORIZED, "sign_in_refused", message),
            PeopleError::ProviderRefused(_) => {
                Self::new(StatusCode::UNAUTHORIZED, "provider_refused", message)
            }
            PeopleError::Invalid(_) => Self::bad_request(message),
            PeopleError::Forbidden(_) => Self::new(StatusCode::FORBIDDEN, "forbidden", message),
        }
    }
}

impl From<StandsBy> for ApiError {
    fn from(error: StandsBy) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "stands_by", error.to_string())
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                let message = format!("the body is larger than {} bytes", super::BODY_BYTES_MAX);
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
            }
            _ => Self::bad_request(rejection.body_text()),
        }
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self { status, kind, message } = self;
        let body = ProblemView { status: status.as_u16(), kind: kind.to_owned(), message };
        let mut response = (status, Json(body)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, PROBLEM);
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECS);
        }
        response
    }
}

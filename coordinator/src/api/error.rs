//! Errors as `application/problem+json` with a word for programs and a sentence for people.
//!
//! Must not: show what a driver said to anybody but the log. Called by every handler.

use super::SteerError;
use super::views::ProblemView;
use crate::store::StoreError;
use crate::tasks::proposals::ReviewProposalError;
use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};

/// Media type of every error.
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

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
        let message = "the operator's token is missing or wrong: send `Authorization: Bearer TOKEN`";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorised", message)
    }

    pub fn not_found(what: &str, id: &str) -> Self {
        let message = format!("{what} `{}` is not known here; look for it with the list command", shown(id));
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub fn unsigned(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "bad_signature", message)
    }

    pub fn busy(message: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many", message)
    }

    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
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

impl From<ReviewProposalError> for ApiError {
    fn from(error: ReviewProposalError) -> Self {
        match error {
            ReviewProposalError::NoRef(message) => Self::new(StatusCode::NOT_FOUND, "not_found", message),
            ReviewProposalError::Repository(message) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
            }
            ReviewProposalError::Store(error) => Self::from(error),
            ReviewProposalError::Task(error) => {
                tracing::error!(%error, "a review did not end");
                Self::internal("the review did not end: the coordinator's log says why")
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
        response
    }
}

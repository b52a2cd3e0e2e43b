//! Signing in at the OIDC provider: there, back, and to the command line that waits. All open: who comes is not known yet.

use super::super::ApiParts;
use super::super::cookie;
use super::super::error::ApiError;
use super::super::views::{RedeemRequest, SignInMethodsView};
use super::super::who::Source;
use super::session::answer;
use crate::people::oidc::{Finished, Returned};
use crate::store::logins::Waiting;
use crate::store::sessions::SessionKind;
use crate::tasks::wall_now;
use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// What a person sees who came back from the provider with a browser.
const SIGNED_IN: &str = "You are signed in. You can close this page.\n";

/// What a command line says that wants a sign-in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginQuery {
    port: Option<u16>,
    challenge: Option<String>,
}

/// What the provider sends along; other words of it are not looked at.
#[derive(Deserialize)]
pub struct CallbackQuery {
    #[serde(default)]
    state: String,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

pub async fn methods(State(parts): State<ApiParts>) -> Json<SignInMethodsView> {
    Json(SignInMethodsView { password: true, oidc: parts.people.oidc_issuer().map(str::to_owned) })
}

pub async fn login(
    State(parts): State<ApiParts>,
    query: Result<Query<LoginQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(LoginQuery { port, challenge }) = query?;
    let waiting = match (port, challenge) {
        (None, None) => None,
        (Some(port), Some(challenge)) => Some(Waiting { port, challenge }),
        _ => return Err(ApiError::bad_request("`port` and `challenge` belong together")),
    };
    let begun = parts.people.oidc_begin(waiting, wall_now()).await?;
    let cookie = cookie::set_login(parts.transport, begun.browser.expose());
    redirect(&begun.url, cookie)
}

pub async fn callback(
    State(parts): State<ApiParts>,
    source: Source,
    headers: HeaderMap,
    query: Result<Query<CallbackQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(CallbackQuery { state, code, error, iss }) = query?;
    let browser = cookie::login(&headers).map(str::to_owned);
    let returned = Returned { state, code, error, issuer: iss, browser, source: source.0.to_string() };
    match parts.people.oidc_finish(returned, wall_now()).await? {
        Finished::CommandLine { port, code } => {
            redirect(&format!("http://127.0.0.1:{port}/?code={}", code.expose()), None)
        }
        Finished::Browser(signed_in) => {
            let cookie = cookie::set_session(parts.transport, signed_in.secret.expose());
            let mut response = SIGNED_IN.into_response();
            private(response.headers_mut(), cookie)?;
            Ok(response)
        }
    }
}

pub async fn redeem(
    State(parts): State<ApiParts>,
    source: Source,
    body: Result<Json<RedeemRequest>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(RedeemRequest { code, verifier }) = body?;
    let source = source.0.to_string();
    let signed_in = parts.people.oidc_redeem(&code, &verifier, &source, wall_now()).await?;
    answer(&parts, SessionKind::Cli, &signed_in)
}

fn redirect(to: &str, cookie: Option<HeaderValue>) -> Result<Response, ApiError> {
    let to = HeaderValue::from_str(to)
        .map_err(|_| ApiError::internal("the provider's address does not fit a header"))?;
    let mut response = StatusCode::SEE_OTHER.into_response();
    response.headers_mut().insert(LOCATION, to);
    if cookie.is_some() {
        private(response.headers_mut(), cookie)?;
    } else {
        response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    }
    Ok(response)
}

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NO_REFERRER: (HeaderName, HeaderValue) = (REFERRER_POLICY, HeaderValue::from_static("no-referrer"));

/// An answer for one browser: its cookie, kept nowhere, and no address told to the next page.
fn private(headers: &mut HeaderMap, cookie: Option<HeaderValue>) -> Result<(), ApiError> {
    let cookie =
        cookie.ok_or_else(|| ApiError::internal("a secret does not fit a cookie: please report this"))?;
    headers.append(SET_COOKIE, cookie);
    headers.insert(CACHE_CONTROL, NO_STORE);
    let (name, value) = NO_REFERRER;
    headers.insert(name, value);
    Ok(())
}

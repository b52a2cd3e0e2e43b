//! Cookies of browsers: the session, and the browser that began an OIDC sign-in. Must not: recognise a person.

use super::Transport;
use super::admission::CSRF_HEADER;
use crate::people::{SESSION_LIFE, csrf_of, same_secret};
use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

/// Cookie of a session, over TLS: browsers take it from this host and this path only.
const SESSION_TLS: &str = "__Host-pointsman-session";
/// Cookie of a session on this machine, where there is no TLS.
const SESSION_PLAIN: &str = "pointsman-session";
/// Cookie of the browser that began an OIDC sign-in.
const LOGIN: &str = "pointsman-login";
/// Path the sign-in cookie is for.
const LOGIN_PATH: &str = "/api/v1/oidc";
/// Life of the sign-in cookie, in seconds.
const LOGIN_SECS: u64 = 600;

fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut found = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value);
    let first = found.next()?;
    // Two of a name: somebody planted one. Neither is taken.
    found.next().is_none().then_some(first)
}

/// The session's secret.
pub fn session(headers: &HeaderMap) -> Option<&str> {
    value(headers, SESSION_TLS).or_else(|| value(headers, SESSION_PLAIN))
}

/// The secret of the browser that began a sign-in.
pub fn login(headers: &HeaderMap) -> Option<&str> {
    value(headers, LOGIN)
}

/// Whether the second secret of the session is in its header.
pub fn has_csrf(headers: &HeaderMap, session: &str) -> bool {
    let presented = headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok());
    presented.is_some_and(|presented| same_secret(presented, &csrf_of(session)))
}

fn header(text: String) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Sets the session's cookie.
pub fn set_session(transport: Transport, secret: &str) -> Option<HeaderValue> {
    let (name, secure) = match transport {
        Transport::Tls => (SESSION_TLS, "; Secure"),
        Transport::Plain => (SESSION_PLAIN, ""),
    };
    let secs = SESSION_LIFE.0 / 1000;
    header(format!("{name}={secret}; Path=/; Max-Age={secs}; HttpOnly; SameSite=Lax{secure}"))
}

/// Takes the session's cookie away.
pub fn clear_session(transport: Transport) -> Option<HeaderValue> {
    let (name, secure) = match transport {
        Transport::Tls => (SESSION_TLS, "; Secure"),
        Transport::Plain => (SESSION_PLAIN, ""),
    };
    header(format!("{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{secure}"))
}

/// Sets the cookie of the browser that begins a sign-in.
pub fn set_login(transport: Transport, secret: &str) -> Option<HeaderValue> {
    let secure = if transport == Transport::Tls { "; Secure" } else { "" };
    header(format!(
        "{LOGIN}={secret}; Path={LOGIN_PATH}; Max-Age={LOGIN_SECS}; HttpOnly; SameSite=Lax{secure}"
    ))
}

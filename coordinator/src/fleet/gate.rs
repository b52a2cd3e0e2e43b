//! Who may call what, in one place: a table of all calls, and nothing that is not in it is let through.
//!
//! Owns: the check before every call. Must not: look into a message. Wraps the generated service; the service finds the
//! admitted host in the request and has no other way to learn who calls.

use super::connection::{ConnectionInfo, ConnectionState};
use super::identity::Denial;
use super::refusal::{Refusal, RefusalKind};
use super::service::Shared;
use super::wall_now;
use crate::trust::PeerId;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use proto::{PEM_BYTES_MAX, v1::agent_server::SERVICE_NAME};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::{Code, Request, Status};
use tower::Service;

/// Largest request, in bytes: a certificate request and its envelope. Streams have limits of their own.
const REQUEST_BYTES_MAX: usize = PEM_BYTES_MAX + 4 * 1024;

/// Who may make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// Anybody: the call itself asks for a token, or for the answer to a challenge.
    Nobody,
    /// The host that the certificate names, when it is enrolled with that key; it can speak of itself only.
    EnrolledHost,
}

/// Every call there is.
const CALLS: [(&str, Needs); 5] = [
    ("Enrol", Needs::Nobody),
    ("Recover", Needs::Nobody),
    ("Renew", Needs::EnrolledHost),
    ("Session", Needs::EnrolledHost),
    ("Confirm", Needs::EnrolledHost),
];

/// What a call needs; `None` for a call that is not in the table.
fn needs(path: &str) -> Option<Needs> {
    let call = path.strip_prefix('/')?.strip_prefix(SERVICE_NAME)?.strip_prefix('/')?;
    CALLS.iter().find(|(name, _)| *name == call).map(|(_, needs)| *needs)
}

/// The one call without an end of its own: its messages are judged by the stream's task.
const STREAM: &str = "Session";

fn call_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// What was wrong with a request that the service never saw.
fn unread(answer: &http::Response<Body>, cut: bool) -> Option<RefusalKind> {
    if cut {
        return Some(RefusalKind::TooLarge);
    }
    match Status::from_header_map(answer.headers())?.code() {
        Code::Internal => Some(RefusalKind::Message),
        Code::OutOfRange => Some(RefusalKind::TooLarge),
        _ => None,
    }
}

/// The host a call was admitted for; only the gate makes one.
#[derive(Debug, Clone)]
pub(super) struct Admitted(PeerId);

/// The host that calls. An error means that the call was let through without one: a mistake in the table above.
pub(super) fn admitted<T>(request: &Request<T>) -> Result<PeerId, Status> {
    request
        .extensions()
        .get::<Admitted>()
        .map(|Admitted(peer)| peer.clone())
        .ok_or_else(|| Denial::NoCertificate.status())
}

/// The connection a request came over.
pub(super) fn connection_of(extensions: &http::Extensions) -> Result<Arc<ConnectionState>, Status> {
    extensions
        .get::<ConnectionInfo>()
        .map(|ConnectionInfo(state)| Arc::clone(state))
        .ok_or_else(|| Status::internal("the connection is unknown"))
}

/// The service behind the check.
#[derive(Clone)]
pub(super) struct Gate<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S> Gate<S> {
    pub(super) fn new(inner: S, shared: Arc<Shared>) -> Self {
        Self { inner, shared }
    }
}

impl<S: NamedService> NamedService for Gate<S> {
    const NAME: &'static str = S::NAME;
}

async fn check(shared: &Shared, mut request: http::Request<Body>) -> Result<http::Request<Body>, Status> {
    let path = request.uri().path();
    match needs(path) {
        None => {
            tracing::warn!(path, "a call that does not exist was refused");
            let connection = connection_of(request.extensions())?;
            let host = connection.peer.as_ref().map(|peer| peer.host.clone());
            shared.refused(Refusal::new(RefusalKind::UnknownCall, host, connection.facts.remote, path));
            Err(Status::permission_denied("there is no such call"))
        }
        Some(Needs::Nobody) => Ok(request),
        Some(Needs::EnrolledHost) => {
            let call = call_of(path);
            let connection = connection_of(request.extensions())?;
            let Some(peer) = connection.peer.clone() else {
                return Err(shared.denied(None, &connection, call, &Denial::NoCertificate));
            };
            let admission = if peer.expires <= wall_now() {
                Err(Denial::Expired)
            } else {
                shared.identities.admit(peer.clone(), connection.facts.remote).await
            };
            admission.map_err(|denial| shared.denied(Some(&peer.host), &connection, call, &denial))?;
            request.extensions_mut().insert(Admitted(peer));
            Ok(request)
        }
    }
}

impl<S> Service<http::Request<Body>> for Gate<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        // The one that was asked whether it is ready, not its copy.
        let fresh = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, fresh);
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let request = match check(&shared, request).await {
                Ok(request) => request,
                Err(status) => return Ok(status.into_http()),
            };
            let (call, peer) =
                (call_of(request.uri().path()).to_owned(), connection_of(request.extensions()));
            if call == STREAM {
                return ready.call(request).await;
            }
            let cut = Arc::new(AtomicBool::new(false));
            let limit = Arc::clone(&cut);
            let request = request.map(|body| {
                Body::new(Limited::new(body, REQUEST_BYTES_MAX).map_err(move |error| {
                    limit.store(error.is::<LengthLimitError>(), Ordering::Relaxed);
                    error
                }))
            });
            let answer = ready.call(request).await?;
            if let (Some(kind), Ok(connection)) = (unread(&answer, cut.load(Ordering::Relaxed)), peer) {
                let host = connection.peer.as_ref().map(|peer| peer.host.clone());
                shared.refused(Refusal::new(kind, host, connection.facts.remote, &call));
            }
            Ok(answer)
        })
    }
}

#[cfg(test)]
mod tests;

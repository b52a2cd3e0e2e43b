//! Smart HTTP for libgit2 over our own HTTP client: one TLS stack, redirects only within the host, every limit ours.
//!
//! Must not: send a credential to another host or scheme. Called by: libgit2, through the registration.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use git2::transport::{Service, SmartSubtransport};
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use reqwest::{StatusCode, Url, redirect};

use super::super::error::printable;
use super::super::settings::Auth;
use super::{Endpoint, Failure, Session, Stream, refuse_push};

/// Time to establish a connection; the whole fetch has its own limit.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// Redirects followed within one request.
const MAX_REDIRECTS: usize = 3;
/// Some forges answer Git over HTTP only to clients that say they are Git.
const USER_AGENT: &str = concat!("git/2.0 (pointsman ", env!("CARGO_PKG_VERSION"), ")");
/// User name sent with a bare token; forges look at the token only.
const TOKEN_USER: &str = "x-access-token";

const REFS_SUFFIX: &str = "info/refs";
const REFS_QUERY: &str = "service=git-upload-pack";
const PACK_SUFFIX: &str = "git-upload-pack";
const REFS_TYPE: &str = "application/x-git-upload-pack-advertisement";
const REQUEST_TYPE: &str = "application/x-git-upload-pack-request";
const RESULT_TYPE: &str = "application/x-git-upload-pack-result";

/// The client for one mirror. Fails when the process has no TLS provider installed.
pub(crate) fn client() -> Result<Client, String> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        return Err("no TLS provider is installed in this process".to_owned());
    }
    Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIME)
        .redirect(redirect::Policy::custom(follow_within_host))
        .build()
        .map_err(|error| printable(&error.to_string()))
}

fn follow_within_host(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let origin =
        |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default());
    let same = attempt.previous().first().is_some_and(|first| origin(first) == origin(attempt.url()));
    if same && attempt.previous().len() <= MAX_REDIRECTS {
        return attempt.follow();
    }
    let place = attempt.url().host_str().unwrap_or("another place").to_owned();
    attempt.error(format!("it redirects to {place}, which is not followed"))
}

/// One conversation with one repository.
pub(super) struct HttpTransport {
    session: Arc<Session>,
    /// Where the first request ended after redirects: a POST would lose its body on the way.
    base: Mutex<Option<Url>>,
}

impl HttpTransport {
    pub(super) fn new(session: Arc<Session>) -> Self {
        Self { session, base: Mutex::new(None) }
    }

    fn advertisement(&self) -> Result<Stream, git2::Error> {
        let session = &self.session;
        let Endpoint::Http(configured) = &session.endpoint else { return refuse_push(session) };
        let mut url = below(configured, REFS_SUFFIX);
        url.set_query(Some(REFS_QUERY));
        let client = client_of(session)?;
        let request = client.get(url).header(ACCEPT, REFS_TYPE).header(CACHE_CONTROL, "no-cache");
        let response = send(session, request, REFS_TYPE)?;
        let path = response.url().path();
        let base = path.strip_suffix(REFS_SUFFIX).map(str::to_owned).ok_or_else(|| {
            session.fail(Failure::BadReply("it redirects to an address that is no repository".to_owned()))
        })?;
        let mut moved = response.url().clone();
        moved.set_query(None);
        moved.set_path(&base);
        *self.base.lock().unwrap_or_else(PoisonError::into_inner) = Some(moved);
        Ok(Box::new(HttpStream { session: Arc::clone(session), state: State::Receiving(Box::new(response)) }))
    }

    fn exchange(&self) -> Result<Stream, git2::Error> {
        let base = self.base.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(base) = base else { return refuse_push(&self.session) };
        let state = State::Collecting { url: below(&base, PACK_SUFFIX), body: Vec::new() };
        Ok(Box::new(HttpStream { session: Arc::clone(&self.session), state }))
    }
}

impl SmartSubtransport for HttpTransport {
    fn action(&self, _inner_url: &str, service: Service) -> Result<Stream, git2::Error> {
        match service {
            Service::UploadPackLs => self.advertisement(),
            Service::UploadPack => self.exchange(),
            Service::ReceivePackLs | Service::ReceivePack => refuse_push(&self.session),
        }
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

fn below(base: &Url, suffix: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{suffix}", base.path().trim_end_matches('/')));
    url
}

fn client_of(session: &Session) -> Result<&Client, git2::Error> {
    session
        .client
        .as_ref()
        .ok_or_else(|| session.fail(Failure::Unreachable("the mirror has no https client".to_owned())))
}

fn authorized(request: RequestBuilder, auth: &Auth) -> RequestBuilder {
    match auth {
        Auth::Token(token) => request.basic_auth(TOKEN_USER, Some(token.expose())),
        Auth::Bearer(token) => request.bearer_auth(token.expose()),
        Auth::Basic { user, password } => request.basic_auth(user, Some(password.expose())),
        Auth::None | Auth::SshKey { .. } | Auth::SshCommand { .. } => request,
    }
}

/// Sends a request and accepts only a Git answer of the expected kind.
fn send(session: &Session, request: RequestBuilder, expected: &str) -> Result<Response, git2::Error> {
    let left = session.remaining();
    if left.is_zero() {
        return Err(session.fail(Failure::TimedOut));
    }
    let response = authorized(request, &session.auth)
        .timeout(left)
        .send()
        .map_err(|error| session.fail(broken(&error.without_url())))?;
    let status = response.status();
    if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN {
        return Err(session.fail(Failure::AuthRefused(format!("HTTP status {status}"))));
    }
    if !status.is_success() {
        return Err(session.fail(Failure::Unreachable(format!("HTTP status {status}"))));
    }
    let kind =
        response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("nothing");
    if kind != expected {
        let reason = format!("content type {} instead of {expected}", printable(kind));
        return Err(session.fail(Failure::BadReply(reason)));
    }
    Ok(response)
}

/// The most telling text of an error chain; the outermost one only says that a request failed.
fn broken(error: &reqwest::Error) -> Failure {
    if error.is_timeout() && !error.is_connect() {
        return Failure::TimedOut;
    }
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    Failure::Unreachable(printable(&innermost.to_string()))
}

enum State {
    Collecting { url: Url, body: Vec<u8> },
    Receiving(Box<Response>),
}

/// One request and its answer: libgit2 writes all, then reads all.
struct HttpStream {
    session: Arc<Session>,
    state: State,
}

impl HttpStream {
    fn post(&self, url: &Url, body: Vec<u8>) -> io::Result<Response> {
        let given_up = |error: git2::Error| io::Error::other(error.message().to_owned());
        let request = client_of(&self.session)
            .map_err(given_up)?
            .post(url.clone())
            .header(CONTENT_TYPE, REQUEST_TYPE)
            .header(ACCEPT, RESULT_TYPE)
            .body(body);
        send(&self.session, request, RESULT_TYPE).map_err(given_up)
    }
}

impl Read for HttpStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let State::Collecting { url, body } = &mut self.state {
            let (url, body) = (url.clone(), std::mem::take(body));
            self.state = State::Receiving(Box::new(self.post(&url, body)?));
        }
        let State::Receiving(response) = &mut self.state else {
            return Err(io::Error::other("the request was not sent"));
        };
        match response.read(buffer) {
            Ok(bytes) => self.session.received(bytes),
            Err(error) => {
                let late = self.session.remaining().is_zero() || error.kind() == io::ErrorKind::TimedOut;
                let lost =
                    Failure::Unreachable("the connection was lost in the middle of an answer".to_owned());
                Err(self.session.fail_io(if late { Failure::TimedOut } else { lost }))
            }
        }
    }
}

impl Write for HttpStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.state {
            State::Collecting { body, .. } => body.write(bytes),
            State::Receiving(_) => Err(io::Error::other("the request was already sent")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

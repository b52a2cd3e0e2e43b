//! One request to a forge and its answer: time, size, repeats, rate limits, pages, credential.
//!
//! Owns: every limit of the way to a forge. Must not: follow a redirect or an address out of an answer (pages are asked for by
//! number), or put a credential into an error. Called by the clients.
//!
//! A forge that wants no requests for a while gets none: the wait is remembered, short waits are waited, longer ones are an
//! error that says how long.

use super::app_token::AppToken;
use super::error::printable;
use super::{Credential, ForgeError, ForgeKind, ForgeSettings};
use crate::tasks::wall_now;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LINK, RETRY_AFTER};
use reqwest::{Client, Method, StatusCode, Url, redirect};
use serde::de::DeserializeOwned;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const USER_AGENT: &str = concat!("pointsman/", env!("CARGO_PKG_VERSION"));
/// Time to establish a connection.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// Longest wait that a forge can ask for; more is taken for this.
const REST_MAX: Duration = Duration::from_secs(3_600);
/// Wait after a refusal for too many requests that names no time (GitHub: at least a minute).
const REST_UNNAMED: Duration = Duration::from_secs(60);
/// Version of GitHub's API.
const GITHUB_VERSION: &str = "2022-11-28";

/// Limits of the way to a forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpLimits {
    /// Time for one request with its whole answer.
    pub request_time: Duration,
    /// Times a request is made that may be repeated.
    pub attempts_max: u32,
    /// Wait before the second time; doubled each time.
    pub first_wait: Duration,
    /// Longest wait for a forge that wants no requests; longer is an error.
    pub rest_wait_max: Duration,
    /// Bytes of one answer.
    pub answer_bytes_max: usize,
    /// Pages of one list.
    pub pages_max: u32,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            request_time: Duration::from_secs(20),
            attempts_max: 4,
            first_wait: Duration::from_millis(500),
            rest_wait_max: Duration::from_secs(15),
            answer_bytes_max: 8 * 1024 * 1024,
            pages_max: 30,
        }
    }
}

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    method: Method,
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
    body: Option<serde_json::Value>,
    /// Made again when it is not known whether the forge took it.
    repeatable: bool,
}

impl Ask {
    fn new(method: Method, path: &[&str]) -> Self {
        let path = path.iter().map(|part| (*part).to_owned()).collect();
        Self { method, path, query: Vec::new(), body: None, repeatable: true }
    }

    pub(super) fn get(path: &[&str]) -> Self {
        Self::new(Method::GET, path)
    }

    pub(super) fn post(path: &[&str], body: serde_json::Value) -> Self {
        Self::new(Method::POST, path).body(body)
    }

    pub(super) fn put(path: &[&str], body: serde_json::Value) -> Self {
        Self::new(Method::PUT, path).body(body)
    }

    pub(super) fn patch(path: &[&str], body: serde_json::Value) -> Self {
        Self::new(Method::PATCH, path).body(body)
    }

    pub(super) fn delete(path: &[&str]) -> Self {
        Self::new(Method::DELETE, path)
    }

    fn body(mut self, body: serde_json::Value) -> Self {
        self.body = Some(body);
        self
    }

    pub(super) fn query(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.query.push((key, value.into()));
        self
    }

    /// Made once only.
    pub(super) fn once(mut self) -> Self {
        self.repeatable = false;
        self
    }

    /// What is asked, for errors.
    fn doing(&self) -> String {
        printable(&format!("{} {}", self.method, self.path.join("/")))
    }
}

/// An answer with a status of success.
pub(super) struct Reply {
    headers: HeaderMap,
    body: Vec<u8>,
}

enum Auth {
    Fixed(HeaderName, HeaderValue),
    App(Box<AppToken>),
}

/// The way to one forge.
pub(super) struct Http {
    client: Client,
    api: Url,
    kind: ForgeKind,
    auth: Auth,
    limits: HttpLimits,
    rest_until: Mutex<Option<Instant>>,
}

impl Http {
    pub(super) fn new(settings: &ForgeSettings, limits: HttpLimits) -> Result<Self, ForgeError> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(ForgeError::Settings("no TLS provider is installed in this process".to_owned()));
        }
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIME)
            .timeout(limits.request_time)
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| ForgeError::Settings(printable(&error.to_string())))?;
        Ok(Self {
            client,
            api: settings.api()?,
            kind: settings.kind,
            auth: auth(settings)?,
            limits,
            rest_until: Mutex::new(None),
        })
    }

    /// Asks, and reads the answer as JSON.
    pub(super) async fn json<T: DeserializeOwned>(&self, ask: Ask) -> Result<T, ForgeError> {
        let reply = self.send(&ask).await?;
        read(&ask, &reply)
    }

    /// Asks; what the answer says is of no interest.
    pub(super) async fn done(&self, ask: Ask) -> Result<(), ForgeError> {
        self.send(&ask).await.map(|_| ())
    }

    /// Like [`Self::done`], but what is not there is no error.
    pub(super) async fn done_or_gone(&self, ask: Ask) -> Result<(), ForgeError> {
        match self.done(ask).await {
            Err(ForgeError::NotFound { .. }) => Ok(()),
            other => other,
        }
    }

    /// Asks for every page of a list.
    pub(super) async fn all<T: DeserializeOwned>(&self, ask: Ask) -> Result<Vec<T>, ForgeError> {
        let mut found = Vec::new();
        for page in 1..=self.limits.pages_max {
            let ask = ask.clone().query("page", page.to_string());
            let reply = self.send(&ask).await?;
            found.append(&mut read::<Vec<T>>(&ask, &reply)?);
            if !has_next(&reply.headers) {
                return Ok(found);
            }
        }
        let reason = format!("the list has more than {} pages", self.limits.pages_max);
        Err(ForgeError::BadAnswer { doing: ask.doing(), reason })
    }

    /// The name a GitHub App writes under; nothing when we are an account.
    pub(super) async fn app_account(&self) -> Result<Option<String>, ForgeError> {
        let Auth::App(app) = &self.auth else { return Ok(None) };
        app.account(self).await.map(Some)
    }

    /// Asks, again where that may help.
    async fn send(&self, ask: &Ask) -> Result<Reply, ForgeError> {
        let mut renewed = false;
        loop {
            let (name, value) = match &self.auth {
                Auth::Fixed(name, value) => (name.clone(), value.clone()),
                Auth::App(app) => (AUTHORIZATION, app.authorization(self).await?),
            };
            match (self.persist(ask, &name, &value).await, &self.auth) {
                // A token that was taken back before its time: once with a new one.
                (Err(ForgeError::Unauthorised { status: 401, .. }), Auth::App(app)) if !renewed => {
                    renewed = true;
                    app.forget().await;
                }
                (result, _) => return result,
            }
        }
    }

    /// Asks with this credential, again while that may help.
    pub(super) async fn persist(
        &self,
        ask: &Ask,
        name: &HeaderName,
        value: &HeaderValue,
    ) -> Result<Reply, ForgeError> {
        let mut wait = self.limits.first_wait;
        let mut attempt = 1;
        loop {
            self.rest().await?;
            let error = match self.exchange(ask, name, value).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            // Asked for too much: it was not taken, so it may be made again by anybody.
            let limited = matches!(error, ForgeError::RateLimited { .. });
            if attempt >= self.limits.attempts_max || !error.is_passing() || !(ask.repeatable || limited) {
                return Err(error);
            }
            attempt += 1;
            if !limited {
                tokio::time::sleep(wait).await;
                wait = wait.saturating_mul(2);
            }
        }
    }

    /// Waits until the forge wants requests again.
    async fn rest(&self) -> Result<(), ForgeError> {
        let until = *self.rest_until.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = until.map(|until| until.saturating_duration_since(Instant::now())).unwrap_or_default();
        if wait > self.limits.rest_wait_max {
            return Err(ForgeError::RateLimited { wait });
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }

    fn rest_for(&self, wait: Duration) {
        let until = Instant::now() + wait.min(REST_MAX);
        let mut known = self.rest_until.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some(known.map_or(until, |known| known.max(until)));
    }

    async fn exchange(&self, ask: &Ask, name: &HeaderName, value: &HeaderValue) -> Result<Reply, ForgeError> {
        let doing = ask.doing();
        let lost = |error: reqwest::Error| ForgeError::Unreachable {
            doing: doing.clone(),
            reason: printable(&causes(&error.without_url())),
        };
        let mut url = self.api.clone();
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().extend(&ask.path);
        }
        if !ask.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&ask.query);
        }
        let mut request = self.client.request(ask.method.clone(), url).header(name, value);
        if self.kind == ForgeKind::Github {
            request = request
                .header(ACCEPT, "application/vnd.github+json")
                .header("x-github-api-version", GITHUB_VERSION);
        }
        if let Some(body) = &ask.body {
            request = request.json(body);
        }
        let mut response = request.send().await.map_err(lost)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > self.limits.answer_bytes_max {
                let reason = format!("it is larger than {} bytes", self.limits.answer_bytes_max);
                return Err(ForgeError::BadAnswer { doing, reason });
            }
            body.extend_from_slice(&chunk);
        }
        if let Some(wait) = rest_wanted(status, &headers, &body) {
            self.rest_for(wait);
            if !status.is_success() {
                return Err(ForgeError::RateLimited { wait: wait.min(REST_MAX) });
            }
        }
        judge(status, doing, &body)?;
        Ok(Reply { headers, body })
    }
}

fn auth(settings: &ForgeSettings) -> Result<Auth, ForgeError> {
    let token = match &settings.credential {
        Credential::Token(token) => token,
        Credential::App { id, key } => {
            if settings.kind != ForgeKind::Github {
                return Err(ForgeError::Settings("`forge.app_id` is for GitHub only".to_owned()));
            }
            let (owner, name) = settings.owner_and_name()?;
            return Ok(Auth::App(Box::new(AppToken::new(id, key, owner, name)?)));
        }
    };
    let (name, text) = match settings.kind {
        ForgeKind::Github => (AUTHORIZATION, format!("Bearer {}", token.expose())),
        ForgeKind::Gitlab => (HeaderName::from_static("private-token"), token.expose().to_owned()),
        ForgeKind::Gitea => (AUTHORIZATION, format!("token {}", token.expose())),
    };
    Ok(Auth::Fixed(name, secret_header(&text)?))
}

/// A header that is not shown.
pub(super) fn secret_header(text: &str) -> Result<HeaderValue, ForgeError> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| ForgeError::Settings("the token holds characters that no token has".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

pub(super) fn read<T: DeserializeOwned>(ask: &Ask, reply: &Reply) -> Result<T, ForgeError> {
    serde_json::from_slice(&reply.body)
        .map_err(|error| ForgeError::BadAnswer { doing: ask.doing(), reason: printable(&error.to_string()) })
}

fn causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        text.push_str(": ");
        text.push_str(&deeper.to_string());
        cause = deeper.source();
    }
    text
}

/// Whether a list goes on. Only that is read from the headers; the next page is asked for by number.
fn has_next(headers: &HeaderMap) -> bool {
    let link = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    let by_link = link.flat_map(|text| text.split(',')).any(|part| part.contains("rel=\"next\""));
    let by_number =
        headers.get("x-next-page").and_then(|value| value.to_str().ok()).is_some_and(|text| !text.is_empty());
    by_link || by_number
}

/// How long the forge wants no requests, when it says so.
fn rest_wanted(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let after = number(RETRY_AFTER.as_str()).map(Duration::from_secs);
    let spent = number("x-ratelimit-remaining").or_else(|| number("ratelimit-remaining")) == Some(0);
    let reset = number("x-ratelimit-reset").or_else(|| number("ratelimit-reset"));
    let until_reset = reset.map(|at| Duration::from_secs(at.saturating_sub(wall_now().0 / 1_000)));
    match status {
        StatusCode::TOO_MANY_REQUESTS => Some(after.or(until_reset).unwrap_or(REST_UNNAMED)),
        StatusCode::FORBIDDEN if after.is_some() => after,
        StatusCode::FORBIDDEN if spent => Some(until_reset.unwrap_or(REST_UNNAMED)),
        // GitHub's secondary limit may name no time.
        StatusCode::FORBIDDEN if says_rate_limit(body) => Some(REST_UNNAMED),
        StatusCode::SERVICE_UNAVAILABLE => after,
        _ if status.is_success() && spent => until_reset,
        _ => None,
    }
}

fn says_rate_limit(body: &[u8]) -> bool {
    message(body).to_ascii_lowercase().contains("rate limit")
}

fn judge(status: StatusCode, doing: String, body: &[u8]) -> Result<(), ForgeError> {
    let code = status.as_u16();
    match code {
        200..=299 => Ok(()),
        300..=399 => Err(ForgeError::Redirected { doing }),
        401 | 403 => Err(ForgeError::Unauthorised { doing, status: code, message: message(body) }),
        404 | 410 => Err(ForgeError::NotFound { doing }),
        408 | 500..=599 => Err(ForgeError::Failed { doing, status: code, message: message(body) }),
        _ => Err(ForgeError::Rejected { doing, status: code, message: message(body) }),
    }
}

/// What an error says: `message` or `error` of its JSON, else nothing.
fn message(body: &[u8]) -> String {
    let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let found = value.get("message").or_else(|| value.get("error"));
    match found {
        Some(serde_json::Value::String(text)) => printable(text),
        Some(other) => printable(&other.to_string()),
        None => "no reason given".to_owned(),
    }
}

//! The verbs' way to the coordinator: HTTP and JSON, with a token or a session.
//!
//! Owns: addresses, timeouts, and errors in an operator's words. Must not: know a verb. Called by the online verbs.

use super::failure::CliError;
use super::sessions::Sessions;
use super::time::now;
use crate::api::views::{PageView, ProblemView};
use crate::settings::Settings;
use model::Secret;
use reqwest::blocking::{Client as HttpClient, RequestBuilder, Response};
use reqwest::{Certificate, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest wait for a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Longest wait for an answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// How often a request is sent again that came too soon after others.
const TOO_MANY_RETRIES_MAX: u32 = 5;
/// Wait before it is sent again.
const TOO_MANY_PAUSE: Duration = Duration::from_secs(1);
/// Most pages read of one list.
const PAGES_MAX: usize = 1000;

/// Where the coordinator is and how we prove who we are.
#[derive(Debug, Clone, clap::Args)]
pub struct Remote {
    /// Address of the coordinator's operator interface.
    #[arg(long, default_value = "http://127.0.0.1:7480")]
    pub coordinator: String,
    /// File that holds a token: an API token, or `operator.token` of the state folder of `pointsman serve`. Without it the
    /// session of `pointsman login` is used, else the operator's token of the coordinator set up on this machine.
    #[arg(long)]
    pub token_file: Option<PathBuf>,
    /// Certificates of the authority that signed the coordinator's, for https. Without it the system's, and the built-in
    /// authority of the coordinator set up on this machine.
    #[arg(long)]
    pub ca_file: Option<PathBuf>,
    /// File with the sessions of `pointsman login`.
    #[arg(long, hide = true)]
    pub session_file: Option<PathBuf>,
}

impl Remote {
    /// A client for it that says who we are.
    pub fn client(&self) -> Result<Client, CliError> {
        let token = self.token()?;
        if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(CliError::Failed("the file with the token holds none".to_owned()));
        }
        Ok(Client { http: self.http()?, base: self.base()?, token: Some(Secret::new(token)) })
    }

    /// A client for it that does not say who we are: to sign in.
    pub fn nobody(&self) -> Result<Client, CliError> {
        Ok(Client { http: self.http()?, base: self.base()?, token: None })
    }

    /// The address, in the form sessions are kept under.
    pub fn base(&self) -> Result<String, CliError> {
        let base = self.coordinator.trim_end_matches('/').to_owned();
        if !base.starts_with("http://") && !base.starts_with("https://") {
            let message = format!("--coordinator `{base}` is no address: write https://HOST:PORT");
            return Err(CliError::Usage(message));
        }
        Ok(base)
    }

    fn http(&self) -> Result<HttpClient, CliError> {
        // Needed once per process; a second call finds the first one's and that is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = HttpClient::builder()
            .connect_timeout(CONNECT_LIMIT)
            .timeout(ANSWER_LIMIT)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        if let Some(path) = self.ca_file.clone().or_else(|| self.own_authority()) {
            let pem = std::fs::read(&path).map_err(CliError::file("read", &path))?;
            let bad = |error| CliError::Failed(format!("{} holds no certificate: {error}", path.display()));
            builder = builder.tls_certs_merge(Certificate::from_pem_bundle(&pem).map_err(bad)?);
        }
        builder.build().map_err(CliError::failed)
    }

    /// The built-in authority, when the coordinator is set up on this machine.
    fn own_authority(&self) -> Option<PathBuf> {
        if !self.coordinator.starts_with("https://") {
            return None;
        }
        let settings = Settings::load(&Settings::file(None)).ok()?;
        Some(settings.authority_dir().join("ca.pem")).filter(|path| path.exists())
    }

    /// The token that is named; else the session; else the operator's token of this machine.
    fn token(&self) -> Result<String, CliError> {
        let read = |path: &Path| {
            let text = std::fs::read_to_string(path).map_err(CliError::file("read the token", path))?;
            Ok(text.trim().to_owned())
        };
        if let Some(path) = &self.token_file {
            return read(path);
        }
        let sessions = Sessions::load(self.session_file.as_ref())?;
        if let Some(session) = sessions.as_ref().and_then(|kept| kept.of(&self.base().ok()?, now())) {
            return Ok(session.token.clone());
        }
        let settings = Settings::load(&Settings::file(None)).map_err(|_| {
            CliError::Usage(
                "say who you are: run `pointsman login`, or name a file with a token: --token-file FILE"
                    .to_owned(),
            )
        })?;
        read(&settings.operator_token_file())
    }
}

/// A way to one coordinator.
pub struct Client {
    http: HttpClient,
    base: String,
    token: Option<Secret>,
}

impl Client {
    /// Reads one thing.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        self.answer(self.http.get(self.url(path)))
    }

    /// Reads every page of a list. `path` may carry a query.
    pub fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, CliError> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let page: PageView<T> = match &cursor {
                None => self.get(path)?,
                Some(cursor) => {
                    let mark = if path.contains('?') { '&' } else { '?' };
                    self.get(&format!("{path}{mark}cursor={cursor}"))?
                }
            };
            items.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        Ok(items)
    }

    /// Asks for something to be done.
    pub fn post<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, CliError> {
        self.answer(self.http.post(self.url(path)).json(body))
    }

    /// Asks for something to be changed.
    pub fn patch<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, CliError> {
        self.answer(self.http.patch(self.url(path)).json(body))
    }

    /// Asks for something to be ended.
    pub fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        self.answer(self.http.delete(self.url(path)))
    }

    /// The coordinator's address.
    pub fn base(&self) -> &str {
        &self.base
    }

    fn url(&self, path: &str) -> String {
        format!("{}/api/v1/{path}", self.base)
    }

    fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, CliError> {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        };
        let response = self.send(request)?;
        let status = response.status();
        if !status.is_success() {
            return Err(self.refused(response));
        }
        response.json().map_err(|error| {
            if error.is_decode() {
                CliError::Failed(format!("the answer of {} is not understood: {error}", self.base))
            } else {
                self.unreachable(&error)
            }
        })
    }

    /// Sends a request; when we asked too often, which nothing was done for, waits and asks again.
    fn send(&self, request: RequestBuilder) -> Result<Response, CliError> {
        let mut request = request;
        for _ in 0..TOO_MANY_RETRIES_MAX {
            let Some(again) = request.try_clone() else { break };
            let response = request.send().map_err(|error| self.unreachable(&error))?;
            if response.status() != StatusCode::TOO_MANY_REQUESTS {
                return Ok(response);
            }
            std::thread::sleep(TOO_MANY_PAUSE);
            request = again;
        }
        request.send().map_err(|error| self.unreachable(&error))
    }

    fn unreachable(&self, error: &reqwest::Error) -> CliError {
        let mut reason = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(inner) = source {
            reason = inner.to_string();
            source = inner.source();
        }
        CliError::Unreachable { url: self.base.clone(), reason }
    }

    fn refused(&self, response: Response) -> CliError {
        let status = response.status().as_u16();
        let message = match response.json::<ProblemView>() {
            Ok(problem) => problem.message,
            Err(_) => format!("{} answers with status {status}: is it a Pointsman coordinator?", self.base),
        };
        CliError::Refused { status, message: super::screen::printable(&message) }
    }
}

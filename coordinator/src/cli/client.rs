//! The verbs' way to the coordinator: HTTP and JSON with the operator's token.
//!
//! Owns: addresses, timeouts, and errors in an operator's words. Must not: know a verb. Called by the online verbs.

use super::failure::CliError;
use crate::api::views::{PageView, ProblemView};
use crate::settings::Settings;
use model::Secret;
use reqwest::blocking::{Client as HttpClient, RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::PathBuf;
use std::time::Duration;

/// Longest wait for a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Longest wait for an answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// Most pages read of one list.
const PAGES_MAX: usize = 1000;

/// Where the coordinator is and how we prove who we are.
#[derive(Debug, Clone, clap::Args)]
pub struct Remote {
    /// Address of the coordinator's operator interface.
    #[arg(long, default_value = "http://127.0.0.1:7480")]
    pub coordinator: String,
    /// File that holds the operator's token: `operator.token` in the state folder of `pointsman serve`.
    #[arg(long)]
    pub token_file: Option<PathBuf>,
}

impl Remote {
    /// A client for it.
    pub fn client(&self) -> Result<Client, CliError> {
        let path = self.token_file()?;
        let token = std::fs::read_to_string(&path).map_err(CliError::file("read the token", &path))?;
        let token = token.trim().to_owned();
        if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(CliError::Failed(format!("{} holds no token", path.display())));
        }
        let base = self.coordinator.trim_end_matches('/').to_owned();
        if !base.starts_with("http://") && !base.starts_with("https://") {
            return Err(CliError::Usage(format!(
                "--coordinator `{base}` is no address: write http://HOST:PORT"
            )));
        }
        // Needed once per process; a second call finds the first one's and that is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = HttpClient::builder()
            .connect_timeout(CONNECT_LIMIT)
            .timeout(ANSWER_LIMIT)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(CliError::failed)?;
        Ok(Client { http, base, token: Secret::new(token) })
    }

    /// The file that is named, else the one of the coordinator set up on this machine.
    fn token_file(&self) -> Result<PathBuf, CliError> {
        match &self.token_file {
            Some(path) => Ok(path.clone()),
            None => Settings::load(&Settings::file(None))
                .map(|settings| settings.operator_token_file())
                .map_err(|_| {
                    CliError::Usage("name the file with the operator's token: --token-file FILE".to_owned())
                }),
        }
    }
}

/// A way to one coordinator.
pub struct Client {
    http: HttpClient,
    base: String,
    token: Secret,
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

    fn url(&self, path: &str) -> String {
        format!("{}/api/v1/{path}", self.base)
    }

    fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, CliError> {
        let response =
            request.bearer_auth(self.token.expose()).send().map_err(|error| self.unreachable(&error))?;
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

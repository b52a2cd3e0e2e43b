//! HTTP to the provider: no redirect, no proxy, a time limit and a size limit on every answer.
//!
//! Must not: understand what is in an answer. Called by `provider`.

use super::refusal::OidcRefusal;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Certificate, Client, RequestBuilder, redirect};
use serde::de::DeserializeOwned;
use std::path::Path;
use std::time::Duration;

/// Longest wait for a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Longest wait for a whole answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// Largest answer, in bytes.
pub const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// Longest word of the provider that is passed on, in characters.
const WORD_CHARS_MAX: usize = 80;

/// The client.
#[derive(Debug, Clone)]
pub struct Http(Client);

impl Http {
    /// A client that trusts the system's authorities, and those of this file.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, String> {
        // Needed once per process; a second call finds the first one's and that is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .connect_timeout(CONNECT_LIMIT)
            .timeout(ANSWER_LIMIT)
            .no_proxy()
            .redirect(redirect::Policy::none());
        if let Some(path) = ca_file {
            let pem = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
            let certificates =
                Certificate::from_pem_bundle(&pem).map_err(|error| format!("{}: {error}", path.display()))?;
            builder = builder.tls_certs_merge(certificates);
        }
        builder.build().map(Self).map_err(|error| error.to_string())
    }

    /// Reads a JSON document.
    pub async fn get<T: DeserializeOwned>(&self, what: &'static str, url: &str) -> Result<T, OidcRefusal> {
        let (status, body) = self.send(what, self.0.get(url)).await?;
        if status != 200 {
            return Err(OidcRefusal::Provider(format!("{what} answers with status {status}")));
        }
        json(what, &body)
    }

    /// Reads a JSON document that is shown to the holder of a token only.
    pub async fn get_with<T: DeserializeOwned>(
        &self,
        what: &'static str,
        url: &str,
        token: &str,
    ) -> Result<T, OidcRefusal> {
        let (status, body) = self.send(what, self.0.get(url).bearer_auth(token)).await?;
        if status != 200 {
            return Err(OidcRefusal::Provider(format!("{what} answers with status {status}")));
        }
        json(what, &body)
    }

    /// Sends a form; gives the status and the answer.
    pub async fn post_form(
        &self,
        what: &'static str,
        url: &str,
        form: String,
        authorization: Option<String>,
    ) -> Result<(u16, Vec<u8>), OidcRefusal> {
        let mut request =
            self.0.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        self.send(what, request).await
    }

    async fn send(&self, what: &'static str, request: RequestBuilder) -> Result<(u16, Vec<u8>), OidcRefusal> {
        let failed = |error: reqwest::Error| {
            // Without the address: it may carry more than it should.
            let error = error.without_url();
            tracing::warn!(what, %error, "the OIDC provider does not answer");
            let word = if error.is_timeout() { "does not answer in time" } else { "cannot be reached" };
            OidcRefusal::Provider(format!("{what} {word}"))
        };
        let mut response = request.header(ACCEPT, "application/json").send().await.map_err(failed)?;
        let status = response.status();
        if status.is_redirection() {
            return Err(OidcRefusal::Redirected);
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(OidcRefusal::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status.as_u16(), body))
    }
}

/// Reads an answer as JSON.
pub fn json<T: DeserializeOwned>(what: &'static str, body: &[u8]) -> Result<T, OidcRefusal> {
    serde_json::from_slice(body).map_err(|error| {
        OidcRefusal::Provider(format!("{what} is not understood: {}", word(&error.to_string())))
    })
}

/// Words of the provider, short and printable.
pub fn word(text: &str) -> String {
    text.chars().take(WORD_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

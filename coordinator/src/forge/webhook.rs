//! What a webhook must prove, and what it then hints at. Pure: headers and exact bytes in, an event out.
//!
//! Must not: believe more of a body than which pull request or branch to look at; everything else is read from the forge.
//! Called by the route that takes webhooks.
//!
//! | Forge | Scheme |
//! |---|---|
//! | GitHub | `X-Hub-Signature-256: sha256=<hex HMAC-SHA256 of the body>` |
//! | Gitea, Forgejo | `X-Gitea-Signature` or `X-Forgejo-Signature`: hex HMAC-SHA256 of the body |
//! | GitLab, secret `whsec_..` | Standard Webhooks: `webhook-signature: v1,<base64 HMAC-SHA256 of id.timestamp.body>`, not older than 5 minutes |
//! | GitLab, any other secret | `X-Gitlab-Token`: the secret itself |
//!
//! Only Standard Webhooks sign a time and the delivery's id. With the others a delivery is known by its body, so that a copy
//! under a new id is a repetition; after a week, when it is forgotten, it makes us look at the forge once more, and nothing else.

use super::{ForgeKind, ForgeSettings};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use model::{Secret, Wall};
use ring::hmac;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Difference between a signed time and now, in seconds.
pub const AGE_SECS_MAX: u64 = 300;
/// Characters of a delivery's id; a longer one is hashed.
const ID_CHARS_MAX: usize = 100;
/// How the secrets of Standard Webhooks begin.
const SIGNING_PREFIX: &str = "whsec_";

/// What a webhook hints at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum ForgeEvent {
    /// Something about a pull request.
    PullRequest {
        /// Its number.
        number: u64,
    },
    /// Commits on a branch.
    Push {
        /// The branch.
        branch: String,
    },
    /// Nothing for us.
    Other,
}

/// A webhook that proved where it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// The same for each time it is sent.
    pub delivery: String,
    /// What it hints at.
    pub event: ForgeEvent,
}

/// Why a webhook is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HookRefusal {
    /// There is nothing to check it with.
    #[error("no webhook secret is set here: write `forge.webhook_secret_file`")]
    NoSecret,
    /// It carries no signature of the scheme of this forge.
    #[error("the webhook is not signed: give it the secret of `forge.webhook_secret_file` on the forge")]
    NotSigned,
    /// The signature is of another secret or another body.
    #[error(
        "the webhook's signature is wrong: compare the secret on the forge with `forge.webhook_secret_file`"
    )]
    BadSignature,
    /// It is old, or from the future.
    #[error(
        "the webhook is more than {AGE_SECS_MAX} s away from this clock: compare the clocks; it may be a copy"
    )]
    Stale,
    /// It is not JSON.
    #[error("the webhook's body is not JSON: set its content type to application/json on the forge")]
    NotJson,
}

enum Key {
    /// HMAC over the body, or the text itself.
    Plain(hmac::Key),
    /// Standard Webhooks.
    Signing(hmac::Key),
}

/// Checks webhooks of one repository.
pub struct Hooks {
    kind: ForgeKind,
    repository: String,
    keys: Vec<Key>,
}

impl Hooks {
    /// For this repository.
    #[must_use]
    pub fn new(settings: &ForgeSettings) -> Self {
        let keys = settings.webhook_secrets.iter().map(|secret| key(settings.kind, secret)).collect();
        Self { kind: settings.kind, repository: settings.repository.clone(), keys }
    }

    /// Which forge, as the word that deliveries are stored under.
    #[must_use]
    pub fn source(&self) -> &'static str {
        self.kind.as_str()
    }

    /// Checks a webhook.
    ///
    /// # Errors
    /// When it proves nothing or says nothing.
    pub fn check(&self, headers: &HeaderMap, body: &[u8], now: Wall) -> Result<Arrived, HookRefusal> {
        if self.keys.is_empty() {
            return Err(HookRefusal::NoSecret);
        }
        match self.kind {
            ForgeKind::Github => self.check_hex(
                text(headers, "x-hub-signature-256").and_then(|signature| signature.strip_prefix("sha256=")),
                body,
            )?,
            ForgeKind::Gitea => {
                let signature =
                    text(headers, "x-forgejo-signature").or_else(|| text(headers, "x-gitea-signature"));
                self.check_hex(signature, body)?;
            }
            ForgeKind::Gitlab => self.check_gitlab(headers, body, now)?,
        }
        let value: Value = serde_json::from_slice(body).map_err(|_| HookRefusal::NotJson)?;
        let event = if self.is_ours(&value) { self.event(headers, &value) } else { ForgeEvent::Other };
        Ok(Arrived { delivery: self.delivery(headers, body), event })
    }

    fn check_hex(&self, signature: Option<&str>, body: &[u8]) -> Result<(), HookRefusal> {
        let tag = signature.and_then(bytes_of_hex).ok_or(HookRefusal::NotSigned)?;
        let good = self.keys.iter().any(|key| match key {
            Key::Plain(key) | Key::Signing(key) => hmac::verify(key, body, &tag).is_ok(),
        });
        if good { Ok(()) } else { Err(HookRefusal::BadSignature) }
    }

    fn check_gitlab(&self, headers: &HeaderMap, body: &[u8], now: Wall) -> Result<(), HookRefusal> {
        let mut refusal = HookRefusal::NotSigned;
        for key in &self.keys {
            let checked = match key {
                Key::Signing(key) => check_standard(key, headers, body, now),
                Key::Plain(key) => check_token(key, headers),
            };
            match checked {
                Ok(()) => return Ok(()),
                Err(HookRefusal::NotSigned) => {}
                Err(other) => refusal = other,
            }
        }
        Err(refusal)
    }

    /// Whether it is about our repository: one secret may serve a whole organisation.
    fn is_ours(&self, value: &Value) -> bool {
        let name = match self.kind {
            ForgeKind::Github | ForgeKind::Gitea => value.pointer("/repository/full_name"),
            ForgeKind::Gitlab => value.pointer("/project/path_with_namespace"),
        };
        name.and_then(Value::as_str).is_some_and(|name| name.eq_ignore_ascii_case(&self.repository))
    }

    fn event(&self, headers: &HeaderMap, value: &Value) -> ForgeEvent {
        let (word, number) = match self.kind {
            ForgeKind::Github => (text(headers, "x-github-event"), value.pointer("/pull_request/number")),
            ForgeKind::Gitea => {
                let word = text(headers, "x-forgejo-event").or_else(|| text(headers, "x-gitea-event"));
                (word, value.pointer("/pull_request/number"))
            }
            ForgeKind::Gitlab => {
                (value.get("object_kind").and_then(Value::as_str), value.pointer("/object_attributes/iid"))
            }
        };
        let word = word.unwrap_or_default();
        match (word, number.and_then(Value::as_u64)) {
            ("merge_request", Some(number)) if self.kind == ForgeKind::Gitlab => {
                ForgeEvent::PullRequest { number }
            }
            // `pull_request`, and on Gitea `pull_request_approved`, `pull_request_sync` and others. Comments, our own among
            // them, change nothing that is reviewed.
            (word, Some(number))
                if self.kind != ForgeKind::Gitlab
                    && word.starts_with("pull_request")
                    && !word.contains("comment") =>
            {
                ForgeEvent::PullRequest { number }
            }
            ("push", _) => {
                let branch = value
                    .get("ref")
                    .and_then(Value::as_str)
                    .and_then(|name| name.strip_prefix("refs/heads/"));
                branch.map_or(ForgeEvent::Other, |branch| ForgeEvent::Push { branch: branch.to_owned() })
            }
            _ => ForgeEvent::Other,
        }
    }

    /// The id of Standard Webhooks, which is signed; else a hash of what is signed, because the forge's own id is not: a copy
    /// under a new id is the same delivery.
    fn delivery(&self, headers: &HeaderMap, body: &[u8]) -> String {
        let usable = |id: &&str| {
            let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !id.is_empty() && id.len() <= ID_CHARS_MAX && id.chars().all(known)
        };
        let is_signed = self.keys.iter().any(|key| matches!(key, Key::Signing(_)));
        let given = text(headers, "webhook-id").filter(|_| is_signed).filter(usable);
        let id = given.map_or_else(|| format!("sha256-{}", hex(&Sha256::digest(body))), str::to_owned);
        format!("{}:{id}", self.source())
    }
}

fn key(kind: ForgeKind, secret: &Secret) -> Key {
    let text = secret.expose();
    if kind == ForgeKind::Gitlab
        && let Some(coded) = text.strip_prefix(SIGNING_PREFIX)
        && let Ok(bytes) = STANDARD.decode(coded)
    {
        return Key::Signing(hmac::Key::new(hmac::HMAC_SHA256, &bytes));
    }
    Key::Plain(hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes()))
}

/// Standard Webhooks: id, time and body are signed.
fn check_standard(key: &hmac::Key, headers: &HeaderMap, body: &[u8], now: Wall) -> Result<(), HookRefusal> {
    let (Some(id), Some(time), Some(signatures)) =
        (text(headers, "webhook-id"), text(headers, "webhook-timestamp"), text(headers, "webhook-signature"))
    else {
        return Err(HookRefusal::NotSigned);
    };
    let signed = [id.as_bytes(), b".", time.as_bytes(), b".", body].concat();
    let good = signatures
        .split(' ')
        .filter_map(|signature| signature.strip_prefix("v1,"))
        .filter_map(|coded| STANDARD.decode(coded).ok())
        .any(|tag| hmac::verify(key, &signed, &tag).is_ok());
    if !good {
        return Err(HookRefusal::BadSignature);
    }
    match time.parse::<u64>() {
        Ok(time) if time.abs_diff(now.0 / 1_000) <= AGE_SECS_MAX => Ok(()),
        _ => Err(HookRefusal::Stale),
    }
}

/// The secret itself, compared as the HMAC of nothing under each, so that the time taken says nothing.
fn check_token(key: &hmac::Key, headers: &HeaderMap) -> Result<(), HookRefusal> {
    let token = text(headers, "x-gitlab-token").ok_or(HookRefusal::NotSigned)?;
    let given = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes()), b"");
    hmac::verify(key, b"", given.as_ref()).map_err(|_| HookRefusal::BadSignature)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn bytes_of_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let digit = |at: usize| text.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
    (0..text.len()).step_by(2).map(digit).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! The table `[forge]`: which forge, by which right, how often. Must not: open anything but the files with secrets.

use super::input::{Given, take};
use super::{SettingsError, invalid, need, seconds};
use crate::forge::{Credential, ForgeKind, ForgeSettings};
use model::Secret;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Seconds between looks at the pull requests, by default.
pub const FORGE_POLL_SECS_DEFAULT: u64 = 60;
/// Seconds between looks at the pull requests: least and most.
pub const FORGE_POLL_SECS_LIMITS: (u64, u64) = (10, 3_600);
/// Webhook secrets in one file: the one in use, and the one that takes its place.
const WEBHOOK_SECRETS_MAX: usize = 2;

/// The table `[forge]` of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForgeFragment {
    /// `github`, `gitlab`, `gitea` or `forgejo`.
    pub kind: Option<String>,
    /// Address people see.
    pub url: Option<String>,
    /// `owner/name`.
    pub repository: Option<String>,
    /// File with an access token.
    pub token_file: Option<PathBuf>,
    /// Client id or number of a GitHub App.
    pub app_id: Option<String>,
    /// File with the App's private key.
    pub app_key_file: Option<PathBuf>,
    /// File with the secret of the webhook; a second line holds the one that takes its place.
    pub webhook_secret_file: Option<PathBuf>,
    /// Time between looks at the pull requests.
    pub poll_secs: Option<u64>,
}

/// The tables of all files, merged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the key of the same name in `ForgeFragment`")]
pub struct ForgeInput {
    pub kind: Option<Given<String>>,
    pub url: Option<Given<String>>,
    pub repository: Option<Given<String>>,
    pub token_file: Option<Given<PathBuf>>,
    pub app_id: Option<Given<String>>,
    pub app_key_file: Option<Given<PathBuf>>,
    pub webhook_secret_file: Option<Given<PathBuf>>,
    pub poll_secs: Option<Given<u64>>,
}

impl ForgeInput {
    pub(super) fn add(&mut self, file: &Path, fragment: ForgeFragment) {
        let ForgeFragment {
            kind,
            url,
            repository,
            token_file,
            app_id,
            app_key_file,
            webhook_secret_file,
            poll_secs,
        } = fragment;
        take(&mut self.kind, kind, file);
        take(&mut self.url, url, file);
        take(&mut self.repository, repository, file);
        take(&mut self.token_file, token_file, file);
        take(&mut self.app_id, app_id, file);
        take(&mut self.app_key_file, app_key_file, file);
        take(&mut self.webhook_secret_file, webhook_secret_file, file);
        take(&mut self.poll_secs, poll_secs, file);
    }

    /// Checks the table; nothing when no file has one.
    pub(super) fn check(self) -> Result<Option<ForgeSettings>, SettingsError> {
        let Some(kind) = self.kind else {
            let stray = self.repository.as_ref().map(|given| &given.file);
            let stray = stray.or(self.token_file.as_ref().map(|given| &given.file));
            return match stray {
                Some(file) => {
                    Err(invalid(file, "forge.kind", "is missing: write github, gitlab, gitea or forgejo"))
                }
                None => Ok(None),
            };
        };
        let file = kind.file;
        let Some(kind) = ForgeKind::parse(&kind.value) else {
            let problem = format!("is `{}`: write github, gitlab, gitea or forgejo", kind.value);
            return Err(invalid(&file, "forge.kind", problem));
        };
        let url = match (self.url, kind.default_url()) {
            (Some(given), _) => given.value,
            (None, Some(url)) => url.to_owned(),
            (None, None) => {
                return Err(invalid(&file, "forge.url", "is missing: write the forge's address"));
            }
        };
        let repository =
            need(self.repository, "forge.repository", "owner/name of the configuration repository")?.value;
        let credential = match (self.token_file, self.app_id, self.app_key_file) {
            (Some(token), None, None) => Credential::Token(secret(&token, "forge.token_file")?),
            (None, Some(id), Some(key)) => {
                Credential::App { id: id.value, key: secret(&key, "forge.app_key_file")? }
            }
            _ => {
                let problem =
                    "or `forge.app_id` with `forge.app_key_file` is needed: write one of the two, not both";
                return Err(invalid(&file, "forge.token_file", problem));
            }
        };
        let settings = ForgeSettings {
            kind,
            url,
            repository,
            credential,
            webhook_secrets: webhook_secrets(self.webhook_secret_file)?,
            poll: seconds(
                self.poll_secs,
                "forge.poll_secs",
                FORGE_POLL_SECS_DEFAULT,
                FORGE_POLL_SECS_LIMITS,
            )?,
        };
        settings
            .api()
            .and_then(|_| settings.owner_and_name().map(|_| ()))
            .map_err(|error| invalid(&file, "forge", error.to_string()))?;
        Ok(Some(settings))
    }
}

fn webhook_secrets(given: Option<Given<PathBuf>>) -> Result<Vec<Secret>, SettingsError> {
    const KEY: &str = "forge.webhook_secret_file";
    let Some(given) = given else { return Ok(Vec::new()) };
    let text = secret(&given, KEY)?;
    let lines: Vec<Secret> =
        text.expose().lines().map(str::trim).filter(|line| !line.is_empty()).map(Secret::new).collect();
    if lines.len() > WEBHOOK_SECRETS_MAX {
        let problem = format!("names {} with more than {WEBHOOK_SECRETS_MAX} lines", given.value.display());
        return Err(invalid(&given.file, KEY, problem));
    }
    Ok(lines)
}

/// The content of a file that holds a secret.
pub(super) fn secret(given: &Given<PathBuf>, key: &'static str) -> Result<Secret, SettingsError> {
    let text = std::fs::read_to_string(&given.value).map_err(|error| {
        let problem = format!("names {}, which cannot be read: {error}", given.value.display());
        invalid(&given.file, key, problem)
    })?;
    let text = text.trim();
    if text.is_empty() {
        return Err(invalid(&given.file, key, format!("names {}, which is empty", given.value.display())));
    }
    Ok(Secret::new(text))
}

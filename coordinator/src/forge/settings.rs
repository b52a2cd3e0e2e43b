//! Which forge, which repository, by which right. Must not: read a file (that is `crate::settings`).

use super::ForgeError;
use model::Secret;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;

/// Address of GitHub's API when `forge.url` is github.com.
const GITHUB_API: &str = "https://api.github.com/";

/// Which kind of forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForgeKind {
    /// github.com or GitHub Enterprise Server.
    Github,
    /// gitlab.com or a GitLab of one's own.
    Gitlab,
    /// Gitea or Forgejo.
    Gitea,
}

impl ForgeKind {
    /// The kind by its word in the settings.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "github" => Some(Self::Github),
            "gitlab" => Some(Self::Gitlab),
            "gitea" | "forgejo" => Some(Self::Gitea),
            _ => None,
        }
    }

    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Gitea => "gitea",
        }
    }

    /// The ref under which its Git repository offers the head of a pull request.
    #[must_use]
    pub fn pull_ref(self, number: u64) -> String {
        match self {
            Self::Github | Self::Gitea => format!("refs/pull/{number}/head"),
            Self::Gitlab => format!("refs/merge-requests/{number}/head"),
        }
    }

    /// Its address when the settings name none.
    #[must_use]
    pub fn default_url(self) -> Option<&'static str> {
        match self {
            Self::Github => Some("https://github.com"),
            Self::Gitlab => Some("https://gitlab.com"),
            Self::Gitea => None,
        }
    }

    /// Characters of a status line it takes: GitHub documents 140; GitLab and Gitea store 255.
    pub(super) fn description_chars(self) -> usize {
        match self {
            Self::Github => 140,
            Self::Gitlab | Self::Gitea => 255,
        }
    }
}

/// By which right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A token of an account.
    Token(Secret),
    /// A GitHub App: a short-lived token for this repository alone is asked for with its key.
    App {
        /// Client id or number of the App.
        id: String,
        /// Its private key, PEM.
        key: Secret,
    },
}

/// One repository on a forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgeSettings {
    /// Which kind.
    pub kind: ForgeKind,
    /// Address people see, without a path to the repository.
    pub url: String,
    /// The repository: `owner/name`; on GitLab also `group/sub/name`.
    pub repository: String,
    /// By which right.
    pub credential: Credential,
    /// What webhooks are signed with; two while one takes the place of the other. None: webhooks are refused.
    pub webhook_secrets: Vec<Secret>,
    /// Time between looks at the pull requests, for what a lost webhook did not say.
    pub poll: Duration,
}

impl ForgeSettings {
    /// Where the API is, with a slash at the end.
    pub fn api(&self) -> Result<Url, ForgeError> {
        let wrong = |problem: &str| ForgeError::Settings(format!("`forge.url` is `{}`: {problem}", self.url));
        let mut url = Url::parse(&self.url).map_err(|_| wrong("write https://host"))?;
        let Some(host) = url.host_str() else { return Err(wrong("it names no host")) };
        let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        let loopback = host == "localhost" || address.is_some_and(|address| address.is_loopback());
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            _ => return Err(wrong("use https; http is for this machine only")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("it holds a password: use `forge.token_file`"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("leave out `?` and `#`"));
        }
        if self.kind == ForgeKind::Github && matches!(url.host_str(), Some("github.com" | "api.github.com")) {
            return Url::parse(GITHUB_API).map_err(|_| wrong("write https://github.com"));
        }
        let suffix = match self.kind {
            ForgeKind::Github => "api/v3/",
            ForgeKind::Gitlab => "api/v4/",
            ForgeKind::Gitea => "api/v1/",
        };
        let path = format!("{}/{suffix}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Ok(url)
    }

    /// Owner and name of the repository.
    pub fn owner_and_name(&self) -> Result<(&str, &str), ForgeError> {
        let wrong = || {
            ForgeError::Settings(format!(
                "`forge.repository` is `{}`: write owner/name, as in the address of its page",
                self.repository
            ))
        };
        let usable = |part: &str| {
            let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !part.is_empty() && part != "." && part != ".." && part.chars().all(known)
        };
        let (owner, name) = self.repository.rsplit_once('/').ok_or_else(wrong)?;
        let deep = self.kind == ForgeKind::Gitlab;
        if !usable(name) || !owner.split('/').all(usable) || (!deep && owner.contains('/')) {
            return Err(wrong());
        }
        Ok((owner, name))
    }
}

//! The address of a remote, checked before anything is done with it.
//!
//! Must not: resolve or connect. Called by: `mirror` when it opens.

use reqwest::Url;

use super::super::error::OpenMirrorError;
use super::super::settings::Auth;

/// Where a repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// A `file://` address for libgit2's own local transport.
    Local(String),
    /// Smart HTTP.
    Http(Url),
    /// A remote `git-upload-pack` over ssh.
    Ssh(SshTarget),
}

/// The parts of an ssh address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SshTarget {
    pub(crate) user: Option<String>,
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    pub(crate) path: String,
}

impl Endpoint {
    /// Reads an address as an operator writes it.
    pub(crate) fn parse(text: &str) -> Result<Self, OpenMirrorError> {
        if text.chars().any(char::is_control) {
            return Err(bad(text, "it has control characters"));
        }
        if text.starts_with('/') {
            return Ok(Self::Local(file_url(text)));
        }
        match text.split_once("://") {
            Some(("file", path)) if path.starts_with('/') => Ok(Self::Local(text.to_owned())),
            Some(("file", _)) => {
                Err(bad(text, "write file:// with an absolute path, as in file:///srv/net.git"))
            }
            Some(("http" | "https", _)) => http(text),
            Some(("ssh", _)) => ssh(text),
            Some(_) => Err(bad(text, "use https, ssh or file; other schemes are not supported")),
            None => scp_like(text),
        }
    }

    /// Refuses a credential that the address cannot use, or would give away.
    pub(crate) fn check_auth(&self, url: &str, auth: &Auth) -> Result<(), OpenMirrorError> {
        let mismatch = |reason| Err(OpenMirrorError::AuthMismatch { url: url.to_owned(), reason });
        let http_auth = matches!(auth, Auth::Token(_) | Auth::Bearer(_) | Auth::Basic { .. });
        match self {
            _ if *auth == Auth::None => Ok(()),
            Self::Local(_) => mismatch("a local repository needs none: remove it"),
            Self::Http(_) if !http_auth => mismatch("ssh keys do not work over https: use a token"),
            Self::Http(url) if url.scheme() == "http" && !loopback(url) => {
                mismatch("http would send it unencrypted: use https")
            }
            Self::Ssh(_) if http_auth => mismatch("tokens do not work over ssh: use a key"),
            Self::Http(_) | Self::Ssh(_) => Ok(()),
        }
    }
}

fn bad(url: &str, reason: &str) -> OpenMirrorError {
    let shown = if holds_password(url) { "(address with a password)" } else { url };
    OpenMirrorError::BadUrl { url: super::super::error::printable(shown), reason: reason.to_owned() }
}

/// Whether `name:password@` stands at the start; judged on the text, because the address may be malformed.
fn holds_password(text: &str) -> bool {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    authority.rsplit_once('@').is_some_and(|(login, _)| login.contains(':'))
}

fn loopback(url: &Url) -> bool {
    matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

fn http(text: &str) -> Result<Endpoint, OpenMirrorError> {
    let url = Url::parse(text).map_err(|error| bad(text, &error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad(text, "credentials do not belong in the address: put them in the settings"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad(text, "a repository address has no `?` or `#`"));
    }
    Ok(Endpoint::Http(url))
}

fn ssh(text: &str) -> Result<Endpoint, OpenMirrorError> {
    let url = Url::parse(text).map_err(|error| bad(text, &error.to_string()))?;
    if url.password().is_some() {
        return Err(bad(text, "ssh takes no password in the address: use a key"));
    }
    let user = Some(url.username()).filter(|user| !user.is_empty()).map(str::to_owned);
    // ssh://host/~user/repo means a path that the remote account's shell resolves.
    let path = url.path();
    let path = if path.starts_with("/~") { &path[1..] } else { path };
    let host = url.host_str().unwrap_or_default().to_owned();
    target(text, SshTarget { user, host, port: url.port(), path: path.to_owned() })
}

fn scp_like(text: &str) -> Result<Endpoint, OpenMirrorError> {
    let unusable = "write https://host/path, ssh://user@host/path, user@host:path or an absolute path";
    let (place, path) = text.split_once(':').ok_or_else(|| bad(text, unusable))?;
    if place.contains('/') || holds_password(text) {
        return Err(bad(text, unusable));
    }
    let (user, host) = match place.split_once('@') {
        Some((user, host)) => (Some(user.to_owned()), host),
        None => (None, place),
    };
    target(text, SshTarget { user, host: host.to_owned(), port: None, path: path.to_owned() })
}

/// The parts become arguments of a program: none may look like an option or hold anything unusual.
fn target(text: &str, target: SshTarget) -> Result<Endpoint, OpenMirrorError> {
    let plain = |part: &str, extra: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
    };
    if !plain(&target.host, "._-:[]") {
        return Err(bad(text, "the host is missing or has unusual characters"));
    }
    if target.user.as_deref().is_some_and(|user| !plain(user, "._-")) {
        return Err(bad(text, "the user name is empty or has unusual characters"));
    }
    if target.path.is_empty() || target.path == "/" || target.path.starts_with(['-', ':']) {
        return Err(bad(text, "the path of the repository is missing, or starts with `-` or `:`"));
    }
    Ok(Endpoint::Ssh(target))
}

/// A path as an address, so that no character of it is taken for a scheme or a host.
fn file_url(path: &str) -> String {
    let mut url = String::from("file://");
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url
}

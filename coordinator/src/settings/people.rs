//! Settings about people: how their listener is protected, and the OIDC provider they may sign in at.
//!
//! Must not: reach for the provider. Called by `Settings::from_input` and, for the place of sessions, by the command line.

use super::fragment::OidcFragment;
use super::input::{Given, take};
use super::{SettingsError, invalid};
use crate::people::Role;
use crate::people::oidc::{EmailTrust, OidcSettings};
use model::Secret;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Claim that names a person, by default.
pub const NAME_CLAIM_DEFAULT: &str = "preferred_username";
/// Claim that lists groups, by default.
pub const GROUPS_CLAIM_DEFAULT: &str = "groups";
/// Scopes asked for besides `openid`, by default.
pub const SCOPES_DEFAULT: [&str; 2] = ["profile", "email"];
/// Where the provider sends browsers back to.
const CALLBACK: &str = "/api/v1/oidc/callback";

/// How the operators' listener is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperatorsTls {
    /// Plain HTTP, on this machine only.
    Off,
    /// TLS with a certificate of the built-in authority.
    Own,
    /// TLS with a certificate of somebody else.
    Files {
        /// Certificate chain, PEM.
        certificate: PathBuf,
        /// Its key, PEM.
        key: PathBuf,
    },
}

/// The three keys that say it, as given.
pub struct OperatorsTlsInput {
    pub mode: Option<Given<String>>,
    pub certificate: Option<Given<PathBuf>>,
    pub key: Option<Given<PathBuf>>,
}

/// Checks how the operators' listener is protected.
pub fn operators_tls(
    input: OperatorsTlsInput,
    listen: SocketAddr,
    listen_file: &Path,
) -> Result<OperatorsTls, SettingsError> {
    let OperatorsTlsInput { mode, certificate, key } = input;
    let (word, file) =
        mode.map_or_else(|| (None, listen_file.to_owned()), |given| (Some(given.value), given.file));
    let tls = match (word.as_deref(), certificate, key) {
        (None | Some("files"), Some(certificate), Some(key)) => {
            OperatorsTls::Files { certificate: certificate.value, key: key.value }
        }
        (_, Some(one), None) | (_, None, Some(one)) => {
            let problem =
                "belongs beside the other one: set both operators_certificate_file and operators_key_file";
            return Err(invalid(&one.file, "operators_certificate_file", problem));
        }
        (Some("files"), None, None) => {
            let problem = "is `files`: set operators_certificate_file and operators_key_file too";
            return Err(invalid(&file, "operators_tls", problem));
        }
        (Some("own"), None, None) => OperatorsTls::Own,
        (None | Some("off"), None, None) => OperatorsTls::Off,
        (Some(word), _, _) => {
            let problem = format!("is `{word}`: write `off`, `own` or `files`, and files only with `files`");
            return Err(invalid(&file, "operators_tls", problem));
        }
    };
    if tls == OperatorsTls::Off && !listen.ip().to_canonical().is_loopback() {
        let problem = format!(
            "is {listen}, which others can reach, and plain HTTP is for this machine only: set `operators_tls = \"own\"`, \
             or certificate files, or listen on 127.0.0.1"
        );
        return Err(invalid(listen_file, "listen_operators", problem));
    }
    Ok(tls)
}

/// The table `[oidc]` of all files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the key of the same name in `OidcFragment`")]
pub struct OidcInput {
    pub issuer: Option<Given<String>>,
    pub client_id: Option<Given<String>>,
    pub client_secret_file: Option<Given<PathBuf>>,
    pub redirect_url: Option<Given<String>>,
    pub scopes: Option<Given<Vec<String>>>,
    pub name_claim: Option<Given<String>>,
    pub groups_claim: Option<Given<String>>,
    pub trust_unverified_email: Option<Given<bool>>,
    pub ca_file: Option<Given<PathBuf>>,
    pub roles: Option<Given<BTreeMap<String, Vec<String>>>>,
}

impl OidcInput {
    /// Adds a file that is read later than those before.
    pub fn add(&mut self, file: &Path, fragment: OidcFragment) {
        let OidcFragment {
            issuer,
            client_id,
            client_secret_file,
            redirect_url,
            scopes,
            name_claim,
            groups_claim,
            trust_unverified_email,
            ca_file,
            roles,
        } = fragment;
        take(&mut self.issuer, issuer, file);
        take(&mut self.client_id, client_id, file);
        take(&mut self.client_secret_file, client_secret_file, file);
        take(&mut self.redirect_url, redirect_url, file);
        take(&mut self.scopes, scopes, file);
        take(&mut self.name_claim, name_claim, file);
        take(&mut self.groups_claim, groups_claim, file);
        take(&mut self.trust_unverified_email, trust_unverified_email, file);
        take(&mut self.ca_file, ca_file, file);
        take(&mut self.roles, roles, file);
    }

    /// A provider, when one is named.
    pub fn check(self) -> Result<Option<OidcSettings>, SettingsError> {
        let Some(issuer) = self.issuer else { return Ok(None) };
        let needed = |key, hint| move || SettingsError::Missing { key, hint };
        let client_id =
            self.client_id.ok_or_else(needed("oidc.client_id", "who this coordinator is at the provider"))?;
        let redirect = self
            .redirect_url
            .ok_or_else(needed("oidc.redirect_url", "https://THIS-COORDINATOR/api/v1/oidc/callback"))?;
        let roles = self
            .roles
            .ok_or_else(needed("oidc.roles", "which groups of the provider give which role here"))?;
        web_address(&issuer, "oidc.issuer")?;
        web_address(&redirect, "oidc.redirect_url")?;
        if !redirect.value.ends_with(CALLBACK) {
            let problem = format!("is `{}`: it has to end with {CALLBACK}", redirect.value);
            return Err(invalid(&redirect.file, "oidc.redirect_url", problem));
        }
        let trusting = self.trust_unverified_email.is_some_and(|given| given.value);
        let scopes =
            self.scopes.map_or_else(|| SCOPES_DEFAULT.map(str::to_owned).to_vec(), |given| given.value);
        let or = |given: Option<Given<String>>, default: &str| {
            given.map_or_else(|| default.to_owned(), |given| given.value)
        };
        Ok(Some(OidcSettings {
            issuer: issuer.value,
            client_id: client_id.value,
            client_secret: self.client_secret_file.map(secret).transpose()?,
            redirect_url: redirect.value,
            scopes,
            name_claim: or(self.name_claim, NAME_CLAIM_DEFAULT),
            groups_claim: or(self.groups_claim, GROUPS_CLAIM_DEFAULT),
            emails: if trusting { EmailTrust::Provider } else { EmailTrust::Verified },
            roles: groups(roles)?,
            ca_file: self.ca_file.map(|given| given.value),
        }))
    }
}

/// https, or http on this machine.
fn web_address(given: &Given<String>, key: &'static str) -> Result<(), SettingsError> {
    let text = given.value.as_str();
    let plain = text.strip_prefix("http://").map(|rest| rest.split('/').next().unwrap_or_default());
    let local = |authority: &str| {
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    let fits = (text.starts_with("https://") || plain.is_some_and(local))
        && !text.contains(['?', '#', ' ', '@'])
        && text.is_ascii();
    if fits {
        return Ok(());
    }
    Err(invalid(&given.file, key, format!("is `{text}`: write https://.. (http only on this machine)")))
}

fn secret(given: Given<PathBuf>) -> Result<Secret, SettingsError> {
    let Given { value: path, file } = given;
    let key = "oidc.client_secret_file";
    let unreadable = |error: std::io::Error| {
        invalid(&file, key, format!("names {}, which cannot be read: {error}", path.display()))
    };
    let mode = std::fs::metadata(&path).map_err(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 {
        let problem = format!("names {}, which others may read: run `chmod 600` on it", path.display());
        return Err(invalid(&file, key, problem));
    }
    let text = std::fs::read_to_string(&path).map_err(unreadable)?;
    if text.trim().is_empty() {
        return Err(invalid(&file, key, format!("names {}, which is empty", path.display())));
    }
    Ok(Secret::new(text.trim()))
}

fn groups(
    given: Given<BTreeMap<String, Vec<String>>>,
) -> Result<BTreeMap<Role, BTreeSet<String>>, SettingsError> {
    let Given { value, file } = given;
    let mut roles = BTreeMap::new();
    for (word, groups) in value {
        let role: Role = word.parse().map_err(|problem: String| invalid(&file, "oidc.roles", problem))?;
        roles.insert(role, groups.into_iter().collect());
    }
    if roles.values().all(BTreeSet::is_empty) {
        return Err(invalid(&file, "oidc.roles", "gives no group a role: nobody could sign in"));
    }
    Ok(roles)
}

/// Where the command line keeps the sessions of whoever runs it.
#[must_use]
pub fn sessions_file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let home = std::env::var_os("HOME").filter(|dir| !dir.is_empty());
    let state = state.or_else(|| home.map(|home| PathBuf::from(home).join(".local/state")))?;
    Some(state.join("pointsman").join("sessions.json"))
}

//! Settings as one file says them: everything optional, unknown keys refused. Must not hold a default.

use super::forge::ForgeFragment;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// One file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fragment {
    /// Folder of everything the coordinator keeps.
    pub state_dir: Option<PathBuf>,
    /// `sqlite:///path/file.db` or `postgres://user@host/name`.
    pub database_url: Option<String>,
    /// Address agents connect to.
    pub listen_agents: Option<String>,
    /// Address of the operators' API.
    pub listen_operators: Option<String>,
    /// How the operators' listener is protected: `off`, `own` or `files`.
    pub operators_tls: Option<String>,
    /// Certificate chain of the operators' listener.
    pub operators_certificate_file: Option<PathBuf>,
    /// Key of that certificate.
    pub operators_key_file: Option<PathBuf>,
    /// Address of the metrics.
    pub listen_metrics: Option<String>,
    /// Names and addresses agents reach the coordinator by.
    pub server_names: Option<Vec<String>>,
    /// Name all certificates belong to.
    pub trust_domain: Option<String>,
    /// Time between heartbeats.
    pub heartbeat_secs: Option<u64>,
    /// Life of a host's certificate.
    pub host_certificate_secs: Option<u64>,
    /// File with the passphrase that the authority's keys are sealed with.
    pub ca_passphrase_file: Option<PathBuf>,
    /// The configuration repository.
    #[serde(default)]
    pub repository: RepositoryFragment,
    /// The forge.
    #[serde(default)]
    pub forge: ForgeFragment,
    /// The provider people can sign in at.
    #[serde(default)]
    pub oidc: OidcFragment,
}

/// The table `[repository]` of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepositoryFragment {
    /// Where it is.
    pub url: Option<String>,
    /// The branch that is followed.
    pub branch: Option<String>,
    /// Time between looks at it.
    pub poll_secs: Option<u64>,
    /// File with an access token, for https.
    pub token_file: Option<PathBuf>,
    /// Private key, for ssh.
    pub ssh_key_file: Option<PathBuf>,
    /// Host keys that are accepted, for ssh.
    pub ssh_known_hosts_file: Option<PathBuf>,
}

/// The table `[oidc]` of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcFragment {
    /// The provider, exactly as it names itself.
    pub issuer: Option<String>,
    /// Who this coordinator is there.
    pub client_id: Option<String>,
    /// File with our secret there.
    pub client_secret_file: Option<PathBuf>,
    /// Where the provider sends browsers back to.
    pub redirect_url: Option<String>,
    /// What is asked for besides `openid`.
    pub scopes: Option<Vec<String>>,
    /// The claim that names a person.
    pub name_claim: Option<String>,
    /// The claim that lists a person's groups.
    pub groups_claim: Option<String>,
    /// Whether a mail address counts that the provider says nothing about.
    pub trust_unverified_email: Option<bool>,
    /// Certificates of the provider's authority.
    pub ca_file: Option<PathBuf>,
    /// Role to groups.
    pub roles: Option<BTreeMap<String, Vec<String>>>,
}

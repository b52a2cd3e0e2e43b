//! Settings of all files together: a later file wins key by key. Must not check values (that is `Settings`).

use super::forge::ForgeInput;
use super::fragment::{Fragment, RepositoryFragment};
use super::people::OidcInput;
use std::path::{Path, PathBuf};

/// A value and the file that said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given<T> {
    /// The value.
    pub value: T,
    /// The file.
    pub file: PathBuf,
}

/// All files, merged. What no file says is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the key of the same name in `Fragment`")]
pub struct Input {
    pub state_dir: Option<Given<PathBuf>>,
    pub database_url: Option<Given<String>>,
    pub listen_agents: Option<Given<String>>,
    pub listen_operators: Option<Given<String>>,
    pub operators_tls: Option<Given<String>>,
    pub operators_certificate_file: Option<Given<PathBuf>>,
    pub operators_key_file: Option<Given<PathBuf>>,
    pub listen_metrics: Option<Given<String>>,
    pub server_names: Option<Given<Vec<String>>>,
    pub trust_domain: Option<Given<String>>,
    pub heartbeat_secs: Option<Given<u64>>,
    pub host_certificate_secs: Option<Given<u64>>,
    pub ca_passphrase_file: Option<Given<PathBuf>>,
    pub repository_url: Option<Given<String>>,
    pub repository_branch: Option<Given<String>>,
    pub repository_poll_secs: Option<Given<u64>>,
    pub repository_token_file: Option<Given<PathBuf>>,
    pub repository_ssh_key_file: Option<Given<PathBuf>>,
    pub repository_ssh_known_hosts_file: Option<Given<PathBuf>>,
    pub forge: ForgeInput,
    pub oidc: OidcInput,
}

impl Input {
    /// Adds a file that is read later than those before.
    pub fn add(&mut self, file: &Path, fragment: Fragment) {
        let Fragment {
            state_dir,
            database_url,
            listen_agents,
            listen_operators,
            operators_tls,
            operators_certificate_file,
            operators_key_file,
            listen_metrics,
            server_names,
            trust_domain,
            heartbeat_secs,
            host_certificate_secs,
            ca_passphrase_file,
            repository,
            forge,
            oidc,
        } = fragment;
        self.forge.add(file, forge);
        let RepositoryFragment { url, branch, poll_secs, token_file, ssh_key_file, ssh_known_hosts_file } =
            repository;
        take(&mut self.state_dir, state_dir, file);
        take(&mut self.database_url, database_url, file);
        take(&mut self.listen_agents, listen_agents, file);
        take(&mut self.listen_operators, listen_operators, file);
        take(&mut self.operators_tls, operators_tls, file);
        take(&mut self.operators_certificate_file, operators_certificate_file, file);
        take(&mut self.operators_key_file, operators_key_file, file);
        take(&mut self.listen_metrics, listen_metrics, file);
        take(&mut self.server_names, server_names, file);
        take(&mut self.trust_domain, trust_domain, file);
        take(&mut self.heartbeat_secs, heartbeat_secs, file);
        take(&mut self.host_certificate_secs, host_certificate_secs, file);
        take(&mut self.ca_passphrase_file, ca_passphrase_file, file);
        take(&mut self.repository_url, url, file);
        take(&mut self.repository_branch, branch, file);
        take(&mut self.repository_poll_secs, poll_secs, file);
        take(&mut self.repository_token_file, token_file, file);
        take(&mut self.repository_ssh_key_file, ssh_key_file, file);
        take(&mut self.repository_ssh_known_hosts_file, ssh_known_hosts_file, file);
        self.oidc.add(file, oidc);
    }
}

pub(super) fn take<T>(slot: &mut Option<Given<T>>, value: Option<T>, file: &Path) {
    if let Some(value) = value {
        *slot = Some(Given { value, file: file.to_owned() });
    }
}

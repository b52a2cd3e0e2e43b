//! Settings in three stages: `Fragment` (one file, all optional), `Input` (files merged), [`Settings`] (checked).
//!
//! Owns: every key with its unit, default and limits, and the only reads of the environment. Must not open anything it
//! names, except files with secrets. Called by the command line, once at start.

mod forge;
mod fragment;
mod input;
mod people;

#[cfg(test)]
mod tests;

pub use forge::{FORGE_POLL_SECS_DEFAULT, FORGE_POLL_SECS_LIMITS, ForgeFragment, ForgeInput};
pub use fragment::{Fragment, OidcFragment, RepositoryFragment};
pub use input::{Given, Input};
pub use people::{OidcInput, OperatorsTls, sessions_file};

use crate::forge::ForgeSettings;
use crate::people::oidc::OidcSettings;
use crate::repo::{Auth, MirrorSettings, RepoLimits};
use crate::trust::{AuthorityFiles, HOST_CERTIFICATE_LIFE_DEFAULT, Passphrase};
use model::Secret;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the settings are when nobody says otherwise.
pub const SETTINGS_FILE_DEFAULT: &str = "/etc/pointsman/coordinator.toml";
/// Environment variable that names another settings file.
pub const SETTINGS_FILE_VARIABLE: &str = "POINTSMAN_SETTINGS";
/// Folder beside the settings file whose `*.toml` files are read after it, in order of name.
pub const DROP_IN_FOLDER: &str = "coordinator.d";
/// Where agents connect by default.
pub const LISTEN_AGENTS_DEFAULT: &str = "0.0.0.0:7443";
/// Where operators connect by default: this machine only.
pub const LISTEN_OPERATORS_DEFAULT: &str = "127.0.0.1:7480";
/// An address for the metrics, which have none by default.
const LISTEN_METRICS_EXAMPLE: &str = "127.0.0.1:7481";
/// Branch followed by default.
pub const BRANCH_DEFAULT: &str = "main";
/// Seconds between looks at the repository, by default.
pub const POLL_SECS_DEFAULT: u64 = 10;
/// Seconds between looks at the repository: least and most.
pub const POLL_SECS_LIMITS: (u64, u64) = (1, 86_400);
/// Seconds between heartbeats, by default.
pub const HEARTBEAT_SECS_DEFAULT: u64 = 10;
/// Seconds between heartbeats: least and most.
pub const HEARTBEAT_SECS_LIMITS: (u64, u64) = (1, 300);

/// Seconds a host's certificate lives: least and most.
pub const HOST_CERTIFICATE_SECS_LIMITS: (u64, u64) = (60, 30 * 24 * 60 * 60);
/// Environment variable with the passphrase of the authority's keys, where no file is to hold it.
pub const CA_PASSPHRASE_VARIABLE: &str = "POINTSMAN_CA_PASSPHRASE";

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file cannot be read.
    #[error("settings file {} cannot be read: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file is not TOML, or has a key that does not exist.
    #[error("settings file {}: {detail}", file.display())]
    Parse {
        /// The file.
        file: PathBuf,
        /// What is wrong, with line and column.
        detail: String,
    },
    /// A value cannot be used.
    #[error("settings file {}: `{key}` {problem}", file.display())]
    Invalid {
        /// The file that said it.
        file: PathBuf,
        /// The key.
        key: &'static str,
        /// What is wrong and what to write.
        problem: String,
    },
    /// A key without a default is missing.
    #[error("no settings file says `{key}`: {hint}")]
    Missing {
        /// The key.
        key: &'static str,
        /// What it is for.
        hint: &'static str,
    },
}

/// Where the database is; may hold a password, which `Debug` does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(Secret);

impl DatabaseUrl {
    /// Wraps an address.
    pub fn new(url: impl Into<String>) -> Self {
        Self(Secret::new(url))
    }

    /// The address, for [`crate::store::Db::open`].
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DatabaseUrl({}://..)", self.expose().split("://").next().unwrap_or_default())
    }
}

/// The configuration repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositorySettings {
    /// Where it is.
    pub url: String,
    /// The branch that is followed.
    pub branch: String,
    /// Time between looks at it.
    pub poll: Duration,
    /// The credential.
    pub auth: Auth,
}

/// Everything, checked and with defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Folder of everything the coordinator keeps.
    pub state_dir: PathBuf,
    /// The database.
    pub database_url: DatabaseUrl,
    /// Address agents connect to.
    pub listen_agents: SocketAddr,
    /// Address of the operators' API.
    pub listen_operators: SocketAddr,
    /// How that is protected.
    pub operators_tls: OperatorsTls,
    /// Address of the metrics, if they are wanted.
    pub listen_metrics: Option<SocketAddr>,
    /// The provider people can sign in at, if there is one.
    pub oidc: Option<OidcSettings>,
    /// Names and addresses agents reach the coordinator by; in its certificate.
    pub server_names: Vec<String>,
    /// Name all certificates belong to.
    pub trust_domain: String,
    /// Time between heartbeats.
    pub heartbeat: Duration,
    /// Life of a host's certificate; hosts renew theirs from half of it.
    pub host_certificate_life: Duration,
    /// What the authority's keys are sealed with.
    pub ca_passphrase: Option<Passphrase>,
    /// The configuration repository.
    pub repository: RepositorySettings,
    /// The forge its pull requests live on; nothing for a repository without one.
    pub forge: Option<ForgeSettings>,
}

impl Settings {
    /// Reads `file`, then the `*.toml` files of the folder [`DROP_IN_FOLDER`] beside it; later files win key by key.
    pub fn load(file: &Path) -> Result<Self, SettingsError> {
        let mut input = Input::default();
        input.add(file, read(file)?);
        let folder = file.parent().unwrap_or(Path::new(".")).join(DROP_IN_FOLDER);
        for file in drop_ins(&folder)? {
            let fragment = read(&file)?;
            input.add(&file, fragment);
        }
        let mut settings = Self::from_input(input)?;
        if let (None, Ok(text)) = (&settings.ca_passphrase, std::env::var(CA_PASSPHRASE_VARIABLE)) {
            let file = PathBuf::from(CA_PASSPHRASE_VARIABLE);
            settings.ca_passphrase = Some(passphrase(&file, &text)?);
        }
        Ok(settings)
    }

    /// The settings file somebody means: the one that is named, else the one of the environment, else the default.
    #[must_use]
    pub fn file(named: Option<PathBuf>) -> PathBuf {
        named
            .or_else(|| std::env::var_os(SETTINGS_FILE_VARIABLE).map(PathBuf::from))
            .unwrap_or_else(|| PathBuf::from(SETTINGS_FILE_DEFAULT))
    }

    /// Checks merged settings and fills in defaults.
    pub fn from_input(input: Input) -> Result<Self, SettingsError> {
        let state_dir =
            need(input.state_dir, "state_dir", "the folder of everything the coordinator keeps")?.value;
        let database_url = match input.database_url {
            Some(given) => database(given)?,
            None => DatabaseUrl::new(format!("sqlite://{}", state_dir.join("pointsman.db").display())),
        };
        let names = need(input.server_names, "server_names", "names agents reach this coordinator by")?;
        if names.value.is_empty() {
            return Err(invalid(&names.file, "server_names", "is empty: write at least one name"));
        }
        let domain =
            need(input.trust_domain, "trust_domain", "the name certificates belong to, e.g. `example.net`")?;
        let operators_file =
            input.listen_operators.as_ref().map_or_else(PathBuf::new, |given| given.file.clone());
        let listen_operators = address(input.listen_operators, "listen_operators", LISTEN_OPERATORS_DEFAULT)?;
        let tls = people::OperatorsTlsInput {
            mode: input.operators_tls,
            certificate: input.operators_certificate_file,
            key: input.operators_key_file,
        };
        let metrics = input.listen_metrics;
        Ok(Self {
            operators_tls: people::operators_tls(tls, listen_operators, &operators_file)?,
            listen_metrics: metrics
                .map(|given| address(Some(given), "listen_metrics", LISTEN_METRICS_EXAMPLE))
                .transpose()?,
            oidc: input.oidc.check()?,
            listen_agents: address(input.listen_agents, "listen_agents", LISTEN_AGENTS_DEFAULT)?,
            listen_operators,
            server_names: names.value,
            trust_domain: domain.value,
            heartbeat: seconds(
                input.heartbeat_secs,
                "heartbeat_secs",
                HEARTBEAT_SECS_DEFAULT,
                HEARTBEAT_SECS_LIMITS,
            )?,
            host_certificate_life: seconds(
                input.host_certificate_secs,
                "host_certificate_secs",
                HOST_CERTIFICATE_LIFE_DEFAULT.as_secs(),
                HOST_CERTIFICATE_SECS_LIMITS,
            )?,
            ca_passphrase: input.ca_passphrase_file.map(passphrase_in).transpose()?,
            repository: RepositorySettings {
                url: need(input.repository_url, "repository.url", "where the configuration repository is")?
                    .value,
                branch: input
                    .repository_branch
                    .map_or_else(|| BRANCH_DEFAULT.to_owned(), |given| given.value),
                poll: seconds(
                    input.repository_poll_secs,
                    "repository.poll_secs",
                    POLL_SECS_DEFAULT,
                    POLL_SECS_LIMITS,
                )?,
                auth: auth(
                    input.repository_token_file,
                    input.repository_ssh_key_file,
                    input.repository_ssh_known_hosts_file,
                )?,
            },
            forge: input.forge.check()?,
            state_dir,
            database_url,
        })
    }

    /// Folder of the certificate authority.
    #[must_use]
    pub fn authority_dir(&self) -> PathBuf {
        self.state_dir.join("ca")
    }

    /// The certificate authority's files.
    #[must_use]
    pub fn authority_files(&self) -> AuthorityFiles {
        AuthorityFiles::new(&self.authority_dir(), self.ca_passphrase.clone())
    }

    /// Folder of the mirror of the repository.
    #[must_use]
    pub fn mirror_dir(&self) -> PathBuf {
        self.state_dir.join("mirror")
    }

    /// File with the key that signs orders; made at the first start.
    #[must_use]
    pub fn order_key_file(&self) -> PathBuf {
        self.state_dir.join("order.key")
    }

    /// File with the token of the operators' API; made at the first start.
    #[must_use]
    pub fn operator_token_file(&self) -> PathBuf {
        self.state_dir.join("operator.token")
    }

    /// What the mirror needs to know.
    #[must_use]
    pub fn mirror(&self) -> MirrorSettings {
        MirrorSettings {
            path: self.mirror_dir(),
            url: self.repository.url.clone(),
            branch: self.repository.branch.clone(),
            auth: self.repository.auth.clone(),
            limits: RepoLimits::default(),
        }
    }
}

/// Reads one file.
pub fn read(file: &Path) -> Result<Fragment, SettingsError> {
    let text = std::fs::read_to_string(file)
        .map_err(|source| SettingsError::Read { file: file.to_owned(), source })?;
    parse(file, &text)
}

/// Reads the text of a file.
pub fn parse(file: &Path, text: &str) -> Result<Fragment, SettingsError> {
    toml::from_str(text)
        .map_err(|error| SettingsError::Parse { file: file.to_owned(), detail: error.to_string() })
}

fn drop_ins(folder: &Path) -> Result<Vec<PathBuf>, SettingsError> {
    let failed = |source| SettingsError::Read { file: folder.to_owned(), source };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn need<T>(
    given: Option<Given<T>>,
    key: &'static str,
    hint: &'static str,
) -> Result<Given<T>, SettingsError> {
    given.ok_or(SettingsError::Missing { key, hint })
}

fn invalid(file: &Path, key: &'static str, problem: impl Into<String>) -> SettingsError {
    SettingsError::Invalid { file: file.to_owned(), key, problem: problem.into() }
}

fn database(given: Given<String>) -> Result<DatabaseUrl, SettingsError> {
    let schemes = ["sqlite://", "postgres://", "postgresql://"];
    if schemes.iter().any(|scheme| given.value.starts_with(scheme)) {
        return Ok(DatabaseUrl::new(given.value));
    }
    let problem = "is no database: write sqlite:///path/to/file.db or postgres://user@host/name";
    Err(invalid(&given.file, "database_url", problem))
}

fn address(
    given: Option<Given<String>>,
    key: &'static str,
    default: &str,
) -> Result<SocketAddr, SettingsError> {
    let (text, file) =
        given.map_or_else(|| (default.to_owned(), PathBuf::new()), |given| (given.value, given.file));
    text.parse().map_err(|_| {
        invalid(&file, key, format!("is `{text}`: write an address and a port, e.g. `{default}`"))
    })
}

fn seconds(
    given: Option<Given<u64>>,
    key: &'static str,
    default: u64,
    (least, most): (u64, u64),
) -> Result<Duration, SettingsError> {
    let Some(Given { value, file }) = given else { return Ok(Duration::from_secs(default)) };
    if (least..=most).contains(&value) {
        Ok(Duration::from_secs(value))
    } else {
        Err(invalid(&file, key, format!("is {value}: use {least} to {most}")))
    }
}

fn passphrase(said_by: &Path, text: &str) -> Result<Passphrase, SettingsError> {
    Passphrase::new(text).map_err(|error| invalid(said_by, "ca_passphrase_file", error.to_string()))
}

fn passphrase_in(given: Given<PathBuf>) -> Result<Passphrase, SettingsError> {
    let text = std::fs::read_to_string(&given.value).map_err(|error| {
        let problem = format!("names {}, which cannot be read: {error}", given.value.display());
        invalid(&given.file, "ca_passphrase_file", problem)
    })?;
    passphrase(&given.file, &text)
}

fn auth(
    token: Option<Given<PathBuf>>,
    key: Option<Given<PathBuf>>,
    known_hosts: Option<Given<PathBuf>>,
) -> Result<Auth, SettingsError> {
    match (token, key, known_hosts) {
        (Some(token), Some(_), _) => {
            let problem =
                "and `repository.ssh_key_file` exclude each other: keep the one that fits the address";
            Err(invalid(&token.file, "repository.token_file", problem))
        }
        (Some(token), None, _) => Ok(Auth::Token(forge::secret(&token, "repository.token_file")?)),
        (None, Some(key), known_hosts) => {
            Ok(Auth::SshKey { private_key: key.value, known_hosts: known_hosts.map(|given| given.value) })
        }
        (None, None, Some(known_hosts)) => {
            let problem = "needs `repository.ssh_key_file` beside it";
            Err(invalid(&known_hosts.file, "repository.ssh_known_hosts_file", problem))
        }
        (None, None, None) => Ok(Auth::None),
    }
}

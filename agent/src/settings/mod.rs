//! The agent's settings in three stages: `Fragment` (as written), `Input` (with defaults),
//! `Settings` (checked and usable).
//!
//! Owns: every knob, its default and its limits. Must not: open anything but the settings file.
//! Called by `main`; all other modules get checked values.

pub mod environment;
mod fragment;
mod input;

use fragment::Fragment;
use input::Input;
use model::{ApprovalMode, HostId, VmkName};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Most reading calls at the same time that a host should bear.
const PARALLEL_READS_MAX: usize = 16;
/// Longest period or timeout, in seconds.
const SECS_MAX: u64 = 86_400;
/// Most coordinators.
const COORDINATORS_MAX: usize = 16;

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("settings file {path} cannot be read: give the right path with --config")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is not TOML, or has an unknown key.
    #[error("settings file {path} is not valid")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A value cannot be used.
    #[error("settings file {path}: {key} {problem}")]
    Value {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// What is wrong and what is allowed.
        problem: String,
    },
}

/// Checked settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// This host.
    pub host_id: HostId,
    /// Where journal and state are kept.
    pub state_dir: PathBuf,
    /// Where the coordinators are, tried in order: `address:port`.
    pub coordinators: Vec<String>,
    /// The name in the coordinator's certificate.
    pub server_name: String,
    /// The pinned authority.
    pub ca_file: PathBuf,
    /// This host's certificate.
    pub certificate_file: PathBuf,
    /// This host's private key.
    pub key_file: PathBuf,
    /// The program that reads and changes the host.
    pub esxcli: PathBuf,
    /// The program that saves the host's configuration.
    pub auto_backup: PathBuf,
    /// Where the console reaches a running agent; also the proof that one runs.
    pub socket: PathBuf,
    /// This program, where the name it was called by does not lead to it.
    pub program: Option<PathBuf>,
    /// Adapters that carry storage without a tag saying so (iSCSI, NFS): never left without a live uplink.
    pub storage_vmks: BTreeSet<VmkName>,
    /// The coordinator as routed on the host; tells the management adapter.
    pub coordinator_address: Option<Ipv4Addr>,
    /// Time between two looks at the host.
    pub observe_period: Duration,
    /// Time between two full readings.
    pub full_read_period: Duration,
    /// Longest time of one changing call.
    pub step_timeout: Duration,
    /// Longest time of one reading call.
    pub read_timeout: Duration,
    /// Reading calls at the same time.
    pub max_parallel_reads: usize,
    /// Longest wait before the next try to connect.
    pub reconnect_max: Duration,
    /// A file that names the boot, instead of the kernel.
    pub boot_id_file: Option<PathBuf>,
    /// What is done with an order that approvers did not prove.
    pub approval: ApprovalMode,
    /// The approver set to begin with, when none is pinned.
    pub approvers_file: Option<PathBuf>,
    /// How much is logged.
    pub log_level: tracing::Level,
    /// Variables for the programs of the host, beside the fixed ones.
    pub extra_env: BTreeMap<String, String>,
}

impl Settings {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| SettingsError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(path, &text)
    }

    /// Checks the text of a file; `path` is only for messages.
    pub fn parse(path: &Path, text: &str) -> Result<Self, SettingsError> {
        let fragment: Fragment = toml::from_str(text)
            .map_err(|source| SettingsError::Malformed { path: path.to_owned(), source: Box::new(source) })?;
        Self::check(Input::from(fragment)).map_err(|(key, problem)| SettingsError::Value {
            path: path.to_owned(),
            key,
            problem,
        })
    }

    fn check(input: Input) -> Result<Self, (&'static str, String)> {
        let host_id = HostId::new(input.host_id).map_err(|error| ("host_id", error.to_string()))?;
        if input.state_dir.as_os_str().is_empty() {
            return Err(("state_dir", "is missing: name a directory that survives a reboot".to_owned()));
        }
        let coordinators = input.coordinators;
        if coordinators.is_empty() || coordinators.len() > COORDINATORS_MAX {
            return Err(("coordinators", format!("needs 1 to {COORDINATORS_MAX} entries `address:port`")));
        }
        if let Some(bad) = coordinators.iter().find(|address| !is_address(address)) {
            return Err(("coordinators", format!("has `{bad}`: use `address:port`")));
        }
        let reads = input.max_parallel_reads;
        if reads == 0 || reads > PARALLEL_READS_MAX {
            return Err(("max_parallel_reads", format!("is {reads}: use 1 to {PARALLEL_READS_MAX}")));
        }
        let storage_vmks = input.storage_vmks.into_iter().map(VmkName::new).collect::<Result<_, _>>();
        let storage_vmks = storage_vmks.map_err(|error| ("storage_vmks", error.to_string()))?;
        let log_level = input
            .log_level
            .parse()
            .map_err(|_| ("log_level", "is not one of error, warn, info, debug, trace".to_owned()))?;
        let approval = ApprovalMode::from_word(&input.approval)
            .ok_or_else(|| ("approval", "is not one of enforce, warn, off".to_owned()))?;
        Ok(Self {
            host_id,
            state_dir: input.state_dir,
            coordinators,
            server_name: input.server_name,
            ca_file: input.ca_file,
            certificate_file: input.certificate_file,
            key_file: input.key_file,
            esxcli: input.esxcli,
            auto_backup: input.auto_backup,
            socket: input.socket,
            program: input.program,
            storage_vmks,
            coordinator_address: input.coordinator_address,
            observe_period: secs("observe_period_secs", input.observe_period_secs)?,
            full_read_period: secs("full_read_period_secs", input.full_read_period_secs)?,
            step_timeout: secs("step_timeout_secs", input.step_timeout_secs)?,
            read_timeout: secs("read_timeout_secs", input.read_timeout_secs)?,
            max_parallel_reads: reads,
            reconnect_max: secs("reconnect_max_secs", input.reconnect_max_secs)?,
            boot_id_file: input.boot_id_file,
            approval,
            approvers_file: input.approvers_file,
            log_level,
            extra_env: input.extra_env,
        })
    }
}

fn is_address(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

fn secs(key: &'static str, value: u64) -> Result<Duration, (&'static str, String)> {
    if value == 0 || value > SECS_MAX {
        return Err((key, format!("is {value}: use 1 to {SECS_MAX} seconds")));
    }
    Ok(Duration::from_secs(value))
}

#[cfg(test)]
mod tests;

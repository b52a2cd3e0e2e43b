//! The settings file as written: every key optional, unknown keys refused. Must not know defaults.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;

/// What a file may say; `None` is "not said".
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fragment {
    pub host_id: Option<String>,
    pub state_dir: Option<PathBuf>,
    pub coordinators: Option<Vec<String>>,
    pub server_name: Option<String>,
    pub ca_file: Option<PathBuf>,
    pub certificate_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub esxcli: Option<PathBuf>,
    pub auto_backup: Option<PathBuf>,
    pub socket: Option<PathBuf>,
    pub program: Option<PathBuf>,
    pub storage_vmks: Option<Vec<String>>,
    pub coordinator_address: Option<Ipv4Addr>,
    pub observe_period_secs: Option<u64>,
    pub full_read_period_secs: Option<u64>,
    pub step_timeout_secs: Option<u64>,
    pub read_timeout_secs: Option<u64>,
    pub max_parallel_reads: Option<usize>,
    pub reconnect_max_secs: Option<u64>,
    pub boot_id_file: Option<PathBuf>,
    pub log_level: Option<String>,
    pub approval: Option<String>,
    pub approvers_file: Option<PathBuf>,
    pub extra_env: Option<BTreeMap<String, String>>,
}

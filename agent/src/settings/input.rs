//! The settings with defaults filled in. Must not judge; `Settings` does.

use super::fragment::Fragment;
use model::ApprovalMode;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;

/// Time between two looks at the host when nothing is said.
pub const OBSERVE_PERIOD_SECS_DEFAULT: u64 = 60;
/// Time between two full readings: what the lists do not tell is seen after this time at the latest.
pub const FULL_READ_PERIOD_SECS_DEFAULT: u64 = 300;
/// Longest time of one changing call.
pub const STEP_TIMEOUT_SECS_DEFAULT: u64 = 60;
/// Longest time of one reading call.
pub const READ_TIMEOUT_SECS_DEFAULT: u64 = 30;
/// Reading calls at the same time.
pub const MAX_PARALLEL_READS_DEFAULT: usize = 4;
/// Longest wait before the next try to connect.
pub const RECONNECT_MAX_SECS_DEFAULT: u64 = 120;
const ESXCLI_DEFAULT: &str = "/bin/esxcli";
const AUTO_BACKUP_DEFAULT: &str = "/sbin/auto-backup.sh";
const SERVER_NAME_DEFAULT: &str = "pointsman";

/// Settings with every default applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    pub host_id: String,
    pub state_dir: PathBuf,
    pub coordinators: Vec<String>,
    pub server_name: String,
    pub ca_file: PathBuf,
    pub certificate_file: PathBuf,
    pub key_file: PathBuf,
    pub esxcli: PathBuf,
    pub auto_backup: PathBuf,
    pub socket: PathBuf,
    pub program: Option<PathBuf>,
    pub storage_vmks: Vec<String>,
    pub coordinator_address: Option<Ipv4Addr>,
    pub observe_period_secs: u64,
    pub full_read_period_secs: u64,
    pub step_timeout_secs: u64,
    pub read_timeout_secs: u64,
    pub max_parallel_reads: usize,
    pub reconnect_max_secs: u64,
    pub boot_id_file: Option<PathBuf>,
    pub log_level: String,
    pub approval: String,
    pub approvers_file: Option<PathBuf>,
    pub extra_env: BTreeMap<String, String>,
}

impl From<Fragment> for Input {
    fn from(fragment: Fragment) -> Self {
        let state_dir = fragment.state_dir.unwrap_or_default();
        let beside = |file: Option<PathBuf>, name: &str| file.unwrap_or_else(|| state_dir.join(name));
        Self {
            host_id: fragment.host_id.unwrap_or_default(),
            coordinators: fragment.coordinators.unwrap_or_default(),
            server_name: fragment.server_name.unwrap_or_else(|| SERVER_NAME_DEFAULT.to_owned()),
            ca_file: beside(fragment.ca_file, "ca.pem"),
            certificate_file: beside(fragment.certificate_file, "host.pem"),
            key_file: beside(fragment.key_file, "host.key"),
            socket: beside(fragment.socket, "agent.sock"),
            program: fragment.program,
            storage_vmks: fragment.storage_vmks.unwrap_or_default(),
            esxcli: fragment.esxcli.unwrap_or_else(|| ESXCLI_DEFAULT.into()),
            auto_backup: fragment.auto_backup.unwrap_or_else(|| AUTO_BACKUP_DEFAULT.into()),
            coordinator_address: fragment.coordinator_address,
            observe_period_secs: fragment.observe_period_secs.unwrap_or(OBSERVE_PERIOD_SECS_DEFAULT),
            full_read_period_secs: fragment.full_read_period_secs.unwrap_or(FULL_READ_PERIOD_SECS_DEFAULT),
            step_timeout_secs: fragment.step_timeout_secs.unwrap_or(STEP_TIMEOUT_SECS_DEFAULT),
            read_timeout_secs: fragment.read_timeout_secs.unwrap_or(READ_TIMEOUT_SECS_DEFAULT),
            max_parallel_reads: fragment.max_parallel_reads.unwrap_or(MAX_PARALLEL_READS_DEFAULT),
            reconnect_max_secs: fragment.reconnect_max_secs.unwrap_or(RECONNECT_MAX_SECS_DEFAULT),
            boot_id_file: fragment.boot_id_file,
            log_level: fragment.log_level.unwrap_or_else(|| "info".to_owned()),
            approval: fragment.approval.unwrap_or_else(|| ApprovalMode::default().as_str().to_owned()),
            approvers_file: fragment.approvers_file,
            extra_env: fragment.extra_env.unwrap_or_default(),
            state_dir,
        }
    }
}

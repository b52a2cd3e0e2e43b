//! What an operator decides about the mirror: where, from where, with which credential, within which limits.
//!
//! Must not: read files or the environment (the settings module does). Called by: whoever opens a [`super::Mirror`].

use model::Secret;
use std::path::PathBuf;
use std::time::Duration;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// How the mirror proves itself to the remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// Nothing of ours: a public repository, or ssh with the account's own agent and keys.
    None,
    /// An access token sent as HTTP Basic, the form every common forge takes for Git over https.
    Token(Secret),
    /// An access token sent as `Authorization: Bearer`.
    Bearer(Secret),
    /// A user name and password (or token) sent as HTTP Basic.
    Basic {
        /// Account name.
        user: String,
        /// Password or token.
        password: Secret,
    },
    /// ssh with this private key and nothing else.
    SshKey {
        /// Private key file, readable by the coordinator only.
        private_key: PathBuf,
        /// Pinned host keys; the account's own file when absent.
        known_hosts: Option<PathBuf>,
    },
    /// Another program that takes OpenSSH's options.
    SshCommand {
        /// Program to run.
        program: PathBuf,
        /// Arguments before ours.
        args: Vec<String>,
    },
}

/// Bounds on what a remote can make the coordinator store, read or wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoLimits {
    /// Bytes of one fetch, as sent.
    pub pack_bytes: u64,
    /// Objects of one fetch.
    pub pack_objects: usize,
    /// Whole duration of one fetch.
    pub fetch_time: Duration,
    /// Entries (files and directories) of one snapshot, state or not.
    pub files: usize,
    /// Bytes of one state file.
    pub blob_bytes: u64,
    /// Bytes of all state files of one snapshot.
    pub total_bytes: u64,
    /// Components of a state file's path.
    pub depth: usize,
}

impl Default for RepoLimits {
    fn default() -> Self {
        Self {
            pack_bytes: 64 * MIB,
            pack_objects: 1_000_000,
            fetch_time: Duration::from_secs(30),
            files: 10_000,
            blob_bytes: 256 * KIB,
            total_bytes: 64 * MIB,
            depth: 6,
        }
    }
}

/// Everything needed to open a mirror.
#[derive(Debug, Clone)]
pub struct MirrorSettings {
    /// Directory of the bare mirror; it belongs to the mirror alone.
    pub path: PathBuf,
    /// `https://`, `http://`, `ssh://`, `user@host:path`, `file://` or an absolute path.
    pub url: String,
    /// The branch that is followed, without `refs/heads/`.
    pub branch: String,
    /// The credential.
    pub auth: Auth,
    /// The bounds.
    pub limits: RepoLimits,
}

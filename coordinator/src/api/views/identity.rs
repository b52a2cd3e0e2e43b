//! Identities of hosts as operators see them.

use crate::trust::TOKEN_TTL_SECS_DEFAULT;
use model::{HostGroupId, HostId, KeyFingerprint, Wall};
use serde::{Deserialize, Serialize};

/// Asks for an enrolment token; it must name a host, or a machine, or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// The host it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostId>,
    /// System UUID of the machine it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_uuid: Option<String>,
    /// Group of a host that no document names yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<HostGroupId>,
    /// Its life in seconds.
    #[serde(default = "ten_minutes")]
    pub ttl_secs: u64,
    /// Whether an operator must approve the host's key before it gets in.
    #[serde(default = "yes")]
    pub approval: bool,
}

fn ten_minutes() -> u64 {
    TOKEN_TTL_SECS_DEFAULT
}

fn yes() -> bool {
    true
}

/// A new enrolment token; shown once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenView {
    /// The host it is for.
    pub host: Option<HostId>,
    /// The machine it is for.
    pub system_uuid: Option<String>,
    /// Whether an operator must approve the host's key.
    pub approval: bool,
    /// The secret.
    pub token: String,
    /// Until when.
    pub expires: Wall,
}

/// A host that waits for an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolmentView {
    /// The host it says it is.
    pub host: HostId,
    /// Its key: compare it with what the host shows.
    pub key: KeyFingerprint,
    /// `token`, or `certificate` for a host that has one of ours and no row here.
    pub source: String,
    /// Its machine.
    pub system_uuid: Option<String>,
    /// The group the token gives.
    pub group: Option<HostGroupId>,
    /// Address it came from.
    pub remote: String,
    /// What the host with this name is now, when there is one, e.g. `enrolled` with another key.
    pub replaces: Option<String>,
    /// Since when.
    pub created: Wall,
    /// Until when.
    pub expires: Wall,
}

/// Lets a host in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApproveRequest {
    /// Only when the host's key is this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<KeyFingerprint>,
}

/// The identity of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityView {
    /// The host.
    pub host: HostId,
    /// What it is to us.
    pub status: String,
    /// Why it is quarantined or revoked.
    pub reason: Option<String>,
    /// The key it is bound to.
    pub key: Option<KeyFingerprint>,
    /// The machine it is bound to.
    pub system_uuid: Option<String>,
    /// How often it recovered.
    pub join_count: Option<u64>,
    /// End of its newest certificate.
    pub certificate_expires: Option<Wall>,
    /// When it last enrolled.
    pub enrolled: Option<Wall>,
}

//! What a host is told: the order. Travels as canonical JSON inside an envelope.

use crate::{ChangeId, DesiredNetwork, Disruption, Generation, HostId, Millis, PlanDigest};
use serde::{Deserialize, Serialize};

/// Confirm window when nothing else is said, in seconds.
pub const CONFIRM_TIMEOUT_SECS_DEFAULT: u64 = 60;
/// Shortest confirm window, in seconds.
pub const CONFIRM_TIMEOUT_SECS_MIN: u64 = 5;
/// Longest confirm window, in seconds.
pub const CONFIRM_TIMEOUT_SECS_MAX: u64 = 600;

/// Local proofs an agent makes before it asks for the confirmation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbePlan {
    /// Names of probes, e.g. `mgmt-gateway`, `coordinator`.
    #[serde(default)]
    pub probes: Vec<String>,
    /// How many probes must pass; `None` is every one that passed before the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub need: Option<u32>,
}

/// One host's part of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The host this is for; an agent refuses another one's.
    pub host: HostId,
    /// The accepted proposal.
    pub change: ChangeId,
    /// Number of this desired state; only grows.
    pub generation: Generation,
    /// Commit of the configuration repository.
    pub commit: String,
    /// What should be, in full for this host.
    pub desired: DesiredNetwork,
    /// Digest of the plan that was approved.
    pub plan_digest: PlanDigest,
    /// Worst effect the approvers agreed to.
    pub disruption_allowed: Disruption,
    /// How long the agent waits for the confirmation before it rolls back.
    pub confirm_timeout: Millis,
    /// Local proofs.
    #[serde(default)]
    pub probes: ProbePlan,
}

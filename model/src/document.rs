//! Documents of a group: `group.yaml` and the per-host files. Must not read files.

use crate::{HostId, Labels, Millis, VmnicName, WaveSize};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the document format this release reads and writes.
pub const SCHEMA_VERSION: u32 = 1;

/// Which hosts belong to a group: names, or labels that must all match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum HostSelector {
    /// These hosts.
    Hosts(Vec<HostId>),
    /// Every host document of the group with all these labels.
    Labels(Labels),
}

/// How changes roll out in a group when the RFC says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRollout {
    /// Hosts of the first wave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<u32>,
    /// Later waves; the rest is always the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waves: Option<Vec<WaveSize>>,
    /// Hosts at work at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u32>,
    /// Wait between waves, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak_secs: Option<u64>,
    /// Failed hosts tolerated after the canary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_budget: Option<u32>,
    /// Confirm window, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_timeout_secs: Option<u64>,
}

/// What happens to drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftPolicy {
    /// Tell people.
    #[default]
    Report,
}

/// `groups/<group>/group.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupDocument {
    /// The hosts.
    pub members: HostSelector,
    /// Label whose value names the failure domain, e.g. `rack`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_domain: Option<String>,
    /// How changes roll out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<GroupRollout>,
    /// What happens to drift.
    #[serde(default)]
    pub drift: DriftPolicy,
}

/// A declared deviation of one host from its group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostOverride {
    /// JSON Pointer into the group's network, e.g. `/port_groups/VM Network/vlan`.
    pub path: String,
    /// The value there.
    pub value: serde_json::Value,
    /// Why.
    pub reason: String,
    /// Until when, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// `groups/<group>/hosts/<host>.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostDocument {
    /// Labels, e.g. `rack: r1`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: Labels,
    /// Uplink roles, e.g. `a: vmnic0`; used as `${uplink.a}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub uplinks: BTreeMap<String, VmnicName>,
    /// Values, e.g. `vmotion_ip: 10.0.0.7/24`; used as `${host.vmotion_ip}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, serde_json::Value>,
    /// Declared deviations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<HostOverride>,
}

impl GroupRollout {
    /// The soak as a span.
    #[must_use]
    pub fn soak(&self) -> Option<Millis> {
        self.soak_secs.map(Millis::from_secs)
    }
}

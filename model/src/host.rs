//! Facts about a host that are not its network.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Free labels of a host, e.g. `rack: r1`.
pub type Labels = BTreeMap<String, String>;

/// Names one boot of a host; changes with every boot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BootId(pub String);

/// What a host says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostFacts {
    /// Fully qualified or short host name.
    #[serde(default)]
    pub hostname: String,
    /// ESXi version, e.g. `8.0.3`.
    #[serde(default)]
    pub version: String,
    /// ESXi build, e.g. `24022510`.
    #[serde(default)]
    pub build: String,
    /// System UUID as text; empty when the host did not tell.
    #[serde(default)]
    pub uuid: String,
    /// Hardware vendor.
    #[serde(default)]
    pub vendor: String,
    /// Hardware model.
    #[serde(default)]
    pub model: String,
    /// This boot.
    #[serde(default)]
    pub boot_id: BootId,
}

//! What a VMkernel adapter can be told: IPv4 configuration and service tags.

use crate::Ipv4Cidr;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// IPv4 configuration of a VMkernel adapter (esxcli `network ip interface ipv4 set`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Ipv4Config {
    /// No IPv4 at all.
    None,
    /// Address by DHCP; the address itself is not managed.
    Dhcp,
    /// A fixed address.
    Static {
        /// Address with prefix length.
        address: Ipv4Cidr,
        /// Gateway of this adapter only (ESXi 6.5 and later).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gateway: Option<Ipv4Addr>,
    },
}

/// Spellings of the service tags that esxcli prints; compared without regard to case.
const KNOWN_TAGS: [&str; 13] = [
    "Management",
    "VMotion",
    "VSAN",
    "VSANWitness",
    "faultToleranceLogging",
    "vSphereReplication",
    "vSphereReplicationNFC",
    "vSphereProvisioning",
    "vSphereBackupNFC",
    "ptp",
    "NVMeTCP",
    "NVMeRDMA",
    "vsanExternal",
];

/// A service enabled on a VMkernel adapter, in the spelling of esxcli; unknown tags are kept as they are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct ServiceTag(String);

impl ServiceTag {
    /// Makes a tag; a known one gets its usual spelling.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        match KNOWN_TAGS.iter().find(|known| known.eq_ignore_ascii_case(text.trim())) {
            Some(known) => Self((*known).to_owned()),
            None => Self(text.trim().to_owned()),
        }
    }

    /// The tag of management traffic.
    #[must_use]
    pub fn management() -> Self {
        Self("Management".to_owned())
    }

    /// Whether esxcli documents this tag.
    #[must_use]
    pub fn is_known(&self) -> bool {
        KNOWN_TAGS.contains(&self.0.as_str())
    }

    /// All documented tags.
    #[must_use]
    pub fn known() -> &'static [&'static str] {
        &KNOWN_TAGS
    }

    /// The tag as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for ServiceTag {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<ServiceTag> for String {
    fn from(tag: ServiceTag) -> String {
        tag.0
    }
}

impl std::fmt::Display for ServiceTag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

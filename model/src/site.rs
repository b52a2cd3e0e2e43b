//! `pointsman.yaml`: facts of a site that no host can report.

use crate::{HostId, Mtu, Severity, VlanId, VmnicName};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

impl Serialize for VlanId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.get())
    }
}

impl<'de> Deserialize<'de> for VlanId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u16::deserialize(deserializer)?;
        Self::new(number).map_err(serde::de::Error::custom)
    }
}

/// A role of traffic, e.g. `vmotion`: its VLAN, subnet and MTU.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteRole {
    /// VLAN of the role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<VlanId>,
    /// IPv4 network of the role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<crate::Ipv4Cidr>,
    /// MTU of the role in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<Mtu>,
    /// Which storage it carries; no service tag of a host says that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageProtocol>,
    /// Whether its iSCSI adapters are bound to one uplink each.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub port_binding: bool,
}

/// A storage protocol whose adapters carry no service tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StorageProtocol {
    /// iSCSI.
    Iscsi,
    /// NFS.
    Nfs,
}

/// VLANs with a special meaning at this site.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VlanFacts {
    /// Native VLAN of the trunks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native: Option<VlanId>,
    /// VLANs that must not be used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reserved: Vec<VlanId>,
    /// VLANs every trunk carries; empty means not stated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trunked: Vec<VlanId>,
    /// VLANs in the site's registry; empty means that there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub registered: Vec<VlanId>,
}

/// What a port of a physical switch carries.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchPort {
    /// The physical switch.
    pub switch: String,
    /// The port, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// VLANs of the trunk; empty means not stated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vlans: Vec<VlanId>,
    /// Native VLAN of the trunk, when it is not the one of the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native: Option<VlanId>,
    /// Static port channel it is a member of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<String>,
}

/// Where the NICs of hosts are plugged in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cabling {
    /// By uplink role of the host documents.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub uplinks: BTreeMap<String, SwitchPort>,
    /// By host and NIC; goes before the uplink role.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hosts: BTreeMap<HostId, BTreeMap<VmnicName, SwitchPort>>,
    /// Physical switches that act as one, by name of the stack.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stacks: BTreeMap<String, Vec<String>>,
}

/// Patterns that names of objects have to match: one of the list; `*` stands for any text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Naming {
    /// Of standard switches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vswitches: Vec<String>,
    /// Of port groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub port_groups: Vec<String>,
}

/// The most a host of this site may have.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteMaxima {
    /// Standard switches of one host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vswitches: Option<u32>,
    /// Port groups of one switch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_groups: Option<u32>,
}

/// A finding that this site lives with, for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// The rule.
    pub rule: String,
    /// The objects, as `group/host/kind/name`; `*` stands for any text.
    pub object: String,
    /// Why.
    pub reason: String,
    /// Last day, `YYYY-MM-DD`.
    pub expires: String,
}

/// Severity a site gives a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleSeverity {
    /// Not reported.
    Off,
    /// Worth knowing.
    Info,
    /// Worth a second look.
    Warning,
    /// Stops a change.
    Error,
}

impl RuleSeverity {
    /// The severity; none when the rule is off.
    #[must_use]
    pub fn severity(self) -> Option<Severity> {
        match self {
            Self::Off => None,
            Self::Info => Some(Severity::Info),
            Self::Warning => Some(Severity::Warning),
            Self::Error => Some(Severity::Error),
        }
    }
}

/// `pointsman.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteDocument {
    /// Version of the document format.
    pub schema: u32,
    /// Roles of traffic by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, SiteRole>,
    /// Special VLANs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlans: Option<VlanFacts>,
    /// Largest MTU the physical network carries, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub physical_mtu: Option<Mtu>,
    /// Where NICs are plugged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cabling: Option<Cabling>,
    /// How objects are named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub naming: Option<Naming>,
    /// Most objects of a host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maxima: Option<SiteMaxima>,
    /// Drivers of physical NICs that are supported here; empty means not stated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drivers: Vec<String>,
    /// Addresses that belong to something else than hosts: virtual addresses, appliances.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vips: Vec<Ipv4Addr>,
    /// Port groups of unicast load balancers, as patterns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nlb_unicast: Vec<String>,
    /// Findings this site lives with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waivers: Vec<Waiver>,
    /// Severities of rules that this site changes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub severity: BTreeMap<String, RuleSeverity>,
}

//! `pointsman.yaml`: facts of a site that no host can report.

use crate::{Mtu, VlanId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

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
}

//! The physical network around one host: switch ports, VLANs, MTU, subnets, and what can be reached through them.
//!
//! Owns: whether a frame that leaves an uplink arrives. Must not: change a host. Called by the forwarder
//! (`pointsman-sim fabric`), by `network diag ping`, by DHCP, and by tests of other crates.

mod path;

pub use path::{Fragment, Ping, Reach, can_ping, lease, management_reachable};

use crate::network::Subnet;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// VLANs that a physical switch port carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PortMode {
    /// Untagged frames belong to this VLAN; tagged ones are dropped.
    Access(u16),
    /// Tagged frames of the allowed VLANs; untagged ones belong to the native VLAN.
    Trunk {
        /// VLANs carried.
        allowed: BTreeSet<u16>,
        /// VLAN of untagged frames; `None` drops them.
        native: Option<u16>,
    },
}

impl PortMode {
    /// The network VLAN a frame arrives in; `tag` 0 is an untagged frame.
    #[must_use]
    pub fn carries(&self, tag: u16) -> Option<u16> {
        match self {
            Self::Access(vlan) => (tag == 0).then_some(*vlan),
            Self::Trunk { native, .. } if tag == 0 => *native,
            Self::Trunk { allowed, .. } => allowed.contains(&tag).then_some(tag),
        }
    }
}

/// The physical switch port one vmnic is plugged into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// Physical switch and port, for people.
    #[serde(default)]
    pub neighbour: String,
    /// Link state.
    pub link_up: bool,
    /// VLANs it carries.
    pub mode: PortMode,
    /// Largest frame payload it passes, bytes.
    pub mtu: u32,
}

/// One VLAN with its subnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// VLAN number in the physical network.
    pub vlan: u16,
    /// Addresses on it.
    pub subnet: Subnet,
    /// Router of the segment, when it has one.
    #[serde(default)]
    pub gateway: Option<Ipv4Addr>,
    /// Whether a DHCP server answers.
    #[serde(default)]
    pub dhcp: bool,
    /// Largest frame payload between the ports, bytes.
    pub mtu: u32,
}

/// What a new connection meets while the host is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutMode {
    /// Connections open and nothing passes.
    #[default]
    BlackHole,
    /// Connections are closed at once.
    Refuse,
}

/// The physical network as one host sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fabric {
    /// Switch port of each vmnic.
    pub ports: BTreeMap<String, Port>,
    /// VLANs and subnets.
    pub segments: Vec<Segment>,
    /// Address of the coordinator in this network.
    pub coordinator: Option<Ipv4Addr>,
    /// Addresses that never answer a ping.
    pub silent: BTreeSet<Ipv4Addr>,
    /// What a new connection meets while the host is cut off.
    pub when_cut: CutMode,
}

impl Fabric {
    /// The segment of a VLAN.
    #[must_use]
    pub fn segment(&self, vlan: u16) -> Option<&Segment> {
        self.segments.iter().find(|segment| segment.vlan == vlan)
    }

    fn segment_of(&self, address: Ipv4Addr) -> Option<&Segment> {
        self.segments.iter().find(|segment| segment.subnet.contains(address))
    }
}

#[cfg(test)]
mod tests;

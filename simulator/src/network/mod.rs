//! The networking of one simulated ESXi host: plain state types.
//!
//! Owns: switches, port groups, VMkernel adapters, NICs and netstacks as the host keeps them. Must not: parse
//! arguments, print, or share code with the product's engine. Changed by the sibling modules, read by `cli`.

mod fault;
mod netstack;
mod nic;
mod policy;
mod port_group;
mod subnet;
mod switch;
mod vmk;

pub use fault::Fault;
pub use netstack::{DEFAULT_NETSTACK, Netstack, NetstackStart, Route, RouteRow, RouteTarget};
pub use nic::{Nic, NicAdmin, NicSpeed};
pub use policy::{
    Cdp, Detection, Failover, FailoverChange, FailoverOverride, LoadBalancing, Security, SecurityChange,
    SecurityOverride, Shaping, ShapingChange, ShapingOverride, UplinkOrder,
};
pub use port_group::{PolicyStart, PortGroup};
pub use subnet::Subnet;
pub use switch::Vswitch;
pub use vmk::{AddressMode, Ipv4, Ipv4Request, Ipv6, NewVmk, TAGS, Vmk};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Smallest MTU the simulated kernel takes.
pub const MTU_MIN: u32 = 1280;

/// Everything esxcli can change about one host's network; what `auto-backup.sh` saves.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// Standard switches by name.
    pub vswitches: BTreeMap<String, Vswitch>,
    /// Port groups, oldest first; names are unique on the host.
    pub port_groups: Vec<PortGroup>,
    /// VMkernel adapters by name.
    pub vmks: BTreeMap<String, Vmk>,
    /// Physical NICs by name.
    pub nics: BTreeMap<String, Nic>,
    /// TCP/IP stacks by key.
    pub netstacks: BTreeMap<String, Netstack>,
    /// Host name without domain.
    pub hostname: String,
    /// DNS domain of the host; may be empty.
    pub domain: String,
    /// Largest MTU the kernel of this release takes.
    pub mtu_max: u32,
    /// How many VMkernel MAC addresses were generated so far.
    pub generated_macs: u32,
}

impl Network {
    /// The port group of this name.
    #[must_use]
    pub fn port_group(&self, name: &str) -> Option<&PortGroup> {
        self.port_groups.iter().find(|group| group.name == name)
    }

    /// The switch of this name, or the kernel's "not found".
    pub fn vswitch(&self, name: &str) -> Result<&Vswitch, Fault> {
        self.vswitches.get(name).ok_or(Fault::SysinfoNotFound)
    }

    pub(crate) fn vswitch_mut(&mut self, name: &str) -> Result<&mut Vswitch, Fault> {
        self.vswitches.get_mut(name).ok_or(Fault::SysinfoNotFound)
    }

    pub(crate) fn port_group_mut(&mut self, name: &str) -> Result<&mut PortGroup, Fault> {
        self.port_groups.iter_mut().find(|group| group.name == name).ok_or(Fault::SysinfoNotFound)
    }

    /// The VMkernel adapter on this port group, when there is one.
    #[must_use]
    pub fn vmk_on(&self, port_group: &str) -> Option<(&String, &Vmk)> {
        self.vmks.iter().find(|(_, vmk)| vmk.port_group.as_deref() == Some(port_group))
    }

    /// The switch that holds this NIC as uplink.
    #[must_use]
    pub fn vswitch_of_nic(&self, vmnic: &str) -> Option<(&String, &Vswitch)> {
        self.vswitches.iter().find(|(_, switch)| switch.uplinks.iter().any(|uplink| uplink == vmnic))
    }

    /// Refuses an MTU outside of what the kernel takes.
    pub(crate) fn check_mtu(&self, mtu: u32) -> Result<(), Fault> {
        let max = if self.mtu_max == 0 { MTU_MAX_DEFAULT } else { self.mtu_max };
        if (MTU_MIN..=max).contains(&mtu) { Ok(()) } else { Err(Fault::BadParameter) }
    }
}

/// Largest MTU when the state file does not name one.
pub const MTU_MAX_DEFAULT: u32 = 9000;

#[cfg(test)]
mod tests;

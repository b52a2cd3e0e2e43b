//! What is: a complete but perhaps partly unreadable picture of one host's network.
//!
//! Also the host description file that the simulator and `pointsman plan --host-file` read.

use crate::desired::Duplex;
use crate::{
    CdpStatus, FailureDetection, HostFacts, Ipv4Cidr, Ipv6Cidr, Known, LoadBalancing, MacAddress, Mtu,
    NetstackName, PortGroupName, RouteNetwork, SecurityPolicy, ServiceTag, ShapingPolicy, TeamingPolicy,
    UplinkOrder, Vlan, VmkName, VmnicName, VswitchName, Wall,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// Up or down: link state, and administrative state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkState {
    /// Up.
    Up,
    /// Down.
    Down,
}

/// A standard switch as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedVswitch {
    /// Frame payload size in bytes.
    pub mtu: Known<Mtu>,
    /// Cisco Discovery Protocol mode.
    pub cdp: Known<CdpStatus>,
    /// Physical NICs of the switch.
    pub uplinks: Known<BTreeSet<VmnicName>>,
    /// Failover policy.
    pub teaming: Known<TeamingPolicy>,
    /// Security policy.
    pub security: Known<SecurityPolicy>,
    /// Traffic shaping.
    pub shaping: Known<ShapingPolicy>,
}

/// One policy field of a port group: the value in force and whether it is the port group's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InheritedField<T> {
    /// Taken from the switch; the value in force.
    Inherited(T),
    /// The port group's own value.
    Own(T),
}

impl<T> InheritedField<T> {
    /// The value in force.
    pub fn value(&self) -> &T {
        match self {
            Self::Inherited(value) | Self::Own(value) => value,
        }
    }

    /// The port group's own value, when it has one.
    pub fn own(&self) -> Option<&T> {
        match self {
            Self::Own(value) => Some(value),
            Self::Inherited(_) => None,
        }
    }
}

/// Failover policy of a port group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedPortGroupTeaming {
    /// How uplinks are chosen.
    pub load_balancing: InheritedField<LoadBalancing>,
    /// How a failed uplink is noticed.
    pub failure_detection: InheritedField<FailureDetection>,
    /// Whether physical switches are told when a port moves.
    pub notify_switches: InheritedField<bool>,
    /// Whether a recovered uplink is used again at once.
    pub failback: InheritedField<bool>,
    /// Active and standby uplinks.
    pub uplinks: InheritedField<UplinkOrder>,
}

/// Security policy of a port group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedPortGroupSecurity {
    /// Whether a guest may see all frames.
    pub allow_promiscuous: InheritedField<bool>,
    /// Whether a guest may change its MAC address.
    pub allow_mac_change: InheritedField<bool>,
    /// Whether a guest may send from another MAC address.
    pub allow_forged_transmits: InheritedField<bool>,
}

/// Traffic shaping of a port group; esxcli's four override flags are taken as one.
pub type ObservedPortGroupShaping = InheritedField<ShapingPolicy>;

/// A port group as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedPortGroup {
    /// The switch it is on.
    pub vswitch: VswitchName,
    /// VLAN.
    pub vlan: Known<Vlan>,
    /// Ports in use; not compared.
    #[serde(default)]
    pub active_clients: u32,
    /// Failover policy.
    pub teaming: Known<ObservedPortGroupTeaming>,
    /// Security policy.
    pub security: Known<ObservedPortGroupSecurity>,
    /// Traffic shaping.
    pub shaping: Known<ObservedPortGroupShaping>,
}

/// What a VMkernel adapter is plugged into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VmkAttachment {
    /// A port group of a standard switch: managed.
    PortGroup(PortGroupName),
    /// A distributed or opaque switch, by name: shown, never touched.
    Distributed(String),
}

/// IPv4 of a VMkernel adapter as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ObservedIpv4 {
    /// No IPv4.
    None,
    /// By DHCP, with the lease's address when there is one.
    Dhcp {
        /// Address of the lease; not compared.
        address: Option<Ipv4Cidr>,
    },
    /// Fixed.
    Static {
        /// Address with prefix length.
        address: Ipv4Cidr,
        /// Gateway of this adapter only.
        gateway: Option<Ipv4Addr>,
    },
}

impl ObservedIpv4 {
    /// The address in use.
    #[must_use]
    pub fn address(&self) -> Option<Ipv4Cidr> {
        match self {
            Self::None => None,
            Self::Dhcp { address } => *address,
            Self::Static { address, .. } => Some(*address),
        }
    }
}

/// IPv6 of a VMkernel adapter as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedIpv6 {
    /// Whether DHCPv6 is used.
    pub dhcp: bool,
    /// Whether router advertisements are used.
    pub router_advertisements: bool,
    /// Fixed addresses.
    #[serde(default)]
    pub addresses: BTreeSet<Ipv6Cidr>,
}

/// A VMkernel adapter as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedVmk {
    /// What it is plugged into.
    pub attachment: VmkAttachment,
    /// The netstack it is on.
    pub netstack: NetstackName,
    /// Whether it is enabled.
    pub enabled: bool,
    /// Ethernet address.
    pub mac: Known<MacAddress>,
    /// Frame payload size in bytes.
    pub mtu: Known<Mtu>,
    /// IPv4.
    pub ipv4: Known<ObservedIpv4>,
    /// IPv6.
    pub ipv6: Known<ObservedIpv6>,
    /// Services enabled on it.
    pub services: Known<BTreeSet<ServiceTag>>,
}

/// A physical NIC as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedNic {
    /// Driver name.
    #[serde(default)]
    pub driver: String,
    /// PCI address as printed; `Pseudo` for some.
    #[serde(default)]
    pub pci: String,
    /// Ethernet address.
    pub mac: Known<MacAddress>,
    /// Administrative state.
    pub admin: Known<LinkState>,
    /// Link state.
    pub link: LinkState,
    /// Speed in Mbit/s; 0 while the link is down.
    #[serde(default)]
    pub speed_mbps: u32,
    /// Duplex.
    pub duplex: Duplex,
    /// Whether speed and duplex are negotiated.
    pub auto_negotiation: Known<bool>,
    /// Description of the hardware.
    #[serde(default)]
    pub description: String,
}

/// One IPv4 route as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedRoute {
    /// Where it leads.
    pub network: RouteNetwork,
    /// Through which gateway; none for a connected network.
    pub gateway: Option<Ipv4Addr>,
    /// Over which adapter.
    pub vmk: Option<VmkName>,
}

/// A netstack as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedNetstack {
    /// IPv4 routes.
    pub routes: Known<Vec<ObservedRoute>>,
    /// DNS servers in search order.
    pub dns_servers: Known<Vec<IpAddr>>,
    /// DNS search domains in order.
    pub dns_search: Known<Vec<String>>,
}

/// A running virtual machine and the port groups it is on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedVm {
    /// Name.
    pub name: String,
    /// Names of its networks.
    pub networks: Vec<String>,
}

/// A distributed switch: read and shown, never touched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedDvs {
    /// Name.
    pub name: String,
    /// Its physical NICs.
    pub uplinks: BTreeSet<VmnicName>,
}

/// The network of one host at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedNetwork {
    /// When it was read.
    pub taken_at: Wall,
    /// The host itself.
    pub facts: HostFacts,
    /// The VMkernel adapter whose route leads to the coordinator.
    pub management_vmk: Known<Option<VmkName>>,
    /// Standard switches by name.
    pub vswitches: Known<BTreeMap<VswitchName, ObservedVswitch>>,
    /// Port groups of standard switches by name.
    pub port_groups: Known<BTreeMap<PortGroupName, ObservedPortGroup>>,
    /// VMkernel adapters by name.
    pub vmkernels: Known<BTreeMap<VmkName, ObservedVmk>>,
    /// Physical NICs by name.
    pub nics: Known<BTreeMap<VmnicName, ObservedNic>>,
    /// Netstacks by name.
    pub netstacks: Known<BTreeMap<NetstackName, ObservedNetstack>>,
    /// Running virtual machines.
    pub vms: Known<Vec<ObservedVm>>,
    /// Distributed switches.
    pub dvs: Known<Vec<ObservedDvs>>,
}

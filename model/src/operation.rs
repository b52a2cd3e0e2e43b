//! Every way Pointsman can change a host: one operation is one esxcli call.
//!
//! `engine` decides operations, `esxcli` spells them, the agent runs them. Nothing else writes.

use crate::desired::NicLink;
use crate::{
    CdpStatus, FailureDetection, Ipv4Config, Ipv6Cidr, LoadBalancing, MacAddress, Mtu, NetstackName,
    PortGroupName, RouteNetwork, ServiceTag, ShapingPolicy, Vlan, VmkName, VmnicName, VswitchName,
};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr};

/// Fields of a failover policy to set; what is `None` is not mentioned in the call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TeamingChange {
    /// How uplinks are chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_balancing: Option<LoadBalancing>,
    /// How a failed uplink is noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_detection: Option<FailureDetection>,
    /// Whether physical switches are told when a port moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify_switches: Option<bool>,
    /// Whether a recovered uplink is used again at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failback: Option<bool>,
    /// Active uplinks in order; an empty list clears it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<Vec<VmnicName>>,
    /// Standby uplinks in order; an empty list clears it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standby: Option<Vec<VmnicName>>,
}

/// Fields of a security policy to set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SecurityChange {
    /// Whether a guest may see all frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_promiscuous: Option<bool>,
    /// Whether a guest may change its MAC address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_mac_change: Option<bool>,
    /// Whether a guest may send from another MAC address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_forged_transmits: Option<bool>,
}

/// Traffic shaping of a port group to set; `None` together with a reset means inherit.
pub type ShapingChange = Option<ShapingPolicy>;

/// Whether a port-group policy call first resets every field to inherit (`--use-vswitch`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyReset {
    /// Leave the other fields as they are.
    Keep,
    /// Reset every field of this policy to inherit, then set the given ones.
    InheritAll,
}

/// IPv6 switches of a VMkernel adapter to set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct VmkIpv6Change {
    /// Whether DHCPv6 is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dhcp: Option<bool>,
    /// Whether router advertisements are used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router_advertisements: Option<bool>,
}

/// One change of a host: exactly one esxcli call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are the named objects of the call; each variant names its call")]
pub enum Operation {
    /// `network vswitch standard add`
    VswitchAdd { vswitch: VswitchName },
    /// `network vswitch standard remove`
    VswitchRemove { vswitch: VswitchName },
    /// `network vswitch standard set`; at least one field is given.
    VswitchSet { vswitch: VswitchName, mtu: Option<Mtu>, cdp: Option<CdpStatus> },
    /// `network vswitch standard uplink add`
    UplinkAdd { vswitch: VswitchName, vmnic: VmnicName },
    /// `network vswitch standard uplink remove`
    UplinkRemove { vswitch: VswitchName, vmnic: VmnicName },
    /// `network vswitch standard policy failover set`
    VswitchTeamingSet { vswitch: VswitchName, change: TeamingChange },
    /// `network vswitch standard policy security set`
    VswitchSecuritySet { vswitch: VswitchName, change: SecurityChange },
    /// `network vswitch standard policy shaping set`
    VswitchShapingSet { vswitch: VswitchName, shaping: ShapingPolicy },
    /// `network vswitch standard portgroup add`
    PortGroupAdd { port_group: PortGroupName, vswitch: VswitchName },
    /// `network vswitch standard portgroup remove`
    PortGroupRemove { port_group: PortGroupName, vswitch: VswitchName },
    /// `network vswitch standard portgroup set`
    PortGroupVlanSet { port_group: PortGroupName, vlan: Vlan },
    /// `network vswitch standard portgroup policy failover set`
    PortGroupTeamingSet { port_group: PortGroupName, reset: PolicyReset, change: TeamingChange },
    /// `network vswitch standard portgroup policy security set`
    PortGroupSecuritySet { port_group: PortGroupName, reset: PolicyReset, change: SecurityChange },
    /// `network vswitch standard portgroup policy shaping set`
    PortGroupShapingSet { port_group: PortGroupName, reset: PolicyReset, change: ShapingChange },
    /// `network ip interface add`
    VmkAdd {
        vmk: VmkName,
        port_group: PortGroupName,
        netstack: Option<NetstackName>,
        mtu: Option<Mtu>,
        mac: Option<MacAddress>,
    },
    /// `network ip interface remove`
    VmkRemove { vmk: VmkName },
    /// `network ip interface set`; at least one field is given.
    VmkSet { vmk: VmkName, mtu: Option<Mtu>, enabled: Option<bool> },
    /// `network ip interface ipv4 set`
    VmkIpv4Set { vmk: VmkName, ipv4: Ipv4Config },
    /// `network ip interface ipv6 set`
    VmkIpv6Set { vmk: VmkName, change: VmkIpv6Change },
    /// `network ip interface ipv6 address add`
    VmkIpv6AddressAdd { vmk: VmkName, address: Ipv6Cidr },
    /// `network ip interface ipv6 address remove`
    VmkIpv6AddressRemove { vmk: VmkName, address: Ipv6Cidr },
    /// `network ip interface tag add`
    VmkTagAdd { vmk: VmkName, tag: ServiceTag },
    /// `network ip interface tag remove`
    VmkTagRemove { vmk: VmkName, tag: ServiceTag },
    /// `network nic up`
    NicUp { vmnic: VmnicName },
    /// `network nic down`
    NicDown { vmnic: VmnicName },
    /// `network nic set`
    NicSet { vmnic: VmnicName, link: NicLink },
    /// `network ip netstack add`
    NetstackAdd { netstack: NetstackName },
    /// `network ip netstack remove`
    NetstackRemove { netstack: NetstackName },
    /// `network ip route ipv4 add`
    RouteAdd { netstack: NetstackName, network: RouteNetwork, gateway: Ipv4Addr },
    /// `network ip route ipv4 remove`
    RouteRemove { netstack: NetstackName, network: RouteNetwork, gateway: Ipv4Addr },
    /// `network ip dns server add`; appends.
    DnsServerAdd { netstack: NetstackName, server: IpAddr },
    /// `network ip dns server remove`
    DnsServerRemove { netstack: NetstackName, server: IpAddr },
    /// `network ip dns search add`; appends.
    DnsSearchAdd { netstack: NetstackName, domain: String },
    /// `network ip dns search remove`
    DnsSearchRemove { netstack: NetstackName, domain: String },
}

/// What a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the object of the same name")]
pub enum OperationObject<'a> {
    Vswitch(&'a VswitchName),
    PortGroup(&'a PortGroupName),
    Vmk(&'a VmkName),
    Vmnic(&'a VmnicName),
    Netstack(&'a NetstackName),
}

impl Operation {
    /// The object this call changes: an uplink belongs to its switch, routes and name servers to their netstack.
    #[must_use]
    pub fn object(&self) -> OperationObject<'_> {
        match self {
            Self::VswitchAdd { vswitch }
            | Self::VswitchRemove { vswitch }
            | Self::VswitchSet { vswitch, .. }
            | Self::UplinkAdd { vswitch, .. }
            | Self::UplinkRemove { vswitch, .. }
            | Self::VswitchTeamingSet { vswitch, .. }
            | Self::VswitchSecuritySet { vswitch, .. }
            | Self::VswitchShapingSet { vswitch, .. } => OperationObject::Vswitch(vswitch),
            Self::PortGroupAdd { port_group, .. }
            | Self::PortGroupRemove { port_group, .. }
            | Self::PortGroupVlanSet { port_group, .. }
            | Self::PortGroupTeamingSet { port_group, .. }
            | Self::PortGroupSecuritySet { port_group, .. }
            | Self::PortGroupShapingSet { port_group, .. } => OperationObject::PortGroup(port_group),
            Self::VmkAdd { vmk, .. }
            | Self::VmkRemove { vmk }
            | Self::VmkSet { vmk, .. }
            | Self::VmkIpv4Set { vmk, .. }
            | Self::VmkIpv6Set { vmk, .. }
            | Self::VmkIpv6AddressAdd { vmk, .. }
            | Self::VmkIpv6AddressRemove { vmk, .. }
            | Self::VmkTagAdd { vmk, .. }
            | Self::VmkTagRemove { vmk, .. } => OperationObject::Vmk(vmk),
            Self::NicUp { vmnic } | Self::NicDown { vmnic } | Self::NicSet { vmnic, .. } => {
                OperationObject::Vmnic(vmnic)
            }
            Self::NetstackAdd { netstack }
            | Self::NetstackRemove { netstack }
            | Self::RouteAdd { netstack, .. }
            | Self::RouteRemove { netstack, .. }
            | Self::DnsServerAdd { netstack, .. }
            | Self::DnsServerRemove { netstack, .. }
            | Self::DnsSearchAdd { netstack, .. }
            | Self::DnsSearchRemove { netstack, .. } => OperationObject::Netstack(netstack),
        }
    }

    /// Whether the call takes something away: doing that to what is not there leaves the host as wanted.
    #[must_use]
    pub fn removes(&self) -> bool {
        matches!(
            self,
            Self::VswitchRemove { .. }
                | Self::UplinkRemove { .. }
                | Self::PortGroupRemove { .. }
                | Self::VmkRemove { .. }
                | Self::VmkIpv6AddressRemove { .. }
                | Self::VmkTagRemove { .. }
                | Self::NetstackRemove { .. }
                | Self::RouteRemove { .. }
                | Self::DnsServerRemove { .. }
                | Self::DnsSearchRemove { .. }
        )
    }
}

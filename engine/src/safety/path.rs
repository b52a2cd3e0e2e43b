//! Whether an adapter can reach anything at all: adapter, address, port group, switch, linked uplink.
//!
//! Owns: telling "certainly cut" from "not known". Must not: compare states; that is the rules' task.

use model::{
    Known, LinkState, NetstackName, ObservedIpv4, ObservedNetwork, ObservedNic, ObservedVmk, VmkAttachment,
    VmkName, VmnicName,
};

/// What can be said of an adapter's path out of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Carried {
    /// Everything is in place.
    Yes,
    /// Something is certainly missing: this.
    Cut(String),
    /// Nothing is certainly missing, but something could not be read or is not ours.
    Unknown,
}

impl Carried {
    pub(super) fn is_cut(&self) -> bool {
        matches!(self, Self::Cut(_))
    }
}

/// The first thing that is certainly missing wins over everything that is not known.
pub(super) fn carried(observed: &ObservedNetwork, name: &VmkName) -> Carried {
    let Some(vmks) = observed.vmkernels.read() else { return Carried::Unknown };
    let Some(vmk) = vmks.get(name) else {
        return Carried::Cut(format!("adapter `{name}` is not there"));
    };
    if !vmk.enabled {
        return Carried::Cut(format!("adapter `{name}` is disabled"));
    }
    match (addressed(name, vmk), attached(observed, vmk)) {
        (cut @ Carried::Cut(_), _) | (_, cut @ Carried::Cut(_)) => cut,
        (Carried::Unknown, _) | (_, Carried::Unknown) => Carried::Unknown,
        (Carried::Yes, Carried::Yes) => Carried::Yes,
    }
}

/// A lease that is still to come, and IPv6 of any kind, may be an address.
fn addressed(name: &VmkName, vmk: &ObservedVmk) -> Carried {
    match (vmk.ipv4.read(), vmk.ipv6.read()) {
        (Some(ObservedIpv4::Static { .. } | ObservedIpv4::Dhcp { address: Some(_) }), _) => Carried::Yes,
        (Some(ObservedIpv4::None), Some(ipv6))
            if !ipv6.dhcp && !ipv6.router_advertisements && ipv6.addresses.is_empty() =>
        {
            Carried::Cut(format!("adapter `{name}` has no address"))
        }
        _ => Carried::Unknown,
    }
}

fn attached(observed: &ObservedNetwork, vmk: &ObservedVmk) -> Carried {
    let VmkAttachment::PortGroup(group_name) = &vmk.attachment else { return Carried::Unknown };
    let (Some(groups), Some(vswitches), Some(nics)) =
        (observed.port_groups.read(), observed.vswitches.read(), observed.nics.read())
    else {
        return Carried::Unknown;
    };
    let Some(group) = groups.get(group_name) else {
        return Carried::Cut(format!("port group `{group_name}` is not there"));
    };
    let Some(vswitch) = vswitches.get(&group.vswitch) else {
        return Carried::Cut(format!("standard switch `{}` is not there", group.vswitch));
    };
    let order = group.teaming.read().map(|policy| policy.uplinks.value());
    let uplinks = vswitch.uplinks.read();
    let may_carry = |vmnic: &VmnicName| {
        order.is_none_or(|order| order.uses(vmnic)) && uplinks.is_none_or(|uplinks| uplinks.contains(vmnic))
    };
    let links: Vec<Known<bool>> =
        nics.iter().filter(|(vmnic, _)| may_carry(vmnic)).map(|(_, nic)| is_up(nic)).collect();
    if !links.iter().any(|link| link.read() != Some(&false)) {
        let switch = &group.vswitch;
        return Carried::Cut(format!("port group `{group_name}` has no uplink with link on `{switch}`"));
    }
    let certain = order.is_some() && uplinks.is_some() && links.contains(&Known::Read(true));
    if certain { Carried::Yes } else { Carried::Unknown }
}

fn is_up(nic: &ObservedNic) -> Known<bool> {
    match (&nic.admin, nic.link) {
        (_, LinkState::Down) | (Known::Read(LinkState::Down), _) => Known::Read(false),
        (Known::Read(LinkState::Up), LinkState::Up) => Known::Read(true),
        (Known::Unreadable { reason }, LinkState::Up) => Known::unreadable(reason.clone()),
    }
}

/// The netstack an adapter is on.
pub(super) fn netstack<'a>(observed: &'a ObservedNetwork, vmk: &VmkName) -> Option<&'a NetstackName> {
    Some(&observed.vmkernels.read()?.get(vmk)?.netstack)
}

/// Whether an adapter has a fixed address: with a lease the default route comes by itself.
pub(super) fn is_fixed(observed: &ObservedNetwork, vmk: &VmkName) -> bool {
    let vmk = observed.vmkernels.read().and_then(|vmks| vmks.get(vmk));
    vmk.is_some_and(|vmk| matches!(vmk.ipv4.read(), Some(ObservedIpv4::Static { gateway: None, .. })))
}

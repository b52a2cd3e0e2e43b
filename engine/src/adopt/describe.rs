//! One observed host as the document that changes nothing on it.
//!
//! Owns: which observed facts are written down. Must not: compare hosts (`fold` does) or judge what documents can say
//! (`fit` does). Called by `files` and `mine`.

use model::{
    DesiredIpv6, DesiredNetstack, DesiredNetwork, DesiredNic, DesiredPortGroup, DesiredSecurity,
    DesiredTeaming, DesiredVmk, DesiredVswitch, InheritedField, Ipv4Config, Known, LinkState, NicLink,
    ObservedIpv4, ObservedNetstack, ObservedNetwork, ObservedNic, ObservedPortGroup, ObservedVmk,
    ObservedVswitch, PortGroupSecurity, PortGroupTeaming, Presence, RouteSetting, Setting, UplinkOrder,
    VmkAttachment, VmkName, VmnicName,
};
use std::collections::{BTreeMap, BTreeSet};

/// One host in the words of documents.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Description {
    /// What the host has.
    pub network: DesiredNetwork,
    /// What was left out, and why.
    pub notes: Vec<String>,
    /// Adapters that are there but left out; no document may ask for their removal.
    pub left_out: BTreeSet<VmkName>,
}

/// Describes a host. `Err` names the lists that could not be read: without them nothing can be said.
pub fn describe(observed: &ObservedNetwork) -> Result<Description, Vec<String>> {
    let mut unread = Vec::new();
    let mut need = |what: &str, reason: Option<&str>| {
        if let Some(reason) = reason {
            unread.push(format!("{what} could not be read ({reason})"));
        }
    };
    need("standard switches", observed.vswitches.reason());
    need("port groups", observed.port_groups.reason());
    need("VMkernel adapters", observed.vmkernels.reason());
    need("netstacks", observed.netstacks.reason());
    if !unread.is_empty() {
        return Err(unread);
    }
    let mut out = Description::default();
    for (name, found) in observed.vswitches.read().into_iter().flatten() {
        out.network.vswitches.insert(name.clone(), Presence::Present(vswitch(found)));
    }
    for (name, found) in observed.port_groups.read().into_iter().flatten() {
        out.network.port_groups.insert(name.clone(), Presence::Present(port_group(found)));
    }
    for (name, found) in observed.vmkernels.read().into_iter().flatten() {
        match &found.attachment {
            VmkAttachment::PortGroup(_) => {
                out.network.vmkernels.insert(name.clone(), Presence::Present(vmk(found)));
            }
            VmkAttachment::Distributed(switch) => {
                out.notes
                    .push(format!("`{name}` is on the distributed switch `{switch}` and stays unmanaged"));
                out.left_out.insert(name.clone());
            }
        }
    }
    for (name, found) in observed.netstacks.read().into_iter().flatten() {
        let described = netstack(found, observed);
        out.network.netstacks.insert(name.clone(), Presence::Present(described));
    }
    nics(&mut out, observed);
    for dvs in observed.dvs.read().into_iter().flatten() {
        out.notes.push(format!("distributed switch `{}` stays unmanaged", dvs.name));
    }
    Ok(out)
}

fn fact<T: Clone>(fact: &Known<T>) -> Option<T> {
    fact.read().cloned()
}

/// NICs in the order people count them: `vmnic2` before `vmnic10`.
pub(super) fn counted(nic: &VmnicName) -> (String, u64) {
    let text = nic.as_str();
    let stem = text.trim_end_matches(|c: char| c.is_ascii_digit());
    (stem.to_owned(), text.get(stem.len()..).and_then(|digits| digits.parse().ok()).unwrap_or(0))
}

/// The uplinks of a switch, in the order of its failover policy as far as that names them.
fn ordered(uplinks: &BTreeSet<VmnicName>, order: Option<&UplinkOrder>) -> Vec<VmnicName> {
    let mut out: Vec<VmnicName> = Vec::new();
    for nic in order.into_iter().flat_map(|order| order.active.iter().chain(&order.standby)) {
        if uplinks.contains(nic) && !out.contains(nic) {
            out.push(nic.clone());
        }
    }
    let mut rest: Vec<VmnicName> = uplinks.iter().filter(|nic| !out.contains(nic)).cloned().collect();
    rest.sort_by_key(counted);
    out.extend(rest);
    out
}

fn vswitch(found: &ObservedVswitch) -> DesiredVswitch {
    let teaming = found.teaming.read();
    DesiredVswitch {
        mtu: fact(&found.mtu),
        cdp: fact(&found.cdp),
        uplinks: found.uplinks.read().map(|set| ordered(set, teaming.map(|teaming| &teaming.uplinks))),
        teaming: teaming.map(|teaming| DesiredTeaming {
            load_balancing: Some(teaming.load_balancing),
            failure_detection: Some(teaming.failure_detection),
            notify_switches: Some(teaming.notify_switches),
            failback: Some(teaming.failback),
            uplinks: Some(teaming.uplinks.clone()),
        }),
        security: found.security.read().map(|security| DesiredSecurity {
            allow_promiscuous: Some(security.allow_promiscuous),
            allow_mac_change: Some(security.allow_mac_change),
            allow_forged_transmits: Some(security.allow_forged_transmits),
        }),
        shaping: fact(&found.shaping),
    }
}

/// A policy field: its own value, or that it is the switch's.
fn setting<T: Clone>(field: &InheritedField<T>) -> Option<Setting<T>> {
    Some(field.own().cloned().map_or(Setting::Inherit, Setting::Value))
}

fn port_group(found: &ObservedPortGroup) -> DesiredPortGroup {
    DesiredPortGroup {
        vswitch: Some(found.vswitch.clone()),
        vlan: fact(&found.vlan),
        teaming: found.teaming.read().map(|teaming| PortGroupTeaming {
            load_balancing: setting(&teaming.load_balancing),
            failure_detection: setting(&teaming.failure_detection),
            notify_switches: setting(&teaming.notify_switches),
            failback: setting(&teaming.failback),
            uplinks: setting(&teaming.uplinks),
        }),
        security: found.security.read().map(|security| PortGroupSecurity {
            allow_promiscuous: setting(&security.allow_promiscuous),
            allow_mac_change: setting(&security.allow_mac_change),
            allow_forged_transmits: setting(&security.allow_forged_transmits),
        }),
        shaping: found.shaping.read().and_then(setting),
    }
}

/// An adapter without its MAC address: a document that names one asks for an adapter made anew when the card changes.
fn vmk(found: &ObservedVmk) -> DesiredVmk {
    let port_group = match &found.attachment {
        VmkAttachment::PortGroup(group) => Some(group.clone()),
        VmkAttachment::Distributed(_) => None,
    };
    DesiredVmk {
        port_group,
        netstack: Some(found.netstack.clone()),
        mtu: fact(&found.mtu),
        mac: None,
        enabled: Some(found.enabled),
        ipv4: found.ipv4.read().map(|ipv4| match ipv4 {
            ObservedIpv4::None => Ipv4Config::None,
            ObservedIpv4::Dhcp { .. } => Ipv4Config::Dhcp,
            ObservedIpv4::Static { address, gateway } => {
                Ipv4Config::Static { address: *address, gateway: *gateway }
            }
        }),
        ipv6: found.ipv6.read().map(|ipv6| DesiredIpv6 {
            dhcp: Some(ipv6.dhcp),
            router_advertisements: Some(ipv6.router_advertisements),
            addresses: Some(ipv6.addresses.clone()),
        }),
        services: fact(&found.services),
    }
}

/// A netstack with its routes through gateways; those a DHCP lease brings are not ours to state.
fn netstack(found: &ObservedNetstack, observed: &ObservedNetwork) -> DesiredNetstack {
    let leased = |vmk: &VmkName| {
        let vmks = observed.vmkernels.read();
        let ipv4 = vmks.and_then(|vmks| vmks.get(vmk)).and_then(|vmk| vmk.ipv4.read());
        matches!(ipv4, Some(ObservedIpv4::Dhcp { .. }))
    };
    let mut routes = BTreeMap::new();
    for route in found.routes.read().into_iter().flatten() {
        let from_lease = route.vmk.as_ref().is_some_and(leased);
        if let (Some(gateway), false) = (route.gateway, from_lease) {
            routes.entry(route.network).or_insert(RouteSetting::Via(gateway));
        }
    }
    DesiredNetstack { routes, dns_servers: fact(&found.dns_servers), dns_search: fact(&found.dns_search) }
}

/// Administrative state and link mode of the uplinks; of other NICs only what somebody set.
fn nics(out: &mut Description, observed: &ObservedNetwork) {
    let Some(found) = observed.nics.read() else {
        out.notes.push("physical NICs could not be read and stay unmanaged".to_owned());
        return;
    };
    let switches = observed.vswitches.read().into_iter().flatten();
    let uplinks: BTreeSet<&VmnicName> =
        switches.flat_map(|(_, vs)| vs.uplinks.read().into_iter().flatten()).collect();
    for (name, nic) in found.iter().filter(|(name, _)| uplinks.contains(name)) {
        let wanted = DesiredNic { pci: None, mac: None, admin: fact(&nic.admin), link: link_mode(nic) };
        out.network.nics.insert(name.clone(), wanted);
    }
}

fn link_mode(nic: &ObservedNic) -> Option<NicLink> {
    match (nic.auto_negotiation.read()?, nic.link) {
        (true, _) => Some(NicLink::Auto),
        // The speed of a down link says nothing.
        (false, LinkState::Down) => None,
        (false, LinkState::Up) => Some(NicLink::Fixed { speed_mbps: nic.speed_mbps, duplex: nic.duplex }),
    }
}

//! What hosts can have but documents refuse: left out with a note, so that the rest can be managed.
//!
//! Owns: one function per structural rule that real hosts can break, alone or together. Must not: choose what a group
//! has in common. Called by `files` and `mine` after `describe`.

use super::describe::Description;
use model::{
    DesiredNetwork, DesiredPortGroup, HostId, Ipv4Config, LoadBalancing, ObservedNetwork, PortGroupName,
    Presence, Setting, UplinkOrder, VmkName, VmnicName, VswitchName,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// Longest standard switch name a document may use, in characters.
const VSWITCH_NAME_CHARS_MAX: usize = 31;

/// Takes out of `description` what a document may not say about `observed`.
pub fn fit(description: &mut Description, observed: &ObservedNetwork) {
    let Description { network, notes, .. } = description;
    failover_orders(network, observed, notes);
    ip_hash(network, notes);
    vmk_mtu(network, notes);
    vmk_port_groups(network, notes);
    vmk_addresses(network, notes);
    names(network, notes);
}

fn present_mut<K, T>(map: &mut BTreeMap<K, Presence<T>>) -> impl Iterator<Item = (&K, &mut T)> {
    map.iter_mut().filter_map(|(name, presence)| match presence {
        Presence::Present(fields) => Some((name, fields)),
        Presence::Absent => None,
    })
}

fn order_fits(order: &UplinkOrder, uplinks: Option<&BTreeSet<VmnicName>>) -> bool {
    let mut seen = BTreeSet::new();
    let mut all = order.active.iter().chain(&order.standby);
    all.all(|nic| seen.insert(nic) && uplinks.is_none_or(|uplinks| uplinks.contains(nic)))
}

fn failover_orders(network: &mut DesiredNetwork, observed: &ObservedNetwork, notes: &mut Vec<String>) {
    let uplinks_of = |switch: &VswitchName| -> Option<&BTreeSet<VmnicName>> {
        observed.vswitches.read()?.get(switch)?.uplinks.read()
    };
    for (name, fields) in present_mut(&mut network.vswitches) {
        let Some(teaming) = &mut fields.teaming else { continue };
        if teaming.uplinks.as_ref().is_some_and(|order| !order_fits(order, uplinks_of(name))) {
            teaming.uplinks = None;
            notes
                .push(format!("the failover order of switch `{name}` names NICs it does not have: left out"));
        }
    }
    for (name, fields) in present_mut(&mut network.port_groups) {
        let uplinks = fields.vswitch.as_ref().and_then(uplinks_of);
        let Some(teaming) = &mut fields.teaming else { continue };
        let order = teaming.uplinks.as_ref().and_then(Setting::value);
        if order.is_some_and(|order| !order_fits(order, uplinks)) {
            teaming.uplinks = None;
            notes.push(format!(
                "the failover order of port group `{name}` names NICs its switch does not have: left out"
            ));
        }
    }
}

/// IP hash with standby uplinks, on a switch or as a port group sees it.
fn ip_hash(network: &mut DesiredNetwork, notes: &mut Vec<String>) {
    let hashed = |balancing: Option<LoadBalancing>| balancing == Some(LoadBalancing::IpHash);
    let has_standby = |order: Option<&UplinkOrder>| order.is_some_and(|order| !order.standby.is_empty());
    for (name, fields) in present_mut(&mut network.vswitches) {
        let Some(teaming) = &mut fields.teaming else { continue };
        if hashed(teaming.load_balancing) && has_standby(teaming.uplinks.as_ref()) {
            teaming.load_balancing = None;
            notes.push(format!(
                "switch `{name}` balances by IP hash with standby uplinks: `load_balancing` left out"
            ));
        }
    }
    let DesiredNetwork { vswitches, port_groups, .. } = network;
    for (name, fields) in present_mut(port_groups) {
        let above =
            fields.vswitch.as_ref().and_then(|switch| vswitches.get(switch)).and_then(Presence::present);
        let above = above.and_then(|switch| switch.teaming.as_ref());
        let Some(teaming) = &mut fields.teaming else { continue };
        let own = teaming.load_balancing.as_ref().and_then(Setting::value).copied();
        let own_order = teaming.uplinks.as_ref().and_then(Setting::value);
        let order = own_order.or_else(|| above.and_then(|above| above.uplinks.as_ref()));
        if !has_standby(order) || !hashed(own.or_else(|| above.and_then(|above| above.load_balancing))) {
            continue;
        }
        let what = if own.is_some() { "load_balancing" } else { "uplinks" };
        if own.is_some() {
            teaming.load_balancing = None;
            // What is left unsaid counts as the switch's.
            if above.is_some_and(|above| hashed(above.load_balancing)) {
                teaming.uplinks = None;
            }
        } else {
            teaming.uplinks = None;
        }
        notes
            .push(format!("port group `{name}` balances by IP hash with standby uplinks: `{what}` left out"));
    }
}

fn vmk_mtu(network: &mut DesiredNetwork, notes: &mut Vec<String>) {
    let DesiredNetwork { vswitches, port_groups, vmkernels, .. } = network;
    for (name, fields) in present_mut(vmkernels) {
        let group: Option<&DesiredPortGroup> =
            fields.port_group.as_ref().and_then(|group| port_groups.get(group)).and_then(Presence::present);
        let switch =
            group.and_then(|group| vswitches.get(group.vswitch.as_ref()?)).and_then(Presence::present);
        let limit = switch.and_then(|switch| switch.mtu);
        if let (Some(mtu), Some(limit)) = (fields.mtu, limit)
            && mtu > limit
        {
            fields.mtu = None;
            notes.push(format!("`{name}` has MTU {mtu}, its switch only {limit}: left out"));
        }
    }
}

fn vmk_port_groups(network: &mut DesiredNetwork, notes: &mut Vec<String>) {
    let mut taken: BTreeSet<PortGroupName> = BTreeSet::new();
    for (name, fields) in present_mut(&mut network.vmkernels) {
        if let Some(group) = fields.port_group.take_if(|group| !taken.insert(group.clone())) {
            notes.push(format!(
                "`{name}` shares port group `{group}` with another adapter: `port_group` left out"
            ));
        }
    }
}

fn vmk_addresses(network: &mut DesiredNetwork, notes: &mut Vec<String>) {
    let mut taken: BTreeSet<Ipv4Addr> = BTreeSet::new();
    for (name, fields) in present_mut(&mut network.vmkernels) {
        let Some(Ipv4Config::Static { address, gateway }) = &mut fields.ipv4 else { continue };
        let fixed = address.address();
        if let Some(outside) = gateway.take_if(|gateway| !address.contains(*gateway)) {
            notes.push(format!("gateway {outside} of `{name}` is not in its subnet: left out"));
        }
        if !taken.insert(fixed) {
            fields.ipv4 = None;
            notes.push(format!("`{name}` has the address {fixed}, which another adapter has too: left out"));
        }
    }
}

/// Takes out addresses that several hosts of a group have: such a network is not routed, and no document may say it.
pub fn fit_together(descriptions: &mut BTreeMap<HostId, Description>) {
    let mut owners: BTreeMap<Ipv4Addr, Vec<(HostId, VmkName)>> = BTreeMap::new();
    for (host, description) in &*descriptions {
        for (vmk, fields) in &description.network.vmkernels {
            if let Some(Ipv4Config::Static { address, .. }) = fields.present().and_then(|f| f.ipv4.as_ref()) {
                owners.entry(address.address()).or_default().push((host.clone(), vmk.clone()));
            }
        }
    }
    for (address, owners) in owners.into_iter().filter(|(_, owners)| owners.len() > 1) {
        let others = owners.len() - 1;
        for (host, vmk) in owners {
            let Some(description) = descriptions.get_mut(&host) else { continue };
            if let Some(Presence::Present(fields)) = description.network.vmkernels.get_mut(&vmk) {
                fields.ipv4 = None;
                let note = format!(
                    "`{vmk}` has the address {address}, which {others} more of the group have: left out"
                );
                description.notes.push(note);
            }
        }
    }
}

fn names(network: &mut DesiredNetwork, notes: &mut Vec<String>) {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    network.vswitches.retain(|name, _| {
        let text = name.as_str();
        let usable = text.len() <= VSWITCH_NAME_CHARS_MAX && text.bytes().all(plain);
        if !usable {
            notes.push(format!("switch `{name}` has a name documents cannot use: left out"));
        }
        usable
    });
    network.port_groups.retain(|name, _| {
        let usable = !name.as_str().contains(',');
        if !usable {
            notes.push(format!("port group `{name}` has a comma in its name: left out"));
        }
        usable
    });
}

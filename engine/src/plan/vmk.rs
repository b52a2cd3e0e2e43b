//! Operations for VMkernel adapters: existence, replacement, MTU, addresses, services.

use super::draft::Draft;
use model::{
    Component, DesiredIpv6, DesiredNetwork, DesiredVmk, Ipv4Config, NetstackName, ObservedIpv4,
    ObservedNetwork, ObservedVmk, Operation, PortGroupName, Presence, ServiceTag, VmkAttachment,
    VmkIpv6Change, VmkName, VswitchName,
};
use std::collections::BTreeSet;

pub(super) fn draft(draft: &mut Draft, desired: &DesiredNetwork) {
    let observed = draft.observed;
    if desired.vmkernels.is_empty() && moved_port_groups(desired, observed).is_empty() {
        return;
    }
    let Some(found) = draft.need(&observed.vmkernels, Component::Vmk, "the list of VMkernel adapters") else {
        return;
    };
    let moved = moved_port_groups(desired, observed);
    let untouched = DesiredVmk::default();
    for (name, state) in found {
        let sits_on_moved =
            matches!(&state.attachment, VmkAttachment::PortGroup(group) if moved.contains(group));
        if sits_on_moved && !desired.vmkernels.contains_key(name) {
            replace(draft, desired, name, &untouched, state);
        }
    }
    for (name, wanted) in &desired.vmkernels {
        match (wanted, found.get(name)) {
            (Presence::Absent, None) => {}
            (Presence::Present(wanted), None) => create(draft, desired, name, wanted),
            (_, Some(state)) if matches!(state.attachment, VmkAttachment::Distributed(_)) => {
                let message = format!("VMkernel adapter `{name}` is on a distributed switch");
                draft.error(
                    "PLAN-006",
                    Component::Vmk,
                    message,
                    "distributed switches are never touched: leave it out",
                );
            }
            (Presence::Absent, Some(state)) => {
                draft.removed_vmks.insert(name.clone());
                let vswitch = vswitch_of(desired, draft.observed, state);
                draft.push(Operation::VmkRemove { vmk: name.clone() }, vswitch.as_ref());
            }
            (Presence::Present(wanted), Some(state)) if must_replace(draft, wanted, state, name, &moved) => {
                replace(draft, desired, name, wanted, state);
            }
            (Presence::Present(wanted), Some(state)) => change(draft, desired, name, wanted, state),
        }
    }
}

fn moved_port_groups(desired: &DesiredNetwork, observed: &ObservedNetwork) -> BTreeSet<PortGroupName> {
    let groups = observed.port_groups.read();
    let moves = desired.port_groups.iter().filter(|(name, wanted)| {
        let to = wanted.present().and_then(|wanted| wanted.vswitch.as_ref());
        let from = groups.and_then(|groups| groups.get(*name)).map(|found| &found.vswitch);
        matches!((to, from), (Some(to), Some(from)) if to != from)
    });
    moves.map(|(name, _)| name.clone()).collect()
}

fn must_replace(
    draft: &mut Draft,
    wanted: &DesiredVmk,
    state: &ObservedVmk,
    name: &VmkName,
    moved: &BTreeSet<PortGroupName>,
) -> bool {
    let VmkAttachment::PortGroup(group) = &state.attachment else {
        return false;
    };
    let mac_differs = match wanted.mac {
        None => false,
        Some(mac) => draft
            .need(&state.mac, Component::Vmk, format_args!("the MAC address of `{name}`"))
            .is_some_and(|now| *now != mac),
    };
    mac_differs
        || moved.contains(group)
        || wanted.port_group.as_ref().is_some_and(|next| next != group)
        || wanted.netstack.as_ref().is_some_and(|next| *next != state.netstack)
}

/// The standard switch a port group is on after the plan.
fn switch_of_group(
    desired: &DesiredNetwork,
    observed: &ObservedNetwork,
    group: &PortGroupName,
) -> Option<VswitchName> {
    let wanted = desired.port_groups.get(group).and_then(Presence::present).and_then(|g| g.vswitch.clone());
    wanted.or_else(|| Some(observed.port_groups.read()?.get(group)?.vswitch.clone()))
}

fn vswitch_of(
    desired: &DesiredNetwork,
    observed: &ObservedNetwork,
    state: &ObservedVmk,
) -> Option<VswitchName> {
    match &state.attachment {
        VmkAttachment::PortGroup(group) => switch_of_group(desired, observed, group),
        VmkAttachment::Distributed(_) => None,
    }
}

/// Makes sure that the netstack an adapter is put on is there, making it when it is not.
fn need_netstack(
    draft: &mut Draft,
    desired: &DesiredNetwork,
    netstack: Option<&NetstackName>,
    vmk: &VmkName,
) -> bool {
    let Some(netstack) = netstack.filter(|netstack| !netstack.is_default()) else {
        return true;
    };
    let observed = draft.observed;
    let Some(stacks) = draft.need(&observed.netstacks, Component::Netstack, "the list of netstacks") else {
        return false;
    };
    match desired.netstacks.get(netstack) {
        Some(Presence::Absent) => {
            let message = format!("`{vmk}` is to be on netstack `{netstack}`, which the document removes");
            draft.error(
                "PLAN-005",
                Component::Vmk,
                message,
                "keep the netstack, or choose another for the adapter",
            );
            false
        }
        Some(Presence::Present(_)) => true,
        None => {
            let add = Operation::NetstackAdd { netstack: netstack.clone() };
            let planned = draft.actions.iter().any(|action| action.operation == add);
            if !stacks.contains_key(netstack) && !planned {
                draft.push(add, None);
            }
            true
        }
    }
}

fn create(draft: &mut Draft, desired: &DesiredNetwork, name: &VmkName, wanted: &DesiredVmk) {
    let Some(group) = &wanted.port_group else {
        let message =
            format!("VMkernel adapter `{name}` is not on this host and the document names no port group");
        draft.error("PLAN-005", Component::Vmk, message, "add `port_group:`");
        return;
    };
    let Some(vswitch) = switch_of_group(desired, draft.observed, group) else {
        let message = format!("`{name}` is to be on port group `{group}`, which is not there");
        draft.error("PLAN-005", Component::Vmk, message, "describe the port group in the same document");
        return;
    };
    if need_netstack(draft, desired, wanted.netstack.as_ref(), name) {
        make(draft, name, wanted, group, &vswitch, Making::New);
    }
}

/// Whether an adapter is new or takes the place of one with the same name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Making {
    New,
    Anew,
}

/// The calls that make an adapter with everything that is asked of it.
fn make(
    draft: &mut Draft,
    name: &VmkName,
    wanted: &DesiredVmk,
    group: &PortGroupName,
    vswitch: &VswitchName,
    making: Making,
) {
    let vmk = || name.clone();
    let add = Operation::VmkAdd {
        vmk: vmk(),
        port_group: group.clone(),
        netstack: wanted.netstack.clone().filter(|netstack| !netstack.is_default()),
        mtu: wanted.mtu,
        mac: wanted.mac,
    };
    match making {
        Making::New => draft.push(add, Some(vswitch)),
        Making::Anew => draft.push_replacing(add, Some(vswitch)),
    }
    if wanted.enabled == Some(false) {
        draft.push(Operation::VmkSet { vmk: vmk(), mtu: None, enabled: Some(false) }, Some(vswitch));
    }
    if let Some(ipv4) = wanted.ipv4.clone().filter(|ipv4| *ipv4 != Ipv4Config::None) {
        draft.push(Operation::VmkIpv4Set { vmk: vmk(), ipv4 }, Some(vswitch));
    }
    if let Some(ipv6) = &wanted.ipv6 {
        if ipv6.dhcp == Some(true) || ipv6.router_advertisements.is_some() {
            let change = VmkIpv6Change { dhcp: ipv6.dhcp, router_advertisements: ipv6.router_advertisements };
            draft.push(Operation::VmkIpv6Set { vmk: vmk(), change }, Some(vswitch));
        }
        for address in ipv6.addresses.iter().flatten() {
            draft.push(Operation::VmkIpv6AddressAdd { vmk: vmk(), address: *address }, Some(vswitch));
        }
    }
    for tag in wanted.services.iter().flatten() {
        draft.push(Operation::VmkTagAdd { vmk: vmk(), tag: tag.clone() }, Some(vswitch));
    }
}

/// Removes an adapter and makes it anew, keeping whatever the document does not mention.
fn replace(
    draft: &mut Draft,
    desired: &DesiredNetwork,
    name: &VmkName,
    wanted: &DesiredVmk,
    state: &ObservedVmk,
) {
    let VmkAttachment::PortGroup(now) = &state.attachment else { return };
    let Some(whole) = whole(draft, name, wanted, state) else { return };
    let group = wanted.port_group.clone().unwrap_or_else(|| now.clone());
    let Some(vswitch) = switch_of_group(desired, draft.observed, &group) else {
        let message = format!("`{name}` is to be on port group `{group}`, which is not there");
        draft.error("PLAN-005", Component::Vmk, message, "describe the port group in the same document");
        return;
    };
    if !need_netstack(draft, desired, whole.netstack.as_ref(), name) {
        return;
    }
    let old = draft
        .observed
        .port_groups
        .read()
        .and_then(|groups| groups.get(now))
        .map(|group| group.vswitch.clone());
    draft.push_replacing(Operation::VmkRemove { vmk: name.clone() }, old.as_ref());
    draft.replaced_vmks.insert(name.clone());
    make(draft, name, &whole, &group, &vswitch, Making::Anew);
}

/// What the document asks, filled up with what the adapter has.
fn whole(draft: &mut Draft, name: &VmkName, wanted: &DesiredVmk, state: &ObservedVmk) -> Option<DesiredVmk> {
    let mac = draft.need(&state.mac, Component::Vmk, format_args!("the MAC address of `{name}`"));
    let mtu = draft.need(&state.mtu, Component::Vmk, format_args!("the MTU of `{name}`"));
    let ipv4 = draft.need(&state.ipv4, Component::Vmk, format_args!("the IPv4 configuration of `{name}`"));
    let ipv6 = draft.need(&state.ipv6, Component::Vmk, format_args!("the IPv6 configuration of `{name}`"));
    let services = draft.need(&state.services, Component::Vmk, format_args!("the services of `{name}`"));
    let (mac, mtu, ipv4, ipv6, services) = (mac?, mtu?, ipv4?, ipv6?, services?);
    let asked = wanted.ipv6.clone().unwrap_or_default();
    Some(DesiredVmk {
        port_group: wanted.port_group.clone(),
        netstack: wanted.netstack.clone().or_else(|| Some(state.netstack.clone())),
        mtu: wanted.mtu.or(Some(*mtu)),
        mac: wanted.mac.or(Some(*mac)),
        enabled: wanted.enabled.or(Some(state.enabled)),
        ipv4: wanted.ipv4.clone().or_else(|| Some(as_config(ipv4))),
        ipv6: Some(DesiredIpv6 {
            dhcp: asked.dhcp.or(ipv6.dhcp.then_some(true)),
            router_advertisements: asked.router_advertisements.or(Some(ipv6.router_advertisements)),
            addresses: asked.addresses.or_else(|| Some(ipv6.addresses.clone())),
        }),
        services: wanted.services.clone().or_else(|| Some(services.clone())),
    })
}

/// The configuration that brings about what is observed.
pub(super) fn as_config(ipv4: &ObservedIpv4) -> Ipv4Config {
    match ipv4 {
        ObservedIpv4::None => Ipv4Config::None,
        ObservedIpv4::Dhcp { .. } => Ipv4Config::Dhcp,
        ObservedIpv4::Static { address, gateway } => {
            Ipv4Config::Static { address: *address, gateway: *gateway }
        }
    }
}

/// Whether IPv4 is as wanted: a gateway that is not mentioned is left alone.
pub(crate) fn ipv4_is(wanted: &Ipv4Config, now: &ObservedIpv4) -> bool {
    match (wanted, now) {
        (Ipv4Config::None, ObservedIpv4::None) | (Ipv4Config::Dhcp, ObservedIpv4::Dhcp { .. }) => true,
        (Ipv4Config::Static { address, gateway }, ObservedIpv4::Static { address: is, gateway: via }) => {
            address == is && (gateway.is_none() || gateway == via)
        }
        (Ipv4Config::None | Ipv4Config::Dhcp | Ipv4Config::Static { .. }, _) => false,
    }
}

fn change(
    draft: &mut Draft,
    desired: &DesiredNetwork,
    name: &VmkName,
    wanted: &DesiredVmk,
    state: &ObservedVmk,
) {
    let vswitch = vswitch_of(desired, draft.observed, state);
    let mut mtu = None;
    if let Some(next) = wanted.mtu
        && let Some(now) = draft.need(&state.mtu, Component::Vmk, format_args!("the MTU of `{name}`"))
        && *now != next
    {
        mtu = Some(next);
    }
    let enabled = wanted.enabled.filter(|next| *next != state.enabled);
    if mtu.is_some() || enabled.is_some() {
        draft.push(Operation::VmkSet { vmk: name.clone(), mtu, enabled }, vswitch.as_ref());
    }
    if let Some(next) = &wanted.ipv4
        && let Some(now) =
            draft.need(&state.ipv4, Component::Vmk, format_args!("the IPv4 configuration of `{name}`"))
        && !ipv4_is(next, now)
    {
        draft.push(Operation::VmkIpv4Set { vmk: name.clone(), ipv4: next.clone() }, vswitch.as_ref());
    }
    if let Some(next) = &wanted.ipv6
        && let Some(now) =
            draft.need(&state.ipv6, Component::Vmk, format_args!("the IPv6 configuration of `{name}`"))
    {
        let change = VmkIpv6Change {
            dhcp: next.dhcp.filter(|value| *value != now.dhcp),
            router_advertisements: next
                .router_advertisements
                .filter(|value| *value != now.router_advertisements),
        };
        if change != VmkIpv6Change::default() {
            draft.push(Operation::VmkIpv6Set { vmk: name.clone(), change }, vswitch.as_ref());
        }
        if let Some(addresses) = &next.addresses {
            for address in addresses.difference(&now.addresses) {
                let operation = Operation::VmkIpv6AddressAdd { vmk: name.clone(), address: *address };
                draft.push(operation, vswitch.as_ref());
            }
            for address in now.addresses.difference(addresses) {
                let operation = Operation::VmkIpv6AddressRemove { vmk: name.clone(), address: *address };
                draft.push(operation, vswitch.as_ref());
            }
        }
    }
    if let Some(next) = &wanted.services
        && let Some(now) =
            draft.need(&state.services, Component::Vmk, format_args!("the services of `{name}`"))
    {
        change_services(draft, name, next, now, vswitch.as_ref());
    }
}

fn change_services(
    draft: &mut Draft,
    name: &VmkName,
    next: &BTreeSet<ServiceTag>,
    now: &BTreeSet<ServiceTag>,
    vswitch: Option<&VswitchName>,
) {
    for tag in next.difference(now) {
        draft.push(Operation::VmkTagAdd { vmk: name.clone(), tag: tag.clone() }, vswitch);
    }
    for tag in now.difference(next) {
        draft.push(Operation::VmkTagRemove { vmk: name.clone(), tag: tag.clone() }, vswitch);
    }
}

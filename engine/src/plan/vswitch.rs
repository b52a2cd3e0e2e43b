//! Operations for standard switches: existence, MTU, CDP, uplinks, policies.

use super::draft::Draft;
use super::teaming;
use model::{
    Component, DesiredNetwork, DesiredSecurity, DesiredVswitch, ObservedVswitch, Operation, Presence,
    SecurityChange, SecurityPolicy, VmnicName, VswitchName,
};
use std::collections::BTreeSet;

pub(super) fn draft(draft: &mut Draft, desired: &DesiredNetwork) {
    if desired.vswitches.is_empty() {
        return;
    }
    let observed = draft.observed;
    let Some(found) = draft.need(&observed.vswitches, Component::Vswitch, "the list of standard switches")
    else {
        return;
    };
    for (name, wanted) in &desired.vswitches {
        match (wanted, found.get(name)) {
            (Presence::Absent, None) => {}
            (Presence::Absent, Some(found)) => remove(draft, desired, name, found),
            (Presence::Present(wanted), None) => create(draft, desired, name, wanted),
            (Presence::Present(wanted), Some(found)) => change(draft, desired, name, wanted, found),
        }
    }
}

fn remove(draft: &mut Draft, desired: &DesiredNetwork, name: &VswitchName, found: &ObservedVswitch) {
    let observed = draft.observed;
    let Some(groups) = draft.need(&observed.port_groups, Component::PortGroup, "the list of port groups")
    else {
        return;
    };
    let stays = groups.iter().filter(|(_, group)| group.vswitch == *name).find(|(group, _)| {
        !matches!(desired.port_groups.get(*group), Some(Presence::Absent))
            && !desired.port_groups.get(*group).is_some_and(|p| moves_away(p, name))
    });
    if let Some((group, _)) = stays {
        let message =
            format!("standard switch `{name}` cannot be removed: port group `{group}` is still on it");
        draft.error(
            "PLAN-004",
            Component::Vswitch,
            message,
            "list its port groups with `absent: true` as well",
        );
        return;
    }
    if let Some(uplinks) =
        draft.need(&found.uplinks, Component::Vswitch, format_args!("the uplinks of `{name}`"))
    {
        for vmnic in uplinks {
            draft.push(Operation::UplinkRemove { vswitch: name.clone(), vmnic: vmnic.clone() }, Some(name));
        }
        draft.push(Operation::VswitchRemove { vswitch: name.clone() }, Some(name));
    }
}

fn moves_away(wanted: &Presence<model::DesiredPortGroup>, name: &VswitchName) -> bool {
    wanted.present().and_then(|group| group.vswitch.as_ref()).is_some_and(|vswitch| vswitch != name)
}

fn create(draft: &mut Draft, desired: &DesiredNetwork, name: &VswitchName, wanted: &DesiredVswitch) {
    draft.push(Operation::VswitchAdd { vswitch: name.clone() }, Some(name));
    if wanted.mtu.is_some() || wanted.cdp.is_some() {
        draft.push(
            Operation::VswitchSet { vswitch: name.clone(), mtu: wanted.mtu, cdp: wanted.cdp },
            Some(name),
        );
    }
    let uplinks: BTreeSet<VmnicName> = wanted.uplinks.iter().flatten().cloned().collect();
    for vmnic in &uplinks {
        add_uplink(draft, desired, name, vmnic);
    }
    if let Some(policy) = &wanted.teaming {
        teaming::on_new_vswitch(draft, name, policy, &uplinks);
    }
    if let Some(policy) = wanted.security {
        let change = all_security(policy);
        if change != SecurityChange::default() {
            draft.push(Operation::VswitchSecuritySet { vswitch: name.clone(), change }, Some(name));
        }
    }
    if let Some(shaping) = wanted.shaping {
        draft.push(Operation::VswitchShapingSet { vswitch: name.clone(), shaping }, Some(name));
    }
}

fn change(
    draft: &mut Draft,
    desired: &DesiredNetwork,
    name: &VswitchName,
    wanted: &DesiredVswitch,
    found: &ObservedVswitch,
) {
    set_mtu_and_cdp(draft, name, wanted, found);
    let mut departing = BTreeSet::new();
    let mut uplinks = found.uplinks.read().cloned();
    if let Some(list) = &wanted.uplinks
        && let Some(now) =
            draft.need(&found.uplinks, Component::Vswitch, format_args!("the uplinks of `{name}`"))
    {
        let next: BTreeSet<VmnicName> = list.iter().cloned().collect();
        for vmnic in next.difference(now) {
            add_uplink(draft, desired, name, vmnic);
            warn_when_unused(draft, name, wanted, vmnic);
        }
        for vmnic in now.difference(&next) {
            draft.push(Operation::UplinkRemove { vswitch: name.clone(), vmnic: vmnic.clone() }, Some(name));
            departing.insert(vmnic.clone());
        }
        uplinks = Some(next);
    }
    teaming::on_vswitch(draft, name, wanted.teaming.as_ref(), found, &departing, uplinks.as_ref());
    if let Some(policy) = wanted.security
        && let Some(now) =
            draft.need(&found.security, Component::Vswitch, format_args!("the security policy of `{name}`"))
    {
        let change = changed_security(policy, *now);
        if change != SecurityChange::default() {
            draft.push(Operation::VswitchSecuritySet { vswitch: name.clone(), change }, Some(name));
        }
    }
    if let Some(shaping) = wanted.shaping
        && let Some(now) =
            draft.need(&found.shaping, Component::Vswitch, format_args!("the shaping policy of `{name}`"))
        && *now != shaping
    {
        draft.push(Operation::VswitchShapingSet { vswitch: name.clone(), shaping }, Some(name));
    }
}

fn set_mtu_and_cdp(draft: &mut Draft, name: &VswitchName, wanted: &DesiredVswitch, found: &ObservedVswitch) {
    let mut mtu = None;
    if let Some(next) = wanted.mtu
        && let Some(now) = draft.need(&found.mtu, Component::Vswitch, format_args!("the MTU of `{name}`"))
        && *now != next
    {
        mtu = Some(next);
    }
    let mut cdp = None;
    if let Some(next) = wanted.cdp
        && let Some(now) =
            draft.need(&found.cdp, Component::Vswitch, format_args!("the CDP status of `{name}`"))
        && *now != next
    {
        cdp = Some(next);
    }
    if mtu.is_some() || cdp.is_some() {
        draft.push(Operation::VswitchSet { vswitch: name.clone(), mtu, cdp }, Some(name));
    }
}

/// Adds an uplink when the NIC exists and is free, or becomes free in the same plan.
fn add_uplink(draft: &mut Draft, desired: &DesiredNetwork, name: &VswitchName, vmnic: &VmnicName) {
    let observed = draft.observed;
    let Some(nics) = draft.need(&observed.nics, Component::Vmnic, "the list of physical NICs") else {
        return;
    };
    if !nics.contains_key(vmnic) {
        let message = format!("uplink `{vmnic}` of `{name}` is not on this host");
        draft.error("PLAN-002", Component::Vmnic, message, "correct the name, or the uplink map of the host");
        return;
    }
    let Some(distributed) = draft.need(&observed.dvs, Component::Vswitch, "the list of distributed switches")
    else {
        return;
    };
    if let Some(dvs) = distributed.iter().find(|dvs| dvs.uplinks.contains(vmnic)) {
        let message =
            format!("uplink `{vmnic}` of `{name}` belongs to the distributed switch `{}`", dvs.name);
        draft.error(
            "PLAN-006",
            Component::Vmnic,
            message,
            "distributed switches are never touched: use another NIC",
        );
        return;
    }
    let owner = observed.vswitches.read().into_iter().flatten().find(|(other, state)| {
        *other != name && state.uplinks.read().is_some_and(|uplinks| uplinks.contains(vmnic))
    });
    if let Some((other, _)) = owner
        && !gives_up(desired, other, vmnic)
    {
        let message = format!("uplink `{vmnic}` of `{name}` is on `{other}`, which keeps it");
        draft.error(
            "PLAN-003",
            Component::Vmnic,
            message,
            "take it out of the other switch in the same change",
        );
        return;
    }
    draft.push(Operation::UplinkAdd { vswitch: name.clone(), vmnic: vmnic.clone() }, Some(name));
}

/// A new uplink carries nothing until an order names it (the help of `uplink add` says so).
fn warn_when_unused(draft: &mut Draft, name: &VswitchName, wanted: &DesiredVswitch, vmnic: &VmnicName) {
    let order = wanted.teaming.as_ref().and_then(|teaming| teaming.uplinks.as_ref());
    if !order.is_some_and(|order| order.uses(vmnic)) {
        let message = format!("uplink `{vmnic}` joins `{name}` but stays unused: no failover order names it");
        draft.warning(
            "PLAN-011",
            Component::Vmnic,
            message,
            "add it under `teaming: uplinks:` as active or standby",
        );
    }
}

fn gives_up(desired: &DesiredNetwork, vswitch: &VswitchName, vmnic: &VmnicName) -> bool {
    match desired.vswitches.get(vswitch) {
        Some(Presence::Absent) => true,
        Some(Presence::Present(wanted)) => {
            wanted.uplinks.as_ref().is_some_and(|uplinks| !uplinks.contains(vmnic))
        }
        None => false,
    }
}

fn all_security(wanted: DesiredSecurity) -> SecurityChange {
    let DesiredSecurity { allow_promiscuous, allow_mac_change, allow_forged_transmits } = wanted;
    SecurityChange { allow_promiscuous, allow_mac_change, allow_forged_transmits }
}

fn changed_security(wanted: DesiredSecurity, now: SecurityPolicy) -> SecurityChange {
    SecurityChange {
        allow_promiscuous: wanted.allow_promiscuous.filter(|next| *next != now.allow_promiscuous),
        allow_mac_change: wanted.allow_mac_change.filter(|next| *next != now.allow_mac_change),
        allow_forged_transmits: wanted
            .allow_forged_transmits
            .filter(|next| *next != now.allow_forged_transmits),
    }
}

//! What a plan leaves behind: dead ends that every single step allows.
//!
//! Owns: findings from the state after the last step. Old sins are not reported: only what the
//! plan brings or worsens. Must not: change the plan. Called by `order` when the steps are known.

use super::management::management_vmks;
use crate::safety::path_is_cut;
use model::{
    Component, Finding, LinkState, Mtu, ObservedNetwork, ObservedPortGroup, PortGroupName, ServiceTag,
    VmkAttachment, VmkName, VmnicName, VswitchName,
};
use std::collections::BTreeSet;

/// Everything worth knowing about the end of a plan.
pub(super) fn findings(before: &ObservedNetwork, after: &ObservedNetwork) -> Vec<Finding> {
    let mut found = small_switches(before, after);
    found.extend(empty_orders(before, after));
    found.extend(dead_uplinks(before, after));
    found.extend(management_gone(before, after));
    found
}

/// The port group, if it is one of a standard switch, and the switch an adapter is on.
fn place<'a>(state: &'a ObservedNetwork, vmk: &VmkName) -> Option<(&'a PortGroupName, &'a VswitchName)> {
    match &state.vmkernels.read()?.get(vmk)?.attachment {
        VmkAttachment::PortGroup(group) => Some((group, &state.port_groups.read()?.get(group)?.vswitch)),
        VmkAttachment::Distributed(_) => None,
    }
}

/// Frame size of an adapter and of its switch.
#[derive(Clone, Copy)]
struct Frames<'a> {
    vswitch: &'a VswitchName,
    own: Mtu,
    room: Mtu,
}

impl Frames<'_> {
    fn excess(self) -> u32 {
        u32::from(self.own.get()).saturating_sub(u32::from(self.room.get()))
    }
}

fn frames<'a>(state: &'a ObservedNetwork, vmk: &VmkName) -> Option<Frames<'a>> {
    let own = *state.vmkernels.read()?.get(vmk)?.mtu.read()?;
    let (_, vswitch) = place(state, vmk)?;
    let room = *state.vswitches.read()?.get(vswitch)?.mtu.read()?;
    Some(Frames { vswitch, own, room })
}

/// An adapter whose frames its switch drops: nothing fragments them.
fn small_switches(before: &ObservedNetwork, after: &ObservedNetwork) -> Vec<Finding> {
    let mut found = Vec::new();
    for vmk in after.vmkernels.read().into_iter().flatten().map(|(name, _)| name) {
        let Some(is) = frames(after, vmk).filter(|is| is.excess() > 0) else { continue };
        let was = frames(before, vmk);
        if was.is_some_and(|was| was.excess() >= is.excess()) {
            continue;
        }
        let Frames { vswitch, own, room } = is;
        let lowered = was.is_some_and(|was| was.vswitch == vswitch && was.room > room && was.own == own);
        found.push(if lowered {
            let message =
                format!("standard switch `{vswitch}` gets MTU {room}, below the {own} of `{vmk}` on it");
            let hint = format!("lower `{vmk}` in the same change, or leave `{vswitch}` as it is");
            Finding::error("MTU-004", Component::Vswitch, message).hint(hint)
        } else {
            let message =
                format!("`{vmk}` would have MTU {own}, above the {room} of its standard switch `{vswitch}`");
            let hint = format!("raise the MTU of `{vswitch}` in the same change, or lower that of `{vmk}`");
            Finding::error("MTU-001", Component::Vmk, message).hint(hint)
        });
    }
    found
}

fn has_empty_own_order(group: &ObservedPortGroup) -> bool {
    let own = group.teaming.read().and_then(|policy| policy.uplinks.own());
    own.is_some_and(|order| order.active.is_empty() && order.standby.is_empty())
}

/// A port group whose own order names nobody.
fn empty_orders(before: &ObservedNetwork, after: &ObservedNetwork) -> Vec<Finding> {
    let old = before.port_groups.read();
    let brought = after.port_groups.read().into_iter().flatten().filter(|(name, group)| {
        has_empty_own_order(group) && !old.and_then(|old| old.get(*name)).is_some_and(has_empty_own_order)
    });
    let finding = |(name, group): (&PortGroupName, &ObservedPortGroup)| {
        let message = format!(
            "port group `{name}` on `{}` would have a failover order of its own without any uplink: no path out",
            group.vswitch
        );
        let hint = "name an uplink under its `teaming: uplinks:`, or let it inherit";
        Finding::warning("TEAM-003", Component::PortGroup, message).hint(hint)
    };
    brought.map(finding).collect()
}

fn uplinks<'a>(state: &'a ObservedNetwork, vswitch: &VswitchName) -> Option<&'a BTreeSet<VmnicName>> {
    state.vswitches.read()?.get(vswitch)?.uplinks.read()
}

/// An uplink that joins the switch of management and has no link.
fn dead_uplinks(before: &ObservedNetwork, after: &ObservedNetwork) -> Vec<Finding> {
    let vmks = management_vmks(before);
    let switches: BTreeSet<&VswitchName> =
        vmks.iter().filter_map(|vmk| place(after, vmk)).map(|(_, vswitch)| vswitch).collect();
    let mut found = Vec::new();
    for vswitch in switches {
        let old = uplinks(before, vswitch);
        for vmnic in uplinks(after, vswitch).into_iter().flatten() {
            let joins = !old.is_some_and(|old| old.contains(vmnic));
            let nic = after.nics.read().and_then(|nics| nics.get(vmnic));
            if joins && nic.is_some_and(|nic| nic.link == LinkState::Down) {
                let message =
                    format!("`{vmnic}` joins `{vswitch}`, which carries management, but has no link");
                let finding = Finding::warning("NIC-001", Component::Vmnic, message);
                found.push(finding.hint("check its cable and switch port before it is relied on"));
            }
        }
    }
    found
}

/// A management adapter that goes for good while no other one carries management afterwards.
fn management_gone(before: &ObservedNetwork, after: &ObservedNetwork) -> Option<Finding> {
    let (old, new) = (before.vmkernels.read()?, after.vmkernels.read()?);
    let gone =
        management_vmks(before).into_iter().find(|vmk| old.contains_key(vmk) && !new.contains_key(vmk))?;
    let tag = ServiceTag::management();
    let carries = new.iter().any(|(name, vmk)| {
        vmk.services.read().is_some_and(|services| services.contains(&tag)) && !path_is_cut(after, name)
    });
    if carries {
        return None;
    }
    let message =
        format!("`{gone}` carries management and would be removed while no other adapter takes over");
    let hint = "give another adapter an address, a linked uplink and the service `Management` first";
    Some(Finding::error("MGMT-004", Component::Vmk, message).hint(hint))
}

//! Operations for port groups: existence, switch, VLAN, policies with inheritance.

use super::draft::Draft;
use super::teaming::{self, field_next, reset_if};
use model::{
    Component, DesiredNetwork, DesiredPortGroup, InheritedField, ObservedPortGroup,
    ObservedPortGroupSecurity, ObservedPortGroupTeaming, ObservedVswitch, Operation, PolicyReset,
    PortGroupName, PortGroupSecurity, PortGroupShaping, PortGroupTeaming, Presence, SecurityChange, Setting,
    TeamingChange, UplinkOrder, Vlan, VmkAttachment, VmnicName, VswitchName,
};

pub(super) fn draft(draft: &mut Draft, desired: &DesiredNetwork) {
    if desired.port_groups.is_empty() {
        return;
    }
    let observed = draft.observed;
    let Some(found) = draft.need(&observed.port_groups, Component::PortGroup, "the list of port groups")
    else {
        return;
    };
    for (name, wanted) in &desired.port_groups {
        match (wanted, found.get(name)) {
            (Presence::Absent, None) => {}
            (Presence::Absent, Some(found)) => remove(draft, desired, name, found),
            (Presence::Present(wanted), None) => create(draft, desired, name, wanted),
            (Presence::Present(wanted), Some(found)) => match &wanted.vswitch {
                Some(vswitch) if *vswitch != found.vswitch => replace(draft, desired, name, wanted, found),
                _ => change(draft, desired, name, wanted, found),
            },
        }
    }
}

/// Virtual machines on a port group; empty also when the list could not be read and no port is in use.
fn machines_on(draft: &Draft, name: &PortGroupName) -> Vec<String> {
    let machines = draft.observed.vms.read().into_iter().flatten();
    machines.filter(|vm| vm.networks.iter().any(|n| n == name.as_str())).map(|vm| vm.name.clone()).collect()
}

/// Whether the adapters on a port group account for all of its ports in use.
fn free_of_machines(draft: &mut Draft, name: &PortGroupName, found: &ObservedPortGroup) -> bool {
    let machines = machines_on(draft, name);
    let vmks = draft.observed.vmkernels.read().into_iter().flatten();
    let attachment = VmkAttachment::PortGroup(name.clone());
    let adapters = vmks.filter(|(_, vmk)| vmk.attachment == attachment).count();
    let ports = usize::try_from(found.active_clients).unwrap_or(usize::MAX);
    if machines.is_empty() && ports <= adapters {
        return true;
    }
    let who = if machines.is_empty() { "ports in use".to_owned() } else { machines.join(", ") };
    let message = format!("port group `{name}` cannot be removed or moved: used by {who}");
    draft.error(
        "PLAN-004",
        Component::PortGroup,
        message,
        "move the virtual machines to another port group first",
    );
    false
}

fn remove(draft: &mut Draft, desired: &DesiredNetwork, name: &PortGroupName, found: &ObservedPortGroup) {
    if !free_of_machines(draft, name, found) {
        return;
    }
    let attachment = VmkAttachment::PortGroup(name.clone());
    let vmks = draft.observed.vmkernels.read().into_iter().flatten();
    let stays = vmks.filter(|(_, vmk)| vmk.attachment == attachment).map(|(vmk, _)| vmk).find(|vmk| {
        match desired.vmkernels.get(*vmk) {
            Some(Presence::Absent) => false,
            Some(Presence::Present(wanted)) => wanted.port_group.as_ref().is_none_or(|group| group == name),
            None => true,
        }
    });
    if let Some(vmk) = stays {
        let message = format!("port group `{name}` cannot be removed: `{vmk}` is on it");
        draft.error(
            "PLAN-004",
            Component::PortGroup,
            message,
            "move or remove the adapter in the same change",
        );
        return;
    }
    let operation = Operation::PortGroupRemove { port_group: name.clone(), vswitch: found.vswitch.clone() };
    draft.push(operation, Some(&found.vswitch));
}

fn uplinks_of(found: &ObservedVswitch) -> Option<Vec<&VmnicName>> {
    Some(found.uplinks.read()?.iter().collect())
}

/// Whether the switch will be there, and the uplinks it will have when that is known.
fn switch_after<'o: 'u, 'u>(
    draft: &mut Draft<'o>,
    desired: &'u DesiredNetwork,
    name: &PortGroupName,
    vswitch: &VswitchName,
) -> Option<Option<Vec<&'u VmnicName>>> {
    let found = draft.observed.vswitches.read().and_then(|vswitches| vswitches.get(vswitch));
    let wanted = desired.vswitches.get(vswitch);
    match (wanted, found) {
        (Some(Presence::Absent), _) | (None, None) => {
            let message =
                format!("port group `{name}` is to be on standard switch `{vswitch}`, which is not there");
            draft.error(
                "PLAN-005",
                Component::PortGroup,
                message,
                "describe the switch in the same document",
            );
            None
        }
        (Some(Presence::Present(wanted)), found) => {
            let stated = wanted.uplinks.as_ref().map(|uplinks| uplinks.iter().collect());
            Some(stated.or_else(|| found.map_or(Some(Vec::new()), uplinks_of)))
        }
        (None, Some(found)) => Some(uplinks_of(found)),
    }
}

fn order_fits(
    draft: &mut Draft,
    name: &PortGroupName,
    wanted: &DesiredPortGroup,
    uplinks: Option<&[&VmnicName]>,
) -> bool {
    let order = wanted.teaming.as_ref().and_then(|t| t.uplinks.as_ref()).and_then(Setting::value);
    let (Some(order), Some(uplinks)) = (order, uplinks) else {
        return true;
    };
    match order.active.iter().chain(&order.standby).find(|vmnic| !uplinks.contains(vmnic)) {
        None => true,
        Some(vmnic) => {
            let message = format!(
                "the failover order of port group `{name}` names `{vmnic}`, which is no uplink of its switch"
            );
            draft.error(
                "PLAN-005",
                Component::PortGroup,
                message,
                "add it to the switch, or take it out of the order",
            );
            false
        }
    }
}

fn create(draft: &mut Draft, desired: &DesiredNetwork, name: &PortGroupName, wanted: &DesiredPortGroup) {
    let Some(vswitch) = &wanted.vswitch else {
        let message =
            format!("port group `{name}` is not on this host and the document does not say on which switch");
        draft.error("PLAN-005", Component::PortGroup, message, "add `vswitch:`");
        return;
    };
    let Some(uplinks) = switch_after(draft, desired, name, vswitch) else {
        return;
    };
    if !order_fits(draft, name, wanted, uplinks.as_deref()) {
        return;
    }
    draft.push(Operation::PortGroupAdd { port_group: name.clone(), vswitch: vswitch.clone() }, Some(vswitch));
    fields_of_new(draft, name, vswitch, wanted);
}

/// States every own field of a port group that was just made.
fn fields_of_new(draft: &mut Draft, name: &PortGroupName, vswitch: &VswitchName, wanted: &DesiredPortGroup) {
    if let Some(vlan) = wanted.vlan.filter(|vlan| *vlan != Vlan::Untagged) {
        draft.push(Operation::PortGroupVlanSet { port_group: name.clone(), vlan }, Some(vswitch));
    }
    if let Some(policy) = &wanted.teaming {
        let order = policy.uplinks.as_ref().and_then(Setting::value);
        let change = TeamingChange {
            load_balancing: policy.load_balancing.as_ref().and_then(Setting::value).copied(),
            failure_detection: policy.failure_detection.as_ref().and_then(Setting::value).copied(),
            notify_switches: policy.notify_switches.as_ref().and_then(Setting::value).copied(),
            failback: policy.failback.as_ref().and_then(Setting::value).copied(),
            active: order.map(|order| order.active.clone()),
            standby: order.map(|order| order.standby.clone()),
        };
        if change != TeamingChange::default() {
            let reset = PolicyReset::Keep;
            draft.push(
                Operation::PortGroupTeamingSet { port_group: name.clone(), reset, change },
                Some(vswitch),
            );
        }
    }
    if let Some(policy) = &wanted.security {
        let change = SecurityChange {
            allow_promiscuous: policy.allow_promiscuous.as_ref().and_then(Setting::value).copied(),
            allow_mac_change: policy.allow_mac_change.as_ref().and_then(Setting::value).copied(),
            allow_forged_transmits: policy.allow_forged_transmits.as_ref().and_then(Setting::value).copied(),
        };
        if change != SecurityChange::default() {
            let reset = PolicyReset::Keep;
            draft.push(
                Operation::PortGroupSecuritySet { port_group: name.clone(), reset, change },
                Some(vswitch),
            );
        }
    }
    if let Some(Setting::Value(shaping)) = &wanted.shaping {
        let (reset, change) = (PolicyReset::Keep, Some(*shaping));
        draft.push(Operation::PortGroupShapingSet { port_group: name.clone(), reset, change }, Some(vswitch));
    }
}

/// Moves a port group to another switch: removed and made anew with everything it had.
fn replace(
    draft: &mut Draft,
    desired: &DesiredNetwork,
    name: &PortGroupName,
    wanted: &DesiredPortGroup,
    found: &ObservedPortGroup,
) {
    let Some(vswitch) = &wanted.vswitch else { return };
    if !free_of_machines(draft, name, found) {
        return;
    }
    let Some(whole) = whole(draft, name, wanted, found) else {
        return;
    };
    let Some(uplinks) = switch_after(draft, desired, name, vswitch) else {
        return;
    };
    if !order_fits(draft, name, &whole, uplinks.as_deref()) {
        return;
    }
    let remove = Operation::PortGroupRemove { port_group: name.clone(), vswitch: found.vswitch.clone() };
    draft.push_replacing(remove, Some(&found.vswitch));
    let add = Operation::PortGroupAdd { port_group: name.clone(), vswitch: vswitch.clone() };
    draft.push_replacing(add, Some(vswitch));
    fields_of_new(draft, name, vswitch, &whole);
}

/// What the document asks, filled up with what the port group has of its own.
fn whole(
    draft: &mut Draft,
    name: &PortGroupName,
    wanted: &DesiredPortGroup,
    found: &ObservedPortGroup,
) -> Option<DesiredPortGroup> {
    let vlan = draft.need(&found.vlan, Component::PortGroup, format_args!("the VLAN of `{name}`"));
    let teaming =
        draft.need(&found.teaming, Component::PortGroup, format_args!("the failover policy of `{name}`"));
    let security =
        draft.need(&found.security, Component::PortGroup, format_args!("the security policy of `{name}`"));
    let shaping =
        draft.need(&found.shaping, Component::PortGroup, format_args!("the shaping policy of `{name}`"));
    let (vlan, teaming, security, shaping) = (vlan?, teaming?, security?, shaping?);
    let asked = wanted.teaming.clone().unwrap_or_default();
    let asked_security = wanted.security.unwrap_or_default();
    Some(DesiredPortGroup {
        vswitch: wanted.vswitch.clone(),
        vlan: wanted.vlan.or(Some(*vlan)),
        teaming: Some(PortGroupTeaming {
            load_balancing: asked.load_balancing.or_else(|| own(&teaming.load_balancing)),
            failure_detection: asked.failure_detection.or_else(|| own(&teaming.failure_detection)),
            notify_switches: asked.notify_switches.or_else(|| own(&teaming.notify_switches)),
            failback: asked.failback.or_else(|| own(&teaming.failback)),
            uplinks: asked.uplinks.or_else(|| own::<UplinkOrder>(&teaming.uplinks)),
        }),
        security: Some(PortGroupSecurity {
            allow_promiscuous: asked_security.allow_promiscuous.or_else(|| own(&security.allow_promiscuous)),
            allow_mac_change: asked_security.allow_mac_change.or_else(|| own(&security.allow_mac_change)),
            allow_forged_transmits: asked_security
                .allow_forged_transmits
                .or_else(|| own(&security.allow_forged_transmits)),
        }),
        shaping: wanted.shaping.or_else(|| own(shaping)),
    })
}

fn own<T: Clone>(field: &InheritedField<T>) -> Option<Setting<T>> {
    field.own().cloned().map(Setting::Value)
}

fn change(
    draft: &mut Draft,
    desired: &DesiredNetwork,
    name: &PortGroupName,
    wanted: &DesiredPortGroup,
    found: &ObservedPortGroup,
) {
    let vswitch = &found.vswitch;
    if matches!(desired.vswitches.get(vswitch), Some(Presence::Absent)) {
        return; // the switch's own finding says so
    }
    if let Some(next) = wanted.vlan
        && let Some(now) = draft.need(&found.vlan, Component::PortGroup, format_args!("the VLAN of `{name}`"))
        && *now != next
    {
        draft.push(Operation::PortGroupVlanSet { port_group: name.clone(), vlan: next }, Some(vswitch));
    }
    if let Some(policy) = &wanted.teaming {
        let now =
            draft.need(&found.teaming, Component::PortGroup, format_args!("the failover policy of `{name}`"));
        change_teaming(draft, desired, name, (wanted, policy), vswitch, now);
    }
    if let Some(policy) = &wanted.security
        && let Some(now) =
            draft.need(&found.security, Component::PortGroup, format_args!("the security policy of `{name}`"))
    {
        change_security(draft, name, vswitch, policy, now);
    }
    if let Some(policy) = &wanted.shaping
        && let Some(now) =
            draft.need(&found.shaping, Component::PortGroup, format_args!("the shaping policy of `{name}`"))
    {
        change_shaping(draft, name, vswitch, policy, now);
    }
}

fn change_teaming(
    draft: &mut Draft,
    desired: &DesiredNetwork,
    name: &PortGroupName,
    (wanted, policy): (&DesiredPortGroup, &PortGroupTeaming),
    vswitch: &VswitchName,
    now: Option<&ObservedPortGroupTeaming>,
) {
    let (Some(now), Some(uplinks)) = (now, switch_after(draft, desired, name, vswitch)) else {
        return;
    };
    if order_fits(draft, name, wanted, uplinks.as_deref()) {
        teaming::on_port_group(draft, name, vswitch, policy, now);
    }
}

fn change_security(
    draft: &mut Draft,
    name: &PortGroupName,
    vswitch: &VswitchName,
    policy: &PortGroupSecurity,
    now: &ObservedPortGroupSecurity,
) {
    let promiscuous = field_next(policy.allow_promiscuous.as_ref(), &now.allow_promiscuous);
    let mac_change = field_next(policy.allow_mac_change.as_ref(), &now.allow_mac_change);
    let forged = field_next(policy.allow_forged_transmits.as_ref(), &now.allow_forged_transmits);
    let reset = reset_if([promiscuous.is_reset(), mac_change.is_reset(), forged.is_reset()]);
    let change = SecurityChange {
        allow_promiscuous: promiscuous.stated(reset, &now.allow_promiscuous),
        allow_mac_change: mac_change.stated(reset, &now.allow_mac_change),
        allow_forged_transmits: forged.stated(reset, &now.allow_forged_transmits),
    };
    if reset == PolicyReset::InheritAll || change != SecurityChange::default() {
        draft
            .push(Operation::PortGroupSecuritySet { port_group: name.clone(), reset, change }, Some(vswitch));
    }
}

fn change_shaping(
    draft: &mut Draft,
    name: &PortGroupName,
    vswitch: &VswitchName,
    policy: &PortGroupShaping,
    now: &InheritedField<model::ShapingPolicy>,
) {
    let next = field_next(Some(policy), now);
    let reset = reset_if([next.is_reset()]);
    let change = next.stated(reset, now);
    if reset == PolicyReset::InheritAll || change.is_some() {
        draft.push(Operation::PortGroupShapingSet { port_group: name.clone(), reset, change }, Some(vswitch));
    }
}

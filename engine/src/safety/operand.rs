//! What a step names: nothing of a distributed switch, and nothing a planner would not say.
//!
//! Owns: rules 3 and 4. Must not: look at paths.

use super::Violation;
use model::{
    Component, ObservedNetwork, Operation, OperationObject, TeamingChange, VmkAttachment, VmnicName,
    VswitchName,
};

fn named(change: &TeamingChange) -> impl Iterator<Item = &VmnicName> {
    change.active.iter().chain(&change.standby).flatten()
}

fn vmnics_of(operation: &Operation) -> Vec<&VmnicName> {
    match operation {
        Operation::UplinkAdd { vmnic, .. }
        | Operation::UplinkRemove { vmnic, .. }
        | Operation::NicUp { vmnic }
        | Operation::NicDown { vmnic }
        | Operation::NicSet { vmnic, .. } => vec![vmnic],
        Operation::VswitchTeamingSet { change, .. } | Operation::PortGroupTeamingSet { change, .. } => {
            named(change).collect()
        }
        _ => Vec::new(),
    }
}

/// Rule 3: as far as it was read, nothing of a distributed switch is touched.
pub(super) fn check_distributed(operation: &Operation, now: &ObservedNetwork) -> Result<(), Violation> {
    if let OperationObject::Vmk(name) = operation.object()
        && let Some(vmk) = now.vmkernels.read().and_then(|vmks| vmks.get(name))
        && let VmkAttachment::Distributed(dvs) = &vmk.attachment
    {
        let (component, name, dvs) = (Component::Vmk, name.to_string(), dvs.clone());
        return Err(Violation::Distributed { component, name, dvs });
    }
    for vmnic in vmnics_of(operation) {
        let owner = now.dvs.read().into_iter().flatten().find(|dvs| dvs.uplinks.contains(vmnic));
        if let Some(owner) = owner {
            let (component, name, dvs) = (Component::Vmnic, vmnic.to_string(), owner.name.clone());
            return Err(Violation::Distributed { component, name, dvs });
        }
    }
    Ok(())
}

fn senseless(component: Component, name: &impl ToString, reason: &str) -> Violation {
    Violation::Senseless { component, name: name.to_string(), reason: reason.to_owned() }
}

/// Every NIC an order names is an uplink of the switch, and none is named twice.
fn check_order(
    change: &TeamingChange,
    now: &ObservedNetwork,
    vswitch: &VswitchName,
) -> Result<(), Violation> {
    let uplinks = now.vswitches.read().and_then(|vswitches| vswitches.get(vswitch)?.uplinks.read());
    let mut seen = Vec::new();
    for vmnic in named(change) {
        if uplinks.is_some_and(|uplinks| !uplinks.contains(vmnic)) {
            let reason = format!("the failover order names it, but `{vswitch}` has no such uplink");
            return Err(senseless(Component::Vmnic, vmnic, &reason));
        }
        if seen.contains(&vmnic) {
            return Err(senseless(Component::Vmnic, vmnic, "the failover order names it twice"));
        }
        seen.push(vmnic);
    }
    Ok(())
}

/// Rule 4, beyond what the projection refuses: calls that say nothing, orders that name strangers, system objects.
pub(super) fn check_sense(operation: &Operation, now: &ObservedNetwork) -> Result<(), Violation> {
    match operation {
        Operation::VswitchSet { vswitch, mtu: None, cdp: None } => {
            Err(senseless(Component::Vswitch, vswitch, "it sets nothing"))
        }
        Operation::VmkSet { vmk, mtu: None, enabled: None } => {
            Err(senseless(Component::Vmk, vmk, "it sets nothing"))
        }
        Operation::NetstackRemove { netstack } if netstack.is_default() => {
            Err(senseless(Component::Netstack, netstack, "it belongs to the system"))
        }
        Operation::VswitchTeamingSet { vswitch, change } => check_order(change, now, vswitch),
        Operation::PortGroupTeamingSet { port_group, change, .. } => {
            match now.port_groups.read().and_then(|groups| groups.get(port_group)) {
                Some(group) => check_order(change, now, &group.vswitch),
                None => Ok(()), // the projection says so
            }
        }
        Operation::PortGroupRemove { port_group, vswitch } => {
            match now.port_groups.read().and_then(|groups| groups.get(port_group)) {
                Some(group) if group.vswitch != *vswitch => {
                    let reason = format!("it is on `{}`, not on `{vswitch}`", group.vswitch);
                    Err(senseless(Component::PortGroup, port_group, &reason))
                }
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

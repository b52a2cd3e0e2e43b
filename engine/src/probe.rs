//! Which local proofs a plan calls for: pings to gateways, path MTU, and link state.
//!
//! Owns: the choice of probes, from what was read before the plan and the plan itself. Must not:
//! run them or decide what follows from their verdicts. Called by the apply machine's adapters,
//! and by the coordinator for the adapters that a plan touches.
//!
//! A target is only one that is right after the plan: an adapter that moves to another subnet is
//! not asked to reach the gateway it had. Whether a target answered before the plan is found by
//! pinging it before.

use crate::plan::management_vmks;
use crate::project::project;
use model::{
    Ipv4Cidr, Known, LinkState, Mtu, ObservedIpv4, ObservedNetwork, ObservedVmk, Operation,
    OperationObject as About, Plan, Probe, RouteNetwork, VmkAttachment, VmkName, VmnicName,
};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// Frame payload every path carries, in bytes; only longer ones are probed.
const USUAL_MTU_BYTES: u16 = 1500;
/// Headers around the payload of a ping (IPv4 and ICMP), in bytes.
pub const PING_HEADER_BYTES: u16 = 28;

/// The payload that fills a frame of this MTU; `None` when every path carries such frames.
#[must_use]
pub fn path_mtu_payload(mtu: Mtu) -> Option<u16> {
    (mtu.get() > USUAL_MTU_BYTES).then(|| mtu.get() - PING_HEADER_BYTES)
}

/// The picture after the plan, as far as it can be told.
#[must_use]
pub fn expected_after(before: &ObservedNetwork, plan: &Plan) -> ObservedNetwork {
    let mut picture = before.clone();
    for step in &plan.steps {
        // A step that cannot be projected leaves the picture; the host itself is read afterwards.
        let _ = project(&mut picture, &step.operation);
    }
    picture
}

/// The adapters whose traffic a plan touches: by their own settings, their port group, its switch,
/// one of its uplinks, or their netstack.
#[must_use]
pub fn touched_vmks(before: &ObservedNetwork, plan: &Plan) -> BTreeSet<VmkName> {
    let mut picture = before.clone();
    let mut touched = BTreeSet::new();
    for step in &plan.steps {
        touch(&picture, &step.operation, &mut touched);
        if project(&mut picture, &step.operation).is_ok() {
            touch(&picture, &step.operation, &mut touched);
        }
    }
    touched
}

fn touch(picture: &ObservedNetwork, operation: &Operation, touched: &mut BTreeSet<VmkName>) {
    let about = operation.object();
    if let About::Vmk(vmk) = about {
        touched.insert(vmk.clone());
        return;
    }
    for (name, vmk) in picture.vmkernels.read().into_iter().flatten() {
        let group = match &vmk.attachment {
            VmkAttachment::PortGroup(group) => Some(group),
            VmkAttachment::Distributed(_) => None,
        };
        let vswitch = || picture.port_groups.read()?.get(group?).map(|group| &group.vswitch);
        let hit = match about {
            About::Vmk(_) => false,
            About::PortGroup(changed) => group == Some(changed),
            About::Vswitch(changed) => vswitch() == Some(changed),
            About::Vmnic(changed) => vswitch()
                .and_then(|name| picture.vswitches.read()?.get(name)?.uplinks.read())
                .is_some_and(|uplinks| uplinks.contains(changed)),
            About::Netstack(changed) => vmk.netstack == *changed,
        };
        if hit {
            touched.insert(name.clone());
        }
    }
}

/// The probes that prove a plan from the host itself, in order of adapter.
///
/// The gateway of every management adapter, the gateway of every adapter the plan touches, and for
/// touched adapters with long frames the same gateway with a packet that fills a frame. Adapters
/// without a gateway in their own subnet have no probe: peers vouch for them, or nobody.
#[must_use]
pub fn probes(before: &ObservedNetwork, plan: &Plan) -> Vec<Probe> {
    let after = expected_after(before, plan);
    let touched = touched_vmks(before, plan);
    let management = management_vmks(&after);
    let mut probes = Vec::new();
    for (name, vmk) in after.vmkernels.read().into_iter().flatten() {
        if !vmk.enabled || !(touched.contains(name) || management.contains(name)) {
            continue;
        }
        let Some(target) = gateway(&after, vmk) else { continue };
        let probe = |what: &str, size| Probe {
            name: format!("{what} of {name}"),
            vmk: name.clone(),
            netstack: vmk.netstack.clone(),
            target,
            size,
        };
        probes.push(probe("gateway", None));
        let size = vmk.mtu.read().and_then(|mtu| path_mtu_payload(*mtu));
        if size.is_some() && touched.contains(name) {
            probes.push(probe("path MTU", size));
        }
    }
    probes
}

/// The router an adapter reaches on link: its own, else that of its netstack's default route.
fn gateway(picture: &ObservedNetwork, vmk: &ObservedVmk) -> Option<Ipv4Addr> {
    let ipv4 = vmk.ipv4.read()?;
    let subnet: Ipv4Cidr = ipv4.address()?;
    let own = match ipv4 {
        ObservedIpv4::Static { gateway, .. } => *gateway,
        ObservedIpv4::Dhcp { .. } | ObservedIpv4::None => None,
    };
    let of_stack = || {
        let routes = picture.netstacks.read()?.get(&vmk.netstack)?.routes.read()?;
        routes.iter().find(|route| route.network == RouteNetwork::Default)?.gateway
    };
    let usable = |gateway: &Ipv4Addr| subnet.contains(*gateway) && subnet.address() != *gateway;
    own.filter(usable).or_else(|| of_stack().filter(usable))
}

/// Uplinks in use that had link before and have none now; one that was taken down on the host itself
/// is not lost. What cannot be read after the change counts as lost.
#[must_use]
pub fn lost_links(before: &ObservedNetwork, after: &ObservedNetwork) -> Vec<VmnicName> {
    let had = before.nics.read().into_iter().flatten().filter(|(_, nic)| nic.link == LinkState::Up);
    let used = uplinks(after).or_else(|| uplinks(before)).unwrap_or_default();
    let lost = |name: &VmnicName| match &after.nics {
        Known::Unreadable { .. } => true,
        Known::Read(nics) => nics.get(name).is_none_or(|nic| {
            nic.link == LinkState::Down && nic.admin.read().copied() != Some(LinkState::Down)
        }),
    };
    had.map(|(name, _)| name).filter(|name| used.contains(name) && lost(name)).cloned().collect()
}

/// The uplinks of all standard switches; `None` when one could not be read.
fn uplinks(picture: &ObservedNetwork) -> Option<BTreeSet<VmnicName>> {
    let mut all = BTreeSet::new();
    for vswitch in picture.vswitches.read()?.values() {
        all.extend(vswitch.uplinks.read()?.iter().cloned());
    }
    Some(all)
}

#[cfg(test)]
mod tests;

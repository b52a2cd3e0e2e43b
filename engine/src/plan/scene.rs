//! The part of a host that some operations can change or ask about: what is worth copying.
//!
//! Owns: leaving out port groups no operation reaches, virtual machines, distributed switches and
//! descriptions. Must not: change what stays. Called by `order`, which looks at many states between.

use model::{
    HostFacts, Known, ObservedNetwork, ObservedNic, Operation, PortGroupName, VmkAttachment, VmnicName,
    VswitchName,
};
use std::collections::BTreeSet;

/// What operations reach beyond the objects that are always copied.
#[derive(Default)]
struct Reach<'a> {
    /// Port groups by name.
    groups: BTreeSet<&'a PortGroupName>,
    /// Switches whose port groups are all asked or changed.
    switches: BTreeSet<&'a VswitchName>,
}

impl<'a> Reach<'a> {
    fn add(&mut self, observed: &'a ObservedNetwork, operation: &'a Operation) {
        match operation {
            Operation::VswitchRemove { vswitch }
            | Operation::UplinkAdd { vswitch, .. }
            | Operation::VswitchTeamingSet { vswitch, .. }
            | Operation::VswitchSecuritySet { vswitch, .. }
            | Operation::VswitchShapingSet { vswitch, .. } => drop(self.switches.insert(vswitch)),
            Operation::UplinkRemove { vswitch, vmnic } => {
                self.switches.insert(vswitch);
                self.switches.extend(owners(observed, vmnic));
            }
            Operation::NicUp { vmnic } | Operation::NicDown { vmnic } | Operation::NicSet { vmnic, .. } => {
                self.switches.extend(owners(observed, vmnic))
            }
            Operation::PortGroupAdd { port_group, .. }
            | Operation::PortGroupRemove { port_group, .. }
            | Operation::PortGroupVlanSet { port_group, .. }
            | Operation::PortGroupTeamingSet { port_group, .. }
            | Operation::PortGroupSecuritySet { port_group, .. }
            | Operation::PortGroupShapingSet { port_group, .. }
            | Operation::VmkAdd { port_group, .. } => drop(self.groups.insert(port_group)),
            _ => {}
        }
    }
}

/// The switches a NIC is on: one at most, on a real host.
fn owners<'a>(
    observed: &'a ObservedNetwork,
    vmnic: &VmnicName,
) -> impl Iterator<Item = &'a VswitchName> + use<'a> {
    let vmnic = vmnic.clone();
    let has = move |state: &model::ObservedVswitch| state.uplinks.read().is_some_and(|u| u.contains(&vmnic));
    observed.vswitches.read().into_iter().flatten().filter(move |(_, state)| has(state)).map(|(name, _)| name)
}

/// A copy in which the operations, one after the other, do and find the same as in the whole picture.
pub(crate) fn scene<'a>(
    observed: &'a ObservedNetwork,
    operations: impl Iterator<Item = &'a Operation>,
) -> ObservedNetwork {
    let mut reach = Reach::default();
    operations.for_each(|operation| reach.add(observed, operation));
    for vmk in observed.vmkernels.read().into_iter().flatten().map(|(_, vmk)| vmk) {
        if let VmkAttachment::PortGroup(group) = &vmk.attachment {
            reach.groups.insert(group);
        }
    }
    let port_groups = copied(&observed.port_groups, |groups| {
        let kept =
            groups.iter().filter(|(n, g)| reach.groups.contains(n) || reach.switches.contains(&g.vswitch));
        kept.map(|(name, group)| (name.clone(), group.clone())).collect()
    });
    let nics = copied(&observed.nics, |nics| {
        nics.iter().map(|(name, nic)| (name.clone(), without_words(nic))).collect()
    });
    ObservedNetwork {
        taken_at: observed.taken_at,
        facts: HostFacts { version: observed.facts.version.clone(), ..HostFacts::default() },
        management_vmk: observed.management_vmk.clone(),
        vswitches: observed.vswitches.clone(),
        port_groups,
        vmkernels: observed.vmkernels.clone(),
        nics,
        netstacks: observed.netstacks.clone(),
        vms: Known::Read(Vec::new()),
        dvs: Known::Read(Vec::new()),
    }
}

fn copied<T>(fact: &Known<T>, copy: impl FnOnce(&T) -> T) -> Known<T> {
    match fact {
        Known::Read(value) => Known::Read(copy(value)),
        Known::Unreadable { reason } => Known::Unreadable { reason: reason.clone() },
    }
}

fn without_words(nic: &ObservedNic) -> ObservedNic {
    ObservedNic {
        driver: String::new(),
        pci: String::new(),
        mac: nic.mac.clone(),
        admin: nic.admin.clone(),
        link: nic.link,
        speed_mbps: nic.speed_mbps,
        duplex: nic.duplex,
        auto_negotiation: nic.auto_negotiation.clone(),
        description: String::new(),
    }
}

//! Desired and observed brought together: what to apply and what to verify afterwards.
//!
//! Owns: turning `managed: full` with `prune: true` into explicit removals, with the objects that
//! are never pruned. Must not: decide steps. Called by `plan` and `verify`.

use model::{
    Component, DesiredNetwork, Finding, NetstackName, ObjectKind, ObservedNetwork, PortGroupName, Presence,
    VmkAttachment, VmkName, VswitchName,
};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Netstacks that belong to the system and are never pruned.
const SYSTEM_NETSTACKS: [&str; 5] = ["defaultTcpipStack", "vmotion", "vSphereProvisioning", "mirror", "ops"];

/// The result of [`merge`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged<'a> {
    /// What to apply: the desired state with surplus objects marked absent.
    pub for_apply: Cow<'a, DesiredNetwork>,
    /// What was found on the way.
    pub findings: Vec<Finding>,
}

/// Objects that hold the management path and are never pruned.
struct Protected {
    vmks: BTreeSet<VmkName>,
    port_groups: BTreeSet<PortGroupName>,
    vswitches: BTreeSet<VswitchName>,
}

/// The path as it will be: where the documents put it, else where it is.
fn protected(desired: &DesiredNetwork, observed: &ObservedNetwork) -> Protected {
    let mut vmks = crate::plan::management_vmks(observed);
    vmks.extend(VmkName::new("vmk0"));
    let states = observed.vmkernels.read();
    let port_group = |vmk: &VmkName| {
        let wanted =
            desired.vmkernels.get(vmk).and_then(Presence::present).and_then(|vmk| vmk.port_group.clone());
        wanted.or_else(|| match &states?.get(vmk)?.attachment {
            VmkAttachment::PortGroup(group) => Some(group.clone()),
            VmkAttachment::Distributed(_) => None,
        })
    };
    let port_groups: BTreeSet<PortGroupName> = vmks.iter().filter_map(port_group).collect();
    let groups = observed.port_groups.read();
    let vswitch = |group: &PortGroupName| {
        let wanted =
            desired.port_groups.get(group).and_then(Presence::present).and_then(|g| g.vswitch.clone());
        wanted.or_else(|| Some(groups?.get(group)?.vswitch.clone()))
    };
    let vswitches = port_groups.iter().filter_map(vswitch).collect();
    Protected { vmks, port_groups, vswitches }
}

fn mark<K: Ord + Clone, T>(
    objects: &mut BTreeMap<K, Presence<T>>,
    found: impl Iterator<Item = K>,
    keep: impl Fn(&K) -> bool,
) {
    for name in found {
        if !keep(&name) {
            objects.entry(name).or_insert(Presence::Absent);
        }
    }
}

/// Brings desired and observed together.
#[must_use]
pub fn merge<'a>(desired: &'a DesiredNetwork, observed: &ObservedNetwork) -> Merged<'a> {
    let mut merged = Merged { for_apply: Cow::Borrowed(desired), findings: Vec::new() };
    if !desired.prune || desired.managed.is_empty() {
        return merged;
    }
    let protected = protected(desired, observed);
    let wanted = merged.for_apply.to_mut();
    let mut unread = Vec::new();
    if desired.prunes(ObjectKind::Vmkernels) {
        match observed.vmkernels.read() {
            Some(vmks) => {
                let ours =
                    vmks.iter().filter(|(_, vmk)| matches!(vmk.attachment, VmkAttachment::PortGroup(_)));
                mark(&mut wanted.vmkernels, ours.map(|(name, _)| name.clone()), |n| {
                    protected.vmks.contains(n)
                });
            }
            None => unread.push((Component::Vmk, "VMkernel adapters")),
        }
    }
    if desired.prunes(ObjectKind::PortGroups) {
        match observed.port_groups.read() {
            Some(groups) => {
                mark(&mut wanted.port_groups, groups.keys().cloned(), |n| protected.port_groups.contains(n));
            }
            None => unread.push((Component::PortGroup, "port groups")),
        }
    }
    if desired.prunes(ObjectKind::Vswitches) {
        match observed.vswitches.read() {
            Some(vswitches) => {
                mark(&mut wanted.vswitches, vswitches.keys().cloned(), |n| protected.vswitches.contains(n));
            }
            None => unread.push((Component::Vswitch, "standard switches")),
        }
    }
    if desired.prunes(ObjectKind::Netstacks) {
        match observed.netstacks.read() {
            Some(stacks) => {
                let system = |n: &NetstackName| SYSTEM_NETSTACKS.contains(&n.as_str());
                mark(&mut wanted.netstacks, stacks.keys().cloned(), system);
            }
            None => unread.push((Component::Netstack, "netstacks")),
        }
    }
    for (component, what) in unread {
        let message = format!("{what} could not be read, so nothing of them can be pruned");
        merged.findings.push(Finding::error("PLAN-001", component, message).hint("read the host again"));
    }
    merged
}

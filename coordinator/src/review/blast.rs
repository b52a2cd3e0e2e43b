//! What uses the objects that plans touch, as the hosts said it last. Must not: guess what was not read.

use super::Touched;
use crate::store::plans::NewPlan;
use model::{
    Disruption, HostId, ObservedNetwork, ObservedVmk, OperationObject, PortGroupName, VmkAttachment,
    VmnicName, VswitchName,
};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// What the plans touch over all hosts, worst first, and sentences about what could not be read.
pub(super) fn of_plans<'a>(
    plans: impl Iterator<Item = (&'a NewPlan, &'a ObservedNetwork)>,
) -> (Vec<Touched>, Vec<String>) {
    let mut objects: BTreeMap<(&'static str, String), Object> = BTreeMap::new();
    let mut unread: BTreeSet<&HostId> = BTreeSet::new();
    for (plan, observed) in plans {
        if plan.plan.is_empty() {
            continue;
        }
        if observed.vms.read().is_none()
            || observed.port_groups.read().is_none()
            || observed.vmkernels.read().is_none()
        {
            unread.insert(&plan.host);
        }
        let mut here: BTreeMap<OperationObject<'_>, Disruption> = BTreeMap::new();
        for step in &plan.plan.steps {
            let worst = here.entry(step.operation.object()).or_default();
            *worst = (*worst).max(step.disruption);
        }
        for (what, disruption) in here {
            let users = Users::of(observed, what);
            let object = objects.entry(named(what)).or_default();
            object.hosts += 1;
            object.disruption = object.disruption.max(disruption);
            object.vms += users.vms;
            object.vmks.extend(users.vmks);
        }
    }
    let mut touched: Vec<Touched> = objects
        .into_iter()
        .map(|((kind, name), object)| Touched {
            kind: kind.to_owned(),
            name,
            hosts: object.hosts,
            disruption: object.disruption,
            vms: object.vms,
            vmks: object.vmks.into_iter().collect(),
        })
        .collect();
    touched.sort_by_key(|object| Reverse((object.disruption, object.vms + object.vmks.len())));
    let unknown = match unread.first() {
        Some(first) => vec![format!(
            "virtual machines, port groups or adapters could not be read on {}, e.g. {first}: what uses the touched objects there is not known",
            super::plural(unread.len(), "host")
        )],
        None => Vec::new(),
    };
    (touched, unknown)
}

#[derive(Default)]
struct Object {
    hosts: usize,
    disruption: Disruption,
    vms: usize,
    vmks: BTreeSet<String>,
}

fn named(what: OperationObject<'_>) -> (&'static str, String) {
    match what {
        OperationObject::Vmk(name) => ("vmk", name.to_string()),
        OperationObject::PortGroup(name) => ("port_group", name.to_string()),
        OperationObject::Vswitch(name) => ("vswitch", name.to_string()),
        OperationObject::Vmnic(name) => ("vmnic", name.to_string()),
        OperationObject::Netstack(name) => ("netstack", name.to_string()),
    }
}

/// Who uses an object on one host.
struct Users {
    vms: usize,
    vmks: BTreeSet<String>,
}

impl Users {
    fn of(observed: &ObservedNetwork, what: OperationObject<'_>) -> Self {
        let groups = port_groups(observed, what);
        let uses =
            |vm: &&model::ObservedVm| vm.networks.iter().any(|network| groups.contains(network.as_str()));
        let vms = observed.vms.read().map_or(0, |vms| vms.iter().filter(uses).count());
        let used = |(name, vmk): &(&model::VmkName, &ObservedVmk)| match what {
            OperationObject::Vmk(changed) => changed == *name,
            OperationObject::Netstack(changed) => *changed == vmk.netstack,
            OperationObject::PortGroup(_) | OperationObject::Vswitch(_) | OperationObject::Vmnic(_) => {
                match &vmk.attachment {
                    VmkAttachment::PortGroup(group) => groups.contains(group.as_str()),
                    VmkAttachment::Distributed(_) => false,
                }
            }
        };
        let vmks =
            observed.vmkernels.read().into_iter().flatten().filter(used).map(|(name, vmk)| label(name, vmk));
        Self { vms, vmks: vmks.collect() }
    }
}

/// `vmk1 (vmotion)`.
fn label(name: &model::VmkName, vmk: &ObservedVmk) -> String {
    let services: Vec<String> =
        vmk.services.read().into_iter().flatten().map(|tag| tag.to_string()).collect();
    if services.is_empty() { name.to_string() } else { format!("{name} ({})", services.join(", ")) }
}

/// Port groups whose traffic goes over the object.
fn port_groups<'a>(observed: &'a ObservedNetwork, what: OperationObject<'a>) -> BTreeSet<&'a str> {
    let on = |vswitch: &VswitchName| -> BTreeSet<&'a str> {
        let groups = observed.port_groups.read().into_iter().flatten();
        groups
            .filter(|(_, group)| group.vswitch == *vswitch)
            .map(|(name, _)| PortGroupName::as_str(name))
            .collect()
    };
    match what {
        OperationObject::PortGroup(name) => BTreeSet::from([name.as_str()]),
        OperationObject::Vswitch(name) => on(name),
        OperationObject::Vmnic(name) => switch_of(observed, name).map(on).unwrap_or_default(),
        OperationObject::Vmk(_) | OperationObject::Netstack(_) => BTreeSet::new(),
    }
}

fn switch_of<'a>(observed: &'a ObservedNetwork, vmnic: &VmnicName) -> Option<&'a VswitchName> {
    let holds = |uplinks: &BTreeSet<VmnicName>| uplinks.contains(vmnic);
    let mut switches = observed.vswitches.read()?.iter();
    switches.find(|(_, switch)| switch.uplinks.read().is_some_and(holds)).map(|(name, _)| name)
}

//! The safety kernel: what no order, from whichever coordinator, makes a host do.
//!
//! Owns: the rules that hold in every state between, also for a forced change. Must not: plan,
//! order or roll back; a way back is never asked here. Called by the apply machine on the host:
//! for the plan before the first step, and for every step right before it runs.

mod operand;
mod path;

use crate::plan::{management_vmks, scene};
use crate::project::{ProjectError, project};
use model::{Component, NetstackName, ObservedNetwork, Operation, Plan, RouteNetwork, ServiceTag, VmkName};
use path::Carried;
use std::collections::BTreeSet;

/// Services whose adapter is a storage path, in the spelling of esxcli.
const STORAGE_TAGS: [&str; 5] = ["VSAN", "VSANWitness", "vsanExternal", "NVMeTCP", "NVMeRDMA"];

/// What the host's own settings add to the rules.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SafetyLimits {
    /// Adapters that carry storage without a service tag saying so: iSCSI and NFS.
    pub storage_vmks: BTreeSet<VmkName>,
}

/// Why a step is not run, whoever asks for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The last way in would be gone, and that is certain.
    #[error(
        "management over `{vmk}` would be cut: {reason}; give management another path in a change of its own first"
    )]
    ManagementCut {
        /// The adapter that carries management.
        vmk: VmkName,
        /// What would be missing.
        reason: String,
    },
    /// The plan takes the default route of management and puts nothing in its place.
    #[error("netstack `{netstack}` of management would be left without a default route: state the new one")]
    DefaultRouteLost {
        /// The netstack.
        netstack: NetstackName,
    },
    /// A live storage path would be gone.
    #[error("storage over `{vmk}` would be cut: {reason}; take the storage off it first")]
    StorageCut {
        /// The adapter that carries storage.
        vmk: VmkName,
        /// What would be missing.
        reason: String,
    },
    /// A storage service would be left without a live adapter.
    #[error("service `{tag}` would be left without a live adapter: tag another one before `{vmk}` loses it")]
    StorageServiceLost {
        /// The adapter that loses the service.
        vmk: VmkName,
        /// The service.
        tag: ServiceTag,
    },
    /// The object belongs to a distributed switch.
    #[error(
        "{component:?} `{name}` belongs to distributed switch `{dvs}`, which is never touched: leave it out"
    )]
    Distributed {
        /// What it is.
        component: Component,
        /// Its name.
        name: String,
        /// The distributed switch.
        dvs: String,
    },
    /// The step does not fit the host as it is.
    #[error("the step does not fit this host: {0}; plan again")]
    OutOfPlace(#[from] ProjectError),
    /// The step says something that no planner says.
    #[error("the step for {component:?} `{name}` makes no sense: {reason}; plan again")]
    Senseless {
        /// What it is about.
        component: Component,
        /// Its name.
        name: String,
        /// What is wrong.
        reason: String,
    },
}

/// Checks every step of a plan along its way through the states between, and what is left at the end.
///
/// # Errors
/// The first [`Violation`] on the way.
pub fn check_plan(plan: &Plan, observed: &ObservedNetwork, limits: &SafetyLimits) -> Result<(), Violation> {
    let mut state = observed.clone();
    for step in &plan.steps {
        check_step(&step.operation, &state, limits)?;
        project(&mut state, &step.operation)?;
    }
    for vmk in management_vmks(observed) {
        let Some(netstack) = path::netstack(observed, &vmk) else { continue };
        if has_default_route(observed, netstack) && !has_default_route(&state, netstack) {
            let stays = path::netstack(&state, &vmk) == Some(netstack) && path::is_fixed(&state, &vmk);
            if stays {
                return Err(Violation::DefaultRouteLost { netstack: netstack.clone() });
            }
        }
    }
    Ok(())
}

/// Checks one step against the state right before it.
///
/// A step that leaves the path in doubt (another VLAN, another address, another gateway) passes: that is what the
/// confirmation is for. Only what is certain is refused.
///
/// # Errors
/// The [`Violation`], naming the object.
pub fn check_step(
    operation: &Operation,
    now: &ObservedNetwork,
    limits: &SafetyLimits,
) -> Result<(), Violation> {
    operand::check_distributed(operation, now)?;
    operand::check_sense(operation, now)?;
    let mut next = scene(now, std::iter::once(operation));
    project(&mut next, operation)?;
    check_management(now, &next)?;
    check_storage(now, &next, limits)
}

/// Whether an adapter certainly cannot reach anything.
pub(crate) fn path_is_cut(observed: &ObservedNetwork, vmk: &VmkName) -> bool {
    path::carried(observed, vmk).is_cut()
}

fn tagged(observed: &ObservedNetwork, is: impl Fn(&ServiceTag) -> bool) -> BTreeSet<VmkName> {
    let vmks = observed.vmkernels.read().into_iter().flatten();
    let has = vmks.filter(|(_, vmk)| vmk.services.read().is_some_and(|services| services.iter().any(&is)));
    has.map(|(name, _)| name.clone()).collect()
}

/// The adapter that leads to the coordinator, and every other that is tagged for management.
fn management(observed: &ObservedNetwork) -> BTreeSet<VmkName> {
    let tag = ServiceTag::management();
    let mut vmks = tagged(observed, |service| *service == tag);
    vmks.extend(management_vmks(observed));
    vmks
}

/// Rule 1: of the adapters that may carry management, one may do so afterwards.
fn check_management(now: &ObservedNetwork, next: &ObservedNetwork) -> Result<(), Violation> {
    let carriers: Vec<VmkName> =
        management(now).into_iter().filter(|vmk| !path::carried(now, vmk).is_cut()).collect();
    let Some(vmk) = carriers.first() else { return Ok(()) };
    let mut first_reason = None;
    for candidate in carriers.iter().chain(&management(next)) {
        match path::carried(next, candidate) {
            Carried::Yes | Carried::Unknown => return Ok(()),
            Carried::Cut(reason) => first_reason = first_reason.or(Some(reason)),
        }
    }
    Err(Violation::ManagementCut { vmk: vmk.clone(), reason: first_reason.unwrap_or_default() })
}

fn is_storage(tag: &ServiceTag) -> bool {
    STORAGE_TAGS.contains(&tag.as_str())
}

/// Rule 2: every storage adapter that may be live stays so, and every storage service keeps one.
fn check_storage(
    now: &ObservedNetwork,
    next: &ObservedNetwork,
    limits: &SafetyLimits,
) -> Result<(), Violation> {
    let may_live = |state: &ObservedNetwork, vmk: &VmkName| !path::carried(state, vmk).is_cut();
    let storage = tagged(now, is_storage).into_iter().chain(limits.storage_vmks.iter().cloned());
    for vmk in storage.filter(|vmk| may_live(now, vmk)) {
        if let Carried::Cut(reason) = path::carried(next, &vmk) {
            return Err(Violation::StorageCut { vmk, reason });
        }
    }
    for text in STORAGE_TAGS {
        let tag = ServiceTag::new(text);
        let live = |state: &ObservedNetwork| {
            tagged(state, |service| *service == tag).into_iter().find(|vmk| may_live(state, vmk))
        };
        if let (Some(vmk), None) = (live(now), live(next)) {
            return Err(Violation::StorageServiceLost { vmk, tag });
        }
    }
    Ok(())
}

fn has_default_route(observed: &ObservedNetwork, netstack: &NetstackName) -> bool {
    let routes = observed.netstacks.read().and_then(|stacks| stacks.get(netstack)?.routes.read());
    routes.is_none_or(|routes| routes.iter().any(|route| route.network == RouteNetwork::Default))
}

#[cfg(test)]
mod tests;

//! Planning: from what should be and what is to the exact calls, in a safe order, each with its way back.
//!
//! Owns: which operations are needed (`vswitch`, `port_group`, `vmk`, `nic`, `netstack`), their
//! order (`order`), the management path in every state between (`management`), inverses
//! (`inverse`), effect on traffic (`disruption`) and the digest (`digest`). Must not: run
//! anything. Called by the agent before it applies, by the coordinator for review and dispatch.

mod digest;
mod disruption;
mod draft;
mod edges;
mod inverse;
mod management;
mod netstack;
mod nic;
mod order;
mod outcome;
mod port_group;
mod scene;
mod teaming;
mod vmk;
mod vswitch;
mod window;

pub use digest::digest;
pub use management::{management_vmk, management_vmks};
pub(crate) use nic::link_is;
pub(crate) use scene::scene;
pub(crate) use vmk::ipv4_is;
pub use window::confirm_window;

use crate::merge::merge;
use draft::Draft;
use model::{DesiredNetwork, Finding, ObservedNetwork, Plan};

/// A plan together with what was found while making it.
///
/// When a finding is an error the plan is empty: nothing half-planned is ever run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Planned {
    /// The calls, in order.
    pub plan: Plan,
    /// Why there is no plan, or what to know about it.
    pub findings: Vec<Finding>,
}

impl Planned {
    /// Whether a finding forbids the plan.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.findings.iter().any(Finding::is_error)
    }
}

/// Plans the way from `observed` to `desired`. Deterministic: equal inputs give an equal digest.
#[must_use]
pub fn plan(desired: &DesiredNetwork, observed: &ObservedNetwork) -> Planned {
    let merged = merge(desired, observed);
    let mut draft = Draft::new(observed, merged.findings);
    nic::draft(&mut draft, &merged.for_apply);
    vswitch::draft(&mut draft, &merged.for_apply);
    port_group::draft(&mut draft, &merged.for_apply);
    vmk::draft(&mut draft, &merged.for_apply);
    netstack::draft(&mut draft, &merged.for_apply);
    if draft.findings.iter().any(Finding::is_error) {
        return Planned { plan: Plan::default(), findings: draft.findings };
    }
    order::finish(draft)
}

#[cfg(test)]
pub(crate) mod tests;

//! The order of a plan: dependencies, the management path in every state between, inverses.
//!
//! Owns: which action may run when. Hard needs always hold (an object exists before it is used);
//! soft needs (make before break) give way only when nothing else is possible. Among the actions
//! that may run, the first in rank that keeps the management path is taken.

use super::digest::digest;
use super::disruption::classify;
use super::draft::{Action, Draft};
use super::inverse::inverse;
use super::management::ManagementPath;
use super::scene::scene;
use super::{Planned, edges, outcome};
use crate::project::project;
use model::{Component, Disruption, Finding, ObservedNetwork, Operation, Plan, Step, VmkName};
use std::collections::BTreeSet;

/// Actions that touch the management path beyond which no exhaustive search is made.
const SEARCH_ACTIONS_MAX: usize = 12;
/// States looked at in that search.
const SEARCH_STATES_MAX: usize = 4096;

/// The order in which kinds of operation run when nothing else decides.
fn rank(operation: &Operation, observed: &ObservedNetwork) -> u8 {
    match operation {
        Operation::NetstackAdd { .. } => 0,
        Operation::NicUp { .. } | Operation::NicSet { .. } => 1,
        Operation::VswitchAdd { .. } => 2,
        Operation::VswitchSet { .. } if edges::lowers_mtu(operation, observed) => 20,
        Operation::VswitchSet { .. } => 3,
        Operation::UplinkAdd { .. } => 4,
        Operation::VswitchTeamingSet { .. }
        | Operation::VswitchSecuritySet { .. }
        | Operation::VswitchShapingSet { .. } => 5,
        Operation::PortGroupAdd { .. } => 6,
        Operation::PortGroupVlanSet { .. }
        | Operation::PortGroupTeamingSet { .. }
        | Operation::PortGroupSecuritySet { .. }
        | Operation::PortGroupShapingSet { .. } => 7,
        Operation::VmkAdd { .. } => 8,
        Operation::VmkSet { .. } => 9,
        Operation::VmkIpv4Set { .. } => 10,
        Operation::VmkIpv6AddressRemove { .. }
        | Operation::VmkIpv6AddressAdd { .. }
        | Operation::VmkIpv6Set { .. } => 11,
        Operation::VmkTagAdd { .. } => 12,
        Operation::RouteRemove { .. } | Operation::RouteAdd { .. } => 13,
        Operation::DnsServerRemove { .. }
        | Operation::DnsServerAdd { .. }
        | Operation::DnsSearchRemove { .. }
        | Operation::DnsSearchAdd { .. } => 14,
        Operation::VmkTagRemove { .. } => 15,
        Operation::VmkRemove { .. } => 16,
        Operation::PortGroupRemove { .. } => 17,
        Operation::UplinkRemove { .. } => 18,
        Operation::NicDown { .. } => 19,
        Operation::VswitchRemove { .. } => 21,
        Operation::NetstackRemove { .. } => 22,
    }
}

/// The walk through the states between: what is done, what the host looks like by then.
#[derive(Clone)]
struct Walk {
    state: ObservedNetwork,
    hard_left: Vec<usize>,
    soft_left: Vec<usize>,
    /// May run by its hard needs, by rank and then by place in the draft.
    ready: BTreeSet<(u8, usize)>,
    order: Vec<usize>,
    steps: Vec<Step>,
    made: Made,
    /// Whether the management path holds in this state.
    path_held: bool,
}

struct Problem<'a> {
    actions: &'a [Action],
    ranks: Vec<u8>,
    edges: edges::Edges,
    path: ManagementPath,
    /// The actions that can bring a cut path back.
    restoring: Vec<bool>,
}

impl Problem<'_> {
    fn start(&self, observed: &ObservedNetwork) -> Walk {
        let hard_left: Vec<usize> = self.edges.hard_needs.clone();
        let ready =
            (0..self.actions.len()).filter(|i| hard_left[*i] == 0).map(|i| (self.ranks[i], i)).collect();
        let soft_left = self.edges.soft_needs.clone();
        let (order, steps) = (Vec::new(), Vec::with_capacity(self.actions.len()));
        let state = scene(observed, self.actions.iter().map(|action| &action.operation));
        let made = Made::default();
        Walk { state, hard_left, soft_left, ready, order, steps, made, path_held: true }
    }

    fn touches(&self, walk: &Walk, index: usize) -> bool {
        self.path.may_touch(&self.actions[index].operation, &walk.state)
    }

    /// Whether the path still holds after this action.
    fn is_safe(&self, walk: &Walk, index: usize) -> bool {
        let operation = &self.actions[index].operation;
        if !self.path.may_touch(operation, &walk.state) {
            return true;
        }
        if self.path.bounces(operation, &walk.state) {
            return false;
        }
        let mut next = scene(&walk.state, std::iter::once(operation));
        project(&mut next, operation).is_ok() && self.path.holds(&next)
    }

    /// Runs one action and writes its step, with the way back from the state before it.
    fn take(&self, walk: &mut Walk, index: usize) -> Result<(), Box<Finding>> {
        let action = &self.actions[index];
        let operation = &action.operation;
        let on_new = walk.made.holds_target_of(operation);
        let back = if on_new { Vec::new() } else { inverse(&walk.state, operation).map_err(no_inverse)? };
        let mut disruption = if on_new { Disruption::None } else { classify(&walk.state, operation) };
        if action.replaces {
            disruption = disruption.max(Disruption::Replace);
        }
        let touched = self.path.may_touch(operation, &walk.state);
        let bounces = touched && self.path.bounces(operation, &walk.state);
        project(&mut walk.state, operation).map_err(no_order)?;
        if touched || !walk.path_held {
            walk.path_held = self.path.holds(&walk.state);
        }
        if !walk.path_held || bounces {
            disruption = Disruption::ManagementPath;
        }
        walk.made.note(operation);
        walk.steps.push(Step { operation: operation.clone(), inverse: back, disruption });
        walk.ready.remove(&(self.ranks[index], index));
        walk.order.push(index);
        for next in &self.edges.hard_after[index] {
            walk.hard_left[*next] -= 1;
            if walk.hard_left[*next] == 0 {
                walk.ready.insert((self.ranks[*next], *next));
            }
        }
        for next in &self.edges.soft_after[index] {
            walk.soft_left[*next] -= 1;
        }
        Ok(())
    }

    /// The next action: by rank, soft needs kept and path safe when possible. A cut path comes back first.
    fn choose(&self, walk: &Walk) -> Option<(usize, bool)> {
        let ready = || walk.ready.iter().map(|(_, index)| *index);
        let soft = |index: &usize| walk.soft_left[*index] == 0;
        if !walk.path_held
            && let Some(index) = ready().filter(soft).find(|index| self.restoring[*index])
        {
            return Some((index, false));
        }
        let safe = |index: &usize| self.is_safe(walk, *index);
        if let Some(index) = ready().filter(soft).find(safe) {
            return Some((index, true));
        }
        if let Some(index) = ready().find(safe) {
            return Some((index, true));
        }
        ready().find(soft).or_else(|| ready().next()).map(|index| (index, false))
    }

    fn greedy(&self, observed: &ObservedNetwork) -> Result<(Walk, bool), Box<Finding>> {
        let mut walk = self.start(observed);
        let mut all_safe = true;
        while let Some((index, safe)) = self.choose(&walk) {
            all_safe &= safe;
            self.take(&mut walk, index)?;
        }
        if walk.order.len() < self.actions.len() {
            let message = "the steps depend on each other in a circle".to_owned();
            let finding =
                Finding::error("PLAN-008", Component::Plan, message).hint("split the change in two");
            return Err(Box::new(finding));
        }
        Ok((walk, all_safe))
    }

    /// Looks for an order that never cuts the path, trying every order of the actions that touch it.
    fn search(&self, observed: &ObservedNetwork) -> Option<Walk> {
        let start = self.start(observed);
        let touching = (0..self.actions.len()).filter(|index| self.touches(&start, *index)).count();
        if touching > SEARCH_ACTIONS_MAX {
            return None;
        }
        let mut seen = BTreeSet::new();
        let mut stack = vec![start];
        while let Some(mut walk) = stack.pop() {
            self.take_harmless(&mut walk)?;
            if walk.order.len() == self.actions.len() {
                return Some(walk);
            }
            let done: BTreeSet<usize> = walk.order.iter().copied().collect();
            if seen.len() >= SEARCH_STATES_MAX || !seen.insert(done) {
                continue;
            }
            let choices: Vec<usize> = walk.ready.iter().rev().map(|(_, index)| *index).collect();
            for index in choices.into_iter().filter(|index| self.is_safe(&walk, *index)) {
                let mut next = walk.clone();
                if self.take(&mut next, index).is_ok() {
                    stack.push(next);
                }
            }
        }
        None
    }

    /// Takes everything that cannot touch the path and breaks nothing else.
    fn take_harmless(&self, walk: &mut Walk) -> Option<()> {
        loop {
            let next = walk.ready.iter().map(|(_, index)| *index).find(|index| {
                let gives = !matches!(self.actions[*index].operation, Operation::UplinkRemove { .. });
                gives && walk.soft_left[*index] == 0 && !self.touches(walk, *index)
            });
            match next {
                Some(index) => self.take(walk, index).ok()?,
                None => return Some(()),
            }
        }
    }
}

/// Orders the draft and makes the plan.
pub(super) fn finish(draft: Draft) -> Planned {
    let Draft { observed, actions, mut findings, .. } = draft;
    if actions.is_empty() {
        return Planned { plan: Plan { digest: digest(&[]), ..Plan::default() }, findings };
    }
    if let Some(reason) = ManagementPath::unprovable(observed) {
        let message = format!("the management path cannot be guarded: {reason}");
        let hint = "nothing is changed on unknown ground: read the host again";
        findings.push(Finding::error("PLAN-010", Component::Plan, message).hint(hint));
        return Planned { plan: Plan::default(), findings };
    }
    let path = ManagementPath::of(observed);
    if !path.is_known() {
        let message = "the management path of this host is not known, so it cannot be guarded";
        let hint = "set `coordinator_address` of the agent, or tag the management adapter";
        findings.push(Finding::warning("PLAN-010", Component::Plan, message).hint(hint));
    }
    let ranks = actions.iter().map(|action| rank(&action.operation, observed)).collect();
    let restoring = actions.iter().map(|action| path.is_restored_by(action, &actions)).collect();
    let problem =
        Problem { actions: &actions, ranks, edges: edges::edges(&actions, observed), path, restoring };
    let walk = match problem.greedy(observed) {
        Ok((walk, true)) => walk,
        Ok((walk, false)) => problem.search(observed).unwrap_or(walk),
        Err(finding) => match problem.search(observed) {
            Some(walk) => walk,
            None => {
                findings.push(*finding);
                return Planned { plan: Plan::default(), findings };
            }
        },
    };
    findings.extend(outcome::findings(observed, &walk.state));
    if findings.iter().any(Finding::is_error) {
        return Planned { plan: Plan::default(), findings };
    }
    let steps = walk.steps;
    let disruption = steps.iter().map(|step| step.disruption).max().unwrap_or_default();
    let digest = digest(&steps);
    Planned { plan: Plan { steps, disruption, digest }, findings }
}

/// Objects made by earlier steps: their own fields need no way back, removing the object is one.
#[derive(Clone, Default)]
struct Made {
    objects: BTreeSet<(Component, String)>,
}

fn target(operation: &Operation) -> Option<(Component, String)> {
    let vmk = |vmk: &VmkName| Some((Component::Vmk, vmk.to_string()));
    match operation {
        Operation::VswitchSet { vswitch, .. }
        | Operation::VswitchTeamingSet { vswitch, .. }
        | Operation::VswitchSecuritySet { vswitch, .. }
        | Operation::VswitchShapingSet { vswitch, .. } => Some((Component::Vswitch, vswitch.to_string())),
        Operation::PortGroupVlanSet { port_group, .. }
        | Operation::PortGroupTeamingSet { port_group, .. }
        | Operation::PortGroupSecuritySet { port_group, .. }
        | Operation::PortGroupShapingSet { port_group, .. } => {
            Some((Component::PortGroup, port_group.to_string()))
        }
        Operation::VmkSet { vmk: name, .. }
        | Operation::VmkIpv4Set { vmk: name, .. }
        | Operation::VmkIpv6Set { vmk: name, .. }
        | Operation::VmkIpv6AddressAdd { vmk: name, .. }
        | Operation::VmkTagAdd { vmk: name, .. } => vmk(name),
        _ => None,
    }
}

impl Made {
    fn note(&mut self, operation: &Operation) {
        let object = match operation {
            Operation::VswitchAdd { vswitch } => (Component::Vswitch, vswitch.to_string()),
            Operation::PortGroupAdd { port_group, .. } => (Component::PortGroup, port_group.to_string()),
            Operation::VmkAdd { vmk, .. } => (Component::Vmk, vmk.to_string()),
            _ => return,
        };
        self.objects.insert(object);
    }

    fn holds_target_of(&self, operation: &Operation) -> bool {
        !self.objects.is_empty() && target(operation).is_some_and(|object| self.objects.contains(&object))
    }
}

fn no_order(error: crate::project::ProjectError) -> Box<Finding> {
    let finding = Finding::error("PLAN-008", Component::Plan, format!("no order found: {error}"));
    Box::new(finding.hint("split the change in two"))
}

fn no_inverse(missing: super::inverse::NoInverse) -> Box<Finding> {
    let message = format!("{} could not be read, so there would be no way back", missing.what);
    let finding = Finding::error("PLAN-009", missing.component, message);
    Box::new(finding.hint("read the host again; nothing was planned"))
}

//! The states between: blockers that hold neither before nor after, but on the way.
//!
//! Owns: walking the plan. Must not: judge; the rules do. The path of management is the planner's own care.

use super::answers::{Answers, Found};
use super::view::{Origin, View};
use super::{By, RULES, Rule};
use crate::plan::scene;
use crate::project::project;
use model::{ObservedNetwork, Plan, Severity};
use std::collections::BTreeSet;

fn asked<'a>(origin: Origin<'a>, state: &'a ObservedNetwork) -> Vec<(&'static Rule, Found)> {
    let view = View::new(origin, state);
    let mut all = Vec::new();
    for rule in RULES.iter().flat_map(|family| family.iter()).filter(|rule| rule.between) {
        let By::Host(ask) = rule.by else { continue };
        let mut answers = Answers::new(rule, Some(origin.host));
        ask(&view, &mut answers);
        all.extend(answers.found.into_iter().map(|found| (rule, found)));
    }
    all
}

fn keys(found: &[(&'static Rule, Found)]) -> BTreeSet<(String, String)> {
    found.iter().map(|(_, found)| (found.finding.rule.clone(), found.finding.object.clone())).collect()
}

/// What is wrong only on the way, once per rule and object; an error, because it passes.
pub(super) fn findings(
    origin: Origin<'_>,
    before: &ObservedNetwork,
    after: &ObservedNetwork,
    plan: &Plan,
) -> Vec<(&'static Rule, Found)> {
    if plan.steps.len() < 2 {
        return Vec::new();
    }
    let mut known = keys(&asked(origin, before));
    known.extend(keys(&asked(origin, after)));
    let mut state = scene(before, plan.steps.iter().map(|step| &step.operation));
    state.vms.clone_from(&before.vms);
    let mut all = Vec::new();
    for (at, step) in plan.steps.iter().enumerate() {
        // A step that does not fit is a finding of the planner's.
        if project(&mut state, &step.operation).is_err() {
            break;
        }
        for (rule, mut found) in asked(origin, &state) {
            if known.insert((found.finding.rule.clone(), found.finding.object.clone())) {
                found.finding.severity = Severity::Error;
                found.finding.message =
                    format!("after step {} of {}: {}", at + 1, plan.steps.len(), found.finding.message);
                all.push((rule, found));
            }
        }
    }
    all
}

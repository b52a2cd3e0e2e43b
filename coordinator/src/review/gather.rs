//! From the decision about a proposal to the facts. Must not: decide anything.

use super::{
    FoldedFinding, PlanClass, ReviewFacts, Schedule, StepLine, Subject, Touched, Verdict, blast, plural,
};
use crate::store::hosts::HostStatus;
use crate::store::plans::NewPlan;
use crate::tasks::review::{HostView, Review};
use model::{Finding, HostId, PlanDigest};
use std::collections::{BTreeMap, BTreeSet};

/// Hosts named in a sentence.
const HOSTS_SHOWN_MAX: usize = 5;

/// The facts of a decision. `untouched` are hosts for which the proposal says nothing new.
#[must_use]
pub fn gather(
    subject: Subject,
    review: &Review,
    fleet: &BTreeMap<HostId, HostView>,
    untouched: &BTreeSet<HostId>,
) -> ReviewFacts {
    let changed = review.plans.iter().filter(|plan| !plan.plan.is_empty());
    let hosts_changed = changed.clone().count();
    let hosts_carried = changed.clone().filter(|plan| untouched.contains(&plan.host)).count();
    let verdict = match (review.is_refused(), hosts_changed) {
        (true, _) => Verdict::Refused,
        (false, 0) => Verdict::NoSteps,
        (false, _) => Verdict::Ready,
    };
    let (touched, mut unknown) = touched(review, fleet);
    unknown.extend(not_planned(review, fleet));
    ReviewFacts {
        rfc: review.rfc.as_ref().map(|rfc| format!("{}: {}", rfc.front.rfc, rfc.front.title)),
        disruption: changed.map(|plan| plan.plan.disruption).max().unwrap_or_default(),
        disruption_allowed: review.disruption_allowed,
        hosts_named: review.hosts.len(),
        hosts_changed,
        hosts_carried,
        findings: fold(&review.findings),
        classes: classes(&review.plans),
        schedule: review.rollout.as_ref().map(|(spec, state)| Schedule {
            waves: state.waves().iter().map(|wave| wave.hosts.clone()).collect(),
            max_parallel: spec.max_parallel,
            soak_secs: spec.soak.0 / 1_000,
            failure_budget: spec.failure_budget,
            confirm_secs: spec.confirm_timeout.0 / 1_000,
        }),
        touched,
        unknown,
        ..ReviewFacts::bare(subject, verdict)
    }
}

/// Equal findings of many hosts become one; worst first.
pub(super) fn fold(findings: &[Finding]) -> Vec<FoldedFinding> {
    let mut folded: Vec<FoldedFinding> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for finding in findings {
        let bare = Finding { host: None, ..finding.clone() };
        // Everything but the host, in one text.
        let key = format!("{:?} {bare}", bare.component);
        let at = *places.entry(key).or_insert_with(|| {
            folded.push(FoldedFinding { finding: bare, hosts: Vec::new() });
            folded.len() - 1
        });
        if let (Some(host), Some(found)) = (&finding.host, folded.get_mut(at)) {
            found.hosts.push(host.clone());
        }
    }
    folded.sort_by_key(|found| std::cmp::Reverse(found.finding.severity));
    folded
}

fn classes(plans: &[NewPlan]) -> Vec<PlanClass> {
    let mut by_digest: BTreeMap<&PlanDigest, PlanClass> = BTreeMap::new();
    for plan in plans.iter().filter(|plan| !plan.plan.is_empty()) {
        let class = by_digest.entry(&plan.plan.digest).or_insert_with(|| {
            let steps = plan.plan.steps.iter().zip(&plan.esxcli_lines);
            PlanClass {
                hosts: Vec::new(),
                disruption: plan.plan.disruption,
                digest: plan.plan.digest.clone(),
                steps: steps
                    .map(|(step, line)| StepLine { esxcli: line.clone(), disruption: step.disruption })
                    .collect(),
            }
        });
        class.hosts.push(plan.host.clone());
    }
    let mut classes: Vec<PlanClass> = by_digest.into_values().collect();
    classes.iter_mut().for_each(|class| class.hosts.sort());
    classes.sort_by(|a, b| {
        (b.disruption, b.hosts.len(), &a.hosts).cmp(&(a.disruption, a.hosts.len(), &b.hosts))
    });
    classes
}

fn touched(review: &Review, fleet: &BTreeMap<HostId, HostView>) -> (Vec<Touched>, Vec<String>) {
    blast::of_plans(
        review.plans.iter().filter_map(|plan| Some((plan, fleet.get(&plan.host)?.observed.as_ref()?))),
    )
}

/// Hosts that the documents name and that were not planned.
fn not_planned(review: &Review, fleet: &BTreeMap<HostId, HostView>) -> Vec<String> {
    let status = |host: &HostId| fleet.get(host).map(|view| view.status);
    let named: Vec<&HostId> = review.hosts.iter().map(|host| &host.id).collect();
    let with = |wanted: fn(Option<HostStatus>) -> bool| -> Vec<&HostId> {
        named.iter().copied().filter(|host| wanted(status(host))).collect()
    };
    let unread = |host: &&HostId| {
        fleet.get(*host).is_some_and(|view| view.status == HostStatus::Enrolled && view.observed.is_none())
    };
    let sentences = [
        (
            with(|status| matches!(status, None | Some(HostStatus::Expected))),
            "not enrolled: planned when first read",
        ),
        (
            with(|status| matches!(status, Some(HostStatus::Quarantined | HostStatus::Revoked))),
            "quarantined or revoked: left out",
        ),
        (named.iter().copied().filter(unread).collect(), "enrolled but never read"),
    ];
    let sentence = |(hosts, what): (Vec<&HostId>, &str)| {
        let shown: Vec<&str> = hosts.iter().take(HOSTS_SHOWN_MAX).map(|host| host.as_str()).collect();
        let more = if hosts.len() > shown.len() { ", .." } else { "" };
        format!("{} ({}{more}) {what}", plural(hosts.len(), "host"), shown.join(", "))
    };
    sentences.into_iter().filter(|(hosts, _)| !hosts.is_empty()).map(sentence).collect()
}

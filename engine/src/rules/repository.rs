//! Rules over a whole configuration repository: on the documents alone, and with hosts as they are.
//!
//! Owns: bringing documents, observed hosts and plans together for the rules, places in files, folding. Must not:
//! know a rule. Called by the command line and the review.

use super::{Found, GroupInput, HostInput, Verdict, drawn, group, host};
use crate::documents::{Group, Repository, group_file, sort_findings};
use crate::project::project;
use crate::resolve::{ResolvedHost, fold, place};
use model::{Finding, HostGroupId, HostId, ObservedNetwork, Plan, RfcRollout, RolloutSpec, Span, VmnicName};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A host that was read and planned.
#[derive(Clone, Copy)]
pub struct Planned<'a> {
    /// As it is.
    pub observed: &'a ObservedNetwork,
    /// What is to be done.
    pub plan: &'a Plan,
}

/// What the rules say of a repository, with places, equal findings of many hosts told once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judged {
    /// Brought or worsened: these gate.
    pub findings: Vec<Finding>,
    /// There before.
    pub already: Vec<Finding>,
    /// Waived by the site.
    pub waived: Vec<Finding>,
    /// Rules that could not be decided somewhere, each with the first fact that is missing.
    pub unknown: BTreeMap<&'static str, &'static str>,
}

/// What the rules are asked with, beside documents and hosts.
#[derive(Clone, Copy, Default)]
pub struct Asking<'a> {
    /// `YYYY-MM-DD`, for waivers; without it none has expired.
    pub today: Option<&'a str>,
    /// Findings of others: what they say of an object is not said again.
    pub told: &'a [Finding],
    /// How the RFC rolls the change out.
    pub rollout: Option<&'a RfcRollout>,
}

struct Asked<'a> {
    group: &'a HostGroupId,
    host: &'a HostId,
    resolved: &'a ResolvedHost,
    uplinks: Option<&'a BTreeMap<String, VmnicName>>,
    before: Option<&'a ObservedNetwork>,
    after: Cow<'a, ObservedNetwork>,
    plan: Option<&'a Plan>,
}

/// Asks the rules about documents alone. What they do not mention is unknown.
#[must_use]
pub fn of_documents(
    repository: &Repository,
    hosts: &BTreeMap<HostId, ResolvedHost>,
    today: Option<&str>,
) -> Judged {
    let mut asked = Vec::new();
    for (host, resolved) in hosts {
        let Some(desired) = &resolved.desired else { continue };
        asked.push(ask(repository, host, resolved, Cow::Owned(drawn(desired))));
    }
    judge(repository, &asked, Asking { today, ..Asking::default() })
}

/// Asks the rules about hosts as they are and as their plans leave them. A plan that does not fit is left out: the
/// planner has said so.
#[must_use]
pub fn of_hosts(
    repository: &Repository,
    hosts: &BTreeMap<HostId, ResolvedHost>,
    planned: &BTreeMap<&HostId, Planned<'_>>,
    asking: Asking<'_>,
) -> Judged {
    let mut asked = Vec::new();
    for (host, resolved) in hosts {
        let Some(own) = planned.get(host) else { continue };
        let mut after = Cow::Borrowed(own.observed);
        if own.plan.steps.iter().any(|step| project(after.to_mut(), &step.operation).is_err()) {
            continue;
        }
        let asked_of = ask(repository, host, resolved, after);
        asked.push(Asked { before: Some(own.observed), plan: Some(own.plan), ..asked_of });
    }
    judge(repository, &asked, asking)
}

fn ask<'a>(
    repository: &'a Repository,
    host: &'a HostId,
    resolved: &'a ResolvedHost,
    after: Cow<'a, ObservedNetwork>,
) -> Asked<'a> {
    let entry = repository.groups.get(&resolved.group).and_then(|group| group.hosts.get(host));
    let uplinks = entry.map(|entry| &entry.document.uplinks);
    Asked { group: &resolved.group, host, resolved, uplinks, before: None, after, plan: None }
}

fn judge(repository: &Repository, asked: &[Asked<'_>], asking: Asking<'_>) -> Judged {
    let none = BTreeMap::new();
    let mut judged = Judged::default();
    let mut groups: BTreeMap<&HostGroupId, Vec<HostInput<'_>>> = BTreeMap::new();
    for own in asked {
        let input = HostInput {
            host: own.host,
            group: own.group,
            before: own.before,
            after: &own.after,
            plan: own.plan,
            documents: own.resolved.desired.as_ref().filter(|_| own.before.is_none()),
            uplinks: own.uplinks.unwrap_or(&none),
            failure_domain: own.resolved.failure_domain.as_deref(),
            site: &repository.site,
            today: asking.today,
        };
        groups.entry(own.group).or_default().push(input);
    }
    for (id, inputs) in &groups {
        let mut verdict = Verdict::default();
        inputs.iter().for_each(|input| verdict.add(host(input)));
        verdict.add(group(&staged(repository.groups.get(*id), asking.rollout, inputs)));
        judged.add(repository, id, asking.told, verdict);
    }
    for list in [&mut judged.findings, &mut judged.already, &mut judged.waived] {
        *list = fold(std::mem::take(list));
        sort_findings(list);
    }
    judged
}

/// A group as the RFC, else its own document, rolls it out.
fn staged<'a>(
    document: Option<&Group>,
    rfc: Option<&RfcRollout>,
    hosts: &'a [HostInput<'a>],
) -> GroupInput<'a> {
    let usual = RolloutSpec::default();
    let own = document.and_then(|group| group.document.rollout.as_ref());
    let number = |rfc: Option<u32>, own: Option<u32>, usual: u32| {
        usize::try_from(rfc.or(own).unwrap_or(usual)).unwrap_or(usize::MAX)
    };
    GroupInput {
        hosts,
        canary: number(rfc.and_then(|rfc| rfc.canary), own.and_then(|own| own.canary), usual.canary),
        max_parallel: number(
            rfc.and_then(|rfc| rfc.max_parallel),
            own.and_then(|own| own.max_parallel),
            usual.max_parallel,
        ),
    }
}

impl Judged {
    fn add(&mut self, repository: &Repository, id: &HostGroupId, told: &[Finding], verdict: Verdict) {
        let placed = |found: Found| {
            let path: Vec<&str> = found.path.iter().map(String::as_str).collect();
            let host = found.finding.host.as_ref();
            let span = place(repository, id, host, &path).filter(|_| !path.is_empty());
            let whole = Span { file: group_file(id), line: 1, column: 1 };
            found.finding.clone().at(span.unwrap_or(whole))
        };
        let is_told = |found: &Found| {
            let same = |told: &Finding| {
                told.rule == found.finding.rule
                    && !told.object.is_empty()
                    && told.object == found.finding.object
            };
            told.iter().any(same)
        };
        self.findings.extend(verdict.new.into_iter().filter(|found| !is_told(found)).map(placed));
        self.already.extend(verdict.old.into_iter().map(placed));
        let waived = |waived: super::Waived| {
            let mut finding = placed(waived.found);
            finding.message.push_str(&format!(" (waived until {}: {})", waived.expires, waived.reason));
            finding
        };
        self.waived.extend(verdict.waived.into_iter().map(waived));
        for (rule, fact) in verdict.unknown {
            self.unknown.entry(rule).or_insert(fact);
        }
    }
}

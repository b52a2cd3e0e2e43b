//! Asking all rules and telling old findings from new ones: what a change brings or worsens gates, the rest is listed.
//!
//! Owns: the ratchet, waivers, severities of the site. Must not: know any rule.

use super::answers::{Answers, Found};
use super::fleet::Fleet;
use super::view::{Delta, Origin, View};
use super::{By, RULES, Rule, between, mentions, pattern_matches};
use crate::documents::rules as documents;
use model::{DesiredNetwork, HostGroupId, HostId, ObservedNetwork, Plan, Severity, SiteDocument, VmnicName};
use std::collections::{BTreeMap, BTreeSet};

/// One host, as far as rules look at it.
#[derive(Clone, Copy)]
pub struct HostInput<'a> {
    /// The host.
    pub host: &'a HostId,
    /// Its group.
    pub group: &'a HostGroupId,
    /// As it is; without it every finding is new.
    pub before: Option<&'a ObservedNetwork>,
    /// As it will be.
    pub after: &'a ObservedNetwork,
    /// The way there.
    pub plan: Option<&'a Plan>,
    /// Given when `after` is only what the documents say: then nothing is said of what they do not mention.
    pub documents: Option<&'a DesiredNetwork>,
    /// Uplink roles of the host document.
    pub uplinks: &'a BTreeMap<String, VmnicName>,
    /// Value of the failure-domain label.
    pub failure_domain: Option<&'a str>,
    /// Facts of the site.
    pub site: &'a SiteDocument,
    /// `YYYY-MM-DD`, for waivers; without it none has expired.
    pub today: Option<&'a str>,
}

/// The hosts of one group.
#[derive(Clone, Copy)]
pub struct GroupInput<'a> {
    /// Its hosts.
    pub hosts: &'a [HostInput<'a>],
    /// Hosts of the first wave.
    pub canary: usize,
    /// Hosts at work at once.
    pub max_parallel: usize,
}

/// A finding that a waiver lets through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waived {
    /// The finding.
    pub found: Found,
    /// Why the site lives with it.
    pub reason: String,
    /// Until when.
    pub expires: String,
}

/// What all rules say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Brought or worsened by the change: these gate.
    pub new: Vec<Found>,
    /// There before.
    pub old: Vec<Found>,
    /// Waived by the site.
    pub waived: Vec<Waived>,
    /// Rules that could not be decided, each with the first fact that is missing.
    pub unknown: BTreeMap<&'static str, &'static str>,
}

impl Verdict {
    /// Takes in the verdict on another host or group.
    pub fn add(&mut self, other: Self) {
        self.new.extend(other.new);
        self.old.extend(other.old);
        self.waived.extend(other.waived);
        for (rule, fact) in other.unknown {
            self.unknown.entry(rule).or_insert(fact);
        }
    }
}

impl<'a> HostInput<'a> {
    fn view(&self, state: &'a ObservedNetwork) -> View<'a> {
        let whole = self.documents.is_none();
        View::new(Origin { host: self.host, site: self.site, roles: self.uplinks, whole }, state)
    }
}

/// Whether the documents alone decide the rule already.
fn is_told_by_documents(rule: &Rule) -> bool {
    documents::ALL.iter().any(|(id, _)| *id == rule.id)
}

/// Asks the rules about one host.
#[must_use]
pub fn host(input: &HostInput<'_>) -> Verdict {
    let after = input.view(input.after);
    let before = input.before.map(|before| input.view(before));
    let mut verdict = Verdict::default();
    for rule in RULES.iter().flat_map(|family| family.iter()) {
        if input.documents.is_some() && is_told_by_documents(rule) {
            continue;
        }
        let mut answers = Answers::new(rule, Some(input.host));
        let mut old = Vec::new();
        match rule.by {
            By::Host(ask) => {
                ask(&after, &mut answers);
                if let (Some(before), false) = (&before, answers.found.is_empty()) {
                    let mut asked = Answers::new(rule, Some(input.host));
                    ask(before, &mut asked);
                    old = asked.found;
                }
            }
            By::Change(ask) => match &before {
                Some(before) => ask(&Delta { before, after: &after, plan: input.plan }, &mut answers),
                None => answers.missing("the host as it is"),
            },
            By::Unread(fact) => answers.missing(fact),
            By::Group(_) | By::Elsewhere(_) => continue,
        }
        note(rule, answers, &old, &mut verdict, &[*input]);
    }
    if let (Some(before), Some(plan)) = (input.before, input.plan) {
        let origin = Origin { host: input.host, site: input.site, roles: input.uplinks, whole: true };
        for (rule, found) in between::findings(origin, before, input.after, plan) {
            let mut answers = Answers::new(rule, Some(input.host));
            answers.found.push(found);
            note(rule, answers, &[], &mut verdict, &[*input]);
        }
    }
    verdict
}

/// Asks the rules about the hosts of one group, side by side.
#[must_use]
pub fn group(input: &GroupInput<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let Some(first) = input.hosts.first() else { return verdict };
    let after: Vec<View<'_>> = input.hosts.iter().map(|host| host.view(host.after)).collect();
    let before: Vec<Option<View<'_>>> =
        input.hosts.iter().map(|host| host.before.map(|state| host.view(state))).collect();
    let after_of: Vec<&View<'_>> = after.iter().collect();
    let before_of: Vec<&View<'_>> = before.iter().flatten().collect();
    let pairs = input.hosts.iter().zip(before.iter().zip(&after));
    let deltas: Vec<Delta<'_>> = pairs
        .filter_map(|(host, (before, after))| {
            Some(Delta { before: before.as_ref()?, after, plan: host.plan })
        })
        .collect();
    let domains: Vec<Option<&str>> = input.hosts.iter().map(|host| host.failure_domain).collect();
    let fleet = Fleet {
        site: first.site,
        hosts: &after_of,
        deltas: &deltas,
        domains: &domains,
        canary: input.canary,
        max_parallel: input.max_parallel,
    };
    let then = Fleet { hosts: &before_of, deltas: &[], ..fleet };
    for rule in RULES.iter().flat_map(|family| family.iter()) {
        let By::Group(ask) = rule.by else { continue };
        if first.documents.is_some() && is_told_by_documents(rule) {
            continue;
        }
        let mut answers = Answers::new(rule, None);
        ask(&fleet, &mut answers);
        let mut asked = Answers::new(rule, None);
        if !answers.found.is_empty() && !before_of.is_empty() {
            ask(&then, &mut asked);
        }
        note(rule, answers, &asked.found, &mut verdict, input.hosts);
    }
    verdict
}

/// Sorts the answers of one rule into the verdict.
fn note(rule: &Rule, answers: Answers, old: &[Found], verdict: &mut Verdict, hosts: &[HostInput<'_>]) {
    if let Some(fact) = answers.missing {
        verdict.unknown.entry(rule.id).or_insert(fact);
    }
    let key = |found: &Found| {
        let (rule, object, value) = found.fingerprint();
        (found.finding.host.clone(), rule.to_owned(), object.to_owned(), value.to_owned())
    };
    let known: BTreeSet<_> = old.iter().map(key).collect();
    for mut found in answers.found {
        let own = found.finding.host.as_ref();
        let Some(host) = hosts.iter().find(|host| own == Some(host.host)).or(hosts.first()) else { continue };
        if host.documents.is_some_and(|desired| !mentions(desired, &found.path)) {
            verdict.unknown.entry(rule.id).or_insert("what the documents do not mention");
            continue;
        }
        let fixed = found.finding.severity == Severity::Blocker;
        if let (Some(severity), false) = (host.site.severity.get(rule.id), fixed) {
            match severity.severity() {
                Some(severity) => found.finding.severity = severity,
                None => continue,
            }
        }
        match waiver(host, &found).filter(|_| !fixed) {
            Some(waiver) => verdict.waived.push(Waived {
                found,
                reason: waiver.reason.clone(),
                expires: waiver.expires.clone(),
            }),
            None if known.contains(&key(&found)) => verdict.old.push(found),
            None => verdict.new.push(found),
        }
    }
}

/// The waiver of the site that covers a finding today.
fn waiver<'a>(input: &HostInput<'a>, found: &Found) -> Option<&'a model::Waiver> {
    let Found { finding, .. } = found;
    let host = finding.host.as_ref().map(|host| format!("/{host}")).unwrap_or_default();
    let object = if finding.object.is_empty() { String::new() } else { format!("/{}", finding.object) };
    let path = format!("{}{host}{object}", input.group);
    input.site.waivers.iter().find(|waiver| {
        waiver.rule == finding.rule
            && input.today.is_none_or(|today| today <= waiver.expires.as_str())
            && pattern_matches(&waiver.object, &path)
    })
}

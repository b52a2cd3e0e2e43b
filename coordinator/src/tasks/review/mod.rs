//! From a commit and what is known of the fleet to a decision: accept with these plans, or refuse with these findings.
//!
//! Owns: the rules between documents and the fleet (`CHG-*`, `REPO-*`), and how a rollout is staged. Must not: do I/O, read
//! a clock, or store anything. Called by `repo_sync`, on a thread that may compute.
//!
//! Decisions worth knowing:
//!
//! - **Scope.** Enrolled hosts are planned. A host that is named but not enrolled is *pending*: the change is accepted
//!   without it, and it gets an order of its own once it is enrolled and was read. An enrolled host that was never read
//!   refuses the commit; it is looked at again as soon as an observation arrives.
//! - **Touched** is a host whose desired state differs from its confirmed one, or whose plan is not empty. A touched host with
//!   an empty plan gets an order all the same, so that drift is measured against it.
//! - **RFC.** A change with steps on any host needs exactly one RFC document, added or modified since the last accepted
//!   commit. Without steps (an import, a first commit, words) none is needed.
//! - **Disruption.** Allowed is what the RFC's `risk.allow` says, else up to `replace`: `management_path` has to be named.
//! - **Groups.** One rollout per change. When a change touches several groups, the most careful number of each counts; the
//!   RFC's own numbers come last and win.

mod rfc;
mod spec;

#[cfg(test)]
mod tests;

use crate::repo::{ChangedPath, CommitInfo, RefusedEntry};
use crate::store::hosts::{HostStatus, KnownHost};
use crate::store::plans::NewPlan;
use engine::documents::{Repository, RfcDocument, parse_repository, sort_findings};
use engine::plan::{confirm_window, plan};
use engine::resolve::{ResolvedHost, resolve_all};
use engine::rollout::{RolloutHost, RolloutState, Work};
use model::{
    Component, DesiredNetwork, Disruption, Finding, GroupDocument, HostGroupId, HostId, ObservedNetwork,
    Plan, ProbePlan, RfcId, RolloutSpec, Span,
};
use std::collections::{BTreeMap, BTreeSet};

/// An entry of the commit that cannot be state.
pub const REFUSED_ENTRY: &str = "REPO-001";
/// The commit as a whole cannot be read.
pub const UNREADABLE_COMMIT: &str = "REPO-002";
/// An enrolled host was never read.
pub const NOT_OBSERVED: &str = "CHG-001";
/// A change with steps, but without an RFC.
pub const NO_RFC: &str = "CHG-002";
/// More than one RFC in a change with steps.
pub const MANY_RFCS: &str = "CHG-003";
/// The RFC is not proposed.
pub const RFC_NOT_PROPOSED: &str = "CHG-004";
/// A plan is worse for traffic than what is allowed.
pub const TOO_DISRUPTIVE: &str = "CHG-005";
/// A host changes that the RFC does not target.
pub const NOT_TARGETED: &str = "CHG-006";
/// A step that esxcli cannot be told.
pub const NOT_SPELLABLE: &str = "CHG-007";
/// Hosts that are named but not enrolled.
pub const NOT_ENROLLED: &str = "CHG-008";
/// A host that is quarantined or revoked.
pub const SET_ASIDE: &str = "CHG-009";

/// No peer has to vouch for the change.
pub const WITNESSES_WAIVED: &str = "CHG-010";

/// Worst effect that needs no word in an RFC.
pub const DISRUPTION_ALLOWED_DEFAULT: Disruption = Disruption::Replace;

/// A commit as it was read.
#[derive(Debug, Clone)]
pub struct Material {
    /// Facts about it.
    pub info: CommitInfo,
    /// Last accepted commit before it.
    pub base: Option<String>,
    /// State files by path.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Entries that cannot be state.
    pub refused: Vec<RefusedEntry>,
    /// State files that differ from the base.
    pub changed: Vec<ChangedPath>,
}

/// What the documents of a commit say, without any host.
#[derive(Debug)]
pub struct Documents {
    /// The documents.
    pub repository: Repository,
    /// Hosts, resolved.
    pub hosts: BTreeMap<HostId, ResolvedHost>,
    /// Everything found so far.
    pub findings: Vec<Finding>,
}

/// What is known of a host.
#[derive(Debug, Clone)]
pub struct HostView {
    /// What it is to us.
    pub status: HostStatus,
    /// What it confirmed last.
    pub committed: Option<DesiredNetwork>,
    /// What it looked like last.
    pub observed: Option<ObservedNetwork>,
}

/// Which hosts are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// A new commit: all hosts, all rules.
    Commit,
    /// An accepted commit, for hosts that were read after it was accepted.
    Late {
        /// These hosts.
        hosts: BTreeSet<HostId>,
        /// Worst effect that was allowed when the commit was accepted.
        allowed: Disruption,
    },
}

/// The decision.
#[derive(Debug)]
pub struct Review {
    /// Everything found; any error refuses the commit.
    pub findings: Vec<Finding>,
    /// One plan per touched host.
    pub plans: Vec<NewPlan>,
    /// How it rolls out; `None` when no host is touched.
    pub rollout: Option<(RolloutSpec, RolloutState)>,
    /// The RFC of the change.
    pub rfc: Option<RfcDocument>,
    /// Worst effect that is allowed.
    pub disruption_allowed: Disruption,
    /// Local proofs.
    pub probes: ProbePlan,
    /// Why no peer has to vouch for the change; `None`: peers do.
    pub witnesses_waived: Option<String>,
    /// Groups as the documents name them.
    pub groups: BTreeMap<HostGroupId, GroupDocument>,
    /// Hosts as the documents name them.
    pub hosts: Vec<KnownHost>,
}

impl Review {
    /// No decision yet: what is noted beside findings when only documents were read.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            findings: Vec::new(),
            plans: Vec::new(),
            rollout: None,
            rfc: None,
            disruption_allowed: Disruption::None,
            probes: ProbePlan::default(),
            witnesses_waived: None,
            groups: BTreeMap::new(),
            hosts: Vec::new(),
        }
    }

    /// Whether the commit is refused.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.findings.iter().any(Finding::is_error)
    }
}

/// Reads the documents of a commit. `today` is `YYYY-MM-DD`.
#[must_use]
pub fn read(material: &Material, today: &str) -> Documents {
    let mut repository = parse_repository(&material.files);
    let (hosts, resolved) = resolve_all(&repository, Some(today));
    let mut findings = std::mem::take(&mut repository.findings);
    findings.extend(resolved);
    findings.extend(material.refused.iter().map(|entry| {
        let message = format!("`{}` {}", entry.path, entry.reason);
        let span = Span { file: entry.path.clone(), line: 1, column: 1 };
        Finding::error(REFUSED_ENTRY, Component::Repository, message).at(span)
    }));
    sort_findings(&mut findings);
    Documents { repository, hosts, findings }
}

impl Documents {
    /// The hosts that an RFC of these documents leaves out.
    pub fn excluded_by(&self, number: Option<RfcId>) -> BTreeSet<HostId> {
        let rfc = number.and_then(|number| self.repository.rfcs.get(&number));
        let targets = rfc.and_then(|rfc| rfc.front.targets.as_ref());
        targets.iter().flat_map(|targets| &targets.exclude).cloned().collect()
    }
}

/// Decides about a commit.
#[must_use]
pub fn review(
    documents: Documents,
    material: &Material,
    fleet: &BTreeMap<HostId, HostView>,
    scope: &Scope,
) -> Review {
    let Documents { repository, hosts, mut findings } = documents;
    let mut of_hosts = Vec::new();
    let planned = plan_hosts(&hosts, fleet, scope, &mut of_hosts);
    let has_steps = planned.iter().any(|host| !host.plan.is_empty());
    let rfc = match scope {
        Scope::Commit => rfc::of_change(&repository, material, has_steps, &mut findings),
        Scope::Late { .. } => None,
    };
    let front = rfc.as_ref().map(|rfc| &rfc.front);
    let excluded: BTreeSet<&HostId> =
        front.and_then(|front| front.targets.as_ref()).iter().flat_map(|targets| &targets.exclude).collect();
    // What is wrong with a host that is left out stops nobody.
    of_hosts.retain(|finding: &Finding| finding.host.as_ref().is_none_or(|host| !excluded.contains(host)));
    findings.extend(of_hosts);
    let touched: Vec<&PlannedHost> = planned.iter().filter(|host| !excluded.contains(host.host)).collect();
    if let Some(rfc) = &rfc {
        rfc::check_targets(rfc, &touched, &mut findings);
    }
    let allowed = match scope {
        Scope::Commit => {
            front.and_then(|front| front.risk.as_ref()?.allow).unwrap_or(DISRUPTION_ALLOWED_DEFAULT)
        }
        Scope::Late { allowed, .. } => *allowed,
    };
    check_disruption(&touched, allowed, rfc.as_ref(), &mut findings);
    findings.extend(rfc.as_ref().and_then(rfc::witnesses_waived));
    let plans = touched.iter().filter_map(|host| spell(host, &mut findings)).collect();
    let rollout = stage(&touched, &repository, front.and_then(|front| front.rollout.as_ref()));
    sort_findings(&mut findings);
    Review {
        findings,
        plans,
        rollout,
        disruption_allowed: allowed,
        witnesses_waived: front.and_then(|front| front.witnesses_waived()).map(str::to_owned),
        probes: ProbePlan { probes: front.map(|front| front.probes.clone()).unwrap_or_default(), need: None },
        groups: repository.groups.iter().map(|(id, group)| (id.clone(), group.document.clone())).collect(),
        hosts: hosts
            .iter()
            .map(|(id, host)| KnownHost {
                id: id.clone(),
                group: host.group.clone(),
                labels: host.labels.clone(),
            })
            .collect(),
        rfc,
    }
}

/// A host that the change touches.
struct PlannedHost<'a> {
    host: &'a HostId,
    resolved: &'a ResolvedHost,
    desired: &'a DesiredNetwork,
    plan: Plan,
}

fn plan_hosts<'a>(
    hosts: &'a BTreeMap<HostId, ResolvedHost>,
    fleet: &BTreeMap<HostId, HostView>,
    scope: &Scope,
    findings: &mut Vec<Finding>,
) -> Vec<PlannedHost<'a>> {
    let mut planned = Vec::new();
    let mut pending = Vec::new();
    for (host, resolved) in hosts {
        if matches!(scope, Scope::Late { hosts, .. } if !hosts.contains(host)) {
            continue;
        }
        let Some(desired) = &resolved.desired else { continue };
        let Some(view) = fleet.get(host).filter(|view| view.status != HostStatus::Expected) else {
            pending.push(host);
            continue;
        };
        if view.status != HostStatus::Enrolled {
            let message = "is quarantined or revoked: it is left out of this change";
            findings.push(Finding::warning(SET_ASIDE, Component::Host, message).on_host(host));
            continue;
        }
        let Some(observed) = &view.observed else {
            findings.push(
                Finding::error(NOT_OBSERVED, Component::Host, "is enrolled, but was never read")
                    .on_host(host)
                    .hint("start its agent; the commit is looked at again when its first reading arrives"),
            );
            continue;
        };
        let result = plan(desired, observed);
        findings.extend(result.findings.into_iter().map(|finding| finding.on_host(host)));
        if view.committed.as_ref() != Some(desired) || !result.plan.is_empty() {
            planned.push(PlannedHost { host, resolved, desired, plan: result.plan });
        }
    }
    if let (Some(first), Scope::Commit) = (pending.first(), scope) {
        let message = format!("{} hosts are named but not enrolled, e.g. `{first}`", pending.len());
        findings.push(
            Finding::warning(NOT_ENROLLED, Component::Host, message)
                .hint("each gets its order once it is enrolled and was read"),
        );
    }
    planned
}

fn check_disruption(
    touched: &[&PlannedHost<'_>],
    allowed: Disruption,
    rfc: Option<&RfcDocument>,
    findings: &mut Vec<Finding>,
) {
    for host in touched.iter().filter(|host| host.plan.disruption > allowed) {
        let found = host.plan.disruption;
        let message = format!("the plan is classed `{found}`, allowed is `{allowed}`");
        let mut finding = Finding::error(TOO_DISRUPTIVE, Component::Plan, message)
            .on_host(host.host)
            .hint(format!("write `risk: {{allow: {found}}}` into the RFC if that is meant"));
        if let Some(rfc) = rfc {
            finding = finding.at(Span { file: rfc.file.clone(), line: 1, column: 1 });
        }
        findings.push(finding);
    }
}

/// The plan with its command lines.
fn spell(host: &PlannedHost<'_>, findings: &mut Vec<Finding>) -> Option<NewPlan> {
    let mut lines = Vec::with_capacity(host.plan.steps.len());
    for step in &host.plan.steps {
        match esxcli::argv(&step.operation) {
            Ok(argv) => lines.push(esxcli::display(&argv)),
            Err(error) => {
                let finding = Finding::error(NOT_SPELLABLE, Component::Plan, error.to_string());
                findings.push(finding.on_host(host.host));
                return None;
            }
        }
    }
    Some(NewPlan {
        host: host.host.clone(),
        plan: host.plan.clone(),
        desired: host.desired.clone(),
        esxcli_lines: lines,
    })
}

/// How the touched hosts roll out.
fn stage(
    touched: &[&PlannedHost<'_>],
    repository: &Repository,
    rfc: Option<&model::RfcRollout>,
) -> Option<(RolloutSpec, RolloutState)> {
    if touched.is_empty() {
        return None;
    }
    let groups: BTreeSet<&HostGroupId> = touched.iter().map(|host| &host.resolved.group).collect();
    let documents =
        groups.into_iter().filter_map(|id| repository.groups.get(id)).map(|group| &group.document);
    let has_steps = touched.iter().any(|host| !host.plan.is_empty());
    let spec = if has_steps {
        let windows = touched.iter().map(|host| confirm_window(&host.plan));
        let window = windows.max().unwrap_or(RolloutSpec::default().confirm_timeout);
        spec::for_steps(documents, rfc, window)
    } else {
        spec::for_baseline(touched.len())
    };
    let hosts: Vec<RolloutHost> = touched
        .iter()
        .map(|host| RolloutHost {
            id: host.host.clone(),
            // Without steps nothing can fail together.
            failure_domain: host.resolved.failure_domain.clone().filter(|_| has_steps),
            work: if host.plan.is_empty() { Work::Nothing } else { Work::Steps },
        })
        .collect();
    let state = RolloutState::new(spec.clone(), &hosts);
    Some((spec, state))
}

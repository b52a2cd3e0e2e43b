//! Best-practice rules on a commit: what its plans bring or worsen. Must not: know a rule; `engine::rules` does.
//!
//! Old sins of a host are not told here: `pointsman plan` lists them.

use super::PlannedHost;
use engine::documents::Repository;
use engine::resolve::ResolvedHost;
use engine::rules::{Asking, Planned, of_hosts};
use model::{Finding, HostId, RfcRollout};
use std::collections::BTreeMap;

/// Adds what the rules find new on the planned hosts.
pub(super) fn check(
    repository: &Repository,
    hosts: &BTreeMap<HostId, ResolvedHost>,
    planned: &[&PlannedHost<'_>],
    (today, rollout): (&str, Option<&RfcRollout>),
    findings: &mut Vec<Finding>,
) {
    let pairs = planned.iter().map(|host| (host.host, Planned { observed: host.observed, plan: &host.plan }));
    let asking = Asking { today: Some(today), told: findings, rollout };
    let judged = of_hosts(repository, hosts, &pairs.collect(), asking);
    findings.extend(judged.findings);
}

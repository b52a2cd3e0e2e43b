//! Whether enough approvers of every set have signed. Pure: facts in, judgement out.

use super::Authors;
use super::signer::signed_by;
use crate::store::approvals::{ApprovalKind, ApprovalRecord};
use crate::store::approvers::{self, ApproverSetRecord};
use crate::store::releases::ReleaseRecord;
use engine::proof::TrustedSet;
use model::{HostGroupId, Wall};
use std::collections::{BTreeMap, BTreeSet};

/// How it stands with one set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetStanding {
    /// Name of the set.
    pub name: String,
    /// Its version.
    pub version: u64,
    /// Hosts of the release that it speaks for.
    pub hosts: u64,
    /// Signatures it takes.
    pub threshold: u32,
    /// Who signed, and counts.
    pub approved_by: Vec<String>,
    /// Keys for emergencies it takes; 0 when there are none.
    pub break_glass_threshold: u32,
    /// Whose keys for emergencies signed.
    pub break_glass_by: Vec<String>,
    /// Whether the set is too old to approve anything.
    pub expired: bool,
    /// The signatures that count, without armour.
    pub signatures: Vec<Vec<u8>>,
}

impl SetStanding {
    /// Whether it is enough.
    #[must_use]
    pub fn is_met(&self) -> bool {
        !self.expired && (enough(&self.approved_by, self.threshold) || self.is_break_glass())
    }

    /// Whether keys for emergencies are what makes it enough.
    #[must_use]
    pub fn is_break_glass(&self) -> bool {
        let proper = enough(&self.approved_by, self.threshold);
        let emergency =
            self.break_glass_threshold > 0 && enough(&self.break_glass_by, self.break_glass_threshold);
        !self.expired && !proper && emergency
    }

    fn words(&self) -> String {
        let by = match self.approved_by.as_slice() {
            [] => String::new(),
            names => format!(" by {}", names.join(", ")),
        };
        let expired = if self.expired { ", approver set has expired" } else { "" };
        format!("{} of {}{by} (set {}{expired})", self.approved_by.len(), self.threshold, self.name)
    }
}

fn enough(names: &[String], threshold: u32) -> bool {
    u32::try_from(names.len()).unwrap_or(u32::MAX) >= threshold
}

/// How it stands with every set; without a set nobody has to approve.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// Set by set, in order of name.
    pub sets: Vec<SetStanding>,
    /// Whether the release holds no more: nothing of it can begin.
    pub expired: bool,
}

impl Standing {
    /// What is lacking, in words; `None` when the rollout may begin.
    #[must_use]
    pub fn waits_for(&self) -> Option<String> {
        let lacking: Vec<String> =
            self.sets.iter().filter(|set| !set.is_met()).map(SetStanding::words).collect();
        match (lacking.is_empty(), self.expired) {
            (true, _) => None,
            (false, false) => Some(format!("waits for approval: {}", lacking.join("; "))),
            (false, true) => Some("was not approved in time: merge a new commit".to_owned()),
        }
    }

    /// How it stands with one set.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<&SetStanding> {
        self.sets.iter().find(|set| set.name == name)
    }
}

/// What is judged.
pub(super) struct Case<'a> {
    pub(super) record: &'a ReleaseRecord,
    /// The newest version of every set.
    pub(super) sets: &'a [ApproverSetRecord],
    /// Groups of the release, with their hosts.
    pub(super) groups: &'a [(Option<HostGroupId>, u64)],
    pub(super) authors: &'a Authors,
    pub(super) now: Wall,
}

/// Counts signatures, each key and each name once, and none of an author.
pub(super) fn judge(case: &Case<'_>, approvals: &[ApprovalRecord]) -> Standing {
    let mut hosts: BTreeMap<&str, (&ApproverSetRecord, u64)> = BTreeMap::new();
    for (group, count) in case.groups {
        if let Some(record) = approvers::for_group(case.sets, group.as_ref()) {
            hosts.entry(&record.set.name).or_insert((record, 0)).1 += count;
        }
    }
    let sets = hosts.into_values().map(|(record, hosts)| count(case, record, hosts, approvals)).collect();
    Standing { sets, expired: case.record.not_after < case.now }
}

fn count(
    case: &Case<'_>,
    record: &ApproverSetRecord,
    hosts: u64,
    approvals: &[ApprovalRecord],
) -> SetStanding {
    let set = &record.set;
    let mut names = (BTreeSet::new(), BTreeSet::new());
    let mut signatures = Vec::new();
    // A stored set was checked when it came; one that is not usable any more approves nothing.
    let trusted = TrustedSet::new(set.clone()).ok();
    let manifest = &case.record.manifest;
    let signed = |approval: &ApprovalRecord| signed_by(trusted.as_ref()?, manifest, &approval.signature).ok();
    for signed in approvals.iter().filter_map(signed) {
        let counted = match signed.kind {
            ApprovalKind::Approval if case.authors.include(signed.approver) => false,
            ApprovalKind::Approval => names.0.insert(signed.approver.name.clone()),
            ApprovalKind::BreakGlass => names.1.insert(signed.approver.name.clone()),
        };
        if counted {
            signatures.push(signed.blob);
        }
    }
    SetStanding {
        name: set.name.clone(),
        version: set.version,
        hosts,
        threshold: set.threshold,
        approved_by: names.0.into_iter().collect(),
        break_glass_threshold: set.break_glass_threshold,
        break_glass_by: names.1.into_iter().collect(),
        expired: set.not_after.is_some_and(|until| until < case.now),
        signatures,
    }
}

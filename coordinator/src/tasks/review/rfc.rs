//! Which RFC a change comes with, and whether it fits. Must not judge its words (`engine::documents` does).

use super::{MANY_RFCS, Material, NO_RFC, NOT_TARGETED, PlannedHost, RFC_NOT_PROPOSED, WITNESSES_WAIVED};
use crate::repo::ChangeKind;
use engine::documents::{Repository, RfcDocument};
use model::{Component, Finding, RfcStatus, Span};

/// RFC files named in one finding.
const FILES_SHOWN_MAX: usize = 5;

/// The one RFC added or modified since the base. Needed, and needed alone, only when a host has steps.
pub(super) fn of_change(
    repository: &Repository,
    material: &Material,
    has_steps: bool,
    findings: &mut Vec<Finding>,
) -> Option<RfcDocument> {
    let is_brought = |rfc: &&RfcDocument| {
        material.changed.iter().any(|path| path.path == rfc.file && path.kind != ChangeKind::Removed)
    };
    let brought: Vec<&RfcDocument> = repository.rfcs.values().filter(is_brought).collect();
    match brought.as_slice() {
        [rfc] => {
            if rfc.front.status != RfcStatus::Proposed && has_steps {
                let message =
                    format!("{} is not `proposed`, but its change is on the main branch", rfc.front.rfc);
                findings.push(
                    Finding::error(RFC_NOT_PROPOSED, Component::Rfc, message)
                        .at(start_of(rfc))
                        .hint("set `status: proposed`, or take the change back"),
                );
            }
            Some((*rfc).clone())
        }
        [] => {
            if has_steps {
                let message = "the commit changes hosts, but adds or modifies no RFC document";
                findings.push(
                    Finding::error(NO_RFC, Component::Rfc, message)
                        .hint("add rfcs/NNNN-slug.md, e.g. with `pointsman rfc new`, on top of this commit"),
                );
            }
            None
        }
        [first, ..] => {
            if has_steps {
                let names: Vec<&str> =
                    brought.iter().take(FILES_SHOWN_MAX).map(|rfc| rfc.file.as_str()).collect();
                let message = format!(
                    "the commit changes hosts and brings {} RFC documents: {}",
                    brought.len(),
                    names.join(", ")
                );
                findings.push(
                    Finding::error(MANY_RFCS, Component::Rfc, message)
                        .at(start_of(first))
                        .hint("merge one RFC at a time, so that each change has one explanation"),
                );
            }
            None
        }
    }
}

/// Every host with steps is one the RFC speaks of.
pub(super) fn check_targets(rfc: &RfcDocument, touched: &[&PlannedHost<'_>], findings: &mut Vec<Finding>) {
    let Some(targets) = rfc.front.targets.as_ref().filter(|targets| !targets.groups.is_empty()) else {
        return;
    };
    for host in touched.iter().filter(|host| !host.plan.is_empty()) {
        let group = &host.resolved.group;
        if !targets.groups.iter().any(|name| name == group.as_str()) {
            let message =
                format!("changes, but its group `{group}` is not among the targets of {}", rfc.front.rfc);
            findings.push(
                Finding::error(NOT_TARGETED, Component::Rfc, message)
                    .at(start_of(rfc))
                    .on_host(host.host)
                    .hint("add the group to `targets.groups`, or leave its documents as they were"),
            );
        }
    }
}

/// What a person who reads the plan has to know: no other host vouches for it.
pub(super) fn witnesses_waived(rfc: &RfcDocument) -> Option<Finding> {
    let reason = rfc.front.witnesses_waived()?;
    let message = format!("no peer vouches for this change: {reason}");
    let hint = "look at vMotion, vSAN and the like by hand after the canary; a cut is found by nobody else";
    Some(Finding::warning(WITNESSES_WAIVED, Component::Rfc, message).at(start_of(rfc)).hint(hint))
}

fn start_of(rfc: &RfcDocument) -> Span {
    Span { file: rfc.file.clone(), line: 1, column: 1 }
}

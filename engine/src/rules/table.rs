//! The one registry of rule ids: those decided here, and those of the documents, the planner and the review.
//!
//! Owns: finding a rule by its id. Must not: decide.

use super::{
    Rule, ip, management, misc, mtu, nic, plan, security, storage, structure, teaming, traffic, vlan, vmk,
};
use crate::documents::rules as documents;

/// The best-practice rules, family by family.
pub static RULES: [&[Rule]; 13] = [
    structure::RULES,
    security::RULES,
    vlan::RULES,
    teaming::RULES,
    mtu::RULES,
    vmk::RULES,
    ip::RULES,
    storage::RULES,
    traffic::RULES,
    nic::RULES,
    management::RULES,
    plan::RULES,
    misc::RULES,
];

/// A rule that is not one of best practice: who has it, and what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign {
    /// Stable id.
    pub id: &'static str,
    /// Who decides it.
    pub owner: &'static str,
    /// What it says.
    pub about: &'static str,
}

const PLANNER: &[(&str, &str)] = &[
    ("PLAN-000", "A host that could not be planned, because nothing is known of it."),
    ("PLAN-001", "A fact that the plan needs could not be read."),
    ("PLAN-002", "A physical NIC that the host does not have, or another one than the document says."),
    ("PLAN-003", "A NIC that belongs to another switch."),
    ("PLAN-004", "The removal of something that is in use."),
    ("PLAN-005", "An object that others rest on is missing, or not described."),
    ("PLAN-006", "The removal of what carries management, or of an uplink without a word for it."),
    ("PLAN-007", "A NIC setting that has no safe way back."),
    ("PLAN-008", "No order of the steps that every state between allows."),
    ("PLAN-009", "A step without a way back."),
    ("PLAN-010", "The management path cannot be guarded."),
    ("PLAN-011", "An uplink that its port groups still name."),
    ("PLAN-012", "A route that could not be kept."),
];

const REVIEW: &[(&str, &str)] = &[
    ("REPO-001", "An entry of the commit that cannot be state."),
    ("REPO-002", "A commit that cannot be read."),
    ("CHG-001", "An enrolled host that was never read."),
    ("CHG-002", "A change with steps and without an RFC."),
    ("CHG-003", "A change with several RFCs."),
    ("CHG-004", "An RFC that is not proposed."),
    ("CHG-005", "A plan worse for traffic than the RFC allows."),
    ("CHG-006", "A host that changes and is not targeted."),
    ("CHG-007", "A step that esxcli cannot be told."),
    ("CHG-008", "Hosts that are named and not enrolled."),
    ("CHG-009", "A host that is quarantined or revoked."),
];

/// All rules of others.
pub fn foreign() -> impl Iterator<Item = Foreign> {
    let of =
        |owner: &'static str| move |(id, about): &(&'static str, &'static str)| Foreign { id, owner, about };
    let documents = documents::ALL.iter().filter(|(id, _)| rule(id).is_none());
    documents
        .map(of("documents"))
        .chain(PLANNER.iter().map(of("planner")))
        .chain(REVIEW.iter().map(of("review")))
}

/// A best-practice rule by its id.
#[must_use]
pub fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().flat_map(|family| family.iter()).find(|rule| rule.id == id)
}

/// Every id there is.
pub fn known_ids() -> impl Iterator<Item = &'static str> {
    let own = RULES.iter().flat_map(|family| family.iter()).map(|rule| rule.id);
    own.chain(foreign().map(|rule| rule.id))
}

//! Rules of steps and waves. Most are the planner's and the rollout's.

use super::answers::Answers;
use super::fleet::Fleet;
use super::{Kind, Rule};
use model::Severity::{Blocker, Error, Warning};

pub(super) const RULES: &[Rule] = &[
    Rule::elsewhere(
        "RUN-001",
        Blocker,
        Kind::Plan,
        [
            "A step without a way back",
            "No rollback",
            "Snapshot first",
            "J (PLAN-001 of the rule collection)",
            "plan",
        ],
        "the planner, as PLAN-009",
    ),
    Rule::elsewhere(
        "RUN-002",
        Error,
        Kind::Plan,
        [
            "A plan for another state",
            "Would overwrite unknown state",
            "Rebase / adopt / revert drift",
            "J (PLAN-002 of the rule collection)",
            "plan",
        ],
        "the host, which refuses a plan that is not the approved one (PlanChanged)",
    ),
    Rule::group(
        "RUN-003",
        Error,
        [
            "A canary wave over too much of a group",
            "Blast radius",
            "make the first wave smaller",
            "J (PLAN-003 of the rule collection)",
            "canary of the rollout, failure domains",
        ],
        canary_domain,
    )
    .planned(),
    Rule::unread(
        "RUN-004",
        Warning,
        Kind::Plan,
        [
            "Two changes for one object",
            "Ordering conflict",
            "Serialise",
            "J (PLAN-004 of the rule collection)",
        ],
        "open changes of the coordinator",
    ),
    Rule::unread(
        "RUN-005",
        Error,
        Kind::Plan,
        ["A change outside its window", "Policy", "Reschedule", "J (PLAN-005 of the rule collection)"],
        "change calendar",
    ),
    Rule::elsewhere(
        "RUN-006",
        Error,
        Kind::Plan,
        [
            "A removal nobody asked for",
            "Accidental deletion",
            "Prune: true per kind",
            "J (PLAN-006 of the rule collection)",
            "documents, plan",
        ],
        "the planner, which removes only what is absent or pruned (PLAN-006)",
    ),
    Rule::elsewhere(
        "RUN-007",
        Warning,
        Kind::Plan,
        [
            "A step that needs a reboot",
            "Never rolling-reboot for vSwitch/pg/vmk/MTU/teaming/VLAN changes, they are hot",
            "Separate RFC",
            "TF, API, J (PLAN-007 of the rule collection)",
            "plan",
        ],
        "the vocabulary of operations: none needs a reboot",
    ),
    Rule::unread(
        "RUN-008",
        Warning,
        Kind::Plan,
        [
            "No probe for what changes",
            "Success cannot be proven",
            "Add probes",
            "J (PLAN-008 of the rule collection)",
        ],
        "probes of the order",
    ),
];

/// Largest share of a group in the first wave, in percent.
const CANARY_PERCENT_MAX: usize = 50;
/// Fewest hosts of a group for which a share says something.
const SHARED_HOSTS_MIN: usize = 4;

fn canary_domain(fleet: &Fleet<'_>, answers: &mut Answers) {
    let touched =
        fleet.deltas().iter().filter(|delta| delta.plan.is_some_and(|plan| !plan.is_empty())).count();
    let canary = fleet.canary.min(touched);
    let all = fleet.hosts().len();
    let is_small = all < SHARED_HOSTS_MIN && canary < all;
    if canary > 1 && canary * 100 > all * CANARY_PERCENT_MAX && !is_small {
        let message = format!("the first wave takes {canary} of the {all} hosts of the group");
        answers.found(fleet.at(), canary, message);
        return;
    }
    let domains: std::collections::BTreeSet<&str> = fleet.domains.iter().flatten().copied().collect();
    if canary > 1 && !domains.is_empty() && domains.len() < canary {
        let message = format!("the first wave takes {canary} hosts out of {} failure domains", domains.len());
        answers.found(fleet.at(), canary, message);
    }
}

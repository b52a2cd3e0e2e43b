//! Rules of structure: what a host refuses. Most are the documents' and the planner's; the rest is here.

use super::answers::{Answers, At};
use super::view::View;
use super::{Kind, Rule};
use model::Severity::{Blocker, Error, Warning};
use model::ShapingPolicy;

pub(super) const RULES: &[Rule] = &[
    Rule::elsewhere(
        "STR-001",
        Blocker,
        Kind::State,
        [
            "A VLAN id outside 0 to 4095",
            "API accepts only 0 (none), 1-4094, 4095 (trunk)",
            "Valid id",
            "API",
            "documents",
        ],
        "the parser, as DOC-006",
    ),
    Rule::elsewhere(
        "STR-002",
        Blocker,
        Kind::State,
        [
            "A standard switch name that the host refuses",
            "Documented name limit and uniqueness",
            "Rename",
            "API",
            "documents",
        ],
        "the parser and resolver, as DOC-006 and DOC-040",
    ),
    Rule::elsewhere(
        "STR-003",
        Blocker,
        Kind::State,
        [
            "A port group name that the host refuses",
            "AddPortGroup/UpdatePortGroup refuse a conflicting name; blanks break label matching",
            "Rename",
            "API, J",
            "documents",
        ],
        "the parser, as DOC-004 and DOC-006",
    ),
    Rule::elsewhere(
        "STR-004",
        Blocker,
        Kind::State,
        ["A port group on a switch that is not there", "NotFound", "Create switch first", "API", "documents"],
        "the resolver, as STR-004, and the planner, as PLAN-005",
    ),
    Rule::elsewhere(
        "STR-005",
        Blocker,
        Kind::State,
        [
            "An active or standby NIC that is no uplink of the switch",
            "The update operation fails",
            "Attach uplink or drop it",
            "TF",
            "documents",
        ],
        "the resolver, as STR-005, and the planner, as PLAN-005",
    ),
    Rule::elsewhere(
        "STR-006",
        Blocker,
        Kind::State,
        ["A NIC both active and standby", "The update operation fails", "Keep one", "TF", "documents"],
        "the resolver, as STR-006",
    ),
    Rule::elsewhere(
        "STR-007",
        Blocker,
        Kind::State,
        [
            "A NIC used by two switches",
            "ResourceInUse: an adapter bridged to one switch cannot join another",
            "Move, not copy",
            "API",
            "documents",
        ],
        "the resolver, as STR-007, and the planner, as PLAN-003",
    ),
    Rule::elsewhere(
        "STR-008",
        Blocker,
        Kind::State,
        [
            "A NIC that the host does not have",
            "Cannot be attached",
            "Fix name / per-host override",
            "API",
            "documents, NICs",
        ],
        "the planner, as PLAN-002",
    ),
    Rule::elsewhere(
        "STR-009",
        Blocker,
        Kind::State,
        [
            "Two VMkernel adapters on one port group",
            "AddVirtualNic: AlreadyExists",
            "One port group per vmk",
            "API",
            "documents",
        ],
        "the resolver, as STR-009",
    ),
    Rule::elsewhere(
        "STR-010",
        Blocker,
        Kind::State,
        [
            "A VMkernel adapter on a port group that is not there",
            "InvalidArgument",
            "Create port group",
            "API",
            "documents",
        ],
        "the resolver, as STR-010, and the planner, as PLAN-005",
    ),
    Rule::elsewhere(
        "STR-011",
        Blocker,
        Kind::Change,
        [
            "The removal of a port group in use",
            "ResourceInUse",
            "Migrate clients first",
            "API",
            "documents, port groups, machines",
        ],
        "the planner, as PLAN-004",
    ),
    Rule::elsewhere(
        "STR-012",
        Blocker,
        Kind::Change,
        [
            "The removal of a switch in use",
            "ResourceInUse",
            "Empty the switch first",
            "API",
            "documents, switches",
        ],
        "the planner, as PLAN-004",
    ),
    Rule::unread(
        "STR-013",
        Blocker,
        Kind::State,
        [
            "Beacon probing on a switch without beacons",
            "API errors when beacon check is set on an unbeaconed switch",
            "Set beacon on switch or use link",
            "API",
        ],
        "beacon configuration of switches",
    ),
    Rule::host(
        "STR-014",
        Blocker,
        [
            "Traffic shaping with a peak below the average",
            "Peak may never be below average",
            "raise `peak_kbps` to at least `average_kbps`",
            "DOC-SHAPE",
            "shaping of switches and port groups",
        ],
        peak_below_average,
    ),
    Rule::host(
        "STR-015",
        Warning,
        [
            "An MTU above 9000 bytes",
            "Vmk MTU cannot exceed 9000 bytes; 1280 is the esxcli/IPv6 floor (V)",
            "use 1500 or 9000",
            "DOC-VMK, V",
            "MTU of switches and adapters",
        ],
        unusual_mtu,
    ),
    Rule::elsewhere(
        "STR-016",
        Blocker,
        Kind::Change,
        [
            "Another netstack for an adapter",
            "Stack is immutable after creation",
            "Plan delete+create, or refuse",
            "DOC-VMK",
            "documents, adapters",
        ],
        "the planner, which removes the adapter and makes it anew (disruption replace)",
    ),
    Rule::elsewhere(
        "STR-017",
        Blocker,
        Kind::State,
        ["A static address that is none", "InvalidArgument", "Fix", "API", "documents"],
        "the parser, as DOC-006",
    ),
    Rule::unread(
        "STR-018",
        Warning,
        Kind::State,
        [
            "An IPv6 address on a host whose IPv6 is off",
            "InvalidState",
            "Enable IPv6 (separate, reboot)",
            "API, V",
        ],
        "whether IPv6 is on",
    ),
    Rule::host(
        "STR-019",
        Blocker,
        [
            "A service tag that ESXi does not have",
            "Not one of the API's service types",
            "use one of the services `esxcli network ip interface tag add` takes",
            "API",
            "services of adapters",
        ],
        unknown_service,
    ),
    Rule::host(
        "STR-020",
        Error,
        [
            "A service on an adapter outside the default netstack",
            "Services are enabled for the default stack; vMotion/Provisioning stacks imply the service",
            "drop the service, or move the adapter to the default netstack",
            "DOC-VMK",
            "services and netstacks of adapters",
        ],
        service_on_other_stack,
    ),
];

/// Largest MTU of every release, in bytes; newer ones take a little more.
const MTU_EVERYWHERE_MAX: u16 = 9000;
/// Netstacks that stand for one service, with its tag.
const SERVICE_STACKS: [(&str, &str); 2] =
    [("vmotion", "VMotion"), ("vSphereProvisioning", "vSphereProvisioning")];

/// Shaping in force, once per place it is set at: switches, and port groups with their own.
pub(super) fn shapings(view: &View<'_>, answers: &mut Answers) -> Vec<(At, String, ShapingPolicy)> {
    let mut all = Vec::new();
    for switch in view.switches(answers) {
        if let Some(policy) = answers.need(&switch.state.shaping, "shaping of switches") {
            all.push((switch.at(&["shaping"]), format!("standard switch `{}`", switch.name), *policy));
        }
    }
    for group in view.groups(answers) {
        let own =
            answers.need(&group.state.shaping, "shaping of port groups").and_then(|shaping| shaping.own());
        if let Some(policy) = own {
            all.push((group.at(&["shaping"]), format!("port group `{}`", group.name), *policy));
        }
    }
    all
}

fn peak_below_average(view: &View<'_>, answers: &mut Answers) {
    for (at, owner, policy) in shapings(view, answers) {
        let ShapingPolicy::On(rate) = policy else { continue };
        if rate.peak_kbps < rate.average_kbps {
            let message = format!(
                "{owner} shapes to a peak of {} kbit/s, below its average of {} kbit/s",
                rate.peak_kbps, rate.average_kbps
            );
            answers.found(at, rate.peak_kbps, message);
        }
    }
}

fn unusual_mtu(view: &View<'_>, answers: &mut Answers) {
    for switch in view.switches(answers) {
        let mtu = answers.need(&switch.state.mtu, "MTU of switches");
        if let Some(mtu) = mtu.filter(|mtu| mtu.get() > MTU_EVERYWHERE_MAX) {
            let message = format!("standard switch `{}` has MTU {mtu}, more than 9000", switch.name);
            answers.found(switch.at(&["mtu"]), mtu, message);
        }
    }
    for vmk in view.vmks(answers) {
        let mtu = answers.need(&vmk.state.mtu, "MTU of adapters");
        if let Some(mtu) = mtu.filter(|mtu| mtu.get() > MTU_EVERYWHERE_MAX) {
            answers.found(vmk.at(&["mtu"]), mtu, format!("`{}` has MTU {mtu}, more than 9000", vmk.name));
        }
    }
}

fn unknown_service(view: &View<'_>, answers: &mut Answers) {
    for vmk in view.vmks(answers) {
        let services = answers.need(&vmk.state.services, "services of adapters");
        for tag in services.into_iter().flatten().filter(|tag| !tag.is_known()) {
            let message = format!("`{}` has the service `{tag}`, which ESXi does not know", vmk.name);
            answers.found(vmk.at(&["services"]), tag, message);
        }
    }
}

fn service_on_other_stack(view: &View<'_>, answers: &mut Answers) {
    for vmk in view.vmks(answers) {
        let stack = &vmk.state.netstack;
        let services = answers.need(&vmk.state.services, "services of adapters");
        if stack.is_default() {
            continue;
        }
        let implied = SERVICE_STACKS.iter().find(|(name, _)| *name == stack.as_str()).map(|(_, tag)| *tag);
        for tag in services.into_iter().flatten().filter(|tag| Some(tag.as_str()) != implied) {
            let message = format!("`{}` has the service `{tag}` on netstack `{stack}`", vmk.name);
            answers.found(vmk.at(&["services"]), tag, message);
        }
    }
}

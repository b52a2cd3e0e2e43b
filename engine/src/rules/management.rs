//! Rules of the way in: management and what depends on it. The hard ones are the planner's and the host's.

use super::answers::Answers;
use super::view::{Delta, Traffic, View};
use super::{Kind, Rule};
use model::Severity::{Blocker, Error, Info, Warning};
use model::{Component, RouteNetwork};
use std::net::Ipv4Addr;

pub(super) const RULES: &[Rule] = &[
    Rule::host(
        "MGMT-001",
        Error,
        [
            "Management on a single path",
            "Single mgmt path causes false HA failovers",
            "give management two linked uplinks, or a second adapter on another switch",
            "HA-DOC",
            "failover order, services of adapters",
        ],
        single_management_path,
    ),
    Rule::elsewhere(
        "MGMT-002",
        Info,
        Kind::Change,
        [
            "A change that touches management",
            "This is vSphere's own list of changes that trigger automatic host networking rollback",
            "Force commit-confirmed, wave size 1 for canary, longer confirm timer",
            "ROLLBACK",
            "plan",
        ],
        "the planner, as the disruption management_path",
    ),
    Rule::elsewhere(
        "MGMT-003",
        Blocker,
        Kind::Change,
        ["The last uplink of management is taken", "Self-cut", "Reorder: add before remove", "J", "plan"],
        "the planner, as disruption management_path, and the safety kernel of the host",
    ),
    Rule::elsewhere(
        "MGMT-004",
        Blocker,
        Kind::Change,
        [
            "The last way to the coordinator is taken",
            "Agent cannot confirm: guaranteed rollback",
            "Two-step change",
            "J",
            "plan",
        ],
        "the planner, as MGMT-004",
    ),
    Rule::unread(
        "MGMT-005",
        Warning,
        Kind::Plan,
        [
            "Network changes under a watching HA",
            "Docs ask to suspend Host Monitoring and reconfigure HA after",
            "Add task to RFC",
            "HA-DOC",
        ],
        "whether the cluster has HA",
    ),
    Rule::change(
        "MGMT-006",
        Warning,
        [
            "The default gateway of management changes",
            "Isolation test target moves",
            "set das.isolationaddress of the cluster too",
            "HA-ISO",
            "routes, services of adapters",
        ],
        isolation_address,
    ),
];

use super::answers::At;

fn single_management_path(view: &View<'_>, answers: &mut Answers) {
    let vmks = view.carriers(Traffic::Management, answers);
    let switches: std::collections::BTreeSet<_> =
        vmks.iter().filter_map(|vmk| view.group_of(vmk)).map(|group| &group.state.vswitch).collect();
    if switches.len() > 1 {
        return;
    }
    for vmk in vmks {
        let Some(group) = view.group_of(vmk) else { continue };
        let Some(order) = group.order(answers) else { continue };
        let links: Option<Vec<bool>> =
            order.active.iter().chain(&order.standby).map(|nic| view.is_up(nic)).collect();
        let Some(links) = answers.want(links, "link of NICs") else { continue };
        let usable = links.iter().filter(|up| **up).count();
        if usable < 2 {
            let message = format!(
                "`{}` carries management over port group `{}` with {usable} linked uplinks",
                vmk.name, group.name
            );
            answers.found(group.at(&["teaming", "uplinks"]), usable, message);
        }
    }
}

/// The default gateway of the netstack of a management adapter.
fn gateway(view: &View<'_>, stack: &model::NetstackName) -> Option<Ipv4Addr> {
    let routes = view.state.netstacks.read()?.get(stack)?.routes.read()?;
    routes.iter().find(|route| route.network == RouteNetwork::Default)?.gateway
}

fn isolation_address(delta: &Delta<'_>, answers: &mut Answers) {
    for vmk in delta.before.carriers(Traffic::Management, answers) {
        let stack = &vmk.state.netstack;
        let (was, now) = (gateway(delta.before, stack), gateway(delta.after, stack));
        if let (Some(was), Some(now)) = (was, now)
            && was != now
        {
            let at = At::new(Component::Netstack, &["netstacks", stack.as_str(), "routes", "default"]);
            let message = format!("the default gateway of management goes from {was} to {now}");
            answers.found(at, now, message);
            return;
        }
    }
}

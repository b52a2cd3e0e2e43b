//! Rules of teaming: load balancing, failover order, and what is behind the uplinks.

mod physical;

use super::answers::{Answers, At};
use super::pattern;
use super::view::{Group, Switch, Traffic, View};
use super::{Kind, Rule};
use model::Severity::{Blocker, Error, Info, Warning};
use model::{
    FailureDetection, InheritedField, LoadBalancing, ObservedPortGroupTeaming, UplinkOrder, VmnicName,
};
use physical::{
    balancing_override, channel_over_switches, idle_uplink, iphash_channel, mixed_drivers, not_crossed,
    one_card, one_switch, two_channels, two_domains, unequal_links,
};

pub(super) const RULES: &[Rule] = &[
    Rule::host(
        "TEAM-001",
        Warning,
        [
            "A switch with a single uplink",
            "Single point of failure",
            "add an uplink that ends in another physical switch",
            "HA-DOC, NIST125B",
            "uplinks of switches",
        ],
        single_uplink,
    ),
    Rule::host(
        "TEAM-002",
        Blocker,
        [
            "A port group in use without a linked uplink",
            "Total loss",
            "repair the cabling, or name an uplink with a link",
            "J",
            "failover order, link of NICs, use of port groups",
        ],
        no_link,
    )
    .between(),
    Rule::host(
        "TEAM-003",
        Blocker,
        [
            "A port group in use without any uplink in its order",
            "No path",
            "name an active uplink, or let it inherit",
            "TF, J",
            "failover order, use of port groups",
        ],
        empty_order,
    )
    .between(),
    Rule::host(
        "TEAM-004",
        Warning,
        [
            "Standby uplinks without an active one",
            "Legal, but intent unclear",
            "make one of them active",
            "J",
            "failover order",
        ],
        standby_only,
    ),
    Rule::host(
        "TEAM-005",
        Warning,
        [
            "Beacon probing with fewer than three uplinks",
            "With 2, a failure cannot be attributed and frames go to both",
            "set `failure_detection: link`, or use three uplinks",
            "KB-BEACON, TF",
            "failover policy, uplinks",
        ],
        beacon_few,
    ),
    Rule::host(
        "TEAM-006",
        Error,
        [
            "Beacon probing with IP hash",
            "Explicitly advised against",
            "set `failure_detection: link`",
            "KB-LAG",
            "failover policy",
        ],
        beacon_iphash,
    ),
    Rule::host(
        "TEAM-007",
        Error,
        [
            "IP hash with uplinks that are not active",
            "Standby/unused not allowed with IP hash",
            "make all uplinks active",
            "KB-LAG",
            "failover policy, uplinks",
        ],
        iphash_unused,
    ),
    Rule::host(
        "TEAM-008",
        Error,
        [
            "IP hash without port channel, or the other way round",
            "Either half alone disrupts networking",
            "set up both ends: `load_balancing: iphash` here and one static port channel there",
            "KB-LAG",
            "failover policy; cabling of the site",
        ],
        iphash_channel,
    ),
    Rule::host(
        "TEAM-009",
        Error,
        [
            "A port group overrides load balancing against the port channel",
            "IP hash is the only valid algorithm on an EtherChannel",
            "write `inherit`",
            "KB-LAG",
            "failover policy; cabling of the site",
        ],
        balancing_override,
    ),
    Rule::elsewhere(
        "TEAM-010",
        Blocker,
        Kind::State,
        [
            "LACP on a standard switch",
            "LACP is supported on vDS only",
            "Static port-channel or portid",
            "KB-LAG",
            "documents",
        ],
        "the parser, as DOC-006",
    ),
    Rule::host(
        "TEAM-011",
        Error,
        [
            "More than one port channel on one switch",
            "One bond per vSS",
            "use one port channel for one switch",
            "KB-LAG",
            "uplinks; cabling of the site",
        ],
        two_channels,
    ),
    Rule::host(
        "TEAM-012",
        Error,
        [
            "A port channel over switches that are no stack",
            "Aggregation never supported over disparate switches",
            "end all members in one switch or stack, or use `portid`",
            "KB-LAG",
            "uplinks; cabling of the site",
        ],
        channel_over_switches,
    ),
    Rule::host(
        "TEAM-013",
        Info,
        [
            "Explicit order with several active uplinks",
            "Only the first healthy one carries traffic; no balancing",
            "keep one uplink active and make the others standby",
            "DOC-TEAM",
            "failover policy",
        ],
        explicit_many,
    ),
    Rule::host(
        "TEAM-014",
        Warning,
        [
            "Management fails back at once",
            "Flapping/recovering switch port (up to ~50 s before forwarding) can trigger HA isolation; HA docs advise Failback = No, LB = port id",
            "set `failback: false`",
            "HA-DOC, DENNEMAN",
            "failover policy, services of adapters",
        ],
        management_failback,
    ),
    Rule::host(
        "TEAM-015",
        Info,
        [
            "IP storage fails back at once",
            "Same mechanism; storage path bounce",
            "set `failback: false`",
            "DENNEMAN, J",
            "failover policy; storage roles of the site",
        ],
        storage_failback,
    ),
    Rule::host(
        "TEAM-016",
        Warning,
        [
            "Physical switches are not told of a failover",
            "Switches keep stale MAC entries after failover",
            "set `notify_switches: true`",
            "API, ELECTRIC",
            "failover policy",
        ],
        silent,
    ),
    Rule::host(
        "TEAM-017",
        Error,
        [
            "Unicast load balancing with notification",
            "RARP breaks unicast NLB",
            "set `notify_switches: false`",
            "ELECTRIC",
            "failover policy; nlb_unicast of the site",
        ],
        loud_nlb,
    ),
    Rule::host(
        "TEAM-018",
        Warning,
        [
            "All uplinks on one card",
            "Card failure takes all",
            "use ports of two cards",
            "ELECTRIC, J",
            "uplinks, PCI addresses of NICs",
        ],
        one_card,
    ),
    Rule::host(
        "TEAM-019",
        Warning,
        [
            "All uplinks end in one physical switch",
            "Switch failure takes all",
            "spread the uplinks over two physical switches",
            "HA-DOC, FT-DOC",
            "uplinks; cabling of the site",
        ],
        one_switch,
    ),
    Rule::host(
        "TEAM-020",
        Warning,
        [
            "Active uplinks of different speed or duplex",
            "Unequal paths; LAG members need equal speed/duplex",
            "use equal links",
            "LACP-DOC, KB-SPEED, BLOG-MIX",
            "failover order, NICs",
        ],
        unequal_links,
    ),
    Rule::host(
        "TEAM-021",
        Info,
        [
            "Different drivers in a team",
            "Different offload/failure behaviour",
            "use one driver in a team",
            "J",
            "uplinks, drivers of NICs",
        ],
        mixed_drivers,
    ),
    Rule::host(
        "TEAM-022",
        Info,
        [
            "An uplink that no port group uses",
            "Paid-for capacity idle or forgotten",
            "use the uplink in a port group, or take it off the switch",
            "J",
            "uplinks, failover order",
        ],
        idle_uplink,
    ),
    Rule::host(
        "TEAM-023",
        Error,
        [
            "Uplinks of one switch in different broadcast domains",
            "All ports of a team must be in one broadcast domain",
            "let all trunks of the team carry the same VLANs",
            "DOC-TEAM8",
            "uplinks; cabling of the site",
        ],
        two_domains,
    ),
    Rule::host(
        "TEAM-024",
        Info,
        [
            "Management and vMotion share two NICs without crossed order",
            "Deterministic pairing keeps vMotion off the mgmt link",
            "make one NIC active for management and the other for vMotion, each standby for the other",
            "YELLOW, FT-DOC",
            "failover order, services of adapters",
        ],
        not_crossed,
    ),
];

/// Fewest uplinks with which beacon probing can tell which one failed.
const BEACON_UPLINKS_MIN: usize = 3;
const POLICY: &str = "failover policy of switches";

/// A failover policy in force, where it is set.
struct Team<'v, 'a> {
    /// `standard switch `x`` or `port group `x``.
    owner: String,
    switch: &'v Switch<'a>,
    /// The port group, when it has one of the asked fields of its own.
    group: Option<&'v Group<'a>>,
    load_balancing: LoadBalancing,
    detection: FailureDetection,
    order: &'a UplinkOrder,
}

impl Team<'_, '_> {
    fn at(&self, field: &str) -> At {
        match self.group {
            Some(group) => group.at(&["teaming", field]),
            None => self.switch.at(&["teaming", field]),
        }
    }
}

type Own = fn(&ObservedPortGroupTeaming) -> bool;

/// Each policy once: that of every switch, and of port groups for which `own` says that they differ.
fn teams<'v, 'a>(view: &'v View<'a>, answers: &mut Answers, own: Own) -> Vec<Team<'v, 'a>> {
    let mut all = Vec::new();
    for switch in view.switches(answers) {
        if let Some(policy) = answers.need(&switch.state.teaming, POLICY) {
            all.push(Team {
                owner: format!("standard switch `{}`", switch.name),
                switch,
                group: None,
                load_balancing: policy.load_balancing,
                detection: policy.failure_detection,
                order: &policy.uplinks,
            });
        }
        for group in view.groups_of(switch) {
            if let Some(policy) = group.teaming(answers).filter(|policy| own(policy)) {
                all.push(Team {
                    owner: format!("port group `{}`", group.name),
                    switch,
                    group: Some(group),
                    load_balancing: *policy.load_balancing.value(),
                    detection: *policy.failure_detection.value(),
                    order: policy.uplinks.value(),
                });
            }
        }
    }
    all
}

fn own_balancing(policy: &ObservedPortGroupTeaming) -> bool {
    policy.load_balancing.own().is_some()
}

fn own_detection(policy: &ObservedPortGroupTeaming) -> bool {
    policy.failure_detection.own().is_some()
}

fn own_order(policy: &ObservedPortGroupTeaming) -> bool {
    policy.uplinks.own().is_some()
}

fn own_balancing_or_order(policy: &ObservedPortGroupTeaming) -> bool {
    own_balancing(policy) || own_order(policy)
}

fn own_balancing_or_detection(policy: &ObservedPortGroupTeaming) -> bool {
    own_balancing(policy) || own_detection(policy)
}

fn listed<'n>(nics: impl IntoIterator<Item = &'n VmnicName>) -> String {
    nics.into_iter().map(VmnicName::as_str).collect::<Vec<_>>().join(",")
}

fn single_uplink(view: &View<'_>, answers: &mut Answers) {
    for switch in view.switches(answers) {
        let serves = view.groups_of(switch).next().is_some();
        let uplinks = switch.uplinks(answers);
        let ([only], true) = (uplinks.as_slice(), serves) else { continue };
        let is_vital = view.vmks_on(switch).any(|vmk| vmk.carries(Traffic::Management) || vmk.is_storage());
        let severity = if is_vital { Error } else { Warning };
        let message = format!("standard switch `{}` has the single uplink `{only}`", switch.name);
        answers.found_as(severity, switch.at(&["uplinks"]), *only, message);
    }
}

fn no_link(view: &View<'_>, answers: &mut Answers) {
    for group in view.groups(answers) {
        let Some(order) = group.order(answers) else { continue };
        let nics: Vec<&VmnicName> = order.active.iter().chain(&order.standby).collect();
        if nics.is_empty() || answers.want(view.is_used(group), "use of port groups") != Some(true) {
            continue;
        }
        let links: Vec<Option<bool>> = nics.iter().map(|nic| view.is_up(nic)).collect();
        if links.contains(&Some(true)) {
            continue;
        }
        if links.contains(&None) {
            answers.missing("link of NICs");
            continue;
        }
        let nics = listed(nics);
        let message =
            format!("port group `{}` is in use and none of its uplinks ({nics}) has a link", group.name);
        answers.found(group.at(&["teaming", "uplinks"]), nics, message);
    }
}

fn empty_order(view: &View<'_>, answers: &mut Answers) {
    for group in view.groups(answers) {
        let Some(order) = group.order(answers) else { continue };
        let Some(switch) = view.switch_of(group) else { continue };
        let is_empty = order.active.is_empty() && order.standby.is_empty();
        if !is_empty || switch.uplinks(answers).is_empty() {
            continue;
        }
        if answers.want(view.is_used(group), "use of port groups") == Some(true) {
            let message = format!("port group `{}` is in use and its order names no uplink", group.name);
            answers.found(group.at(&["teaming", "uplinks"]), "none", message);
        }
    }
}

fn standby_only(view: &View<'_>, answers: &mut Answers) {
    for team in teams(view, answers, own_order) {
        if team.order.active.is_empty() && !team.order.standby.is_empty() {
            let message = format!("{} has standby uplinks and no active one", team.owner);
            answers.found(team.at("uplinks"), listed(&team.order.standby), message);
        }
    }
}

fn beacon_few(view: &View<'_>, answers: &mut Answers) {
    for team in teams(view, answers, own_detection) {
        let count = team.switch.uplinks(answers).len();
        if team.detection == FailureDetection::Beacon && count < BEACON_UPLINKS_MIN {
            let message = format!("{} uses beacon probing with {count} uplinks", team.owner);
            answers.found(team.at("failure_detection"), count, message);
        }
    }
}

fn beacon_iphash(view: &View<'_>, answers: &mut Answers) {
    for team in teams(view, answers, own_balancing_or_detection) {
        if team.detection == FailureDetection::Beacon && team.load_balancing == LoadBalancing::IpHash {
            let message = format!("{} uses beacon probing together with IP hash", team.owner);
            answers.found(team.at("failure_detection"), "beacon", message);
        }
    }
}

fn iphash_unused(view: &View<'_>, answers: &mut Answers) {
    for team in teams(view, answers, own_balancing_or_order) {
        if team.load_balancing != LoadBalancing::IpHash {
            continue;
        }
        let idle = team.switch.uplinks(answers).into_iter().filter(|nic| !team.order.active.contains(nic));
        let idle = listed(idle);
        if !idle.is_empty() {
            let message = format!("{} balances by IP hash while {idle} is not active", team.owner);
            answers.found(team.at("uplinks"), idle, message);
        }
    }
}

fn explicit_many(view: &View<'_>, answers: &mut Answers) {
    for team in teams(view, answers, own_balancing_or_order) {
        if team.load_balancing == LoadBalancing::Explicit && team.order.active.len() > 1 {
            let active = listed(&team.order.active);
            let message =
                format!("{} has an explicit order with several active uplinks: {active}", team.owner);
            answers.found(team.at("uplinks"), active, message);
        }
    }
}

/// The place of a field: the port group when it is its own, else the switch it is taken from.
fn field_at<T>(view: &View<'_>, group: &Group<'_>, field: &InheritedField<T>, name: &str) -> At {
    let switch = view.switch(&group.state.vswitch).filter(|_| field.own().is_none());
    switch.map_or_else(|| group.at(&["teaming", name]), |switch| switch.at(&["teaming", name]))
}

fn failback(view: &View<'_>, answers: &mut Answers, traffics: &[Traffic]) {
    for vmk in view.vmks(answers) {
        answers.want(vmk.traffic.as_ref(), "services of adapters");
        let Some(traffic) = traffics.iter().find(|traffic| vmk.carries(**traffic)) else { continue };
        let Some(group) = view.group_of(vmk) else { continue };
        let Some(policy) = group.teaming(answers) else { continue };
        let order = policy.uplinks.value();
        let has_pair = !order.active.is_empty() && !order.standby.is_empty();
        if has_pair && *policy.failback.value() {
            let message = format!(
                "port group `{}` carries {} active/standby and fails back at once",
                group.name,
                traffic.as_str()
            );
            answers.found(field_at(view, group, &policy.failback, "failback"), true, message);
        }
    }
}

fn management_failback(view: &View<'_>, answers: &mut Answers) {
    failback(view, answers, &[Traffic::Management]);
}

fn storage_failback(view: &View<'_>, answers: &mut Answers) {
    failback(view, answers, &[Traffic::Iscsi, Traffic::Nfs]);
}

fn silent(view: &View<'_>, answers: &mut Answers) {
    for switch in view.switches(answers) {
        let policy = answers.need(&switch.state.teaming, POLICY);
        if policy.is_some_and(|policy| !policy.notify_switches) {
            let message =
                format!("standard switch `{}` does not tell physical switches of a failover", switch.name);
            answers.found(switch.at(&["teaming", "notify_switches"]), false, message);
        }
    }
    for group in view.groups(answers) {
        let Some(policy) = group.teaming(answers) else { continue };
        let is_nlb = pattern::any(&view.site.nlb_unicast, group.name.as_str());
        if policy.notify_switches.own() == Some(&false) && !is_nlb {
            let message =
                format!("port group `{}` does not tell physical switches of a failover", group.name);
            answers.found(group.at(&["teaming", "notify_switches"]), false, message);
        }
    }
}

fn loud_nlb(view: &View<'_>, answers: &mut Answers) {
    for group in view.groups(answers) {
        if !pattern::any(&view.site.nlb_unicast, group.name.as_str()) {
            continue;
        }
        if group.teaming(answers).is_some_and(|policy| *policy.notify_switches.value()) {
            let message = format!(
                "port group `{}` is for unicast load balancing and tells switches of moves",
                group.name
            );
            answers.found(group.at(&["teaming", "notify_switches"]), true, message);
        }
    }
}

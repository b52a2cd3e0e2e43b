//! Tests of what calls touch and of what may be carried, over the small host of the observation's tests.

use super::{Touched, carry};
use crate::formatter::Formatter;
use crate::observe::tests::{assembled, host, observe};
use crate::observe::{Answers, fingerprint_queries};
use crate::query::{Query, ReadCommand};
use model::{
    Known, NetstackName, Operation, PolicyReset, PortGroupName, RouteNetwork, SecurityChange, ServiceTag,
    ShapingPolicy, TeamingChange, Vlan, VmkName, VmnicName, VswitchName,
};

fn switch() -> VswitchName {
    VswitchName::new("vSwitch0").expect("a name")
}

fn group(name: &str) -> PortGroupName {
    PortGroupName::new(name).expect("a name")
}

fn vmk(name: &str) -> VmkName {
    VmkName::new(name).expect("a name")
}

/// The queries as `words@subject`, without what they have in common.
fn keys(queries: impl IntoIterator<Item = Query>) -> Vec<String> {
    let short = |query: Query| {
        let words = query.command.path_str().replace("network ", "").replace("vswitch standard ", "");
        query.subject.map_or(words.clone(), |subject| format!("{words} @{subject}"))
    };
    let mut keys: Vec<String> = queries.into_iter().map(short).collect();
    keys.sort();
    keys
}

fn lists(answers: &Answers) -> Answers {
    let list = |query: Query| answers.get(&query).cloned().map(|answer| (query, answer));
    fingerprint_queries().into_iter().filter_map(list).collect()
}

const BOTH_GROUPS_SECURITY: [&str; 3] = [
    "policy security get @vSwitch0",
    "portgroup policy security get @Management Network",
    "portgroup policy security get @Storage",
];

#[test]
fn calls_touch_what_they_change_and_what_inherits_from_it() {
    let (answers, _) = observe();
    let observed = assembled(&answers);
    let stack = NetstackName::new("vmotion").expect("a name");
    let ip = "10.0.0.1".parse().expect("an address");
    let (reset, nic) = (PolicyReset::Keep, VmnicName::new("vmnic1").expect("a name"));
    let table: Vec<(Operation, Vec<&str>)> = vec![
        (Operation::VswitchSet { vswitch: switch(), mtu: None, cdp: None }, vec![]),
        (Operation::PortGroupVlanSet { port_group: group("Storage"), vlan: Vlan::Untagged }, vec![]),
        (
            Operation::VswitchSecuritySet { vswitch: switch(), change: SecurityChange::default() },
            BOTH_GROUPS_SECURITY.to_vec(),
        ),
        (
            Operation::VswitchShapingSet { vswitch: switch(), shaping: ShapingPolicy::Off },
            vec![
                "policy shaping get @vSwitch0",
                "portgroup policy shaping get @Management Network",
                "portgroup policy shaping get @Storage",
            ],
        ),
        (
            Operation::UplinkRemove { vswitch: switch(), vmnic: nic.clone() },
            vec![
                "policy failover get @vSwitch0",
                "portgroup policy failover get @Management Network",
                "portgroup policy failover get @Storage",
                "vswitch dvs vmware list",
            ],
        ),
        (
            Operation::PortGroupAdd { port_group: group("New"), vswitch: switch() },
            vec![
                "portgroup policy failover get @New",
                "portgroup policy security get @New",
                "portgroup policy shaping get @New",
            ],
        ),
        (
            Operation::PortGroupTeamingSet {
                port_group: group("Storage"),
                reset,
                change: TeamingChange::default(),
            },
            vec!["portgroup policy failover get @Storage"],
        ),
        (
            Operation::VmkRemove { vmk: vmk("vmk1") },
            vec![
                "ip dns search list @vmotion",
                "ip dns server list @vmotion",
                "ip interface ipv6 address list",
                "ip interface ipv6 get",
                "ip interface ipv6 get @vmk1",
                "ip interface tag get @vmk1",
                "ip route ipv4 list @vmotion",
            ],
        ),
        (
            Operation::VmkTagAdd { vmk: vmk("vmk0"), tag: ServiceTag::management() },
            vec!["ip interface tag get @vmk0"],
        ),
        (Operation::NicUp { vmnic: nic }, vec!["nic get @vmnic1"]),
        (
            Operation::RouteAdd { netstack: stack, network: RouteNetwork::Default, gateway: ip },
            vec!["ip dns search list @vmotion", "ip dns server list @vmotion", "ip route ipv4 list @vmotion"],
        ),
    ];
    for (operation, expected) in table {
        assert_eq!(keys(Touched::by(&[&operation], &observed).0), expected, "{operation:?}");
    }
}

#[test]
fn what_one_plan_makes_counts_for_its_other_calls() {
    let (answers, _) = observe();
    let observed = assembled(&answers);
    let stack = NetstackName::new("vmotion").expect("a name");
    let add = Operation::VmkAdd {
        vmk: vmk("vmk7"),
        port_group: group("New"),
        netstack: Some(stack),
        mtu: None,
        mac: None,
    };
    let set = Operation::VmkSet { vmk: vmk("vmk7"), mtu: None, enabled: Some(true) };
    let touched = Touched::by(&[&set, &add], &observed);
    assert!(touched.contains(&Query::about(ReadCommand::RouteIpv4List, "vmotion")));
    let join = Operation::PortGroupAdd { port_group: group("New"), vswitch: switch() };
    let security = Operation::VswitchSecuritySet { vswitch: switch(), change: SecurityChange::default() };
    let touched = Touched::by(&[&security, &join], &observed);
    assert!(touched.contains(&Query::about(ReadCommand::PortGroupSecurityGet, "New")));
}

#[test]
fn the_way_to_the_coordinator_is_read_anew_or_not_known() {
    let (answers, _) = observe();
    let mut observed = assembled(&answers);
    let touched = Touched::management(&observed).expect("a way");
    let expected = [
        "ip interface tag get @vmk0",
        "ip route ipv4 list",
        "policy failover get @vSwitch0",
        "portgroup policy failover get @Management Network",
    ];
    assert_eq!(keys(touched.0), expected);
    for unknown in [Known::Read(None), Known::unreadable("no"), Known::Read(Some(vmk("vmk9")))] {
        observed.management_vmk = unknown;
        assert_eq!(Touched::management(&observed), None);
    }
}

#[test]
fn an_unchanged_host_is_carried_but_for_lists_errors_and_what_is_touched() {
    let (answers, _) = observe();
    let observed = assembled(&answers);
    let all = carry(&answers, &lists(&answers), &Touched::default());
    let asked: Vec<Query> = answers.keys().filter(|query| !all.contains_key(*query)).cloned().collect();
    let expected: Vec<Query> = fingerprint_queries()
        .into_iter()
        .chain([Query::all(ReadCommand::DvsList), Query::about(ReadCommand::Ipv4Get, "vmotion")])
        .collect();
    assert_eq!(keys(asked), keys(expected), "an error, and a list of a single netstack, are never carried");
    let security = Operation::VswitchSecuritySet { vswitch: switch(), change: SecurityChange::default() };
    let touched = Touched::by(&[&security], &observed);
    let some = carry(&answers, &lists(&answers), &touched);
    let dropped = all.keys().filter(|query| !some.contains_key(*query)).cloned();
    assert_eq!(keys(dropped), BOTH_GROUPS_SECURITY);
}

#[test]
fn what_the_lists_show_as_changed_is_not_carried() {
    let (answers, _) = observe();
    let all = carry(&answers, &lists(&answers), &Touched::default());
    // A list, a change of its text, and for each kind of detail how many answers are dropped.
    let table = [
        (ReadCommand::VswitchList, "Used Ports: 5", "Used Ports: 6", 0),
        (ReadCommand::VswitchList, "Network, Storage", "Network, Storage, New", 0),
        (ReadCommand::VswitchList, "vmnic1, vmnic0", "vmnic0", 3 + 2 * 3),
        (ReadCommand::VswitchList, "MTU: 1500", "MTU: 9000", 0),
        (ReadCommand::PortGroupList, " 42", " 43", 3),
        (ReadCommand::NicList, "XX:XX", "00:00", 1),
        (ReadCommand::Ipv4Get, "10.0.0.11", "10.0.0.12", 2 * 3),
        (ReadCommand::InterfaceList, "MTU: 9000", "MTU: 1500", 1 + 3 + 2 * 3),
        (ReadCommand::NetstackList, "State: 4660", "State: 1", 2 * 3),
    ];
    for (command, from, to, dropped) in table {
        let query = Query::all(command);
        let text = host(&query).expect("text").replacen(from, to, 1);
        let mut now = lists(&answers);
        now.insert(query.clone(), query.read(Formatter::Text, Some(0), &text, ""));
        let kept = carry(&answers, &now, &Touched::default());
        assert_eq!(all.len() - kept.len(), dropped, "{command:?}: {from} -> {to}");
    }
    for query in fingerprint_queries() {
        let mut now = lists(&answers);
        now.insert(query.clone(), query.read(Formatter::Text, Some(1), "Connection refused", ""));
        let kept = carry(&answers, &now, &Touched::default());
        let lost = kept.len() < all.len();
        assert_eq!(lost, query.command != ReadCommand::VmList, "{query}: unknown is never unchanged");
    }
}

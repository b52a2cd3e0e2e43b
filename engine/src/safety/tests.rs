//! The kernel, rule by rule: what passes, what does not, and why.

use super::{SafetyLimits, Violation, check_plan, check_step};
use crate::documents::parse_network;
use crate::plan::tests::world::{realise, vmk};
use crate::project::project;
use model::{
    Disruption, Known, LinkState, ObservedDvs, ObservedNetwork, Operation, Plan, Step, VmkAttachment,
};
use std::collections::BTreeSet;

const HOST: &str = "
vswitches:
  vSwitch0: {uplinks: [vmnic0, vmnic1], teaming: {uplinks: {active: [vmnic0], standby: [vmnic1]}}}
  vSwitch1: {uplinks: [vmnic2], teaming: {uplinks: {active: [vmnic2]}}}
  vSwitch2: {uplinks: []}
port_groups:
  pg 0: {vswitch: vSwitch0}
  pg 1: {vswitch: vSwitch1, vlan: 20}
  pg 2: {vswitch: vSwitch1, vlan: 30}
  pg 3: {vswitch: vSwitch0, vlan: 40}
vmkernels:
  vmk0: {port_group: pg 0, ipv4: {static: {address: 10.0.0.11/24}}, services: [Management]}
  vmk1: {port_group: pg 1, ipv4: {static: {address: 10.1.0.11/24}}, services: [VSAN]}
  vmk2: {port_group: pg 2, ipv4: {static: {address: 10.2.0.11/24}}}
netstacks:
  defaultTcpipStack: {routes: {default: 10.0.0.254}}
";

/// vmnic1 has no link; vmk0 leads to the coordinator.
fn host() -> ObservedNetwork {
    let document = parse_network("host.yaml", HOST).unwrap();
    realise(&document, [LinkState::Up, LinkState::Down, LinkState::Up, LinkState::Up]).unwrap()
}

fn operation(text: &str) -> Operation {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The host after these calls.
fn after(calls: &[&str]) -> ObservedNetwork {
    let mut state = host();
    calls.iter().for_each(|call| project(&mut state, &operation(call)).unwrap());
    state
}

fn limits() -> SafetyLimits {
    SafetyLimits { storage_vmks: BTreeSet::from([vmk(2)]) }
}

/// The sentence of the refusal, or `ok`.
fn verdict(call: &str, now: &ObservedNetwork) -> String {
    check_step(&operation(call), now, &limits())
        .map_or_else(|violation| violation.to_string(), |()| "ok".to_owned())
}

fn plan(calls: &[&str]) -> Plan {
    let step =
        |call: &&str| Step { operation: operation(call), inverse: Vec::new(), disruption: Disruption::None };
    Plan { steps: calls.iter().map(step).collect(), ..Plan::default() }
}

/// Every row: the call, and a part of the sentence (`ok` when it passes).
fn expect(now: &ObservedNetwork, rows: &[(&str, &str)]) {
    for (call, part) in rows {
        let verdict = verdict(call, now);
        assert!(verdict.contains(part), "{call}\nexpected: {part}\ngot: {verdict}");
        assert!(!verdict.contains('\n'));
    }
}

const NIC_DOWN: &str = r#"{"nic_down":{"vmnic":"vmnic0"}}"#;
const REMOVE_VMK0: &str = r#"{"vmk_remove":{"vmk":"vmk0"}}"#;
const DISABLE_VMK0: &str = r#"{"vmk_set":{"vmk":"vmk0","mtu":null,"enabled":false}}"#;
const NO_ADDRESS: &str = r#"{"vmk_ipv4_set":{"vmk":"vmk0","ipv4":"none"}}"#;
const UPLINK_REMOVE: &str = r#"{"uplink_remove":{"vswitch":"vSwitch0","vmnic":"vmnic0"}}"#;
const ROUTE_REMOVE: &str =
    r#"{"route_remove":{"netstack":"defaultTcpipStack","network":"default","gateway":"10.0.0.254"}}"#;

#[test]
fn management_is_never_certainly_cut() {
    expect(
        &host(),
        &[
            (
                NIC_DOWN,
                "management over `vmk0` would be cut: port group `pg 0` has no uplink with link on `vSwitch0`",
            ),
            (UPLINK_REMOVE, "no uplink with link"),
            (REMOVE_VMK0, "adapter `vmk0` is not there"),
            (DISABLE_VMK0, "adapter `vmk0` is disabled"),
            (NO_ADDRESS, "adapter `vmk0` has no address"),
            (
                r#"{"vswitch_teaming_set":{"vswitch":"vSwitch0","change":{"active":["vmnic1"],"standby":[]}}}"#,
                "no uplink with link",
            ),
            (
                r#"{"port_group_teaming_set":{"port_group":"pg 0","reset":"keep","change":{"active":[],"standby":[]}}}"#,
                "no uplink with link",
            ),
            // In doubt, so the confirmation decides.
            (r#"{"port_group_vlan_set":{"port_group":"pg 0","vlan":99}}"#, "ok"),
            (r#"{"vmk_ipv4_set":{"vmk":"vmk0","ipv4":{"static":{"address":"10.0.0.12/24"}}}}"#, "ok"),
            (r#"{"vmk_ipv4_set":{"vmk":"vmk0","ipv4":"dhcp"}}"#, "ok"),
            (ROUTE_REMOVE, "ok"),
            // A standby without link is not missed; other objects are not management.
            (r#"{"uplink_remove":{"vswitch":"vSwitch0","vmnic":"vmnic1"}}"#, "ok"),
            (r#"{"port_group_remove":{"port_group":"pg 3","vswitch":"vSwitch0"}}"#, "ok"),
        ],
    );
}

#[test]
fn a_second_path_lets_the_first_one_go() {
    let second = [
        r#"{"uplink_add":{"vswitch":"vSwitch2","vmnic":"vmnic3"}}"#,
        r#"{"vswitch_teaming_set":{"vswitch":"vSwitch2","change":{"active":["vmnic3"]}}}"#,
        r#"{"port_group_add":{"port_group":"pg 4","vswitch":"vSwitch2"}}"#,
        r#"{"vmk_add":{"vmk":"vmk3","port_group":"pg 4","netstack":null,"mtu":null,"mac":null}}"#,
        r#"{"vmk_ipv4_set":{"vmk":"vmk3","ipv4":{"static":{"address":"10.3.0.11/24"}}}}"#,
        r#"{"vmk_tag_add":{"vmk":"vmk3","tag":"Management"}}"#,
    ];
    let rows = [(NIC_DOWN, "ok"), (REMOVE_VMK0, "ok"), (DISABLE_VMK0, "ok"), (UPLINK_REMOVE, "ok")];
    expect(&after(&second), &rows);
    expect(&after(&second[..5]), &[(REMOVE_VMK0, "vmk0")]);
    let without_uplink = [&second[2..], &[]].concat();
    expect(&after(&without_uplink), &[(REMOVE_VMK0, "vmk0")]);
}

#[test]
fn what_is_cut_already_cannot_be_cut_and_what_is_unread_is_not_certain() {
    expect(&after(&[NIC_DOWN]), &[(REMOVE_VMK0, "ok"), (UPLINK_REMOVE, "ok")]);
    let mut unread = host();
    unread.vswitches.read_mut().unwrap().values_mut().for_each(|v| v.teaming = Known::unreadable("x"));
    unread.port_groups.read_mut().unwrap().values_mut().for_each(|g| g.teaming = Known::unreadable("x"));
    let rows = [
        (r#"{"uplink_remove":{"vswitch":"vSwitch0","vmnic":"vmnic1"}}"#, "ok"),
        (UPLINK_REMOVE, "no uplink with link"),
    ];
    expect(&unread, &rows);
    let mut unread = host();
    unread.port_groups = Known::unreadable("hostd is down");
    expect(&unread, &[(REMOVE_VMK0, "vmk0"), (UPLINK_REMOVE, "could not be read")]);
}

#[test]
fn the_default_route_of_management_is_replaced_or_stays() {
    let check = |calls: &[&str]| check_plan(&plan(calls), &host(), &limits());
    let add = r#"{"route_add":{"netstack":"defaultTcpipStack","network":"default","gateway":"10.0.0.253"}}"#;
    assert_eq!(check(&[ROUTE_REMOVE, add]), Ok(()));
    let lost = check(&[ROUTE_REMOVE]).unwrap_err();
    assert!(matches!(lost, Violation::DefaultRouteLost { .. }), "{lost}");
    assert_eq!(check(&[ROUTE_REMOVE, r#"{"vmk_ipv4_set":{"vmk":"vmk0","ipv4":"dhcp"}}"#]), Ok(()));
}

#[test]
fn storage_keeps_a_live_path() {
    expect(
        &host(),
        &[
            (
                r#"{"nic_down":{"vmnic":"vmnic2"}}"#,
                "storage over `vmk1` would be cut: port group `pg 1` has no uplink",
            ),
            (r#"{"uplink_remove":{"vswitch":"vSwitch1","vmnic":"vmnic2"}}"#, "storage over `vmk1`"),
            (r#"{"vmk_remove":{"vmk":"vmk1"}}"#, "adapter `vmk1` is not there"),
            (r#"{"vmk_remove":{"vmk":"vmk2"}}"#, "storage over `vmk2`"),
            (
                r#"{"vmk_tag_remove":{"vmk":"vmk1","tag":"VSAN"}}"#,
                "service `VSAN` would be left without a live adapter",
            ),
            (r#"{"port_group_vlan_set":{"port_group":"pg 1","vlan":99}}"#, "ok"),
        ],
    );
    let dead = after(&[]);
    let mut dead = dead;
    dead.nics.read_mut().unwrap().values_mut().for_each(|nic| nic.link = LinkState::Down);
    expect(&dead, &[(r#"{"vmk_remove":{"vmk":"vmk1"}}"#, "ok"), (r#"{"vmk_remove":{"vmk":"vmk2"}}"#, "ok")]);
    for tag in ["vsanwitness", "nvmetcp", "NVMeRDMA", "vsanExternal"] {
        let add = format!(r#"{{"vmk_tag_add":{{"vmk":"vmk2","tag":"{tag}"}}}}"#);
        let state = after(&[&add]);
        let remove =
            check_step(&operation(r#"{"vmk_remove":{"vmk":"vmk2"}}"#), &state, &SafetyLimits::default());
        assert!(matches!(remove, Err(Violation::StorageCut { .. })), "{tag}: {remove:?}");
    }
    let moved = after(&[r#"{"vmk_tag_add":{"vmk":"vmk2","tag":"VSAN"}}"#]);
    expect(&moved, &[(r#"{"vmk_tag_remove":{"vmk":"vmk1","tag":"VSAN"}}"#, "ok")]);
}

#[test]
fn distributed_switches_are_not_touched() {
    let mut now = host();
    let dvs =
        ObservedDvs { name: "DSwitch".to_owned(), uplinks: BTreeSet::from(["vmnic3".parse().unwrap()]) };
    now.dvs = Known::Read(vec![dvs]);
    let state = now.vmkernels.read_mut().unwrap().get_mut(&vmk(2)).unwrap();
    state.attachment = VmkAttachment::Distributed("DSwitch".to_owned());
    let part = "belongs to distributed switch `DSwitch`";
    expect(
        &now,
        &[
            (r#"{"uplink_add":{"vswitch":"vSwitch1","vmnic":"vmnic3"}}"#, part),
            (r#"{"nic_down":{"vmnic":"vmnic3"}}"#, part),
            (r#"{"nic_set":{"vmnic":"vmnic3","link":"auto"}}"#, part),
            (r#"{"vmk_remove":{"vmk":"vmk2"}}"#, part),
            (r#"{"vmk_set":{"vmk":"vmk2","mtu":9000,"enabled":null}}"#, part),
            (r#"{"vmk_tag_add":{"vmk":"vmk2","tag":"VMotion"}}"#, part),
            (r#"{"vmk_set":{"vmk":"vmk1","mtu":9000,"enabled":null}}"#, "ok"),
        ],
    );
}

#[test]
fn a_step_outside_the_world_of_the_host_is_refused() {
    expect(
        &host(),
        &[
            (
                r#"{"vswitch_remove":{"vswitch":"vSwitch9"}}"#,
                "the step does not fit this host: Vswitch `vSwitch9` does not exist",
            ),
            (r#"{"port_group_vlan_set":{"port_group":"pg 9","vlan":9}}"#, "`pg 9` does not exist"),
            (r#"{"port_group_add":{"port_group":"pg 0","vswitch":"vSwitch1"}}"#, "already exists"),
            (r#"{"vswitch_remove":{"vswitch":"vSwitch0"}}"#, "in use"),
            (r#"{"vswitch_set":{"vswitch":"vSwitch0","mtu":null,"cdp":null}}"#, "it sets nothing"),
            (r#"{"vmk_set":{"vmk":"vmk1","mtu":null,"enabled":null}}"#, "it sets nothing"),
            (r#"{"netstack_remove":{"netstack":"defaultTcpipStack"}}"#, "belongs to the system"),
            (
                r#"{"vswitch_teaming_set":{"vswitch":"vSwitch0","change":{"active":["vmnic0","vmnic3"]}}}"#,
                "no such uplink",
            ),
            (
                r#"{"vswitch_teaming_set":{"vswitch":"vSwitch0","change":{"active":["vmnic0","vmnic0"]}}}"#,
                "names it twice",
            ),
            (r#"{"port_group_remove":{"port_group":"pg 3","vswitch":"vSwitch1"}}"#, "it is on `vSwitch0`"),
            (r#"{"port_group_add":{"port_group":"pg 4","vswitch":"vSwitch1"}}"#, "ok"),
        ],
    );
    let unknown = r#"{"vswitch_rename":{"vswitch":"vSwitch0"}}"#;
    assert!(serde_json::from_str::<Operation>(unknown).is_err());
}

#[test]
fn a_plan_is_checked_in_every_state_between() {
    let join = r#"{"uplink_add":{"vswitch":"vSwitch0","vmnic":"vmnic3"}}"#;
    let order =
        r#"{"vswitch_teaming_set":{"vswitch":"vSwitch0","change":{"active":["vmnic3"],"standby":[]}}}"#;
    let check = |calls: &[&str]| check_plan(&plan(calls), &host(), &limits());
    assert_eq!(check(&[join, order, UPLINK_REMOVE]), Ok(()));
    let early = check(&[UPLINK_REMOVE, join, order]).unwrap_err();
    assert!(matches!(early, Violation::ManagementCut { .. }), "{early}");
    assert!(matches!(check(&[order, join]), Err(Violation::Senseless { .. })));
    assert!(matches!(check(&[join, join]), Err(Violation::OutOfPlace(_))));
}

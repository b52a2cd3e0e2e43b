//! Which probes a plan calls for, and which links count as lost.

use super::*;
use model::{Disruption, Ipv4Config, NetstackName, PortGroupName, Step, Vlan, VswitchName};

/// Management on vmk0 (gateway 10.10.0.1), vMotion on vmk1 with its own gateway and 9000 bytes, storage on vmk2
/// without a gateway in its subnet.
fn host() -> ObservedNetwork {
    let group = |vswitch: &str, vlan: u16| {
        let unread = || serde_json::json!({"unreadable": {"reason": "not asked"}});
        serde_json::json!({"vswitch": vswitch, "vlan": {"read": vlan}, "teaming": unread(), "security": unread(),
            "shaping": unread()})
    };
    let vswitch = |uplinks: &[&str]| {
        let unread = || serde_json::json!({"unreadable": {"reason": "not asked"}});
        serde_json::json!({"mtu": {"read": 9000}, "cdp": {"read": "listen"}, "uplinks": {"read": uplinks},
            "teaming": unread(), "security": unread(), "shaping": unread()})
    };
    let vmk = |group: &str, stack: &str, mtu: u16, ipv4: serde_json::Value| {
        serde_json::json!({"attachment": {"port_group": group}, "netstack": stack, "enabled": true,
            "mac": {"unreadable": {"reason": "not asked"}}, "mtu": {"read": mtu}, "ipv4": {"read": ipv4},
            "ipv6": {"read": {"dhcp": false, "router_advertisements": false}}, "services": {"read": []}})
    };
    let fixed = |address: &str, gateway: Option<&str>| serde_json::json!({"static": {"address": address, "gateway": gateway}});
    let nic = || {
        serde_json::json!({"mac": {"unreadable": {"reason": "not asked"}}, "admin": {"read": "up"}, "link": "up",
            "duplex": "full", "auto_negotiation": {"read": true}})
    };
    let stack = |gateway: Option<&str>| {
        let routes: Vec<_> = gateway
            .map(|gateway| serde_json::json!({"network": "default", "gateway": gateway, "vmk": null}))
            .into_iter()
            .collect();
        serde_json::json!({"routes": {"read": routes}, "dns_servers": {"read": []}, "dns_search": {"read": []}})
    };
    serde_json::from_value(serde_json::json!({
        "taken_at": 0, "facts": {}, "management_vmk": {"read": "vmk0"},
        "vswitches": {"read": {"vSwitch0": vswitch(&["vmnic0"]), "vSwitch1": vswitch(&["vmnic1"])}},
        "port_groups": {"read": {"mgmt": group("vSwitch0", 10), "vmotion": group("vSwitch1", 20),
            "storage": group("vSwitch1", 30)}},
        "vmkernels": {"read": {
            "vmk0": vmk("mgmt", "defaultTcpipStack", 1500, fixed("10.10.1.1/16", None)),
            "vmk1": vmk("vmotion", "defaultTcpipStack", 9000, fixed("10.20.1.1/16", Some("10.20.0.1"))),
            "vmk2": vmk("storage", "defaultTcpipStack", 9000, fixed("10.30.1.1/16", None))}},
        "nics": {"read": {"vmnic0": nic(), "vmnic1": nic(), "vmnic2": nic()}},
        "netstacks": {"read": {"defaultTcpipStack": stack(Some("10.10.0.1"))}},
        "vms": {"read": []}, "dvs": {"read": []}}))
    .unwrap()
}

fn plan(operations: Vec<Operation>) -> Plan {
    let step = |operation| Step { operation, inverse: Vec::new(), disruption: Disruption::None };
    Plan { steps: operations.into_iter().map(step).collect(), ..Plan::default() }
}

fn vmk(name: &str) -> VmkName {
    VmkName::new(name).unwrap()
}

fn group(name: &str) -> PortGroupName {
    PortGroupName::new(name).unwrap()
}

fn told(probes: &[Probe]) -> Vec<String> {
    let size = |probe: &Probe| probe.size.map(|size| format!(" {size}")).unwrap_or_default();
    probes.iter().map(|probe| format!("{} {}{}", probe.name, probe.target, size(probe))).collect()
}

const MANAGEMENT: &str = "gateway of vmk0 10.10.0.1";
const VMOTION: [&str; 2] = ["gateway of vmk1 10.20.0.1", "path MTU of vmk1 10.20.0.1 8972"];

#[test]
fn touched_adapters_are_probed_by_whatever_touches_them() {
    let vswitch1 = VswitchName::new("vSwitch1").unwrap();
    let vmnic = |name: &str| VmnicName::new(name).unwrap();
    let default = NetstackName::default_stack();
    let vlan = Vlan::Tagged(model::VlanId::new(21).unwrap());
    let table: Vec<(&str, Operation, &[&str])> = vec![
        (
            "nothing of an adapter",
            Operation::PortGroupAdd {
                port_group: group("web"),
                vswitch: VswitchName::new("vSwitch0").unwrap(),
            },
            &[],
        ),
        ("its port group", Operation::PortGroupVlanSet { port_group: group("vmotion"), vlan }, &VMOTION),
        ("another port group", Operation::PortGroupVlanSet { port_group: group("storage"), vlan }, &[]),
        (
            "its switch",
            Operation::VswitchSet {
                vswitch: vswitch1.clone(),
                mtu: Some(Mtu::new(9100).unwrap()),
                cdp: None,
            },
            &VMOTION,
        ),
        (
            "an uplink of its switch",
            Operation::NicSet { vmnic: vmnic("vmnic1"), link: model::NicLink::Auto },
            &VMOTION,
        ),
        (
            "a new uplink of its switch",
            Operation::UplinkAdd { vswitch: vswitch1, vmnic: vmnic("vmnic2") },
            &VMOTION,
        ),
        ("an uplink of another switch", Operation::NicDown { vmnic: vmnic("vmnic0") }, &[]),
        (
            "its netstack",
            Operation::DnsSearchAdd { netstack: default, domain: "example.net".to_owned() },
            &VMOTION,
        ),
        (
            "itself",
            Operation::VmkTagAdd { vmk: vmk("vmk1"), tag: model::ServiceTag::new("vmotion") },
            &VMOTION,
        ),
    ];
    for (what, operation, of_vmotion) in table {
        let expected: Vec<&str> = [MANAGEMENT].into_iter().chain(of_vmotion.iter().copied()).collect();
        assert_eq!(told(&probes(&host(), &plan(vec![operation]))), expected, "{what}");
    }
}

#[test]
fn targets_are_those_of_the_state_after() {
    let usual = Operation::VmkSet { vmk: vmk("vmk1"), mtu: Some(Mtu::new(1500).unwrap()), enabled: None };
    assert_eq!(
        told(&probes(&host(), &plan(vec![usual]))),
        [MANAGEMENT, VMOTION[0]],
        "no long frames any more"
    );
    let moved = |address: &str, gateway: Option<&str>| Operation::VmkIpv4Set {
        vmk: vmk("vmk1"),
        ipv4: Ipv4Config::Static {
            address: address.parse().unwrap(),
            gateway: gateway.map(|gateway| gateway.parse().unwrap()),
        },
    };
    let elsewhere = plan(vec![moved("10.40.1.1/16", Some("10.40.0.1"))]);
    let found = told(&probes(&host(), &elsewhere));
    assert_eq!(found, [MANAGEMENT, "gateway of vmk1 10.40.0.1", "path MTU of vmk1 10.40.0.1 8972"]);
    let alone = plan(vec![moved("10.40.1.1/16", Some("10.20.0.1"))]);
    assert_eq!(told(&probes(&host(), &alone)), [MANAGEMENT], "a gateway outside of the subnet is none");
    let off = plan(vec![Operation::VmkSet { vmk: vmk("vmk1"), mtu: None, enabled: Some(false) }]);
    assert_eq!(told(&probes(&host(), &off)), [MANAGEMENT]);
    let gone = plan(vec![Operation::VmkRemove { vmk: vmk("vmk1") }]);
    assert_eq!(told(&probes(&host(), &gone)), [MANAGEMENT]);
    assert!(touched_vmks(&host(), &gone).contains(&vmk("vmk1")));
}

#[test]
fn an_unreadable_host_has_no_probes() {
    let mut host = host();
    host.vmkernels = Known::unreadable("no answer");
    assert_eq!(probes(&host, &plan(Vec::new())), Vec::new());
}

fn nic<'a>(host: &'a mut ObservedNetwork, name: &str) -> &'a mut model::ObservedNic {
    host.nics.read_mut().unwrap().get_mut(&VmnicName::new(name).unwrap()).unwrap()
}

#[test]
fn a_lost_link_is_one_that_was_up_and_is_used() {
    let before = host();
    let lost = |after: &ObservedNetwork| {
        lost_links(&before, after).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(lost(&before), Vec::<String>::new());
    let mut after = host();
    nic(&mut after, "vmnic1").link = LinkState::Down;
    nic(&mut after, "vmnic2").link = LinkState::Down;
    assert_eq!(lost(&after), ["vmnic1"], "vmnic2 is no uplink");
    nic(&mut after, "vmnic1").admin = Known::Read(LinkState::Down);
    assert_eq!(lost(&after), Vec::<String>::new(), "taken down on the host is not lost");
    after.nics = Known::unreadable("no answer");
    assert_eq!(lost(&after), ["vmnic0", "vmnic1"], "unknown is not up");
    let mut gone = host();
    gone.nics.read_mut().unwrap().remove(&VmnicName::new("vmnic0").unwrap());
    assert_eq!(lost(&gone), ["vmnic0"]);
    let mut was_down = host();
    nic(&mut was_down, "vmnic0").link = LinkState::Down;
    assert_eq!(lost_links(&was_down, &was_down), Vec::<VmnicName>::new());
}

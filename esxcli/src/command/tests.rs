//! Tests of every write call.

use super::argv;
use crate::argv::{ArgvError, display};
use model::{
    CdpStatus, Duplex, FailureDetection, Ipv4Config, LoadBalancing, Mtu, NetstackName, NicLink, Operation,
    PolicyReset, PortGroupName, SecurityChange, ServiceTag, ShapingPolicy, ShapingRate, TeamingChange, Vlan,
    VmkIpv6Change, VmkName, VmnicName, VswitchName,
};

fn line(operation: &Operation) -> String {
    display(&argv(operation).expect("a command line"))
}

fn vs() -> VswitchName {
    VswitchName::new("vSwitch1").expect("a name")
}

fn pg() -> PortGroupName {
    PortGroupName::new("VM Network (1)").expect("a name")
}

fn vmk() -> VmkName {
    VmkName::new("vmk1").expect("a name")
}

fn nic(n: u8) -> VmnicName {
    VmnicName::new(format!("vmnic{n}")).expect("a name")
}

fn stack(name: &str) -> NetstackName {
    NetstackName::new(name).expect("a name")
}

fn vlan(number: u64) -> Vlan {
    Vlan::try_from(number).expect("a VLAN")
}

const RATE: ShapingRate = ShapingRate { average_kbps: 1000, peak_kbps: 2000, burst_kib: 512 };

#[test]
fn switch_calls() {
    let mtu = Mtu::new(9000).ok();
    let teaming = TeamingChange {
        load_balancing: Some(LoadBalancing::SourceMac),
        failure_detection: Some(FailureDetection::Link),
        notify_switches: Some(true),
        failback: Some(false),
        active: Some(vec![nic(1), nic(2)]),
        standby: Some(vec![]),
    };
    let security = SecurityChange { allow_promiscuous: Some(true), ..SecurityChange::default() };
    for (operation, expected) in [
        (Operation::VswitchAdd { vswitch: vs() }, "add --vswitch-name=vSwitch1"),
        (Operation::VswitchRemove { vswitch: vs() }, "remove --vswitch-name=vSwitch1"),
        (
            Operation::VswitchSet { vswitch: vs(), mtu, cdp: Some(CdpStatus::Both) },
            "set --vswitch-name=vSwitch1 --mtu=9000 --cdp-status=both",
        ),
        (
            Operation::UplinkAdd { vswitch: vs(), vmnic: nic(3) },
            "uplink add --vswitch-name=vSwitch1 --uplink-name=vmnic3",
        ),
        (
            Operation::UplinkRemove { vswitch: vs(), vmnic: nic(3) },
            "uplink remove --vswitch-name=vSwitch1 --uplink-name=vmnic3",
        ),
        (
            Operation::VswitchTeamingSet { vswitch: vs(), change: teaming },
            "policy failover set --vswitch-name=vSwitch1 --active-uplinks=vmnic1,vmnic2 --standby-uplinks '' \
             --failback=false --failure-detection=link --load-balancing=mac --notify-switches=true",
        ),
        (
            Operation::VswitchSecuritySet { vswitch: vs(), change: security },
            "policy security set --vswitch-name=vSwitch1 --allow-promiscuous=true",
        ),
        (
            Operation::VswitchShapingSet { vswitch: vs(), shaping: ShapingPolicy::Off },
            "policy shaping set --vswitch-name=vSwitch1 --enabled=false",
        ),
        (
            Operation::VswitchShapingSet { vswitch: vs(), shaping: ShapingPolicy::On(RATE) },
            "policy shaping set --vswitch-name=vSwitch1 --enabled=true --avg-bandwidth=1000 --peak-bandwidth=2000 \
             --burst-size=512",
        ),
    ] {
        assert_eq!(line(&operation), format!("esxcli network vswitch standard {expected}"));
    }
}

#[test]
fn port_group_calls() {
    let keep = PolicyReset::Keep;
    let inherit = PolicyReset::InheritAll;
    let active = TeamingChange { active: Some(vec![nic(0)]), ..TeamingChange::default() };
    let security = SecurityChange { allow_mac_change: Some(false), ..SecurityChange::default() };
    for (operation, expected) in [
        (Operation::PortGroupAdd { port_group: pg(), vswitch: vs() }, "add {} --vswitch-name=vSwitch1"),
        (Operation::PortGroupRemove { port_group: pg(), vswitch: vs() }, "remove {} --vswitch-name=vSwitch1"),
        (Operation::PortGroupVlanSet { port_group: pg(), vlan: vlan(4095) }, "set {} --vlan-id=4095"),
        (
            Operation::PortGroupTeamingSet { port_group: pg(), reset: keep, change: active },
            "policy failover set {} --active-uplinks=vmnic0",
        ),
        (
            Operation::PortGroupTeamingSet {
                port_group: pg(),
                reset: inherit,
                change: TeamingChange::default(),
            },
            "policy failover set {} --use-vswitch",
        ),
        (
            Operation::PortGroupSecuritySet { port_group: pg(), reset: inherit, change: security },
            "policy security set {} --use-vswitch --allow-mac-change=false",
        ),
        (
            Operation::PortGroupShapingSet { port_group: pg(), reset: inherit, change: None },
            "policy shaping set {} --use-vswitch",
        ),
        (
            Operation::PortGroupShapingSet {
                port_group: pg(),
                reset: keep,
                change: Some(ShapingPolicy::Off),
            },
            "policy shaping set {} --enabled=false",
        ),
    ] {
        let expected = expected.replace("{}", "--portgroup-name='VM Network (1)'");
        assert_eq!(line(&operation), format!("esxcli network vswitch standard portgroup {expected}"));
    }
}

#[test]
fn adapter_calls() {
    let add = |netstack, mtu, mac| Operation::VmkAdd { vmk: vmk(), port_group: pg(), netstack, mtu, mac };
    let fixed =
        |gateway| Ipv4Config::Static { address: "10.0.0.11/22".parse().expect("an address"), gateway };
    let ipv6 = VmkIpv6Change { dhcp: Some(false), router_advertisements: Some(true) };
    for (operation, expected) in [
        (add(None, None, None), "add --interface-name=vmk1 --portgroup-name='VM Network (1)'"),
        (
            add(Some(stack("defaultTcpipStack")), None, None),
            "add --interface-name=vmk1 --portgroup-name='VM Network (1)'",
        ),
        (
            add(Some(stack("vmotion")), Mtu::new(9000).ok(), "00:50:56:0A:0B:0C".parse().ok()),
            "add --interface-name=vmk1 --portgroup-name='VM Network (1)' --mtu=9000 --mac-address=00:50:56:0a:0b:0c \
             --netstack=vmotion",
        ),
        (Operation::VmkRemove { vmk: vmk() }, "remove --interface-name=vmk1"),
        (
            Operation::VmkSet { vmk: vmk(), mtu: Mtu::new(1500).ok(), enabled: Some(true) },
            "set --interface-name=vmk1 --enabled=true --mtu=1500",
        ),
        (
            Operation::VmkIpv4Set { vmk: vmk(), ipv4: Ipv4Config::None },
            "ipv4 set --interface-name=vmk1 --type=none",
        ),
        (
            Operation::VmkIpv4Set { vmk: vmk(), ipv4: Ipv4Config::Dhcp },
            "ipv4 set --interface-name=vmk1 --type=dhcp",
        ),
        (
            Operation::VmkIpv4Set { vmk: vmk(), ipv4: fixed("10.0.0.1".parse().ok()) },
            "ipv4 set --interface-name=vmk1 --type=static --ipv4=10.0.0.11 --netmask=255.255.252.0 --gateway=10.0.0.1",
        ),
        (
            Operation::VmkIpv6Set { vmk: vmk(), change: ipv6 },
            "ipv6 set --interface-name=vmk1 --enable-dhcpv6=false --enable-router-adv=true",
        ),
        (
            Operation::VmkIpv6AddressAdd {
                vmk: vmk(),
                address: "2001:db8::1/64".parse().expect("an address"),
            },
            "ipv6 address add --interface-name=vmk1 --ipv6=2001:db8::1/64",
        ),
        (
            Operation::VmkIpv6AddressRemove {
                vmk: vmk(),
                address: "2001:db8::1/64".parse().expect("an address"),
            },
            "ipv6 address remove --interface-name=vmk1 --ipv6=2001:db8::1/64",
        ),
        (
            Operation::VmkTagAdd { vmk: vmk(), tag: ServiceTag::new("vmotion") },
            "tag add --interface-name=vmk1 --tagname=VMotion",
        ),
        (
            Operation::VmkTagRemove { vmk: vmk(), tag: ServiceTag::management() },
            "tag remove --interface-name=vmk1 --tagname=Management",
        ),
    ] {
        assert_eq!(line(&operation), format!("esxcli network ip interface {expected}"));
    }
}

#[test]
fn nic_and_netstack_calls() {
    let fixed = NicLink::Fixed { speed_mbps: 1000, duplex: Duplex::Full };
    let default = || stack("defaultTcpipStack");
    let net = "10.9.0.0/16".parse().expect("a network");
    let gw = "10.0.0.1".parse().expect("an address");
    let dns = "10.0.0.53".parse().expect("an address");
    for (operation, expected) in [
        (Operation::NicUp { vmnic: nic(0) }, "nic up --nic-name=vmnic0"),
        (Operation::NicDown { vmnic: nic(0) }, "nic down --nic-name=vmnic0"),
        (Operation::NicSet { vmnic: nic(0), link: NicLink::Auto }, "nic set --nic-name=vmnic0 --auto"),
        (
            Operation::NicSet { vmnic: nic(0), link: fixed },
            "nic set --nic-name=vmnic0 --speed=1000 --duplex=full",
        ),
        (Operation::NetstackAdd { netstack: stack("vmotion") }, "ip netstack add --netstack=vmotion"),
        (Operation::NetstackRemove { netstack: stack("vmotion") }, "ip netstack remove --netstack=vmotion"),
        (
            Operation::RouteAdd {
                netstack: default(),
                network: "default".parse().expect("a route"),
                gateway: gw,
            },
            "ip route ipv4 add --network=default --gateway=10.0.0.1",
        ),
        (
            Operation::RouteRemove { netstack: stack("vmotion"), network: net, gateway: gw },
            "ip route ipv4 remove --network=10.9.0.0/16 --gateway=10.0.0.1 --netstack=vmotion",
        ),
        (
            Operation::DnsServerAdd { netstack: default(), server: dns },
            "ip dns server add --server=10.0.0.53",
        ),
        (
            Operation::DnsServerRemove { netstack: default(), server: dns },
            "ip dns server remove --server=10.0.0.53",
        ),
        (
            Operation::DnsSearchAdd { netstack: default(), domain: "lab.example".to_owned() },
            "ip dns search add --domain=lab.example",
        ),
        (
            Operation::DnsSearchRemove { netstack: stack("vmotion"), domain: "lab.example".to_owned() },
            "ip dns search remove --domain=lab.example --netstack=vmotion",
        ),
    ] {
        assert_eq!(line(&operation), format!("esxcli network {expected}"));
    }
}

#[test]
fn what_esxcli_cannot_take_is_refused() {
    let domain = |domain: &str| Operation::DnsSearchAdd {
        netstack: stack("defaultTcpipStack"),
        domain: domain.to_owned(),
    };
    assert!(matches!(argv(&domain("-x")), Err(ArgvError::LeadingDash { .. })));
    assert!(matches!(argv(&domain("")), Err(ArgvError::Missing { .. })));
    assert!(matches!(argv(&domain("a\nb")), Err(ArgvError::ControlCharacter { .. })));
    let nothing = Operation::VswitchSet { vswitch: vs(), mtu: None, cdp: None };
    let error = argv(&nothing).expect_err("nothing to set").to_string();
    assert_eq!(error, "`esxcli network vswitch standard set` for `vSwitch1` has nothing to set");
}

#[test]
fn lines_for_people_are_quoted_for_a_shell() {
    let line = |name: &str| {
        let port_group = PortGroupName::new(name).expect("a name");
        display(&argv(&Operation::PortGroupVlanSet { port_group, vlan: vlan(0) }).expect("argv"))
    };
    let prefix = "esxcli network vswitch standard portgroup set";
    assert_eq!(line("it's $HOME"), format!("{prefix} --portgroup-name='it'\\''s $HOME' --vlan-id=0"));
    assert_eq!(line("a=b"), format!("{prefix} --portgroup-name a=b --vlan-id=0"));
}

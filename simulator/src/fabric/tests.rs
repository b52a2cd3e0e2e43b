//! Which changes cut a host off, and which do not.

use super::*;
use crate::fleet::{FleetRequest, make_host};
use crate::host::Host;

fn host() -> Host {
    make_host(&FleetRequest { count: 1, group: "lab".into(), version: "8.0".into() }, 1)
}

fn run(host: &mut Host, line: &str) {
    let output = host.run(&line.split(' ').collect::<Vec<_>>());
    assert_eq!(output.exit_code, 0, "{line}: {}", output.stdout);
}

fn cut(host: &Host) -> Option<String> {
    match management_reachable(host, &host.fabric) {
        Reach::Ok => None,
        Reach::Cut { reason } => Some(reason),
    }
}

fn port<'a>(host: &'a mut Host, nic: &str) -> &'a mut Port {
    host.fabric.ports.get_mut(nic).unwrap()
}

fn set_vlan(host: &mut Host, vlan: u16) {
    host.running.port_groups.iter_mut().find(|group| group.name == "Management Network").unwrap().vlan = vlan;
}

#[test]
fn a_wrong_vlan_cuts_the_host_off() {
    let mut host = host();
    assert_eq!(cut(&host), None);
    set_vlan(&mut host, 11);
    assert!(cut(&host).unwrap().contains("carries VLAN 11"));
    set_vlan(&mut host, 20);
    assert!(cut(&host).unwrap().contains("VLAN 20 is 10.20.0.0/16"));
    set_vlan(&mut host, 0);
    assert!(cut(&host).unwrap().contains("VLAN 1 is"), "untagged frames land in the native VLAN");
    for nic in ["vmnic0", "vmnic1"] {
        port(&mut host, nic).mode = PortMode::Access(10);
    }
    assert_eq!(cut(&host), None, "an access port takes untagged frames");
    set_vlan(&mut host, 10);
    assert!(cut(&host).is_some(), "an access port drops tagged frames");
}

#[test]
fn standby_takes_over_only_without_link() {
    let mut host = host();
    port(&mut host, "vmnic0").link_up = false;
    assert_eq!(cut(&host), None);
    run(&mut host, "network nic down -n vmnic1");
    assert!(cut(&host).unwrap().contains("no active or standby uplink"));
    run(&mut host, "network nic up -n vmnic1");
    port(&mut host, "vmnic0").link_up = true;
    port(&mut host, "vmnic0").mode = PortMode::Access(99);
    assert!(cut(&host).is_some(), "link detection does not see a wrong VLAN, so standby does not help");
    run(&mut host, "network vswitch standard policy failover set -v vSwitch0 -a vmnic1 -s vmnic0");
    assert_eq!(cut(&host), None);
}

#[test]
fn unused_uplinks_carry_nothing() {
    let mut host = host();
    let empty = ["--active-uplinks", "", "--standby-uplinks", "vmnic1"];
    let words: Vec<&str> = "network vswitch standard portgroup policy failover set -p".split(' ').collect();
    let output = host.run(&[&words[..], &["Management Network"], &empty].concat());
    assert_eq!(output.exit_code, 0, "{}", output.stdout);
    assert_eq!(cut(&host), None);
    run(&mut host, "network vswitch standard uplink remove -u vmnic1 -v vSwitch0");
    assert!(cut(&host).is_some());
    run(&mut host, "network vswitch standard uplink add -u vmnic1 -v vSwitch0");
    assert!(cut(&host).is_some(), "the new uplink is unused");
}

#[test]
fn addresses_and_adapters_matter() {
    let mut host = host();
    run(&mut host, "network ip interface set -i vmk0 -e false");
    assert!(cut(&host).is_some());
    run(&mut host, "network ip interface set -i vmk0 -e true");
    run(&mut host, "network ip interface ipv4 set -i vmk0 -t static -I 10.11.1.1 -N 255.255.0.0");
    assert!(cut(&host).is_some());
    run(&mut host, "network ip interface ipv4 set -i vmk0 -t static -I 10.10.7.7 -N 255.255.0.0");
    assert_eq!(cut(&host), None);
    run(&mut host, "network ip interface remove -i vmk0");
    assert!(cut(&host).unwrap().contains("no route"));
}

#[test]
fn a_routed_coordinator_needs_the_right_gateway() {
    let mut host = host();
    host.fabric.coordinator = Some(Ipv4Addr::new(10, 50, 0, 9));
    assert_eq!(cut(&host), None);
    run(&mut host, "network ip route ipv4 remove -n default -g 10.10.0.1");
    assert!(cut(&host).unwrap().contains("no route"));
    run(&mut host, "network ip route ipv4 add -n default -g 10.10.0.2");
    assert!(cut(&host).unwrap().contains("no router at 10.10.0.2"));
}

#[test]
fn pings_need_room_on_the_whole_path() {
    let mut host = host();
    let ping =
        |size, fragment| Ping { vmk: "vmk1".into(), target: Ipv4Addr::new(10, 20, 9, 9), size, fragment };
    let lost = |host: &Host, ping: &Ping| can_ping(host, &host.fabric, ping) != Reach::Ok;
    assert!(!lost(&host, &ping(1472, Fragment::Never)));
    assert!(lost(&host, &ping(1473, Fragment::Never)));
    assert!(!lost(&host, &ping(8972, Fragment::Allowed)), "fragments of 1500 bytes pass");
    run(&mut host, "network ip interface set -i vmk1 -m 9000");
    assert!(
        lost(&host, &ping(8972, Fragment::Allowed)),
        "fragments of 9000 bytes do not pass a switch of 1500"
    );
    run(&mut host, "network vswitch standard set -v vSwitch1 -m 9000");
    assert!(!lost(&host, &ping(8972, Fragment::Never)));
    port(&mut host, "vmnic3").mtu = 1500;
    assert!(lost(&host, &ping(8972, Fragment::Never)), "vMotion runs on vmnic3 alone");
    host.fabric.silent.insert(Ipv4Addr::new(10, 20, 9, 9));
    assert!(lost(&host, &ping(56, Fragment::Allowed)));
}

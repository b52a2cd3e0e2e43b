//! Boots, saved configuration and release differences.

use crate::fleet::{FleetRequest, make_host};
use crate::host::{Host, Release};

fn host(version: &str) -> Host {
    make_host(&FleetRequest { count: 1, group: "lab".into(), version: version.into() }, 1)
}

#[test]
fn a_reboot_goes_back_to_the_last_auto_backup() {
    let mut host = host("8.0");
    let before = host.boot.id.clone();
    let vlan = |host: &Host| host.running.port_group("app-web").unwrap().vlan;
    host.run(&["network", "vswitch", "standard", "portgroup", "set", "-p", "app-web", "-v", "150"]);
    host.auto_backup();
    host.run(&["network", "vswitch", "standard", "portgroup", "set", "-p", "app-web", "-v", "160"]);
    host.run(&["network", "nic", "down", "-n", "vmnic1"]);
    assert_eq!(vlan(&host), 160);
    host.reboot();
    assert_eq!(vlan(&host), 150);
    assert!(host.link_up("vmnic1"), "admin state is not kept over a boot");
    assert_ne!(host.boot.id, before);
}

#[test]
fn link_needs_cable_and_admin_state() {
    let mut host = host("8.0");
    assert!(host.link_up("vmnic0"));
    host.fabric.ports.get_mut("vmnic0").unwrap().link_up = false;
    assert!(!host.link_up("vmnic0"));
    host.fabric.ports.remove("vmnic0");
    assert!(host.link_up("vmnic0"), "without a fabric port the NIC's own state counts");
    assert!(!host.link_up("vmnic9"));
}

#[test]
fn releases_differ_in_new_switch_security_and_mtu() {
    assert_eq!(host("6.7").facts.release(), Release(6, 7));
    assert!(host("6.7").new_switch_security().forged);
    assert!(!host("7.0").new_switch_security().forged);
    assert_eq!(host("7.0").running.mtu_max, 9000);
    assert_eq!(host("9.0").running.mtu_max, 9190);
}

#[test]
fn state_survives_the_file_format() {
    let host = host("8.0");
    let mut read: Host = serde_json::from_slice(&serde_json::to_vec(&host).unwrap()).unwrap();
    read.fabric = host.fabric.clone();
    assert_eq!(read, host);
}

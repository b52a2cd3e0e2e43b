//! Kernel semantics of the simulated host, object by object.

use super::*;
use crate::fleet::{FleetRequest, make_host};
use std::net::Ipv4Addr;

fn lab() -> Network {
    make_host(&FleetRequest { count: 1, group: "lab".into(), version: "8.0".into() }, 1).running
}

fn closed() -> Security {
    Security { promiscuous: false, mac_change: false, forged: false }
}

#[test]
fn a_new_switch_is_empty_and_its_name_is_taken() {
    let mut network = lab();
    network.add_vswitch("vSwitch9", Some(1024), closed()).unwrap();
    let switch = network.vswitch("vSwitch9").unwrap();
    assert_eq!((switch.mtu, switch.ports, switch.cdp, switch.uplinks.len()), (1500, 1024, Cdp::Listen, 0));
    assert_eq!(network.add_vswitch("vSwitch9", None, closed()), Err(Fault::SwitchExists));
    assert_eq!(network.add_vswitch(&"x".repeat(33), None, closed()), Err(Fault::BadParameter));
    assert_eq!(network.add_vswitch("y", Some(5000), closed()), Err(Fault::BadParameter));
}

#[test]
fn mtu_is_checked_against_kernel_and_driver() {
    let mut network = lab();
    network.set_vswitch("vSwitch1", Some(9000), None).unwrap();
    assert_eq!(network.set_vswitch("vSwitch1", Some(1279), None), Err(Fault::BadParameter));
    assert_eq!(network.set_vswitch("vSwitch1", Some(9191), None), Err(Fault::BadParameter));
    network.nics.get_mut("vmnic0").unwrap().max_mtu = 4000;
    assert_eq!(network.set_vswitch("vSwitch0", Some(9000), None), Err(Fault::BadParameter));
    assert_eq!(network.set_vswitch("nope", Some(1500), None), Err(Fault::SysinfoNotFound));
}

#[test]
fn a_new_uplink_is_unused_until_the_policy_names_it() {
    let mut network = lab();
    network.remove_uplink("vSwitch0", "vmnic1").unwrap();
    network.add_uplink("vSwitch0", "vmnic1").unwrap();
    let switch = network.vswitch("vSwitch0").unwrap().clone();
    assert_eq!(switch.failover.order.active, ["vmnic0"]);
    assert!(switch.failover.order.standby.is_empty());
    assert_eq!(switch.failover.order.unused(&switch.uplinks), ["vmnic1"]);
}

#[test]
fn uplink_refusals_have_the_catalogue_texts() {
    let mut network = lab();
    let text = |fault: Result<(), Fault>| fault.unwrap_err().to_string();
    assert_eq!(text(network.add_uplink("vSwitch0", "vmnic2")), "Uplink already exists: vmnic2");
    assert!(text(network.add_uplink("vSwitch0", "vmnic9")).starts_with("Not a valid pnic"));
    assert_eq!(text(network.remove_uplink("vSwitch0", "vmnic2")), "No such uplink: vmnic2");
}

#[test]
fn removing_an_uplink_takes_it_out_of_every_order() {
    let mut network = lab();
    network.remove_uplink("vSwitch1", "vmnic3").unwrap();
    assert_eq!(network.vswitch("vSwitch1").unwrap().failover.order.active, ["vmnic2"]);
    let order = network.port_group("vMotion").unwrap().failover.order.clone().unwrap();
    assert!(order.active.is_empty());
    assert_eq!(order.standby, ["vmnic2"]);
}

#[test]
fn a_switch_takes_its_port_groups_along_unless_one_is_in_use() {
    let mut network = lab();
    assert_eq!(network.remove_vswitch("vSwitch1", &[]), Err(Fault::InUse("vSwitch1".into())));
    network.remove_vmk("vmk1").unwrap();
    assert_eq!(network.remove_vswitch("vSwitch1", &["app-db".into()]), Err(Fault::InUse("vSwitch1".into())));
    network.remove_vswitch("vSwitch1", &[]).unwrap();
    assert!(network.port_group("app-db").is_none());
    assert!(network.port_group("VM Network").is_some());
}

#[test]
fn port_group_names_are_unique_per_host() {
    let mut network = lab();
    let fault = network.add_port_group("app-web", "vSwitch0").unwrap_err();
    assert_eq!(fault.to_string(), "A portgroup with the name app-web already exists");
    assert_eq!(network.add_port_group("new", "nope"), Err(Fault::SysinfoNotFound));
    assert_eq!(network.remove_port_group("app-web", "vSwitch0", &[]), Err(Fault::SysinfoNotFound));
    assert_eq!(network.remove_port_group("vMotion", "vSwitch1", &[]), Err(Fault::InUse("vMotion".into())));
}

#[test]
fn active_and_standby_exclude_each_other() {
    let mut network = lab();
    let set = |network: &mut Network, active: Option<&[&str]>, standby: Option<&[&str]>| {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let change =
            FailoverChange { active: active.map(list), standby: standby.map(list), ..Default::default() };
        let switch = network.vswitch_mut("vSwitch0").unwrap();
        let uplinks = switch.uplinks.clone();
        switch.failover.apply(&change, &uplinks)
    };
    set(&mut network, Some(&["vmnic1", "vmnic0"]), None).unwrap();
    let order = network.vswitch("vSwitch0").unwrap().failover.order.clone();
    assert_eq!(order, UplinkOrder { active: vec!["vmnic1".into(), "vmnic0".into()], standby: vec![] });
    set(&mut network, None, Some(&["vmnic1"])).unwrap();
    let order = network.vswitch("vSwitch0").unwrap().failover.order.clone();
    assert_eq!(order, UplinkOrder { active: vec!["vmnic0".into()], standby: vec!["vmnic1".into()] });
    assert_eq!(set(&mut network, Some(&["vmnic0"]), Some(&["vmnic0"])), Err(Fault::BadParameter));
    assert_eq!(set(&mut network, Some(&["vmnic2"]), None), Err(Fault::BadParameter));
    set(&mut network, Some(&[]), Some(&[])).unwrap();
}

#[test]
fn use_vswitch_resets_one_policy_and_then_applies_the_rest() {
    let mut network = lab();
    let change = SecurityChange { promiscuous: Some(true), forged: Some(true), mac_change: None };
    network.set_port_group_security("vMotion", PolicyStart::Keep, change).unwrap();
    let change = SecurityChange { mac_change: Some(true), ..Default::default() };
    network.set_port_group_security("vMotion", PolicyStart::Reset, change).unwrap();
    let (policy, group) = network.port_group_security("vMotion").unwrap();
    assert_eq!(group.security, SecurityOverride { promiscuous: None, mac_change: Some(true), forged: None });
    assert_eq!(policy, Security { promiscuous: false, mac_change: true, forged: false });
    assert!(group.failover.order.is_some(), "other policies keep their overrides");
    network.set_port_group_failover("vMotion", PolicyStart::Reset, &FailoverChange::default()).unwrap();
    assert_eq!(network.port_group("vMotion").unwrap().failover, FailoverOverride::default());
}

#[test]
fn inherited_values_follow_the_switch() {
    let mut network = lab();
    network.vswitch_mut("vSwitch1").unwrap().failover.notify = false;
    let (policy, _) = network.port_group_failover("app-web").unwrap();
    assert!(!policy.notify);
    assert_eq!(policy.order.active, ["vmnic2", "vmnic3"]);
}

#[test]
fn shaping_needs_three_numbers_to_be_switched_on() {
    let mut shaping = Shaping::default();
    let on = ShapingChange { enabled: Some(true), average: Some(1000), peak: Some(2000), burst: None };
    assert!(matches!(shaping.apply(on), Err(Fault::Refused(_))));
    shaping.apply(ShapingChange { burst: Some(64), ..on }).unwrap();
    shaping.apply(ShapingChange { enabled: Some(false), ..Default::default() }).unwrap();
    assert_eq!(shaping, Shaping { enabled: false, average: Some(1000), peak: Some(2000), burst: Some(64) });
    let reversed = ShapingChange { enabled: Some(true), average: Some(9), peak: Some(1), burst: Some(1) };
    assert_eq!(shaping.apply(reversed), Err(Fault::BadParameter));
}

#[test]
fn one_adapter_per_port_group_and_the_netstack_must_exist() {
    let mut network = lab();
    let new = |group: &str, stack: Option<&str>| NewVmk {
        port_group: group.into(),
        netstack: stack.map(str::to_owned),
        ..NewVmk::default()
    };
    assert_eq!(network.add_vmk(new("vMotion", None)), Err(Fault::ConnectionPointTaken));
    assert_eq!(network.add_vmk(new("nope", None)), Err(Fault::NotFound));
    assert_eq!(network.add_vmk(new("app-web", Some("vmotion"))), Err(Fault::NotFound));
    network.add_netstack("vmotion", NetstackStart::Enabled).unwrap();
    assert_eq!(
        network.add_netstack("vmotion", NetstackStart::Enabled),
        Err(Fault::NetstackExists("vmotion".into()))
    );
    assert_eq!(network.add_vmk(new("app-web", Some("vmotion"))).unwrap(), "vmk2");
    assert_eq!(network.remove_netstack("vmotion"), Err(Fault::InUse("vmotion".into())));
    assert!(network.vmk("vmk2").unwrap().mac.starts_with("00:50:56:6"));
    assert!(network.vmk("vmk2").unwrap().tags.is_empty());
    let taken = NewVmk { name: Some("vmk2".into()), ..new("app-db", None) };
    assert_eq!(network.add_vmk(taken), Err(Fault::AlreadyExists));
    let bad = NewVmk { name: Some("eth0".into()), ..new("app-db", None) };
    assert_eq!(network.add_vmk(bad), Err(Fault::BadParameter));
}

#[test]
fn an_adapter_mtu_above_the_switch_is_taken() {
    let mut network = lab();
    network.set_vmk("vmk1", None, Some(9000)).unwrap();
    assert_eq!(network.vmk("vmk1").unwrap().mtu, 9000);
    assert_eq!(network.set_vmk("vmk7", None, Some(9000)), Err(Fault::NotFound));
}

#[test]
fn tags_are_matched_without_case_and_refused_twice() {
    let mut network = lab();
    assert_eq!(
        network.add_tag("vmk0", "management").unwrap_err().to_string(),
        "Vmknic is already tagged with Management"
    );
    let gone = network.remove_tag("vmk1", "vsan").unwrap_err().to_string();
    assert_eq!(gone, "Vmknic is not tagged with VSAN");
    network.add_tag("vmk1", "vsan").unwrap();
    assert_eq!(network.vmk("vmk1").unwrap().tags, ["VMotion", "VSAN"]);
    assert!(matches!(network.add_tag("vmk1", "nonsense"), Err(Fault::DataConstraint(_))));
}

#[test]
fn static_needs_address_and_mask_and_resets_the_gateway() {
    let mut network = lab();
    let request = |address: Option<[u8; 4]>, mask: Option<[u8; 4]>, gateway: Option<[u8; 4]>| Ipv4Request {
        mode: AddressMode::Static,
        address: address.map(Ipv4Addr::from),
        netmask: mask.map(Ipv4Addr::from),
        gateway: gateway.map(Ipv4Addr::from),
        peer_dns: None,
    };
    let mask = Some([255, 255, 0, 0]);
    assert!(matches!(
        network.set_vmk_ipv4("vmk1", request(Some([10, 20, 9, 9]), None, None), None),
        Err(Fault::Refused(_))
    ));
    let holes = request(Some([10, 20, 9, 9]), Some([255, 0, 255, 0]), None);
    assert_eq!(network.set_vmk_ipv4("vmk1", holes, None), Err(Fault::BadParameter));
    let taken = request(network.vmk("vmk0").unwrap().ipv4.address.map(|a| a.octets()), mask, None);
    assert_eq!(network.set_vmk_ipv4("vmk1", taken, None), Err(Fault::AlreadyExists));
    let gateway = Some([10, 20, 0, 1]);
    network.set_vmk_ipv4("vmk1", request(Some([10, 20, 9, 9]), mask, gateway), None).unwrap();
    assert_eq!(network.vmk("vmk1").unwrap().ipv4.gateway, gateway.map(Ipv4Addr::from));
    network.set_vmk_ipv4("vmk1", request(Some([10, 20, 9, 9]), mask, None), None).unwrap();
    assert_eq!(network.vmk("vmk1").unwrap().ipv4.gateway, None);
}

#[test]
fn routes_follow_their_adapters() {
    let mut network = lab();
    let table = network.routing_table(DEFAULT_NETSTACK);
    assert_eq!(table[0].gateway, Some(Ipv4Addr::new(10, 10, 0, 1)));
    assert_eq!(table.iter().filter(|row| row.gateway.is_none()).count(), 2, "connected subnets are listed");
    let far = RouteTarget::Network(Subnet::parse("10.99.0.0/16").unwrap());
    let unreachable = Ipv4Addr::new(192, 168, 1, 1);
    assert_eq!(network.add_route(DEFAULT_NETSTACK, far, unreachable), Err(Fault::BadParameter));
    let hop = Ipv4Addr::new(10, 20, 0, 1);
    network.add_route(DEFAULT_NETSTACK, far, hop).unwrap();
    assert_eq!(network.add_route(DEFAULT_NETSTACK, far, hop), Err(Fault::AlreadyExists));
    assert_eq!(network.add_route(DEFAULT_NETSTACK, RouteTarget::Default, hop), Err(Fault::AlreadyExists));
    assert_eq!(
        network.route_to(DEFAULT_NETSTACK, Ipv4Addr::new(10, 99, 1, 1)),
        Some(("vmk1".into(), Some(hop)))
    );
    network.remove_vmk("vmk1").unwrap();
    assert_eq!(network.routing_table(DEFAULT_NETSTACK).len(), 2, "routes without an adapter sleep");
    network.remove_route(DEFAULT_NETSTACK, far, hop).unwrap();
    assert_eq!(network.remove_route(DEFAULT_NETSTACK, far, hop), Err(Fault::NotFound));
}

#[test]
fn dns_lists_keep_their_order() {
    let mut network = lab();
    assert_eq!(network.add_dns_server(DEFAULT_NETSTACK, "10.10.0.53"), Err(Fault::AlreadyExists));
    assert_eq!(network.add_dns_server(DEFAULT_NETSTACK, "dns.example.net"), Err(Fault::BadParameter));
    network.add_dns_server(DEFAULT_NETSTACK, "10.10.0.1").unwrap();
    let servers = &network.netstack(DEFAULT_NETSTACK).unwrap().dns_servers;
    assert_eq!(servers.last().unwrap().to_string(), "10.10.0.1");
    network.remove_dns_server(DEFAULT_NETSTACK, None).unwrap();
    assert_eq!(network.remove_dns_server(DEFAULT_NETSTACK, Some("10.10.0.1")), Err(Fault::NotFound));
    assert_eq!(network.add_dns_search(DEFAULT_NETSTACK, "example.net"), Err(Fault::AlreadyExists));
    assert_eq!(network.remove_dns_search(DEFAULT_NETSTACK, "other.net"), Err(Fault::NotFound));
}

#[test]
fn drivers_refuse_speeds_they_do_not_have() {
    let mut network = lab();
    let fixed = |mbps| NicSpeed::Fixed { mbps, full_duplex: true };
    network.set_nic_speed("vmnic0", fixed(1000)).unwrap();
    assert_eq!(network.nic("vmnic0").unwrap().running_speed(), (1000, "Full"));
    assert_eq!(network.set_nic_speed("vmnic0", fixed(100_000)), Err(Fault::BadParameter));
    assert_eq!(network.set_nic_speed("vmnic0", fixed(1234)), Err(Fault::BadParameter));
    network.nics.get_mut("vmnic0").unwrap().auto_only = true;
    let text = network.set_nic_speed("vmnic0", fixed(1000)).unwrap_err().to_string();
    assert!(text.contains("Not supported: VSI node (234:"), "{text}");
}

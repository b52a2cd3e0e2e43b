//! Outliers: each planted change is found, alone, with its cause, values and counts.

use super::super::fleet::rename_nics;
use super::super::testkit::{host, nic};
use super::super::{Cause, Hints, Mined, Outlier, mine};
use super::{assert_nothing_planned, id};
use model::{
    HostId, InheritedField, Ipv4Cidr, Known, Mtu, ObservedIpv4, ObservedNetwork, ObservedVswitch,
    PortGroupName, ServiceTag, Vlan,
};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Host that is changed.
const ODD: &str = "esx04";
/// Hosts per case.
const HOSTS: u8 = 10;

fn mined(observed: &BTreeMap<HostId, ObservedNetwork>) -> Mined {
    let seen = observed.iter().map(|(host, seen)| (host.clone(), seen)).collect();
    mine(&seen, &Hints::default()).unwrap()
}

fn found(what: impl FnOnce(&mut ObservedNetwork)) -> Vec<Outlier> {
    let one = |number| (id(&format!("esx{number:02}")), host(&format!("esx{number:02}"), number));
    let mut observed: BTreeMap<HostId, ObservedNetwork> = (1..=HOSTS).map(one).collect();
    what(observed.get_mut(&id(ODD)).unwrap());
    let mined = mined(&observed);
    assert_eq!(mined.groups.len(), 1, "one odd host stays in its group");
    assert_nothing_planned("outlier", &mined.groups, &observed);
    let outliers = mined.groups.into_iter().next().unwrap().outliers;
    assert!(outliers.iter().all(|outlier| outlier.hosts == [id(ODD)]), "{outliers:#?}");
    outliers
}

fn assert_found(expected: &[(Cause, &str, &str)], what: impl FnOnce(&mut ObservedNetwork)) {
    let found = found(what);
    let found: Vec<_> = found.iter().map(|o| (o.cause, o.path.as_str(), o.text.as_str())).collect();
    assert_eq!(found, expected);
}

fn guests() -> PortGroupName {
    "VM Network".parse().unwrap()
}

fn switch(seen: &mut ObservedNetwork) -> &mut ObservedVswitch {
    seen.vswitches.read_mut().unwrap().values_mut().next().unwrap()
}

#[test]
fn a_vlan_or_an_mtu_of_its_own() {
    let expected = "VLAN of port group `VM Network`: 31; 9 of 10 hosts have 30";
    assert_found(&[(Cause::Vlan, "/port_groups/VM Network/vlan", expected)], |seen| {
        let groups = seen.port_groups.read_mut().unwrap();
        groups.get_mut(&guests()).unwrap().vlan = Known::Read(Vlan::try_from(31).unwrap());
    });
    let expected = "MTU of switch `vSwitch0`: 9000; 9 of 10 hosts have 1500";
    assert_found(&[(Cause::Mtu, "/vswitches/vSwitch0/mtu", expected)], |seen| {
        switch(seen).mtu = Known::Read(Mtu::new(9000).unwrap());
    });
}

#[test]
fn objects_missing_surplus_or_renamed() {
    let expected = "port group `VM Network` is missing; 9 of 10 hosts have it";
    assert_found(&[(Cause::MissingObject, "/port_groups/VM Network", expected)], |seen| {
        seen.port_groups.read_mut().unwrap().retain(|name, _| name.as_str() != "VM Network");
    });
    let expected = "port group `Old` is there; 9 of 10 hosts have none";
    assert_found(&[(Cause::ExtraObject, "/port_groups/Old", expected)], |seen| {
        let groups = seen.port_groups.read_mut().unwrap();
        let like = groups.values().next().unwrap().clone();
        groups.insert("Old".parse().unwrap(), like);
    });
    let renamed = "port group `Guests` is probably `VM Network` under another name";
    let missing = "port group `VM Network` is missing; 9 of 10 hosts have it";
    let expected = [
        (Cause::OtherName, "/port_groups/Guests", renamed),
        (Cause::MissingObject, "/port_groups/VM Network", missing),
    ];
    assert_found(&expected, |seen| {
        let groups = seen.port_groups.read_mut().unwrap();
        let moved = groups.remove(&guests()).unwrap();
        groups.insert("Guests".parse().unwrap(), moved);
    });
}

#[test]
fn uplinks_too_many_reversed_or_called_otherwise() {
    let extra = found(|seen| {
        let switch = switch(seen);
        switch.uplinks.read_mut().unwrap().insert(nic("vmnic2"));
        switch.teaming.read_mut().unwrap().uplinks.standby.push(nic("vmnic2"));
    });
    let causes: Vec<Cause> = extra.iter().map(|outlier| outlier.cause).collect();
    assert_eq!(causes, [Cause::FailoverOrder, Cause::ExtraUplink], "{extra:#?}");
    assert_eq!(
        extra[1].text,
        "uplinks of switch `vSwitch0`: vmnic0, vmnic1, vmnic2; 9 of 10 hosts have vmnic0, vmnic1"
    );
    let reversed = found(|seen| switch(seen).teaming.read_mut().unwrap().uplinks.active.reverse());
    assert_eq!(reversed.iter().map(|outlier| outlier.cause).collect::<Vec<_>>(), [Cause::FailoverOrder]);
    let expected = "NICs of switch `vSwitch0` are called vmnic4, vmnic1; 9 of 10 hosts have vmnic0, vmnic1";
    assert_found(&[(Cause::NicNames, "/vswitches/vSwitch0/uplinks", expected)], |seen| {
        rename_nics(seen, "vmnic0", "vmnic4");
    });
}

#[test]
fn addresses_and_services_of_another_kind() {
    let expected = "`vmk0` is in subnet 10.0.99.0/24; 9 of 10 hosts are in 10.0.10.0/24";
    assert_found(&[(Cause::Subnet, "/vmkernels/vmk0/ipv4/static/address", expected)], |seen| {
        let vmk = seen.vmkernels.read_mut().unwrap().values_mut().next().unwrap();
        let address = Ipv4Cidr::new(Ipv4Addr::new(10, 0, 99, 4), 24).unwrap();
        vmk.ipv4 = Known::Read(ObservedIpv4::Static { address, gateway: None });
    });
    let dhcp = found(|seen| {
        let vmk = seen.vmkernels.read_mut().unwrap().values_mut().next().unwrap();
        vmk.ipv4 = Known::Read(ObservedIpv4::Dhcp { address: None });
    });
    assert!(dhcp.iter().any(|outlier| outlier.cause == Cause::AddressKind), "{dhcp:#?}");
    let expected = "services of adapter `vmk0`: Management, VMotion; 9 of 10 hosts have Management";
    assert_found(&[(Cause::Services, "/vmkernels/vmk0/services", expected)], |seen| {
        let vmk = seen.vmkernels.read_mut().unwrap().values_mut().next().unwrap();
        vmk.services.read_mut().unwrap().insert(ServiceTag::new("vmotion"));
    });
}

#[test]
fn a_policy_opened_by_hand() {
    let expected = "security allow_promiscuous of port group `VM Network`: true; 9 of 10 hosts have inherit";
    let path = "/port_groups/VM Network/security/allow_promiscuous";
    assert_found(&[(Cause::Policy, path, expected)], |seen| {
        let groups = seen.port_groups.read_mut().unwrap();
        let security = groups.get_mut(&guests()).unwrap().security.read_mut().unwrap();
        security.allow_promiscuous = InheritedField::Own(true);
    });
}

#[test]
fn a_fact_that_was_not_read_is_named_and_stays_unmanaged() {
    let expected = "mtu of switch `vSwitch0` could not be read (no answer) and stays unmanaged";
    assert_found(&[(Cause::Unreadable, "/vswitches/vSwitch0/mtu", expected)], |seen| {
        switch(seen).mtu = Known::unreadable("no answer");
    });
}

#[test]
fn equal_oddities_are_told_once() {
    let one = |number| (id(&format!("esx{number:02}")), host(&format!("esx{number:02}"), number));
    let mut observed: BTreeMap<HostId, ObservedNetwork> = (1..=HOSTS).map(one).collect();
    for name in ["esx02", "esx09"] {
        let seen = observed.get_mut(&id(name)).unwrap();
        switch(seen).mtu = Known::Read(Mtu::new(9000).unwrap());
    }
    let mined = mined(&observed);
    let [outlier] = mined.groups[0].outliers.as_slice() else { panic!("{:#?}", mined.groups[0].outliers) };
    assert_eq!(outlier.hosts, [id("esx02"), id("esx09")]);
    assert_eq!((outlier.usual_hosts, outlier.of_hosts), (8, 10));
}

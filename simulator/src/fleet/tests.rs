//! Made-up hosts are whole, distinct and reachable.

use super::*;
use crate::fabric::{Reach, management_reachable};

fn request(count: u32, group: &str) -> FleetRequest {
    FleetRequest { count, group: group.into(), version: "8.0".into() }
}

#[test]
fn every_host_is_reachable_and_addresses_are_unique() {
    let root = tempfile::tempdir().unwrap();
    let mut names = make_hosts(root.path(), &request(9, "prod-a")).unwrap();
    names.extend(make_hosts(root.path(), &request(3, "prod-b")).unwrap());
    assert_eq!(names.len(), 12);
    let (mut addresses, mut macs, mut uuids) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for name in &names {
        let host = HostDir::new(root.path().join(name)).load().unwrap();
        assert_eq!(management_reachable(&host, &host.fabric), Reach::Ok, "{name}");
        assert_eq!(host.running, host.saved);
        uuids.insert(host.facts.uuid);
        addresses.extend(host.running.vmks.values().filter_map(|vmk| vmk.ipv4.address));
        macs.extend(host.running.nics.values().map(|nic| nic.mac.clone()));
    }
    assert_eq!((addresses.len(), macs.len(), uuids.len()), (24, 48, 12));
}

#[test]
fn racks_and_drivers_vary() {
    let hosts: Vec<_> = (1..=16).map(|number| make_host(&request(16, "g"), number)).collect();
    let racks: BTreeSet<_> = hosts.iter().map(|host| host.facts.rack.clone()).collect();
    let drivers: BTreeSet<_> = hosts.iter().map(|host| host.running.nics["vmnic0"].driver.clone()).collect();
    assert_eq!((racks.len(), drivers.len()), (2, 4));
}

//! Drift is told once it was seen twice, and told again when it is gone.

use super::*;
use model::{
    DesiredNetwork, DesiredPortGroup, Generation, HostFacts, Known, PortGroupName, Presence, VlanId,
};
use std::collections::BTreeMap;

fn committed() -> Committed {
    let group = DesiredPortGroup {
        vlan: Some(model::Vlan::Tagged(VlanId::new(120).unwrap())),
        ..DesiredPortGroup::default()
    };
    let port_groups = BTreeMap::from([(PortGroupName::new("web").unwrap(), Presence::Present(group))]);
    Committed { generation: Generation(3), desired: DesiredNetwork { port_groups, ..Default::default() } }
}

fn without_groups(at: u64) -> ObservedNetwork {
    ObservedNetwork {
        taken_at: Wall(at),
        facts: HostFacts::default(),
        management_vmk: Known::Read(None),
        vswitches: Known::Read(BTreeMap::new()),
        port_groups: Known::Read(BTreeMap::new()),
        vmkernels: Known::Read(BTreeMap::new()),
        nics: Known::Read(BTreeMap::new()),
        netstacks: Known::Read(BTreeMap::new()),
        vms: Known::Read(Vec::new()),
        dvs: Known::Read(Vec::new()),
    }
}

#[test]
fn drift_speaks_at_the_second_look_once_and_says_when_it_is_gone() {
    let host = HostId::new("esx1").unwrap();
    let mut watch = DriftWatch::default();
    let committed = committed();
    assert!(watch.look(&host, Some(&committed), &without_groups(1)).is_none());
    assert!(watch.doubtful());
    let report = watch.look(&host, Some(&committed), &without_groups(2)).unwrap();
    assert_eq!((report.first_seen, report.last_seen), (Wall(1), Wall(2)));
    assert!(!report.differences.is_empty());
    assert!(watch.look(&host, Some(&committed), &without_groups(3)).is_none());
    assert!(watch.current().is_some());

    let wanted_nothing = Committed { generation: Generation(4), desired: DesiredNetwork::default() };
    let gone = watch.look(&host, Some(&wanted_nothing), &without_groups(4)).unwrap();
    assert!(gone.differences.is_empty());
    assert!(watch.current().is_none());
}

#[test]
fn what_cannot_be_read_and_what_was_never_confirmed_is_no_drift() {
    let host = HostId::new("esx1").unwrap();
    let mut watch = DriftWatch::default();
    let mut observed = without_groups(1);
    assert!(watch.look(&host, None, &observed).is_none());
    observed.port_groups = Known::unreadable("hostd is down");
    let committed = committed();
    for _ in 0..3 {
        assert!(watch.look(&host, Some(&committed), &observed).is_none());
    }
}

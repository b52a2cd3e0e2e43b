//! Laws of mining: what comes out is proven, independent of names, and as small as it can be where that is known.

use super::super::fleet::{Dice, fleet, rename_nics};
use super::super::testkit::host;
use super::super::{Adopted, Hints, Mined, mine};
use super::{FLEETS, assert_nothing_planned, id};
use crate::documents::write::{document_yaml, network_yaml};
use crate::documents::{parse_network, parse_repository};
use crate::resolve::resolve_host;
use model::{HostId, Ipv4Cidr, Known, Mtu, ObservedIpv4, ObservedNetwork, VmkName, VmnicName};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

type Observed = BTreeMap<HostId, ObservedNetwork>;

fn mined(observed: &Observed) -> Mined {
    mined_with(observed, &Hints::default())
}

fn mined_with(observed: &Observed, hints: &Hints) -> Mined {
    mine(&observed.iter().map(|(host, seen)| (host.clone(), seen)).collect(), hints).unwrap()
}

/// Several fleets of different kinds of hosts as one.
fn fleets(seed: u64) -> Observed {
    let mut all = Observed::new();
    for part in 0..3 {
        for (number, (_, observed)) in fleet(&mut Dice::new(seed * 3 + part)).into_iter().enumerate() {
            all.insert(id(&format!("f{part}-esx{number}")), observed);
        }
    }
    all
}

/// `count` hosts that differ in nothing but name and addresses.
fn alike(prefix: &str, count: u8) -> Observed {
    let one = |number| (id(&format!("{prefix}{number:02}")), host(&format!("{prefix}{number:02}"), number));
    (1..=count).map(one).collect()
}

fn change(observed: &mut Observed, name: &str, what: impl FnOnce(&mut ObservedNetwork)) {
    what(observed.get_mut(&id(name)).unwrap());
}

fn set_mtu(observed: &mut ObservedNetwork) {
    let switches = observed.vswitches.read_mut().unwrap();
    switches.values_mut().next().unwrap().mtu = Known::Read(Mtu::new(9000).unwrap());
}

fn sizes(mined: &Mined) -> Vec<usize> {
    mined.groups.iter().map(|group| group.hosts.len()).collect()
}

#[test]
fn every_mined_repository_plans_nothing_on_any_host() {
    for seed in 0..FLEETS {
        let observed = fleets(seed);
        let mined = mined(&observed);
        assert_nothing_planned(&format!("seed {seed}"), &mined.groups, &observed);
        let hosts: BTreeSet<&HostId> = mined.groups.iter().flat_map(|group| &group.hosts).collect();
        assert_eq!(hosts.len() + mined.unread.len(), observed.len(), "seed {seed}");
        assert_eq!(sizes(&mined).iter().sum::<usize>(), hosts.len(), "seed {seed}: a host is in two groups");
    }
}

#[test]
fn groups_do_not_depend_on_names_or_order() {
    for seed in 0..FLEETS / 3 {
        let observed = fleets(seed);
        // The same hosts under names that sort the other way round.
        let renamed: BTreeMap<HostId, HostId> = observed
            .keys()
            .rev()
            .enumerate()
            .map(|(number, host)| (host.clone(), id(&format!("x{number:03}"))))
            .collect();
        let other: Observed =
            observed.iter().map(|(host, seen)| (renamed[host].clone(), seen.clone())).collect();
        let parts = |mined: &Mined, name: &dyn Fn(&HostId) -> HostId| -> BTreeSet<BTreeSet<HostId>> {
            mined.groups.iter().map(|group| group.hosts.iter().map(name).collect()).collect()
        };
        let (a, b) = (mined(&observed), mined(&other));
        assert_eq!(parts(&a, &|host| renamed[host].clone()), parts(&b, &HostId::clone), "seed {seed}");
        let overrides = |mined: &Mined| mined.groups.iter().map(|group| group.overrides).sum::<usize>();
        assert_eq!(overrides(&a), overrides(&b), "seed {seed}");
    }
}

#[test]
fn written_documents_read_back_to_the_same() {
    for seed in 0..FLEETS / 3 {
        let observed = fleets(seed);
        let mined = mined(&observed);
        let repository = parse_repository(&super::repository_of(&mined.groups));
        for group in &mined.groups {
            for host in &group.hosts {
                let desired = resolve_host(&repository, &group.group, host, None).desired.unwrap();
                let text = network_yaml(&desired);
                assert_eq!(parse_network("network.yaml", &text), Ok(desired), "seed {seed}, {host}");
                let entry = &repository.groups[&group.group].hosts[host];
                let path = crate::documents::host_file(&group.group, host);
                assert_eq!(document_yaml(&entry.document), group.files[&path], "seed {seed}, {host}");
            }
        }
    }
}

#[test]
fn equal_hosts_are_one_group_without_overrides() {
    let mut observed = alike("esx", 30);
    // Racks with their own subnets and gateways are alike.
    for seen in observed.values_mut().skip(20) {
        for vmk in seen.vmkernels.read_mut().unwrap().values_mut() {
            if let Some(ObservedIpv4::Static { address, .. }) = vmk.ipv4.read_mut() {
                let [a, b, _, d] = address.address().octets();
                *address = Ipv4Cidr::new(Ipv4Addr::new(a, b, 77, d), 24).unwrap();
            }
        }
        let stack = seen.netstacks.read_mut().unwrap().values_mut().next().unwrap();
        stack.routes.read_mut().unwrap()[0].gateway = Some(Ipv4Addr::new(10, 0, 77, 1));
    }
    let mined = mined(&observed);
    assert_eq!(sizes(&mined), [30]);
    let group = &mined.groups[0];
    assert_eq!(group.group.as_str(), "esx");
    assert_eq!(group.overrides, 0, "{:#?}", group.outliers);
    assert!(group.files["groups/esx/hosts/esx25.yaml"].contains("default_gateway: 10.0.77.1"));
    assert!(group.files["groups/esx/network.yaml"].contains("default: ${host.default_gateway}"));
    let plain = self::mined(&alike("esx", 30));
    assert_eq!((sizes(&plain), plain.groups[0].overrides), (vec![30], 0));
    assert_eq!(plain.groups[0].outliers, []);
    assert_nothing_planned("alike", &mined.groups, &observed);
}

#[test]
fn nearly_equal_hosts_stay_together_and_kinds_of_hosts_do_not() {
    let mut observed = alike("web", 20);
    observed.extend(alike("db", 12));
    for (_, seen) in observed.iter_mut().filter(|(host, _)| host.as_str().starts_with("db")) {
        set_mtu(seen);
        let groups = seen.port_groups.read_mut().unwrap();
        let like = groups.values().next().unwrap().clone();
        for name in ["Storage A", "Storage B", "Replication"] {
            groups.insert(name.parse().unwrap(), like.clone());
        }
    }
    change(&mut observed, "web07", set_mtu);
    let mined = mined(&observed);
    let names: Vec<&str> = mined.groups.iter().map(|group| group.group.as_str()).collect();
    assert_eq!((sizes(&mined), names), (vec![20, 12], vec!["web", "db"]));
    assert_eq!(mined.groups.iter().map(|group| group.overrides).collect::<Vec<_>>(), [1, 0]);
    assert_nothing_planned("kinds", &mined.groups, &observed);
}

#[test]
fn a_difference_many_hosts_share_makes_a_group() {
    let mut observed = alike("esx", 60);
    for name in (1..=20).map(|number| format!("esx{number:02}")) {
        change(&mut observed, &name, set_mtu);
    }
    assert_eq!(sizes(&mined(&observed)), [40, 20]);
}

#[test]
fn names_come_from_labels_hosts_and_wishes_and_are_free() {
    let mut observed = alike("esx", 3);
    for (index, seen) in observed.values_mut().enumerate() {
        seen.vmkernels.read_mut().unwrap().values_mut().for_each(|vmk| {
            // Adapters of distributed switches cannot share a network with those of standard ones.
            vmk.attachment = model::VmkAttachment::Distributed(format!("dvs{index}"));
        });
    }
    observed.extend(alike("lab", 2));
    let names = |hints: &Hints| -> Vec<String> {
        mined_with(&observed, hints).groups.iter().map(|group| group.group.to_string()).collect()
    };
    assert_eq!(names(&Hints::default()), ["esx", "lab"]);
    let taken = BTreeSet::from(["esx".parse().unwrap()]);
    assert_eq!(names(&Hints { taken, ..Hints::default() }), ["esx-2", "lab"]);
    let wishes = vec!["prod".parse().unwrap()];
    assert_eq!(names(&Hints { names: wishes, ..Hints::default() }), ["prod", "lab"]);
    let label = |host: &HostId| (host.clone(), BTreeMap::from([("cluster".to_owned(), "Prod A".to_owned())]));
    let hints = Hints { labels: observed.keys().map(label).collect(), ..Hints::default() };
    assert_eq!(names(&hints), ["prod-a", "prod-a-2"]);
    let files: &Adopted = &mined_with(&observed, &hints).groups[0];
    assert!(files.files["groups/prod-a/hosts/esx01.yaml"].starts_with("labels:\n  cluster: Prod A\n"));
}

#[test]
fn a_host_that_cannot_be_read_is_left_out_and_named() {
    let mut observed = alike("esx", 4);
    change(&mut observed, "esx03", |seen| seen.vmkernels = Known::unreadable("hostd is down"));
    let mined = mined(&observed);
    assert_eq!(sizes(&mined), [3]);
    assert_eq!(mined.unread[&id("esx03")], ["VMkernel adapters could not be read (hostd is down)"]);
}

#[test]
fn an_address_all_hosts_have_is_left_out() {
    let mut observed = alike("esx", 4);
    for seen in observed.values_mut() {
        let vmks = seen.vmkernels.read_mut().unwrap();
        let mut inner = vmks[&VmkName::new("vmk0").unwrap()].clone();
        inner.attachment = model::VmkAttachment::PortGroup("VM Network".parse().unwrap());
        let address = Ipv4Cidr::new(Ipv4Addr::new(169, 254, 1, 1), 24).unwrap();
        inner.ipv4 = Known::Read(ObservedIpv4::Static { address, gateway: None });
        vmks.insert(VmkName::new("vmk1").unwrap(), inner);
    }
    let mined = mined(&observed);
    assert_nothing_planned("shared address", &mined.groups, &observed);
    assert_eq!((sizes(&mined), mined.groups[0].overrides), (vec![4], 0));
    assert_eq!(
        mined.groups[0].notes[0].1,
        "`vmk1` has the address 169.254.1.1, which 3 more of the group have: left out"
    );
}

#[test]
fn hosts_with_other_nics_are_alike_and_get_roles() {
    let mut observed = alike("esx", 9);
    for name in ["esx02", "esx05"] {
        change(&mut observed, name, |seen| {
            rename_nics(seen, "vmnic0", "vmnic8");
            rename_nics(seen, "vmnic1", "vmnic9");
        });
    }
    let mined = mined(&observed);
    assert_eq!((sizes(&mined), mined.groups[0].overrides), (vec![9], 0));
    let second = &mined.groups[0].files["groups/esx/hosts/esx02.yaml"];
    assert!(second.contains("uplinks:\n  a: vmnic8\n  b: vmnic9\n"), "{second}");
    assert_nothing_planned("roles", &mined.groups, &observed);
}

/// Not a clock: the work on 2,500 hosts of one shape with a few odd ones is done within the patience of the test run.
#[test]
fn a_large_fleet_is_mined_in_one_piece() {
    let mut observed = Observed::new();
    for number in 0..2500_u32 {
        let [_, _, high, low] = number.to_be_bytes();
        let name = format!("esx{number:04}");
        let mut seen = host(&name, low);
        for vmk in seen.vmkernels.read_mut().unwrap().values_mut() {
            let address = Ipv4Cidr::new(Ipv4Addr::new(10, 1, high, low), 16).unwrap();
            vmk.ipv4 = Known::Read(ObservedIpv4::Static { address, gateway: None });
        }
        if number % 100 == 7 {
            set_mtu(&mut seen);
            let nics = seen.nics.read_mut().unwrap();
            nics.remove(&VmnicName::new("vmnic3").unwrap());
        }
        observed.insert(id(&name), seen);
    }
    let mined = mined(&observed);
    assert_eq!(sizes(&mined), [2475, 25]);
    assert_nothing_planned("large", &mined.groups, &observed);
}

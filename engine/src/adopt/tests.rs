//! Adoption proves itself on made-up fleets: the documents resolve, and plan nothing on any host.

mod mining;
mod outliers;

use super::files::described;
use super::fleet::{Dice, fleet, rename_nics};
use super::testkit::host;
use super::{Adopted, Prover, adopt};
use crate::documents::parse_repository;
use crate::resolve::resolve_host;
use crate::verify::verify;
use model::{
    HostGroupId, HostId, Known, ObservedDvs, ObservedNetwork, VmkAttachment, VmkName, VmnicName, VswitchName,
};
use std::collections::BTreeMap;

/// Fleets per run.
const FLEETS: u64 = 300;

fn group() -> HostGroupId {
    HostGroupId::new("lab").unwrap()
}

fn id(name: &str) -> HostId {
    HostId::new(name).unwrap()
}

fn import(observed: &BTreeMap<HostId, ObservedNetwork>) -> Adopted {
    let seen = observed.iter().map(|(host, observed)| (host.clone(), observed)).collect();
    adopt(&group(), &seen, &BTreeMap::new()).unwrap()
}

fn repository_of<'a>(groups: impl IntoIterator<Item = &'a Adopted>) -> BTreeMap<String, Vec<u8>> {
    let files = groups.into_iter().flat_map(|adopted| &adopted.files);
    let mut files: BTreeMap<String, Vec<u8>> =
        files.map(|(path, text)| (path.clone(), text.clone().into_bytes())).collect();
    files.insert("pointsman.yaml".to_owned(), b"schema: 1\n".to_vec());
    files
}

/// The repository of these groups has no error and plans nothing on any of their hosts.
fn assert_nothing_planned<'a>(
    label: &str,
    groups: impl IntoIterator<Item = &'a Adopted> + Clone,
    observed: &BTreeMap<HostId, ObservedNetwork>,
) {
    let files = repository_of(groups.clone());
    let prover = Prover::new(&files);
    let texts = || files.values().map(|text| String::from_utf8_lossy(text).into_owned()).collect::<String>();
    let errors: Vec<_> = prover.findings().iter().filter(|finding| finding.is_error()).collect();
    assert!(errors.is_empty(), "{label}: {errors:#?}\n{}", texts());
    for adopted in groups {
        for host in &adopted.hosts {
            let proof = prover.prove(&adopted.group, host, &observed[host]);
            assert!(proof.holds(), "{label}: {proof:#?}\n{}", texts());
        }
    }
}

fn assert_proven(label: &str, observed: &BTreeMap<HostId, ObservedNetwork>) -> Adopted {
    let imported = import(observed);
    assert_eq!(imported.hosts.len(), observed.len());
    assert_nothing_planned(label, [&imported], observed);
    imported
}

#[test]
fn any_fleet_imports_to_an_empty_plan_and_no_difference() {
    for seed in 0..FLEETS {
        let observed = fleet(&mut Dice::new(seed));
        let imported = assert_proven(&format!("seed {seed}"), &observed);
        let repository = parse_repository(&repository_of([&imported]));
        for (host, observed) in &observed {
            let desired = resolve_host(&repository, &group(), host, None).desired.unwrap();
            assert_eq!(verify(&desired, observed), [], "seed {seed}, {host}");
        }
    }
}

#[test]
fn every_described_fact_is_kept() {
    for seed in 0..FLEETS / 5 {
        let observed = fleet(&mut Dice::new(seed));
        let imported = import(&observed);
        let repository = parse_repository(&repository_of([&imported]));
        for (host, observed) in &observed {
            let desired = resolve_host(&repository, &group(), host, None).desired.unwrap();
            let description = described(observed).unwrap();
            for (vmk, wanted) in &description.network.vmkernels {
                assert_eq!(desired.vmkernels.get(vmk), Some(wanted), "seed {seed}, {host}, {vmk}");
            }
            for (name, wanted) in &description.network.vswitches {
                let mut found = desired.vswitches.get(name).unwrap().present().unwrap().clone();
                let mut wanted = wanted.present().unwrap().clone();
                for uplinks in [&mut found.uplinks, &mut wanted.uplinks].into_iter().flatten() {
                    uplinks.sort();
                }
                assert_eq!(found, wanted, "seed {seed}, {host}, {name}");
            }
        }
    }
}

fn two_hosts() -> BTreeMap<HostId, ObservedNetwork> {
    BTreeMap::from([(id("esx01"), host("esx01", 11)), (id("esx02"), host("esx02", 12))])
}

#[test]
fn equal_hosts_share_one_network_and_keep_their_addresses() {
    let imported = assert_proven("equal", &two_hosts());
    let network = &imported.files["groups/lab/network.yaml"];
    assert!(network.contains("address: ${host.vmk0_ip}"), "{network}");
    assert!(network.contains("active: [vmnic0, vmnic1]"), "{network}");
    assert!(!network.contains("10.0.10.11"), "{network}");
    let first = &imported.files["groups/lab/hosts/esx01.yaml"];
    assert_eq!(first, "values:\n  vmk0_ip: 10.0.10.11/24\n");
}

#[test]
fn hosts_that_count_their_nics_differently_get_roles() {
    let mut observed = two_hosts();
    rename_nics(observed.get_mut(&id("esx02")).unwrap(), "vmnic0", "vmnic4");
    let imported = assert_proven("roles", &observed);
    let network = &imported.files["groups/lab/network.yaml"];
    assert!(network.contains(r#"uplinks: ["${uplink.a}", "${uplink.b}"]"#), "{network}");
    assert!(network.contains(r#"active: ["${uplink.a}", "${uplink.b}"]"#), "{network}");
    let second = &imported.files["groups/lab/hosts/esx02.yaml"];
    assert!(second.contains("uplinks:\n  a: vmnic4\n  b: vmnic1\n"), "{second}");
}

#[test]
fn an_object_missing_on_few_hosts_is_declared_absent_there() {
    let mut observed = two_hosts();
    observed.insert(id("esx03"), host("esx03", 13));
    let groups = observed.get_mut(&id("esx03")).unwrap().port_groups.read_mut().unwrap();
    groups.retain(|name, _| name.as_str() != "VM Network");
    let imported = assert_proven("absent", &observed);
    assert!(imported.files["groups/lab/network.yaml"].contains("VM Network"));
    let third = &imported.files["groups/lab/hosts/esx03.yaml"];
    assert!(third.contains("path: /port_groups/VM Network"), "{third}");
    assert!(third.contains("absent: true"), "{third}");
}

#[test]
fn distributed_objects_are_left_out_with_a_note() {
    let mut observed = two_hosts();
    let first = observed.get_mut(&id("esx01")).unwrap();
    let vmk = first.vmkernels.read_mut().unwrap().get_mut(&VmkName::new("vmk0").unwrap()).unwrap();
    vmk.attachment = VmkAttachment::Distributed("dvs-core".to_owned());
    let uplinks = [VmnicName::new("vmnic7").unwrap()].into();
    first.dvs = Known::Read(vec![ObservedDvs { name: "dvs-core".to_owned(), uplinks }]);
    let imported = assert_proven("distributed", &observed);
    let notes: Vec<&str> = imported.notes.iter().map(|(_, note)| note.as_str()).collect();
    assert_eq!(
        notes,
        [
            "`vmk0` is on the distributed switch `dvs-core` and stays unmanaged",
            "distributed switch `dvs-core` stays unmanaged",
        ]
    );
}

#[test]
fn names_with_variables_and_slashes_survive() {
    let mut observed = two_hosts();
    for (index, observed) in observed.values_mut().enumerate() {
        let groups = observed.port_groups.read_mut().unwrap();
        let like = groups.values().next().unwrap().clone();
        groups.insert("a/b ~ ${host.x}".parse().unwrap(), like.clone());
        if index == 0 {
            groups.insert("only here: ${uplink.a}/~1".parse().unwrap(), like);
        }
    }
    assert_proven("names", &observed);
}

#[test]
fn what_documents_refuse_is_left_out_with_a_note() {
    let mut observed = two_hosts();
    let first = observed.get_mut(&id("esx01")).unwrap();
    let switches = first.vswitches.read_mut().unwrap();
    let like = switches.values().next().unwrap().clone();
    let mut odd = like.clone();
    odd.uplinks = Known::Read([].into());
    let teaming = odd.teaming.read_mut().unwrap();
    teaming.uplinks.active.clear();
    switches.insert(VswitchName::new("odd name").unwrap(), odd);
    let groups = first.port_groups.read_mut().unwrap();
    let like = groups.values().next().unwrap().clone();
    groups.insert("a,b".parse().unwrap(), like);
    let vmk = first.vmkernels.read_mut().unwrap().values_mut().next().unwrap();
    vmk.mtu = Known::Read(model::Mtu::new(9000).unwrap());
    let imported = assert_proven("refused", &observed);
    let notes: Vec<&str> = imported.notes.iter().map(|(_, note)| note.as_str()).collect();
    assert_eq!(
        notes,
        [
            "`vmk0` has MTU 9000, its switch only 1500: left out",
            "switch `odd name` has a name documents cannot use: left out",
            "port group `a,b` has a comma in its name: left out",
        ]
    );
}

#[test]
fn a_host_whose_lists_are_unreadable_is_refused() {
    let mut observed = two_hosts();
    observed.get_mut(&id("esx02")).unwrap().port_groups = Known::unreadable("hostd is down");
    let seen = observed.iter().map(|(host, observed)| (host.clone(), observed)).collect();
    let error = adopt(&group(), &seen, &BTreeMap::new()).unwrap_err().to_string();
    assert_eq!(
        error,
        "host `esx02` cannot be imported: port groups could not be read (hostd is down); read the host again"
    );
}

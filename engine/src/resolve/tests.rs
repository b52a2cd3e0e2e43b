//! Tests of resolving: values, overrides, folding, limits.

use super::*;
use crate::documents::parse_repository;

const SITE: &str = "schema: 1\nroles: {vmotion: {vlan: 20, mtu: 9000, subnet: 10.0.20.0/24}}\n";
const NETWORK: &str = "vswitches: {vSwitch0: {mtu: 9000, uplinks: [\"${uplink.a}\", vmnic7]}}\n\
    port_groups: {vMotion: {vswitch: vSwitch0, vlan: \"${role.vmotion.vlan}\"}}\n\
    vmkernels:\n  vmk1:\n    port_group: vMotion\n    mtu: ${role.vmotion.mtu}\n    ipv4: ${host.ipv4}\n\
    netstacks: {defaultTcpipStack: {dns_search: [\"${host.name}.${role.vmotion.subnet}\"]}}\n";

fn repository(network: &str, hosts: &[(&str, &str)]) -> Repository {
    let names: Vec<&str> = hosts.iter().map(|(name, _)| *name).collect();
    let labelled = hosts.iter().all(|(_, text)| text.contains("rack:"));
    let domain = if labelled { "failure_domain: rack\n" } else { "" };
    let mut files = BTreeMap::from([
        ("pointsman.yaml".to_owned(), SITE.as_bytes().to_vec()),
        (
            "groups/g/group.yaml".to_owned(),
            format!("members: {{hosts: [{}]}}\n{domain}", names.join(", ")).into_bytes(),
        ),
        ("groups/g/network.yaml".to_owned(), network.as_bytes().to_vec()),
    ]);
    for (name, text) in hosts {
        files.insert(format!("groups/g/hosts/{name}.yaml"), text.as_bytes().to_vec());
    }
    parse_repository(&files)
}

fn resolve(repository: &Repository, host: &str) -> Resolved {
    let (group, host) = (HostGroupId::new("g").unwrap(), HostId::new(host).unwrap());
    resolve_host(repository, &group, &host, Some("2026-01-01"))
}

#[test]
fn variables_keep_their_type_and_fill_text() {
    let host =
        "labels: {rack: r1}\nuplinks: {a: vmnic3}\nvalues: {ipv4: {static: {address: 10.0.20.7/24}}}\n";
    let repository = repository(NETWORK, &[("h1", host)]);
    assert_eq!(repository.findings, []);
    let resolved = resolve(&repository, "h1");
    assert_eq!(resolved.findings, []);
    assert_eq!(resolved.failure_domain.as_deref(), Some("r1"));
    let json = serde_json::to_value(resolved.desired.unwrap()).unwrap();
    let expected = serde_json::json!({
        "vswitches": {"vSwitch0": {"mtu": 9000, "uplinks": ["vmnic3", "vmnic7"]}},
        "port_groups": {"vMotion": {"vswitch": "vSwitch0", "vlan": 20}},
        "vmkernels": {"vmk1": {"port_group": "vMotion", "mtu": 9000,
            "ipv4": {"static": {"address": "10.0.20.7/24"}}}},
        "netstacks": {"defaultTcpipStack": {"dns_search": ["h1.10.0.20.0/24"]}},
    });
    assert_eq!(json, expected);
}

#[test]
fn overrides_replace_add_and_stack() {
    let host = "uplinks: {a: vmnic3, b: vmnic4}\nvalues: {ipv4: dhcp}\noverrides:\n\
        - {path: /vswitches/vSwitch0/uplinks/1, value: \"${uplink.b}\", reason: r}\n\
        - {path: /vswitches/vSwitch0/teaming, value: {failback: false}, reason: r}\n\
        - {path: /vswitches/vSwitch0/teaming/failback, value: true, reason: r, expires: 2026-01-01}\n\
        - {path: /port_groups/a~1b, value: {vlan: 7}, reason: r}\n\
        - {path: /vmkernels/vmk1/mtu, value: null, reason: r}\n";
    let repository = repository(NETWORK, &[("h1", host)]);
    assert_eq!(repository.findings, []);
    let resolved = resolve(&repository, "h1");
    assert_eq!(resolved.findings, []);
    let json = serde_json::to_value(resolved.desired.unwrap()).unwrap();
    assert_eq!(json["vswitches"]["vSwitch0"]["uplinks"], serde_json::json!(["vmnic3", "vmnic4"]));
    assert_eq!(json["vswitches"]["vSwitch0"]["teaming"], serde_json::json!({"failback": true}));
    assert_eq!(json["port_groups"]["a/b"], serde_json::json!({"vlan": 7}));
    assert_eq!(json["vmkernels"]["vmk1"], serde_json::json!({"port_group": "vMotion", "ipv4": "dhcp"}));
}

#[test]
fn equal_findings_of_many_hosts_are_told_once() {
    let hosts = [("h1", ""), ("h2", ""), ("h3", "values: {vlan: 5}")];
    let repository = repository("port_groups: {A: {vlan: \"${host.vlan}\"}}\n", &hosts);
    let (resolved, findings) = resolve_all(&repository, None);
    let told: Vec<String> = findings.iter().map(ToString::to_string).collect();
    let expected = "groups/g/network.yaml:1:25: error[DOC-030]: h1: `${host.vlan}` has no value (and 1 more host); \
                    add `vlan` below `values` in groups/g/hosts/h1.yaml";
    assert_eq!(told, [expected]);
    assert_eq!(findings[0].component, Component::PortGroup);
    let with_network: Vec<&str> =
        resolved.iter().filter(|(_, r)| r.desired.is_some()).map(|(h, _)| h.as_str()).collect();
    assert_eq!(with_network, ["h3"]);
}

#[test]
fn a_host_never_gets_a_network_from_half_understood_documents() {
    let good = "uplinks: {a: vmnic3}\nvalues: {ipv4: dhcp}\n";
    let cases = [
        (format!("{NETWORK}prune: false\nprune: true\n"), good.to_owned()),
        (NETWORK.to_owned(), format!("{good}colour: red\n")),
        (NETWORK.to_owned(), format!("{good}overrides: [{{path: /vswitches/x/y, value: 1, reason: r}}]\n")),
        (NETWORK.to_owned(), "a: [".to_owned()),
    ];
    for (network, host) in cases {
        let repository = repository(&network, &[("h1", &host)]);
        let resolved = resolve(&repository, "h1");
        let errors = repository.findings.iter().chain(&resolved.findings).filter(|f| f.is_error()).count();
        assert_eq!((resolved.desired, errors), (None, 1), "{host}");
    }
    let mut unknown_site = repository(NETWORK, &[("h1", good)]);
    unknown_site.site_known = false;
    assert_eq!(resolve(&unknown_site, "h1").desired, None);
}

#[test]
fn an_unknown_group_is_a_finding() {
    let repository = Repository::default();
    let resolved = resolve(&repository, "h1");
    assert_eq!(resolved.findings[0].rule, rules::UNKNOWN_REFERENCE);
}

#[test]
fn a_broken_network_of_many_hosts_ends_in_time() {
    let mut network = String::from("port_groups:\n");
    for at in 0..3000 {
        network.push_str(&format!("  P{at}: {{v: 1}}\n"));
    }
    let names: Vec<String> = (0..2000).map(|at| format!("h{at}")).collect();
    let hosts: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let (_, findings) = resolve_all(&repository(&network, &hosts), None);
    assert!(findings.iter().any(|f| f.message.contains("more hosts of the group are not checked")));
}

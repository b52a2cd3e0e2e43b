//! Tests of file names and of hosts out of recordings.

use super::{Claim, assemble_from_recordings, claim, recorded_failure};
use crate::formatter::Formatter;
use crate::query::{Query, ReadCommand};
use model::{VmnicName, VswitchName};

#[test]
fn file_names_are_claimed() {
    let read = |query, formatter, variant| Claim::Read { query, formatter, variant };
    assert_eq!(claim("network-nic-list.xml"), read(Query::all(ReadCommand::NicList), Formatter::Xml, 1));
    assert_eq!(claim("network-nic-list.txt.12"), read(Query::all(ReadCommand::NicList), Formatter::Text, 12));
    let policy = Query::about(ReadCommand::PortGroupFailoverGet, "VM Network");
    let name = "network-vswitch-standard-portgroup-policy-failover-get@VM%20Network.json";
    assert_eq!(claim(name), read(policy, Formatter::Json, 1));
    let generic =
        Claim::Generic { command: "network firewall ruleset list".to_owned(), formatter: Formatter::Text };
    assert_eq!(claim("network-firewall-ruleset-list.txt"), generic);
    assert!(matches!(claim("network-vm-list.err.2"), Claim::Failure { query: Some(_), .. }));
    assert!(matches!(claim("PARSE-invalid-option.err"), Claim::Failure { query: None, .. }));
    for name in [
        "esxcfg-nics-l.txt",
        "vmware-vl.txt",
        "configstore-esx-network_vss.json",
        "HELP-namespace-network-ip.txt",
        "INDEX.md",
        "network-nic-list.soapxml",
        "network-nic-list.values.json",
        "README",
        "network.txt",
        "",
    ] {
        assert!(matches!(claim(name), Claim::Unclaimed { .. }), "{name}");
    }
}

#[test]
fn a_host_out_of_recordings() {
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let switch = |mtu: u32| {
        format!(
            "vSwitch0\n   Name: vSwitch0\n   MTU: {mtu}\n   CDP Status: listen\n   Uplinks: \n   Portgroups: \n"
        )
    };
    let files = [
        file("network-vswitch-standard-list.txt.2", &switch(1500)),
        file("network-vswitch-standard-list.txt", &switch(9000)),
        file(
            "network-vswitch-standard-policy-security-get@vSwitch0.json",
            r#"{"AllowForgedTransmits": false, "AllowMACAddressChange": false, "AllowPromiscuous": false}"#,
        ),
        file("network-vswitch-standard-policy-shaping-get.txt", "   Enabled: false\n"),
        file("network-nic-list.csv", "Duplex,Link,MACAddress,Name,\nFull,Up,00:50:56:00:00:01,vmnic0,\n"),
        file("network-nic-get.txt", "   Auto Negotiation: true\n   Name: vmnic0\n"),
        file("network-vm-list.err", "Error: Unknown command or namespace network vm list\n"),
        file("network-ip-netstack-list.json", "oops"),
        file("esxcfg-route.txt", "VMkernel default gateway is 172.16.200.2\n"),
    ];
    let (host, problems) = assemble_from_recordings(&files);
    let switches = host.vswitches.read().expect("switches");
    let found = &switches[&VswitchName::new("vSwitch0").expect("a name")];
    assert_eq!(found.mtu.read().map(|m| m.get()), Some(9000), "the lowest number counts");
    assert!(found.security.read().is_some() && found.teaming.reason().is_some());
    let nics = host.nics.read().expect("nics");
    assert_eq!(nics[&VmnicName::new("vmnic0").expect("a name")].auto_negotiation.read(), Some(&true));
    assert!(host.vms.reason().is_some_and(|r| r.contains("not in this release")));
    assert!(host.netstacks.reason().is_some());
    let about: Vec<&str> = problems.iter().map(|p| p.file.as_str()).collect();
    assert_eq!(
        about,
        [
            "esxcfg-route.txt",
            "network-vswitch-standard-policy-shaping-get.txt",
            "network-ip-netstack-list.json"
        ]
    );
    assert!(problems[1].to_string().contains("@NAME"));
}

#[test]
fn a_recorded_failure_keeps_its_text() {
    assert_eq!(recorded_failure("Something new\n").stdout, "Something new\n");
}

//! Tests of the observation: rounds of queries, fingerprint, and what they add up to.

use super::{Answers, assemble, detail_queries, fingerprint, fingerprint_queries, management_vmk};
use crate::error::classify;
use crate::formatter::Formatter;
use crate::query::{Query, ReadCommand};
use model::{
    InheritedField, Known, LinkState, ObservedIpv4, ObservedNetwork, PortGroupName, ShapingPolicy,
    VmkAttachment, VmkName, VswitchName, Wall,
};

/// A small 8.0 host: what each query prints in text; what is not here fails as an unknown command.
pub(super) fn host(query: &Query) -> Result<String, String> {
    use ReadCommand as C;
    let subject = query.subject.as_deref().unwrap_or_default();
    let own = subject == "Storage";
    let text = match query.command {
        C::VswitchList => "vSwitch0\n   Name: vSwitch0\n   Class: cswitch\n   Num Ports: 2560\n   Used Ports: 5\n   MTU: 1500\n   CDP Status: listen\n   Uplinks: vmnic1, vmnic0\n   Portgroups: Management Network, Storage\n".to_owned(),
        C::PortGroupList => "Name                Virtual Switch  Active Clients  VLAN ID\n------------------  --------------  --------------  -------\nManagement Network  vSwitch0                     1        0\nStorage             vSwitch0                     0       42\n".to_owned(),
        C::InterfaceList => "vmk0\n   Name: vmk0\n   MAC Address: 00:50:56:00:00:01\n   Enabled: true\n   Portset: vSwitch0\n   Portgroup: Management Network\n   Netstack Instance: defaultTcpipStack\n   VDS Name: N/A\n   MTU: 1500\n   Port ID: 33554436\n\nvmk1\n   Name: vmk1\n   MAC Address: 00:50:56:00:00:02\n   Enabled: true\n   Portset: DvsPortset-0\n   Portgroup: N/A\n   Netstack Instance: vmotion\n   VDS Name: DSwitch\n   MTU: 9000\n   Port ID: 67108866\n".to_owned(),
        C::Ipv4Get if subject.is_empty() => "Name  IPv4 Address  IPv4 Netmask   IPv4 Broadcast  Address Type  Gateway   DHCP DNS\n----  ------------  -------------  --------------  ------------  --------  --------\nvmk0  10.0.0.11     255.255.255.0  10.0.0.255      STATIC        10.0.0.1     false\n".to_owned(),
        C::Ipv4Get => "Name  IPv4 Address  IPv4 Netmask   IPv4 Broadcast  Address Type  Gateway  DHCP DNS\n----  ------------  -------------  --------------  ------------  -------  --------\nvmk1  10.7.0.11     255.255.255.0  10.7.0.255      DHCP          0.0.0.0     false\n".to_owned(),
        C::Ipv6Get => format!("Name  DHCPv6 Enabled  Router Adv Enabled  DHCP DNS\n----  --------------  ------------------  --------\n{}           false                true     false\n", if subject.is_empty() { "vmk0" } else { subject }),
        C::Ipv6AddressList => "Interface  Address       Netmask  Type    Status\n---------  ------------  -------  ------  ---------\nvmk0       fe80::1            64  STATIC  PREFERRED\nvmk0       2001:db8::11       64  STATIC  PREFERRED\n".to_owned(),
        C::TagGet => format!("   Tags: {}\n", if subject == "vmk0" { "Management" } else { "" }),
        C::NicList => "Name    PCI Device    Driver  Admin Status  Link Status  Speed  Duplex  MAC Address         MTU  Description\n------  ------------  ------  ------------  -----------  -----  ------  -----------------  ----  -----------\nvmnic0  0000:02:00.0  ntg3    Up            Up            1000  Full    20:67:7c:00:00:01  1500  Broadcom Corporation\nvmnic1  0000:02:00.1  ntg3    Down          Down             0  Half    XX:XX:XX:XX:XX:XX  1500  Broadcom Corporation\n".to_owned(),
        C::NicGet => format!("   Auto Negotiation: true\n   Link Status: Up \n   Name: {subject}\n"),
        C::NetstackList => "defaultTcpipStack\n   Key: defaultTcpipStack\n   Name: defaultTcpipStack\n   State: 4660\n\nvmotion\n   Key: vmotion\n   Name: vmotion\n   State: 4660\n".to_owned(),
        C::RouteIpv4List if subject.is_empty() => "Network   Netmask        Gateway   Interface  Source\n--------  -------------  --------  ---------  ------\ndefault   0.0.0.0        10.0.0.1  vmk0       MANUAL\n10.0.0.0  255.255.255.0  0.0.0.0   vmk0       MANUAL\n".to_owned(),
        C::RouteIpv4List => String::new(),
        C::DnsServerList => "   DNSServers: 10.0.0.53\n".to_owned(),
        C::DnsSearchList => "   DNSSearch Domains: \n".to_owned(),
        C::VmList => "World ID  Name  Num Ports  Networks\n--------  ----  ---------  --------\n 2270220  web           1  Storage\n".to_owned(),
        C::VswitchFailoverGet => teaming(""),
        C::PortGroupFailoverGet => teaming(&format!("   Override Vswitch Load Balancing: false\n   Override Vswitch Network Failure Detection: false\n   Override Vswitch Notify Switches: false\n   Override Vswitch Failback: false\n   Override Vswitch Uplinks: {own}\n")),
        C::VswitchSecurityGet => security(""),
        C::PortGroupSecurityGet => security(&format!("   Override Vswitch Allow Promiscuous: {own}\n   Override Vswitch Allow MAC Address Change: false\n   Override Vswitch Allow Forged Transmits: false\n")),
        C::VswitchShapingGet => "   Enabled: false\n   Average Bandwidth: -1 Kbps\n   Peak Bandwidth: -1 Kbps\n   Burst Size: -1 Kib\n".to_owned(),
        C::PortGroupShapingGet => format!("   Enabled: {own}\n   Average Bandwidth: 1000 Kbps\n   Peak Bandwidth: 2000 Kbps\n   Burst Size: 512 Kib\n   Override Vswitch Enabled: {own}\n   Override Vswitch Average Bandwidth: {own}\n   Override Vswitch Peak Bandwidth: {own}\n   Override Vswitch Burst Size: {own}\n"),
        C::SystemVersionGet => "   Product: VMware ESXi\n   Version: 8.0.3\n   Build: Releasebuild-25205845\n   Update: 3\n   Patch: 95\n".to_owned(),
        C::SystemHostnameGet => "   Domain Name: lab.example\n   Fully Qualified Domain Name: esx1.lab.example\n   Host Name: esx1\n".to_owned(),
        C::SystemUuidGet => "5f0c7e3a-0000-0000-0000-001122334455\n".to_owned(),
        C::PlatformGet => "Platform Information\n   UUID: 0x1\n   Product Name: PowerEdge R650\n   Vendor Name: Dell Inc.\n".to_owned(),
        _ => return Err(format!("Error: Unknown command or namespace {}", query.command.path_str())),
    };
    Ok(text)
}

fn teaming(more: &str) -> String {
    format!(
        "   Load Balancing: srcport\n   Network Failure Detection: link\n   Notify Switches: true\n   Failback: true\n   Active Adapters: vmnic0\n   Standby Adapters: vmnic1\n   Unused Adapters: \n{more}"
    )
}

fn security(more: &str) -> String {
    format!(
        "   Allow Promiscuous: false\n   Allow MAC Address Change: false\n   Allow Forged Transmits: false\n{more}"
    )
}

fn ask(query: &Query, answers: &mut Answers) {
    let answer = match host(query) {
        Ok(text) => query.read(Formatter::Text, Some(0), &text, ""),
        Err(text) => Err(classify(Some(1), &text, "").expect("a failure").into()),
    };
    answers.insert(query.clone(), answer);
}

pub(super) fn observe() -> (Answers, Vec<usize>) {
    let mut answers = Answers::new();
    let mut rounds = Vec::new();
    let mut round = fingerprint_queries();
    while !round.is_empty() {
        rounds.push(round.len());
        for query in &round {
            ask(query, &mut answers);
        }
        round = detail_queries(&answers);
    }
    (answers, rounds)
}

pub(super) fn assembled(answers: &Answers) -> ObservedNetwork {
    assemble(answers, Wall(7))
}

fn vmk(name: &str) -> VmkName {
    VmkName::new(name).expect("a name")
}

#[test]
fn rounds_end_and_name_what_is_needed() {
    let (answers, rounds) = observe();
    // 7 lists; then 7 once + 3 per switch, 3 per port group, 1 per NIC, 3 per netstack, 1 tag get
    // per adapter, and the netstack of vmk1 for its IPv4; then vmk1 by name for its IPv6.
    assert_eq!(rounds, [7, 7 + 3 + 2 * 3 + 2 + 2 * 3 + 2 + 1, 1]);
    assert_eq!(detail_queries(&answers), []);
    assert!(answers.contains_key(&Query::about(ReadCommand::Ipv4Get, "vmotion")));
}

#[test]
fn a_host_is_assembled() {
    let (answers, _) = observe();
    let host = assembled(&answers);
    assert_eq!((host.taken_at, host.facts.hostname.as_str()), (Wall(7), "esx1.lab.example"));
    assert_eq!(
        (host.facts.build.as_str(), host.facts.uuid.as_str()),
        ("25205845", "5f0c7e3a-0000-0000-0000-001122334455")
    );
    assert_eq!(host.management_vmk, Known::Read(Some(vmk("vmk0"))));
    let switch = &host.vswitches.read().expect("switches")[&VswitchName::new("vSwitch0").expect("a name")];
    assert_eq!(switch.uplinks.read().map(|u| u.len()), Some(2));
    assert_eq!(switch.shaping, Known::Read(ShapingPolicy::Off));
    let groups = host.port_groups.read().expect("port groups");
    let storage = &groups[&PortGroupName::new("Storage").expect("a name")];
    assert!(matches!(storage.shaping.read(), Some(InheritedField::Own(ShapingPolicy::On(_)))));
    assert!(matches!(storage.teaming.read().map(|t| &t.uplinks), Some(InheritedField::Own(_))));
    assert!(matches!(storage.teaming.read().map(|t| &t.failback), Some(InheritedField::Inherited(true))));
    let nics = host.nics.read().expect("nics");
    let (_, second) = nics.iter().nth(1).expect("two NICs");
    assert_eq!(second.admin, Known::Read(LinkState::Down));
    assert!(second.mac.reason().is_some(), "a masked address is unreadable, not invented");
    assert_eq!(host.netstacks.read().map(|n| n.len()), Some(2));
    assert_eq!(host.vms.read().map(|v| v[0].networks.clone()), Some(vec!["Storage".to_owned()]));
    assert_eq!(host.dvs, Known::Read(vec![]), "a release without the command has no distributed switch");
}

#[test]
fn adapters_of_distributed_switches_are_kept_apart() {
    let (answers, _) = observe();
    let host = assembled(&answers);
    let vmks = host.vmkernels.read().expect("adapters");
    assert_eq!(vmks[&vmk("vmk1")].attachment, VmkAttachment::Distributed("DSwitch".to_owned()));
    assert!(matches!(vmks[&vmk("vmk1")].ipv4.read(), Some(ObservedIpv4::Dhcp { address: Some(_) })));
    assert_eq!(
        vmks[&vmk("vmk0")].ipv6.read().map(|v| v.addresses.len()),
        Some(1),
        "link-local is not configured"
    );
    assert!(vmks[&vmk("vmk1")].ipv6.read().is_some(), "asked by name in the third round");
}

#[test]
fn what_fails_is_unreadable_and_never_absent() {
    let (complete, _) = observe();
    for query in complete.keys() {
        let mut answers = complete.clone();
        answers.insert(query.clone(), query.read(Formatter::Text, Some(1), "Connection refused", ""));
        let host = assembled(&answers);
        assert_ne!(serde_json::to_string(&host).ok(), None);
        let same_size = |list: Option<usize>, full: usize| list.is_none_or(|len| len == full);
        assert!(same_size(host.vswitches.read().map(|m| m.len()), 1), "{query}");
        assert!(same_size(host.port_groups.read().map(|m| m.len()), 2), "{query}");
        assert!(same_size(host.vmkernels.read().map(|m| m.len()), 2), "{query}");
        assert!(same_size(host.nics.read().map(|m| m.len()), 2), "{query}");
        assert!(same_size(host.netstacks.read().map(|m| m.len()), 2), "{query}");
        assert!(same_size(host.vms.read().map(|m| m.len()), 1), "{query}");
    }
    let nothing = assembled(&Answers::new());
    for reason in
        [nothing.vswitches.reason(), nothing.nics.reason(), nothing.dvs.reason(), nothing.vms.reason()]
    {
        assert!(reason.is_some_and(|r| r.contains("not asked")));
    }
    assert!(nothing.management_vmk.reason().is_some());
}

#[test]
fn a_name_the_model_cannot_hold_makes_the_list_unreadable() {
    let (mut answers, _) = observe();
    let query = Query::all(ReadCommand::PortGroupList);
    let csv = "ActiveClients,Name,VLANID,VirtualSwitch,\n0,-dash,1,vSwitch0,\n";
    answers.insert(query.clone(), query.read(Formatter::Csv, Some(0), csv, ""));
    assert!(assembled(&answers).port_groups.reason().is_some_and(|r| r.contains("-dash")));
}

#[test]
fn fingerprints_ignore_what_moves_by_itself() {
    let (answers, _) = observe();
    let before = fingerprint(&answers);
    assert!(
        before.contains("Name=vSwitch0") && !before.contains("UsedPorts") && !before.contains("33554436")
    );
    let with = |command: ReadCommand, from: &str, to: &str| {
        let mut changed = answers.clone();
        let query = Query::all(command);
        let text = host(&query).expect("text").replace(from, to);
        changed.insert(query.clone(), query.read(Formatter::Text, Some(0), &text, ""));
        fingerprint(&changed)
    };
    assert_eq!(with(ReadCommand::VswitchList, "Used Ports: 5", "Used Ports: 6"), before);
    assert_eq!(with(ReadCommand::VmList, "2270220", "2270221"), before);
    assert_eq!(with(ReadCommand::InterfaceList, "33554436", "33554437"), before);
    assert_ne!(with(ReadCommand::VswitchList, "MTU: 1500", "MTU: 9000"), before);
    assert_ne!(with(ReadCommand::PortGroupList, "42", "43"), before);
    let mut failed = answers.clone();
    failed.insert(
        Query::all(ReadCommand::NicList),
        Query::all(ReadCommand::NicList).read(Formatter::Text, Some(1), "x", ""),
    );
    assert_ne!(fingerprint(&failed), before);
}

#[test]
fn the_management_adapter_follows_the_route_to_the_coordinator() {
    let (mut answers, _) = observe();
    let query = Query::all(ReadCommand::RouteIpv4List);
    let routes = "Gateway,Interface,Netmask,Network,Source,\n10.0.0.1,vmk0,0.0.0.0,default,MANUAL,\n10.0.0.2,vmk1,255.255.0.0,10.9.0.0,MANUAL,\n";
    answers.insert(query.clone(), query.read(Formatter::Csv, Some(0), routes, ""));
    let host = assembled(&answers);
    assert_eq!(management_vmk(&host, "10.9.1.1".parse().ok()), Known::Read(Some(vmk("vmk1"))));
    assert_eq!(management_vmk(&host, "192.0.2.1".parse().ok()), Known::Read(Some(vmk("vmk0"))));
    assert_eq!(management_vmk(&host, None), Known::Read(Some(vmk("vmk0"))));
    answers.remove(&query);
    assert_eq!(
        assembled(&answers).management_vmk,
        Known::Read(Some(vmk("vmk0"))),
        "the tag decides without routes"
    );
}

#[test]
fn a_release_without_netstacks_has_the_default_one() {
    let (mut answers, _) = observe();
    let query = Query::all(ReadCommand::NetstackList);
    answers.insert(
        query.clone(),
        query.read(Formatter::Text, Some(1), "Error: Unknown command or namespace x", ""),
    );
    assert_eq!(assembled(&answers).netstacks.read().map(|n| n.len()), Some(1));
}

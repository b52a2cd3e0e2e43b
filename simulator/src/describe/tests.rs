//! Host descriptions become hosts that answer with the described values.

use super::*;
use model::{HostFacts, SecurityPolicy, ServiceTag, VmkName, Wall};
use std::collections::{BTreeMap, BTreeSet};

fn vswitch() -> ObservedVswitch {
    ObservedVswitch {
        mtu: Known::Read(model::Mtu::new(9000).unwrap()),
        cdp: Known::Read(model::CdpStatus::Both),
        uplinks: Known::Read(["vmnic0".parse().unwrap(), "vmnic1".parse().unwrap()].into()),
        teaming: Known::Read(TeamingPolicy {
            load_balancing: model::LoadBalancing::SourceMac,
            failure_detection: model::FailureDetection::Link,
            notify_switches: true,
            failback: false,
            uplinks: model::UplinkOrder { active: vec!["vmnic0".parse().unwrap()], standby: Vec::new() },
        }),
        security: Known::Read(SecurityPolicy {
            allow_promiscuous: false,
            allow_mac_change: true,
            allow_forged_transmits: false,
        }),
        shaping: Known::Read(ShapingPolicy::Off),
    }
}

fn description() -> ObservedNetwork {
    let vmk = ObservedVmk {
        attachment: VmkAttachment::PortGroup("Management Network".parse().unwrap()),
        netstack: model::NetstackName::default_stack(),
        enabled: true,
        mac: Known::Read("00:50:56:01:02:03".parse().unwrap()),
        mtu: Known::Read(model::Mtu::new(1500).unwrap()),
        ipv4: Known::Read(ObservedIpv4::Static { address: "10.10.0.9/16".parse().unwrap(), gateway: None }),
        ipv6: Known::Read(model::ObservedIpv6::default()),
        services: Known::Read(BTreeSet::from([ServiceTag::management()])),
    };
    ObservedNetwork {
        taken_at: Wall(0),
        facts: HostFacts {
            hostname: "esx9.example.net".into(),
            version: "7.0.3".into(),
            ..HostFacts::default()
        },
        management_vmk: Known::Read(None),
        vswitches: Known::Read(BTreeMap::from([("vSwitch0".parse().unwrap(), vswitch())])),
        port_groups: Known::Read(BTreeMap::from([("Management Network".parse().unwrap(), port_group())])),
        vmkernels: Known::Read(BTreeMap::from([("vmk0".parse::<VmkName>().unwrap(), vmk)])),
        nics: Known::Read(BTreeMap::new()),
        netstacks: Known::Read(BTreeMap::new()),
        vms: Known::Read(Vec::new()),
        dvs: Known::Read(Vec::new()),
    }
}

fn port_group() -> ObservedPortGroup {
    use InheritedField::{Inherited, Own};
    ObservedPortGroup {
        vswitch: "vSwitch0".parse().unwrap(),
        vlan: Known::Read(model::Vlan::try_from(10_u64).unwrap()),
        active_clients: 1,
        teaming: Known::Read(model::ObservedPortGroupTeaming {
            load_balancing: Own(model::LoadBalancing::IpHash),
            failure_detection: Inherited(model::FailureDetection::Link),
            notify_switches: Inherited(true),
            failback: Inherited(false),
            uplinks: Inherited(model::UplinkOrder::default()),
        }),
        security: Known::Read(model::ObservedPortGroupSecurity {
            allow_promiscuous: Own(true),
            allow_mac_change: Inherited(true),
            allow_forged_transmits: Inherited(false),
        }),
        shaping: Known::Read(Own(ShapingPolicy::Off)),
    }
}

#[test]
fn a_described_host_answers_as_described() {
    let mut host = Host::from_description(&description()).unwrap();
    assert_eq!(host.running, host.saved);
    let mut ask = |line: &str| host.run(&line.split(' ').collect::<Vec<_>>()).stdout;
    let policy = ask("network vswitch standard policy failover get -v vSwitch0");
    assert!(policy.contains("srcmac") && policy.contains("   Unused Adapters: vmnic1\n"), "{policy}");
    let csv = ask("--formatter=csv network vswitch standard list");
    assert!(csv.contains(",both,cswitch,128,9000,vSwitch0,"), "{csv}");
    assert!(ask("system hostname get").contains("   Domain Name: example.net\n"));
    assert!(ask("network ip interface tag get -i vmk0").contains("Management"));
    let group = host.running.port_group("Management Network").unwrap();
    assert_eq!(group.vlan, 10);
    assert_eq!(group.failover.load_balancing, Some(LoadBalancing::IpHash));
    assert_eq!(group.failover.failback, None);
    assert_eq!(group.security.promiscuous, Some(true));
    assert_eq!(group.shaping.enabled, Some(false));
}

#[test]
fn an_unreadable_part_is_refused_by_name() {
    let mut broken = description();
    broken.port_groups = Known::unreadable("esxcli timed out");
    let text = Host::from_description(&broken).unwrap_err().to_string();
    assert!(text.contains("port_groups") && text.contains("esxcli timed out"), "{text}");
}

#[test]
fn a_described_host_is_made_again_from_its_description() {
    use crate::fleet::{FleetRequest, make_host};
    for number in 1..=4 {
        let request = FleetRequest { count: 4, group: "lab".into(), version: "8.0".into() };
        let mut host = make_host(&request, number);
        for line in [
            "network vswitch standard policy shaping set -v vSwitch1 -e true -b 1000 -k 2000 -t 64",
            "network vswitch standard portgroup policy shaping set -p app-db -e false",
            "network vswitch standard portgroup policy security set -p app-web -o true",
            "network vswitch standard policy failover set -v vSwitch0 -l explicit",
            "network ip netstack add -N vmotion",
            "network ip interface add -p app-web -N vmotion",
            "network ip interface ipv4 set -i vmk2 -t static -I 10.30.0.9 -N 255.255.255.0 -g 10.30.0.1",
            "network ip route ipv4 add -N vmotion -n 10.31.0.0/16 -g 10.30.0.1",
            "network ip interface ipv6 address add -i vmk2 -I fd00::9/64",
            "network nic set -n vmnic2 -S 1000 -D full",
            "network nic down -n vmnic3",
        ] {
            let output = host.run(&line.split(' ').collect::<Vec<_>>());
            assert_eq!(output.exit_code, 0, "{line}: {}", output.stdout);
        }
        let first = host.describe(Wall(7)).unwrap();
        let text = serde_json::to_string(&first).unwrap();
        let mut again = Host::from_description(&serde_json::from_str(&text).unwrap()).unwrap();
        again.fabric = host.fabric.clone();
        assert_eq!(again.describe(Wall(7)).unwrap(), first);
    }
}

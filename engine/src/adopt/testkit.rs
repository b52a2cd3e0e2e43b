//! Made-up hosts for tests; the coordinator's tests use them too.

use model::{
    CdpStatus, Duplex, FailureDetection, HostFacts, InheritedField, Ipv4Cidr, Known, LinkState,
    LoadBalancing, MacAddress, Mtu, NetstackName, ObservedIpv4, ObservedIpv6, ObservedNetstack,
    ObservedNetwork, ObservedNic, ObservedPortGroup, ObservedPortGroupSecurity, ObservedPortGroupTeaming,
    ObservedRoute, ObservedVmk, ObservedVswitch, PortGroupName, RouteNetwork, SecurityPolicy, ServiceTag,
    ShapingPolicy, TeamingPolicy, UplinkOrder, Vlan, VmkAttachment, VmkName, VmnicName, VswitchName, Wall,
};
use std::net::Ipv4Addr;

pub fn nic(name: &str) -> VmnicName {
    VmnicName::new(name).unwrap()
}

fn inherited<T>(value: T) -> InheritedField<T> {
    InheritedField::Inherited(value)
}

/// A plain host: one switch on two NICs, a management adapter, a network for virtual machines.
pub fn host(name: &str, number: u8) -> ObservedNetwork {
    let order = UplinkOrder { active: vec![nic("vmnic0"), nic("vmnic1")], standby: vec![] };
    let switch = ObservedVswitch {
        mtu: Known::Read(Mtu::DEFAULT),
        cdp: Known::Read(CdpStatus::Listen),
        uplinks: Known::Read([nic("vmnic0"), nic("vmnic1")].into()),
        teaming: Known::Read(TeamingPolicy {
            load_balancing: LoadBalancing::PortId,
            failure_detection: FailureDetection::Link,
            notify_switches: true,
            failback: true,
            uplinks: order.clone(),
        }),
        security: Known::Read(SecurityPolicy {
            allow_promiscuous: false,
            allow_mac_change: false,
            allow_forged_transmits: false,
        }),
        shaping: Known::Read(ShapingPolicy::Off),
    };
    let vswitch = VswitchName::new("vSwitch0").unwrap();
    let group = |vlan: u64| port_group(&vswitch, &order, vlan);
    let vmk0 = vmk("Management Network", Ipv4Addr::new(10, 0, 10, number));
    let route = ObservedRoute {
        network: RouteNetwork::Default,
        gateway: Some(Ipv4Addr::new(10, 0, 10, 1)),
        vmk: Some(VmkName::new("vmk0").unwrap()),
    };
    let stack = ObservedNetstack {
        routes: Known::Read(vec![route]),
        dns_servers: Known::Read(vec![Ipv4Addr::new(10, 0, 0, 53).into()]),
        dns_search: Known::Read(vec!["example.net".to_owned()]),
    };
    ObservedNetwork {
        taken_at: Wall(1_800_000_000_000),
        facts: HostFacts { hostname: format!("{name}.example.net"), ..HostFacts::default() },
        management_vmk: Known::Read(Some(VmkName::new("vmk0").unwrap())),
        vswitches: Known::Read([(vswitch.clone(), switch)].into()),
        port_groups: Known::Read(
            [("Management Network", group(10)), ("VM Network", group(30))]
                .map(|(name, group)| (PortGroupName::new(name).unwrap(), group))
                .into(),
        ),
        vmkernels: Known::Read([(VmkName::new("vmk0").unwrap(), vmk0)].into()),
        nics: Known::Read([0_u8, 1, 2, 3].map(observed_nic).into()),
        netstacks: Known::Read([(NetstackName::default_stack(), stack)].into()),
        vms: Known::Read(vec![]),
        dvs: Known::Read(vec![]),
    }
}

fn observed_nic(number: u8) -> (VmnicName, ObservedNic) {
    let found = ObservedNic {
        driver: "ixgben".to_owned(),
        pci: format!("0000:18:00.{number}"),
        mac: Known::Read(MacAddress::new([0, 0x50, 0x56, 0, 0, number])),
        admin: Known::Read(LinkState::Up),
        link: LinkState::Up,
        speed_mbps: 10_000,
        duplex: Duplex::Full,
        auto_negotiation: Known::Read(true),
        description: String::new(),
    };
    (nic(&format!("vmnic{number}")), found)
}

fn port_group(vswitch: &VswitchName, order: &UplinkOrder, vlan: u64) -> ObservedPortGroup {
    ObservedPortGroup {
        vswitch: vswitch.clone(),
        vlan: Known::Read(Vlan::try_from(vlan).unwrap()),
        active_clients: 0,
        teaming: Known::Read(ObservedPortGroupTeaming {
            load_balancing: inherited(LoadBalancing::PortId),
            failure_detection: inherited(FailureDetection::Link),
            notify_switches: inherited(true),
            failback: inherited(true),
            uplinks: inherited(order.clone()),
        }),
        security: Known::Read(ObservedPortGroupSecurity {
            allow_promiscuous: inherited(false),
            allow_mac_change: inherited(false),
            allow_forged_transmits: inherited(false),
        }),
        shaping: Known::Read(inherited(ShapingPolicy::Off)),
    }
}

pub fn vmk(group: &str, address: Ipv4Addr) -> ObservedVmk {
    ObservedVmk {
        attachment: VmkAttachment::PortGroup(PortGroupName::new(group).unwrap()),
        netstack: NetstackName::default_stack(),
        enabled: true,
        mac: Known::Read(MacAddress::new([0, 0x50, 0x56, 1, 0, address.octets()[3]])),
        mtu: Known::Read(Mtu::DEFAULT),
        ipv4: Known::Read(ObservedIpv4::Static {
            address: Ipv4Cidr::new(address, 24).unwrap(),
            gateway: None,
        }),
        ipv6: Known::Read(ObservedIpv6::default()),
        services: Known::Read([ServiceTag::management()].into()),
    }
}

//! Clean fleets of six archetypes, in variants. On none of them may any rule find anything.

use engine::rules::{GroupInput, HostInput, Verdict, group, host};
use model::{
    Cabling, CdpStatus, Duplex, FailureDetection, HostFacts, HostGroupId, HostId, InheritedField, Ipv4Cidr,
    Known, LinkState, LoadBalancing, MacAddress, Mtu, Naming, NetstackName, ObservedIpv4, ObservedIpv6,
    ObservedNetstack, ObservedNetwork, ObservedNic, ObservedPortGroup, ObservedPortGroupSecurity,
    ObservedPortGroupTeaming, ObservedRoute, ObservedVm, ObservedVmk, ObservedVswitch, Plan, PortGroupName,
    RouteNetwork, SecurityPolicy, ServiceTag, ShapingPolicy, SiteDocument, SiteMaxima, SiteRole,
    StorageProtocol, SwitchPort, TeamingPolicy, UplinkOrder, Vlan, VlanFacts, VlanId, VmkAttachment, VmkName,
    VmnicName, VswitchName, Waiver, Wall,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

pub const TODAY: &str = "2026-01-15";
/// Variants of each archetype.
const VARIANTS: u8 = 12;
const HOSTS: u8 = 3;
const VERSIONS: [&str; 4] = ["6.7.0", "7.0.3", "8.0.3", "9.0.0"];
/// PCI addresses: two cards with two ports each.
const SLOTS: [&str; 4] = ["0000:18:00.0", "0000:3b:00.0", "0000:18:00.1", "0000:3b:00.1"];

#[derive(Clone)]
pub struct Host {
    pub id: HostId,
    pub uplinks: BTreeMap<String, VmnicName>,
    pub domain: String,
    pub before: ObservedNetwork,
    pub after: ObservedNetwork,
    pub plan: Option<Plan>,
}

#[derive(Clone)]
pub struct World {
    pub archetype: &'static str,
    pub name: String,
    pub variant: u8,
    pub site: SiteDocument,
    pub hosts: Vec<Host>,
    pub canary: usize,
    pub max_parallel: usize,
}

impl World {
    /// What all rules say of the world.
    pub fn verdict(&self) -> Verdict {
        let name = HostGroupId::new("prod").unwrap();
        let inputs: Vec<HostInput<'_>> = self.hosts.iter().map(|own| self.input(own, &name)).collect();
        let mut verdict = Verdict::default();
        inputs.iter().for_each(|input| verdict.add(host(input)));
        verdict.add(group(&GroupInput {
            hosts: &inputs,
            canary: self.canary,
            max_parallel: self.max_parallel,
        }));
        verdict
    }

    fn input<'a>(&'a self, own: &'a Host, group: &'a HostGroupId) -> HostInput<'a> {
        HostInput {
            host: &own.id,
            group,
            before: Some(&own.before),
            after: &own.after,
            plan: own.plan.as_ref(),
            documents: None,
            uplinks: &own.uplinks,
            failure_domain: Some(&own.domain),
            site: &self.site,
            today: Some(TODAY),
        }
    }
}

/// One traffic of an archetype.
struct Traffic {
    port_group: &'static str,
    vswitch: &'static str,
    /// Active and standby; none means as the switch.
    order: Option<(&'static [u8], &'static [u8])>,
    failback: Option<bool>,
    tag: Option<&'static str>,
    netstack: &'static str,
    role: &'static str,
    mtu: u32,
}

const PLAIN: Traffic = Traffic {
    port_group: "Management",
    vswitch: "vSwitch0",
    order: None,
    failback: None,
    tag: Some("Management"),
    netstack: NetstackName::DEFAULT,
    role: "management",
    mtu: 1500,
};

struct Archetype {
    name: &'static str,
    switches: &'static [(&'static str, &'static [u8])],
    load_balancing: LoadBalancing,
    traffics: Vec<Traffic>,
}

const BOTH: &[u8] = &[0, 1];
const OTHERS: &[u8] = &[2, 3];

fn archetypes() -> Vec<Archetype> {
    let management = || Traffic { failback: Some(false), order: Some((&[0], &[1])), ..PLAIN };
    let vmotion =
        || Traffic { port_group: "vMotion", tag: Some("VMotion"), role: "vmotion", mtu: 9000, ..PLAIN };
    let storage = || Traffic { vswitch: "vSwitch1", tag: None, mtu: 9000, role: "iscsi", ..PLAIN };
    let port_id = LoadBalancing::PortId;
    let two_switches: &'static [(&str, &[u8])] = &[("vSwitch0", BOTH), ("vSwitch1", OTHERS)];
    vec![
        Archetype {
            name: "two_uplink",
            switches: &[("vSwitch0", BOTH)],
            load_balancing: port_id,
            traffics: vec![management(), Traffic { order: Some((&[1], &[0])), ..vmotion() }],
        },
        Archetype {
            name: "separate_management",
            switches: two_switches,
            load_balancing: port_id,
            traffics: vec![
                PLAIN,
                Traffic { vswitch: "vSwitch1", netstack: "vmotion", tag: None, ..vmotion() },
            ],
        },
        Archetype {
            name: "iscsi_bound",
            switches: two_switches,
            load_balancing: port_id,
            traffics: vec![
                management(),
                Traffic { port_group: "iSCSI-A", order: Some((&[2], &[])), ..storage() },
                Traffic { port_group: "iSCSI-B", order: Some((&[3], &[])), ..storage() },
            ],
        },
        Archetype {
            name: "vsan_vmotion",
            switches: two_switches,
            load_balancing: port_id,
            traffics: vec![
                management(),
                Traffic { vswitch: "vSwitch1", order: Some((&[2], &[3])), ..vmotion() },
                Traffic {
                    port_group: "vSAN",
                    tag: Some("VSAN"),
                    role: "vsan",
                    order: Some((&[3], &[2])),
                    ..storage()
                },
                Traffic { port_group: "FT", tag: Some("faultToleranceLogging"), role: "ft", ..storage() },
            ],
        },
        Archetype {
            name: "single_nic_edge",
            switches: &[("vSwitch0", &[0])],
            load_balancing: port_id,
            traffics: vec![PLAIN],
        },
        Archetype {
            name: "ip_hash_lag",
            switches: &[("vSwitch0", BOTH)],
            load_balancing: LoadBalancing::IpHash,
            traffics: vec![
                PLAIN,
                vmotion(),
                Traffic { port_group: "NFS", role: "nfs", tag: None, mtu: 9000, ..PLAIN },
            ],
        },
    ]
}

fn vmnics(numbers: &[u8]) -> Vec<VmnicName> {
    numbers.iter().map(|n| VmnicName::new(format!("vmnic{n}")).unwrap()).collect()
}

/// The number of a role: its VLAN is above 100 times the variant, its subnet is 10.variant.number.
const ROLES: [&str; 6] = ["management", "vmotion", "vsan", "iscsi", "nfs", "ft"];

pub fn number(role: &str) -> u8 {
    u8::try_from(ROLES.iter().position(|name| *name == role).unwrap()).unwrap() + 1
}

pub fn vlan(variant: u8, number: u8) -> VlanId {
    VlanId::new(100 * (u16::from(variant) + 1) + u16::from(number)).unwrap()
}

fn order(active: &[u8], standby: &[u8]) -> UplinkOrder {
    UplinkOrder { active: vmnics(active), standby: vmnics(standby) }
}

fn switch(uplinks: &[u8], load_balancing: LoadBalancing) -> ObservedVswitch {
    ObservedVswitch {
        mtu: Known::Read(Mtu::new(9000).unwrap()),
        cdp: Known::Read(CdpStatus::Listen),
        uplinks: Known::Read(vmnics(uplinks).into_iter().collect()),
        teaming: Known::Read(TeamingPolicy {
            load_balancing,
            failure_detection: FailureDetection::Link,
            notify_switches: true,
            failback: true,
            uplinks: order(uplinks, &[]),
        }),
        security: Known::Read(SecurityPolicy {
            allow_promiscuous: false,
            allow_mac_change: false,
            allow_forged_transmits: false,
        }),
        shaping: Known::Read(ShapingPolicy::Off),
    }
}

fn port_group(on: (&str, &ObservedVswitch), tag: VlanId, own: Option<&Traffic>) -> ObservedPortGroup {
    let (vswitch, above) = on;
    let policy = above.teaming.read().unwrap();
    let own_order = own.and_then(|traffic| traffic.order).map(|(active, standby)| order(active, standby));
    let inherit = InheritedField::Inherited::<bool>;
    ObservedPortGroup {
        vswitch: VswitchName::new(vswitch).unwrap(),
        vlan: Known::Read(Vlan::Tagged(tag)),
        active_clients: 1,
        teaming: Known::Read(ObservedPortGroupTeaming {
            load_balancing: InheritedField::Inherited(policy.load_balancing),
            failure_detection: InheritedField::Inherited(policy.failure_detection),
            notify_switches: inherit(true),
            failback: own.and_then(|own| own.failback).map_or(inherit(true), InheritedField::Own),
            uplinks: own_order.map_or(InheritedField::Inherited(policy.uplinks.clone()), InheritedField::Own),
        }),
        security: Known::Read(ObservedPortGroupSecurity {
            allow_promiscuous: inherit(false),
            allow_mac_change: inherit(false),
            allow_forged_transmits: inherit(false),
        }),
        shaping: Known::Read(InheritedField::Inherited(ShapingPolicy::Off)),
    }
}

fn address(variant: u8, third: u8, last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, variant + 1, third, last)
}

fn subnet(variant: u8, role: &str) -> Ipv4Cidr {
    Ipv4Cidr::new(address(variant, number(role), 0), 24).unwrap()
}

fn mac(host: u8, last: u8) -> MacAddress {
    MacAddress::new([0, 0x50, 0x56, 1, host, last])
}

fn vmk(traffic: &Traffic, variant: u8, last: u8, index: u8) -> ObservedVmk {
    let own = Ipv4Cidr::new(address(variant, number(traffic.role), last + 100 * index), 24).unwrap();
    ObservedVmk {
        attachment: VmkAttachment::PortGroup(PortGroupName::new(traffic.port_group).unwrap()),
        netstack: NetstackName::new(traffic.netstack).unwrap(),
        enabled: true,
        mac: Known::Read(mac(last, 100 + index)),
        mtu: Known::Read(Mtu::new(traffic.mtu).unwrap()),
        ipv4: Known::Read(ObservedIpv4::Static { address: own, gateway: None }),
        ipv6: Known::Read(ObservedIpv6::default()),
        services: Known::Read(traffic.tag.map(ServiceTag::new).into_iter().collect()),
    }
}

fn nic(host: u8, n: u8) -> ObservedNic {
    ObservedNic {
        driver: "ixgben".to_owned(),
        pci: SLOTS[usize::from(n)].to_owned(),
        mac: Known::Read(mac(host, n)),
        admin: Known::Read(LinkState::Up),
        link: LinkState::Up,
        speed_mbps: 10_000,
        duplex: Duplex::Full,
        auto_negotiation: Known::Read(true),
        description: "Intel X550".to_owned(),
    }
}

/// Port groups for machines: one to three, on the last switch.
fn machine_groups(variant: u8) -> Vec<(PortGroupName, VlanId)> {
    let name = |n: u8| PortGroupName::new(format!("VM-{n}")).unwrap();
    (0..=variant % 3).map(|n| (name(n), vlan(variant, 20 + n))).collect()
}

fn default_stack(variant: u8) -> ObservedNetstack {
    let route =
        |network, gateway| ObservedRoute { network, gateway, vmk: Some(VmkName::new("vmk0").unwrap()) };
    ObservedNetstack {
        routes: Known::Read(vec![
            route(RouteNetwork::Default, Some(address(variant, number("management"), 1))),
            route(RouteNetwork::Network(subnet(variant, "management")), None),
        ]),
        dns_servers: Known::Read(vec![
            IpAddr::V4(Ipv4Addr::new(192, 0, 2, 53)),
            IpAddr::V4(Ipv4Addr::new(192, 0, 2, 54)),
        ]),
        dns_search: Known::Read(Vec::new()),
    }
}

fn network(archetype: &Archetype, variant: u8, last: u8) -> ObservedNetwork {
    let switches: BTreeMap<VswitchName, ObservedVswitch> = archetype
        .switches
        .iter()
        .map(|(name, uplinks)| (VswitchName::new(*name).unwrap(), switch(uplinks, archetype.load_balancing)))
        .collect();
    let on = |name: &'static str| (name, &switches[&VswitchName::new(name).unwrap()]);
    let mut groups = BTreeMap::new();
    let mut vmks = BTreeMap::new();
    for (index, traffic) in (0_u8..).zip(&archetype.traffics) {
        let tag = vlan(variant, number(traffic.role));
        let name = PortGroupName::new(traffic.port_group).unwrap();
        groups.insert(name, port_group(on(traffic.vswitch), tag, Some(traffic)));
        let index = index % 2;
        let name = VmkName::new(format!("vmk{}", vmks.len())).unwrap();
        vmks.insert(name, vmk(traffic, variant, last, index));
    }
    // Bound storage has its switch for itself.
    let bound = archetype.name == "iscsi_bound";
    let machines_on = archetype.switches[if bound { 0 } else { archetype.switches.len() - 1 }].0;
    let machines = machine_groups(variant);
    for (name, tag) in &machines {
        groups.insert(name.clone(), port_group(on(machines_on), *tag, None));
    }
    let nics = archetype.switches.iter().flat_map(|(_, uplinks)| uplinks.iter());
    let mut stacks = BTreeMap::from([(NetstackName::default_stack(), default_stack(variant))]);
    if archetype.traffics.iter().any(|traffic| traffic.netstack == "vmotion") {
        let empty = ObservedNetstack {
            routes: Known::Read(Vec::new()),
            dns_servers: Known::Read(Vec::new()),
            dns_search: Known::Read(Vec::new()),
        };
        stacks.insert(NetstackName::new("vmotion").unwrap(), empty);
    }
    let facts = HostFacts {
        version: VERSIONS[usize::from(variant) % VERSIONS.len()].to_owned(),
        vendor: "Dell".to_owned(),
        model: "R650".to_owned(),
        ..HostFacts::default()
    };
    let vms = machines
        .iter()
        .map(|(name, _)| ObservedVm { name: format!("on {name}"), networks: vec![name.to_string()] });
    ObservedNetwork {
        taken_at: Wall(0),
        facts,
        management_vmk: Known::Read(Some(VmkName::new("vmk0").unwrap())),
        vswitches: Known::Read(switches.clone()),
        port_groups: Known::Read(groups),
        vmkernels: Known::Read(vmks),
        nics: Known::Read(nics.map(|n| (vmnics(&[*n]).remove(0), nic(last, *n))).collect()),
        netstacks: Known::Read(stacks),
        vms: Known::Read(vms.collect()),
        dvs: Known::Read(Vec::new()),
    }
}

fn cabling(lag: bool) -> Cabling {
    let port = |switch: &str| SwitchPort {
        switch: switch.to_owned(),
        lag: lag.then(|| "po1".to_owned()),
        ..SwitchPort::default()
    };
    let uplinks = [("a", "leaf-1"), ("b", "leaf-2"), ("c", "leaf-1"), ("d", "leaf-2")];
    let pair = vec!["leaf-1".to_owned(), "leaf-2".to_owned()];
    Cabling {
        uplinks: uplinks.map(|(role, switch)| (role.to_owned(), port(switch))).into(),
        hosts: BTreeMap::new(),
        stacks: if lag { BTreeMap::from([("pair".to_owned(), pair)]) } else { BTreeMap::new() },
    }
}

fn roles(archetype: &Archetype, variant: u8) -> BTreeMap<String, SiteRole> {
    let role = |traffic: &Traffic| SiteRole {
        vlan: Some(vlan(variant, number(traffic.role))),
        subnet: Some(subnet(variant, traffic.role)),
        mtu: Mtu::new(traffic.mtu).ok(),
        storage: match traffic.role {
            "iscsi" => Some(StorageProtocol::Iscsi),
            "nfs" => Some(StorageProtocol::Nfs),
            _ => None,
        },
        port_binding: traffic.role == "iscsi",
    };
    archetype.traffics.iter().map(|traffic| (traffic.role.to_owned(), role(traffic))).collect()
}

fn site(archetype: &Archetype, variant: u8) -> SiteDocument {
    let own: BTreeSet<VlanId> =
        archetype.traffics.iter().map(|traffic| vlan(variant, number(traffic.role))).collect();
    let used: Vec<VlanId> =
        own.into_iter().chain(machine_groups(variant).into_iter().map(|(_, id)| id)).collect();
    let waiver = |rule: &str| Waiver {
        rule: rule.to_owned(),
        object: "prod/*".to_owned(),
        reason: "edge hosts have one NIC".to_owned(),
        expires: "2026-12-31".to_owned(),
    };
    let waivers = if archetype.name == "single_nic_edge" {
        vec![waiver("TEAM-001"), waiver("MGMT-001")]
    } else {
        Vec::new()
    };
    let patterns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    SiteDocument {
        schema: 1,
        roles: roles(archetype, variant),
        vlans: Some(VlanFacts {
            native: VlanId::new(999).ok(),
            reserved: vec![VlanId::new(4094).unwrap()],
            trunked: used.clone(),
            registered: used,
        }),
        physical_mtu: Mtu::new(9000).ok(),
        cabling: Some(cabling(archetype.load_balancing == LoadBalancing::IpHash)),
        naming: Some(Naming {
            vswitches: patterns(&["vSwitch*"]),
            port_groups: patterns(&["Management", "vMotion", "VM*", "vSAN", "iSCSI-*", "NFS", "FT"]),
        }),
        maxima: Some(SiteMaxima { vswitches: Some(4), port_groups: Some(20) }),
        drivers: vec!["ixgben".to_owned()],
        vips: vec![address(variant, number("management"), 250)],
        nlb_unicast: vec!["NLB*".to_owned()],
        waivers,
        severity: BTreeMap::new(),
    }
}

/// Every archetype in every variant.
pub fn worlds() -> Vec<World> {
    let mut all = Vec::new();
    for archetype in archetypes() {
        for variant in 0..VARIANTS {
            let roles = ["a", "b", "c", "d"].into_iter().zip(vmnics(&[0, 1, 2, 3]));
            let uplinks: BTreeMap<String, VmnicName> =
                roles.map(|(role, nic)| (role.to_owned(), nic)).collect();
            let host = |n: u8| {
                let state = network(&archetype, variant, 11 + n);
                Host {
                    id: HostId::new(format!("esx{n}")).unwrap(),
                    uplinks: uplinks.clone(),
                    domain: format!("rack{n}"),
                    before: state.clone(),
                    after: state,
                    plan: None,
                }
            };
            all.push(World {
                archetype: archetype.name,
                name: format!("{}-{variant}", archetype.name),
                variant,
                site: site(&archetype, variant),
                hosts: (0..HOSTS).map(host).collect(),
                canary: 1,
                max_parallel: 1,
            });
        }
    }
    all
}

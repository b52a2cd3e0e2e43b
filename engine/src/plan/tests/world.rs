//! A small world to draw states from: bytes in, documents out. Naive on purpose.

use super::api::{Planned, plan, project};
use model::{
    BootId, CdpStatus, DesiredIpv6, DesiredNetstack, DesiredNetwork, DesiredNic, DesiredPortGroup,
    DesiredSecurity, DesiredTeaming, DesiredVmk, DesiredVswitch, Duplex, FailureDetection, HostFacts,
    Ipv4Cidr, Ipv4Config, Known, LinkState, LoadBalancing, MacAddress, ManagedScope, Mtu, NetstackName,
    NicLink, ObjectKind, ObservedNetstack, ObservedNetwork, ObservedNic, PortGroupName, PortGroupSecurity,
    PortGroupTeaming, Presence, RouteNetwork, RouteSetting, ServiceTag, Setting, ShapingPolicy, ShapingRate,
    UplinkOrder, Vlan, VmkName, VmnicName, VswitchName, Wall,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

pub const NICS: usize = 4;
pub const SWITCHES: usize = 3;
pub const GROUPS: usize = 5;
pub const VMKS: usize = 4;

/// Bytes that decide; zeros when they run out, which means "nothing special".
pub struct Dice<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Dice<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub fn roll(&mut self, sides: u8) -> u8 {
        let byte = self.bytes.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        byte % sides
    }

    fn some<T>(&mut self, chance_of_eight: u8, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.roll(8) < chance_of_eight { Some(value(self)) } else { None }
    }

    fn flag(&mut self) -> bool {
        self.roll(2) == 1
    }
}

pub fn vmnic(n: usize) -> VmnicName {
    VmnicName::new(format!("vmnic{n}")).unwrap()
}

pub fn vswitch(n: usize) -> VswitchName {
    VswitchName::new(format!("vSwitch{n}")).unwrap()
}

pub fn group(n: usize) -> PortGroupName {
    PortGroupName::new(format!("pg {n}")).unwrap()
}

pub fn vmk(n: usize) -> VmkName {
    VmkName::new(format!("vmk{n}")).unwrap()
}

fn stack(n: u8) -> NetstackName {
    if n == 0 { NetstackName::default_stack() } else { NetstackName::new("vmotion").unwrap() }
}

/// A host with NICs and nothing else.
pub fn blank(links: [LinkState; NICS]) -> ObservedNetwork {
    let nics = (0..NICS).map(|n| {
        let nic = ObservedNic {
            driver: "ixgben".to_owned(),
            pci: format!("0000:18:00.{n}"),
            mac: Known::Read(MacAddress::new([0, 0x50, 0x56, 0, 0, u8::try_from(n).unwrap()])),
            admin: Known::Read(LinkState::Up),
            link: links[n],
            speed_mbps: if links[n] == LinkState::Up { 10000 } else { 0 },
            duplex: Duplex::Full,
            auto_negotiation: Known::Read(true),
            description: String::new(),
        };
        (vmnic(n), nic)
    });
    let default = ObservedNetstack {
        routes: Known::Read(Vec::new()),
        dns_servers: Known::Read(Vec::new()),
        dns_search: Known::Read(Vec::new()),
    };
    ObservedNetwork {
        taken_at: Wall(0),
        facts: HostFacts {
            version: "8.0.3".to_owned(),
            boot_id: BootId("b".to_owned()),
            ..HostFacts::default()
        },
        management_vmk: Known::Read(Some(vmk(0))),
        vswitches: Known::Read(BTreeMap::new()),
        port_groups: Known::Read(BTreeMap::new()),
        vmkernels: Known::Read(BTreeMap::new()),
        nics: Known::Read(nics.collect()),
        netstacks: Known::Read(BTreeMap::from([(NetstackName::default_stack(), default)])),
        vms: Known::Read(Vec::new()),
        dvs: Known::Read(Vec::new()),
    }
}

fn order(dice: &mut Dice, uplinks: &[VmnicName]) -> UplinkOrder {
    let mut order = UplinkOrder::default();
    for vmnic in uplinks {
        match dice.roll(4) {
            0 => order.standby.push(vmnic.clone()),
            3 => {}
            _ if dice.flag() => order.active.insert(0, vmnic.clone()),
            _ => order.active.push(vmnic.clone()),
        }
    }
    order
}

fn load_balancing(dice: &mut Dice) -> LoadBalancing {
    [LoadBalancing::PortId, LoadBalancing::IpHash, LoadBalancing::SourceMac, LoadBalancing::Explicit]
        [usize::from(dice.roll(4))]
}

fn detection(dice: &mut Dice) -> FailureDetection {
    if dice.flag() { FailureDetection::Beacon } else { FailureDetection::Link }
}

fn shaping(dice: &mut Dice) -> ShapingPolicy {
    if dice.flag() {
        return ShapingPolicy::Off;
    }
    let rate = 1000 + u32::from(dice.roll(4));
    ShapingPolicy::On(ShapingRate { average_kbps: rate, peak_kbps: rate * 2, burst_kib: 100 })
}

fn vswitch_mtu(dice: &mut Dice) -> Mtu {
    Mtu::new([1500, 9000, 2000, 9000][usize::from(dice.roll(4))]).unwrap()
}

/// Seldom large: a frame above that of the switch is refused.
fn vmk_mtu(dice: &mut Dice) -> Mtu {
    Mtu::new([1500, 1400, 1280, 1500, 1400, 2000, 1500, 9000][usize::from(dice.roll(8))]).unwrap()
}

fn setting<T>(dice: &mut Dice, value: impl FnOnce(&mut Dice) -> T) -> Setting<T> {
    if dice.roll(3) == 0 { Setting::Inherit } else { Setting::Value(value(dice)) }
}

fn desired_vswitch(dice: &mut Dice, uplinks: Vec<VmnicName>, all: bool) -> DesiredVswitch {
    let teaming = dice.some(if all { 8 } else { 4 }, |dice| DesiredTeaming {
        load_balancing: dice.some(4, load_balancing),
        failure_detection: dice.some(4, detection),
        notify_switches: dice.some(4, |dice| dice.flag()),
        failback: dice.some(4, |dice| dice.flag()),
        uplinks: dice.some(if all { 8 } else { 6 }, |dice| order(dice, &uplinks)),
    });
    DesiredVswitch {
        mtu: dice.some(4, vswitch_mtu),
        cdp: dice.some(2, |dice| if dice.flag() { CdpStatus::Both } else { CdpStatus::Down }),
        uplinks: Some(uplinks),
        teaming,
        security: dice.some(3, |dice| DesiredSecurity {
            allow_promiscuous: dice.some(4, |dice| dice.flag()),
            allow_mac_change: dice.some(4, |dice| dice.flag()),
            allow_forged_transmits: dice.some(4, |dice| dice.flag()),
        }),
        shaping: dice.some(2, shaping),
    }
}

fn desired_group(dice: &mut Dice, on: VswitchName, uplinks: &[VmnicName]) -> DesiredPortGroup {
    DesiredPortGroup {
        vswitch: Some(on),
        vlan: dice.some(6, |dice| Vlan::try_from([0_u64, 10, 20, 4095][usize::from(dice.roll(4))]).unwrap()),
        teaming: dice.some(4, |dice| PortGroupTeaming {
            load_balancing: dice.some(3, |dice| setting(dice, load_balancing)),
            failure_detection: dice.some(3, |dice| setting(dice, detection)),
            notify_switches: dice.some(3, |dice| setting(dice, |dice| dice.flag())),
            failback: dice.some(3, |dice| setting(dice, |dice| dice.flag())),
            uplinks: dice.some(4, |dice| setting(dice, |dice| order(dice, uplinks))),
        }),
        security: dice.some(3, |dice| PortGroupSecurity {
            allow_promiscuous: dice.some(4, |dice| setting(dice, |dice| dice.flag())),
            allow_mac_change: dice.some(4, |dice| setting(dice, |dice| dice.flag())),
            allow_forged_transmits: dice.some(4, |dice| setting(dice, |dice| dice.flag())),
        }),
        shaping: dice.some(2, |dice| setting(dice, shaping)),
    }
}

fn desired_vmk(dice: &mut Dice, n: usize, on: PortGroupName) -> DesiredVmk {
    let ipv4 = dice.some(6, |dice| match dice.roll(4) {
        0 => Ipv4Config::None,
        1 => Ipv4Config::Dhcp,
        _ => {
            let host = u8::try_from(n).unwrap() * 10 + dice.roll(3) + 1;
            let address = Ipv4Cidr::new(Ipv4Addr::new(10, u8::try_from(n).unwrap(), 0, host), 24).unwrap();
            Ipv4Config::Static { address, gateway: None }
        }
    });
    let still = matches!(ipv4, Some(Ipv4Config::Static { .. })); // routes may hang on it
    let tags = ["Management", "VMotion", "VSAN"];
    DesiredVmk {
        port_group: Some(on),
        netstack: dice.some(4, |dice| stack(if n == 0 { 0 } else { dice.roll(2) })),
        mtu: dice.some(4, vmk_mtu),
        mac: None,
        enabled: if still { None } else { dice.some(2, |dice| dice.flag()) },
        ipv4,
        ipv6: dice.some(2, |dice| DesiredIpv6 {
            dhcp: dice.some(4, |dice| dice.flag()),
            router_advertisements: dice.some(4, |dice| dice.flag()),
            addresses: dice.some(4, |dice| {
                (0..dice.roll(3)).map(|i| format!("2001:db8::{n}{i}/64").parse().unwrap()).collect()
            }),
        }),
        services: dice
            .some(4, |dice| tags.iter().filter(|_| dice.flag()).map(|tag| ServiceTag::new(*tag)).collect()),
    }
}

fn desired_stack(dice: &mut Dice) -> DesiredNetstack {
    let mut routes = BTreeMap::new();
    for (network, chance) in [("default", 3), ("10.99.0.0/16", 1)] {
        if dice.roll(8) < chance {
            let via = match dice.roll(4) {
                0 => RouteSetting::Absent,
                1 => RouteSetting::Via(Ipv4Addr::new(10, 1, 0, 254)),
                _ => RouteSetting::Via(Ipv4Addr::new(10, 0, 0, 254)),
            };
            routes.insert(network.parse::<RouteNetwork>().unwrap(), via);
        }
    }
    DesiredNetstack {
        routes,
        dns_servers: dice.some(3, |dice| {
            let mut servers: Vec<_> = (1..=dice.roll(4)).map(|n| Ipv4Addr::new(10, 0, 0, n).into()).collect();
            if dice.flag() {
                servers.reverse();
            }
            servers
        }),
        dns_search: dice.some(2, |dice| (0..dice.roll(3)).map(|n| format!("lab{n}.example")).collect()),
    }
}

fn desired_nics(dice: &mut Dice) -> BTreeMap<VmnicName, DesiredNic> {
    let mut nics = BTreeMap::new();
    for n in 1..NICS {
        if dice.roll(8) == 0 {
            let admin = dice.some(4, |dice| if dice.flag() { LinkState::Down } else { LinkState::Up });
            let link = dice.some(2, |dice| match dice.roll(2) {
                0 => NicLink::Auto,
                _ => NicLink::Fixed { speed_mbps: 1000, duplex: Duplex::Full },
            });
            nics.insert(vmnic(n), DesiredNic { pci: None, mac: None, admin, link });
        }
    }
    nics
}

/// Whether a document describes a host in full or touches only some of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    Whole,
    Partial,
}

/// Draws a consistent document.
pub fn desired(dice: &mut Dice, extent: Extent) -> DesiredNetwork {
    let mut network = DesiredNetwork::default();
    let owner: Vec<usize> = (0..NICS)
        .map(|n| if n == 0 { 0 } else { usize::from(dice.roll(u8::try_from(SWITCHES).unwrap() + 1)) })
        .collect();
    let swap = extent == Extent::Partial && dice.roll(3) == 0;
    let owner: Vec<usize> = if swap { owner.iter().rev().copied().collect() } else { owner };
    let uplinks = |s: usize| (0..NICS).filter(|n| owner[*n] == s).map(vmnic).collect::<Vec<_>>();
    let whole = extent == Extent::Whole;
    let mut switches = Vec::new();
    for s in 0..SWITCHES {
        match dice.roll(8) {
            0 if s > 0 && !whole => drop(network.vswitches.insert(vswitch(s), Presence::Absent)),
            0 | 1 if s > 0 => {}
            _ => {
                let fields = desired_vswitch(dice, uplinks(s), whole);
                network.vswitches.insert(vswitch(s), Presence::Present(fields));
                switches.push(s);
            }
        }
    }
    let mut groups = Vec::new();
    for g in 0..GROUPS {
        let on = if g == 0 && whole { 0 } else { switches[usize::from(dice.roll(3)) % switches.len()] };
        match dice.roll(8) {
            0 if g > 0 && !whole => drop(network.port_groups.insert(group(g), Presence::Absent)),
            0 | 1 if g > 0 => {}
            _ => {
                let fields = desired_group(dice, vswitch(on), &uplinks(on));
                network.port_groups.insert(group(g), Presence::Present(fields));
                groups.push(g);
            }
        }
    }
    let shift = if whole { 0 } else { usize::from(dice.roll(3) / 2) };
    for v in 0..VMKS {
        match dice.roll(8) {
            _ if v >= groups.len() && !whole => drop(network.vmkernels.insert(vmk(v), Presence::Absent)),
            _ if v >= groups.len() => {}
            0 if v > 0 && !whole => drop(network.vmkernels.insert(vmk(v), Presence::Absent)),
            0 | 1 if v > 0 => {}
            _ => {
                let fields = desired_vmk(dice, v, group(groups[(v + shift) % groups.len()]));
                network.vmkernels.insert(vmk(v), Presence::Present(fields));
            }
        }
    }
    for s in 0..2 {
        if dice.roll(4) == 0 {
            network.netstacks.insert(stack(s), Presence::Present(desired_stack(dice)));
        }
    }
    if extent == Extent::Partial && dice.roll(6) == 0 {
        network.prune = true;
        for kind in
            [ObjectKind::PortGroups, ObjectKind::Vmkernels, ObjectKind::Vswitches, ObjectKind::Netstacks]
        {
            if dice.flag() {
                network.managed.insert(kind, ManagedScope::Full);
            }
        }
    }
    network.nics = desired_nics(dice);
    network
}

/// Runs a plan on the picture; panics where a host would refuse.
pub fn run(planned: &Planned, observed: &ObservedNetwork) -> ObservedNetwork {
    let mut state = observed.clone();
    for step in &planned.plan.steps {
        project(&mut state, &step.operation).unwrap_or_else(|error| panic!("{:?}: {error}", step.operation));
    }
    state
}

/// A host that looks as the document says; `None` when the document cannot be planned on a blank host.
pub fn realise(document: &DesiredNetwork, links: [LinkState; NICS]) -> Option<ObservedNetwork> {
    let blank = blank(links);
    let planned = plan(document, &blank);
    if planned.is_refused() {
        return None;
    }
    let mut state = run(&planned, &blank);
    for (name, vmk) in state.vmkernels.read_mut()? {
        vmk.mac = Known::Read(MacAddress::new([0, 0x50, 0x56, 1, 0, u8::try_from(name.number()).ok()?]));
    }
    Some(state)
}

pub fn links(dice: &mut Dice) -> [LinkState; NICS] {
    let mut links = [LinkState::Up; NICS];
    for link in links.iter_mut().skip(1) {
        if dice.roll(5) == 4 {
            *link = LinkState::Down;
        }
    }
    links
}

/// Names of the kinds an operation creates or deletes in.
pub fn creates_or_deletes(operation: &model::Operation) -> BTreeSet<&'static str> {
    use model::Operation as O;
    match operation {
        O::VswitchAdd { .. } | O::VswitchRemove { .. } => BTreeSet::from(["vswitches"]),
        O::PortGroupAdd { .. } | O::PortGroupRemove { .. } => BTreeSet::from(["port_groups"]),
        O::VmkAdd { .. } | O::VmkRemove { .. } => BTreeSet::from(["vmkernels"]),
        O::NetstackAdd { .. } | O::NetstackRemove { .. } => BTreeSet::from(["netstacks"]),
        _ => BTreeSet::new(),
    }
}

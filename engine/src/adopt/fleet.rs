//! Made-up fleets for tests. Deterministic: a seed names a fleet.

use super::testkit::{host, nic, vmk};
use model::{
    CdpStatus, HostId, InheritedField, Ipv4Cidr, Known, LinkState, LoadBalancing, Mtu, NetstackName,
    ObservedIpv4, ObservedNetstack, ObservedNetwork, ObservedPortGroup, ObservedRoute, PortGroupName,
    ServiceTag, ShapingPolicy, ShapingRate, UplinkOrder, Vlan, VmkAttachment, VmkName, VswitchName,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// A small deterministic source of choices (splitmix64).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1_e995)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to `below` - 1.
    fn pick(&mut self, below: u64) -> u64 {
        self.next() % below
    }

    /// True once in `of`.
    fn once_in(&mut self, of: u64) -> bool {
        self.pick(of) == 0
    }

    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        let at = self.pick(choices.len() as u64);
        choices[usize::try_from(at).unwrap()].clone()
    }
}

/// A fleet of 1 to 6 hosts that were alike once, with whatever happens to hosts over the years.
pub fn fleet(dice: &mut Dice) -> BTreeMap<HostId, ObservedNetwork> {
    let hosts = 1 + dice.pick(6);
    let mut base = host("base", 1);
    for _ in 0..dice.pick(8) {
        change(&mut base, dice, 1);
    }
    let mut fleet = BTreeMap::new();
    for number in 0..hosts {
        let number = u8::try_from(11 + number).unwrap();
        let mut one = base.clone();
        readdress(&mut one, number);
        for _ in 0..dice.pick(6) {
            change(&mut one, dice, number);
        }
        if dice.once_in(4) {
            rename_nics(&mut one, "vmnic0", "vmnic8");
        }
        fleet.insert(HostId::new(format!("esx{number}")).unwrap(), one);
    }
    fleet
}

/// Static addresses are unique in a fleet: the last byte is the host's.
fn readdress(observed: &mut ObservedNetwork, number: u8) {
    for vmk in observed.vmkernels.read_mut().into_iter().flatten().map(|(_, vmk)| vmk) {
        if let Some(ObservedIpv4::Static { address, .. }) = vmk.ipv4.read_mut() {
            let [a, b, c, _] = address.address().octets();
            *address = Ipv4Cidr::new(Ipv4Addr::new(a, b, c, number), address.prefix()).unwrap();
        }
    }
}

fn change(observed: &mut ObservedNetwork, dice: &mut Dice, number: u8) {
    match dice.pick(6) {
        0 => change_switches(observed, dice),
        1 | 2 => change_port_groups(observed, dice),
        3 => change_adapters(observed, dice, number),
        4 => change_stacks(observed, dice),
        _ => change_nics(observed, dice),
    }
}

fn change_switches(observed: &mut ObservedNetwork, dice: &mut Dice) {
    let switches = observed.vswitches.read_mut().unwrap();
    if dice.once_in(3) {
        let name = format!("vSwitch{}", 1 + dice.pick(3));
        let mut switch = switches.values().next().unwrap().clone();
        let free = dice.of(&["vmnic2", "vmnic3"]);
        let taken = switches.values().any(|vs| vs.uplinks.read().is_some_and(|u| u.contains(&nic(free))));
        let uplinks: BTreeSet<_> = if taken { [].into() } else { [nic(free)].into() };
        if let Some(teaming) = switch.teaming.read_mut() {
            teaming.uplinks = UplinkOrder { active: uplinks.iter().cloned().collect(), standby: vec![] };
        }
        switch.uplinks = Known::Read(uplinks);
        switches.entry(VswitchName::new(name).unwrap()).or_insert(switch);
        return;
    }
    let name = dice.of(&switches.keys().cloned().collect::<Vec<_>>());
    let switch = switches.get_mut(&name).unwrap();
    match dice.pick(7) {
        0 => switch.mtu = Known::Read(dice.of(&[Mtu::DEFAULT, Mtu::new(9000).unwrap()])),
        1 => switch.cdp = Known::Read(dice.of(&[CdpStatus::Both, CdpStatus::Down])),
        2 => switch.mtu = Known::unreadable("no answer"),
        3 => switch.teaming = Known::unreadable("no answer"),
        4 => switch.shaping = Known::Read(ShapingPolicy::On(rate(dice))),
        5 => {
            if let Some(teaming) = switch.teaming.read_mut() {
                teaming.load_balancing = dice.of(&[LoadBalancing::IpHash, LoadBalancing::Explicit]);
            }
        }
        _ => {
            if let Some(teaming) = switch.teaming.read_mut() {
                teaming.uplinks.active.reverse();
                teaming.uplinks.standby.extend(teaming.uplinks.active.pop());
            }
        }
    }
}

fn rate(dice: &mut Dice) -> ShapingRate {
    let average = 1000 * u32::try_from(1 + dice.pick(3)).unwrap();
    ShapingRate { average_kbps: average, peak_kbps: average * 2, burst_kib: 64 }
}

fn change_port_groups(observed: &mut ObservedNetwork, dice: &mut Dice) {
    let vswitches: Vec<VswitchName> = observed.vswitches.read().unwrap().keys().cloned().collect();
    let in_use: BTreeSet<PortGroupName> = observed
        .vmkernels
        .read()
        .unwrap()
        .values()
        .filter_map(|vmk| match &vmk.attachment {
            VmkAttachment::PortGroup(group) => Some(group.clone()),
            VmkAttachment::Distributed(_) => None,
        })
        .collect();
    let groups = observed.port_groups.read_mut().unwrap();
    let names = ["Backup ${x}", "a/b", "DMZ, old", "teaming", "Storage"];
    match dice.pick(3) {
        0 => {
            let mut group = groups.values().next().unwrap().clone();
            group.vswitch = dice.of(&vswitches);
            group.vlan = Known::Read(Vlan::try_from(dice.of(&[0, 40, 41, 4095])).unwrap());
            groups.entry(PortGroupName::new(dice.of(&names)).unwrap()).or_insert(group);
        }
        1 => {
            let gone = PortGroupName::new(dice.of(&names)).unwrap();
            if !in_use.contains(&gone) {
                groups.remove(&gone);
            }
        }
        _ => {
            let name = dice.of(&groups.keys().cloned().collect::<Vec<_>>());
            own_settings(groups.get_mut(&name).unwrap(), dice);
        }
    }
}

fn own_settings(group: &mut ObservedPortGroup, dice: &mut Dice) {
    match dice.pick(7) {
        0 => group.vlan = Known::Read(Vlan::try_from(dice.of(&[0, 10, 99])).unwrap()),
        1 => group.vlan = Known::unreadable("no answer"),
        2 => group.shaping = Known::Read(InheritedField::Own(ShapingPolicy::On(rate(dice)))),
        3 => group.security = Known::unreadable("no answer"),
        4 => {
            if let Some(security) = group.security.read_mut() {
                security.allow_promiscuous = InheritedField::Own(dice.once_in(2));
            }
        }
        5 => {
            if let Some(teaming) = group.teaming.read_mut() {
                teaming.load_balancing =
                    InheritedField::Own(dice.of(&[LoadBalancing::IpHash, LoadBalancing::PortId]));
                teaming.failback = InheritedField::Own(false);
            }
        }
        _ => {
            if let Some(teaming) = group.teaming.read_mut() {
                let (active, standby) = (vec![nic("vmnic1")], vec![nic("vmnic0")]);
                teaming.uplinks = InheritedField::Own(UplinkOrder { active, standby });
            }
        }
    }
}

fn change_adapters(observed: &mut ObservedNetwork, dice: &mut Dice, number: u8) {
    let groups: Vec<PortGroupName> = observed.port_groups.read().unwrap().keys().cloned().collect();
    let stacks: Vec<NetstackName> = observed.netstacks.read().unwrap().keys().cloned().collect();
    let vmks = observed.vmkernels.read_mut().unwrap();
    let slot = u8::try_from(1 + dice.pick(3)).unwrap();
    let name = VmkName::new(format!("vmk{slot}")).unwrap();
    let group = dice.of(&groups);
    let adapter =
        vmks.entry(name).or_insert_with(|| vmk(group.as_str(), Ipv4Addr::new(10, 0, 20 + slot, number)));
    match dice.pick(8) {
        0 => adapter.ipv4 = Known::Read(ObservedIpv4::Dhcp { address: None }),
        1 => adapter.ipv4 = Known::Read(ObservedIpv4::None),
        2 => adapter.mtu = Known::Read(Mtu::new(9000).unwrap()),
        3 => adapter.services = Known::Read([ServiceTag::new("vmotion")].into()),
        4 => adapter.netstack = dice.of(&stacks),
        5 => adapter.attachment = VmkAttachment::Distributed("dvs1".to_owned()),
        6 => {
            if let Some(ObservedIpv4::Static { address, gateway }) = adapter.ipv4.read_mut() {
                let [a, b, c, _] = address.address().octets();
                *gateway = Some(dice.of(&[Ipv4Addr::new(a, b, c, 1), Ipv4Addr::new(192, 0, 2, 1)]));
            }
        }
        _ => {
            if let Some(ipv6) = adapter.ipv6.read_mut() {
                ipv6.addresses.insert(format!("2001:db8::{number}/64").parse().unwrap());
            }
        }
    }
}

fn change_stacks(observed: &mut ObservedNetwork, dice: &mut Dice) {
    let stacks = observed.netstacks.read_mut().unwrap();
    let fresh = ObservedNetstack {
        routes: Known::Read(vec![]),
        dns_servers: Known::Read(vec![]),
        dns_search: Known::Read(vec![]),
    };
    let stack = match dice.pick(3) {
        0 => stacks.entry(NetstackName::new("vmotion").unwrap()).or_insert(fresh),
        _ => stacks.get_mut(&NetstackName::default_stack()).unwrap(),
    };
    match dice.pick(4) {
        0 => stack.dns_servers = Known::unreadable("no answer"),
        1 => stack.dns_search = Known::Read(vec!["${lab}.example.net".to_owned(), "123".to_owned()]),
        2 => stack.routes = Known::unreadable("no answer"),
        _ => {
            if let Some(routes) = stack.routes.read_mut() {
                let network = dice.of(&["10.9.0.0/16", "10.8.0.0/16"]).parse().unwrap();
                let vmk = VmkName::new("vmk1").ok();
                routes.retain(|route| route.network != network);
                routes.push(ObservedRoute { network, gateway: Some(Ipv4Addr::new(10, 0, 10, 9)), vmk });
            }
        }
    }
}

fn change_nics(observed: &mut ObservedNetwork, dice: &mut Dice) {
    if dice.once_in(8) {
        observed.nics = Known::unreadable("no answer");
        return;
    }
    let Some(nics) = observed.nics.read_mut() else { return };
    let name = nic(dice.of(&["vmnic0", "vmnic1", "vmnic2"]));
    let Some(found) = nics.get_mut(&name) else { return };
    match dice.pick(4) {
        0 => found.admin = Known::Read(LinkState::Down),
        1 => found.link = LinkState::Down,
        2 => found.auto_negotiation = Known::Read(false),
        _ => found.auto_negotiation = Known::unreadable("no answer"),
    }
}

/// Gives a NIC another name everywhere.
pub fn rename_nics(observed: &mut ObservedNetwork, from: &str, to: &str) {
    let text = serde_json::to_string(observed).unwrap();
    *observed = serde_json::from_str(&text.replace(&format!("\"{from}\""), &format!("\"{to}\""))).unwrap();
}

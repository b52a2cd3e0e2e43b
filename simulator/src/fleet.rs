//! Fleets of plausible hosts for the demo and tests.
//!
//! Owns: what a made-up host looks like. Deterministic: the same request gives the same hosts. Called by
//! `pointsman-sim make-hosts` and by tests.

use crate::fabric::{CutMode, Fabric, Port, PortMode, Segment};
use crate::host::{Facts, Host, Vm};
use crate::network::{
    Ipv4, Ipv6, Netstack, Network, Nic, PortGroup, Route, RouteTarget, Security, Subnet, UplinkOrder, Vmk,
    Vswitch,
};
use crate::store::{HostDir, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

/// VLAN of the management network.
pub const MANAGEMENT_VLAN: u16 = 10;
/// VLAN of vMotion.
pub const VMOTION_VLAN: u16 = 20;
/// VLAN with a DHCP server.
pub const DHCP_VLAN: u16 = 50;
/// VLAN of untagged frames on the trunks: nothing useful is there.
pub const NATIVE_VLAN: u16 = 1;
/// VLANs of virtual machines that the trunks carry.
pub const VM_VLANS: std::ops::RangeInclusive<u16> = 100..=199;
/// Address of the coordinator in the simulated network.
pub const COORDINATOR: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 5);
/// Router of the management network.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 1);
/// Hosts in one rack.
const HOSTS_PER_RACK: u32 = 8;
/// Addresses below this offset are kept for infrastructure.
const FIRST_OFFSET: u32 = 256;
/// Most hosts one fleet can have: the addresses of a /16.
pub const HOSTS_MAX: u32 = 60_000;
/// What the physical switches pass, bytes.
const PHYSICAL_MTU: u32 = 9216;

const NETMASK: Ipv4Addr = Ipv4Addr::new(255, 255, 0, 0);
const DRIVERS: [(&str, &str, u32); 4] = [
    ("ixgben", "Intel(R) Ethernet Controller X550", 10_000),
    ("i40en", "Intel(R) Ethernet Controller XXV710 for 25GbE SFP28", 25_000),
    ("nmlx5_core", "Mellanox Technologies MT27800 Family [ConnectX-5]", 25_000),
    ("bnxtnet", "Broadcom NetXtreme-E 10Gb SFP+ Ethernet Controller", 10_000),
];
const MODELS: [(&str, &str); 3] =
    [("Dell Inc.", "PowerEdge R750"), ("HPE", "ProLiant DL380 Gen10"), ("Lenovo", "ThinkSystem SR650 V2")];

/// What to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetRequest {
    /// How many hosts.
    pub count: u32,
    /// Group, the first part of the host names.
    pub group: String,
    /// ESXi release, e.g. `8.0`.
    pub version: String,
}

/// Adds hosts to the directory `root`; numbers and addresses go on after the hosts that are there. Answers the
/// names of the new directories.
pub fn make_hosts(root: &Path, request: &FleetRequest) -> Result<Vec<String>, StoreError> {
    let file_error = |source| StoreError::File { path: root.to_owned(), source };
    fs::create_dir_all(root).map_err(file_error)?;
    let present = fs::read_dir(root).map_err(file_error)?.filter_map(Result::ok);
    let present = present.filter(|entry| entry.path().join("state.json").exists()).count();
    let first = u32::try_from(present).unwrap_or(HOSTS_MAX);
    let mut names = Vec::new();
    for number in (first + 1..).take(request.count as usize).take_while(|number| *number <= HOSTS_MAX) {
        let host = make_host(request, number);
        HostDir::new(root.join(&host.running.hostname)).create(&host)?;
        names.push(host.running.hostname);
    }
    Ok(names)
}

/// One host of a fleet; `number` counts from 1 and must be unique in the fleet.
#[must_use]
pub fn make_host(request: &FleetRequest, number: u32) -> Host {
    let mut host = Host::new(facts(request, number), network(request, number));
    let machines = (0..1 + number % 5).map(|index| Vm {
        name: format!("{}-vm{:02}", host.running.hostname, index + 1),
        world_id: 2_100_000 + i64::from(number * 10 + index),
        networks: vec![if index % 2 == 0 { "app-web".into() } else { "app-db".into() }],
    });
    host.vms = machines.collect();
    host.fabric = fabric(&host.facts.rack);
    host
}

fn facts(request: &FleetRequest, number: u32) -> Facts {
    let (full, build, patch) = match request.version.as_str() {
        "6.7" => ("6.7.0", "17700523", 171),
        "7.0" => ("7.0.3", "22348816", 105),
        "8.0" => ("8.0.3", "24022510", 35),
        "9.0" => ("9.0.0", "24755229", 0),
        other => (other, "24022510", 0),
    };
    let (vendor, model) = MODELS[(number as usize / HOSTS_PER_RACK as usize) % MODELS.len()];
    let tag =
        request.group.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let update = full.rsplit('.').next().and_then(|digit| digit.parse().ok()).unwrap_or(0);
    Facts {
        version: full.to_owned(),
        build: build.to_owned(),
        update,
        patch,
        uuid: format!("4c4c4544-0050-4a10-8033-{:04x}{number:08x}", tag & 0xffff),
        vendor: vendor.to_owned(),
        model: model.to_owned(),
        serial: format!("SIM{number:06}"),
        rack: format!("r{:02}", 1 + (number - 1) / HOSTS_PER_RACK),
    }
}

fn subnet(vlan: u16) -> Option<Subnet> {
    Subnet::around(Ipv4Addr::new(10, u8::try_from(vlan).ok()?, 0, 0), 16)
}

fn switch(uplinks: [&str; 2], active: &[&str], standby: &[&str]) -> Vswitch {
    let names = |nics: &[&str]| nics.iter().map(|nic| (*nic).to_owned()).collect::<Vec<_>>();
    let mut switch = Vswitch::new(Security { promiscuous: false, mac_change: false, forged: false });
    switch.uplinks = names(&uplinks);
    switch.failover.order = UplinkOrder { active: names(active), standby: names(standby) };
    switch
}

fn vmk(group: &str, mac: String, address: Ipv4Addr, tag: &str) -> Vmk {
    Vmk {
        port_group: Some(group.to_owned()),
        dvs: None,
        netstack: crate::network::DEFAULT_NETSTACK.to_owned(),
        mtu: 1500,
        mac,
        enabled: true,
        ipv4: Ipv4::fixed(address, NETMASK, None),
        ipv6: Ipv6 { enabled: true, ..Ipv6::default() },
        tags: vec![tag.to_owned()],
    }
}

fn network(request: &FleetRequest, number: u32) -> Network {
    let offset = FIRST_OFFSET + number;
    let [_, high, middle, low] = number.to_be_bytes();
    let address = |net: u8| Ipv4Addr::from(u32::from(Ipv4Addr::new(10, net, 0, 0)) + offset);
    let mut network = Network { hostname: format!("{}-{number:03}", request.group), ..Network::default() };
    network.domain = "example.net".into();
    let (driver, description, speed) = DRIVERS[(number as usize - 1) % DRIVERS.len()];
    for index in 0..4_u8 {
        let mac = format!("3c:ec:{high:02x}:{middle:02x}:{low:02x}:{:02x}", 0x10 + index);
        let mut nic =
            Nic::new(driver, &format!("0000:{:02x}:00.{}", 0x18 + index / 2, index % 2), &mac, speed);
        nic.description = description.to_owned();
        network.nics.insert(format!("vmnic{index}"), nic);
    }
    network.vswitches.insert("vSwitch0".into(), switch(["vmnic0", "vmnic1"], &["vmnic0"], &["vmnic1"]));
    network.vswitches.insert("vSwitch1".into(), switch(["vmnic2", "vmnic3"], &["vmnic2", "vmnic3"], &[]));
    let mut vmotion = PortGroup::new("vMotion", "vSwitch1", VMOTION_VLAN);
    vmotion.failover.order =
        Some(UplinkOrder { active: vec!["vmnic3".into()], standby: vec!["vmnic2".into()] });
    network.port_groups = vec![
        PortGroup::new("Management Network", "vSwitch0", MANAGEMENT_VLAN),
        PortGroup::new("VM Network", "vSwitch0", 100),
        PortGroup::new("app-web", "vSwitch1", 110),
        PortGroup::new("app-db", "vSwitch1", 120),
        vmotion,
    ];
    if number.is_multiple_of(4) {
        network.port_groups.push(PortGroup::new("lab", "vSwitch1", 190));
    }
    let management = vmk(
        "Management Network",
        format!("3c:ec:{high:02x}:{middle:02x}:{low:02x}:10"),
        address(10),
        "Management",
    );
    let mac = format!("00:50:56:6{:x}:{middle:02x}:{low:02x}", high & 0xf);
    network.vmks.insert("vmk0".into(), management);
    network.vmks.insert("vmk1".into(), vmk("vMotion", mac, address(20), "VMotion"));
    let stack = Netstack {
        routes: vec![Route { target: RouteTarget::Default, gateway: GATEWAY }],
        dns_servers: vec![Ipv4Addr::new(10, 10, 0, 53).into(), Ipv4Addr::new(10, 10, 0, 54).into()],
        dns_search: vec!["example.net".into()],
        ..Netstack::default()
    };
    network.netstacks.insert(crate::network::DEFAULT_NETSTACK.into(), stack);
    network
}

/// The physical network around a host of a rack.
#[must_use]
pub fn fabric(rack: &str) -> Fabric {
    let allowed: BTreeSet<u16> =
        [MANAGEMENT_VLAN, VMOTION_VLAN, DHCP_VLAN].into_iter().chain(VM_VLANS).collect();
    let ports: BTreeMap<String, Port> = (0..4)
        .map(|index| {
            let port = Port {
                neighbour: format!("{rack}-tor{} Eth1/{}", 1 + index % 2, 1 + index / 2),
                link_up: true,
                mode: PortMode::Trunk { allowed: allowed.clone(), native: Some(NATIVE_VLAN) },
                mtu: PHYSICAL_MTU,
            };
            (format!("vmnic{index}"), port)
        })
        .collect();
    let segments = [NATIVE_VLAN, MANAGEMENT_VLAN, VMOTION_VLAN, DHCP_VLAN].into_iter().filter_map(|vlan| {
        let subnet = subnet(vlan)?;
        let gateway = (vlan != VMOTION_VLAN).then(|| subnet.host(1));
        Some(Segment { vlan, subnet, gateway, dhcp: vlan == DHCP_VLAN, mtu: PHYSICAL_MTU })
    });
    Fabric {
        ports,
        segments: segments.collect(),
        coordinator: Some(COORDINATOR),
        silent: BTreeSet::new(),
        when_cut: CutMode::BlackHole,
    }
}

#[cfg(test)]
mod tests;

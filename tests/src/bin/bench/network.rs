//! Hosts to measure with: their documents before and after a change, and what such a host looks like.

use anyhow::{anyhow, ensure};
use engine::documents::parse_network;
use engine::plan::plan;
use engine::project::project;
use model::{
    DesiredNetwork, Duplex, HostFacts, Known, LinkState, MacAddress, NetstackName, ObservedNetstack,
    ObservedNetwork, ObservedNic, VmkName, VmnicName, Wall,
};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Size of a host. Every switch has two uplinks; one NIC is spare.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Standard switches.
    pub switches: usize,
    /// Port groups, those of the adapters included.
    pub port_groups: usize,
    /// VMkernel adapters.
    pub vmks: usize,
}

/// Which document of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// What is there.
    Before,
    /// A new port group, VLANs, large frames, failover orders, security, services and DNS changed.
    After,
}

/// The network document of a host; `address` gives the text of an adapter's address.
pub fn document(shape: Shape, stage: Stage, address: impl Fn(usize) -> String) -> String {
    let mut text = String::from("vswitches:\n");
    for s in 0..shape.switches {
        text.push_str(&vswitch(s, stage));
    }
    text.push_str("port_groups:\n");
    for g in 0..shape.port_groups {
        text.push_str(&port_group(shape, g, stage));
    }
    if stage == Stage::After {
        text.push_str("  Backup 214: {vswitch: vSwitch1, vlan: 214}\n");
    }
    text.push_str("vmkernels:\n");
    for v in 0..shape.vmks {
        text.push_str(&vmk(v, stage, &address(v)));
    }
    let dns = if stage == Stage::After { "[10.100.0.3, 10.100.0.4]" } else { "[10.100.0.3]" };
    let stack = "netstacks:\n  defaultTcpipStack:\n    routes: {default: 10.100.0.1}\n    dns_search: [lab.example]\n";
    text + stack + &format!("    dns_servers: {dns}\n")
}

fn vswitch(s: usize, stage: Stage) -> String {
    let changed = stage == Stage::After;
    let (a, b) = (2 * s, 2 * s + 1);
    let mtu = if changed && s == 1 { 9000 } else { 1500 };
    let order = match (changed, s) {
        (true, 0) => format!("active: [vmnic{b}], standby: [vmnic{a}]"),
        (false, 0) => format!("active: [vmnic{a}], standby: [vmnic{b}]"),
        _ => format!("active: [vmnic{a}, vmnic{b}]"),
    };
    let forged = !(changed && s == 2);
    format!(
        "  vSwitch{s}:\n    mtu: {mtu}\n    cdp: both\n    uplinks: [vmnic{a}, vmnic{b}]\n    teaming:\n      failback: true\n      \
         uplinks: {{{order}}}\n    security: {{allow_promiscuous: false, allow_forged_transmits: {forged}}}\n"
    )
}

/// The name of a port group: the first ones carry the adapters.
fn group_name(shape: Shape, g: usize) -> String {
    if g < shape.vmks { format!("Kernel {g}") } else { format!("Machines {g}") }
}

fn port_group(shape: Shape, g: usize, stage: Stage) -> String {
    let changed = stage == Stage::After;
    let s = g % shape.switches;
    let moved = changed && g >= shape.vmks && g.is_multiple_of(8);
    let vlan = if moved { 1000 + g } else { 10 + g };
    let mut text = format!("  {}:\n    vswitch: vSwitch{s}\n    vlan: {vlan}\n", group_name(shape, g));
    if g % 3 == 2 {
        let order = match changed && g % 6 == 2 && g >= shape.vmks {
            true => "inherit".to_owned(),
            false => format!("{{active: [vmnic{}], standby: [vmnic{}]}}", 2 * s + 1, 2 * s),
        };
        let _infallible = writeln!(text, "    teaming: {{failback: inherit, uplinks: {order}}}");
    }
    if g % 5 == 4 {
        text.push_str("    security: {allow_promiscuous: inherit, allow_mac_change: false}\n");
    }
    text
}

fn vmk(v: usize, stage: Stage, address: &str) -> String {
    let changed = stage == Stage::After;
    let mtu = if changed && v == 1 { 9000 } else { 1500 };
    let services = match v {
        0 => "[Management]",
        1 => "[VMotion]",
        2 if changed => "[vSphereProvisioning]",
        _ => "[]",
    };
    format!(
        "  vmk{v}:\n    port_group: Kernel {v}\n    mtu: {mtu}\n    ipv4: {{static: {{address: {address:?}}}}}\n    services: {services}\n"
    )
}

/// A document without values of hosts, read.
pub fn read(text: &str) -> anyhow::Result<DesiredNetwork> {
    parse_network("network.yaml", text)
        .map_err(|findings| anyhow!("{}", findings.iter().map(|f| format!("{f}\n")).collect::<String>()))
}

/// A host with NICs and nothing else.
pub fn blank(nics: usize) -> anyhow::Result<ObservedNetwork> {
    let nic = |n: usize| -> anyhow::Result<(VmnicName, ObservedNic)> {
        let nic = ObservedNic {
            driver: "ixgben".to_owned(),
            pci: format!("0000:{n:02x}:00.0"),
            mac: Known::Read(MacAddress::new([0, 0x50, 0x56, 0, 0, u8::try_from(n)?])),
            admin: Known::Read(LinkState::Up),
            link: LinkState::Up,
            speed_mbps: 10_000,
            duplex: Duplex::Full,
            auto_negotiation: Known::Read(true),
            description: "Intel(R) Ethernet Controller X550".to_owned(),
        };
        Ok((VmnicName::new(format!("vmnic{n}"))?, nic))
    };
    let nics = (0..nics).map(nic).collect::<anyhow::Result<BTreeMap<_, _>>>()?;
    let stack = ObservedNetstack {
        routes: Known::Read(Vec::new()),
        dns_servers: Known::Read(Vec::new()),
        dns_search: Known::Read(Vec::new()),
    };
    Ok(ObservedNetwork {
        taken_at: Wall(0),
        facts: HostFacts { version: "8.0.3".to_owned(), ..HostFacts::default() },
        management_vmk: Known::Read(Some(VmkName::new("vmk0")?)),
        vswitches: Known::Read(BTreeMap::new()),
        port_groups: Known::Read(BTreeMap::new()),
        vmkernels: Known::Read(BTreeMap::new()),
        nics: Known::Read(nics),
        netstacks: Known::Read(BTreeMap::from([(NetstackName::default_stack(), stack)])),
        vms: Known::Read(Vec::new()),
        dvs: Known::Read(Vec::new()),
    })
}

/// A host as its document says.
pub fn realised(wanted: &DesiredNetwork, blank: &ObservedNetwork) -> anyhow::Result<ObservedNetwork> {
    let planned = plan(wanted, blank);
    ensure!(!planned.is_refused(), "the document cannot be planned: {:#?}", planned.findings);
    let mut host = blank.clone();
    for step in &planned.plan.steps {
        project(&mut host, &step.operation)?;
    }
    for (name, vmk) in host.vmkernels.read_mut().into_iter().flatten() {
        vmk.mac = Known::Read(MacAddress::new([0, 0x50, 0x56, 1, 0, u8::try_from(name.number())?]));
    }
    Ok(host)
}

/// The address of an adapter of host number `host` in a fleet.
pub fn address(host: usize, vmk: usize) -> String {
    format!("10.{}.{}.{}/16", 100 + vmk, 1 + host / 250, 1 + host % 250)
}

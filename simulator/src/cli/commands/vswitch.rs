//! `network vswitch standard` list, add, set, remove and uplink add, remove.

use super::{ALWAYS, opt, req};
use crate::cli::args::{Args, Kind};
use crate::cli::table::{Action, Command};
use crate::cli::value::{Document, ListView, Record, machine_name};
use crate::host::{Host, Release};
use crate::network::{Cdp, Detection, Fault, Network, Vswitch};

/// Ports the host has for all switches together, as a list shows it since 5.5.
const ELASTIC_PORTS: i64 = 7680;

/// The commands.
pub const COMMANDS: &[Command] = &[
    Command {
        path: "network vswitch standard list",
        help: "List the virtual switches current on the ESXi host.",
        opts: &[opt(
            'v',
            "vswitch-name",
            Kind::Text,
            "Limit the output of this command to only the named virtual switch.",
        )],
        since: ALWAYS,
        action: Action::Read(list),
    },
    Command {
        path: "network vswitch standard add",
        help: "Add a new virtual switch to the ESXi networking system.",
        opts: &[
            opt(
                'P',
                "ports",
                Kind::Long,
                "The number of ports to to give this newly created virtual switch.",
            ),
            req('v', "vswitch-name", Kind::Text, "The name of the virtual switch to create."),
        ],
        since: ALWAYS,
        action: Action::Write(add),
    },
    Command {
        path: "network vswitch standard remove",
        help: "Remove a virtual switch from the ESXi networking system.",
        opts: &[req('v', "vswitch-name", Kind::Text, "The name of the virtual switch to remove.")],
        since: ALWAYS,
        action: Action::Write(remove),
    },
    Command {
        path: "network vswitch standard set",
        help: "This command sets the MTU size and CDP status of a given virtual switch.",
        opts: &[
            opt('c', "cdp-status", Kind::Word(Cdp::WORDS), "The CDP status of the given virtual switch."),
            opt('m', "mtu", Kind::Long, "The MTU size of the given virtual switch."),
            req('v', "vswitch-name", Kind::Text, "The name of virtual switch to apply the configurations."),
        ],
        since: ALWAYS,
        action: Action::Write(set),
    },
    Command {
        path: "network vswitch standard uplink add",
        help: "Add an uplink to the given virtual switch. Note if adding an uplink while at least one portgroup has set the teaming policy, that policy has to be updated as well.",
        opts: UPLINK,
        since: ALWAYS,
        action: Action::Write(uplink_add),
    },
    Command {
        path: "network vswitch standard uplink remove",
        help: "Remove an uplink from the given virtual switch.",
        opts: UPLINK,
        since: ALWAYS,
        action: Action::Write(uplink_remove),
    },
];

const UPLINK: &[crate::cli::args::Opt] = &[
    req('u', "uplink-name", Kind::Text, "The name of the uplink."),
    req('v', "vswitch-name", Kind::Text, "The name of the virtual switch."),
];

fn list(host: &Host, args: &Args) -> Result<Document, Fault> {
    let records = match args.text("vswitch-name") {
        Some(name) => vec![record(host, name, host.running.vswitch(name)?)],
        None => {
            let mut switches: Vec<_> = host.running.vswitches.iter().collect();
            // As recorded: punctuation does not count (`vSwitch0` before `vSwitch-Mirror`).
            switches.sort_by_key(|(name, _)| machine_name(name));
            switches.into_iter().map(|(name, switch)| record(host, name, switch)).collect()
        }
    };
    Ok(Document::List(ListView::Headed("Name"), records))
}

/// Ports taken on a switch: one for the switch, two per uplink, one per client.
fn used_ports(host: &Host, network: &Network, name: &str, switch: &Vswitch) -> usize {
    let groups = network.port_groups.iter().filter(|group| group.vswitch == name);
    let clients: usize = groups.map(|group| super::portgroup::clients(host, &group.name)).sum();
    1 + 2 * switch.uplinks.len() + clients
}

/// Port groups that ask for beacon probing.
fn beacon_users(network: &Network, name: &str, switch: &Vswitch) -> Vec<String> {
    let groups = network.port_groups.iter().filter(|group| group.vswitch == name);
    let beacon = groups.filter(|group| group.failover.over(&switch.failover).detection == Detection::Beacon);
    beacon.map(|group| group.name.clone()).collect()
}

fn record(host: &Host, name: &str, switch: &Vswitch) -> Record {
    let network = &host.running;
    let class = if host.facts.release() < Release(6, 5) { "etherswitch" } else { "cswitch" };
    let beacon = beacon_users(network, name, switch);
    let groups = network.port_groups.iter().rev().filter(|group| group.vswitch == name);
    Record::new("VirtualSwitch")
        .text("Name", name)
        .text("Class", class)
        .int("Num Ports", ELASTIC_PORTS)
        .int("Used Ports", i64::try_from(used_ports(host, network, name, switch)).unwrap_or(ELASTIC_PORTS))
        .int("Configured Ports", switch.ports)
        .int("MTU", switch.mtu)
        .text("CDP Status", switch.cdp.printed())
        .boolean("Beacon Enabled", !beacon.is_empty() || switch.failover.detection == Detection::Beacon)
        .int("Beacon Interval", 1)
        .int("Beacon Threshold", 3)
        .texts("Beacon Required By", beacon)
        .texts("Uplinks", switch.uplinks.clone())
        .texts("Portgroups", groups.map(|group| group.name.clone()).collect())
}

fn add(host: &mut Host, args: &Args) -> Result<(), Fault> {
    let security = host.new_switch_security();
    host.running.add_vswitch(args.required("vswitch-name"), args.long("ports"), security)
}

fn remove(host: &mut Host, args: &Args) -> Result<(), Fault> {
    let used = host.port_groups_of_vms();
    host.running.remove_vswitch(args.required("vswitch-name"), &used)
}

fn set(host: &mut Host, args: &Args) -> Result<(), Fault> {
    let cdp = args.text("cdp-status").and_then(Cdp::from_word);
    let mtu = args.long("mtu");
    if cdp.is_none() && mtu.is_none() {
        return Err(Fault::Refused("nothing to set: give mtu or cdp-status".into()));
    }
    host.running.set_vswitch(args.required("vswitch-name"), mtu, cdp)
}

fn uplink_add(host: &mut Host, args: &Args) -> Result<(), Fault> {
    host.running.add_uplink(args.required("vswitch-name"), args.required("uplink-name"))
}

fn uplink_remove(host: &mut Host, args: &Args) -> Result<(), Fault> {
    host.running.remove_uplink(args.required("vswitch-name"), args.required("uplink-name"))
}

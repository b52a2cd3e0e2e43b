//! `network vswitch standard portgroup` list, add, remove, set.

use super::{ALWAYS, req};
use crate::cli::args::{Args, Kind, Opt};
use crate::cli::table::{Action, Command};
use crate::cli::value::{Document, ListView, Record};
use crate::host::Host;
use crate::network::Fault;

const NAMED: &[Opt] = &[
    req('p', "portgroup-name", Kind::Text, "The name of the port group."),
    req('v', "vswitch-name", Kind::Text, "The virtual switch of the port group."),
];

/// The commands.
pub const COMMANDS: &[Command] = &[
    Command {
        path: "network vswitch standard portgroup list",
        help: "List all of the port groups currently on the system.",
        opts: &[],
        since: ALWAYS,
        action: Action::Read(list),
    },
    Command {
        path: "network vswitch standard portgroup add",
        help: "Allows the addition of a standard port group to a virtual switch.",
        opts: NAMED,
        since: ALWAYS,
        action: Action::Write(add),
    },
    Command {
        path: "network vswitch standard portgroup remove",
        help: "Remove a port group from the given virtual switch",
        opts: NAMED,
        since: ALWAYS,
        action: Action::Write(remove),
    },
    Command {
        path: "network vswitch standard portgroup set",
        help: "Set the vlan id for the given port group",
        opts: &[
            req('p', "portgroup-name", Kind::Text, "The name of the port group to set vlan id for."),
            super::opt(
                'v',
                "vlan-id",
                Kind::LongUpTo(4095),
                "The vlan id for this port group. This value is in the range (0 - 4095)",
            ),
        ],
        since: ALWAYS,
        action: Action::Write(set),
    },
];

/// Ports in use on a port group: one per adapter and per virtual NIC.
pub fn clients(host: &Host, name: &str) -> usize {
    let vms = host.vms.iter().flat_map(|vm| &vm.networks).filter(|network| *network == name).count();
    vms + usize::from(host.running.vmk_on(name).is_some())
}

fn list(host: &Host, _: &Args) -> Result<Document, Fault> {
    let mut groups: Vec<_> = host.running.port_groups.iter().collect();
    groups.sort_by(|a, b| a.name.cmp(&b.name));
    let records = groups.into_iter().map(|group| {
        Record::new("PortGroup")
            .text("Name", &group.name)
            .text("Virtual Switch", &group.vswitch)
            .int("Active Clients", i64::try_from(clients(host, &group.name)).unwrap_or(i64::MAX))
            .int("VLAN ID", group.vlan)
    });
    Ok(Document::List(ListView::Table, records.collect()))
}

fn add(host: &mut Host, args: &Args) -> Result<(), Fault> {
    host.running.add_port_group(args.required("portgroup-name"), args.required("vswitch-name"))
}

fn remove(host: &mut Host, args: &Args) -> Result<(), Fault> {
    let used = host.port_groups_of_vms();
    host.running.remove_port_group(args.required("portgroup-name"), args.required("vswitch-name"), &used)
}

fn set(host: &mut Host, args: &Args) -> Result<(), Fault> {
    let vlan = args.long("vlan-id").ok_or_else(|| Fault::Refused("nothing to set: give vlan-id".into()))?;
    host.running.set_port_group_vlan(args.required("portgroup-name"), vlan)
}

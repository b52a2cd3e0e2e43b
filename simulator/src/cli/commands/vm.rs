//! `network vm list` and `network vswitch dvs vmware list`: what is read but never changed.

use super::{ALWAYS, opt};
use crate::cli::args::{Args, Kind};
use crate::cli::table::{Action, Command};
use crate::cli::value::{Document, ListView, Record};
use crate::host::{Dvs, Host, Release};
use crate::network::Fault;

/// The commands.
pub const COMMANDS: &[Command] = &[
    Command {
        path: "network vm list",
        help: "List networking information for the VM's that have active ports.",
        opts: &[],
        since: Release(5, 1),
        action: Action::Read(vms),
    },
    Command {
        path: "network vswitch dvs vmware list",
        help: "List the VMware vSphere Distributed Switch currently configured on the ESXi host.",
        opts: &[opt('v', "vds-name", Kind::Text, "Limit the output of this command to only the named VDS.")],
        since: ALWAYS,
        action: Action::Read(switches),
    },
];

fn vms(host: &Host, _: &Args) -> Result<Document, Fault> {
    let records = host.vms.iter().map(|vm| {
        Record::new("VM")
            .int("World ID", vm.world_id)
            .text("Name", &vm.name)
            .int("Num Ports", i64::try_from(vm.networks.len()).unwrap_or(0))
            .texts("Networks", vm.networks.clone())
    });
    Ok(Document::List(ListView::Table, records.collect()))
}

fn switches(host: &Host, args: &Args) -> Result<Document, Fault> {
    let wanted = args.text("vds-name");
    if wanted.is_some_and(|name| !host.dvs.iter().any(|dvs| dvs.name == name)) {
        return Err(Fault::NotFound);
    }
    let picked = host.dvs.iter().filter(|dvs| wanted.is_none_or(|name| name == dvs.name));
    Ok(Document::List(ListView::Headed("Name"), picked.map(|dvs| record(host, dvs)).collect()))
}

fn record(host: &Host, dvs: &Dvs) -> Record {
    let clients = host.running.vmks.iter().filter(|(_, vmk)| vmk.dvs.as_ref() == Some(&dvs.name));
    let ports: Vec<Record> = clients
        .enumerate()
        .map(|(index, (name, _))| {
            Record::new("DVPort")
                .text("Client", name)
                .text("DVPortgroup ID", "dvportgroup-4024")
                .boolean("In Use", true)
                .text("Port ID", index.to_string())
        })
        .collect();
    Record::new("VDS")
        .text("Name", &dvs.name)
        .text("VDS ID", &dvs.id)
        .text("Class", "cswitch")
        .int("Num Ports", 1590)
        .int("Used Ports", i64::try_from(1 + dvs.uplinks.len() + ports.len()).unwrap_or(1))
        .int("Configured Ports", 512)
        .int("MTU", dvs.mtu)
        .text("CDP Status", "listen")
        .int("Beacon Timeout", -1)
        .texts("Uplinks", dvs.uplinks.clone())
        .boolean("VMware Branded", true)
        .nested_list("DVPort", ports)
}

//! `network nic` list, get, set, up, down.

use super::{ALWAYS, opt, req};
use crate::cli::args::{Args, Kind, Opt};
use crate::cli::table::{Action, Command};
use crate::cli::value::{Condition, Document, ListView, Record};
use crate::host::{Host, Release};
use crate::network::{Fault, Nic, NicAdmin, NicSpeed};

const NAME: Opt = req(
    'n',
    "nic-name",
    Kind::Text,
    "The name of the NIC to configured. This must be one of the cards listed in the nic list command.",
);

/// The commands.
pub const COMMANDS: &[Command] = &[
    Command {
        path: "network nic list",
        help: "This command will list the Physical NICs currently installed and loaded on the system.",
        opts: &[],
        since: ALWAYS,
        action: Action::Read(list),
    },
    Command {
        path: "network nic get",
        help: "Get the generic configuration of a network device",
        opts: &[NAME],
        since: ALWAYS,
        action: Action::Read(get),
    },
    Command {
        path: "network nic set",
        help: "Set the general options for the specified ethernet device.",
        opts: &[
            opt('a', "auto", Kind::Flag, "Set the speed and duplexity settings to autonegotiate."),
            opt('D', "duplex", Kind::Word(&["full", "half"]), "The duplex to set this NIC to."),
            opt('l', "message-level", Kind::Long, "Set the driver message level."),
            NAME,
            opt('S', "speed", Kind::Long, "The speed to set this NIC to, in Mbps."),
        ],
        since: ALWAYS,
        action: Action::Write(set),
    },
    Command {
        path: "network nic up",
        help: "Bring up the specified network device.",
        opts: &[NAME],
        since: ALWAYS,
        action: Action::Write(up),
    },
    Command {
        path: "network nic down",
        help: "Bring down the specified network device.",
        opts: &[NAME],
        since: ALWAYS,
        action: Action::Write(down),
    },
];

fn up_down(up: bool) -> &'static str {
    if up { "Up" } else { "Down" }
}

/// The MTU a NIC runs with is that of its switch.
fn mtu(host: &Host, name: &str) -> u32 {
    host.running.vswitch_of_nic(name).map_or(1500, |(_, switch)| switch.mtu)
}

fn list(host: &Host, _: &Args) -> Result<Document, Fault> {
    let records = host.running.nics.iter().map(|(name, nic)| record(host, name, nic)).collect();
    Ok(Document::List(ListView::Table, records))
}

fn record(host: &Host, name: &str, nic: &Nic) -> Record {
    let release = host.facts.release();
    let link = host.link_up(name);
    let (speed, duplex) = if link { nic.running_speed() } else { (0, "Half") };
    Record::new("Nic")
        .text("Name", name)
        .text("PCI Device", &nic.pci)
        .text("Driver", &nic.driver)
        .hidden("Link", up_down(link))
        .when(Condition(release >= Release(8, 0)), |r| r.hidden("DPU Id", "N/A"))
        .when(Condition(release >= Release(6, 0)), |r| r.text("Admin Status", up_down(nic.admin_up)))
        .text("Link Status", up_down(link))
        .int("Speed", speed)
        .text("Duplex", duplex)
        .text("MAC Address", &nic.mac)
        .int("MTU", mtu(host, name))
        .text("Description", &nic.description)
}

fn get(host: &Host, args: &Args) -> Result<Document, Fault> {
    let name = args.required("nic-name");
    let nic = host.running.nic(name)?;
    let link = host.link_up(name);
    let auto = nic.speed == NicSpeed::Auto;
    let driver = Record::new("NICDriverInfo")
        .text("Bus Info", nic.pci.replace('.', ":"))
        .text("Driver", &nic.driver)
        .text("Firmware Version", "22.31.6")
        .text("Version", "1.15.1.0");
    let record = Record::new("NICInfo")
        .boolean("Advertised Auto Negotiation", auto)
        .texts("Advertised Link Modes", vec!["Auto".into(), format!("{}BaseT/Full", nic.max_speed)])
        .boolean("Auto Negotiation", auto)
        .when(Condition(host.facts.release() >= Release(8, 0)), |r| r.text("Backing DPUId", "N/A"))
        .text("Cable Type", "FIBRE")
        .int("Current Message Level", 0)
        .nested("Driver Info", driver)
        .boolean("Link Detected", link)
        .text("Link Status", if link { "Up " } else { "Down " })
        .text("Name", name)
        .int("PHYAddress", 0)
        .boolean("Pause Autonegotiate", false)
        .boolean("Pause RX", false)
        .boolean("Pause TX", false)
        .texts("Supported Ports", vec!["FIBRE".into()])
        .boolean("Supports Auto Negotiation", !nic.auto_only)
        .boolean("Supports Pause", true)
        .boolean("Supports Wakeon", false)
        .text("Transceiver", "")
        .text("Virtual Address", "00:50:56:50:00:00")
        .texts("Wakeon", vec!["None".into()]);
    Ok(Document::Single(None, record))
}

fn set(host: &mut Host, args: &Args) -> Result<(), Fault> {
    let name = args.required("nic-name");
    host.running.nic(name)?;
    let speed = match (args.flag("auto"), args.long("speed"), args.text("duplex")) {
        (true, None, None) => Some(NicSpeed::Auto),
        (false, Some(mbps), Some(duplex)) => {
            let mbps = u32::try_from(mbps).map_err(|_| Fault::BadParameter)?;
            Some(NicSpeed::Fixed { mbps, full_duplex: duplex == "full" })
        }
        (false, None, None) => None,
        _ => return Err(Fault::Refused("give either auto, or speed and duplex together".into())),
    };
    match speed {
        Some(speed) => host.running.set_nic_speed(name, speed),
        None => Ok(()),
    }
}

fn up(host: &mut Host, args: &Args) -> Result<(), Fault> {
    host.running.set_nic_admin(args.required("nic-name"), NicAdmin::Up)
}

fn down(host: &mut Host, args: &Args) -> Result<(), Fault> {
    host.running.set_nic_admin(args.required("nic-name"), NicAdmin::Down)
}

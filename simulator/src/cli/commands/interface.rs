//! `network ip interface` list, add, set, remove and tag get, add, remove.

use super::{ALWAYS, opt, req};
use crate::cli::args::{Args, Kind, Opt};
use crate::cli::table::{Action, Command};
use crate::cli::value::{Condition, Document, ListView, Record};
use crate::host::{Host, Release};
use crate::network::{Fault, NewVmk, Vmk};

/// First port id of a portset; others follow.
const PORT_ID_BASE: i64 = 33_554_432;

const NAME: Opt = req('i', "interface-name", Kind::Text, "The name of the VMkernel network interface.");
const TAG: Opt = req('t', "tagname", Kind::Text, "Tag name of the VMkernel network interface.");

/// The commands.
pub const COMMANDS: &[Command] = &[
    Command {
        path: "network ip interface list",
        help: "This command will list the VMkernel network interfaces currently known to the system.",
        opts: &[opt('N', "netstack", Kind::Text, "The network stack instance; if unspecified, use all.")],
        since: ALWAYS,
        action: Action::Read(list),
    },
    Command {
        path: "network ip interface add",
        help: "Add a new VMkernel network interface.",
        opts: &[
            opt(
                'P',
                "dvport-id",
                Kind::Text,
                "DVPort ID of the connection point. This requires --dvs-name to be given in the same command",
            ),
            opt(
                's',
                "dvs-name",
                Kind::Text,
                "DVSwitch name of the connection point. This requires --dvport-id to be given in the same command",
            ),
            opt(
                'i',
                "interface-name",
                Kind::Text,
                "The name of the VMkernel network interface to create. This name must be in the form vmkX, where X is a number.",
            ),
            opt(
                'M',
                "mac-address",
                Kind::Text,
                "Set the MAC address for the newly created VMkernel network interface.",
            ),
            opt(
                'm',
                "mtu",
                Kind::Long,
                "Set the MTU setting for a given VMkernel network interface on creation",
            ),
            opt(
                'N',
                "netstack",
                Kind::Text,
                "The network stack instance; if unspecified, use the default netstack instance",
            ),
            opt(
                'p',
                "portgroup-name",
                Kind::Text,
                "The name of the vswitch port group to add this VMkernel network interface to.",
            ),
        ],
        since: ALWAYS,
        action: Action::Write(add),
    },
    Command {
        path: "network ip interface remove",
        help: "Remove a VMkernel network interface from the ESXi host.",
        opts: &[
            opt('i', "interface-name", Kind::Text, "The name of the VMkernel network interface to remove."),
            opt(
                'N',
                "netstack",
                Kind::Text,
                "The network stack instance; if unspecified, use the default netstack instance",
            ),
            opt(
                'p',
                "portgroup-name",
                Kind::Text,
                "The name of the vswitch port group to delete this VMkernel network interface from.",
            ),
        ],
        since: ALWAYS,
        action: Action::Write(remove),
    },
    Command {
        path: "network ip interface set",
        help: "This command sets the enabled status and MTU size of a given IP interface",
        opts: &[
            opt(
                'e',
                "enabled",
                Kind::Bool,
                "Set to true to enable the interface, set to false to disable it.",
            ),
            NAME,
            opt('m', "mtu", Kind::Long, "The MTU size of the IP interface."),
        ],
        since: ALWAYS,
        action: Action::Write(set),
    },
    Command {
        path: "network ip interface tag get",
        help: "Gets the tags set on the given VMkernel network interface.",
        opts: &[NAME],
        since: Release(5, 1),
        action: Action::Read(tag_get),
    },
    Command {
        path: "network ip interface tag add",
        help: "Adds a tag on a given VMkernel network interface.",
        opts: &[NAME, TAG],
        since: Release(5, 1),
        action: Action::Write(tag_add),
    },
    Command {
        path: "network ip interface tag remove",
        help: "Removes a tag on a given VMkernel network interface.",
        opts: &[NAME, TAG],
        since: Release(5, 1),
        action: Action::Write(tag_remove),
    },
];

fn list(host: &Host, args: &Args) -> Result<Document, Fault> {
    let netstack = args.text("netstack");
    if let Some(key) = netstack {
        host.running.netstack(key)?;
    }
    let vmks = host.running.vmks.iter().filter(|(_, vmk)| netstack.is_none_or(|key| key == vmk.netstack));
    let records = vmks.enumerate().map(|(index, (name, vmk))| record(host, index, name, vmk));
    Ok(Document::List(ListView::Headed("Name"), records.collect()))
}

fn record(host: &Host, index: usize, name: &str, vmk: &Vmk) -> Record {
    let release = host.facts.release();
    let group = vmk.port_group.as_deref();
    let switch = group.and_then(|group| host.running.port_group(group)).map(|group| group.vswitch.as_str());
    let on_dvs = vmk.dvs.as_deref();
    let identity =
        on_dvs.and_then(|dvs| host.dvs.iter().find(|known| known.name == dvs)).map(|dvs| dvs.id.as_str());
    let unnamed = |value: Option<&str>| value.unwrap_or("N/A").to_owned();
    let port = PORT_ID_BASE + 4 + i64::try_from(index).unwrap_or(0);
    Record::new("NetworkInterface")
        .text("Name", name)
        .text("MAC Address", &vmk.mac)
        .boolean("Enabled", vmk.enabled)
        .text("Portset", switch.unwrap_or("DvsPortset-0"))
        .text("Portgroup", unnamed(group))
        .when(Condition(release >= Release(5, 5)), |r| r.text("Netstack Instance", &vmk.netstack))
        .text("VDS Name", unnamed(on_dvs))
        .text("VDS UUID", unnamed(identity))
        .text("VDS Port", if on_dvs.is_some() { index.to_string() } else { "N/A".into() })
        .int("VDS Connection", if on_dvs.is_some() { 1 } else { -1 })
        .when(Condition(release >= Release(5, 5)), |r| {
            r.text("Opaque Network ID", "N/A").text("Opaque Network Type", "N/A").text("External ID", "N/A")
        })
        .int("MTU", vmk.mtu)
        .int("TSO MSS", 65_535)
        .when(Condition(release >= Release(6, 7)), |r| r.int("RXDispQueue Size", 1))
        .when(Condition(release >= Release(9, 0)), |r| r.text("URPF", "N/A"))
        .int("Port ID", port)
}

fn add(host: &mut Host, args: &Args) -> Result<(), Fault> {
    let group = args.text("portgroup-name");
    let group =
        group.ok_or_else(|| Fault::Refused("only standard port groups: give portgroup-name".into()))?;
    let new = NewVmk {
        name: args.text("interface-name").map(str::to_owned),
        port_group: group.to_owned(),
        mtu: args.long("mtu"),
        mac: args.text("mac-address").map(str::to_owned),
        netstack: args.text("netstack").map(str::to_owned),
    };
    host.running.add_vmk(new).map(drop)
}

fn remove(host: &mut Host, args: &Args) -> Result<(), Fault> {
    let name = match (args.text("interface-name"), args.text("portgroup-name")) {
        (Some(name), _) => name.to_owned(),
        (None, Some(group)) => {
            host.running.vmk_on(group).map(|(name, _)| name.clone()).ok_or(Fault::NotFound)?
        }
        (None, None) => return Err(Fault::Refused("give interface-name or portgroup-name".into())),
    };
    let stack = args.text("netstack");
    if stack.is_some_and(|key| host.running.vmks.get(&name).is_some_and(|vmk| vmk.netstack != key)) {
        return Err(Fault::NotFound);
    }
    host.running.remove_vmk(&name)
}

fn set(host: &mut Host, args: &Args) -> Result<(), Fault> {
    host.running.set_vmk(args.required("interface-name"), args.boolean("enabled"), args.long("mtu"))
}

fn tag_get(host: &Host, args: &Args) -> Result<Document, Fault> {
    let vmk = host.running.vmk(args.required("interface-name"))?;
    Ok(Document::Single(None, Record::new("NetworkInterfaceTags").texts("Tags", vmk.tags.clone())))
}

fn tag_add(host: &mut Host, args: &Args) -> Result<(), Fault> {
    host.running.add_tag(args.required("interface-name"), args.required("tagname"))
}

fn tag_remove(host: &mut Host, args: &Args) -> Result<(), Fault> {
    host.running.remove_tag(args.required("interface-name"), args.required("tagname"))
}

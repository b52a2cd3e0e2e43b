//! `network ip interface ipv4` and `ipv6`: get, set, address list, address add, address remove.

use super::{ALWAYS, opt, req};
use crate::cli::args::{Args, Kind, Opt};
use crate::cli::table::{Action, Command};
use crate::cli::value::{Condition, Document, ListView, Record};
use crate::fabric;
use crate::host::{Host, Release};
use crate::network::{AddressMode, Fault, Ipv4Request, Vmk};
use std::net::{Ipv4Addr, Ipv6Addr};

const NAME: Opt = req('i', "interface-name", Kind::Text, "The name of the VMkernel network interface.");
const ONLY: Opt =
    opt('i', "interface-name", Kind::Text, "Limit the output of this command to only the given interface.");
const STACK: Opt = opt('N', "netstack", Kind::Text, "The network stack instance; if unspecified, use all.");
const ADDRESS: Opt = req('I', "ipv6", Kind::Text, "The IPv6 address, in the form X:X:X::/X.");

/// The commands.
pub const COMMANDS: &[Command] = &[
    Command {
        path: "network ip interface ipv4 get",
        help: "Get IPv4 settings for VMkernel network interfaces.",
        opts: &[ONLY, STACK],
        since: ALWAYS,
        action: Action::Read(ipv4_list),
    },
    Command {
        path: "network ip interface ipv4 set",
        help: "Configure IPv4 setting for a given VMkernel network interface.",
        opts: &[
            opt(
                'g',
                "gateway",
                Kind::Text,
                "The default gateway for this interface. Gateway would be reset if not provided",
            ),
            NAME,
            opt('I', "ipv4", Kind::Text, "The static IPv4 address for this interface."),
            opt('N', "netmask", Kind::Text, "The static IPv4 netmask for this interface."),
            opt(
                'P',
                "peer-dns",
                Kind::Bool,
                "A boolean value to indicate if the system should use the DNS settings published via DHCPv4 for this interface.",
            ),
            req('t', "type", Kind::Word(&["dhcp", "none", "static"]), "IPv4 Address type."),
        ],
        since: ALWAYS,
        action: Action::Write(ipv4_set),
    },
    Command {
        path: "network ip interface ipv4 address list",
        help: "List the IPv4 addresses assigned to VMkernel network interfaces.",
        opts: &[ONLY, STACK],
        since: Release(5, 5),
        action: Action::Read(ipv4_list),
    },
    Command {
        path: "network ip interface ipv6 get",
        help: "Get IPv6 settings for VMkernel network interfaces.",
        opts: &[ONLY, STACK],
        since: ALWAYS,
        action: Action::Read(ipv6_list),
    },
    Command {
        path: "network ip interface ipv6 set",
        help: "Configure IPv6 settings for a given VMkernel network interface.",
        opts: &[
            opt(
                'd',
                "enable-dhcpv6",
                Kind::Bool,
                "Setting this value to true will enable DHCPv6 on this interface and attempt to acquire an IPv6 address from the network",
            ),
            opt('e', "enable-ipv6", Kind::Bool, "Setting this value to true enables IPv6 on this interface"),
            opt(
                'r',
                "enable-router-adv",
                Kind::Bool,
                "Setting this value to true will enable IPv6 Router Advertised IPv6 addresses to be added to this interface",
            ),
            NAME,
            opt(
                'P',
                "peer-dns",
                Kind::Bool,
                "A boolean value to indicate if the system should use the DNS settings published via DHCPv6 for this interface.",
            ),
        ],
        since: ALWAYS,
        action: Action::Write(ipv6_set),
    },
    Command {
        path: "network ip interface ipv6 address list",
        help: "This command will list all of the IPv6 addresses currently assigned to the system",
        opts: &[ONLY, STACK],
        since: ALWAYS,
        action: Action::Read(ipv6_addresses),
    },
    Command {
        path: "network ip interface ipv6 address add",
        help: "Add a static IPv6 address to a given VMkernel network interface.",
        opts: &[NAME, ADDRESS],
        since: ALWAYS,
        action: Action::Write(ipv6_add),
    },
    Command {
        path: "network ip interface ipv6 address remove",
        help: "Remove an IPv6 address from a given VMkernel network interface.",
        opts: &[NAME, ADDRESS],
        since: ALWAYS,
        action: Action::Write(ipv6_remove),
    },
];

/// The adapters that the options pick.
fn picked<'a>(host: &'a Host, args: &Args) -> Result<Vec<(&'a String, &'a Vmk)>, Fault> {
    if let Some(key) = args.text("netstack") {
        host.running.netstack(key)?;
    }
    if let Some(name) = args.text("interface-name") {
        host.running.vmk(name)?;
    }
    let wanted = |name: &String, vmk: &Vmk| {
        args.text("interface-name").is_none_or(|only| only == name)
            && args.text("netstack").is_none_or(|key| key == vmk.netstack)
    };
    Ok(host.running.vmks.iter().filter(|(name, vmk)| wanted(name, vmk)).collect())
}

fn ipv4_list(host: &Host, args: &Args) -> Result<Document, Fault> {
    let records = picked(host, args)?.into_iter().map(|(name, vmk)| ipv4_record(host, name, vmk));
    Ok(Document::List(ListView::Table, records.collect()))
}

fn ipv4_record(host: &Host, name: &str, vmk: &Vmk) -> Record {
    let ipv4 = &vmk.ipv4;
    let mode = match ipv4.mode {
        AddressMode::None => "NONE",
        AddressMode::Dhcp => "DHCP",
        AddressMode::Static => "STATIC",
    };
    let shown = |address: Option<Ipv4Addr>| address.unwrap_or(Ipv4Addr::UNSPECIFIED).to_string();
    let gateway = ipv4.gateway.or(ipv4.lease_gateway);
    Record::new("IPv4Interface")
        .text("Name", name)
        .text("IPv4 Address", shown(ipv4.address))
        .text("IPv4 Netmask", shown(ipv4.netmask))
        .text("IPv4 Broadcast", shown(ipv4.subnet().map(|subnet| subnet.broadcast())))
        .text("Address Type", mode)
        .when(Condition(host.facts.release() >= Release(6, 5)), |r| r.text("Gateway", shown(gateway)))
        .boolean("DHCP DNS", ipv4.peer_dns)
}

fn parse_ipv4(text: Option<&str>) -> Result<Option<Ipv4Addr>, Fault> {
    text.map(|text| text.parse().map_err(|_| Fault::BadParameter)).transpose()
}

fn ipv4_set(host: &mut Host, args: &Args) -> Result<(), Fault> {
    let name = args.required("interface-name");
    let mode = match args.required("type") {
        "static" => AddressMode::Static,
        "dhcp" => AddressMode::Dhcp,
        _ => AddressMode::None,
    };
    let request = Ipv4Request {
        mode,
        address: parse_ipv4(args.text("ipv4"))?,
        netmask: parse_ipv4(args.text("netmask"))?,
        gateway: parse_ipv4(args.text("gateway"))?,
        peer_dns: args.boolean("peer-dns"),
    };
    let lease = if mode == AddressMode::Dhcp { fabric::lease(host, &host.fabric, name) } else { None };
    host.running.set_vmk_ipv4(name, request, lease)
}

fn ipv6_list(host: &Host, args: &Args) -> Result<Document, Fault> {
    let records = picked(host, args)?.into_iter().map(|(name, vmk)| {
        Record::new("IPv6Interface")
            .text("Name", name)
            .boolean("DHCPv6 Enabled", vmk.ipv6.dhcpv6)
            .boolean("Router Adv Enabled", vmk.ipv6.router_adv)
            .boolean("DHCP DNS", vmk.ipv6.peer_dns)
    });
    Ok(Document::List(ListView::Table, records.collect()))
}

fn ipv6_set(host: &mut Host, args: &Args) -> Result<(), Fault> {
    let ipv6 = &mut host.running.vmk_mut(args.required("interface-name"))?.ipv6;
    ipv6.dhcpv6 = args.boolean("enable-dhcpv6").unwrap_or(ipv6.dhcpv6);
    ipv6.router_adv = args.boolean("enable-router-adv").unwrap_or(ipv6.router_adv);
    ipv6.peer_dns = args.boolean("peer-dns").unwrap_or(ipv6.peer_dns);
    ipv6.enabled = args.boolean("enable-ipv6").unwrap_or(ipv6.enabled);
    if !ipv6.enabled {
        ipv6.addresses.clear();
    }
    Ok(())
}

/// The link-local address the kernel makes from the MAC address.
fn link_local(mac: &str) -> Option<Ipv6Addr> {
    let bytes: Vec<u8> = mac.split(':').map_while(|part| u8::from_str_radix(part, 16).ok()).collect();
    let [a, b, c, d, e, f] = <[u8; 6]>::try_from(bytes).ok()?;
    Some(Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f]))
}

fn ipv6_addresses(host: &Host, args: &Args) -> Result<Document, Fault> {
    let mut records = Vec::new();
    for (name, vmk) in picked(host, args)? {
        let own = link_local(&vmk.mac).filter(|_| vmk.ipv6.enabled).map(|address| (address, 64));
        for (address, prefix) in own.into_iter().chain(vmk.ipv6.addresses.iter().copied()) {
            let record = Record::new("IPv6Interface")
                .text("Interface", name)
                .text("Address", address.to_string())
                .int("Netmask", prefix)
                .text("Type", "STATIC")
                .text("Status", "PREFERRED");
            records.push(record);
        }
    }
    Ok(Document::List(ListView::Table, records))
}

fn parse_ipv6(args: &Args) -> Result<(Ipv6Addr, u8), Fault> {
    let (address, prefix) = args.required("ipv6").split_once('/').ok_or(Fault::BadParameter)?;
    let address = address.parse().map_err(|_| Fault::BadParameter)?;
    Ok((address, prefix.parse().map_err(|_| Fault::BadParameter)?))
}

fn ipv6_add(host: &mut Host, args: &Args) -> Result<(), Fault> {
    let (address, prefix) = parse_ipv6(args)?;
    host.running.add_ipv6(args.required("interface-name"), address, prefix)
}

fn ipv6_remove(host: &mut Host, args: &Args) -> Result<(), Fault> {
    let (address, prefix) = parse_ipv6(args)?;
    host.running.remove_ipv6(args.required("interface-name"), address, prefix)
}

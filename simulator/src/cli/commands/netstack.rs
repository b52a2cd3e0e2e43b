//! `network ip` get, netstack, route ipv4 and dns.

use super::{ALWAYS, opt, req};
use crate::cli::args::{Args, Kind, Opt};
use crate::cli::table::{Action, Command};
use crate::cli::value::{Document, ListView, Record};
use crate::host::{Host, Release};
use crate::network::{DEFAULT_NETSTACK, Fault, NetstackStart, RouteTarget, Subnet};
use std::net::Ipv4Addr;

/// State number that a working stack prints.
const STATE_ACTIVE: i64 = 4660;

const STACK: Opt = opt(
    'N',
    "netstack",
    Kind::Text,
    "The network stack instance; if unspecified, use the default netstack instance",
);
const KEY: Opt = req('N', "netstack", Kind::Text, "The network stack instance");
const GATEWAY: Opt = req('g', "gateway", Kind::Text, "The Ipv4 address of the gateway.");
const NETWORK: Opt = req(
    'n',
    "network",
    Kind::Text,
    "The Ipv4 address and netmask of the network, or 'default' for the default gateway.",
);
const SERVER: &str = "The IP address (v4 or v6) of the DNS server.";
const DOMAIN: Opt =
    req('d', "domain", Kind::Text, "The string name of a domain of the list of search domains.");

const fn command(path: &'static str, help: &'static str, opts: &'static [Opt], action: Action) -> Command {
    Command { path, help, opts, since: ALWAYS, action }
}

const fn stack(path: &'static str, help: &'static str, opts: &'static [Opt], action: Action) -> Command {
    Command { path, help, opts, since: Release(5, 5), action }
}

/// The commands.
pub const COMMANDS: &[Command] = &[
    command("network ip get", "Get global IP settings", &[], Action::Read(ip_get)),
    command(
        "network ip dns search list",
        "List the search domains currently configured on the ESXi host.",
        &[STACK],
        Action::Read(search_list),
    ),
    command(
        "network ip dns search add",
        "Add a search domain to the list of domains to be searched.",
        &[DOMAIN, STACK],
        Action::Write(search_add),
    ),
    command(
        "network ip dns search remove",
        "Remove a search domain from the list of domains to be searched.",
        &[DOMAIN, STACK],
        Action::Write(search_remove),
    ),
    command(
        "network ip dns server list",
        "Print a list of the DNS server currently configured on the system in the order in which they will be used.",
        &[STACK],
        Action::Read(server_list),
    ),
    command(
        "network ip dns server add",
        "Add a new DNS server to the end of the list of DNS servers to use for this ESXi host.",
        &[STACK, req('s', "server", Kind::Text, SERVER)],
        Action::Write(server_add),
    ),
    command(
        "network ip dns server remove",
        "Remove a DNS server from the list of DNS servers to use for this ESXi host.",
        &[
            opt('a', "all", Kind::Flag, "Remove all DNS servers"),
            STACK,
            opt('s', "server", Kind::Text, SERVER),
        ],
        Action::Write(server_remove),
    ),
    stack(
        "network ip netstack list",
        "This command will list the VMkernel network stack instances currently known to the system.",
        &[],
        Action::Read(list),
    ),
    stack(
        "network ip netstack get",
        "Get runtime/configuration settings of a given network stack instance.",
        &[KEY],
        Action::Read(get),
    ),
    stack(
        "network ip netstack add",
        "Add a new network stack instance",
        &[opt('d', "disabled", Kind::Flag, "Create the netstack instance with disabled state"), KEY],
        Action::Write(add),
    ),
    stack(
        "network ip netstack remove",
        "Remove a VMkernel network stack instance from the ESXi host.",
        &[KEY],
        Action::Write(remove),
    ),
    command("network ip route ipv4 list", "List configured IPv4 routes", &[STACK], Action::Read(route_list)),
    command(
        "network ip route ipv4 add",
        "Add IPv4 route to the VMkernel.",
        &[GATEWAY, STACK, NETWORK],
        Action::Write(route_add),
    ),
    command(
        "network ip route ipv4 remove",
        "Remove IPv4 route",
        &[GATEWAY, STACK, NETWORK],
        Action::Write(route_remove),
    ),
];

fn key(args: &Args) -> &str {
    args.text("netstack").unwrap_or(DEFAULT_NETSTACK)
}

fn ip_get(_: &Host, _: &Args) -> Result<Document, Fault> {
    Ok(Document::Single(None, Record::new("IPInfo").boolean("IPv6 Enabled", true)))
}

fn list(host: &Host, _: &Args) -> Result<Document, Fault> {
    let records = host.running.netstacks.keys().map(|key| {
        Record::new("NetstackInstance").text("Key", key).text("Name", key).int("State", STATE_ACTIVE)
    });
    Ok(Document::List(ListView::Headed("Key"), records.collect()))
}

fn get(host: &Host, args: &Args) -> Result<Document, Fault> {
    let stack = host.running.netstack(key(args))?;
    let record = Record::new("NetstackInstanceInfo")
        .text("Key", key(args))
        .text("Name", key(args))
        .boolean("Enabled", !stack.disabled)
        .int("Max Connections", 11_000)
        .int("Current Max Connections", 11_000)
        .text("Congestion Control Algorithm", "newreno")
        .boolean("IPv6 Enabled", true)
        .boolean("Current IPv6 Enabled", true)
        .int("State", STATE_ACTIVE);
    Ok(Document::Single(None, record))
}

fn add(host: &mut Host, args: &Args) -> Result<(), Fault> {
    let start = if args.flag("disabled") { NetstackStart::Disabled } else { NetstackStart::Enabled };
    host.running.add_netstack(args.required("netstack"), start)
}

fn remove(host: &mut Host, args: &Args) -> Result<(), Fault> {
    host.running.remove_netstack(args.required("netstack"))
}

fn route_list(host: &Host, args: &Args) -> Result<Document, Fault> {
    host.running.netstack(key(args))?;
    let rows = host.running.routing_table(key(args)).into_iter().map(|row| {
        let network =
            if row.subnet.prefix() == 0 { "default".to_owned() } else { row.subnet.network().to_string() };
        Record::new("IPv4Route")
            .text("Network", network)
            .text("Netmask", row.subnet.netmask().to_string())
            .text("Gateway", row.gateway.unwrap_or(Ipv4Addr::UNSPECIFIED).to_string())
            .text("Interface", row.vmk)
            .text("Source", row.source)
    });
    Ok(Document::List(ListView::Table, rows.collect()))
}

fn route(args: &Args) -> Result<(RouteTarget, Ipv4Addr), Fault> {
    let target = match args.required("network") {
        word if word.eq_ignore_ascii_case("default") => RouteTarget::Default,
        text => match Subnet::parse(text).ok_or(Fault::BadParameter)? {
            subnet if subnet.prefix() == 0 => RouteTarget::Default,
            subnet => RouteTarget::Network(subnet),
        },
    };
    Ok((target, args.required("gateway").parse().map_err(|_| Fault::BadParameter)?))
}

fn route_add(host: &mut Host, args: &Args) -> Result<(), Fault> {
    let (target, gateway) = route(args)?;
    host.running.add_route(key(args), target, gateway)
}

fn route_remove(host: &mut Host, args: &Args) -> Result<(), Fault> {
    let (target, gateway) = route(args)?;
    host.running.remove_route(key(args), target, gateway)
}

fn server_list(host: &Host, args: &Args) -> Result<Document, Fault> {
    let servers = host.running.netstack(key(args))?.dns_servers.iter().map(ToString::to_string).collect();
    Ok(Document::Single(None, Record::new("NameServerList").texts("DNSServers", servers)))
}

fn server_add(host: &mut Host, args: &Args) -> Result<(), Fault> {
    host.running.add_dns_server(key(args), args.required("server"))
}

fn server_remove(host: &mut Host, args: &Args) -> Result<(), Fault> {
    let server = args.text("server");
    if server.is_none() && !args.flag("all") {
        return Err(Fault::Refused("give server or all".into()));
    }
    host.running.remove_dns_server(key(args), server)
}

fn search_list(host: &Host, args: &Args) -> Result<Document, Fault> {
    let domains = host.running.netstack(key(args))?.dns_search.clone();
    Ok(Document::Single(None, Record::new("DNSSearchList").texts("DNSSearch Domains", domains)))
}

fn search_add(host: &mut Host, args: &Args) -> Result<(), Fault> {
    host.running.add_dns_search(key(args), args.required("domain"))
}

fn search_remove(host: &mut Host, args: &Args) -> Result<(), Fault> {
    host.running.remove_dns_search(key(args), args.required("domain"))
}

//! Rules of addresses, gateways, routes and name servers.

use super::answers::Answers;
use super::fleet::{Fleet, Odd, Told, odd};
use super::view::{Traffic, View};
use super::{Kind, Rule};
use model::Severity::{Blocker, Error, Warning};
use model::{Component, Ipv4Cidr, NetstackName, ObservedNetstack, RouteNetwork};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

pub(super) const RULES: &[Rule] = &[
    Rule::host(
        "IP-001",
        Blocker,
        [
            "An address that no host can have",
            "Not usable",
            "use an address of a host",
            "J",
            "IPv4 of adapters",
        ],
        unusable,
    ),
    Rule::host(
        "IP-002",
        Blocker,
        [
            "A gateway outside all subnets of its netstack",
            "Unreachable gateway = mgmt loss for remote clients",
            "use a gateway inside the subnet of an adapter",
            "MIRAZON, J",
            "IPv4 of adapters, routes",
        ],
        gateway_outside,
    ),
    Rule::group(
        "IP-003",
        Blocker,
        [
            "One address on two hosts",
            "Duplicate IP",
            "give one of them another address",
            "J",
            "IPv4 of adapters",
        ],
        address_twice,
    ),
    Rule::host(
        "IP-004",
        Blocker,
        [
            "The address of a gateway, DNS server or appliance",
            "Conflict",
            "use a free address",
            "J",
            "IPv4 of adapters, routes, DNS; vips of the site",
        ],
        address_taken,
    ),
    Rule::group(
        "IP-005",
        Error,
        [
            "One subnet on two VLANs",
            "ARP/routing split-brain",
            "use one VLAN for one subnet",
            "J, KB-MULTI",
            "IPv4 of adapters, VLAN of port groups",
        ],
        subnet_on_two_vlans,
    ),
    Rule::group(
        "IP-006",
        Error,
        [
            "Different masks in one subnet",
            "Asymmetric reachability",
            "use one mask for one subnet",
            "J",
            "IPv4 of adapters",
        ],
        unequal_mask,
    ),
    Rule::host(
        "IP-007",
        Error,
        [
            "A route that cannot work",
            "Single routing table per stack, no dynamic routing",
            "remove the route, or name a gateway on a link",
            "DOC-VMK",
            "routes, IPv4 of adapters",
        ],
        bad_route,
    ),
    Rule::group(
        "IP-008",
        Warning,
        [
            "vMotion peers behind the gateway of management",
            "Storage/vMotion leaves through management",
            "use the vMotion netstack with a gateway of its own, or a static route",
            "MIRAZON, WAHL, DOC-VMK",
            "IPv4, netstack and services of adapters",
        ],
        far_vmotion,
    ),
    Rule::unread(
        "IP-009",
        Error,
        Kind::State,
        ["An address that somebody else answers for", "Live conflict", "Pick another", "J"],
        "neighbours of the host (ip neighbor)",
    ),
    Rule::host(
        "IP-010",
        Warning,
        [
            "Fewer than two DNS servers",
            "Resolver outage = vCenter/NTP/syslog trouble",
            "name two servers",
            "J",
            "DNS of netstacks",
        ],
        few_dns,
    ),
    Rule::unread(
        "IP-011",
        Warning,
        Kind::Fleet,
        ["Names and addresses that disagree", "Certificate and HA problems", "Fix DNS", "J"],
        "names in DNS",
    ),
    Rule::elsewhere(
        "IP-012",
        Error,
        Kind::Change,
        [
            "Gateway, DNS or routes of management change",
            "On vSphere's disconnecting list",
            "Mark management-affecting",
            "ROLLBACK",
            "plan",
        ],
        "the agent: every change is commit-confirmed",
    ),
    Rule::unread(
        "IP-013",
        Warning,
        Kind::Plan,
        ["IPv6 switched on or off", "Needs a host reboot (V)", "Separate maintenance RFC", "V"],
        "whether IPv6 is on",
    ),
];

use super::answers::At;

/// Fewest name servers that survive the loss of one.
const DNS_SERVERS_MIN: usize = 2;
/// Longest prefix whose first and last address are no hosts.
const HOST_PREFIX_MAX: u8 = 30;

fn stack_at(stack: &NetstackName, field: &[&str]) -> At {
    At::new(Component::Netstack, &[&["netstacks", stack.as_str()], field].concat())
}

fn stacks<'a>(view: &View<'a>, answers: &mut Answers) -> Vec<(&'a NetstackName, &'a ObservedNetstack)> {
    answers.need(&view.state.netstacks, "netstacks").into_iter().flatten().collect()
}

/// Fixed addresses of the enabled adapters of a netstack; none when one is by DHCP or not known.
fn subnets(view: &View<'_>, stack: &NetstackName, answers: &mut Answers) -> Option<Vec<Ipv4Cidr>> {
    let mut all = Vec::new();
    for vmk in view.vmks(answers).iter().filter(|vmk| vmk.state.netstack == *stack && vmk.state.enabled) {
        match answers.need(&vmk.state.ipv4, "IPv4 of adapters")? {
            model::ObservedIpv4::None => {}
            model::ObservedIpv4::Static { address, .. } => all.push(*address),
            model::ObservedIpv4::Dhcp { address } => all.push(answers.want(*address, "DHCP leases")?),
        }
    }
    answers.want(view.state.vmkernels.read(), "VMkernel adapters")?;
    Some(all)
}

/// Why an address is none for a host.
fn problem(cidr: Ipv4Cidr) -> Option<&'static str> {
    let address = cidr.address();
    let hosts = cidr.prefix() <= HOST_PREFIX_MAX;
    let last = cidr.network().address().to_bits() | !cidr.netmask().to_bits();
    match address {
        _ if address.is_unspecified() => Some("is 0.0.0.0"),
        _ if address.is_multicast() => Some("is a multicast address"),
        _ if address.is_loopback() => Some("is a loopback address"),
        _ if address.is_link_local() => Some("is a link-local address"),
        _ if hosts && cidr.network().address() == address => Some("is the address of its network"),
        _ if hosts && address.to_bits() == last => Some("is the broadcast address of its network"),
        _ => None,
    }
}

fn unusable(view: &View<'_>, answers: &mut Answers) {
    for vmk in view.vmks(answers) {
        let Some(address) = vmk.fixed(answers) else { continue };
        if let Some(problem) = problem(address) {
            let message = format!("{address} of `{}` {problem}", vmk.name);
            answers.found(vmk.at(&["ipv4"]), address, message);
        }
    }
}

fn gateway_outside(view: &View<'_>, answers: &mut Answers) {
    for (name, stack) in stacks(view, answers) {
        let Some(routes) = answers.need(&stack.routes, "routes") else { continue };
        let default = routes.iter().find(|route| route.network == RouteNetwork::Default);
        let Some(gateway) = default.and_then(|route| route.gateway) else { continue };
        if !view.is_whole(answers) {
            return;
        }
        let Some(subnets) = subnets(view, name, answers) else { continue };
        if !subnets.iter().any(|subnet| subnet.contains(gateway)) {
            let message = format!("gateway {gateway} of netstack `{name}` is in no subnet of its adapters");
            answers.found(stack_at(name, &["routes", "default"]), gateway, message);
        }
    }
}

fn address_twice(fleet: &Fleet<'_>, answers: &mut Answers) {
    let mut owners = BTreeMap::new();
    for view in fleet.hosts() {
        for vmk in view.vmks(answers) {
            let Some(address) = vmk.fixed(answers) else { continue };
            let owner = *owners.entry(address.address()).or_insert((view.host, vmk.name));
            if owner != (view.host, vmk.name) {
                let (host, other) = owner;
                let message =
                    format!("`{}` has {}, which `{other}` on `{host}` has too", vmk.name, address.address());
                answers.found_on(view.host, vmk.at(&["ipv4"]), address.address(), message);
            }
        }
    }
}

/// Addresses that are taken, and by what.
fn taken(view: &View<'_>, answers: &mut Answers) -> Vec<(Ipv4Addr, String)> {
    let mut all: Vec<(Ipv4Addr, String)> =
        view.site.vips.iter().map(|vip| (*vip, "an appliance of the site".to_owned())).collect();
    for (name, stack) in stacks(view, answers) {
        for route in answers.need(&stack.routes, "routes").into_iter().flatten() {
            all.extend(route.gateway.map(|gateway| (gateway, format!("a gateway of netstack `{name}`"))));
        }
        for server in answers.need(&stack.dns_servers, "DNS servers").into_iter().flatten() {
            if let IpAddr::V4(server) = server {
                all.push((*server, format!("a DNS server of netstack `{name}`")));
            }
        }
    }
    for vmk in view.vmks(answers) {
        if let Some(model::ObservedIpv4::Static { gateway: Some(gateway), .. }) = vmk.state.ipv4.read() {
            all.push((*gateway, format!("the gateway of `{}`", vmk.name)));
        }
    }
    all
}

fn address_taken(view: &View<'_>, answers: &mut Answers) {
    let taken = taken(view, answers);
    for vmk in view.vmks(answers) {
        let Some(own) = vmk.fixed(answers) else { continue };
        if let Some((address, by)) = taken.iter().find(|(address, _)| *address == own.address()) {
            answers.found(vmk.at(&["ipv4"]), address, format!("{address} of `{}` is {by}", vmk.name));
        }
    }
}

fn subnet_on_two_vlans(fleet: &Fleet<'_>, answers: &mut Answers) {
    let mut all = Vec::new();
    for view in fleet.hosts() {
        for vmk in view.vmks(answers) {
            let (Some(own), Some(group)) = (vmk.fixed(answers), view.group_of(vmk)) else { continue };
            if let Some(value) = group.vlan(answers) {
                all.push(Told { key: own.network(), value, host: view.host, about: vmk });
            }
        }
    }
    for Odd { told, usual, on } in odd(all) {
        let (vmk, network, vlan) = (told.about, told.key, told.value);
        let message = format!("`{}` has {network} in VLAN {vlan}; on `{on}` it is VLAN {usual}", vmk.name);
        answers.found_on(told.host, vmk.at(&["ipv4"]), format!("{network} in {vlan}"), message);
    }
}

fn unequal_mask(fleet: &Fleet<'_>, answers: &mut Answers) {
    let mut seen: Vec<(Ipv4Cidr, &model::HostId)> = Vec::new();
    for view in fleet.hosts() {
        for vmk in view.vmks(answers) {
            let Some(own) = vmk.fixed(answers) else { continue };
            let overlaps = |other: &&(Ipv4Cidr, &model::HostId)| {
                let (network, _) = other;
                network.prefix() != own.prefix()
                    && (network.contains(own.address()) || own.contains(network.address()))
            };
            if let Some((network, host)) = seen.iter().find(overlaps) {
                let message = format!(
                    "`{}` has {own}; on `{host}` the same network has a mask of {} bits",
                    vmk.name,
                    network.prefix()
                );
                answers.found_on(view.host, vmk.at(&["ipv4"]), own.prefix(), message);
            } else if !seen.iter().any(|(network, _)| *network == own.network()) {
                seen.push((own.network(), view.host));
            }
        }
    }
}

/// What is wrong with one route, beside the routes before it.
fn route_problem(
    route: &model::ObservedRoute,
    before: &[model::ObservedRoute],
    subnets: &[Ipv4Cidr],
) -> Option<String> {
    let gateway = route.gateway?;
    if before.iter().any(|other| other.network == route.network && other.gateway.is_some()) {
        return Some(format!("a second route to {}", route.network));
    }
    match route.network {
        RouteNetwork::Default => None,
        RouteNetwork::Network(network) if subnets.iter().any(|subnet| subnet.network() == network) => {
            Some(format!("the route to {network} covers a network that is on its link"))
        }
        RouteNetwork::Network(network) => {
            let near = subnets.iter().any(|subnet| subnet.contains(gateway));
            (!near).then(|| format!("the route to {network} leads over {gateway}, which is on no link"))
        }
    }
}

fn bad_route(view: &View<'_>, answers: &mut Answers) {
    for (name, stack) in stacks(view, answers) {
        let Some(routes) = answers.need(&stack.routes, "routes") else { continue };
        if routes.iter().all(|route| route.gateway.is_none()) {
            continue;
        }
        if !view.is_whole(answers) {
            return;
        }
        let Some(subnets) = subnets(view, name, answers) else { continue };
        for (at, route) in routes.iter().enumerate() {
            let before = routes.get(..at).unwrap_or_default();
            if let Some(problem) = route_problem(route, before, &subnets) {
                let network = route.network.to_string();
                answers.found(
                    stack_at(name, &["routes", &network]),
                    &network,
                    format!("netstack `{name}`: {problem}"),
                );
            }
        }
    }
}

fn far_vmotion(fleet: &Fleet<'_>, answers: &mut Answers) {
    let mut all = Vec::new();
    for view in fleet.hosts() {
        // With several adapters every network of them has its own peers.
        for (key, vmk) in view.carriers(Traffic::Vmotion, answers).into_iter().enumerate() {
            if let (Some(own), true) = (vmk.fixed(answers), vmk.state.netstack.is_default()) {
                all.push(Told { key, value: own.network(), host: view.host, about: vmk });
            }
        }
    }
    for Odd { told, usual, on } in odd(all) {
        let (vmk, own) = (told.about, told.value);
        let message = format!(
            "`{}` has {own}, its peer on `{on}` {usual}: vMotion leaves by the gateway of management",
            vmk.name
        );
        answers.found_on(told.host, vmk.at(&["ipv4"]), own, message);
    }
}

fn few_dns(view: &View<'_>, answers: &mut Answers) {
    for (name, stack) in stacks(view, answers).into_iter().filter(|(name, _)| name.is_default()) {
        let Some(servers) = answers.need(&stack.dns_servers, "DNS servers") else { continue };
        if servers.len() < DNS_SERVERS_MIN {
            let message = format!("netstack `{name}` has {} DNS servers", servers.len());
            answers.found(stack_at(name, &["dns_servers"]), servers.len(), message);
        }
    }
}

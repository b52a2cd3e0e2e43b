//! Two pictures of the same host compared: is everything as before?
//!
//! Connected routes follow from addresses and are not compared on their own. Volatile facts (time, ports in use, link state and speed, DHCP leases, virtual machines, boot) do not count.

use super::text;
use model::{
    Component, Difference, DifferenceKind, Known, ObservedIpv4, ObservedNetstack, ObservedNetwork,
    ObservedNic, ObservedPortGroup, ObservedRoute, ObservedVmk, ObservedVswitch, RouteNetwork,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::net::Ipv4Addr;

/// The fields of an object that count, as text.
type Fields = Vec<(&'static str, Known<String>)>;

fn fact<T: serde::Serialize>(fact: &Known<T>) -> Known<String> {
    match fact {
        Known::Read(value) => Known::Read(text(value)),
        Known::Unreadable { reason } => Known::unreadable(reason.clone()),
    }
}

fn plain<T: serde::Serialize>(value: &T) -> Known<String> {
    Known::Read(text(value))
}

/// Every difference of `after` from `before` that a rollback should not leave.
#[must_use]
pub fn compare_images(before: &ObservedNetwork, after: &ObservedNetwork) -> Vec<Difference> {
    let mut out = Vec::new();
    kind(&mut out, Component::Vswitch, &before.vswitches, &after.vswitches, vswitch);
    kind(&mut out, Component::PortGroup, &before.port_groups, &after.port_groups, port_group);
    kind(&mut out, Component::Vmk, &before.vmkernels, &after.vmkernels, vmk);
    kind(&mut out, Component::Vmnic, &before.nics, &after.nics, nic);
    kind(&mut out, Component::Netstack, &before.netstacks, &after.netstacks, netstack);
    out
}

fn vswitch(state: &ObservedVswitch) -> Fields {
    let ObservedVswitch { mtu, cdp, uplinks, teaming, security, shaping } = state;
    vec![
        ("mtu", fact(mtu)),
        ("cdp", fact(cdp)),
        ("uplinks", fact(uplinks)),
        ("teaming", fact(teaming)),
        ("security", fact(security)),
        ("shaping", fact(shaping)),
    ]
}

fn port_group(state: &ObservedPortGroup) -> Fields {
    let ObservedPortGroup { vswitch, vlan, active_clients: _, teaming, security, shaping } = state;
    vec![
        ("vswitch", plain(vswitch)),
        ("vlan", fact(vlan)),
        ("teaming", fact(teaming)),
        ("security", fact(security)),
        ("shaping", fact(shaping)),
    ]
}

fn vmk(state: &ObservedVmk) -> Fields {
    let ObservedVmk { attachment, netstack, enabled, mac, mtu, ipv4, ipv6, services } = state;
    let ipv4 = match ipv4 {
        Known::Read(ObservedIpv4::Dhcp { .. }) => Known::Read("dhcp".to_owned()),
        other => fact(other),
    };
    vec![
        ("attachment", plain(attachment)),
        ("netstack", plain(netstack)),
        ("enabled", plain(enabled)),
        ("mac", fact(mac)),
        ("mtu", fact(mtu)),
        ("ipv4", ipv4),
        ("ipv6", fact(ipv6)),
        ("services", fact(services)),
    ]
}

fn nic(state: &ObservedNic) -> Fields {
    vec![("mac", fact(&state.mac)), ("admin", fact(&state.admin)), ("auto", fact(&state.auto_negotiation))]
}

fn netstack(state: &ObservedNetstack) -> Fields {
    let ObservedNetstack { routes, dns_servers, dns_search } = state;
    let routed = |routes: Vec<ObservedRoute>| -> BTreeSet<(RouteNetwork, Ipv4Addr)> {
        routes.into_iter().filter_map(|route| Some((route.network, route.gateway?))).collect()
    };
    let routes = routes.clone().map(routed);
    vec![("routes", fact(&routes)), ("dns_servers", fact(dns_servers)), ("dns_search", fact(dns_search))]
}

fn kind<K: Ord + Display, O>(
    out: &mut Vec<Difference>,
    component: Component,
    before: &Known<BTreeMap<K, O>>,
    after: &Known<BTreeMap<K, O>>,
    fields: impl Fn(&O) -> Fields,
) {
    let mut push = |object: String, field: &str, kind, desired: String, observed: String| {
        out.push(Difference { component, object, field: field.to_owned(), kind, desired, observed });
    };
    let (before, after) = match (before, after) {
        (Known::Read(before), Known::Read(after)) => (before, after),
        (Known::Unreadable { .. }, _) => return,
        (_, Known::Unreadable { reason }) => {
            push("all".to_owned(), "list", DifferenceKind::Unreadable, String::new(), reason.clone());
            return;
        }
    };
    for (name, state) in before {
        let Some(now) = after.get(name) else {
            push(name.to_string(), "", DifferenceKind::Missing, String::new(), String::new());
            continue;
        };
        for ((field, was), (_, is)) in fields(state).into_iter().zip(fields(now)) {
            match (was, is) {
                // What was not known before cannot be other than before.
                (Known::Unreadable { .. }, _) => {}
                (Known::Read(was), Known::Unreadable { reason }) => {
                    push(name.to_string(), field, DifferenceKind::Unreadable, was, reason);
                }
                (Known::Read(was), Known::Read(is)) if was != is => {
                    push(name.to_string(), field, DifferenceKind::Changed, was, is);
                }
                (Known::Read(_), Known::Read(_)) => {}
            }
        }
    }
    for name in after.keys().filter(|name| !before.contains_key(*name)) {
        push(name.to_string(), "", DifferenceKind::Surplus, String::new(), String::new());
    }
}

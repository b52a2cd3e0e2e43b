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
type Fields = Vec<(&'static str, String)>;

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
        ("mtu", text(mtu)),
        ("cdp", text(cdp)),
        ("uplinks", text(uplinks)),
        ("teaming", text(teaming)),
        ("security", text(security)),
        ("shaping", text(shaping)),
    ]
}

fn port_group(state: &ObservedPortGroup) -> Fields {
    let ObservedPortGroup { vswitch, vlan, active_clients: _, teaming, security, shaping } = state;
    vec![
        ("vswitch", text(vswitch)),
        ("vlan", text(vlan)),
        ("teaming", text(teaming)),
        ("security", text(security)),
        ("shaping", text(shaping)),
    ]
}

fn vmk(state: &ObservedVmk) -> Fields {
    let ObservedVmk { attachment, netstack, enabled, mac, mtu, ipv4, ipv6, services } = state;
    let ipv4 = match ipv4 {
        Known::Read(ObservedIpv4::Dhcp { .. }) => "dhcp".to_owned(),
        other => text(other),
    };
    vec![
        ("attachment", text(attachment)),
        ("netstack", text(netstack)),
        ("enabled", text(enabled)),
        ("mac", text(mac)),
        ("mtu", text(mtu)),
        ("ipv4", ipv4),
        ("ipv6", text(ipv6)),
        ("services", text(services)),
    ]
}

fn nic(state: &ObservedNic) -> Fields {
    vec![("mac", text(&state.mac)), ("admin", text(&state.admin)), ("auto", text(&state.auto_negotiation))]
}

fn netstack(state: &ObservedNetstack) -> Fields {
    let ObservedNetstack { routes, dns_servers, dns_search } = state;
    let routed = |routes: Vec<ObservedRoute>| -> BTreeSet<(RouteNetwork, Ipv4Addr)> {
        routes.into_iter().filter_map(|route| Some((route.network, route.gateway?))).collect()
    };
    let routes = routes.clone().map(routed);
    vec![("routes", text(&routes)), ("dns_servers", text(dns_servers)), ("dns_search", text(dns_search))]
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
            if was != is {
                push(name.to_string(), field, DifferenceKind::Changed, was, is);
            }
        }
    }
    for name in after.keys().filter(|name| !before.contains_key(*name)) {
        push(name.to_string(), "", DifferenceKind::Surplus, String::new(), String::new());
    }
}

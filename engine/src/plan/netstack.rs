//! Operations for netstacks: existence, routes, DNS servers and search domains.

use super::draft::Draft;
use model::{
    Component, DesiredNetstack, DesiredNetwork, Ipv4Cidr, Ipv4Config, Known, NetstackName, ObservedIpv4,
    ObservedNetstack, ObservedRoute, Operation, Presence, RouteNetwork, RouteSetting,
};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

pub(super) fn draft(draft: &mut Draft, desired: &DesiredNetwork) {
    let observed = draft.observed;
    let carriers_go = !draft.replaced_vmks.is_empty() || !draft.removed_vmks.is_empty();
    if desired.netstacks.is_empty() && !carriers_go {
        return;
    }
    let Some(found) = draft.need(&observed.netstacks, Component::Netstack, "the list of netstacks") else {
        return;
    };
    for (name, wanted) in &desired.netstacks {
        match (wanted, found.get(name)) {
            (Presence::Absent, None) => {}
            (Presence::Absent, Some(_)) => remove(draft, desired, name),
            (Presence::Present(wanted), None) => {
                draft.push(Operation::NetstackAdd { netstack: name.clone() }, None);
                fill(draft, desired, name, wanted, None);
            }
            (Presence::Present(wanted), Some(found)) => fill(draft, desired, name, wanted, Some(found)),
        }
    }
    if carriers_go {
        let empty = DesiredNetstack::default();
        for (name, found) in found.iter().filter(|(name, _)| !desired.netstacks.contains_key(*name)) {
            fill(draft, desired, name, &empty, Some(found));
        }
    }
}

fn remove(draft: &mut Draft, desired: &DesiredNetwork, name: &NetstackName) {
    let vmks = draft.observed.vmkernels.read().into_iter().flatten();
    let stays = vmks.filter(|(_, vmk)| vmk.netstack == *name).map(|(vmk, _)| vmk).find(|vmk| {
        match desired.vmkernels.get(*vmk) {
            Some(Presence::Absent) => false,
            Some(Presence::Present(wanted)) => wanted.netstack.as_ref().is_none_or(|next| next == name),
            None => true,
        }
    });
    if name.is_default() {
        let message = format!("netstack `{name}` belongs to the system");
        draft.error("PLAN-004", Component::Netstack, message, "take `absent: true` away");
    } else if let Some(vmk) = stays {
        let message = format!("netstack `{name}` cannot be removed: `{vmk}` is on it");
        draft.error(
            "PLAN-004",
            Component::Netstack,
            message,
            "move or remove the adapter in the same change",
        );
    } else {
        draft.push(Operation::NetstackRemove { netstack: name.clone() }, None);
    }
}

/// Whether the adapter a route leads over gets another address or is switched, so that the gateway may be out of reach.
fn is_readdressed(draft: &Draft, route: &ObservedRoute) -> bool {
    draft.actions.iter().any(|action| match &action.operation {
        Operation::VmkIpv4Set { vmk, .. } | Operation::VmkSet { vmk, enabled: Some(_), .. } => {
            route.vmk.as_ref() == Some(vmk)
        }
        _ => false,
    })
}

/// The networks the adapters of a netstack are connected to after the plan.
struct Reach {
    networks: Vec<Ipv4Cidr>,
    /// An adapter gets its address by DHCP or could not be read: anything may be reachable.
    open: bool,
}

impl Reach {
    fn after(draft: &Draft, desired: &DesiredNetwork, stack: &NetstackName) -> Self {
        let mut reach = Self { networks: Vec::new(), open: false };
        let Some(found) = draft.observed.vmkernels.read() else {
            return Self { networks: Vec::new(), open: true };
        };
        let names = found.keys().chain(desired.vmkernels.keys().filter(|name| !found.contains_key(*name)));
        for name in names {
            let wanted = match desired.vmkernels.get(name) {
                Some(Presence::Absent) => continue,
                Some(Presence::Present(wanted)) => Some(wanted),
                None => None,
            };
            let state = found.get(name);
            let on =
                wanted.and_then(|wanted| wanted.netstack.as_ref()).or(state.map(|state| &state.netstack));
            if on.map_or(!stack.is_default(), |on| on != stack) {
                continue;
            }
            let enabled = wanted.and_then(|wanted| wanted.enabled).or(state.map(|state| state.enabled));
            if enabled != Some(false) {
                reach.add(wanted.and_then(|wanted| wanted.ipv4.as_ref()), state.map(|state| &state.ipv4));
            }
        }
        reach
    }

    fn add(&mut self, wanted: Option<&Ipv4Config>, state: Option<&Known<ObservedIpv4>>) {
        match (wanted, state) {
            (Some(Ipv4Config::Static { address, .. }), _) => self.networks.push(address.network()),
            (Some(Ipv4Config::None), _) | (None, None | Some(Known::Read(ObservedIpv4::None))) => {}
            (None, Some(Known::Read(ObservedIpv4::Static { address, .. }))) => {
                self.networks.push(address.network())
            }
            (Some(Ipv4Config::Dhcp), _)
            | (None, Some(Known::Unreadable { .. } | Known::Read(ObservedIpv4::Dhcp { .. }))) => {
                self.open = true
            }
        }
    }

    fn covers(&self, gateway: Ipv4Addr) -> bool {
        self.open || self.networks.iter().any(|network| network.contains(gateway))
    }
}

/// Routes with a gateway that will be gone because their adapter is removed or made anew.
fn is_lost(draft: &Draft, route: &ObservedRoute) -> bool {
    route
        .vmk
        .as_ref()
        .is_some_and(|vmk| draft.replaced_vmks.contains(vmk) || draft.removed_vmks.contains(vmk))
}

fn fill(
    draft: &mut Draft,
    desired: &DesiredNetwork,
    name: &NetstackName,
    wanted: &DesiredNetstack,
    found: Option<&ObservedNetstack>,
) {
    let carriers_go = !draft.replaced_vmks.is_empty() || !draft.removed_vmks.is_empty();
    if !wanted.routes.is_empty() || carriers_go {
        let none = Known::Read(Vec::new());
        let routes = found.map_or(&none, |found| &found.routes);
        if let Some(now) = draft.need(routes, Component::Netstack, format_args!("the routes of `{name}`")) {
            let now = now.clone();
            let reach = Reach::after(draft, desired, name);
            fill_routes(draft, name, &wanted.routes, &now, &reach);
        }
    }
    let none = Known::Read(Vec::new());
    if let Some(next) = &wanted.dns_servers {
        let servers = found.map_or(&none, |found| &found.dns_servers);
        if let Some(now) =
            draft.need(servers, Component::Netstack, format_args!("the DNS servers of `{name}`"))
        {
            let (gone, added) = list_change(now, next);
            let netstack = || name.clone();
            gone.into_iter().for_each(|server| {
                draft.push(Operation::DnsServerRemove { netstack: netstack(), server }, None)
            });
            added.into_iter().for_each(|server| {
                draft.push(Operation::DnsServerAdd { netstack: netstack(), server }, None)
            });
        }
    }
    let none = Known::Read(Vec::new());
    if let Some(next) = &wanted.dns_search {
        let domains = found.map_or(&none, |found| &found.dns_search);
        if let Some(now) =
            draft.need(domains, Component::Netstack, format_args!("the DNS search domains of `{name}`"))
        {
            let (gone, added) = list_change(now, next);
            let netstack = || name.clone();
            gone.into_iter().for_each(|domain| {
                draft.push(Operation::DnsSearchRemove { netstack: netstack(), domain }, None)
            });
            added.into_iter().for_each(|domain| {
                draft.push(Operation::DnsSearchAdd { netstack: netstack(), domain }, None)
            });
        }
    }
}

fn fill_routes(
    draft: &mut Draft,
    name: &NetstackName,
    wanted: &BTreeMap<RouteNetwork, RouteSetting>,
    now: &[ObservedRoute],
    reach: &Reach,
) {
    let netstack = || name.clone();
    for (network, setting) in wanted {
        let current = now.iter().find(|route| route.network == *network && route.gateway.is_some());
        let lost = current.is_some_and(|route| is_lost(draft, route) || is_readdressed(draft, route));
        let current = current.and_then(|route| route.gateway);
        let next: Option<Ipv4Addr> = match setting {
            RouteSetting::Via(gateway) => Some(*gateway),
            RouteSetting::Absent => None,
        };
        if current == next && !lost {
            continue;
        }
        if let Some(gateway) = next.filter(|gateway| !reach.covers(*gateway)) {
            let message = format!(
                "gateway {gateway} of route `{network}` on netstack `{name}` is on no network of its adapters"
            );
            let hint = "correct the gateway, or give an adapter an address there";
            draft.error("PLAN-012", Component::Netstack, message, hint);
            continue;
        }
        if let Some(gateway) = current {
            draft.push(Operation::RouteRemove { netstack: netstack(), network: *network, gateway }, None);
        }
        if let Some(gateway) = next {
            draft.push(Operation::RouteAdd { netstack: netstack(), network: *network, gateway }, None);
        }
    }
    for route in now.iter().filter(|route| !wanted.contains_key(&route.network)) {
        if let (Some(gateway), true) = (route.gateway, is_lost(draft, route)) {
            carry_over(draft, name, route.network, gateway, (reach, &route.vmk));
        }
    }
}

/// A route that loses its adapter is removed by name, not by accident, and comes back with the new one.
fn carry_over(
    draft: &mut Draft,
    name: &NetstackName,
    network: RouteNetwork,
    gateway: Ipv4Addr,
    (reach, carrier): (&Reach, &Option<model::VmkName>),
) {
    draft.push(Operation::RouteRemove { netstack: name.clone(), network, gateway }, None);
    let returns = carrier.as_ref().is_some_and(|vmk| draft.replaced_vmks.contains(vmk));
    if returns && reach.covers(gateway) {
        draft.push(Operation::RouteAdd { netstack: name.clone(), network, gateway }, None);
    } else {
        let message = format!("route `{network}` through {gateway} goes away with its adapter");
        draft.warning("PLAN-012", Component::Netstack, message, "state the route you want, or `absent`");
    }
}

/// What to remove and what to append so that `now` becomes `next`; esxcli can only append.
fn list_change<T: PartialEq + Clone>(now: &[T], next: &[T]) -> (Vec<T>, Vec<T>) {
    let common = now.iter().zip(next).take_while(|(a, b)| a == b).count();
    let mut added: Vec<T> = Vec::new();
    for item in &next[common..] {
        if !added.contains(item) && !next[..common].contains(item) {
            added.push(item.clone());
        }
    }
    (now[common..].to_vec(), added)
}

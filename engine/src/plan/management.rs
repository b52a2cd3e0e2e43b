//! The management path: adapter, port group, switch, a linked uplink, address and route.
//!
//! Owns: whether a state still carries it as before; whether an adapter can reach anything at all is another question,
//! which `safety::path` answers. Must not: plan. Called by `order` for every state in
//! between, by `merge` for what must not be pruned, and by the agent.

use super::draft::Action;
use model::{
    Known, LinkState, NetstackName, ObservedIpv4, ObservedIpv6, ObservedNetwork, ObservedVmk,
    ObservedVswitch, Operation, PortGroupName, ServiceTag, UplinkOrder, Vlan, VmkAttachment, VmkName,
    VmnicName, VswitchName,
};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// The adapter whose route leads to `coordinator`: longest prefix on the default netstack.
///
/// `None` when no route is known; without an address the default route decides.
#[must_use]
pub fn management_vmk(observed: &ObservedNetwork, coordinator: Option<Ipv4Addr>) -> Option<VmkName> {
    let vmks = observed.vmkernels.read()?;
    let default = NetstackName::default_stack();
    let on_stack = || vmks.iter().filter(|(_, vmk)| vmk.netstack == default && vmk.enabled);
    let connected = |address: Ipv4Addr| {
        let networks = on_stack().filter_map(|(name, vmk)| Some((vmk.ipv4.read()?.address()?, name)));
        networks
            .filter(|(cidr, _)| cidr.contains(address))
            .max_by_key(|(cidr, _)| cidr.prefix())
            .map(|(_, name)| name)
    };
    if let Some(name) = coordinator.and_then(connected) {
        return Some(name.clone());
    }
    let routes = observed.netstacks.read().and_then(|stacks| stacks.get(&default)?.routes.read());
    let leads = |route: &&model::ObservedRoute| match (route.network, coordinator) {
        (model::RouteNetwork::Default, _) => true,
        (model::RouteNetwork::Network(cidr), Some(address)) => cidr.contains(address),
        (model::RouteNetwork::Network(_), None) => false,
    };
    let best = routes.into_iter().flatten().filter(leads).max_by_key(|route| match route.network {
        model::RouteNetwork::Default => 0,
        model::RouteNetwork::Network(cidr) => cidr.prefix(),
    });
    if let Some(route) = best {
        let name = route.vmk.clone().or_else(|| route.gateway.and_then(connected).cloned());
        if name.is_some() {
            return name;
        }
    }
    let gateways = on_stack()
        .filter(|(_, vmk)| matches!(vmk.ipv4.read(), Some(ObservedIpv4::Static { gateway: Some(_), .. })));
    gateways.map(|(name, _)| name.clone()).next()
}

/// The adapters that carry management: the one that leads to the coordinator, else those with the tag.
#[must_use]
pub fn management_vmks(observed: &ObservedNetwork) -> BTreeSet<VmkName> {
    if let Known::Read(Some(vmk)) = &observed.management_vmk {
        return BTreeSet::from([vmk.clone()]);
    }
    let tag = ServiceTag::management();
    let vmks = observed.vmkernels.read().into_iter().flatten();
    let tagged = vmks.filter(|(_, vmk)| vmk.services.read().is_some_and(|services| services.contains(&tag)));
    tagged.map(|(name, _)| name.clone()).collect()
}

/// What one management adapter hangs on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Chain {
    vmk: VmkName,
    ipv4: Option<ObservedIpv4>,
    /// IPv6 where it may be what carries management.
    ipv6: Option<ObservedIpv6>,
    netstack: NetstackName,
    default_route: Option<Ipv4Addr>,
    /// Every route through a gateway that leads over the adapter.
    routes: BTreeSet<(model::RouteNetwork, Ipv4Addr)>,
    /// Nothing on a distributed switch: its ports are not ours.
    port: Option<Port>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Port {
    port_group: PortGroupName,
    vlan: Option<Vlan>,
    vswitch: VswitchName,
}

/// The management path as it was at the start; asked again for every state in between.
#[derive(Debug, Clone, Default)]
pub(super) struct ManagementPath {
    chains: Vec<Chain>,
}

/// IPv4 without the lease: whether by DHCP is what a change decides, the address of the lease is not.
fn ipv4_of(vmk: &ObservedVmk) -> Option<ObservedIpv4> {
    match vmk.ipv4.read()? {
        ObservedIpv4::Dhcp { .. } => Some(ObservedIpv4::Dhcp { address: None }),
        other => Some(other.clone()),
    }
}

/// IPv6 that may be what carries management; none where IPv4 is known to, or where there is nothing to lose.
fn ipv6_of(observed: &ObservedNetwork, vmk: &ObservedVmk) -> Option<ObservedIpv6> {
    let mut ipv6 = vmk.ipv6.read()?.clone();
    if vmk.ipv4.read().is_some_and(|ipv4| *ipv4 != ObservedIpv4::None) {
        if matches!(observed.management_vmk, Known::Read(Some(_))) {
            return None;
        }
        // Beside IPv4 only what a person gave it.
        (ipv6.dhcp, ipv6.router_advertisements) = (false, false);
    }
    let any = ipv6.dhcp || ipv6.router_advertisements || !ipv6.addresses.is_empty();
    any.then_some(ipv6)
}

/// Whether nothing of it was taken away.
fn ipv6_holds(before: Option<&ObservedIpv6>, now: Option<&ObservedIpv6>) -> bool {
    before.is_none_or(|before| {
        now.is_some_and(|now| {
            before.addresses.is_subset(&now.addresses)
                && before.dhcp <= now.dhcp
                && before.router_advertisements <= now.router_advertisements
        })
    })
}

fn default_route(observed: &ObservedNetwork, netstack: &NetstackName) -> Option<Ipv4Addr> {
    let routes = observed.netstacks.read()?.get(netstack)?.routes.read()?;
    routes.iter().find(|route| route.network == model::RouteNetwork::Default)?.gateway
}

fn routes_over(
    observed: &ObservedNetwork,
    netstack: &NetstackName,
    vmk: &VmkName,
) -> BTreeSet<(model::RouteNetwork, Ipv4Addr)> {
    let routes = observed.netstacks.read().and_then(|stacks| stacks.get(netstack)?.routes.read());
    let own = routes.into_iter().flatten().filter(|route| route.vmk.as_ref() == Some(vmk));
    own.filter_map(|route| Some((route.network, route.gateway?))).collect()
}

fn chain(observed: &ObservedNetwork, name: &VmkName) -> Option<Chain> {
    let vmk = observed.vmkernels.read()?.get(name)?;
    let port = match &vmk.attachment {
        VmkAttachment::Distributed(_) => None,
        VmkAttachment::PortGroup(group) => {
            let state = observed.port_groups.read()?.get(group)?;
            let vlan = state.vlan.read().copied();
            Some(Port { port_group: group.clone(), vlan, vswitch: state.vswitch.clone() })
        }
    };
    let (ipv4, ipv6) = (ipv4_of(vmk), ipv6_of(observed, vmk));
    let default_route = default_route(observed, &vmk.netstack);
    let routes = routes_over(observed, &vmk.netstack, name);
    let (vmk, netstack) = (name.clone(), vmk.netstack.clone());
    Some(Chain { vmk, ipv4, ipv6, netstack, default_route, routes, port })
}

/// The first fact on the path of an adapter that could not be read.
fn unread_link(observed: &ObservedNetwork, vmk: &VmkName) -> Option<String> {
    let state = observed.vmkernels.read()?.get(vmk)?;
    let VmkAttachment::PortGroup(name) = &state.attachment else { return None };
    let group = observed.port_groups.read()?.get(name)?;
    let uplinks = observed.vswitches.read()?.get(&group.vswitch).map(|vswitch| &vswitch.uplinks);
    let facts = [
        (format!("the VLAN of `{name}`"), group.vlan.reason()),
        (format!("the failover policy of `{name}`"), group.teaming.reason()),
        (format!("the uplinks of `{}`", group.vswitch), uplinks.and_then(Known::reason)),
    ];
    facts.into_iter().find_map(|(what, reason)| Some(format!("{what} could not be read: {}", reason?)))
}

/// Whether at least one uplink in the order is on the switch, administratively up and linked.
fn has_linked_uplink(observed: &ObservedNetwork, vswitch: &ObservedVswitch, order: &UplinkOrder) -> bool {
    let (Some(nics), Some(uplinks)) = (observed.nics.read(), vswitch.uplinks.read()) else {
        return false;
    };
    order.active.iter().chain(&order.standby).any(|vmnic| {
        let up = nics.get(vmnic).is_some_and(|nic| {
            nic.link == LinkState::Up && nic.admin.read().is_none_or(|admin| *admin == LinkState::Up)
        });
        up && uplinks.contains(vmnic)
    })
}

impl Chain {
    fn holds(&self, observed: &ObservedNetwork) -> bool {
        let Some(now) = chain(observed, &self.vmk) else {
            return false;
        };
        let enabled =
            observed.vmkernels.read().and_then(|vmks| vmks.get(&self.vmk)).is_some_and(|vmk| vmk.enabled);
        let same_route = (self.default_route.is_none() || now.default_route == self.default_route)
            && self.routes.is_subset(&now.routes);
        enabled
            && now.ipv4 == self.ipv4
            && ipv6_holds(self.ipv6.as_ref(), now.ipv6.as_ref())
            && same_route
            && now.netstack == self.netstack
            && self.port_holds(&now, observed)
    }

    fn port_holds(&self, now: &Self, observed: &ObservedNetwork) -> bool {
        match (&self.port, &now.port) {
            (None, None) => true,
            (Some(before), Some(after)) => {
                let group = observed.port_groups.read().and_then(|groups| groups.get(&after.port_group));
                let vswitch = observed.vswitches.read().and_then(|vswitches| vswitches.get(&after.vswitch));
                let order =
                    group.and_then(|group| group.teaming.read()).map(|teaming| teaming.uplinks.value());
                let linked = match (vswitch, order) {
                    (Some(vswitch), Some(order)) => has_linked_uplink(observed, vswitch, order),
                    _ => false,
                };
                before.vlan == after.vlan && linked
            }
            (None, Some(_)) | (Some(_), None) => false,
        }
    }
}

impl Chain {
    /// The port groups the adapter is on before and after.
    fn is_own_group(&self, group: &PortGroupName, all: &[Action]) -> bool {
        let next = all.iter().any(|action| {
            matches!(&action.operation, Operation::VmkAdd { vmk, port_group, .. } if *vmk == self.vmk && port_group == group)
        });
        next || self.port.as_ref().is_some_and(|port| port.port_group == *group)
    }

    /// The switches those are on.
    fn is_own_switch(&self, vswitch: &VswitchName, all: &[Action]) -> bool {
        let next = all.iter().any(|action| match &action.operation {
            Operation::VmkAdd { vmk, .. } => *vmk == self.vmk && action.vswitch.as_ref() == Some(vswitch),
            Operation::PortGroupAdd { port_group, vswitch: on } => {
                on == vswitch && self.is_own_group(port_group, all)
            }
            _ => false,
        });
        next || self.port.as_ref().is_some_and(|port| port.vswitch == *vswitch)
    }

    fn restored_by(&self, action: &Action, all: &[Action]) -> bool {
        match &action.operation {
            Operation::VmkAdd { vmk, .. }
            | Operation::VmkRemove { vmk }
            | Operation::VmkSet { vmk, .. }
            | Operation::VmkIpv4Set { vmk, .. } => *vmk == self.vmk,
            Operation::VmkIpv6Set { vmk, .. } | Operation::VmkIpv6AddressAdd { vmk, .. } => {
                *vmk == self.vmk && self.ipv6.is_some()
            }
            Operation::PortGroupAdd { port_group, .. }
            | Operation::PortGroupRemove { port_group, .. }
            | Operation::PortGroupVlanSet { port_group, .. }
            | Operation::PortGroupTeamingSet { port_group, .. } => self.is_own_group(port_group, all),
            Operation::VswitchAdd { vswitch }
            | Operation::UplinkAdd { vswitch, .. }
            | Operation::VswitchTeamingSet { vswitch, .. } => self.is_own_switch(vswitch, all),
            Operation::UplinkRemove { vmnic, .. } => all.iter().any(|other| match &other.operation {
                Operation::UplinkAdd { vswitch, vmnic: joins } => {
                    joins == vmnic && self.is_own_switch(vswitch, all)
                }
                _ => false,
            }),
            Operation::RouteAdd { netstack, .. } | Operation::RouteRemove { netstack, .. } => {
                *netstack == self.netstack
            }
            Operation::NicUp { .. } => true,
            _ => false,
        }
    }
}

impl ManagementPath {
    /// The path as it is now. Adapters whose path does not hold already cannot be cut and are left out.
    pub(super) fn of(observed: &ObservedNetwork) -> Self {
        let chains =
            management_vmks(observed).iter().filter_map(|vmk| chain(observed, vmk)).collect::<Vec<_>>();
        Self { chains: chains.into_iter().filter(|chain| chain.holds(observed)).collect() }
    }

    /// Why the path of a management adapter cannot be proven, when a fact it rests on could not be read.
    ///
    /// Unknown is not cut: what cannot be proven cannot be guarded either.
    pub(super) fn unprovable(observed: &ObservedNetwork) -> Option<String> {
        let lists = [
            ("VMkernel adapters", observed.vmkernels.reason()),
            ("port groups", observed.port_groups.reason()),
            ("standard switches", observed.vswitches.reason()),
            ("physical NICs", observed.nics.reason()),
        ];
        if let Some((what, reason)) = lists.into_iter().find_map(|(what, reason)| Some((what, reason?))) {
            return Some(format!("the {what} could not be read: {reason}"));
        }
        management_vmks(observed).iter().find_map(|vmk| unread_link(observed, vmk))
    }

    /// Whether a path is known at all.
    pub(super) fn is_known(&self) -> bool {
        !self.chains.is_empty()
    }

    /// Whether every management adapter is still reachable in this state.
    pub(super) fn holds(&self, observed: &ObservedNetwork) -> bool {
        self.chains.iter().all(|chain| chain.holds(observed))
    }

    /// Whether an operation could cut the path: a cheap test before the state is looked at.
    pub(super) fn may_touch(&self, operation: &Operation, observed: &ObservedNetwork) -> bool {
        self.chains.iter().any(|chain| touches(chain, operation, observed))
    }

    /// Whether an action can bring the path back once it is cut: it is about the adapter, its port group or its switch,
    /// as they are or as the actions make them.
    pub(super) fn is_restored_by(&self, action: &Action, all: &[Action]) -> bool {
        self.chains.iter().any(|chain| chain.restored_by(action, all))
    }

    /// Whether an operation interrupts the path for a moment although it holds before and after.
    pub(super) fn bounces(&self, operation: &Operation, observed: &ObservedNetwork) -> bool {
        let Operation::NicSet { vmnic, .. } = operation else {
            return false;
        };
        let mut without = observed.clone();
        if let Some(nic) = without.nics.read_mut().and_then(|nics| nics.get_mut(vmnic)) {
            nic.link = LinkState::Down;
        }
        !self.holds(&without)
    }
}

fn switch_has(observed: &ObservedNetwork, vswitch: &VswitchName, vmnic: &VmnicName) -> bool {
    let uplinks = observed.vswitches.read().and_then(|vswitches| vswitches.get(vswitch)?.uplinks.read());
    uplinks.is_some_and(|uplinks| uplinks.contains(vmnic))
}

fn touches(chain: &Chain, operation: &Operation, observed: &ObservedNetwork) -> bool {
    let on_switch = |vswitch: &VswitchName| chain.port.as_ref().is_some_and(|port| port.vswitch == *vswitch);
    let on_group = |group: &PortGroupName| chain.port.as_ref().is_some_and(|port| port.port_group == *group);
    match operation {
        Operation::VswitchRemove { vswitch }
        | Operation::UplinkRemove { vswitch, .. }
        | Operation::VswitchTeamingSet { vswitch, .. } => on_switch(vswitch),
        Operation::PortGroupRemove { port_group, .. }
        | Operation::PortGroupVlanSet { port_group, .. }
        | Operation::PortGroupTeamingSet { port_group, .. } => on_group(port_group),
        Operation::VmkSet { vmk, .. }
        | Operation::VmkIpv6Set { vmk, .. }
        | Operation::VmkIpv6AddressRemove { vmk, .. } => *vmk == chain.vmk,
        Operation::VmkRemove { vmk } | Operation::VmkIpv4Set { vmk, .. } => {
            let state = observed.vmkernels.read().and_then(|vmks| vmks.get(vmk));
            state.is_none_or(|state| state.netstack == chain.netstack)
        }
        Operation::NicDown { vmnic } | Operation::NicSet { vmnic, .. } => {
            chain.port.as_ref().is_some_and(|port| switch_has(observed, &port.vswitch, vmnic))
        }
        Operation::RouteRemove { netstack, .. } | Operation::RouteAdd { netstack, .. } => {
            *netstack == chain.netstack
        }
        _ => false,
    }
}

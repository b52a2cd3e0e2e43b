//! Which action needs which other action first, found by the objects they make, use and free.

use super::draft::Action;
use model::{
    Mtu, NetstackName, ObservedNetwork, Operation, PortGroupName, RouteNetwork, ServiceTag, VmkAttachment,
    VmkName, VmnicName, VswitchName,
};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Something an action makes, uses or frees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Token<'a> {
    Vswitch(&'a VswitchName),
    PortGroup(&'a PortGroupName),
    Vmk(&'a VmkName),
    Netstack(&'a NetstackName),
    /// The NIC as a thing that is on one switch at a time.
    Nic(&'a VmnicName),
    /// The NIC as an uplink of this switch.
    Uplink(&'a VswitchName, &'a VmnicName),
    /// The one adapter of a port group.
    Slot(&'a PortGroupName),
    /// Room for large frames on a switch.
    Room(&'a VswitchName),
    Route(&'a NetstackName, RouteNetwork),
    Address(Ipv4Addr),
    Addressed(&'a NetstackName),
    /// The adapter a route leads over, with the address it has now.
    Carrier(&'a VmkName),
    /// The addresses of a netstack as they are now.
    AddressesNow(&'a NetstackName),
    Tag(&'a ServiceTag),
}

/// Needs between actions, by index.
#[derive(Debug, Clone, Default)]
pub(super) struct Edges {
    /// How many actions must run before this one.
    pub hard_needs: Vec<usize>,
    /// How many actions should run before this one.
    pub soft_needs: Vec<usize>,
    /// The actions that wait for this one.
    pub hard_after: Vec<Vec<usize>>,
    /// The actions that would rather wait for this one.
    pub soft_after: Vec<Vec<usize>>,
}

/// What an action does with tokens.
#[derive(Default)]
struct Deal<'a> {
    /// Is there afterwards.
    makes: Vec<Token<'a>>,
    /// Must be there (made before).
    uses: Vec<Token<'a>>,
    /// Is gone afterwards; after everything that leaves it, before everything that makes it again.
    frees: Vec<Token<'a>>,
    /// Lets go of something that is freed later.
    leaves: Vec<Token<'a>>,
    /// Should come after whatever makes this.
    rather_after: Vec<Token<'a>>,
}

#[derive(Default)]
struct Parties {
    makers: Vec<usize>,
    users: Vec<usize>,
    freers: Vec<usize>,
    leavers: Vec<usize>,
    patient: Vec<usize>,
}

/// Whether a switch operation lowers the MTU.
pub(super) fn lowers_mtu(operation: &Operation, observed: &ObservedNetwork) -> bool {
    let Operation::VswitchSet { vswitch, mtu: Some(next), .. } = operation else {
        return false;
    };
    let now: Option<Mtu> = observed.vswitches.read().and_then(|v| v.get(vswitch)?.mtu.read().copied());
    now.is_some_and(|now| *next < now)
}

fn switch_deal<'a>(deal: &mut Deal<'a>, action: &'a Action, observed: &'a ObservedNetwork) {
    match &action.operation {
        Operation::VswitchAdd { vswitch } => deal.makes.push(Token::Vswitch(vswitch)),
        Operation::VswitchRemove { vswitch } => deal.frees.push(Token::Vswitch(vswitch)),
        Operation::VswitchSet { vswitch, mtu, .. } => {
            deal.uses.push(Token::Vswitch(vswitch));
            match mtu {
                Some(_) if lowers_mtu(&action.operation, observed) => deal.frees.push(Token::Room(vswitch)),
                Some(_) => deal.makes.push(Token::Room(vswitch)),
                None => {}
            }
        }
        Operation::UplinkAdd { vswitch, vmnic } => {
            deal.uses.push(Token::Vswitch(vswitch));
            deal.makes.push(Token::Uplink(vswitch, vmnic));
            deal.makes.push(Token::Nic(vmnic));
        }
        Operation::UplinkRemove { vswitch, vmnic } => {
            deal.leaves.push(Token::Vswitch(vswitch));
            deal.frees.push(Token::Nic(vmnic));
        }
        Operation::VswitchTeamingSet { vswitch, change } => {
            deal.uses.push(Token::Vswitch(vswitch));
            for vmnic in change.active.iter().chain(&change.standby).flatten() {
                deal.uses.push(Token::Uplink(vswitch, vmnic));
            }
        }
        Operation::VswitchSecuritySet { vswitch, .. } | Operation::VswitchShapingSet { vswitch, .. } => {
            deal.uses.push(Token::Vswitch(vswitch));
        }
        _ => {}
    }
}

fn group_deal<'a>(deal: &mut Deal<'a>, action: &'a Action) {
    match &action.operation {
        Operation::PortGroupAdd { port_group, vswitch } => {
            deal.uses.push(Token::Vswitch(vswitch));
            deal.makes.push(Token::PortGroup(port_group));
        }
        Operation::PortGroupRemove { port_group, vswitch } => {
            deal.leaves.push(Token::Vswitch(vswitch));
            deal.frees.push(Token::PortGroup(port_group));
        }
        Operation::PortGroupTeamingSet { port_group, change, .. } => {
            deal.uses.push(Token::PortGroup(port_group));
            if let Some(vswitch) = &action.vswitch {
                for vmnic in change.active.iter().chain(&change.standby).flatten() {
                    deal.uses.push(Token::Uplink(vswitch, vmnic));
                }
            }
        }
        Operation::PortGroupVlanSet { port_group, .. }
        | Operation::PortGroupSecuritySet { port_group, .. }
        | Operation::PortGroupShapingSet { port_group, .. } => deal.uses.push(Token::PortGroup(port_group)),
        _ => {}
    }
}

fn address_now(observed: &ObservedNetwork, vmk: &VmkName) -> Option<Ipv4Addr> {
    Some(observed.vmkernels.read()?.get(vmk)?.ipv4.read()?.address()?.address())
}

fn netstack_now<'a>(observed: &'a ObservedNetwork, vmk: &VmkName) -> Option<&'a NetstackName> {
    Some(&observed.vmkernels.read()?.get(vmk)?.netstack)
}

fn vmk_deal<'a>(
    deal: &mut Deal<'a>,
    action: &'a Action,
    observed: &'a ObservedNetwork,
    default: &'a NetstackName,
) {
    match &action.operation {
        Operation::VmkAdd { vmk, port_group, netstack, .. } => {
            deal.uses.push(Token::PortGroup(port_group));
            deal.uses.extend(netstack.as_ref().map(Token::Netstack));
            deal.makes.push(Token::Slot(port_group));
            deal.makes.push(Token::Vmk(vmk));
            let netstack = netstack.as_ref().unwrap_or(default);
            deal.frees.push(Token::AddressesNow(netstack));
            deal.makes.push(Token::Addressed(netstack));
            deal.uses.extend(action.vswitch.as_ref().map(Token::Room));
        }
        Operation::VmkRemove { vmk } => {
            if let Some(state) = observed.vmkernels.read().and_then(|vmks| vmks.get(vmk)) {
                if let VmkAttachment::PortGroup(group) = &state.attachment {
                    deal.leaves.push(Token::PortGroup(group));
                    deal.frees.push(Token::Slot(group));
                }
                deal.leaves.push(Token::Netstack(&state.netstack));
                deal.makes.push(Token::Addressed(&state.netstack));
                deal.frees.push(Token::AddressesNow(&state.netstack));
            }
            deal.leaves.extend(action.vswitch.as_ref().map(Token::Room));
            deal.frees.extend(address_now(observed, vmk).map(Token::Address));
            deal.frees.push(Token::Vmk(vmk));
            deal.frees.push(Token::Carrier(vmk));
        }
        Operation::VmkSet { vmk, mtu, .. } => {
            deal.uses.push(Token::Vmk(vmk));
            if mtu.is_some() {
                deal.uses.extend(action.vswitch.as_ref().map(Token::Room));
                deal.leaves.extend(action.vswitch.as_ref().map(Token::Room));
            }
        }
        Operation::VmkIpv4Set { vmk, ipv4 } => {
            deal.uses.push(Token::Vmk(vmk));
            deal.frees.extend(address_now(observed, vmk).map(Token::Address));
            if let model::Ipv4Config::Static { address, .. } = ipv4 {
                deal.rather_after.push(Token::Address(address.address()));
            }
            deal.frees.push(Token::Carrier(vmk));
            let netstack = netstack_now(observed, vmk);
            deal.frees.extend(netstack.map(Token::AddressesNow));
            deal.makes.extend(netstack.map(Token::Addressed));
        }
        Operation::VmkIpv6Set { vmk, .. }
        | Operation::VmkIpv6AddressAdd { vmk, .. }
        | Operation::VmkIpv6AddressRemove { vmk, .. } => deal.uses.push(Token::Vmk(vmk)),
        Operation::VmkTagAdd { vmk, tag } => {
            deal.uses.push(Token::Vmk(vmk));
            deal.makes.push(Token::Tag(tag));
        }
        Operation::VmkTagRemove { vmk, tag } => {
            deal.uses.push(Token::Vmk(vmk));
            deal.rather_after.push(Token::Tag(tag));
        }
        _ => {}
    }
}

/// The adapter that carries an observed route.
fn carrier<'a>(
    observed: &'a ObservedNetwork,
    netstack: &NetstackName,
    network: RouteNetwork,
) -> Option<&'a VmkName> {
    let routes = observed.netstacks.read()?.get(netstack)?.routes.read()?;
    routes.iter().find(|route| route.network == network && route.gateway.is_some())?.vmk.as_ref()
}

fn stack_deal<'a>(deal: &mut Deal<'a>, action: &'a Action, observed: &'a ObservedNetwork) {
    match &action.operation {
        Operation::NetstackAdd { netstack } => deal.makes.push(Token::Netstack(netstack)),
        Operation::NetstackRemove { netstack } => deal.frees.push(Token::Netstack(netstack)),
        Operation::RouteRemove { netstack, network, .. } => {
            deal.frees.push(Token::Route(netstack, *network));
            let carrier = carrier(observed, netstack, *network).map(Token::Carrier);
            deal.leaves.push(carrier.unwrap_or(Token::AddressesNow(netstack)));
        }
        Operation::RouteAdd { netstack, network, .. } => {
            deal.uses.push(Token::Netstack(netstack));
            deal.uses.push(Token::Addressed(netstack));
            deal.makes.push(Token::Route(netstack, *network));
        }
        Operation::DnsServerAdd { netstack, .. } | Operation::DnsSearchAdd { netstack, .. } => {
            deal.uses.push(Token::Netstack(netstack));
        }
        _ => {}
    }
}

fn parties<'a>(
    actions: &'a [Action],
    observed: &'a ObservedNetwork,
    default: &'a NetstackName,
) -> BTreeMap<Token<'a>, Parties> {
    let mut parties: BTreeMap<Token<'a>, Parties> = BTreeMap::new();
    for (index, action) in actions.iter().enumerate() {
        let mut deal = Deal::default();
        switch_deal(&mut deal, action, observed);
        group_deal(&mut deal, action);
        vmk_deal(&mut deal, action, observed, default);
        stack_deal(&mut deal, action, observed);
        let Deal { makes, uses, frees, leaves, rather_after } = deal;
        makes.into_iter().for_each(|token| parties.entry(token).or_default().makers.push(index));
        uses.into_iter().for_each(|token| parties.entry(token).or_default().users.push(index));
        frees.into_iter().for_each(|token| parties.entry(token).or_default().freers.push(index));
        leaves.into_iter().for_each(|token| parties.entry(token).or_default().leavers.push(index));
        rather_after.into_iter().for_each(|token| parties.entry(token).or_default().patient.push(index));
    }
    parties
}

/// Finds the needs between actions.
pub(super) fn edges(actions: &[Action], observed: &ObservedNetwork) -> Edges {
    let (count, default) = (actions.len(), NetstackName::default_stack());
    let mut edges = Edges {
        hard_needs: vec![0; count],
        soft_needs: vec![0; count],
        hard_after: vec![Vec::new(); count],
        soft_after: vec![Vec::new(); count],
    };
    for (token, all) in parties(actions, observed, &default) {
        let Parties { makers, users, freers, leavers, patient } = all;
        let is_address = matches!(token, Token::Address(_));
        edges.hard(&makers, &users);
        edges.hard(&leavers, &freers);
        edges.soft(&makers, &patient);
        if is_address {
            edges.soft(&freers, &patient);
        } else {
            edges.hard(&freers, &makers);
        }
    }
    edges.make_before_break(actions);
    edges
}

impl Edges {
    fn hard(&mut self, before: &[usize], after: &[usize]) {
        for first in before {
            for second in after.iter().filter(|second| *second != first) {
                self.hard_needs[*second] += 1;
                self.hard_after[*first].push(*second);
            }
        }
    }

    fn soft(&mut self, before: &[usize], after: &[usize]) {
        for first in before {
            for second in after.iter().filter(|second| *second != first) {
                self.soft_needs[*second] += 1;
                self.soft_after[*first].push(*second);
            }
        }
    }

    /// An uplink leaves its switch only after its successor is in the order.
    fn make_before_break(&mut self, actions: &[Action]) {
        let mut orders: BTreeMap<&VswitchName, Vec<usize>> = BTreeMap::new();
        let mut departures: BTreeMap<&VswitchName, Vec<usize>> = BTreeMap::new();
        for (index, action) in actions.iter().enumerate() {
            match (&action.operation, &action.vswitch) {
                (Operation::VswitchTeamingSet { vswitch, .. }, _) => {
                    orders.entry(vswitch).or_default().push(index)
                }
                (Operation::PortGroupTeamingSet { .. }, Some(vswitch)) => {
                    orders.entry(vswitch).or_default().push(index)
                }
                (Operation::UplinkRemove { vswitch, .. }, _) => {
                    departures.entry(vswitch).or_default().push(index)
                }
                _ => {}
            }
        }
        for (vswitch, gone) in departures {
            if let Some(set) = orders.get(vswitch) {
                self.soft(set, &gone);
            }
        }
    }
}

//! Which action needs which other action first, found by the objects they make, use and free.

use super::draft::Action;
use model::{
    Mtu, NetstackName, ObservedNetwork, Operation, PortGroupName, RouteNetwork, ServiceTag, VmkAttachment,
    VmkName, VmnicName, VswitchName,
};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Something an action makes, uses or frees.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Token {
    Vswitch(VswitchName),
    PortGroup(PortGroupName),
    Vmk(VmkName),
    Netstack(NetstackName),
    /// The NIC as a thing that is on one switch at a time.
    Nic(VmnicName),
    /// The NIC as an uplink of this switch.
    Uplink(VswitchName, VmnicName),
    /// The one adapter of a port group.
    Slot(PortGroupName),
    /// Room for large frames on a switch.
    Room(VswitchName),
    Route(NetstackName, RouteNetwork),
    Address(Ipv4Addr),
    Addressed(NetstackName),
    /// The adapter a route leads over, with the address it has now.
    Carrier(VmkName),
    /// The addresses of a netstack as they are now.
    AddressesNow(NetstackName),
    Tag(ServiceTag),
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
struct Deal {
    /// Is there afterwards.
    makes: Vec<Token>,
    /// Must be there (made before).
    uses: Vec<Token>,
    /// Is gone afterwards; after everything that leaves it, before everything that makes it again.
    frees: Vec<Token>,
    /// Lets go of something that is freed later.
    leaves: Vec<Token>,
    /// Should come after whatever makes this.
    rather_after: Vec<Token>,
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

fn switch_deal(deal: &mut Deal, action: &Action, observed: &ObservedNetwork) {
    match &action.operation {
        Operation::VswitchAdd { vswitch } => deal.makes.push(Token::Vswitch(vswitch.clone())),
        Operation::VswitchRemove { vswitch } => deal.frees.push(Token::Vswitch(vswitch.clone())),
        Operation::VswitchSet { vswitch, mtu, .. } => {
            deal.uses.push(Token::Vswitch(vswitch.clone()));
            match mtu {
                Some(_) if lowers_mtu(&action.operation, observed) => {
                    deal.frees.push(Token::Room(vswitch.clone()))
                }
                Some(_) => deal.makes.push(Token::Room(vswitch.clone())),
                None => {}
            }
        }
        Operation::UplinkAdd { vswitch, vmnic } => {
            deal.uses.push(Token::Vswitch(vswitch.clone()));
            deal.makes.push(Token::Uplink(vswitch.clone(), vmnic.clone()));
            deal.makes.push(Token::Nic(vmnic.clone()));
        }
        Operation::UplinkRemove { vswitch, vmnic } => {
            deal.leaves.push(Token::Vswitch(vswitch.clone()));
            deal.frees.push(Token::Nic(vmnic.clone()));
        }
        Operation::VswitchTeamingSet { vswitch, change } => {
            deal.uses.push(Token::Vswitch(vswitch.clone()));
            for vmnic in change.active.iter().chain(&change.standby).flatten() {
                deal.uses.push(Token::Uplink(vswitch.clone(), vmnic.clone()));
            }
        }
        Operation::VswitchSecuritySet { vswitch, .. } | Operation::VswitchShapingSet { vswitch, .. } => {
            deal.uses.push(Token::Vswitch(vswitch.clone()));
        }
        _ => {}
    }
}

fn group_deal(deal: &mut Deal, action: &Action) {
    match &action.operation {
        Operation::PortGroupAdd { port_group, vswitch } => {
            deal.uses.push(Token::Vswitch(vswitch.clone()));
            deal.makes.push(Token::PortGroup(port_group.clone()));
        }
        Operation::PortGroupRemove { port_group, vswitch } => {
            deal.leaves.push(Token::Vswitch(vswitch.clone()));
            deal.frees.push(Token::PortGroup(port_group.clone()));
        }
        Operation::PortGroupTeamingSet { port_group, change, .. } => {
            deal.uses.push(Token::PortGroup(port_group.clone()));
            if let Some(vswitch) = &action.vswitch {
                for vmnic in change.active.iter().chain(&change.standby).flatten() {
                    deal.uses.push(Token::Uplink(vswitch.clone(), vmnic.clone()));
                }
            }
        }
        Operation::PortGroupVlanSet { port_group, .. }
        | Operation::PortGroupSecuritySet { port_group, .. }
        | Operation::PortGroupShapingSet { port_group, .. } => {
            deal.uses.push(Token::PortGroup(port_group.clone()))
        }
        _ => {}
    }
}

fn address_now(observed: &ObservedNetwork, vmk: &VmkName) -> Option<Ipv4Addr> {
    Some(observed.vmkernels.read()?.get(vmk)?.ipv4.read()?.address()?.address())
}

fn netstack_now(observed: &ObservedNetwork, vmk: &VmkName) -> Option<NetstackName> {
    Some(observed.vmkernels.read()?.get(vmk)?.netstack.clone())
}

fn vmk_deal(deal: &mut Deal, action: &Action, observed: &ObservedNetwork) {
    match &action.operation {
        Operation::VmkAdd { vmk, port_group, netstack, .. } => {
            deal.uses.push(Token::PortGroup(port_group.clone()));
            deal.uses.extend(netstack.clone().map(Token::Netstack));
            deal.makes.push(Token::Slot(port_group.clone()));
            deal.makes.push(Token::Vmk(vmk.clone()));
            let netstack = netstack.clone().unwrap_or_else(NetstackName::default_stack);
            deal.frees.push(Token::AddressesNow(netstack.clone()));
            deal.makes.push(Token::Addressed(netstack));
            deal.uses.extend(action.vswitch.clone().map(Token::Room));
        }
        Operation::VmkRemove { vmk } => {
            if let Some(state) = observed.vmkernels.read().and_then(|vmks| vmks.get(vmk)) {
                if let VmkAttachment::PortGroup(group) = &state.attachment {
                    deal.leaves.push(Token::PortGroup(group.clone()));
                    deal.frees.push(Token::Slot(group.clone()));
                }
                deal.leaves.push(Token::Netstack(state.netstack.clone()));
                deal.makes.push(Token::Addressed(state.netstack.clone()));
                deal.frees.push(Token::AddressesNow(state.netstack.clone()));
            }
            deal.leaves.extend(action.vswitch.clone().map(Token::Room));
            deal.frees.extend(address_now(observed, vmk).map(Token::Address));
            deal.frees.push(Token::Vmk(vmk.clone()));
            deal.frees.push(Token::Carrier(vmk.clone()));
        }
        Operation::VmkSet { vmk, mtu, .. } => {
            deal.uses.push(Token::Vmk(vmk.clone()));
            if mtu.is_some() {
                deal.uses.extend(action.vswitch.clone().map(Token::Room));
                deal.leaves.extend(action.vswitch.clone().map(Token::Room));
            }
        }
        Operation::VmkIpv4Set { vmk, ipv4 } => {
            deal.uses.push(Token::Vmk(vmk.clone()));
            deal.frees.extend(address_now(observed, vmk).map(Token::Address));
            if let model::Ipv4Config::Static { address, .. } = ipv4 {
                deal.rather_after.push(Token::Address(address.address()));
            }
            deal.frees.push(Token::Carrier(vmk.clone()));
            let netstack = netstack_now(observed, vmk);
            deal.frees.extend(netstack.clone().map(Token::AddressesNow));
            deal.makes.extend(netstack.map(Token::Addressed));
        }
        Operation::VmkIpv6Set { vmk, .. }
        | Operation::VmkIpv6AddressAdd { vmk, .. }
        | Operation::VmkIpv6AddressRemove { vmk, .. } => deal.uses.push(Token::Vmk(vmk.clone())),
        Operation::VmkTagAdd { vmk, tag } => {
            deal.uses.push(Token::Vmk(vmk.clone()));
            deal.makes.push(Token::Tag(tag.clone()));
        }
        Operation::VmkTagRemove { vmk, tag } => {
            deal.uses.push(Token::Vmk(vmk.clone()));
            deal.rather_after.push(Token::Tag(tag.clone()));
        }
        _ => {}
    }
}

/// The adapter that carries an observed route.
fn carrier(observed: &ObservedNetwork, netstack: &NetstackName, network: RouteNetwork) -> Option<VmkName> {
    let routes = observed.netstacks.read()?.get(netstack)?.routes.read()?;
    routes.iter().find(|route| route.network == network && route.gateway.is_some())?.vmk.clone()
}

fn stack_deal(deal: &mut Deal, action: &Action, observed: &ObservedNetwork) {
    match &action.operation {
        Operation::NetstackAdd { netstack } => deal.makes.push(Token::Netstack(netstack.clone())),
        Operation::NetstackRemove { netstack } => deal.frees.push(Token::Netstack(netstack.clone())),
        Operation::RouteRemove { netstack, network, .. } => {
            deal.frees.push(Token::Route(netstack.clone(), *network));
            let carrier = carrier(observed, netstack, *network).map(Token::Carrier);
            deal.leaves.push(carrier.unwrap_or_else(|| Token::AddressesNow(netstack.clone())));
        }
        Operation::RouteAdd { netstack, network, .. } => {
            deal.uses.push(Token::Netstack(netstack.clone()));
            deal.uses.push(Token::Addressed(netstack.clone()));
            deal.makes.push(Token::Route(netstack.clone(), *network));
        }
        Operation::DnsServerAdd { netstack, .. } | Operation::DnsSearchAdd { netstack, .. } => {
            deal.uses.push(Token::Netstack(netstack.clone()));
        }
        _ => {}
    }
}

fn parties(actions: &[Action], observed: &ObservedNetwork) -> BTreeMap<Token, Parties> {
    let mut parties: BTreeMap<Token, Parties> = BTreeMap::new();
    for (index, action) in actions.iter().enumerate() {
        let mut deal = Deal::default();
        switch_deal(&mut deal, action, observed);
        group_deal(&mut deal, action);
        vmk_deal(&mut deal, action, observed);
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
    let count = actions.len();
    let mut edges = Edges {
        hard_needs: vec![0; count],
        soft_needs: vec![0; count],
        hard_after: vec![Vec::new(); count],
        soft_after: vec![Vec::new(); count],
    };
    for (token, all) in parties(actions, observed) {
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

//! Effect of one operation on traffic, judged from the state before it.

use model::{
    Disruption, InheritedField, LinkState, ObservedNetwork, ObservedVswitch, Operation, PolicyReset,
    PortGroupName, SecurityChange, TeamingChange, UplinkOrder, VmnicName, VswitchName,
};

/// The class of one operation; the management path is judged apart, by `order`.
pub(super) fn classify(before: &ObservedNetwork, operation: &Operation) -> Disruption {
    match operation {
        Operation::VswitchAdd { .. }
        | Operation::UplinkAdd { .. }
        | Operation::VswitchRemove { .. }
        | Operation::PortGroupAdd { .. }
        | Operation::VmkAdd { .. }
        | Operation::VmkTagAdd { .. }
        | Operation::VmkIpv6AddressAdd { .. }
        | Operation::NicUp { .. }
        | Operation::NetstackAdd { .. }
        | Operation::NetstackRemove { .. }
        | Operation::RouteAdd { .. }
        | Operation::DnsServerAdd { .. }
        | Operation::DnsServerRemove { .. }
        | Operation::DnsSearchAdd { .. }
        | Operation::DnsSearchRemove { .. } => Disruption::None,
        Operation::VswitchSet { mtu: None, .. } => Disruption::None,
        Operation::VswitchSet { mtu: Some(_), .. } | Operation::NicSet { .. } => Disruption::LinkBounce,
        Operation::UplinkRemove { vswitch, vmnic } => uplink_gone(before, vswitch, vmnic),
        Operation::NicDown { vmnic } => nic_down(before, vmnic),
        Operation::VswitchTeamingSet { vswitch, change } => {
            let now =
                before.vswitches.read().and_then(|v| v.get(vswitch)?.teaming.read()).map(|t| &t.uplinks);
            teaming(before, now, change)
        }
        Operation::PortGroupTeamingSet { port_group, reset, change } => {
            own_teaming(before, port_group, *reset, change)
        }
        Operation::VswitchSecuritySet { vswitch, change } => {
            let now = before.vswitches.read().and_then(|v| v.get(vswitch)?.security.read());
            security(
                now.map(|p| [p.allow_promiscuous, p.allow_mac_change, p.allow_forged_transmits]),
                *change,
            )
        }
        Operation::PortGroupSecuritySet { port_group, reset, change } => {
            let now = before.port_groups.read().and_then(|groups| groups.get(port_group)?.security.read());
            let value = |field: &InheritedField<bool>| *field.value();
            let now = now.map(|p| {
                [value(&p.allow_promiscuous), value(&p.allow_mac_change), value(&p.allow_forged_transmits)]
            });
            security(now, after_reset(before, port_group, *reset, *change))
        }
        Operation::VswitchShapingSet { .. }
        | Operation::PortGroupShapingSet { .. }
        | Operation::PortGroupRemove { .. }
        | Operation::PortGroupVlanSet { .. }
        | Operation::VmkRemove { .. }
        | Operation::VmkSet { .. }
        | Operation::VmkIpv4Set { .. }
        | Operation::VmkIpv6Set { .. }
        | Operation::VmkIpv6AddressRemove { .. }
        | Operation::VmkTagRemove { .. }
        | Operation::RouteRemove { .. } => Disruption::TrafficLoss,
    }
}

fn is_linked(before: &ObservedNetwork, vmnic: &VmnicName) -> bool {
    before.nics.read().and_then(|nics| nics.get(vmnic)).is_some_and(|nic| nic.link == LinkState::Up)
}

fn any_linked(before: &ObservedNetwork, order: &UplinkOrder) -> bool {
    order.active.iter().chain(&order.standby).any(|vmnic| is_linked(before, vmnic))
}

fn uplink_gone(before: &ObservedNetwork, vswitch: &VswitchName, vmnic: &VmnicName) -> Disruption {
    let own_orders =
        before.port_groups.read().into_iter().flatten().filter(|(_, group)| group.vswitch == *vswitch);
    let own_orders =
        own_orders.filter_map(|(_, group)| group.teaming.read().map(|policy| policy.uplinks.value()));
    let switch = before.vswitches.read().and_then(|v| v.get(vswitch)?.teaming.read()).map(|t| &t.uplinks);
    let mut worst = Disruption::None;
    for order in own_orders.chain(switch).filter(|order| order.uses(vmnic)) {
        let mut rest = order.clone();
        rest.remove(vmnic);
        let left = any_linked(before, &rest) || !is_linked(before, vmnic);
        worst = worst.max(if left { Disruption::LinkBounce } else { Disruption::TrafficLoss });
    }
    worst
}

fn nic_down(before: &ObservedNetwork, vmnic: &VmnicName) -> Disruption {
    let owner = before.vswitches.read().into_iter().flatten();
    let owner =
        owner.filter(|(_, state)| state.uplinks.read().is_some_and(|uplinks| uplinks.contains(vmnic)));
    owner.map(|(name, _)| uplink_gone(before, name, vmnic)).max().unwrap_or(Disruption::None)
}

fn switch_of<'a>(before: &'a ObservedNetwork, port_group: &PortGroupName) -> Option<&'a ObservedVswitch> {
    let group = before.port_groups.read()?.get(port_group)?;
    before.vswitches.read()?.get(&group.vswitch)
}

/// A reset hands the switch's values down wherever the call states none of its own.
fn own_teaming(
    before: &ObservedNetwork,
    port_group: &PortGroupName,
    reset: PolicyReset,
    change: &TeamingChange,
) -> Disruption {
    let group = before.port_groups.read().and_then(|groups| groups.get(port_group)?.teaming.read());
    let mut change = change.clone();
    if reset == PolicyReset::InheritAll {
        let Some(base) = switch_of(before, port_group).and_then(|vswitch| vswitch.teaming.read()) else {
            return Disruption::TrafficLoss;
        };
        let next = change.load_balancing.unwrap_or(base.load_balancing);
        change.load_balancing = group.is_none_or(|now| *now.load_balancing.value() != next).then_some(next);
        change.active.get_or_insert_with(|| base.uplinks.active.clone());
        change.standby.get_or_insert_with(|| base.uplinks.standby.clone());
    }
    teaming(before, group.map(|policy| policy.uplinks.value()), &change)
}

fn after_reset(
    before: &ObservedNetwork,
    port_group: &PortGroupName,
    reset: PolicyReset,
    mut change: SecurityChange,
) -> SecurityChange {
    let base = switch_of(before, port_group).and_then(|vswitch| vswitch.security.read());
    if let (PolicyReset::InheritAll, Some(base)) = (reset, base) {
        change.allow_promiscuous.get_or_insert(base.allow_promiscuous);
        change.allow_mac_change.get_or_insert(base.allow_mac_change);
        change.allow_forged_transmits.get_or_insert(base.allow_forged_transmits);
    }
    change
}

fn teaming(before: &ObservedNetwork, now: Option<&UplinkOrder>, change: &TeamingChange) -> Disruption {
    if change.load_balancing.is_some() {
        return Disruption::TrafficLoss;
    }
    let Some(now) = now else {
        return Disruption::TrafficLoss;
    };
    let next = UplinkOrder {
        active: change.active.clone().unwrap_or_else(|| now.active.clone()),
        standby: change.standby.clone().unwrap_or_else(|| now.standby.clone()),
    };
    let fewer = now.active.iter().any(|vmnic| !next.active.contains(vmnic));
    match (any_linked(before, now), any_linked(before, &next)) {
        (true, false) => Disruption::TrafficLoss,
        _ if fewer => Disruption::LinkBounce,
        _ => Disruption::None,
    }
}

fn security(now: Option<[bool; 3]>, change: SecurityChange) -> Disruption {
    let next = [change.allow_promiscuous, change.allow_mac_change, change.allow_forged_transmits];
    let now = now.unwrap_or([true; 3]);
    let tightens = now.iter().zip(next).any(|(now, next)| *now && next == Some(false));
    if tightens { Disruption::TrafficLoss } else { Disruption::None }
}

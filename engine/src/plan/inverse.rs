//! The way back of one operation, computed from the state before it.

use super::vmk::as_config;
use model::{
    Component, InheritedField, NetstackName, NicLink, ObservedNetwork, ObservedPortGroup,
    ObservedPortGroupSecurity, ObservedPortGroupTeaming, ObservedVmk, ObservedVswitch, Operation,
    PolicyReset, PortGroupName, SecurityChange, SecurityPolicy, TeamingChange, TeamingPolicy, VmkAttachment,
    VmkIpv6Change, VmkName, VmnicName, VswitchName,
};

/// Why an operation has no way back: a fact about the state before it is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoInverse {
    pub component: Component,
    pub what: String,
}

type Inverse = Result<Vec<Operation>, NoInverse>;

fn unknown(component: Component, what: impl Into<String>) -> NoInverse {
    NoInverse { component, what: what.into() }
}

fn vswitch<'a>(before: &'a ObservedNetwork, name: &VswitchName) -> Result<&'a ObservedVswitch, NoInverse> {
    let found = before.vswitches.read().and_then(|vswitches| vswitches.get(name));
    found.ok_or_else(|| unknown(Component::Vswitch, format!("standard switch `{name}`")))
}

fn port_group<'a>(
    before: &'a ObservedNetwork,
    name: &PortGroupName,
) -> Result<&'a ObservedPortGroup, NoInverse> {
    let found = before.port_groups.read().and_then(|groups| groups.get(name));
    found.ok_or_else(|| unknown(Component::PortGroup, format!("port group `{name}`")))
}

fn vmk<'a>(before: &'a ObservedNetwork, name: &VmkName) -> Result<&'a ObservedVmk, NoInverse> {
    let found = before.vmkernels.read().and_then(|vmks| vmks.get(name));
    found.ok_or_else(|| unknown(Component::Vmk, format!("VMkernel adapter `{name}`")))
}

fn fact<'a, T>(
    fact: &'a model::Known<T>,
    component: Component,
    what: &str,
    name: &dyn std::fmt::Display,
) -> Result<&'a T, NoInverse> {
    fact.read().ok_or_else(|| unknown(component, format!("{what} of `{name}`")))
}

/// The calls that restore the state before `operation`, in order.
pub(super) fn inverse(before: &ObservedNetwork, operation: &Operation) -> Inverse {
    let one = |operation: Operation| Ok(vec![operation]);
    match operation {
        Operation::VswitchAdd { vswitch } => one(Operation::VswitchRemove { vswitch: vswitch.clone() }),
        Operation::VswitchRemove { vswitch } => vswitch_again(before, vswitch),
        Operation::VswitchSet { vswitch: name, mtu, cdp } => {
            let state = vswitch(before, name)?;
            let mtu =
                mtu.map(|_| fact(&state.mtu, Component::Vswitch, "the MTU", name)).transpose()?.copied();
            let cdp = cdp
                .map(|_| fact(&state.cdp, Component::Vswitch, "the CDP status", name))
                .transpose()?
                .copied();
            one(Operation::VswitchSet { vswitch: name.clone(), mtu, cdp })
        }
        Operation::UplinkAdd { vswitch, vmnic } => {
            one(Operation::UplinkRemove { vswitch: vswitch.clone(), vmnic: vmnic.clone() })
        }
        Operation::UplinkRemove { vswitch, vmnic } => uplink_again(before, vswitch, vmnic),
        Operation::VswitchTeamingSet { .. }
        | Operation::VswitchSecuritySet { .. }
        | Operation::VswitchShapingSet { .. }
        | Operation::PortGroupTeamingSet { .. }
        | Operation::PortGroupSecuritySet { .. }
        | Operation::PortGroupShapingSet { .. } => policy(before, operation),
        Operation::PortGroupAdd { port_group, vswitch } => {
            one(Operation::PortGroupRemove { port_group: port_group.clone(), vswitch: vswitch.clone() })
        }
        Operation::PortGroupRemove { port_group, .. } => port_group_again(before, port_group),
        Operation::PortGroupVlanSet { port_group: name, .. } => {
            let vlan = *fact(&port_group(before, name)?.vlan, Component::PortGroup, "the VLAN", name)?;
            one(Operation::PortGroupVlanSet { port_group: name.clone(), vlan })
        }
        Operation::NicUp { .. } | Operation::NicDown { .. } | Operation::NicSet { .. } => {
            nic(before, operation)
        }
        Operation::NetstackAdd { netstack } => one(Operation::NetstackRemove { netstack: netstack.clone() }),
        Operation::NetstackRemove { netstack } => netstack_again(before, netstack),
        Operation::RouteAdd { netstack, network, gateway } => {
            one(Operation::RouteRemove { netstack: netstack.clone(), network: *network, gateway: *gateway })
        }
        Operation::RouteRemove { netstack, network, gateway } => {
            one(Operation::RouteAdd { netstack: netstack.clone(), network: *network, gateway: *gateway })
        }
        Operation::DnsServerAdd { .. }
        | Operation::DnsServerRemove { .. }
        | Operation::DnsSearchAdd { .. }
        | Operation::DnsSearchRemove { .. } => dns(before, operation),
        Operation::VmkAdd { vmk, .. } => one(Operation::VmkRemove { vmk: vmk.clone() }),
        Operation::VmkRemove { vmk } => vmk_again(before, vmk),
        _ => vmk_field(before, operation),
    }
}

fn whole_teaming(policy: &TeamingPolicy) -> TeamingChange {
    TeamingChange {
        load_balancing: Some(policy.load_balancing),
        failure_detection: Some(policy.failure_detection),
        notify_switches: Some(policy.notify_switches),
        failback: Some(policy.failback),
        active: Some(policy.uplinks.active.clone()),
        standby: Some(policy.uplinks.standby.clone()),
    }
}

fn whole_security(policy: SecurityPolicy) -> SecurityChange {
    SecurityChange {
        allow_promiscuous: Some(policy.allow_promiscuous),
        allow_mac_change: Some(policy.allow_mac_change),
        allow_forged_transmits: Some(policy.allow_forged_transmits),
    }
}

fn vswitch_again(before: &ObservedNetwork, name: &VswitchName) -> Inverse {
    let state = vswitch(before, name)?;
    let (mtu, cdp) = (
        fact(&state.mtu, Component::Vswitch, "the MTU", name)?,
        fact(&state.cdp, Component::Vswitch, "the CDP status", name)?,
    );
    let teaming = fact(&state.teaming, Component::Vswitch, "the failover policy", name)?;
    let security = fact(&state.security, Component::Vswitch, "the security policy", name)?;
    let shaping = fact(&state.shaping, Component::Vswitch, "the shaping policy", name)?;
    let vswitch = || name.clone();
    Ok(vec![
        Operation::VswitchAdd { vswitch: vswitch() },
        Operation::VswitchSet { vswitch: vswitch(), mtu: Some(*mtu), cdp: Some(*cdp) },
        Operation::VswitchTeamingSet { vswitch: vswitch(), change: whole_teaming(teaming) },
        Operation::VswitchSecuritySet { vswitch: vswitch(), change: whole_security(*security) },
        Operation::VswitchShapingSet { vswitch: vswitch(), shaping: *shaping },
    ])
}

/// The uplink comes back, and with it its place in every order that named it.
fn uplink_again(before: &ObservedNetwork, name: &VswitchName, vmnic: &VmnicName) -> Inverse {
    let state = vswitch(before, name)?;
    let mut back = vec![Operation::UplinkAdd { vswitch: name.clone(), vmnic: vmnic.clone() }];
    let teaming = fact(&state.teaming, Component::Vswitch, "the failover policy", name)?;
    if teaming.uplinks.uses(vmnic) {
        let change = TeamingChange {
            active: Some(teaming.uplinks.active.clone()),
            standby: Some(teaming.uplinks.standby.clone()),
            ..TeamingChange::default()
        };
        back.push(Operation::VswitchTeamingSet { vswitch: name.clone(), change });
    }
    for (group, state) in before.port_groups.read().into_iter().flatten().filter(|(_, g)| g.vswitch == *name)
    {
        let policy = fact(&state.teaming, Component::PortGroup, "the failover policy", group)?;
        if let Some(order) = policy.uplinks.own().filter(|order| order.uses(vmnic)) {
            let change = TeamingChange {
                active: Some(order.active.clone()),
                standby: Some(order.standby.clone()),
                ..TeamingChange::default()
            };
            let reset = PolicyReset::Keep;
            back.push(Operation::PortGroupTeamingSet { port_group: group.clone(), reset, change });
        }
    }
    Ok(back)
}

fn own_teaming(policy: &ObservedPortGroupTeaming) -> TeamingChange {
    let order = policy.uplinks.own();
    TeamingChange {
        load_balancing: policy.load_balancing.own().copied(),
        failure_detection: policy.failure_detection.own().copied(),
        notify_switches: policy.notify_switches.own().copied(),
        failback: policy.failback.own().copied(),
        active: order.map(|order| order.active.clone()),
        standby: order.map(|order| order.standby.clone()),
    }
}

fn own_security(policy: &ObservedPortGroupSecurity) -> SecurityChange {
    SecurityChange {
        allow_promiscuous: policy.allow_promiscuous.own().copied(),
        allow_mac_change: policy.allow_mac_change.own().copied(),
        allow_forged_transmits: policy.allow_forged_transmits.own().copied(),
    }
}

fn policy(before: &ObservedNetwork, operation: &Operation) -> Inverse {
    let reset = PolicyReset::InheritAll;
    let back = match operation {
        Operation::VswitchTeamingSet { vswitch: name, .. } => {
            let now = fact(&vswitch(before, name)?.teaming, Component::Vswitch, "the failover policy", name)?;
            Operation::VswitchTeamingSet { vswitch: name.clone(), change: whole_teaming(now) }
        }
        Operation::VswitchSecuritySet { vswitch: name, .. } => {
            let now =
                fact(&vswitch(before, name)?.security, Component::Vswitch, "the security policy", name)?;
            Operation::VswitchSecuritySet { vswitch: name.clone(), change: whole_security(*now) }
        }
        Operation::VswitchShapingSet { vswitch: name, .. } => {
            let now = fact(&vswitch(before, name)?.shaping, Component::Vswitch, "the shaping policy", name)?;
            Operation::VswitchShapingSet { vswitch: name.clone(), shaping: *now }
        }
        Operation::PortGroupTeamingSet { port_group: name, .. } => {
            let now =
                fact(&port_group(before, name)?.teaming, Component::PortGroup, "the failover policy", name)?;
            Operation::PortGroupTeamingSet { port_group: name.clone(), reset, change: own_teaming(now) }
        }
        Operation::PortGroupSecuritySet { port_group: name, .. } => {
            let now =
                fact(&port_group(before, name)?.security, Component::PortGroup, "the security policy", name)?;
            Operation::PortGroupSecuritySet { port_group: name.clone(), reset, change: own_security(now) }
        }
        Operation::PortGroupShapingSet { port_group: name, .. } => {
            let now =
                fact(&port_group(before, name)?.shaping, Component::PortGroup, "the shaping policy", name)?;
            let (reset, change) = match now {
                InheritedField::Own(shaping) => (PolicyReset::Keep, Some(*shaping)),
                InheritedField::Inherited(_) => (PolicyReset::InheritAll, None),
            };
            Operation::PortGroupShapingSet { port_group: name.clone(), reset, change }
        }
        _ => return Ok(Vec::new()),
    };
    Ok(vec![back])
}

fn port_group_again(before: &ObservedNetwork, name: &PortGroupName) -> Inverse {
    let state = port_group(before, name)?;
    let vlan = *fact(&state.vlan, Component::PortGroup, "the VLAN", name)?;
    let teaming = own_teaming(fact(&state.teaming, Component::PortGroup, "the failover policy", name)?);
    let security = own_security(fact(&state.security, Component::PortGroup, "the security policy", name)?);
    let shaping = fact(&state.shaping, Component::PortGroup, "the shaping policy", name)?;
    let (group, reset) = (|| name.clone(), PolicyReset::Keep);
    let mut back = vec![Operation::PortGroupAdd { port_group: group(), vswitch: state.vswitch.clone() }];
    back.push(Operation::PortGroupVlanSet { port_group: group(), vlan });
    if teaming != TeamingChange::default() {
        back.push(Operation::PortGroupTeamingSet { port_group: group(), reset, change: teaming });
    }
    if security != SecurityChange::default() {
        back.push(Operation::PortGroupSecuritySet { port_group: group(), reset, change: security });
    }
    if let InheritedField::Own(shaping) = shaping {
        back.push(Operation::PortGroupShapingSet { port_group: group(), reset, change: Some(*shaping) });
    }
    Ok(back)
}

fn nic(before: &ObservedNetwork, operation: &Operation) -> Inverse {
    let (Operation::NicUp { vmnic } | Operation::NicDown { vmnic } | Operation::NicSet { vmnic, .. }) =
        operation
    else {
        return Ok(Vec::new());
    };
    let state = before.nics.read().and_then(|nics| nics.get(vmnic));
    let state = state.ok_or_else(|| unknown(Component::Vmnic, format!("physical NIC `{vmnic}`")))?;
    let back = match operation {
        Operation::NicUp { .. } => Operation::NicDown { vmnic: vmnic.clone() },
        Operation::NicDown { .. } => Operation::NicUp { vmnic: vmnic.clone() },
        _ => {
            let auto = *fact(&state.auto_negotiation, Component::Vmnic, "the link mode", vmnic)?;
            let link = if auto {
                NicLink::Auto
            } else if state.link == model::LinkState::Up {
                NicLink::Fixed { speed_mbps: state.speed_mbps, duplex: state.duplex }
            } else {
                return Err(unknown(
                    Component::Vmnic,
                    format!("the fixed speed of `{vmnic}`, whose link is down,"),
                ));
            };
            Operation::NicSet { vmnic: vmnic.clone(), link }
        }
    };
    Ok(vec![back])
}

fn netstack_again(before: &ObservedNetwork, name: &NetstackName) -> Inverse {
    let state = before.netstacks.read().and_then(|stacks| stacks.get(name));
    let state = state.ok_or_else(|| unknown(Component::Netstack, format!("netstack `{name}`")))?;
    let netstack = || name.clone();
    let mut back = vec![Operation::NetstackAdd { netstack: netstack() }];
    for route in fact(&state.routes, Component::Netstack, "the routes", name)? {
        if let Some(gateway) = route.gateway {
            back.push(Operation::RouteAdd { netstack: netstack(), network: route.network, gateway });
        }
    }
    for server in fact(&state.dns_servers, Component::Netstack, "the DNS servers", name)? {
        back.push(Operation::DnsServerAdd { netstack: netstack(), server: *server });
    }
    for domain in fact(&state.dns_search, Component::Netstack, "the DNS search domains", name)? {
        back.push(Operation::DnsSearchAdd { netstack: netstack(), domain: domain.clone() });
    }
    Ok(back)
}

/// esxcli can only append: an entry goes back to its place by moving those behind it.
fn back_in_place<T: PartialEq + Clone>(
    now: &[T],
    item: &T,
    remove: impl Fn(T) -> Operation,
    add: impl Fn(T) -> Operation,
) -> Vec<Operation> {
    let behind: Vec<T> = now.iter().skip_while(|other| *other != item).skip(1).cloned().collect();
    let mut back: Vec<Operation> = behind.iter().cloned().map(remove).collect();
    back.push(add(item.clone()));
    back.extend(behind.into_iter().map(add));
    back
}

fn dns(before: &ObservedNetwork, operation: &Operation) -> Inverse {
    let stack = |name: &NetstackName| {
        let found = before.netstacks.read().and_then(|stacks| stacks.get(name));
        found.ok_or_else(|| unknown(Component::Netstack, format!("netstack `{name}`")))
    };
    Ok(match operation {
        Operation::DnsServerAdd { netstack, server } => {
            vec![Operation::DnsServerRemove { netstack: netstack.clone(), server: *server }]
        }
        Operation::DnsSearchAdd { netstack, domain } => {
            vec![Operation::DnsSearchRemove { netstack: netstack.clone(), domain: domain.clone() }]
        }
        Operation::DnsServerRemove { netstack, server } => {
            let now = fact(&stack(netstack)?.dns_servers, Component::Netstack, "the DNS servers", netstack)?;
            back_in_place(
                now,
                server,
                |server| Operation::DnsServerRemove { netstack: netstack.clone(), server },
                |server| Operation::DnsServerAdd { netstack: netstack.clone(), server },
            )
        }
        Operation::DnsSearchRemove { netstack, domain } => {
            let now =
                fact(&stack(netstack)?.dns_search, Component::Netstack, "the DNS search domains", netstack)?;
            back_in_place(
                now,
                domain,
                |domain| Operation::DnsSearchRemove { netstack: netstack.clone(), domain },
                |domain| Operation::DnsSearchAdd { netstack: netstack.clone(), domain },
            )
        }
        _ => Vec::new(),
    })
}

/// The adapter comes back with its addresses, services and the routes that hung on it.
fn vmk_again(before: &ObservedNetwork, name: &VmkName) -> Inverse {
    let state = vmk(before, name)?;
    let VmkAttachment::PortGroup(group) = &state.attachment else {
        return Err(unknown(Component::Vmk, format!("the distributed port of `{name}`")));
    };
    let vmk = || name.clone();
    let mtu = *fact(&state.mtu, Component::Vmk, "the MTU", name)?;
    let mac = *fact(&state.mac, Component::Vmk, "the MAC address", name)?;
    let ipv4 = fact(&state.ipv4, Component::Vmk, "the IPv4 configuration", name)?;
    let ipv6 = fact(&state.ipv6, Component::Vmk, "the IPv6 configuration", name)?;
    let services = fact(&state.services, Component::Vmk, "the services", name)?;
    let netstack = Some(state.netstack.clone()).filter(|netstack| !netstack.is_default());
    let mut back = vec![Operation::VmkAdd {
        vmk: vmk(),
        port_group: group.clone(),
        netstack,
        mtu: Some(mtu),
        mac: Some(mac),
    }];
    if !state.enabled {
        back.push(Operation::VmkSet { vmk: vmk(), mtu: None, enabled: Some(false) });
    }
    back.push(Operation::VmkIpv4Set { vmk: vmk(), ipv4: as_config(ipv4) });
    let change =
        VmkIpv6Change { dhcp: Some(ipv6.dhcp), router_advertisements: Some(ipv6.router_advertisements) };
    back.push(Operation::VmkIpv6Set { vmk: vmk(), change });
    back.extend(
        ipv6.addresses.iter().map(|address| Operation::VmkIpv6AddressAdd { vmk: vmk(), address: *address }),
    );
    back.extend(services.iter().map(|tag| Operation::VmkTagAdd { vmk: vmk(), tag: tag.clone() }));
    let routes = before.netstacks.read().and_then(|stacks| stacks.get(&state.netstack)?.routes.read());
    for route in routes.into_iter().flatten().filter(|route| route.vmk.as_ref() == Some(name)) {
        if let Some(gateway) = route.gateway {
            back.push(Operation::RouteAdd {
                netstack: state.netstack.clone(),
                network: route.network,
                gateway,
            });
        }
    }
    Ok(back)
}

fn vmk_field(before: &ObservedNetwork, operation: &Operation) -> Inverse {
    let back = match operation {
        Operation::VmkSet { vmk: name, mtu, enabled } => {
            let state = vmk(before, name)?;
            let mtu = mtu.map(|_| fact(&state.mtu, Component::Vmk, "the MTU", name)).transpose()?.copied();
            Operation::VmkSet { vmk: name.clone(), mtu, enabled: enabled.map(|_| state.enabled) }
        }
        Operation::VmkIpv4Set { vmk: name, .. } => {
            let now = fact(&vmk(before, name)?.ipv4, Component::Vmk, "the IPv4 configuration", name)?;
            Operation::VmkIpv4Set { vmk: name.clone(), ipv4: as_config(now) }
        }
        Operation::VmkIpv6Set { vmk: name, change } => {
            let now = fact(&vmk(before, name)?.ipv6, Component::Vmk, "the IPv6 configuration", name)?;
            let change = VmkIpv6Change {
                dhcp: change.dhcp.map(|_| now.dhcp),
                router_advertisements: change.router_advertisements.map(|_| now.router_advertisements),
            };
            Operation::VmkIpv6Set { vmk: name.clone(), change }
        }
        Operation::VmkIpv6AddressAdd { vmk, address } => {
            Operation::VmkIpv6AddressRemove { vmk: vmk.clone(), address: *address }
        }
        Operation::VmkIpv6AddressRemove { vmk, address } => {
            Operation::VmkIpv6AddressAdd { vmk: vmk.clone(), address: *address }
        }
        Operation::VmkTagAdd { vmk, tag } => Operation::VmkTagRemove { vmk: vmk.clone(), tag: tag.clone() },
        Operation::VmkTagRemove { vmk, tag } => Operation::VmkTagAdd { vmk: vmk.clone(), tag: tag.clone() },
        _ => return Ok(Vec::new()),
    };
    Ok(vec![back])
}

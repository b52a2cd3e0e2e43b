//! What one operation does to a host, as a pure function on the observed picture.
//!
//! Owns: the planner's own idea of esxcli's effects (the simulator is the second opinion). Must
//! not: know why an operation is run. Called by `plan` (to check every state in between and to
//! compute inverses) and by tests.

mod policy;
mod vmk;

use model::{
    CdpStatus, Component, Duplex, FailureDetection, InheritedField, Known, LinkState, LoadBalancing, Mtu,
    NicLink, ObservedNetstack, ObservedNetwork, ObservedPortGroup, ObservedPortGroupSecurity,
    ObservedPortGroupTeaming, ObservedRoute, ObservedVswitch, Operation, PortGroupName, SecurityPolicy,
    ShapingPolicy, TeamingPolicy, UplinkOrder, Vlan, VmnicName, VswitchName,
};
use std::collections::{BTreeMap, BTreeSet};

/// Why an operation has no effect on this picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProjectError {
    /// The object is not there.
    #[error("{0:?} `{1}` does not exist")]
    NotFound(Component, String),
    /// The object is there already, or the fact is already so.
    #[error("{0:?} `{1}` already exists")]
    AlreadySo(Component, String),
    /// Something else still uses it.
    #[error("{0:?} `{1}` is in use by `{2}`")]
    InUse(Component, String, String),
    /// The kind of object could not be read on this host.
    #[error("{0:?} could not be read")]
    Unreadable(Component),
}

type Projected = Result<(), ProjectError>;

fn known_mut<T>(fact: &mut Known<T>, component: Component) -> Result<&mut T, ProjectError> {
    fact.read_mut().ok_or(ProjectError::Unreadable(component))
}

fn missing(component: Component, name: &impl ToString) -> ProjectError {
    ProjectError::NotFound(component, name.to_string())
}

fn already(component: Component, name: &impl ToString) -> ProjectError {
    ProjectError::AlreadySo(component, name.to_string())
}

/// Applies `operation` to `observed`; an error leaves the picture as it was.
///
/// # Errors
/// [`ProjectError`] when a host would refuse the call.
pub fn project(observed: &mut ObservedNetwork, operation: &Operation) -> Projected {
    match operation {
        Operation::VswitchAdd { .. }
        | Operation::VswitchRemove { .. }
        | Operation::VswitchSet { .. }
        | Operation::UplinkAdd { .. }
        | Operation::UplinkRemove { .. } => project_vswitch(observed, operation),
        Operation::VswitchTeamingSet { .. }
        | Operation::VswitchSecuritySet { .. }
        | Operation::VswitchShapingSet { .. }
        | Operation::PortGroupTeamingSet { .. }
        | Operation::PortGroupSecuritySet { .. }
        | Operation::PortGroupShapingSet { .. } => policy::project(observed, operation),
        Operation::PortGroupAdd { port_group, vswitch } => add_port_group(observed, port_group, vswitch),
        Operation::PortGroupRemove { port_group, .. } => remove_port_group(observed, port_group),
        Operation::PortGroupVlanSet { port_group, vlan } => {
            port_group_mut(observed, port_group)?.vlan = Known::Read(*vlan);
            Ok(())
        }
        Operation::NicUp { .. } | Operation::NicDown { .. } | Operation::NicSet { .. } => {
            project_nic(observed, operation)
        }
        Operation::NetstackAdd { .. }
        | Operation::NetstackRemove { .. }
        | Operation::RouteAdd { .. }
        | Operation::RouteRemove { .. }
        | Operation::DnsServerAdd { .. }
        | Operation::DnsServerRemove { .. }
        | Operation::DnsSearchAdd { .. }
        | Operation::DnsSearchRemove { .. } => project_netstack(observed, operation),
        Operation::VmkAdd { .. }
        | Operation::VmkRemove { .. }
        | Operation::VmkSet { .. }
        | Operation::VmkIpv4Set { .. }
        | Operation::VmkIpv6Set { .. }
        | Operation::VmkIpv6AddressAdd { .. }
        | Operation::VmkIpv6AddressRemove { .. }
        | Operation::VmkTagAdd { .. }
        | Operation::VmkTagRemove { .. } => vmk::project(observed, operation),
    }
}

/// The policies of a new switch. Security differs by release: all reject from 7.0 on.
fn new_vswitch(version: &str) -> ObservedVswitch {
    let old =
        version.split('.').next().and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major < 7);
    ObservedVswitch {
        mtu: Known::Read(Mtu::DEFAULT),
        cdp: Known::Read(CdpStatus::Listen),
        uplinks: Known::Read(BTreeSet::new()),
        teaming: Known::Read(TeamingPolicy {
            load_balancing: LoadBalancing::PortId,
            failure_detection: FailureDetection::Link,
            notify_switches: true,
            failback: true,
            uplinks: UplinkOrder::default(),
        }),
        security: Known::Read(SecurityPolicy {
            allow_promiscuous: false,
            allow_mac_change: old,
            allow_forged_transmits: old,
        }),
        shaping: Known::Read(ShapingPolicy::Off),
    }
}

fn vswitch_mut<'a>(
    observed: &'a mut ObservedNetwork,
    vswitch: &VswitchName,
) -> Result<&'a mut ObservedVswitch, ProjectError> {
    known_mut(&mut observed.vswitches, Component::Vswitch)?
        .get_mut(vswitch)
        .ok_or_else(|| missing(Component::Vswitch, vswitch))
}

fn port_group_mut<'a>(
    observed: &'a mut ObservedNetwork,
    port_group: &PortGroupName,
) -> Result<&'a mut ObservedPortGroup, ProjectError> {
    known_mut(&mut observed.port_groups, Component::PortGroup)?
        .get_mut(port_group)
        .ok_or_else(|| missing(Component::PortGroup, port_group))
}

fn project_vswitch(observed: &mut ObservedNetwork, operation: &Operation) -> Projected {
    match operation {
        Operation::VswitchAdd { vswitch } => {
            let fresh = new_vswitch(&observed.facts.version);
            let vswitches = known_mut(&mut observed.vswitches, Component::Vswitch)?;
            if vswitches.contains_key(vswitch) {
                return Err(already(Component::Vswitch, vswitch));
            }
            vswitches.insert(vswitch.clone(), fresh);
        }
        Operation::VswitchRemove { vswitch } => {
            let groups = known_mut(&mut observed.port_groups, Component::PortGroup)?;
            if let Some((name, _)) = groups.iter().find(|(_, group)| group.vswitch == *vswitch) {
                return Err(ProjectError::InUse(Component::Vswitch, vswitch.to_string(), name.to_string()));
            }
            let vswitches = known_mut(&mut observed.vswitches, Component::Vswitch)?;
            vswitches.remove(vswitch).ok_or_else(|| missing(Component::Vswitch, vswitch))?;
        }
        Operation::VswitchSet { vswitch, mtu, cdp } => {
            let state = vswitch_mut(observed, vswitch)?;
            if let Some(mtu) = mtu {
                state.mtu = Known::Read(*mtu);
            }
            if let Some(cdp) = cdp {
                state.cdp = Known::Read(*cdp);
            }
        }
        Operation::UplinkAdd { vswitch, vmnic } => add_uplink(observed, vswitch, vmnic)?,
        Operation::UplinkRemove { vswitch, vmnic } => remove_uplink(observed, vswitch, vmnic)?,
        _ => {}
    }
    Ok(())
}

fn add_uplink(observed: &mut ObservedNetwork, vswitch: &VswitchName, vmnic: &VmnicName) -> Projected {
    if !known_mut(&mut observed.nics, Component::Vmnic)?.contains_key(vmnic) {
        return Err(missing(Component::Vmnic, vmnic));
    }
    let vswitches = known_mut(&mut observed.vswitches, Component::Vswitch)?;
    let taken = vswitches.values().any(|v| v.uplinks.read().is_some_and(|u| u.contains(vmnic)));
    if taken {
        return Err(already(Component::Vmnic, vmnic));
    }
    let state = vswitches.get_mut(vswitch).ok_or_else(|| missing(Component::Vswitch, vswitch))?;
    known_mut(&mut state.uplinks, Component::Vswitch)?.insert(vmnic.clone());
    Ok(())
}

fn remove_uplink(observed: &mut ObservedNetwork, vswitch: &VswitchName, vmnic: &VmnicName) -> Projected {
    let state = vswitch_mut(observed, vswitch)?;
    if !known_mut(&mut state.uplinks, Component::Vswitch)?.remove(vmnic) {
        return Err(missing(Component::Vmnic, vmnic));
    }
    if let Some(teaming) = state.teaming.read_mut() {
        teaming.uplinks.remove(vmnic);
    }
    for group in known_mut(&mut observed.port_groups, Component::PortGroup)?.values_mut() {
        if group.vswitch == *vswitch
            && let Some(teaming) = group.teaming.read_mut()
        {
            match &mut teaming.uplinks {
                InheritedField::Inherited(order) | InheritedField::Own(order) => order.remove(vmnic),
            }
        }
    }
    Ok(())
}

fn add_port_group(
    observed: &mut ObservedNetwork,
    port_group: &PortGroupName,
    vswitch: &VswitchName,
) -> Projected {
    let state = vswitch_mut(observed, vswitch)?.clone();
    let groups = known_mut(&mut observed.port_groups, Component::PortGroup)?;
    if groups.contains_key(port_group) {
        return Err(already(Component::PortGroup, port_group));
    }
    let fresh = ObservedPortGroup {
        vswitch: vswitch.clone(),
        vlan: Known::Read(Vlan::Untagged),
        active_clients: 0,
        teaming: state.teaming.map(inherited_teaming),
        security: state.security.map(inherited_security),
        shaping: state.shaping.map(InheritedField::Inherited),
    };
    groups.insert(port_group.clone(), fresh);
    Ok(())
}

fn remove_port_group(observed: &mut ObservedNetwork, port_group: &PortGroupName) -> Projected {
    let vmks = known_mut(&mut observed.vmkernels, Component::Vmk)?;
    let attachment = model::VmkAttachment::PortGroup(port_group.clone());
    if let Some((vmk, _)) = vmks.iter().find(|(_, vmk)| vmk.attachment == attachment) {
        return Err(ProjectError::InUse(Component::PortGroup, port_group.to_string(), vmk.to_string()));
    }
    let groups = known_mut(&mut observed.port_groups, Component::PortGroup)?;
    groups.remove(port_group).ok_or_else(|| missing(Component::PortGroup, port_group))?;
    Ok(())
}

/// The policy of a port group that inherits everything.
fn inherited_teaming(policy: TeamingPolicy) -> ObservedPortGroupTeaming {
    ObservedPortGroupTeaming {
        load_balancing: InheritedField::Inherited(policy.load_balancing),
        failure_detection: InheritedField::Inherited(policy.failure_detection),
        notify_switches: InheritedField::Inherited(policy.notify_switches),
        failback: InheritedField::Inherited(policy.failback),
        uplinks: InheritedField::Inherited(policy.uplinks),
    }
}

/// The policy of a port group that inherits everything.
fn inherited_security(policy: SecurityPolicy) -> ObservedPortGroupSecurity {
    ObservedPortGroupSecurity {
        allow_promiscuous: InheritedField::Inherited(policy.allow_promiscuous),
        allow_mac_change: InheritedField::Inherited(policy.allow_mac_change),
        allow_forged_transmits: InheritedField::Inherited(policy.allow_forged_transmits),
    }
}

fn project_nic(observed: &mut ObservedNetwork, operation: &Operation) -> Projected {
    let (Operation::NicUp { vmnic } | Operation::NicDown { vmnic } | Operation::NicSet { vmnic, .. }) =
        operation
    else {
        return Ok(());
    };
    let nics = known_mut(&mut observed.nics, Component::Vmnic)?;
    let nic = nics.get_mut(vmnic).ok_or_else(|| missing(Component::Vmnic, vmnic))?;
    match operation {
        Operation::NicUp { .. } => nic.admin = Known::Read(LinkState::Up),
        Operation::NicDown { .. } => nic.admin = Known::Read(LinkState::Down),
        Operation::NicSet { link: NicLink::Auto, .. } => nic.auto_negotiation = Known::Read(true),
        Operation::NicSet { link: NicLink::Fixed { speed_mbps, duplex }, .. } => {
            nic.auto_negotiation = Known::Read(false);
            if nic.link == LinkState::Up {
                nic.speed_mbps = *speed_mbps;
            }
            nic.duplex = if nic.link == LinkState::Up { *duplex } else { Duplex::Half };
        }
        _ => {}
    }
    Ok(())
}

fn project_netstack(observed: &mut ObservedNetwork, operation: &Operation) -> Projected {
    let connected = connected_networks(observed, operation);
    let stacks = known_mut(&mut observed.netstacks, Component::Netstack)?;
    match operation {
        Operation::NetstackAdd { netstack } => {
            if stacks.contains_key(netstack) {
                return Err(already(Component::Netstack, netstack));
            }
            let fresh = ObservedNetstack {
                routes: Known::Read(Vec::new()),
                dns_servers: Known::Read(Vec::new()),
                dns_search: Known::Read(Vec::new()),
            };
            stacks.insert(netstack.clone(), fresh);
            Ok(())
        }
        Operation::NetstackRemove { netstack } => {
            let vmks = known_mut(&mut observed.vmkernels, Component::Vmk)?;
            if let Some((vmk, _)) = vmks.iter().find(|(_, vmk)| vmk.netstack == *netstack) {
                return Err(ProjectError::InUse(Component::Netstack, netstack.to_string(), vmk.to_string()));
            }
            stacks.remove(netstack).map(|_| ()).ok_or_else(|| missing(Component::Netstack, netstack))
        }
        Operation::RouteAdd { netstack, network, gateway } => {
            let vmk = connected.iter().find(|(cidr, _)| cidr.contains(*gateway)).map(|(_, vmk)| vmk.clone());
            let routes = known_mut(&mut stack_mut(stacks, netstack)?.routes, Component::Netstack)?;
            if routes.iter().any(|route| route.network == *network && route.gateway.is_some()) {
                return Err(already(Component::Netstack, network));
            }
            routes.push(ObservedRoute { network: *network, gateway: Some(*gateway), vmk });
            routes.sort();
            Ok(())
        }
        Operation::RouteRemove { netstack, network, gateway } => {
            let routes = known_mut(&mut stack_mut(stacks, netstack)?.routes, Component::Netstack)?;
            take(routes, |route| route.network == *network && route.gateway == Some(*gateway))
                .ok_or_else(|| missing(Component::Netstack, network))
        }
        _ => project_dns(stacks, operation),
    }
}

type Netstacks = BTreeMap<model::NetstackName, ObservedNetstack>;

fn stack_mut<'a>(
    stacks: &'a mut Netstacks,
    netstack: &model::NetstackName,
) -> Result<&'a mut ObservedNetstack, ProjectError> {
    stacks.get_mut(netstack).ok_or_else(|| missing(Component::Netstack, netstack))
}

fn take<T>(items: &mut Vec<T>, matches: impl Fn(&T) -> bool) -> Option<()> {
    let position = items.iter().position(matches)?;
    items.remove(position);
    Some(())
}

fn append<T: PartialEq + Clone + ToString>(items: &mut Known<Vec<T>>, item: &T) -> Projected {
    let items = known_mut(items, Component::Netstack)?;
    if items.contains(item) {
        return Err(already(Component::Netstack, item));
    }
    items.push(item.clone());
    Ok(())
}

fn project_dns(stacks: &mut Netstacks, operation: &Operation) -> Projected {
    match operation {
        Operation::DnsServerAdd { netstack, server } => {
            append(&mut stack_mut(stacks, netstack)?.dns_servers, server)
        }
        Operation::DnsSearchAdd { netstack, domain } => {
            append(&mut stack_mut(stacks, netstack)?.dns_search, domain)
        }
        Operation::DnsServerRemove { netstack, server } => {
            let servers = known_mut(&mut stack_mut(stacks, netstack)?.dns_servers, Component::Netstack)?;
            take(servers, |s| s == server).ok_or_else(|| missing(Component::Netstack, server))
        }
        Operation::DnsSearchRemove { netstack, domain } => {
            let domains = known_mut(&mut stack_mut(stacks, netstack)?.dns_search, Component::Netstack)?;
            take(domains, |d| d == domain).ok_or_else(|| missing(Component::Netstack, domain))
        }
        _ => Ok(()),
    }
}

/// Networks that adapters of the operation's netstack are connected to.
fn connected_networks(
    observed: &ObservedNetwork,
    operation: &Operation,
) -> Vec<(model::Ipv4Cidr, model::VmkName)> {
    let Operation::RouteAdd { netstack, .. } = operation else {
        return Vec::new();
    };
    let Some(vmks) = observed.vmkernels.read() else {
        return Vec::new();
    };
    let on_stack = vmks.iter().filter(|(_, vmk)| vmk.netstack == *netstack);
    on_stack.filter_map(|(name, vmk)| Some((vmk.ipv4.read()?.address()?.network(), name.clone()))).collect()
}

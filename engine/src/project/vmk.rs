//! Effects of calls on VMkernel adapters, with the routes that hang on their addresses.

use super::{ProjectError, Projected, already, known_mut, missing};
use model::{
    Component, Ipv4Config, Known, Mtu, NetstackName, ObservedIpv4, ObservedIpv6, ObservedNetwork,
    ObservedRoute, ObservedVmk, Operation, RouteNetwork, VmkAttachment, VmkName,
};
use std::collections::BTreeSet;

fn vmk_mut<'a>(
    observed: &'a mut ObservedNetwork,
    vmk: &VmkName,
) -> Result<&'a mut ObservedVmk, ProjectError> {
    known_mut(&mut observed.vmkernels, Component::Vmk)?
        .get_mut(vmk)
        .ok_or_else(|| missing(Component::Vmk, vmk))
}

pub(super) fn project(observed: &mut ObservedNetwork, operation: &Operation) -> Projected {
    match operation {
        Operation::VmkAdd { .. } => add(observed, operation),
        Operation::VmkRemove { vmk } => remove(observed, vmk),
        Operation::VmkSet { vmk, mtu, enabled } => {
            let state = vmk_mut(observed, vmk)?;
            if let Some(mtu) = mtu {
                state.mtu = Known::Read(*mtu);
            }
            if let Some(enabled) = enabled {
                state.enabled = *enabled;
            }
            Ok(())
        }
        Operation::VmkIpv4Set { vmk, ipv4 } => set_ipv4(observed, vmk, ipv4),
        Operation::VmkIpv6Set { vmk, change } => {
            let ipv6 = known_mut(&mut vmk_mut(observed, vmk)?.ipv6, Component::Vmk)?;
            ipv6.dhcp = change.dhcp.unwrap_or(ipv6.dhcp);
            ipv6.router_advertisements = change.router_advertisements.unwrap_or(ipv6.router_advertisements);
            Ok(())
        }
        Operation::VmkIpv6AddressAdd { vmk, address } => {
            let ipv6 = known_mut(&mut vmk_mut(observed, vmk)?.ipv6, Component::Vmk)?;
            if ipv6.addresses.insert(*address) { Ok(()) } else { Err(already(Component::Vmk, address)) }
        }
        Operation::VmkIpv6AddressRemove { vmk, address } => {
            let ipv6 = known_mut(&mut vmk_mut(observed, vmk)?.ipv6, Component::Vmk)?;
            if ipv6.addresses.remove(address) { Ok(()) } else { Err(missing(Component::Vmk, address)) }
        }
        Operation::VmkTagAdd { vmk, tag } => {
            let services = known_mut(&mut vmk_mut(observed, vmk)?.services, Component::Vmk)?;
            if services.insert(tag.clone()) { Ok(()) } else { Err(already(Component::Vmk, tag)) }
        }
        Operation::VmkTagRemove { vmk, tag } => {
            let services = known_mut(&mut vmk_mut(observed, vmk)?.services, Component::Vmk)?;
            if services.remove(tag) { Ok(()) } else { Err(missing(Component::Vmk, tag)) }
        }
        _ => Ok(()),
    }
}

fn add(observed: &mut ObservedNetwork, operation: &Operation) -> Projected {
    let Operation::VmkAdd { vmk, port_group, netstack, mtu, mac } = operation else {
        return Ok(());
    };
    if !known_mut(&mut observed.port_groups, Component::PortGroup)?.contains_key(port_group) {
        return Err(missing(Component::PortGroup, port_group));
    }
    let netstack = netstack.clone().unwrap_or_else(NetstackName::default_stack);
    if !known_mut(&mut observed.netstacks, Component::Netstack)?.contains_key(&netstack) {
        return Err(missing(Component::Netstack, &netstack));
    }
    let vmks = known_mut(&mut observed.vmkernels, Component::Vmk)?;
    let attachment = VmkAttachment::PortGroup(port_group.clone());
    if vmks.contains_key(vmk) {
        return Err(already(Component::Vmk, vmk));
    }
    if let Some((other, _)) = vmks.iter().find(|(_, state)| state.attachment == attachment) {
        return Err(ProjectError::InUse(Component::PortGroup, port_group.to_string(), other.to_string()));
    }
    let mac =
        mac.map_or_else(|| Known::unreadable("given by the host when the adapter is made"), Known::Read);
    let fresh = ObservedVmk {
        attachment,
        netstack,
        enabled: true,
        mac,
        mtu: Known::Read(mtu.unwrap_or(Mtu::DEFAULT)),
        ipv4: Known::Read(ObservedIpv4::None),
        ipv6: Known::Read(ObservedIpv6::default()),
        services: Known::Read(BTreeSet::new()),
    };
    vmks.insert(vmk.clone(), fresh);
    Ok(())
}

fn remove(observed: &mut ObservedNetwork, vmk: &VmkName) -> Projected {
    let state = known_mut(&mut observed.vmkernels, Component::Vmk)?
        .remove(vmk)
        .ok_or_else(|| missing(Component::Vmk, vmk))?;
    retain_routes(observed, &state.netstack, |route| route.vmk.as_ref() != Some(vmk));
    Ok(())
}

fn retain_routes(
    observed: &mut ObservedNetwork,
    netstack: &NetstackName,
    keep: impl Fn(&ObservedRoute) -> bool,
) {
    let routes =
        observed.netstacks.read_mut().and_then(|s| s.get_mut(netstack)).and_then(|s| s.routes.read_mut());
    if let Some(routes) = routes {
        routes.retain(keep);
    }
}

fn set_ipv4(observed: &mut ObservedNetwork, vmk: &VmkName, ipv4: &Ipv4Config) -> Projected {
    let state = vmk_mut(observed, vmk)?;
    let (next, network) = match ipv4 {
        Ipv4Config::None => (ObservedIpv4::None, None),
        Ipv4Config::Dhcp => (ObservedIpv4::Dhcp { address: None }, None),
        Ipv4Config::Static { address, gateway } => {
            (ObservedIpv4::Static { address: *address, gateway: *gateway }, Some(address.network()))
        }
    };
    state.ipv4 = Known::Read(next);
    let netstack = state.netstack.clone();
    retain_routes(observed, &netstack, |route| route.vmk.as_ref() != Some(vmk) || route.gateway.is_some());
    let routes =
        observed.netstacks.read_mut().and_then(|s| s.get_mut(&netstack)).and_then(|s| s.routes.read_mut());
    if let (Some(routes), Some(network)) = (routes, network) {
        let network =
            if network.prefix() == 0 { RouteNetwork::Default } else { RouteNetwork::Network(network) };
        routes.push(ObservedRoute { network, gateway: None, vmk: Some(vmk.clone()) });
        routes.sort();
        routes.dedup();
    }
    Ok(())
}

//! Whether the effect of one call shows on the host. Must not guess: sets are never judged.
//!
//! Running the inverse of a set that was not done is harmless, so only calls that add or remove
//! need an answer.

use super::Mark;
use model::{Known, ObservedNetstack, ObservedNetwork, ObservedVmk, Operation, VmkName};

/// What the host shows of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Its effect is there.
    InForce,
    /// Its effect is not there.
    NotInForce,
    /// That part of the host could not be read, or the call is one that sets values.
    Unknown,
}

impl Standing {
    pub(super) fn mark(self) -> Mark {
        match self {
            Self::InForce => Mark::Done,
            Self::NotInForce => Mark::NotDone,
            Self::Unknown => Mark::Started,
        }
    }

    fn of(found: Option<bool>) -> Self {
        match found {
            Some(true) => Self::InForce,
            Some(false) => Self::NotInForce,
            None => Self::Unknown,
        }
    }
}

/// Whether the effect of `operation` shows in `observed`.
pub(super) fn standing(operation: &Operation, observed: &ObservedNetwork) -> Standing {
    use Operation as O;
    let not = |found: Option<bool>| found.map(|there| !there);
    Standing::of(match operation {
        O::VswitchAdd { vswitch } => holds(&observed.vswitches, |all| all.contains_key(vswitch)),
        O::VswitchRemove { vswitch } => not(holds(&observed.vswitches, |all| all.contains_key(vswitch))),
        O::UplinkAdd { vswitch, vmnic } => uplink(observed, vswitch, vmnic),
        O::UplinkRemove { vswitch, vmnic } => not(uplink(observed, vswitch, vmnic)),
        O::PortGroupAdd { port_group, vswitch } => port_group_on(observed, port_group, vswitch),
        O::PortGroupRemove { port_group, vswitch } => not(port_group_on(observed, port_group, vswitch)),
        O::VmkAdd { vmk, .. } => holds(&observed.vmkernels, |all| all.contains_key(vmk)),
        O::VmkRemove { vmk } => not(holds(&observed.vmkernels, |all| all.contains_key(vmk))),
        O::VmkIpv6AddressAdd { vmk, address } => {
            of_vmk(observed, vmk, |found| holds(&found.ipv6, |ipv6| ipv6.addresses.contains(address)))
        }
        O::VmkIpv6AddressRemove { vmk, address } => {
            not(of_vmk(observed, vmk, |found| holds(&found.ipv6, |ipv6| ipv6.addresses.contains(address))))
        }
        O::VmkTagAdd { vmk, tag } => {
            of_vmk(observed, vmk, |found| holds(&found.services, |tags| tags.contains(tag)))
        }
        O::VmkTagRemove { vmk, tag } => {
            not(of_vmk(observed, vmk, |found| holds(&found.services, |tags| tags.contains(tag))))
        }
        O::NetstackAdd { netstack } => holds(&observed.netstacks, |all| all.contains_key(netstack)),
        O::NetstackRemove { netstack } => not(holds(&observed.netstacks, |all| all.contains_key(netstack))),
        O::RouteAdd { netstack, network, gateway } => of_stack(observed, netstack, |stack| {
            holds(&stack.routes, |all| {
                all.iter().any(|route| route.network == *network && route.gateway == Some(*gateway))
            })
        }),
        O::RouteRemove { netstack, network, gateway } => not(of_stack(observed, netstack, |stack| {
            holds(&stack.routes, |all| {
                all.iter().any(|route| route.network == *network && route.gateway == Some(*gateway))
            })
        })),
        O::DnsServerAdd { netstack, server } => {
            of_stack(observed, netstack, |stack| holds(&stack.dns_servers, |all| all.contains(server)))
        }
        O::DnsServerRemove { netstack, server } => {
            not(of_stack(observed, netstack, |stack| holds(&stack.dns_servers, |all| all.contains(server))))
        }
        O::DnsSearchAdd { netstack, domain } => {
            of_stack(observed, netstack, |stack| holds(&stack.dns_search, |all| all.contains(domain)))
        }
        O::DnsSearchRemove { netstack, domain } => {
            not(of_stack(observed, netstack, |stack| holds(&stack.dns_search, |all| all.contains(domain))))
        }
        O::VswitchSet { .. }
        | O::VswitchTeamingSet { .. }
        | O::VswitchSecuritySet { .. }
        | O::VswitchShapingSet { .. }
        | O::PortGroupVlanSet { .. }
        | O::PortGroupTeamingSet { .. }
        | O::PortGroupSecuritySet { .. }
        | O::PortGroupShapingSet { .. }
        | O::VmkSet { .. }
        | O::VmkIpv4Set { .. }
        | O::VmkIpv6Set { .. }
        | O::NicUp { .. }
        | O::NicDown { .. }
        | O::NicSet { .. } => None,
    })
}

fn holds<T>(fact: &Known<T>, test: impl FnOnce(&T) -> bool) -> Option<bool> {
    fact.read().map(test)
}

fn uplink(
    observed: &ObservedNetwork,
    vswitch: &model::VswitchName,
    vmnic: &model::VmnicName,
) -> Option<bool> {
    match observed.vswitches.read()?.get(vswitch) {
        None => Some(false),
        Some(found) => holds(&found.uplinks, |uplinks| uplinks.contains(vmnic)),
    }
}

fn port_group_on(
    observed: &ObservedNetwork,
    port_group: &model::PortGroupName,
    vswitch: &model::VswitchName,
) -> Option<bool> {
    holds(&observed.port_groups, |all| all.get(port_group).is_some_and(|found| found.vswitch == *vswitch))
}

fn of_vmk(
    observed: &ObservedNetwork,
    vmk: &VmkName,
    test: impl FnOnce(&ObservedVmk) -> Option<bool>,
) -> Option<bool> {
    observed.vmkernels.read()?.get(vmk).map_or(Some(false), test)
}

fn of_stack(
    observed: &ObservedNetwork,
    netstack: &model::NetstackName,
    test: impl FnOnce(&ObservedNetstack) -> Option<bool>,
) -> Option<bool> {
    observed.netstacks.read()?.get(netstack).map_or(Some(false), test)
}

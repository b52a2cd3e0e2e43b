//! A picture drawn from documents alone, so that rules can be asked without any host.
//!
//! Owns: what is not mentioned becomes unknown; a policy of which a part is mentioned is filled up with the values
//! of a new switch, and findings that would stand on such a filling are dropped (`mentions`). Must not: judge.

use model::{
    DesiredNetwork, DesiredPortGroup, DesiredVmk, DesiredVswitch, FailureDetection, HostFacts,
    InheritedField, Ipv4Config, Known, LoadBalancing, NetstackName, ObservedIpv4, ObservedIpv6,
    ObservedNetstack, ObservedNetwork, ObservedPortGroup, ObservedPortGroupSecurity,
    ObservedPortGroupTeaming, ObservedRoute, ObservedVmk, ObservedVswitch, PortGroupName, Presence,
    RouteSetting, SecurityPolicy, Setting, TeamingPolicy, UplinkOrder, VmkAttachment, VmkName, VswitchName,
    Wall,
};
use std::collections::BTreeMap;

const NOT_SAID: &str = "the documents do not say";

fn said<T: Clone>(value: Option<&T>) -> Known<T> {
    value.map_or_else(|| Known::unreadable(NOT_SAID), |value| Known::Read(value.clone()))
}

/// The picture of one host.
#[must_use]
pub fn drawn(desired: &DesiredNetwork) -> ObservedNetwork {
    let switches = present(&desired.vswitches);
    let groups = present(&desired.port_groups).filter_map(|(name, fields)| {
        let vswitch = fields.vswitch.clone()?;
        let above = desired.vswitches.get(&vswitch).and_then(Presence::present);
        Some((name.clone(), port_group(vswitch, fields, above)))
    });
    let groups: BTreeMap<PortGroupName, ObservedPortGroup> = groups.collect();
    let vmks = present(&desired.vmkernels).filter_map(|(name, fields)| Some((name.clone(), vmk(fields)?)));
    let vmks: BTreeMap<VmkName, ObservedVmk> = vmks.collect();
    let stacks = present(&desired.netstacks).map(|(name, stack)| {
        let routes = stack.routes.iter().filter_map(|(network, setting)| match setting {
            RouteSetting::Via(gateway) => {
                Some(ObservedRoute { network: *network, gateway: Some(*gateway), vmk: None })
            }
            RouteSetting::Absent => None,
        });
        let state = ObservedNetstack {
            routes: Known::Read(routes.collect()),
            dns_servers: said(stack.dns_servers.as_ref()),
            dns_search: said(stack.dns_search.as_ref()),
        };
        (name.clone(), state)
    });
    ObservedNetwork {
        taken_at: Wall(0),
        facts: HostFacts::default(),
        management_vmk: Known::unreadable(NOT_SAID),
        vswitches: Known::Read(switches.map(|(name, fields)| (name.clone(), vswitch(fields))).collect()),
        port_groups: Known::Read(groups),
        vmkernels: Known::Read(vmks),
        nics: Known::unreadable(NOT_SAID),
        netstacks: Known::Read(stacks.collect()),
        vms: Known::unreadable(NOT_SAID),
        dvs: Known::unreadable(NOT_SAID),
    }
}

fn present<K, T>(map: &BTreeMap<K, Presence<T>>) -> impl Iterator<Item = (&K, &T)> {
    map.iter().filter_map(|(name, fields)| Some((name, fields.present()?)))
}

/// The failover policy of a switch, filled up; none when nothing of it is mentioned.
fn switch_teaming(fields: &DesiredVswitch) -> Option<TeamingPolicy> {
    let said = fields.teaming.as_ref();
    if said.is_none() && fields.uplinks.is_none() {
        return None;
    }
    let said = said.cloned().unwrap_or_default();
    let all = || UplinkOrder { active: fields.uplinks.clone().unwrap_or_default(), standby: Vec::new() };
    Some(TeamingPolicy {
        load_balancing: said.load_balancing.unwrap_or(LoadBalancing::PortId),
        failure_detection: said.failure_detection.unwrap_or(FailureDetection::Link),
        notify_switches: said.notify_switches.unwrap_or(true),
        failback: said.failback.unwrap_or(true),
        uplinks: said.uplinks.unwrap_or_else(all),
    })
}

fn switch_security(fields: &DesiredVswitch) -> Option<SecurityPolicy> {
    let said = fields.security?;
    Some(SecurityPolicy {
        allow_promiscuous: said.allow_promiscuous.unwrap_or(false),
        allow_mac_change: said.allow_mac_change.unwrap_or(false),
        allow_forged_transmits: said.allow_forged_transmits.unwrap_or(false),
    })
}

fn vswitch(fields: &DesiredVswitch) -> ObservedVswitch {
    ObservedVswitch {
        mtu: said(fields.mtu.as_ref()),
        cdp: said(fields.cdp.as_ref()),
        uplinks: said(fields.uplinks.as_ref()).map(|nics| nics.into_iter().collect()),
        teaming: said(switch_teaming(fields).as_ref()),
        security: said(switch_security(fields).as_ref()),
        shaping: said(fields.shaping.as_ref()),
    }
}

/// The value in force: its own, else that of the switch.
fn field<T: Clone>(own: Option<&Setting<T>>, above: T) -> InheritedField<T> {
    match own.and_then(Setting::value) {
        Some(value) => InheritedField::Own(value.clone()),
        None => InheritedField::Inherited(above),
    }
}

fn port_group(
    vswitch: VswitchName,
    fields: &DesiredPortGroup,
    above: Option<&DesiredVswitch>,
) -> ObservedPortGroup {
    let own = fields.teaming.as_ref();
    let teaming = above.and_then(switch_teaming).or_else(|| own.and_then(|_| switch_teaming(&unmentioned())));
    let teaming = teaming.map(|above| {
        let own = own.cloned().unwrap_or_default();
        ObservedPortGroupTeaming {
            load_balancing: field(own.load_balancing.as_ref(), above.load_balancing),
            failure_detection: field(own.failure_detection.as_ref(), above.failure_detection),
            notify_switches: field(own.notify_switches.as_ref(), above.notify_switches),
            failback: field(own.failback.as_ref(), above.failback),
            uplinks: field(own.uplinks.as_ref(), above.uplinks),
        }
    });
    let security = above.and_then(switch_security);
    let security = security.or_else(|| fields.security.and_then(|_| switch_security(&unmentioned())));
    let security = security.map(|above| {
        let own = fields.security.unwrap_or_default();
        ObservedPortGroupSecurity {
            allow_promiscuous: field(own.allow_promiscuous.as_ref(), above.allow_promiscuous),
            allow_mac_change: field(own.allow_mac_change.as_ref(), above.allow_mac_change),
            allow_forged_transmits: field(own.allow_forged_transmits.as_ref(), above.allow_forged_transmits),
        }
    });
    let shaping = match fields.shaping {
        Some(Setting::Value(own)) => Some(InheritedField::Own(own)),
        _ => above.and_then(|above| above.shaping).map(InheritedField::Inherited),
    };
    ObservedPortGroup {
        vswitch,
        vlan: said(fields.vlan.as_ref()),
        active_clients: 0,
        teaming: said(teaming.as_ref()),
        security: said(security.as_ref()),
        shaping: said(shaping.as_ref()),
    }
}

/// A switch that is mentioned without a word about it.
fn unmentioned() -> DesiredVswitch {
    DesiredVswitch {
        teaming: Some(Default::default()),
        security: Some(Default::default()),
        ..Default::default()
    }
}

fn vmk(fields: &DesiredVmk) -> Option<ObservedVmk> {
    let ipv4 = fields.ipv4.as_ref().map(|ipv4| match ipv4 {
        Ipv4Config::None => ObservedIpv4::None,
        Ipv4Config::Dhcp => ObservedIpv4::Dhcp { address: None },
        Ipv4Config::Static { address, gateway } => {
            ObservedIpv4::Static { address: *address, gateway: *gateway }
        }
    });
    let ipv6 = fields.ipv6.as_ref().map(|ipv6| ObservedIpv6 {
        dhcp: ipv6.dhcp.unwrap_or(false),
        router_advertisements: ipv6.router_advertisements.unwrap_or(false),
        addresses: ipv6.addresses.clone().unwrap_or_default(),
    });
    Some(ObservedVmk {
        attachment: VmkAttachment::PortGroup(fields.port_group.clone()?),
        netstack: fields.netstack.clone().unwrap_or_else(NetstackName::default_stack),
        enabled: fields.enabled.unwrap_or(true),
        mac: said(fields.mac.as_ref()),
        mtu: said(fields.mtu.as_ref()),
        ipv4: said(ipv4.as_ref()),
        ipv6: said(ipv6.as_ref()),
        services: said(fields.services.as_ref()),
    })
}

/// Whether the documents say something at this path.
#[must_use]
pub fn mentions(desired: &DesiredNetwork, path: &[String]) -> bool {
    let Ok(whole) = serde_json::to_value(desired) else { return false };
    let mut at = &whole;
    path.iter().all(|part| match at.get(part) {
        Some(next) => {
            at = next;
            true
        }
        None => false,
    })
}

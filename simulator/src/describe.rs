//! Makes a simulated host from a host description file (`model::ObservedNetwork`).
//!
//! Owns: the conversion. Must not: guess: a description with an unreadable part is refused. Called through
//! `Host::from_description` by tests and by `pointsman-sim from-description`.

use crate::host::{Dvs, Facts, Host, Vm};
use crate::network::{
    AddressMode, Cdp, Detection, Failover, FailoverOverride, Ipv4, Ipv6, LoadBalancing, Netstack, Network,
    Nic, NicSpeed, PortGroup, Route, RouteTarget, Security, SecurityOverride, Shaping, ShapingOverride,
    Subnet, UplinkOrder, Vmk, Vswitch,
};
use model::{
    InheritedField, Known, LinkState, ObservedIpv4, ObservedNetstack, ObservedNetwork, ObservedNic,
    ObservedPortGroup, ObservedVmk, ObservedVswitch, RouteNetwork, ShapingPolicy, TeamingPolicy,
    VmkAttachment,
};

/// World id of the first machine; others follow.
const FIRST_WORLD_ID: i64 = 2_100_000;

/// Why a description cannot be simulated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DescribeError {
    /// Something was not readable when the description was taken.
    #[error("{what} is unreadable in the host description ({reason}): take the description again")]
    Unreadable {
        /// The object and field.
        what: String,
        /// The reason kept in the description.
        reason: String,
    },
    /// A word the simulator does not know.
    #[error("{what}: the simulator does not know `{word}`")]
    Word {
        /// The object and field.
        what: String,
        /// The word.
        word: String,
    },
}

type Result<T> = std::result::Result<T, DescribeError>;

fn known<'a, T>(fact: &'a Known<T>, what: &str) -> Result<&'a T> {
    match fact {
        Known::Read(value) => Ok(value),
        Known::Unreadable { reason } => {
            Err(DescribeError::Unreadable { what: what.to_owned(), reason: reason.clone() })
        }
    }
}

fn word<T>(found: Option<T>, what: &str, word: &str) -> Result<T> {
    found.ok_or_else(|| DescribeError::Word { what: what.to_owned(), word: word.to_owned() })
}

impl Host {
    /// A host that answers as the described one; saved and running configuration are the same.
    pub fn from_description(description: &ObservedNetwork) -> Result<Self> {
        let mut network = Network::default();
        let (name, domain) =
            description.facts.hostname.split_once('.').unwrap_or((&description.facts.hostname, ""));
        network.hostname = name.to_owned();
        network.domain = domain.to_owned();
        for (name, switch) in known(&description.vswitches, "vswitches")? {
            network.vswitches.insert(name.as_str().to_owned(), vswitch(name.as_str(), switch)?);
        }
        for (name, group) in known(&description.port_groups, "port_groups")? {
            network.port_groups.push(port_group(name.as_str(), group)?);
        }
        for (name, observed) in known(&description.vmkernels, "vmkernels")? {
            network.vmks.insert(name.as_str().to_owned(), vmk(name.as_str(), observed)?);
        }
        for (name, observed) in known(&description.nics, "nics")? {
            network.nics.insert(name.as_str().to_owned(), nic(name.as_str(), observed)?);
        }
        for (key, observed) in known(&description.netstacks, "netstacks")? {
            let stack = netstack(key.as_str(), observed, &mut network)?;
            network.netstacks.insert(key.as_str().to_owned(), stack);
        }
        let mut host = Self::new(facts(description), network);
        for (vm, world_id) in known(&description.vms, "vms")?.iter().zip(FIRST_WORLD_ID..) {
            host.vms.push(Vm { name: vm.name.clone(), world_id, networks: vm.networks.clone() });
        }
        for dvs in known(&description.dvs, "dvs")? {
            let uplinks = dvs.uplinks.iter().map(ToString::to_string).collect();
            let id = "50 33 8c 87 5f 05 cd 73-bc 4f 7c 4f 55 23 fc f8".to_owned();
            host.dvs.push(Dvs { name: dvs.name.clone(), id, mtu: 1500, uplinks });
        }
        if !description.facts.boot_id.0.is_empty() {
            host.boot.id.clone_from(&description.facts.boot_id.0);
        }
        Ok(host)
    }
}

fn facts(description: &ObservedNetwork) -> Facts {
    let facts = &description.facts;
    Facts {
        version: facts.version.clone(),
        build: facts.build.clone(),
        update: facts.version.split('.').nth(2).and_then(|number| number.parse().ok()).unwrap_or(0),
        uuid: facts.uuid.clone(),
        vendor: facts.vendor.clone(),
        model: facts.model.clone(),
        ..Facts::default()
    }
}

fn uplink_order(order: &model::UplinkOrder) -> UplinkOrder {
    UplinkOrder {
        active: order.active.iter().map(ToString::to_string).collect(),
        standby: order.standby.iter().map(ToString::to_string).collect(),
    }
}

fn balancing(value: model::LoadBalancing, what: &str) -> Result<LoadBalancing> {
    word(LoadBalancing::from_word(value.as_str()), what, value.as_str())
}

fn detection(value: model::FailureDetection, what: &str) -> Result<Detection> {
    word(Detection::from_word(value.as_str()), what, value.as_str())
}

fn failover(policy: &TeamingPolicy, what: &str) -> Result<Failover> {
    Ok(Failover {
        load_balancing: balancing(policy.load_balancing, what)?,
        detection: detection(policy.failure_detection, what)?,
        notify: policy.notify_switches,
        failback: policy.failback,
        order: uplink_order(&policy.uplinks),
    })
}

fn shaping(policy: ShapingPolicy) -> Shaping {
    match policy {
        ShapingPolicy::Off => Shaping::default(),
        ShapingPolicy::On(rate) => Shaping {
            enabled: true,
            average: Some(rate.average_kbps.into()),
            peak: Some(rate.peak_kbps.into()),
            burst: Some(rate.burst_kib.into()),
        },
    }
}

fn vswitch(name: &str, observed: &ObservedVswitch) -> Result<Vswitch> {
    let what = |field: &str| format!("{field} of switch {name}");
    let security = known(&observed.security, &what("security policy"))?;
    let security = Security {
        promiscuous: security.allow_promiscuous,
        mac_change: security.allow_mac_change,
        forged: security.allow_forged_transmits,
    };
    let cdp = known(&observed.cdp, &what("CDP status"))?.as_str();
    let mut switch = Vswitch::new(security);
    switch.mtu = known(&observed.mtu, &what("MTU"))?.get().into();
    switch.cdp = word(Cdp::from_word(cdp), &what("CDP status"), cdp)?;
    switch.uplinks = known(&observed.uplinks, &what("uplinks"))?.iter().map(ToString::to_string).collect();
    switch.failover =
        failover(known(&observed.teaming, &what("failover policy"))?, &what("failover policy"))?;
    switch.shaping = shaping(*known(&observed.shaping, &what("shaping policy"))?);
    Ok(switch)
}

fn port_group(name: &str, observed: &ObservedPortGroup) -> Result<PortGroup> {
    let what = |field: &str| format!("{field} of port group {name}");
    let mut group =
        PortGroup::new(name, observed.vswitch.as_str(), known(&observed.vlan, &what("VLAN"))?.number());
    let teaming = known(&observed.teaming, &what("failover policy"))?;
    let policy = what("failover policy");
    group.failover = FailoverOverride {
        load_balancing: teaming.load_balancing.own().map(|value| balancing(*value, &policy)).transpose()?,
        detection: teaming.failure_detection.own().map(|value| detection(*value, &policy)).transpose()?,
        notify: teaming.notify_switches.own().copied(),
        failback: teaming.failback.own().copied(),
        order: teaming.uplinks.own().map(uplink_order),
    };
    let security = known(&observed.security, &what("security policy"))?;
    group.security = SecurityOverride {
        promiscuous: security.allow_promiscuous.own().copied(),
        mac_change: security.allow_mac_change.own().copied(),
        forged: security.allow_forged_transmits.own().copied(),
    };
    if let InheritedField::Own(policy) = known(&observed.shaping, &what("shaping policy"))? {
        let own = shaping(*policy);
        group.shaping = ShapingOverride {
            enabled: Some(own.enabled),
            average: own.average,
            peak: own.peak,
            burst: own.burst,
        };
    }
    Ok(group)
}

fn ipv4(observed: &ObservedIpv4) -> Ipv4 {
    match observed {
        ObservedIpv4::None => Ipv4::NONE,
        ObservedIpv4::Dhcp { address } => Ipv4 {
            mode: AddressMode::Dhcp,
            address: address.map(|cidr| cidr.address()),
            netmask: address.map(|cidr| cidr.netmask()),
            ..Ipv4::NONE
        },
        ObservedIpv4::Static { address, gateway } => {
            Ipv4::fixed(address.address(), address.netmask(), *gateway)
        }
    }
}

fn vmk(name: &str, observed: &ObservedVmk) -> Result<Vmk> {
    let what = |field: &str| format!("{field} of {name}");
    let (port_group, dvs) = match &observed.attachment {
        VmkAttachment::PortGroup(group) => (Some(group.to_string()), None),
        VmkAttachment::Distributed(dvs) => (None, Some(dvs.clone())),
    };
    let ipv6 = known(&observed.ipv6, &what("IPv6"))?;
    Ok(Vmk {
        port_group,
        dvs,
        netstack: observed.netstack.to_string(),
        mtu: known(&observed.mtu, &what("MTU"))?.get().into(),
        mac: known(&observed.mac, &what("MAC address"))?.to_string(),
        enabled: observed.enabled,
        ipv4: ipv4(known(&observed.ipv4, &what("IPv4"))?),
        ipv6: Ipv6 {
            enabled: true,
            dhcpv6: ipv6.dhcp,
            router_adv: ipv6.router_advertisements,
            peer_dns: false,
            addresses: ipv6
                .addresses
                .iter()
                .filter(|cidr| !cidr.address().is_unicast_link_local())
                .map(|cidr| (cidr.address(), cidr.prefix()))
                .collect(),
        },
        tags: known(&observed.services, &what("tags"))?.iter().map(ToString::to_string).collect(),
    })
}

fn nic(name: &str, observed: &ObservedNic) -> Result<Nic> {
    let what = |field: &str| format!("{field} of {name}");
    let speed = observed.speed_mbps;
    let mac = known(&observed.mac, &what("MAC address"))?.to_string();
    let mut nic = Nic::new(&observed.driver, &observed.pci, &mac, if speed == 0 { 10_000 } else { speed });
    nic.description.clone_from(&observed.description);
    nic.admin_up = *known(&observed.admin, &what("administrative state"))? == LinkState::Up;
    nic.link_up = observed.link == LinkState::Up;
    if !*known(&observed.auto_negotiation, &what("auto negotiation"))? {
        let full_duplex = observed.duplex == model::Duplex::Full;
        nic.speed = NicSpeed::Fixed { mbps: nic.max_speed, full_duplex };
    }
    Ok(nic)
}

fn netstack(key: &str, observed: &ObservedNetstack, network: &mut Network) -> Result<Netstack> {
    let what = |field: &str| format!("{field} of netstack {key}");
    let mut stack = Netstack {
        disabled: false,
        routes: Vec::new(),
        dns_servers: known(&observed.dns_servers, &what("DNS servers"))?.clone(),
        dns_search: known(&observed.dns_search, &what("DNS search"))?.clone(),
    };
    for route in known(&observed.routes, &what("routes"))? {
        let Some(gateway) = route.gateway else { continue };
        let vmk = route.vmk.as_ref().and_then(|name| network.vmks.get_mut(name.as_str()));
        let target = match route.network {
            RouteNetwork::Default => {
                if let Some(vmk) = vmk.filter(|vmk| vmk.ipv4.mode == AddressMode::Dhcp) {
                    vmk.ipv4.lease_gateway = Some(gateway);
                    continue;
                }
                RouteTarget::Default
            }
            RouteNetwork::Network(cidr) => {
                let subnet = Subnet::around(cidr.address(), cidr.prefix());
                RouteTarget::Network(word(subnet, &what("routes"), &cidr.to_string())?)
            }
        };
        stack.routes.push(Route { target, gateway });
    }
    Ok(stack)
}

#[cfg(test)]
mod tests;

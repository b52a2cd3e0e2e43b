//! Writes a simulated host down as a host description (`model::ObservedNetwork`): the opposite of `describe`.
//!
//! Owns: the conversion straight from the state, without any esxcli output in between; so it is also a referee
//! for the product's own observation. Called by tests and by `pointsman-sim describe`.

use crate::describe::DescribeError;
use crate::host::Host;
use crate::network::{
    AddressMode, Detection, Failover, LoadBalancing, Nic, NicSpeed, PortGroup, RouteRow, Shaping,
    UplinkOrder, Vmk, Vswitch,
};
use model::{
    BootId, HostFacts, InheritedField, Ipv4Cidr, Ipv6Cidr, Known, LinkState, ObservedDvs, ObservedIpv4,
    ObservedIpv6, ObservedNetstack, ObservedNetwork, ObservedNic, ObservedPortGroup,
    ObservedPortGroupSecurity, ObservedPortGroupTeaming, ObservedRoute, ObservedVm, ObservedVmk,
    ObservedVswitch, RouteNetwork, SecurityPolicy, ServiceTag, ShapingPolicy, ShapingRate, TeamingPolicy,
    VmkAttachment, Wall,
};
use std::collections::BTreeMap;
use std::str::FromStr;

type Result<T> = std::result::Result<T, DescribeError>;

/// A checked value of the model from a text of the state.
fn checked<T: FromStr>(text: &str, what: &str) -> Result<T> {
    text.parse().map_err(|_| DescribeError::Word { what: what.to_owned(), word: text.to_owned() })
}

fn out_of_range(what: &str, value: impl ToString) -> DescribeError {
    DescribeError::Word { what: what.to_owned(), word: value.to_string() }
}

fn mtu(value: u32, what: &str) -> Result<Known<model::Mtu>> {
    model::Mtu::new(value).map(Known::Read).map_err(|_| out_of_range(what, value))
}

impl Host {
    /// The network of this host as a complete description.
    pub fn describe(&self, taken_at: Wall) -> Result<ObservedNetwork> {
        let network = &self.running;
        let mut vswitches = BTreeMap::new();
        for (name, switch) in &network.vswitches {
            vswitches.insert(checked(name, "switch name")?, vswitch(name, switch)?);
        }
        let mut port_groups = BTreeMap::new();
        for group in &network.port_groups {
            port_groups.insert(checked(&group.name, "port group name")?, port_group(self, group)?);
        }
        let mut vmkernels = BTreeMap::new();
        for (name, adapter) in &network.vmks {
            vmkernels.insert(checked(name, "adapter name")?, vmk(name, adapter)?);
        }
        let mut nics = BTreeMap::new();
        for (name, hardware) in &network.nics {
            nics.insert(checked(name, "NIC name")?, nic(self, name, hardware)?);
        }
        let mut netstacks = BTreeMap::new();
        for key in network.netstacks.keys() {
            netstacks.insert(checked(key, "netstack key")?, netstack(self, key)?);
        }
        let management = self.fabric.coordinator.and_then(|address| {
            network.route_to(crate::network::DEFAULT_NETSTACK, address).map(|(vmk, _)| vmk)
        });
        let vms =
            self.vms.iter().map(|vm| ObservedVm { name: vm.name.clone(), networks: vm.networks.clone() });
        let mut dvs = Vec::new();
        for switch in &self.dvs {
            let uplinks = switch.uplinks.iter().map(|nic| checked(nic, "NIC name")).collect::<Result<_>>()?;
            dvs.push(ObservedDvs { name: switch.name.clone(), uplinks });
        }
        Ok(ObservedNetwork {
            taken_at,
            facts: facts(self),
            management_vmk: Known::Read(management.map(|name| checked(&name, "adapter name")).transpose()?),
            vswitches: Known::Read(vswitches),
            port_groups: Known::Read(port_groups),
            vmkernels: Known::Read(vmkernels),
            nics: Known::Read(nics),
            netstacks: Known::Read(netstacks),
            vms: Known::Read(vms.collect()),
            dvs: Known::Read(dvs),
        })
    }
}

fn facts(host: &Host) -> HostFacts {
    let (name, domain) = (&host.running.hostname, &host.running.domain);
    HostFacts {
        hostname: if domain.is_empty() { name.clone() } else { format!("{name}.{domain}") },
        version: host.facts.version.clone(),
        build: host.facts.build.clone(),
        uuid: host.facts.uuid.clone(),
        vendor: host.facts.vendor.clone(),
        model: host.facts.model.clone(),
        boot_id: BootId(host.boot.id.clone()),
    }
}

fn balancing(value: LoadBalancing) -> model::LoadBalancing {
    match value {
        LoadBalancing::PortId => model::LoadBalancing::PortId,
        LoadBalancing::IpHash => model::LoadBalancing::IpHash,
        LoadBalancing::Mac => model::LoadBalancing::SourceMac,
        LoadBalancing::Explicit => model::LoadBalancing::Explicit,
    }
}

fn detection(value: Detection) -> model::FailureDetection {
    match value {
        Detection::Link => model::FailureDetection::Link,
        Detection::Beacon => model::FailureDetection::Beacon,
    }
}

fn order(order: &UplinkOrder, what: &str) -> Result<model::UplinkOrder> {
    let names = |names: &[String]| names.iter().map(|nic| checked(nic, what)).collect::<Result<Vec<_>>>();
    Ok(model::UplinkOrder { active: names(&order.active)?, standby: names(&order.standby)? })
}

fn shaping(policy: Shaping, what: &str) -> Result<ShapingPolicy> {
    let number = |number: Option<i64>| {
        number.and_then(|n| u32::try_from(n).ok()).ok_or_else(|| out_of_range(what, number.unwrap_or(-1)))
    };
    if !policy.enabled {
        return Ok(ShapingPolicy::Off);
    }
    Ok(ShapingPolicy::On(ShapingRate {
        average_kbps: number(policy.average)?,
        peak_kbps: number(policy.peak)?,
        burst_kib: number(policy.burst)?,
    }))
}

fn cdp(value: crate::network::Cdp) -> model::CdpStatus {
    match value {
        crate::network::Cdp::Down => model::CdpStatus::Down,
        crate::network::Cdp::Listen => model::CdpStatus::Listen,
        crate::network::Cdp::Advertise => model::CdpStatus::Advertise,
        crate::network::Cdp::Both => model::CdpStatus::Both,
    }
}

fn vswitch(name: &str, switch: &Vswitch) -> Result<ObservedVswitch> {
    let Failover { load_balancing, detection: how, notify, failback, order: uplinks } = &switch.failover;
    Ok(ObservedVswitch {
        mtu: mtu(switch.mtu, &format!("MTU of switch {name}"))?,
        cdp: Known::Read(cdp(switch.cdp)),
        uplinks: Known::Read(switch.uplinks.iter().map(|nic| checked(nic, name)).collect::<Result<_>>()?),
        teaming: Known::Read(TeamingPolicy {
            load_balancing: balancing(*load_balancing),
            failure_detection: detection(*how),
            notify_switches: *notify,
            failback: *failback,
            uplinks: order(uplinks, name)?,
        }),
        security: Known::Read(SecurityPolicy {
            allow_promiscuous: switch.security.promiscuous,
            allow_mac_change: switch.security.mac_change,
            allow_forged_transmits: switch.security.forged,
        }),
        shaping: Known::Read(shaping(switch.shaping, name)?),
    })
}

/// The value in force, as the port group's own when it overrides.
fn field<T>(own: Override, value: T) -> InheritedField<T> {
    if own.0 { InheritedField::Own(value) } else { InheritedField::Inherited(value) }
}

/// Whether a port group overrides a field.
struct Override(bool);

fn port_group(host: &Host, group: &PortGroup) -> Result<ObservedPortGroup> {
    let name = &group.name;
    let missing = || out_of_range(&format!("switch of port group {name}"), &group.vswitch);
    let switch = host.running.vswitches.get(&group.vswitch).ok_or_else(missing)?;
    let teaming = group.failover.over(&switch.failover);
    let security = group.security.over(switch.security);
    let (own, safe, shape) = (&group.failover, &group.security, &group.shaping);
    let clients = host.port_groups_of_vms().iter().filter(|used| *used == name).count();
    let clients = clients + usize::from(host.running.vmk_on(name).is_some());
    let shapes_itself = shape.enabled.is_some() || shape.average.or(shape.peak).or(shape.burst).is_some();
    Ok(ObservedPortGroup {
        vswitch: checked(&group.vswitch, "switch name")?,
        vlan: Known::Read(u64::from(group.vlan).try_into().map_err(|_| out_of_range(name, group.vlan))?),
        active_clients: u32::try_from(clients).unwrap_or(u32::MAX),
        teaming: Known::Read(ObservedPortGroupTeaming {
            load_balancing: field(Override(own.load_balancing.is_some()), balancing(teaming.load_balancing)),
            failure_detection: field(Override(own.detection.is_some()), detection(teaming.detection)),
            notify_switches: field(Override(own.notify.is_some()), teaming.notify),
            failback: field(Override(own.failback.is_some()), teaming.failback),
            uplinks: field(Override(own.order.is_some()), order(&teaming.order, name)?),
        }),
        security: Known::Read(ObservedPortGroupSecurity {
            allow_promiscuous: field(Override(safe.promiscuous.is_some()), security.promiscuous),
            allow_mac_change: field(Override(safe.mac_change.is_some()), security.mac_change),
            allow_forged_transmits: field(Override(safe.forged.is_some()), security.forged),
        }),
        shaping: Known::Read(field(Override(shapes_itself), shaping(shape.over(switch.shaping), name)?)),
    })
}

fn vmk(name: &str, vmk: &Vmk) -> Result<ObservedVmk> {
    let attachment = match (&vmk.port_group, &vmk.dvs) {
        (Some(group), _) => VmkAttachment::PortGroup(checked(group, "port group name")?),
        (None, dvs) => VmkAttachment::Distributed(dvs.clone().unwrap_or_default()),
    };
    let ipv4 = &vmk.ipv4;
    let address = ipv4.address.zip(ipv4.netmask).and_then(|(ip, mask)| Ipv4Cidr::from_netmask(ip, mask));
    let ipv4 = match ipv4.mode {
        AddressMode::None => ObservedIpv4::None,
        AddressMode::Dhcp => ObservedIpv4::Dhcp { address },
        AddressMode::Static => ObservedIpv4::Static {
            address: address.ok_or_else(|| out_of_range(&format!("IPv4 address of {name}"), "none"))?,
            gateway: ipv4.gateway,
        },
    };
    let fixed = vmk.ipv6.addresses.iter().filter_map(|(address, prefix)| Ipv6Cidr::new(*address, *prefix));
    Ok(ObservedVmk {
        attachment,
        netstack: checked(&vmk.netstack, "netstack key")?,
        enabled: vmk.enabled,
        mac: Known::Read(checked(&vmk.mac, &format!("MAC address of {name}"))?),
        mtu: mtu(vmk.mtu, &format!("MTU of {name}"))?,
        ipv4: Known::Read(ipv4),
        ipv6: Known::Read(ObservedIpv6 {
            dhcp: vmk.ipv6.dhcpv6,
            router_advertisements: vmk.ipv6.router_adv,
            addresses: fixed.collect(),
        }),
        services: Known::Read(vmk.tags.iter().map(|tag| ServiceTag::new(tag.clone())).collect()),
    })
}

fn nic(host: &Host, name: &str, nic: &Nic) -> Result<ObservedNic> {
    let link = host.link_up(name);
    let (speed_mbps, duplex) = if link { nic.running_speed() } else { (0, "Half") };
    let state = |up| if up { LinkState::Up } else { LinkState::Down };
    Ok(ObservedNic {
        driver: nic.driver.clone(),
        pci: nic.pci.clone(),
        mac: Known::Read(checked(&nic.mac, &format!("MAC address of {name}"))?),
        admin: Known::Read(state(nic.admin_up)),
        link: state(link),
        speed_mbps,
        duplex: if duplex == "Full" { model::Duplex::Full } else { model::Duplex::Half },
        auto_negotiation: Known::Read(nic.speed == NicSpeed::Auto),
        description: nic.description.clone(),
    })
}

fn route(row: RouteRow) -> Result<ObservedRoute> {
    let network = match row.subnet.prefix() {
        0 => RouteNetwork::Default,
        _ => RouteNetwork::Network(checked(&row.subnet.to_string(), "route")?),
    };
    Ok(ObservedRoute { network, gateway: row.gateway, vmk: Some(checked(&row.vmk, "adapter name")?) })
}

fn netstack(host: &Host, key: &str) -> Result<ObservedNetstack> {
    let stack = host.running.netstacks.get(key).cloned().unwrap_or_default();
    let routes = host.running.routing_table(key).into_iter().map(route).collect::<Result<_>>()?;
    Ok(ObservedNetstack {
        routes: Known::Read(routes),
        dns_servers: Known::Read(stack.dns_servers),
        dns_search: Known::Read(stack.dns_search),
    })
}

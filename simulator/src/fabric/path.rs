//! Follows a packet: adapter, port group, teaming, uplink, physical port, segment, next hop.

use super::{Fabric, Segment};
use crate::host::Host;
use crate::network::{DEFAULT_NETSTACK, LoadBalancing, Subnet, Vmk};
use std::net::Ipv4Addr;

/// ICMP and IPv4 headers around a ping's payload, bytes.
const PING_HEADERS: u32 = 28;
/// VLAN number with which a port group passes tags to the guest.
const GUEST_TAGGING: u16 = 4095;

/// Whether something can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// It can.
    Ok,
    /// It cannot.
    Cut {
        /// Where the packet is lost, in words.
        reason: String,
    },
}

/// Whether a packet may be cut into fragments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fragment {
    /// At the MTU of the adapter.
    Allowed,
    /// The DF bit is set.
    Never,
}

/// A ping to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// Adapter it leaves by.
    pub vmk: String,
    /// Address it goes to.
    pub target: Ipv4Addr,
    /// Payload, bytes.
    pub size: u32,
    /// DF bit.
    pub fragment: Fragment,
}

/// A segment that an adapter reaches, and the largest payload that gets there.
struct Arrival<'a> {
    segment: &'a Segment,
    mtu: u32,
}

/// Whether the host's management path to the coordinator works.
#[must_use]
pub fn management_reachable(host: &Host, fabric: &Fabric) -> Reach {
    let Some(coordinator) = fabric.coordinator else { return Reach::Ok };
    let Some((vmk, next_hop)) = host.running.route_to(DEFAULT_NETSTACK, coordinator) else {
        return Reach::Cut { reason: format!("no route to {coordinator}") };
    };
    into_reach(deliver(host, fabric, &vmk, coordinator, next_hop).map(drop))
}

/// Whether a ping would be answered.
#[must_use]
pub fn can_ping(host: &Host, fabric: &Fabric, ping: &Ping) -> Reach {
    into_reach(try_ping(host, fabric, ping))
}

fn into_reach(result: Result<(), String>) -> Reach {
    result.map_or_else(|reason| Reach::Cut { reason }, |()| Reach::Ok)
}

fn try_ping(host: &Host, fabric: &Fabric, ping: &Ping) -> Result<(), String> {
    let vmk = host.running.vmks.get(&ping.vmk).ok_or_else(|| format!("no adapter {}", ping.vmk))?;
    let packet = ping.size.saturating_add(PING_HEADERS);
    if ping.fragment == Fragment::Never && packet > vmk.mtu {
        return Err(format!("packet of {packet} bytes is longer than the MTU {} of {}", vmk.mtu, ping.vmk));
    }
    let own = vmk.ipv4.subnet().ok_or_else(|| format!("{} has no IPv4 address", ping.vmk))?;
    let next_hop = if own.contains(ping.target) {
        None
    } else {
        let route = host.running.route_to(&vmk.netstack, ping.target).and_then(|(_, gateway)| gateway);
        Some(vmk.ipv4.gateway.or(route).ok_or_else(|| format!("no route to {}", ping.target))?)
    };
    let arrival = deliver(host, fabric, &ping.vmk, ping.target, next_hop)?;
    let longest = packet.min(vmk.mtu);
    if longest > arrival.mtu {
        return Err(format!("frames of {longest} bytes are dropped: the path passes {}", arrival.mtu));
    }
    if next_hop.is_some() {
        let far = fabric.segment_of(ping.target).ok_or_else(|| format!("{} does not exist", ping.target))?;
        if ping.fragment == Fragment::Never && packet > far.mtu {
            return Err(format!(
                "packet of {packet} bytes is longer than the MTU {} of the far network",
                far.mtu
            ));
        }
    }
    if fabric.silent.contains(&ping.target) {
        return Err(format!("{} does not answer", ping.target));
    }
    let vlan = match next_hop {
        None => Some(arrival.segment.vlan),
        Some(_) => fabric.segment_of(ping.target).map(|segment| segment.vlan),
    };
    let echo = Echo { target: ping.target, vlan, packet, frame: longest, way_back: arrival.mtu };
    echoed(host, &echo)
}

/// A request that reached the segment of its target.
struct Echo {
    target: Ipv4Addr,
    /// The segment; `None` cannot be reached.
    vlan: Option<u16>,
    /// Payload and headers, bytes.
    packet: u32,
    /// Longest frame it came in, bytes.
    frame: u32,
    /// Longest frame that gets back to the sender, bytes.
    way_back: u32,
}

/// Whether the neighbour with the target's address answers; an address that no neighbour has is part of the network.
fn echoed(host: &Host, echo: &Echo) -> Result<(), String> {
    let mut refused = None;
    for neighbour in &host.neighbours {
        for (name, vmk) in neighbour.running.vmks.iter().filter(|(_, v)| v.ipv4.address == Some(echo.target))
        {
            match answers(neighbour, name, vmk, echo) {
                Ok(()) => return Ok(()),
                Err(reason) => refused = Some(format!("{name} of {}: {reason}", neighbour.running.hostname)),
            }
        }
    }
    refused.map_or(Ok(()), Err)
}

fn answers(neighbour: &Host, name: &str, vmk: &Vmk, echo: &Echo) -> Result<(), String> {
    if !vmk.enabled {
        return Err("it is disabled".to_owned());
    }
    let arrival = arrive(neighbour, &neighbour.fabric, name, vmk)?;
    if Some(arrival.segment.vlan) != echo.vlan {
        return Err(format!("it is in VLAN {}", arrival.segment.vlan));
    }
    let passes = arrival.mtu.min(vmk.mtu);
    if echo.frame > passes {
        return Err(format!("frames of {} bytes are dropped: it takes {passes}", echo.frame));
    }
    let back = echo.packet.min(vmk.mtu);
    if back > arrival.mtu.min(echo.way_back) {
        return Err(format!("its answer in frames of {back} bytes is dropped"));
    }
    Ok(())
}

/// Follows a packet to `target` (through `next_hop` when it is not on link).
fn deliver<'a>(
    host: &Host,
    fabric: &'a Fabric,
    name: &str,
    target: Ipv4Addr,
    next_hop: Option<Ipv4Addr>,
) -> Result<Arrival<'a>, String> {
    let vmk = host.running.vmks.get(name).ok_or_else(|| format!("no adapter {name}"))?;
    if !vmk.enabled {
        return Err(format!("{name} is disabled"));
    }
    let address = vmk.ipv4.address.ok_or_else(|| format!("{name} has no IPv4 address"))?;
    let arrival = arrive(host, fabric, name, vmk)?;
    let subnet = arrival.segment.subnet;
    if !subnet.contains(address) {
        return Err(format!("{name} has {address}, but its VLAN {} is {subnet}", arrival.segment.vlan));
    }
    match next_hop {
        None if subnet.contains(target) => Ok(arrival),
        None => Err(format!("{target} is not in VLAN {}", arrival.segment.vlan)),
        Some(gateway) if arrival.segment.gateway != Some(gateway) => {
            Err(format!("no router at {gateway} in VLAN {}", arrival.segment.vlan))
        }
        Some(_) if fabric.segment_of(target).is_some() => Ok(arrival),
        Some(gateway) => Err(format!("{gateway} has no route to {target}")),
    }
}

/// The segment the frames of an adapter end up in.
fn arrive<'a>(host: &Host, fabric: &'a Fabric, name: &str, vmk: &Vmk) -> Result<Arrival<'a>, String> {
    let group = vmk.port_group.as_deref().ok_or_else(|| format!("{name} is on a distributed switch"))?;
    let group = host.running.port_group(group).ok_or_else(|| format!("{name} has no port group {group}"))?;
    let tag = if group.vlan == GUEST_TAGGING { 0 } else { group.vlan };
    let switch =
        host.running.vswitches.get(&group.vswitch).ok_or_else(|| format!("no switch {}", group.vswitch))?;
    let teaming = group.failover.over(&switch.failover);
    let usable = |nics: &[String]| -> Vec<String> {
        let up = |nic: &&String| switch.uplinks.contains(nic) && host.link_up(nic);
        nics.iter().filter(up).cloned().collect()
    };
    let mut uplinks = usable(&teaming.order.active);
    if uplinks.is_empty() {
        uplinks = usable(&teaming.order.standby);
        uplinks.truncate(1);
    }
    if teaming.load_balancing == LoadBalancing::Explicit {
        uplinks.truncate(1);
    }
    if uplinks.is_empty() {
        return Err(format!("no active or standby uplink of {} with link for {}", group.vswitch, group.name));
    }
    let ways = uplinks.iter().filter_map(|nic| {
        let port = fabric.ports.get(nic)?;
        let segment = fabric.segment(port.mode.carries(tag)?)?;
        Some(Arrival { segment, mtu: switch.mtu.min(port.mtu).min(segment.mtu) })
    });
    let lost = || format!("no physical port of {} carries VLAN {tag}", uplinks.join(", "));
    // Of several ways the best one counts: a host with one good uplink of two is degraded, not cut off.
    ways.max_by_key(|way| (vmk.ipv4.address.is_some_and(|a| way.segment.subnet.contains(a)), way.mtu))
        .ok_or_else(lost)
}

/// The address a DHCP server would give an adapter: always the same one for the same MAC address.
#[must_use]
pub fn lease(host: &Host, fabric: &Fabric, name: &str) -> Option<(Ipv4Addr, Subnet, Option<Ipv4Addr>)> {
    let vmk = host.running.vmks.get(name).filter(|vmk| vmk.enabled)?;
    let segment = arrive(host, fabric, name, vmk).ok()?.segment;
    if !segment.dhcp {
        return None;
    }
    let room =
        1_u32.checked_shl(32 - u32::from(segment.subnet.prefix())).unwrap_or(u32::MAX).checked_sub(2)?;
    let hash = vmk.mac.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    // The first quarter of a subnet is kept for fixed addresses.
    let offset = room / 4 + hash % (room - room / 4).max(1);
    Some((segment.subnet.host(offset.max(1)), segment.subnet, segment.gateway))
}

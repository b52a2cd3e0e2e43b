//! TCP/IP stacks: routes, DNS servers and search domains.
//!
//! Owns: what the kernel does on `network ip netstack/route/dns`, and which routes are in force. Must not: print.
//! Called by `cli::commands::netstack` and `fabric`.

use super::{Fault, Network, Subnet, Vmk};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr};

/// Key of the stack every host has.
pub const DEFAULT_NETSTACK: &str = "defaultTcpipStack";

/// Where a configured route leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteTarget {
    /// Everything without a better route.
    Default,
    /// One subnet.
    Network(Subnet),
}

impl RouteTarget {
    fn subnet(self) -> Option<Subnet> {
        match self {
            Self::Default => Subnet::around(Ipv4Addr::UNSPECIFIED, 0),
            Self::Network(subnet) => Some(subnet),
        }
    }
}

/// A configured IPv4 route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Destination.
    pub target: RouteTarget,
    /// Next hop.
    pub gateway: Ipv4Addr,
}

/// One TCP/IP stack.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Netstack {
    /// Created disabled.
    pub disabled: bool,
    /// Configured routes, in the order they were added.
    pub routes: Vec<Route>,
    /// DNS servers, in search order.
    pub dns_servers: Vec<IpAddr>,
    /// DNS search domains, in search order.
    pub dns_search: Vec<String>,
}

/// One row of the routing table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteRow {
    /// Destination.
    pub subnet: Subnet,
    /// Next hop; `None` on a connected subnet.
    pub gateway: Option<Ipv4Addr>,
    /// Adapter it leaves by.
    pub vmk: String,
    /// `MANUAL` or `DHCP`.
    pub source: &'static str,
}

impl Network {
    /// The stack of this key, or "not found".
    pub fn netstack(&self, key: &str) -> Result<&Netstack, Fault> {
        self.netstacks.get(key).ok_or(Fault::NotFound)
    }

    pub(crate) fn netstack_mut(&mut self, key: &str) -> Result<&mut Netstack, Fault> {
        self.netstacks.get_mut(key).ok_or(Fault::NotFound)
    }

    /// `netstack add`
    pub fn add_netstack(&mut self, key: &str, disabled: NetstackStart) -> Result<(), Fault> {
        if self.netstacks.contains_key(key) {
            return Err(Fault::NetstackExists(key.to_owned()));
        }
        if key.is_empty() {
            return Err(Fault::BadParameter);
        }
        let stack = Netstack { disabled: disabled == NetstackStart::Disabled, ..Netstack::default() };
        self.netstacks.insert(key.to_owned(), stack);
        Ok(())
    }

    /// `netstack remove`: refused while an adapter is on it.
    pub fn remove_netstack(&mut self, key: &str) -> Result<(), Fault> {
        self.netstack(key)?;
        if key == DEFAULT_NETSTACK || self.vmks.values().any(|vmk| vmk.netstack == key) {
            return Err(Fault::InUse(key.to_owned()));
        }
        self.netstacks.remove(key);
        Ok(())
    }

    fn stack_vmks<'a, 'k>(
        &'a self,
        key: &'k str,
    ) -> impl Iterator<Item = (&'a String, &'a Vmk)> + use<'a, 'k> {
        self.vmks.iter().filter(move |(_, vmk)| vmk.netstack == key && vmk.enabled)
    }

    /// The adapter of this stack whose subnet holds `address`.
    fn vmk_towards(&self, key: &str, address: Ipv4Addr) -> Option<&String> {
        let on_link = |vmk: &Vmk| vmk.ipv4.subnet().filter(|subnet| subnet.contains(address));
        let candidates = self.stack_vmks(key).filter_map(|(name, vmk)| Some((on_link(vmk)?.prefix(), name)));
        candidates.max_by_key(|(prefix, name)| (*prefix, std::cmp::Reverse(*name))).map(|(_, name)| name)
    }

    /// The routing table in force: a configured route whose gateway no adapter reaches is asleep, not listed.
    #[must_use]
    pub fn routing_table(&self, key: &str) -> Vec<RouteRow> {
        let mut rows = Vec::new();
        let Some(stack) = self.netstacks.get(key) else { return rows };
        for route in &stack.routes {
            let vmk = self.vmk_towards(key, route.gateway).cloned();
            if let (Some(vmk), Some(subnet)) = (vmk, route.target.subnet()) {
                rows.push(RouteRow { subnet, gateway: Some(route.gateway), vmk, source: "MANUAL" });
            }
        }
        let has_default = rows.iter().any(|row| row.subnet.prefix() == 0);
        let leased = self.stack_vmks(key).find_map(|(name, vmk)| Some((name, vmk.ipv4.lease_gateway?)));
        if let (false, Some((name, gateway)), Some(subnet)) =
            (has_default, leased, RouteTarget::Default.subnet())
        {
            rows.push(RouteRow { subnet, gateway: Some(gateway), vmk: name.clone(), source: "DHCP" });
        }
        for (name, vmk) in self.stack_vmks(key) {
            let Some(subnet) = vmk.ipv4.subnet() else { continue };
            let source = if vmk.ipv4.lease_gateway.is_some() { "DHCP" } else { "MANUAL" };
            if !rows.iter().any(|row| row.subnet == subnet && row.gateway.is_none()) {
                rows.push(RouteRow { subnet, gateway: None, vmk: name.clone(), source });
            }
        }
        rows.sort_by_key(|row| (row.subnet.prefix() != 0, row.subnet.network()));
        rows
    }

    /// The adapter and next hop (`None` on link) for a packet to `target`, by longest prefix; an adapter's own
    /// gateway stands in when the stack has no route at all.
    #[must_use]
    pub fn route_to(&self, key: &str, target: Ipv4Addr) -> Option<(String, Option<Ipv4Addr>)> {
        let table = self.routing_table(key);
        let best =
            table.iter().filter(|row| row.subnet.contains(target)).max_by_key(|row| row.subnet.prefix());
        if let Some(row) = best {
            return Some((row.vmk.clone(), row.gateway));
        }
        self.stack_vmks(key).find_map(|(name, vmk)| Some((name.clone(), Some(vmk.ipv4.gateway?))))
    }

    /// `route ipv4 add`
    pub fn add_route(&mut self, key: &str, target: RouteTarget, gateway: Ipv4Addr) -> Result<(), Fault> {
        if self.netstack(key)?.routes.iter().any(|route| route.target == target) {
            return Err(Fault::AlreadyExists);
        }
        if self.vmk_towards(key, gateway).is_none() {
            return Err(Fault::BadParameter);
        }
        self.netstack_mut(key)?.routes.push(Route { target, gateway });
        Ok(())
    }

    /// `route ipv4 remove`
    pub fn remove_route(&mut self, key: &str, target: RouteTarget, gateway: Ipv4Addr) -> Result<(), Fault> {
        let stack = self.netstack_mut(key)?;
        let wanted = Route { target, gateway };
        if !stack.routes.contains(&wanted) {
            return Err(Fault::NotFound);
        }
        stack.routes.retain(|route| *route != wanted);
        Ok(())
    }

    /// `dns server add`
    pub fn add_dns_server(&mut self, key: &str, server: &str) -> Result<(), Fault> {
        let server: IpAddr = server.parse().map_err(|_| Fault::BadParameter)?;
        let stack = self.netstack_mut(key)?;
        if stack.dns_servers.contains(&server) {
            return Err(Fault::AlreadyExists);
        }
        stack.dns_servers.push(server);
        Ok(())
    }

    /// `dns server remove`; `None` removes all.
    pub fn remove_dns_server(&mut self, key: &str, server: Option<&str>) -> Result<(), Fault> {
        let stack = self.netstack_mut(key)?;
        let Some(server) = server else {
            stack.dns_servers.clear();
            return Ok(());
        };
        let server: IpAddr = server.parse().map_err(|_| Fault::BadParameter)?;
        if !stack.dns_servers.contains(&server) {
            return Err(Fault::NotFound);
        }
        stack.dns_servers.retain(|known| *known != server);
        Ok(())
    }

    /// `dns search add`
    pub fn add_dns_search(&mut self, key: &str, domain: &str) -> Result<(), Fault> {
        let stack = self.netstack_mut(key)?;
        if stack.dns_search.iter().any(|known| known == domain) {
            return Err(Fault::AlreadyExists);
        }
        stack.dns_search.push(domain.to_owned());
        Ok(())
    }

    /// `dns search remove`
    pub fn remove_dns_search(&mut self, key: &str, domain: &str) -> Result<(), Fault> {
        let stack = self.netstack_mut(key)?;
        if !stack.dns_search.iter().any(|known| known == domain) {
            return Err(Fault::NotFound);
        }
        stack.dns_search.retain(|known| known != domain);
        Ok(())
    }
}

/// How a new stack starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetstackStart {
    /// In use at once.
    Enabled,
    /// `--disabled`
    Disabled,
}

//! Records of TCP/IP stacks: the stacks, their routes, DNS settings and neighbours.
//!
//! Owns: `network ip netstack {list,get}`, `network ip route ipv4 list`,
//! `network ip dns {server,search} list`, `network ip neighbor list`.

use crate::records::{Fields, FromRecord, RecordError};

/// A TCP/IP stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetstackRecord {
    /// The key other commands know it by.
    pub key: String,
    /// Name.
    pub name: Option<String>,
    /// State as a number or word, as printed.
    pub state: Option<String>,
}

impl FromRecord for NetstackRecord {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        let name = fields.text_opt("Name")?;
        let key = match (fields.text_opt("Key")?, &name) {
            (Some(key), _) => key,
            (None, Some(name)) => name.clone(),
            (None, None) => return Err(fields.missing("Key")),
        };
        Ok(Self { key, name, state: fields.text_opt("State")? })
    }
}

/// An IPv4 route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteRecord {
    /// Where it leads: `default` or a dotted network.
    pub network: String,
    /// Dotted netmask.
    pub netmask: String,
    /// Through which gateway; `None` for a connected network (0.0.0.0).
    pub gateway: Option<String>,
    /// Over which adapter.
    pub interface: Option<String>,
    /// `MANUAL` or `DHCP`.
    pub source: Option<String>,
}

impl FromRecord for RouteRecord {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            network: fields.text("Network")?,
            netmask: fields.text("Netmask")?,
            gateway: fields.text_opt("Gateway")?.filter(|gateway| gateway != "0.0.0.0"),
            interface: fields.text_opt("Interface")?,
            source: fields.text_opt("Source")?,
        })
    }
}

/// DNS servers of a stack, in search order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsServersRecord {
    /// Addresses as printed.
    pub servers: Vec<String>,
}

impl FromRecord for DnsServersRecord {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        fields.require_any(&["DNSServers"])?;
        Ok(Self { servers: fields.list("DNSServers")? })
    }
}

/// DNS search domains of a stack, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsSearchRecord {
    /// Domains.
    pub domains: Vec<String>,
}

impl FromRecord for DnsSearchRecord {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        fields.require_any(&["DNSSearchDomains"])?;
        Ok(Self { domains: fields.list("DNSSearchDomains")? })
    }
}

/// An entry of the neighbour table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeighborRecord {
    /// Address of the neighbour as printed.
    pub neighbor: String,
    /// Its Ethernet address as printed.
    pub mac: String,
    /// The adapter that sees it.
    pub vmk: String,
    /// Kind (not in 5.1).
    pub kind: Option<String>,
}

impl FromRecord for NeighborRecord {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            neighbor: fields.text("Neighbor")?,
            mac: fields.text("MacAddress")?,
            vmk: fields.text("Vmknic")?,
            kind: fields.text_opt("Type")?,
        })
    }
}

#[cfg(test)]
mod tests;

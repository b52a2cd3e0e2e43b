//! Records of VMkernel adapters: where they are plugged in, their addresses and tags.
//!
//! Owns: `network ip interface list`, `... ipv4 get`, `... ipv6 get`, `... ipv6 address list`,
//! `... tag get`. An adapter on a distributed switch has `N/A` as port group and is never written.

use crate::records::{Fields, FromRecord, RecordError};

/// A VMkernel adapter as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceRecord {
    /// Name, `vmkN`.
    pub name: String,
    /// Whether it is enabled.
    pub enabled: bool,
    /// Ethernet address as printed.
    pub mac: String,
    /// Frame payload size in bytes.
    pub mtu: u32,
    /// The switch port set it hangs on.
    pub portset: Option<String>,
    /// Port group of a standard switch.
    pub port_group: Option<String>,
    /// Netstack (5.5 and later).
    pub netstack: Option<String>,
    /// Name of the distributed switch.
    pub vds_name: Option<String>,
    /// Identity of an opaque network.
    pub opaque_network: Option<String>,
    /// Port, changes with every connection: not for comparison.
    pub port_id: Option<String>,
}

impl FromRecord for InterfaceRecord {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            name: fields.text("Name")?,
            enabled: fields.flag("Enabled")?,
            mac: fields.text("MACAddress")?,
            mtu: fields.int("MTU")?,
            portset: fields.text_opt("Portset")?,
            port_group: fields.text_opt("Portgroup")?,
            netstack: fields.text_opt("NetstackInstance")?,
            vds_name: fields.text_opt("VDSName")?,
            opaque_network: fields.text_opt("OpaqueNetworkID")?,
            port_id: fields.text_opt("PortID")?,
        })
    }
}

/// How an adapter gets its IPv4 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressType {
    /// A fixed address.
    Static,
    /// By DHCP.
    Dhcp,
    /// No IPv4.
    None,
}

/// IPv4 of an adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ipv4Record {
    /// Adapter.
    pub name: String,
    /// How it gets its address.
    pub address_type: AddressType,
    /// Address as printed; `None` for 0.0.0.0.
    pub address: Option<String>,
    /// Dotted netmask as printed; `None` for 0.0.0.0.
    pub netmask: Option<String>,
    /// Gateway of this adapter as printed (6.5 and later); `None` for 0.0.0.0.
    pub gateway: Option<String>,
    /// Whether DNS servers come by DHCP.
    pub dhcp_dns: bool,
}

impl FromRecord for Ipv4Record {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        let address = |field: &str| -> Result<Option<String>, RecordError> {
            Ok(fields.text_opt(field)?.filter(|address| address != "0.0.0.0"))
        };
        let address_type = match fields.text("AddressType")?.to_ascii_uppercase().as_str() {
            "STATIC" => AddressType::Static,
            "DHCP" => AddressType::Dhcp,
            "NONE" | "" => AddressType::None,
            _ => return Err(fields.bad("AddressType", "STATIC, DHCP or NONE")),
        };
        Ok(Self {
            name: fields.text("Name")?,
            address_type,
            address: address("IPv4Address")?,
            netmask: address("IPv4Netmask")?,
            gateway: address("Gateway")?,
            dhcp_dns: fields.flag_opt("DHCPDNS")?.unwrap_or(false),
        })
    }
}

/// IPv6 switches of an adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ipv6Record {
    /// Adapter.
    pub name: String,
    /// Whether DHCPv6 is used.
    pub dhcp: bool,
    /// Whether router advertisements are used.
    pub router_advertisements: bool,
}

impl FromRecord for Ipv6Record {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            name: fields.text("Name")?,
            dhcp: fields.flag("DHCPv6Enabled")?,
            router_advertisements: fields.flag("RouterAdvEnabled")?,
        })
    }
}

/// An IPv6 address of an adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ipv6AddressRecord {
    /// Adapter.
    pub interface: String,
    /// Address as printed, without zone and prefix.
    pub address: String,
    /// Prefix length in bits as printed.
    pub prefix: String,
    /// Where it comes from: `STATIC`, `DHCPV6`, `RA` ... in upper case.
    pub kind: String,
    /// State, e.g. `PREFERRED`.
    pub status: Option<String>,
}

impl Ipv6AddressRecord {
    /// Whether an operator set it: fixed, and not the link-local address every adapter has.
    #[must_use]
    pub fn is_configured(&self) -> bool {
        let link_local = self.address.to_ascii_lowercase().starts_with("fe80:");
        matches!(self.kind.as_str(), "STATIC" | "MANUAL") && !link_local
    }
}

impl FromRecord for Ipv6AddressRecord {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        let printed = fields.text("Address")?;
        let (address, prefix) = match printed.split_once('/') {
            Some((address, prefix)) => (address, prefix.to_owned()),
            None => (printed.as_str(), fields.text("Netmask")?),
        };
        Ok(Self {
            interface: fields.text("Interface")?,
            address: address.split('%').next().unwrap_or_default().to_owned(),
            prefix,
            kind: fields.text("Type")?.to_ascii_uppercase(),
            status: fields.text_opt("Status")?,
        })
    }
}

/// Service tags of an adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagsRecord {
    /// Tags in the printed order.
    pub tags: Vec<String>,
}

impl FromRecord for TagsRecord {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        fields.require_any(&["Tags", "Tag"])?;
        let mut tags = fields.list("Tags")?;
        tags.extend(fields.list("Tag")?);
        Ok(Self { tags })
    }
}

#[cfg(test)]
mod tests;

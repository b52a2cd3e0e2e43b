//! Records of physical NICs.
//!
//! Owns: `network nic list` and `network nic get`. A link that is down prints speed 0 and duplex
//! `Half`: no misconfiguration.

use crate::records::{Fields, FromRecord, RecordError};

/// A physical NIC as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NicRecord {
    /// Name, `vmnicN` or `vusbN`.
    pub name: String,
    /// PCI address as printed, `Pseudo` for some.
    pub pci: String,
    /// Driver.
    pub driver: String,
    /// Administrative state (6.0 and later): whether it is up.
    pub admin_up: Option<bool>,
    /// Whether the link is up.
    pub link_up: bool,
    /// Speed in Mbit/s.
    pub speed_mbps: u32,
    /// Whether the link is full duplex.
    pub full_duplex: bool,
    /// Ethernet address as printed.
    pub mac: String,
    /// Frame payload size in bytes.
    pub mtu: Option<u32>,
    /// Description of the hardware.
    pub description: String,
}

fn is_up(text: &str) -> bool {
    text.eq_ignore_ascii_case("up")
}

impl FromRecord for NicRecord {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        let link = match fields.text_opt("LinkStatus")? {
            Some(link) => link,
            None => fields.text("Link")?,
        };
        Ok(Self {
            name: fields.text("Name")?,
            pci: fields.text_opt("PCIDevice")?.unwrap_or_default(),
            driver: fields.text_opt("Driver")?.unwrap_or_default(),
            admin_up: fields.text_opt("AdminStatus")?.map(|t| is_up(&t)),
            link_up: is_up(&link),
            speed_mbps: fields.int_opt("Speed")?.unwrap_or(0),
            full_duplex: fields.text("Duplex")?.eq_ignore_ascii_case("full"),
            mac: fields.text("MACAddress")?,
            mtu: fields.int_opt("MTU")?,
            description: fields.text_opt("Description")?.unwrap_or_default(),
        })
    }
}

/// Details of a physical NIC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NicDetailRecord {
    /// Name.
    pub name: String,
    /// Whether speed and duplex are negotiated.
    pub auto_negotiation: Option<bool>,
    /// Whether the link is up.
    pub link_up: Option<bool>,
    /// Link modes it offers.
    pub link_modes: Vec<String>,
    /// Driver, its version and the firmware version.
    pub driver: Option<DriverRecord>,
}

/// Driver of a physical NIC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriverRecord {
    /// Name.
    pub driver: String,
    /// Version.
    pub version: Option<String>,
    /// Firmware version.
    pub firmware: Option<String>,
    /// Bus address.
    pub bus: Option<String>,
}

impl FromRecord for DriverRecord {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            driver: fields.text("Driver")?,
            version: fields.text_opt("Version")?,
            firmware: fields.text_opt("FirmwareVersion")?,
            bus: fields.text_opt("BusInfo")?,
        })
    }
}

impl FromRecord for NicDetailRecord {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        let driver = fields.nested("DriverInfo").into_iter().next().map(DriverRecord::from_record);
        Ok(Self {
            name: fields.text("Name")?,
            auto_negotiation: fields.flag_opt("AutoNegotiation")?,
            link_up: fields.text_opt("LinkStatus")?.map(|text| is_up(&text)),
            link_modes: fields.list("AdvertisedLinkModes")?,
            driver: driver.transpose()?,
        })
    }
}

#[cfg(test)]
mod tests;

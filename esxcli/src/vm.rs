//! Records of running virtual machines and their ports.
//!
//! Owns: `network vm list` and `network vm port list`. Only powered-on machines are listed.

use crate::records::{Fields, FromRecord, RecordError};

/// A running virtual machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VmRecord {
    /// World of this run: changes with every power-on.
    pub world_id: u64,
    /// Name.
    pub name: String,
    /// Ports.
    pub num_ports: Option<u32>,
    /// Names of its networks, one per port.
    pub networks: Vec<String>,
}

impl FromRecord for VmRecord {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            world_id: fields.int("WorldID")?,
            name: fields.text("Name")?,
            num_ports: fields.int_opt("NumPorts")?,
            networks: fields.list("Networks")?,
        })
    }
}

/// A port of a virtual machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VmPortRecord {
    /// Port.
    pub port_id: u64,
    /// Switch.
    pub vswitch: String,
    /// Port group.
    pub port_group: String,
    /// Ethernet address as printed.
    pub mac: String,
    /// The uplink in use; `None` for `void`.
    pub uplink: Option<String>,
}

impl FromRecord for VmPortRecord {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            port_id: fields.int("PortID")?,
            vswitch: fields.text("vSwitch")?,
            port_group: fields.text("Portgroup")?,
            mac: fields.text("MACAddress")?,
            uplink: fields.text_opt("TeamUplink")?.filter(|u| u != "void"),
        })
    }
}

#[cfg(test)]
mod tests;

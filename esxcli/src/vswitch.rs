//! Records of standard switches and their policies, and of distributed switches (read only).
//!
//! Owns: `network vswitch standard list`, `... policy {failover,security,shaping} get`, and
//! `network vswitch dvs vmware list`. The policy records are shared with `portgroup`.

use crate::records::{Fields, FromRecord, RecordError};
use model::{FailureDetection, LoadBalancing};

/// A standard switch as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VswitchRecord {
    /// Name.
    pub name: String,
    /// Frame payload size in bytes.
    pub mtu: u32,
    /// Cisco Discovery Protocol mode: down, listen, advertise, both.
    pub cdp_status: String,
    /// Physical NICs.
    pub uplinks: Vec<String>,
    /// Port groups; in text a name with a comma reads as two, so take names from the port group list.
    pub port_groups: Vec<String>,
    /// Ports, elastic: not for comparison.
    pub num_ports: Option<u32>,
    /// Ports in use: not for comparison.
    pub used_ports: Option<u32>,
    /// Ports as configured.
    pub configured_ports: Option<u32>,
    /// `etherswitch` or `cswitch`.
    pub class: Option<String>,
}

impl FromRecord for VswitchRecord {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            name: fields.text("Name")?,
            mtu: fields.int("MTU")?,
            cdp_status: fields.text("CDPStatus")?,
            uplinks: fields.list("Uplinks")?,
            port_groups: fields.list("Portgroups")?,
            num_ports: fields.int_opt("NumPorts")?,
            used_ports: fields.int_opt("UsedPorts")?,
            configured_ports: fields.int_opt("ConfiguredPorts")?,
            class: fields.text_opt("Class")?,
        })
    }
}

/// A failover policy as printed: of a switch, or the values in force of a port group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailoverRecord {
    /// How uplinks are chosen.
    pub load_balancing: LoadBalancing,
    /// How a failed uplink is noticed.
    pub failure_detection: FailureDetection,
    /// Whether physical switches are told when a port moves.
    pub notify_switches: bool,
    /// Whether a recovered uplink is used again at once.
    pub failback: bool,
    /// Active uplinks in order.
    pub active: Vec<String>,
    /// Standby uplinks in order.
    pub standby: Vec<String>,
    /// Uplinks in neither list.
    pub unused: Vec<String>,
}

impl FromRecord for FailoverRecord {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            load_balancing: load_balancing(fields)?,
            failure_detection: failure_detection(fields)?,
            notify_switches: fields.flag("NotifySwitches")?,
            failback: fields.flag("Failback")?,
            active: fields.list("ActiveAdapters")?,
            standby: fields.list("StandbyAdapters")?,
            unused: fields.list("UnusedAdapters")?,
        })
    }
}

/// `get` prints `srcport` and `srcmac` where `set` takes `portid` and `mac`: both are read.
fn load_balancing(fields: Fields<'_>) -> Result<LoadBalancing, RecordError> {
    match fields.text("LoadBalancing")?.to_ascii_lowercase().as_str() {
        "srcport" | "portid" | "loadbalance_srcid" => Ok(LoadBalancing::PortId),
        "srcmac" | "mac" | "loadbalance_srcmac" => Ok(LoadBalancing::SourceMac),
        "iphash" | "ip" | "loadbalance_ip" => Ok(LoadBalancing::IpHash),
        "explicit" | "failover_explicit" => Ok(LoadBalancing::Explicit),
        _ => Err(fields.bad("LoadBalancing", "srcport (portid), srcmac (mac), iphash or explicit")),
    }
}

fn failure_detection(fields: Fields<'_>) -> Result<FailureDetection, RecordError> {
    match fields.text("NetworkFailureDetection")?.to_ascii_lowercase().as_str() {
        "link" | "linkstatus" | "link status" => Ok(FailureDetection::Link),
        "beacon" | "beaconprobing" | "beacon probing" => Ok(FailureDetection::Beacon),
        _ => Err(fields.bad("NetworkFailureDetection", "link or beacon")),
    }
}

/// A security policy as printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecurityRecord {
    /// Whether a guest may see all frames.
    pub allow_promiscuous: bool,
    /// Whether a guest may change its MAC address.
    pub allow_mac_change: bool,
    /// Whether a guest may send from another MAC address.
    pub allow_forged_transmits: bool,
}

impl FromRecord for SecurityRecord {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            allow_promiscuous: fields.flag("AllowPromiscuous")?,
            allow_mac_change: fields.flag("AllowMACAddressChange")?,
            allow_forged_transmits: fields.flag("AllowForgedTransmits")?,
        })
    }
}

/// Traffic shaping as printed; the numbers are -1 when they were never set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShapingRecord {
    /// Whether traffic is shaped.
    pub enabled: bool,
    /// Average bandwidth in kbit/s (1000).
    pub average_kbps: i64,
    /// Peak bandwidth in kbit/s (1000).
    pub peak_kbps: i64,
    /// Burst size in Kibit (1024).
    pub burst_kib: i64,
}

impl FromRecord for ShapingRecord {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        let enabled = fields.flag("Enabled")?;
        let number = |field: &str| match fields.int_opt(field) {
            Ok(Some(number)) => Ok(number),
            Ok(None) if !enabled => Ok(-1),
            Ok(None) => Err(fields.missing(field)),
            Err(error) => Err(error),
        };
        Ok(Self {
            enabled,
            average_kbps: number("AverageBandwidth")?,
            peak_kbps: number("PeakBandwidth")?,
            burst_kib: number("BurstSize")?,
        })
    }
}

/// A distributed switch as listed; never written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DvsRecord {
    /// Name.
    pub name: String,
    /// Identity, hexadecimal bytes.
    pub id: Option<String>,
    /// Frame payload size in bytes.
    pub mtu: Option<u32>,
    /// Physical NICs.
    pub uplinks: Vec<String>,
    /// Its ports on this host.
    pub ports: Vec<DvPortRecord>,
}

/// A port of a distributed switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DvPortRecord {
    /// Identity.
    pub port_id: String,
    /// Key of its port group.
    pub port_group_id: Option<String>,
    /// What is plugged in.
    pub client: Option<String>,
    /// Whether something is plugged in.
    pub in_use: bool,
}

impl FromRecord for DvsRecord {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        let ports = fields.nested("DVPort").into_iter().map(DvPortRecord::from_record);
        Ok(Self {
            name: fields.text("Name")?,
            id: fields.text_opt("VDSID")?,
            mtu: fields.int_opt("MTU")?,
            uplinks: fields.list("Uplinks")?,
            ports: ports.collect::<Result<_, _>>()?,
        })
    }
}

impl FromRecord for DvPortRecord {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            port_id: fields.text("PortID")?,
            port_group_id: fields.text_opt("DVPortgroupID")?,
            client: fields.text_opt("Client")?,
            in_use: fields.flag("InUse")?,
        })
    }
}

#[cfg(test)]
mod tests;

//! Records of port groups of standard switches and of their policies.
//!
//! Owns: `network vswitch standard portgroup list` and `... portgroup policy * get`. Each policy
//! field comes with a flag: true when the port group overrides the switch.

use crate::records::{Fields, FromRecord, RecordError};
use crate::vswitch::{FailoverRecord, SecurityRecord, ShapingRecord};

/// A port group as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortGroupRecord {
    /// Name, unique per host.
    pub name: String,
    /// The switch it is on.
    pub vswitch: String,
    /// VLAN number: 0, 1 to 4094, 4095.
    pub vlan: u16,
    /// Ports in use: not for comparison.
    pub active_clients: u32,
}

impl FromRecord for PortGroupRecord {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            name: fields.text("Name")?,
            vswitch: fields.text("VirtualSwitch")?,
            vlan: fields.int("VLANID")?,
            active_clients: fields.int_opt("ActiveClients")?.unwrap_or(0),
        })
    }
}

/// Failover policy in force of a port group, and which fields are its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortGroupFailoverRecord {
    /// Values in force.
    pub values: FailoverRecord,
    /// Load balancing is the port group's own.
    pub own_load_balancing: bool,
    /// Failure detection is the port group's own.
    pub own_failure_detection: bool,
    /// Notifying switches is the port group's own.
    pub own_notify_switches: bool,
    /// Failback is the port group's own.
    pub own_failback: bool,
    /// The uplink order is the port group's own.
    pub own_uplinks: bool,
}

impl FromRecord for PortGroupFailoverRecord {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            values: FailoverRecord::from_record(fields)?,
            own_load_balancing: fields.flag("OverrideVswitchLoadBalancing")?,
            own_failure_detection: fields.flag("OverrideVswitchNetworkFailureDetection")?,
            own_notify_switches: fields.flag("OverrideVswitchNotifySwitches")?,
            own_failback: fields.flag("OverrideVswitchFailback")?,
            own_uplinks: fields.flag("OverrideVswitchUplinks")?,
        })
    }
}

/// Security policy in force of a port group, and which fields are its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortGroupSecurityRecord {
    /// Values in force.
    pub values: SecurityRecord,
    /// Promiscuous mode is the port group's own.
    pub own_promiscuous: bool,
    /// MAC change is the port group's own.
    pub own_mac_change: bool,
    /// Forged transmits is the port group's own.
    pub own_forged_transmits: bool,
}

impl FromRecord for PortGroupSecurityRecord {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            values: SecurityRecord::from_record(fields)?,
            own_promiscuous: fields.flag("OverrideVswitchAllowPromiscuous")?,
            own_mac_change: fields.flag("OverrideVswitchAllowMACAddressChange")?,
            own_forged_transmits: fields.flag("OverrideVswitchAllowForgedTransmits")?,
        })
    }
}

/// Traffic shaping in force of a port group; its four override flags are taken as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortGroupShapingRecord {
    /// Values in force.
    pub values: ShapingRecord,
    /// Any of the four fields is the port group's own.
    pub own: bool,
}

impl FromRecord for PortGroupShapingRecord {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        let mut own = fields.flag("OverrideVswitchEnabled")?;
        for field in
            ["OverrideVswitchAverageBandwidth", "OverrideVswitchPeakBandwidth", "OverrideVswitchBurstSize"]
        {
            own |= fields.flag_opt(field)?.unwrap_or(false);
        }
        Ok(Self { values: ShapingRecord::from_record(fields)?, own })
    }
}

#[cfg(test)]
mod tests;

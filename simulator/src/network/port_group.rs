//! Port groups: name, VLAN and the policies they override.
//!
//! Owns: what the kernel does on `portgroup add/remove/set` and `portgroup policy ... set`. Must not: print.
//! Called by `cli::commands::portgroup` and `cli::commands::policy`.

use super::{
    Failover, FailoverChange, FailoverOverride, Fault, Network, Security, SecurityChange, SecurityOverride,
    Shaping, ShapingChange, ShapingOverride,
};
use serde::{Deserialize, Serialize};

/// One port group of a standard switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortGroup {
    /// Name, unique on the host.
    pub name: String,
    /// Switch it belongs to; never changes.
    pub vswitch: String,
    /// 0 untagged, 1-4094, 4095 trunk to the guest.
    pub vlan: u16,
    /// Failover overrides.
    #[serde(default)]
    pub failover: FailoverOverride,
    /// Security overrides.
    #[serde(default)]
    pub security: SecurityOverride,
    /// Shaping overrides.
    #[serde(default)]
    pub shaping: ShapingOverride,
}

impl PortGroup {
    /// A new port group that inherits everything.
    #[must_use]
    pub fn new(name: &str, vswitch: &str, vlan: u16) -> Self {
        Self {
            name: name.to_owned(),
            vswitch: vswitch.to_owned(),
            vlan,
            failover: FailoverOverride::default(),
            security: SecurityOverride::default(),
            shaping: ShapingOverride::default(),
        }
    }
}

/// What a `portgroup policy ... set` call starts from (`--use-vswitch`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyStart {
    /// The overrides the port group has now.
    Keep,
    /// No override: every field of this policy is inherited first.
    Reset,
}

impl Network {
    /// `portgroup add`
    pub fn add_port_group(&mut self, name: &str, vswitch: &str) -> Result<(), Fault> {
        if self.port_group(name).is_some() {
            return Err(Fault::PortGroupExists(name.to_owned()));
        }
        self.vswitch(vswitch)?;
        if name.is_empty() {
            return Err(Fault::BadParameter);
        }
        self.port_groups.push(PortGroup::new(name, vswitch, 0));
        Ok(())
    }

    /// `portgroup remove`
    pub fn remove_port_group(
        &mut self,
        name: &str,
        vswitch: &str,
        used_by_vms: &[String],
    ) -> Result<(), Fault> {
        let group = self.port_group(name).filter(|group| group.vswitch == vswitch);
        let group = group.ok_or(Fault::SysinfoNotFound)?;
        if self.vmk_on(&group.name).is_some() || used_by_vms.iter().any(|used| used == name) {
            return Err(Fault::InUse(name.to_owned()));
        }
        self.port_groups.retain(|group| group.name != name);
        Ok(())
    }

    /// `portgroup set --vlan-id`
    pub fn set_port_group_vlan(&mut self, name: &str, vlan: i64) -> Result<(), Fault> {
        let vlan = u16::try_from(vlan).ok().filter(|v| *v <= 4095).ok_or(Fault::BadParameter)?;
        self.port_group_mut(name)?.vlan = vlan;
        Ok(())
    }

    /// The failover policy in force on a port group, and its overrides.
    pub fn port_group_failover(&self, name: &str) -> Result<(Failover, &PortGroup), Fault> {
        let group = self.port_group(name).ok_or(Fault::SysinfoNotFound)?;
        Ok((group.failover.over(&self.vswitch(&group.vswitch)?.failover), group))
    }

    /// The security policy in force on a port group, and its overrides.
    pub fn port_group_security(&self, name: &str) -> Result<(Security, &PortGroup), Fault> {
        let group = self.port_group(name).ok_or(Fault::SysinfoNotFound)?;
        Ok((group.security.over(self.vswitch(&group.vswitch)?.security), group))
    }

    /// The shaping in force on a port group, and its overrides.
    pub fn port_group_shaping(&self, name: &str) -> Result<(Shaping, &PortGroup), Fault> {
        let group = self.port_group(name).ok_or(Fault::SysinfoNotFound)?;
        Ok((group.shaping.over(self.vswitch(&group.vswitch)?.shaping), group))
    }

    /// `portgroup policy failover set`
    pub fn set_port_group_failover(
        &mut self,
        name: &str,
        start: PolicyStart,
        change: &FailoverChange,
    ) -> Result<(), Fault> {
        let group = self.port_group(name).ok_or(Fault::SysinfoNotFound)?;
        let switch = self.vswitch(&group.vswitch)?;
        let mut next = match start {
            PolicyStart::Keep => group.failover.clone(),
            PolicyStart::Reset => FailoverOverride::default(),
        };
        next.apply(change, &switch.failover, &switch.uplinks)?;
        self.port_group_mut(name)?.failover = next;
        Ok(())
    }

    /// `portgroup policy security set`
    pub fn set_port_group_security(
        &mut self,
        name: &str,
        start: PolicyStart,
        change: SecurityChange,
    ) -> Result<(), Fault> {
        let group = self.port_group_mut(name)?;
        if start == PolicyStart::Reset {
            group.security = SecurityOverride::default();
        }
        group.security.apply(change);
        Ok(())
    }

    /// `portgroup policy shaping set`
    pub fn set_port_group_shaping(
        &mut self,
        name: &str,
        start: PolicyStart,
        change: ShapingChange,
    ) -> Result<(), Fault> {
        let group = self.port_group_mut(name)?;
        let mut next = match start {
            PolicyStart::Keep => group.shaping,
            PolicyStart::Reset => ShapingOverride::default(),
        };
        next.apply(change)?;
        group.shaping = next;
        Ok(())
    }
}

//! Standard switches and their uplinks.
//!
//! Owns: what the kernel does on `vswitch standard add/set/remove` and `uplink add/remove`. Must not: print.
//! Called by `cli::commands::vswitch`.

use super::{Cdp, Failover, Fault, Network, Security, Shaping};
use serde::{Deserialize, Serialize};

/// Longest name of a switch, in characters.
const NAME_MAX: usize = 32;
/// Most ports that can be configured on one switch.
const PORTS_MAX: u32 = 4096;

/// One standard switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vswitch {
    /// Configured ports; only a number since 5.5.
    pub ports: u32,
    /// MTU in bytes.
    pub mtu: u32,
    /// Discovery protocol.
    pub cdp: Cdp,
    /// Uplinks, newest first.
    pub uplinks: Vec<String>,
    /// Failover policy.
    pub failover: Failover,
    /// Security policy.
    pub security: Security,
    /// Traffic shaping.
    pub shaping: Shaping,
}

impl Vswitch {
    /// A new switch as the kernel makes it; security defaults differ by release.
    #[must_use]
    pub fn new(security: Security) -> Self {
        Self {
            ports: 128,
            mtu: 1500,
            cdp: Cdp::Listen,
            uplinks: Vec::new(),
            failover: Failover::default(),
            security,
            shaping: Shaping::default(),
        }
    }
}

impl Network {
    /// `vswitch standard add`
    pub fn add_vswitch(&mut self, name: &str, ports: Option<i64>, security: Security) -> Result<(), Fault> {
        if self.vswitches.contains_key(name) {
            return Err(Fault::SwitchExists);
        }
        if name.is_empty() || name.chars().count() > NAME_MAX {
            return Err(Fault::BadParameter);
        }
        let mut switch = Vswitch::new(security);
        if let Some(ports) = ports {
            switch.ports = u32::try_from(ports)
                .ok()
                .filter(|p| (1..=PORTS_MAX).contains(p))
                .ok_or(Fault::BadParameter)?;
        }
        self.vswitches.insert(name.to_owned(), switch);
        Ok(())
    }

    /// `vswitch standard set`
    pub fn set_vswitch(&mut self, name: &str, mtu: Option<i64>, cdp: Option<Cdp>) -> Result<(), Fault> {
        self.vswitch(name)?;
        if let Some(mtu) = mtu {
            let mtu = u32::try_from(mtu).map_err(|_| Fault::BadParameter)?;
            self.check_mtu(mtu)?;
            let uplinks = &self.vswitch(name)?.uplinks;
            if uplinks.iter().filter_map(|nic| self.nics.get(nic)).any(|nic| nic.max_mtu < mtu) {
                return Err(Fault::BadParameter);
            }
            self.vswitch_mut(name)?.mtu = mtu;
        }
        if let Some(cdp) = cdp {
            self.vswitch_mut(name)?.cdp = cdp;
        }
        Ok(())
    }

    /// `vswitch standard remove`: takes the port groups along, unless one of their ports is in use.
    pub fn remove_vswitch(&mut self, name: &str, used_by_vms: &[String]) -> Result<(), Fault> {
        self.vswitch(name)?;
        let groups = self.port_groups.iter().filter(|group| group.vswitch == name);
        for group in groups {
            if self.vmk_on(&group.name).is_some() || used_by_vms.contains(&group.name) {
                return Err(Fault::InUse(name.to_owned()));
            }
        }
        self.port_groups.retain(|group| group.vswitch != name);
        self.vswitches.remove(name);
        Ok(())
    }

    /// `vswitch standard uplink add`: the new uplink is unused until a failover policy names it.
    pub fn add_uplink(&mut self, switch: &str, vmnic: &str) -> Result<(), Fault> {
        self.vswitch(switch)?;
        let nic = self.nics.get(vmnic).ok_or_else(|| Fault::NotAPnic(vmnic.to_owned()))?;
        if self.vswitch_of_nic(vmnic).is_some() {
            return Err(Fault::UplinkExists(vmnic.to_owned()));
        }
        if nic.max_mtu < self.vswitch(switch)?.mtu {
            return Err(Fault::BadParameter);
        }
        self.vswitch_mut(switch)?.uplinks.insert(0, vmnic.to_owned());
        Ok(())
    }

    /// `vswitch standard uplink remove`: also takes it out of the orders of the switch and its port groups.
    pub fn remove_uplink(&mut self, switch: &str, vmnic: &str) -> Result<(), Fault> {
        let target = self.vswitch_mut(switch)?;
        if !target.uplinks.iter().any(|uplink| uplink == vmnic) {
            return Err(Fault::NoSuchUplink(vmnic.to_owned()));
        }
        target.uplinks.retain(|uplink| uplink != vmnic);
        target.failover.order.forget(vmnic);
        for group in self.port_groups.iter_mut().filter(|group| group.vswitch == switch) {
            if let Some(order) = &mut group.failover.order {
                order.forget(vmnic);
            }
        }
        Ok(())
    }
}

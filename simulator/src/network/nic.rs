//! Physical NICs: what the hardware is and what esxcli can set on it.
//!
//! Owns: admin state, speed and duplex of a NIC. Must not: know the physical switch (see `fabric`).
//! Called by `cli::commands::nic`.

use super::{Fault, Network};
use serde::{Deserialize, Serialize};

/// Speed setting of a NIC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum NicSpeed {
    /// Negotiated.
    Auto,
    /// Fixed.
    Fixed {
        /// Mbit/s.
        mbps: u32,
        /// Full duplex, else half.
        full_duplex: bool,
    },
}

/// One physical NIC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nic {
    /// Driver name.
    pub driver: String,
    /// PCI address, or `Pseudo` for USB NICs.
    pub pci: String,
    /// MAC address, lower case.
    pub mac: String,
    /// Vendor text.
    pub description: String,
    /// Fastest speed, Mbit/s.
    pub max_speed: u32,
    /// Largest MTU the driver takes.
    pub max_mtu: u32,
    /// Driver takes no fixed speed.
    #[serde(default)]
    pub auto_only: bool,
    /// Administratively up.
    pub admin_up: bool,
    /// Cable state when no fabric file says otherwise.
    pub link_up: bool,
    /// Speed setting.
    pub speed: NicSpeed,
}

impl Nic {
    /// A plausible NIC with link.
    #[must_use]
    pub fn new(driver: &str, pci: &str, mac: &str, max_speed: u32) -> Self {
        Self {
            driver: driver.to_owned(),
            pci: pci.to_owned(),
            mac: mac.to_owned(),
            description: String::new(),
            max_speed,
            max_mtu: 9190,
            auto_only: false,
            admin_up: true,
            link_up: true,
            speed: NicSpeed::Auto,
        }
    }

    /// Speed in Mbit/s and duplex with link present.
    #[must_use]
    pub fn running_speed(&self) -> (u32, &'static str) {
        match self.speed {
            NicSpeed::Auto | NicSpeed::Fixed { full_duplex: true, mbps: 0 } => (self.max_speed, "Full"),
            NicSpeed::Fixed { mbps, full_duplex } => (mbps, if full_duplex { "Full" } else { "Half" }),
        }
    }
}

impl Network {
    /// The NIC of this name.
    pub fn nic(&self, name: &str) -> Result<&Nic, Fault> {
        self.nics.get(name).ok_or(Fault::SysinfoNotFound)
    }

    /// `nic up` (true) and `nic down` (false) set the administrative state.
    pub fn set_nic_admin(&mut self, name: &str, up: NicAdmin) -> Result<(), Fault> {
        self.nics.get_mut(name).ok_or(Fault::SysinfoNotFound)?.admin_up = up == NicAdmin::Up;
        Ok(())
    }

    /// `nic set`: the driver refuses what the hardware cannot do.
    pub fn set_nic_speed(&mut self, name: &str, speed: NicSpeed) -> Result<(), Fault> {
        let nic = self.nics.get_mut(name).ok_or(Fault::SysinfoNotFound)?;
        if let NicSpeed::Fixed { mbps, .. } = speed {
            if nic.auto_only {
                return Err(Fault::NotSupported("234:VSI_NODE_net_pNics_speed".into()));
            }
            let known = [10, 100, 1000, 2500, 5000, 10_000, 20_000, 25_000, 40_000, 50_000, 100_000, 200_000];
            if !known.contains(&mbps) || mbps > nic.max_speed {
                return Err(Fault::BadParameter);
            }
        }
        nic.speed = speed;
        Ok(())
    }
}

/// Administrative state of a NIC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NicAdmin {
    /// `nic up`
    Up,
    /// `nic down`
    Down,
}

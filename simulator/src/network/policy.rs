//! Failover, security and shaping policies: values on a switch, optional overrides on a port group.
//!
//! Owns: the policy types and how one `set` call changes them. Must not: know where a policy is attached.
//! Called by `switch` and `port_group`.

use super::Fault;
use serde::{Deserialize, Serialize};

/// A closed set of words with the spelling `set` takes and the one `get` prints.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $set:literal / $get:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $set)] $variant,)+
        }

        impl $name {
            /// The words `set` takes.
            pub const WORDS: &'static [&'static str] = &[$($set),+];

            /// The value of a word that `set` takes.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($set => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The word that `get` prints.
            #[must_use]
            pub fn printed(self) -> &'static str {
                match self {
                    $(Self::$variant => $get,)+
                }
            }
        }
    };
}

words! {
    /// How an uplink is chosen for a port.
    LoadBalancing {
        /// By virtual port.
        PortId = "portid" / "srcport",
        /// By hash of addresses.
        IpHash = "iphash" / "iphash",
        /// By source MAC address.
        Mac = "mac" / "srcmac",
        /// First active uplink with link.
        Explicit = "explicit" / "explicit",
    }
}

words! {
    /// How a failed uplink is noticed.
    Detection {
        /// Link state.
        Link = "link" / "link",
        /// Beacon probing.
        Beacon = "beacon" / "beacon",
    }
}

words! {
    /// Cisco Discovery Protocol mode.
    Cdp {
        /// Off.
        Down = "down" / "down",
        /// Receive.
        Listen = "listen" / "listen",
        /// Send.
        Advertise = "advertise" / "advertise",
        /// Both.
        Both = "both" / "both",
    }
}

/// Active and standby uplinks in order; all others of the switch are unused.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UplinkOrder {
    /// Used.
    pub active: Vec<String>,
    /// Used when no active one has link.
    pub standby: Vec<String>,
}

impl UplinkOrder {
    pub(crate) fn forget(&mut self, vmnic: &str) {
        self.active.retain(|name| name != vmnic);
        self.standby.retain(|name| name != vmnic);
    }

    /// The uplinks of the switch that are in neither list.
    #[must_use]
    pub fn unused(&self, uplinks: &[String]) -> Vec<String> {
        uplinks
            .iter()
            .filter(|name| !self.active.contains(name) && !self.standby.contains(name))
            .cloned()
            .collect()
    }

    fn changed(&self, change: &FailoverChange, uplinks: &[String]) -> Result<Self, Fault> {
        let mut next = self.clone();
        if let Some(active) = &change.active {
            next.standby.retain(|name| !active.contains(name));
            next.active.clone_from(active);
        }
        if let Some(standby) = &change.standby {
            if change.active.is_none() {
                next.active.retain(|name| !standby.contains(name));
            }
            next.standby.clone_from(standby);
        }
        let mut seen: Vec<&String> = Vec::new();
        for name in next.active.iter().chain(&next.standby) {
            if seen.contains(&name) || !uplinks.contains(name) {
                return Err(Fault::BadParameter);
            }
            seen.push(name);
        }
        Ok(next)
    }
}

/// Failover policy in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failover {
    /// How an uplink is chosen.
    pub load_balancing: LoadBalancing,
    /// How a failure is noticed.
    pub detection: Detection,
    /// Tell the physical switches of a move.
    pub notify: bool,
    /// Return to a recovered uplink.
    pub failback: bool,
    /// Uplink order.
    pub order: UplinkOrder,
}

impl Default for Failover {
    fn default() -> Self {
        Self {
            load_balancing: LoadBalancing::PortId,
            detection: Detection::Link,
            notify: true,
            failback: true,
            order: UplinkOrder::default(),
        }
    }
}

/// The options of one `policy failover set` call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FailoverChange {
    /// `--load-balancing`
    pub load_balancing: Option<LoadBalancing>,
    /// `--failure-detection`
    pub detection: Option<Detection>,
    /// `--notify-switches`
    pub notify: Option<bool>,
    /// `--failback`
    pub failback: Option<bool>,
    /// `--active-uplinks`
    pub active: Option<Vec<String>>,
    /// `--standby-uplinks`
    pub standby: Option<Vec<String>>,
}

impl Failover {
    /// Applies one `set` call; only the options given change.
    pub fn apply(&mut self, change: &FailoverChange, uplinks: &[String]) -> Result<(), Fault> {
        self.order = self.order.changed(change, uplinks)?;
        self.load_balancing = change.load_balancing.unwrap_or(self.load_balancing);
        self.detection = change.detection.unwrap_or(self.detection);
        self.notify = change.notify.unwrap_or(self.notify);
        self.failback = change.failback.unwrap_or(self.failback);
        Ok(())
    }
}

/// What a port group overrides of the failover policy; a `None` is inherited.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FailoverOverride {
    /// How an uplink is chosen.
    pub load_balancing: Option<LoadBalancing>,
    /// How a failure is noticed.
    pub detection: Option<Detection>,
    /// Tell the physical switches of a move.
    pub notify: Option<bool>,
    /// Return to a recovered uplink.
    pub failback: Option<bool>,
    /// Uplink order, both lists at once.
    pub order: Option<UplinkOrder>,
}

impl FailoverOverride {
    /// The policy in force over that of the switch.
    #[must_use]
    pub fn over(&self, switch: &Failover) -> Failover {
        Failover {
            load_balancing: self.load_balancing.unwrap_or(switch.load_balancing),
            detection: self.detection.unwrap_or(switch.detection),
            notify: self.notify.unwrap_or(switch.notify),
            failback: self.failback.unwrap_or(switch.failback),
            order: self.order.clone().unwrap_or_else(|| switch.order.clone()),
        }
    }

    /// Applies one `set` call; every option given becomes an override.
    pub fn apply(
        &mut self,
        change: &FailoverChange,
        switch: &Failover,
        uplinks: &[String],
    ) -> Result<(), Fault> {
        if change.active.is_some() || change.standby.is_some() {
            self.order = Some(self.over(switch).order.changed(change, uplinks)?);
        }
        self.load_balancing = change.load_balancing.or(self.load_balancing);
        self.detection = change.detection.or(self.detection);
        self.notify = change.notify.or(self.notify);
        self.failback = change.failback.or(self.failback);
        Ok(())
    }
}

/// Security policy in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Security {
    /// Guests may see all frames.
    pub promiscuous: bool,
    /// Guests may change their MAC address.
    pub mac_change: bool,
    /// Guests may send from other MAC addresses.
    pub forged: bool,
}

/// The options of one `policy security set` call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SecurityChange {
    /// `--allow-promiscuous`
    pub promiscuous: Option<bool>,
    /// `--allow-mac-change`
    pub mac_change: Option<bool>,
    /// `--allow-forged-transmits`
    pub forged: Option<bool>,
}

impl Security {
    /// Applies one `set` call.
    pub fn apply(&mut self, change: SecurityChange) {
        self.promiscuous = change.promiscuous.unwrap_or(self.promiscuous);
        self.mac_change = change.mac_change.unwrap_or(self.mac_change);
        self.forged = change.forged.unwrap_or(self.forged);
    }
}

/// What a port group overrides of the security policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecurityOverride {
    /// Guests may see all frames.
    pub promiscuous: Option<bool>,
    /// Guests may change their MAC address.
    pub mac_change: Option<bool>,
    /// Guests may send from other MAC addresses.
    pub forged: Option<bool>,
}

impl SecurityOverride {
    /// The policy in force over that of the switch.
    #[must_use]
    pub fn over(&self, switch: Security) -> Security {
        Security {
            promiscuous: self.promiscuous.unwrap_or(switch.promiscuous),
            mac_change: self.mac_change.unwrap_or(switch.mac_change),
            forged: self.forged.unwrap_or(switch.forged),
        }
    }

    /// Applies one `set` call.
    pub fn apply(&mut self, change: SecurityChange) {
        self.promiscuous = change.promiscuous.or(self.promiscuous);
        self.mac_change = change.mac_change.or(self.mac_change);
        self.forged = change.forged.or(self.forged);
    }
}

/// Traffic shaping in force; a number that was never set prints as -1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shaping {
    /// Whether it shapes.
    pub enabled: bool,
    /// Kbit/s.
    pub average: Option<i64>,
    /// Kbit/s.
    pub peak: Option<i64>,
    /// Kibit.
    pub burst: Option<i64>,
}

/// The options of one `policy shaping set` call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShapingChange {
    /// `--enabled`
    pub enabled: Option<bool>,
    /// `--avg-bandwidth`
    pub average: Option<i64>,
    /// `--peak-bandwidth`
    pub peak: Option<i64>,
    /// `--burst-size`
    pub burst: Option<i64>,
}

impl ShapingChange {
    fn check(self) -> Result<(), Fault> {
        let numbers = [self.average, self.peak, self.burst];
        if self.enabled == Some(true) && numbers.contains(&None) {
            return Err(Fault::Refused(
                "enabling traffic shaping requires avg-bandwidth, peak-bandwidth and burst-size".into(),
            ));
        }
        if numbers.iter().flatten().any(|number| *number < 0)
            || self.average > self.peak && self.peak.is_some()
        {
            return Err(Fault::BadParameter);
        }
        Ok(())
    }
}

impl Shaping {
    /// Applies one `set` call; switching on takes all three numbers in the same call.
    pub fn apply(&mut self, change: ShapingChange) -> Result<(), Fault> {
        change.check()?;
        self.enabled = change.enabled.unwrap_or(self.enabled);
        self.average = change.average.or(self.average);
        self.peak = change.peak.or(self.peak);
        self.burst = change.burst.or(self.burst);
        Ok(())
    }
}

/// What a port group overrides of traffic shaping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShapingOverride {
    /// Whether it shapes.
    pub enabled: Option<bool>,
    /// Kbit/s.
    pub average: Option<i64>,
    /// Kbit/s.
    pub peak: Option<i64>,
    /// Kibit.
    pub burst: Option<i64>,
}

impl ShapingOverride {
    /// The shaping in force over that of the switch.
    #[must_use]
    pub fn over(&self, switch: Shaping) -> Shaping {
        Shaping {
            enabled: self.enabled.unwrap_or(switch.enabled),
            average: self.average.or(switch.average),
            peak: self.peak.or(switch.peak),
            burst: self.burst.or(switch.burst),
        }
    }

    /// Applies one `set` call.
    pub fn apply(&mut self, change: ShapingChange) -> Result<(), Fault> {
        change.check()?;
        self.enabled = change.enabled.or(self.enabled);
        self.average = change.average.or(self.average);
        self.peak = change.peak.or(self.peak);
        self.burst = change.burst.or(self.burst);
        Ok(())
    }
}

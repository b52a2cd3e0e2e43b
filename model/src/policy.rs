//! Failover (teaming), security and traffic shaping policies of switches and port groups.
//!
//! Each policy comes in three shapes: the full policy a switch has, the partial one a document
//! asks of a switch, and the partial one a document asks of a port group (value or inherit).

use crate::VmnicName;
use serde::de::IntoDeserializer;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::marker::PhantomData;

/// What a document asks of a port-group field: a value of its own, or the switch's (`inherit`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting<T> {
    /// Take the value of the switch.
    Inherit,
    /// A value of its own.
    Value(T),
}

impl<T> Setting<T> {
    /// The value of its own, when it has one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Inherit => None,
            Self::Value(value) => Some(value),
        }
    }
}

impl<T: Serialize> Serialize for Setting<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Inherit => serializer.serialize_str("inherit"),
            Self::Value(value) => value.serialize(serializer),
        }
    }
}

struct SettingVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> de::Visitor<'de> for SettingVisitor<T> {
    type Value = Setting<T>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("`inherit` or a value")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Setting<T>, E> {
        if text == "inherit" {
            return Ok(Setting::Inherit);
        }
        T::deserialize(text.into_deserializer()).map(Setting::Value)
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Setting<T>, E> {
        T::deserialize(flag.into_deserializer()).map(Setting::Value)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Setting<T>, E> {
        T::deserialize(number.into_deserializer()).map(Setting::Value)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Setting<T>, A::Error> {
        T::deserialize(de::value::MapAccessDeserializer::new(map)).map(Setting::Value)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Setting<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SettingVisitor(PhantomData))
    }
}

/// How uplinks are chosen for a port. `set` takes these words; `get` may print `srcport`, `srcmac`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LoadBalancing {
    /// By originating virtual port.
    #[serde(rename = "portid")]
    PortId,
    /// By hash of IP addresses (needs a static port channel).
    #[serde(rename = "iphash")]
    IpHash,
    /// By source MAC address.
    #[serde(rename = "mac")]
    SourceMac,
    /// The first active uplink that is up.
    #[serde(rename = "explicit")]
    Explicit,
}

impl LoadBalancing {
    /// The word `esxcli ... set` takes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PortId => "portid",
            Self::IpHash => "iphash",
            Self::SourceMac => "mac",
            Self::Explicit => "explicit",
        }
    }
}

/// How a failed uplink is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureDetection {
    /// By link state.
    Link,
    /// By beacon probing (useful from three uplinks).
    Beacon,
}

impl FailureDetection {
    /// The word esxcli uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Beacon => "beacon",
        }
    }
}

/// Cisco Discovery Protocol mode of a standard switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CdpStatus {
    /// Off.
    Down,
    /// Receive only.
    Listen,
    /// Send only.
    Advertise,
    /// Send and receive.
    Both,
}

impl CdpStatus {
    /// The word esxcli uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Listen => "listen",
            Self::Advertise => "advertise",
            Self::Both => "both",
        }
    }
}

/// Order of the uplinks; what is in neither list is unused.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UplinkOrder {
    /// Used, in this order.
    #[serde(default)]
    pub active: Vec<VmnicName>,
    /// Used when no active one is left, in this order.
    #[serde(default)]
    pub standby: Vec<VmnicName>,
}

impl UplinkOrder {
    /// Whether `vmnic` is active or standby.
    #[must_use]
    pub fn uses(&self, vmnic: &VmnicName) -> bool {
        self.active.contains(vmnic) || self.standby.contains(vmnic)
    }

    /// Takes `vmnic` out of both lists.
    pub fn remove(&mut self, vmnic: &VmnicName) {
        self.active.retain(|v| v != vmnic);
        self.standby.retain(|v| v != vmnic);
    }
}

/// Failover policy in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeamingPolicy {
    /// How uplinks are chosen.
    pub load_balancing: LoadBalancing,
    /// How a failed uplink is noticed.
    pub failure_detection: FailureDetection,
    /// Whether physical switches are told when a port moves.
    pub notify_switches: bool,
    /// Whether a recovered uplink is used again at once.
    pub failback: bool,
    /// Active and standby uplinks.
    pub uplinks: UplinkOrder,
}

/// Failover policy a document asks of a switch; a field not mentioned is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DesiredTeaming {
    /// How uplinks are chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_balancing: Option<LoadBalancing>,
    /// How a failed uplink is noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_detection: Option<FailureDetection>,
    /// Whether physical switches are told when a port moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify_switches: Option<bool>,
    /// Whether a recovered uplink is used again at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failback: Option<bool>,
    /// Active and standby uplinks, both lists in full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uplinks: Option<UplinkOrder>,
}

/// Failover policy a document asks of a port group, field by field.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortGroupTeaming {
    /// How uplinks are chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_balancing: Option<Setting<LoadBalancing>>,
    /// How a failed uplink is noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_detection: Option<Setting<FailureDetection>>,
    /// Whether physical switches are told when a port moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify_switches: Option<Setting<bool>>,
    /// Whether a recovered uplink is used again at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failback: Option<Setting<bool>>,
    /// Active and standby uplinks, both lists in full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uplinks: Option<Setting<UplinkOrder>>,
}

/// Security policy in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecurityPolicy {
    /// Whether a guest may see all frames.
    pub allow_promiscuous: bool,
    /// Whether a guest may change its MAC address.
    pub allow_mac_change: bool,
    /// Whether a guest may send from another MAC address.
    pub allow_forged_transmits: bool,
}

/// Security policy a document asks of a switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DesiredSecurity {
    /// Whether a guest may see all frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_promiscuous: Option<bool>,
    /// Whether a guest may change its MAC address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_mac_change: Option<bool>,
    /// Whether a guest may send from another MAC address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_forged_transmits: Option<bool>,
}

/// Security policy a document asks of a port group, field by field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortGroupSecurity {
    /// Whether a guest may see all frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_promiscuous: Option<Setting<bool>>,
    /// Whether a guest may change its MAC address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_mac_change: Option<Setting<bool>>,
    /// Whether a guest may send from another MAC address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_forged_transmits: Option<Setting<bool>>,
}

/// The three numbers of traffic shaping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShapingRate {
    /// Average bandwidth in kbit/s (1000).
    pub average_kbps: u32,
    /// Peak bandwidth in kbit/s (1000).
    pub peak_kbps: u32,
    /// Burst size in Kibit (1024).
    pub burst_kib: u32,
}

/// Traffic shaping in force: off, or on with its three numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShapingPolicy {
    /// No shaping; the numbers do not matter.
    Off,
    /// Shaping with these numbers.
    On(ShapingRate),
}

/// Traffic shaping a document asks of a switch: `off` or `{on: {...}}`.
pub type DesiredShaping = ShapingPolicy;
/// Traffic shaping a document asks of a port group: `inherit`, `off` or `{on: {...}}`.
pub type PortGroupShaping = Setting<ShapingPolicy>;

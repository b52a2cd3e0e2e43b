//! What should be: a partial description. What is not mentioned is left alone.

use crate::{
    CdpStatus, DesiredSecurity, DesiredShaping, DesiredTeaming, Ipv4Config, Ipv6Cidr, MacAddress, Mtu,
    NetstackName, PortGroupName, PortGroupSecurity, PortGroupShaping, PortGroupTeaming, RouteNetwork,
    ServiceTag, Vlan, VmkName, VmnicName, VswitchName,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr};

/// A named object that should be there with these fields, or should not be there (`absent: true`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence<T> {
    /// Should be there; create when missing.
    Present(T),
    /// Should not be there; remove when found.
    Absent,
}

impl<T> Presence<T> {
    /// The fields when the object should be there.
    pub fn present(&self) -> Option<&T> {
        match self {
            Self::Present(fields) => Some(fields),
            Self::Absent => None,
        }
    }
}

#[derive(Serialize)]
struct AbsentForm {
    absent: bool,
}

impl<T: Serialize> Serialize for Presence<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Present(fields) => fields.serialize(serializer),
            Self::Absent => AbsentForm { absent: true }.serialize(serializer),
        }
    }
}

/// A map seen again with its first key, already read, put back in front.
struct FirstKey<'de, A> {
    first: Option<std::borrow::Cow<'de, str>>,
    rest: A,
}

impl<'de, A: de::MapAccess<'de>> de::MapAccess<'de> for FirstKey<'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        match self.first.take() {
            Some(key) => seed.deserialize(de::value::CowStrDeserializer::new(key)).map(Some),
            None => self.rest.next_key_seed(seed),
        }
    }

    fn next_value_seed<V: de::DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.rest.next_value_seed(seed)
    }
}

struct PresenceVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> de::Visitor<'de> for PresenceVisitor<T> {
    type Value = Presence<T>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a map of fields, or `absent: true` alone")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Presence<T>, A::Error> {
        let first: Option<String> = map.next_key()?;
        if first.as_deref() == Some("absent") {
            if !map.next_value::<bool>()? {
                return Err(de::Error::custom("`absent: false` says nothing: remove the line"));
            }
            return match map.next_key::<String>()? {
                None => Ok(Presence::Absent),
                Some(key) => {
                    Err(de::Error::custom(format!("`{key}` beside `absent: true`: remove one of them")))
                }
            };
        }
        let access = FirstKey { first: first.map(Into::into), rest: map };
        T::deserialize(de::value::MapAccessDeserializer::new(access)).map(Presence::Present)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Presence<T>, E> {
        let empty = de::value::MapDeserializer::<_, E>::new(std::iter::empty::<(&str, &str)>());
        T::deserialize(empty).map(Presence::Present)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Presence<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PresenceVisitor(PhantomData))
    }
}

/// The kinds of network objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectKind {
    /// Standard switches.
    Vswitches,
    /// Port groups.
    PortGroups,
    /// VMkernel adapters.
    Vmkernels,
    /// Netstacks.
    Netstacks,
}

/// Whether a document lists all objects of a kind or only some.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManagedScope {
    /// Only what is listed is managed.
    Listed,
    /// Everything of this kind is managed: what is not listed is surplus.
    Full,
}

/// A standard switch as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DesiredVswitch {
    /// Frame payload size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<Mtu>,
    /// Cisco Discovery Protocol mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cdp: Option<CdpStatus>,
    /// Physical NICs of the switch, all of them; the order does not matter here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uplinks: Option<Vec<VmnicName>>,
    /// Failover policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teaming: Option<DesiredTeaming>,
    /// Security policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<DesiredSecurity>,
    /// Traffic shaping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shaping: Option<DesiredShaping>,
}

/// A port group as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DesiredPortGroup {
    /// The switch it is on; needed to create it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vswitch: Option<VswitchName>,
    /// VLAN: 0, 1 to 4094, 4095.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<Vlan>,
    /// Failover policy, field by field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teaming: Option<PortGroupTeaming>,
    /// Security policy, field by field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<PortGroupSecurity>,
    /// Traffic shaping as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shaping: Option<PortGroupShaping>,
}

/// A VMkernel adapter as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DesiredVmk {
    /// The port group it is on (a change replaces the adapter); needed to create it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_group: Option<PortGroupName>,
    /// The netstack it is on (a change replaces the adapter).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netstack: Option<NetstackName>,
    /// Frame payload size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<Mtu>,
    /// Ethernet address (a change replaces the adapter).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddress>,
    /// Whether the adapter is enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// IPv4 configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv4: Option<Ipv4Config>,
    /// IPv6 configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<DesiredIpv6>,
    /// Services on this adapter, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<BTreeSet<ServiceTag>>,
}

/// IPv6 of a VMkernel adapter as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DesiredIpv6 {
    /// Whether DHCPv6 is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dhcp: Option<bool>,
    /// Whether router advertisements are used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router_advertisements: Option<bool>,
    /// Fixed addresses, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addresses: Option<BTreeSet<Ipv6Cidr>>,
}

/// A physical NIC as it should be; never created or removed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DesiredNic {
    /// Guard: the PCI address the NIC must have, e.g. `0000:18:00.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pci: Option<String>,
    /// Guard: the Ethernet address the NIC must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddress>,
    /// Administrative state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin: Option<crate::LinkState>,
    /// Speed and duplex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<NicLink>,
}

/// Speed and duplex of a physical NIC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum NicLink {
    /// Negotiated.
    Auto,
    /// Fixed.
    Fixed {
        /// Speed in Mbit/s.
        speed_mbps: u32,
        /// Duplex.
        duplex: Duplex,
    },
}

/// Duplex of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Duplex {
    /// Both ways at once.
    Full,
    /// One way at a time.
    Half,
}

/// What a document asks of one route: a gateway, or `absent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RouteSetting {
    /// Lead through this gateway.
    Via(Ipv4Addr),
    /// Should not be there.
    Absent,
}

impl TryFrom<String> for RouteSetting {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        if text == "absent" {
            return Ok(Self::Absent);
        }
        text.parse()
            .map(Self::Via)
            .map_err(|_| format!("`{text}` is not a gateway: use an IPv4 address or `absent`"))
    }
}

impl From<RouteSetting> for String {
    fn from(setting: RouteSetting) -> String {
        match setting {
            RouteSetting::Via(gateway) => gateway.to_string(),
            RouteSetting::Absent => "absent".to_owned(),
        }
    }
}

/// A netstack as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DesiredNetstack {
    /// Routes by target; what is not mentioned is left alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub routes: BTreeMap<RouteNetwork, RouteSetting>,
    /// DNS servers in search order, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_servers: Option<Vec<IpAddr>>,
    /// DNS search domains in order, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_search: Option<Vec<String>>,
}

/// Desired network of one host (or of a group, before values are filled in).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DesiredNetwork {
    /// Standard switches by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vswitches: BTreeMap<VswitchName, Presence<DesiredVswitch>>,
    /// Port groups by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub port_groups: BTreeMap<PortGroupName, Presence<DesiredPortGroup>>,
    /// VMkernel adapters by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vmkernels: BTreeMap<VmkName, Presence<DesiredVmk>>,
    /// Physical NICs by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub nics: BTreeMap<VmnicName, DesiredNic>,
    /// Netstacks by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub netstacks: BTreeMap<NetstackName, Presence<DesiredNetstack>>,
    /// Kinds that are listed in full.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub managed: BTreeMap<ObjectKind, ManagedScope>,
    /// Whether surplus objects of fully managed kinds are removed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub prune: bool,
}

impl DesiredNetwork {
    /// Whether surplus objects of `kind` are to be removed.
    #[must_use]
    pub fn prunes(&self, kind: ObjectKind) -> bool {
        self.prune && self.is_full(kind)
    }

    /// Whether all objects of `kind` are listed.
    #[must_use]
    pub fn is_full(&self, kind: ObjectKind) -> bool {
        self.managed.get(&kind) == Some(&ManagedScope::Full)
    }
}

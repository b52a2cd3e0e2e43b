//! VLAN of a port group. Must not know which VLANs a site uses.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An 802.1Q VLAN number, 1 to 4094.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VlanId(u16);

/// Why a number is not a VLAN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("VLAN `{0}` is not valid: use 0 (untagged), 1 to 4094, or 4095 (trunk to the guest)")]
pub struct InvalidVlan(pub String);

impl VlanId {
    /// Makes a VLAN number from 1 to 4094.
    pub fn new(number: u16) -> Result<Self, InvalidVlan> {
        if (1..=4094).contains(&number) { Ok(Self(number)) } else { Err(InvalidVlan(number.to_string())) }
    }

    /// The number, 1 to 4094.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0
    }
}

/// What a port group does with VLAN tags (vim25 `HostPortGroupSpec.vlanId`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Vlan {
    /// 0: frames leave without a tag.
    Untagged,
    /// 1 to 4094: the switch tags.
    Tagged(VlanId),
    /// 4095: tags pass through to the guest.
    Trunk,
}

impl Vlan {
    /// The number esxcli uses: 0, 1 to 4094, 4095.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Self::Untagged => 0,
            Self::Tagged(id) => id.get(),
            Self::Trunk => 4095,
        }
    }
}

impl TryFrom<u64> for Vlan {
    type Error = InvalidVlan;
    fn try_from(number: u64) -> Result<Self, InvalidVlan> {
        match u16::try_from(number) {
            Ok(0) => Ok(Self::Untagged),
            Ok(4095) => Ok(Self::Trunk),
            Ok(n) => VlanId::new(n).map(Self::Tagged),
            Err(_) => Err(InvalidVlan(number.to_string())),
        }
    }
}

impl std::fmt::Display for Vlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.number())
    }
}

impl Serialize for Vlan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.number())
    }
}

struct VlanVisitor;

impl de::Visitor<'_> for VlanVisitor {
    type Value = Vlan;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a VLAN: 0 (untagged), 1 to 4094, or 4095 (trunk)")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Vlan, E> {
        Vlan::try_from(number).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Vlan, E> {
        u64::try_from(number)
            .map_err(|_| E::custom(InvalidVlan(number.to_string())))
            .and_then(|n| self.visit_u64(n))
    }
}

impl<'de> Deserialize<'de> for Vlan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_u64(VlanVisitor)
    }
}

//! Maximum transmission unit. Must not know what a driver accepts: that is a host's answer.

use serde::{Deserialize, Serialize};

/// Frame payload size in bytes, 1280 to 9190 (9190 on newer releases, 9000 in the older books).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Mtu(u16);

/// Why a number is not an MTU.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("MTU {0} is not valid: use 1280 to 9190 bytes")]
pub struct InvalidMtu(pub u32);

impl Mtu {
    /// Smallest MTU in bytes.
    pub const MIN: u16 = 1280;
    /// Largest MTU in bytes.
    pub const MAX: u16 = 9190;
    /// What a new switch or adapter has, in bytes.
    pub const DEFAULT: Self = Self(1500);

    /// Checks the limits and makes an MTU.
    pub fn new(bytes: u32) -> Result<Self, InvalidMtu> {
        match u16::try_from(bytes) {
            Ok(b) if (Self::MIN..=Self::MAX).contains(&b) => Ok(Self(b)),
            _ => Err(InvalidMtu(bytes)),
        }
    }

    /// The size in bytes.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u32> for Mtu {
    type Error = InvalidMtu;
    fn try_from(bytes: u32) -> Result<Self, InvalidMtu> {
        Self::new(bytes)
    }
}

impl From<Mtu> for u32 {
    fn from(mtu: Mtu) -> u32 {
        Self::from(mtu.0)
    }
}

impl std::fmt::Display for Mtu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

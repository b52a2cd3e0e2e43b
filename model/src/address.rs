//! IP addresses with prefix and route targets. Must not know any site's plan of addresses.

use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Why a text is not an address with prefix length.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not valid: use {expected}")]
pub struct ParseCidrError {
    text: String,
    expected: &'static str,
}

macro_rules! cidr {
    ($(#[$doc:meta])* $name:ident, $addr:ty, $max:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name {
            address: $addr,
            prefix: u8,
        }

        impl $name {
            /// Makes an address with a prefix length in bits; `None` when the prefix is too long.
            #[must_use]
            pub fn new(address: $addr, prefix: u8) -> Option<Self> {
                (prefix <= $max).then_some(Self { address, prefix })
            }

            /// The address.
            #[must_use]
            pub fn address(self) -> $addr {
                self.address
            }

            /// The prefix length in bits.
            #[must_use]
            pub fn prefix(self) -> u8 {
                self.prefix
            }
        }

        impl FromStr for $name {
            type Err = ParseCidrError;
            fn from_str(text: &str) -> Result<Self, ParseCidrError> {
                let parse = || {
                    let (address, prefix) = text.split_once('/')?;
                    if prefix.is_empty() || !prefix.bytes().all(|b| b.is_ascii_digit()) {
                        return None;
                    }
                    Self::new(address.parse().ok()?, prefix.parse().ok()?)
                };
                parse().ok_or_else(|| ParseCidrError { text: text.to_owned(), expected: $expected })
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseCidrError;
            fn try_from(text: String) -> Result<Self, ParseCidrError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(cidr: $name) -> String {
                cidr.to_string()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}/{}", self.address, self.prefix)
            }
        }
    };
}

cidr!(
    /// An IPv4 address with its prefix length, e.g. `10.0.0.11/24`.
    Ipv4Cidr,
    Ipv4Addr,
    32,
    "an IPv4 address with prefix length, e.g. 10.0.0.11/24"
);
cidr!(
    /// An IPv6 address with its prefix length, e.g. `2001:db8::11/64`.
    Ipv6Cidr,
    Ipv6Addr,
    128,
    "an IPv6 address with prefix length, e.g. 2001:db8::11/64"
);

impl Ipv4Cidr {
    /// Makes an address from a dotted netmask; `None` when the mask has holes.
    #[must_use]
    pub fn from_netmask(address: Ipv4Addr, netmask: Ipv4Addr) -> Option<Self> {
        let bits = netmask.to_bits();
        let prefix = bits.leading_ones();
        let contiguous = bits.count_ones() == prefix;
        if contiguous { Self::new(address, u8::try_from(prefix).ok()?) } else { None }
    }

    /// The dotted netmask.
    #[must_use]
    pub fn netmask(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0))
    }

    /// The network address: host bits cleared.
    #[must_use]
    pub fn network(self) -> Self {
        let bits = self.address.to_bits() & self.netmask().to_bits();
        Self { address: Ipv4Addr::from_bits(bits), prefix: self.prefix }
    }

    /// Whether `address` lies in this network.
    #[must_use]
    pub fn contains(self, address: Ipv4Addr) -> bool {
        let mask = self.netmask().to_bits();
        address.to_bits() & mask == self.address.to_bits() & mask
    }
}

/// Where a route leads: everything (`default`) or one IPv4 network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RouteNetwork {
    /// The default route.
    Default,
    /// One network; host bits are zero.
    Network(Ipv4Cidr),
}

impl FromStr for RouteNetwork {
    type Err = ParseCidrError;
    fn from_str(text: &str) -> Result<Self, ParseCidrError> {
        let expected = "`default` or an IPv4 network with zero host bits, e.g. 10.9.0.0/16";
        if text == "default" || text == "0.0.0.0/0" {
            return Ok(Self::Default);
        }
        match text.parse::<Ipv4Cidr>() {
            Ok(cidr) if cidr.network() == cidr => Ok(Self::Network(cidr)),
            _ => Err(ParseCidrError { text: text.to_owned(), expected }),
        }
    }
}

impl TryFrom<String> for RouteNetwork {
    type Error = ParseCidrError;
    fn try_from(text: String) -> Result<Self, ParseCidrError> {
        text.parse()
    }
}

impl From<RouteNetwork> for String {
    fn from(network: RouteNetwork) -> String {
        network.to_string()
    }
}

impl std::fmt::Display for RouteNetwork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Network(cidr) => cidr.fmt(f),
        }
    }
}

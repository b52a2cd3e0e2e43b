//! The subnets a host is in, and gateways as seen from them.
//!
//! Owns: the form in which gateways of hosts in different subnets are alike. Must not: know where a gateway is used.
//! Called by `shape` and `fold`.

use model::{DesiredNetwork, Ipv4Cidr, Ipv4Config};
use serde_json::Value;
use std::net::Ipv4Addr;

/// The fixed addresses of a host by adapter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Subnets(Vec<(String, Ipv4Cidr)>);

impl Subnets {
    pub fn of(network: &DesiredNetwork) -> Self {
        let fixed =
            network.vmkernels.iter().filter_map(|(vmk, fields)| match fields.present()?.ipv4.as_ref()? {
                Ipv4Config::Static { address, .. } => Some((vmk.to_string(), *address)),
                _ => None,
            });
        Self(fixed.collect())
    }

    /// An address as the number it has in the subnet of an adapter, e.g. `vmk0+1`; other text as it is.
    pub fn relative_text(&self, text: &str) -> String {
        let place = || {
            let address: Ipv4Addr = text.parse().ok()?;
            let (vmk, subnet) = self.0.iter().find(|(_, subnet)| subnet.contains(address))?;
            let number = address.to_bits().checked_sub(subnet.network().address().to_bits())?;
            Some(format!("{vmk}+{number}"))
        };
        place().unwrap_or_else(|| text.to_owned())
    }

    /// The same for every text of a value.
    pub fn relative(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.relative_text(text)),
            Value::Object(map) => {
                Value::Object(map.iter().map(|(key, value)| (key.clone(), self.relative(value))).collect())
            }
            other => other.clone(),
        }
    }
}

//! VMkernel adapters: attachment, IPv4, IPv6 and service tags.
//!
//! Owns: what the kernel does on `network ip interface ...`. Must not: print, or know the physical network (a
//! DHCP lease is handed in). Called by `cli::commands::interface`.

use super::{Fault, Network, Subnet};
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Service tags the kernel knows, in its spelling.
pub const TAGS: &[&str] = &[
    "Management",
    "VMotion",
    "VSAN",
    "VSANWitness",
    "faultToleranceLogging",
    "vSphereReplication",
    "vSphereReplicationNFC",
    "vSphereProvisioning",
    "vSphereBackupNFC",
    "ptp",
    "NVMeTCP",
    "NVMeRDMA",
    "vsanExternal",
];

/// Highest adapter number.
const VMK_NUMBER_MAX: u32 = 255;

/// Where the IPv4 address comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AddressMode {
    /// No IPv4.
    None,
    /// From the network.
    Dhcp,
    /// Given.
    Static,
}

/// IPv4 state of an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ipv4 {
    /// Where the address comes from.
    pub mode: AddressMode,
    /// Address, when there is one.
    pub address: Option<Ipv4Addr>,
    /// Dotted netmask.
    pub netmask: Option<Ipv4Addr>,
    /// Gateway of this adapter only.
    #[serde(default)]
    pub gateway: Option<Ipv4Addr>,
    /// Gateway that came with the DHCP lease.
    #[serde(default)]
    pub lease_gateway: Option<Ipv4Addr>,
    /// DNS servers are taken from DHCP.
    #[serde(default)]
    pub peer_dns: bool,
}

impl Ipv4 {
    /// No IPv4 at all.
    pub const NONE: Self = Self {
        mode: AddressMode::None,
        address: None,
        netmask: None,
        gateway: None,
        lease_gateway: None,
        peer_dns: false,
    };

    /// A fixed address.
    #[must_use]
    pub fn fixed(address: Ipv4Addr, netmask: Ipv4Addr, gateway: Option<Ipv4Addr>) -> Self {
        Self {
            mode: AddressMode::Static,
            address: Some(address),
            netmask: Some(netmask),
            gateway,
            ..Self::NONE
        }
    }

    /// The subnet the address lies in.
    #[must_use]
    pub fn subnet(&self) -> Option<Subnet> {
        Subnet::from_netmask(self.address?, self.netmask?)
    }
}

/// IPv6 state of an adapter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ipv6 {
    /// IPv6 is on for this adapter (it has a link-local address).
    pub enabled: bool,
    /// Addresses by DHCPv6.
    pub dhcpv6: bool,
    /// Addresses by router advertisement.
    pub router_adv: bool,
    /// DNS servers by DHCPv6.
    pub peer_dns: bool,
    /// Fixed addresses with prefix length.
    pub addresses: Vec<(Ipv6Addr, u8)>,
}

/// One VMkernel adapter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vmk {
    /// Standard port group; `None` when it sits on a distributed switch.
    pub port_group: Option<String>,
    /// Distributed switch name, when it sits on one.
    #[serde(default)]
    pub dvs: Option<String>,
    /// TCP/IP stack; never changes.
    pub netstack: String,
    /// MTU in bytes.
    pub mtu: u32,
    /// MAC address, lower case.
    pub mac: String,
    /// Enabled.
    pub enabled: bool,
    /// IPv4 state.
    pub ipv4: Ipv4,
    /// IPv6 state.
    pub ipv6: Ipv6,
    /// Service tags, in the order they were added.
    pub tags: Vec<String>,
}

/// The options of `interface add`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewVmk {
    /// `--interface-name`; the next free one when absent.
    pub name: Option<String>,
    /// `--portgroup-name`
    pub port_group: String,
    /// `--mtu`
    pub mtu: Option<i64>,
    /// `--mac-address`
    pub mac: Option<String>,
    /// `--netstack`
    pub netstack: Option<String>,
}

/// The options of `ipv4 set`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ipv4Request {
    /// `--type`
    pub mode: AddressMode,
    /// `--ipv4`
    pub address: Option<Ipv4Addr>,
    /// `--netmask`
    pub netmask: Option<Ipv4Addr>,
    /// `--gateway`
    pub gateway: Option<Ipv4Addr>,
    /// `--peer-dns`
    pub peer_dns: Option<bool>,
}

impl Network {
    /// The adapter of this name, or "not found".
    pub fn vmk(&self, name: &str) -> Result<&Vmk, Fault> {
        self.vmks.get(name).ok_or(Fault::NotFound)
    }

    pub(crate) fn vmk_mut(&mut self, name: &str) -> Result<&mut Vmk, Fault> {
        self.vmks.get_mut(name).ok_or(Fault::NotFound)
    }

    /// `interface add`: answers the name it got.
    pub fn add_vmk(&mut self, new: NewVmk) -> Result<String, Fault> {
        let name = match new.name {
            Some(name) => name,
            None => (0..=VMK_NUMBER_MAX)
                .map(|number| format!("vmk{number}"))
                .find(|name| !self.vmks.contains_key(name))
                .ok_or(Fault::OutOfResources)?,
        };
        let number = name.strip_prefix("vmk").and_then(|digits| digits.parse::<u32>().ok());
        if number.is_none_or(|number| number > VMK_NUMBER_MAX) {
            return Err(Fault::BadParameter);
        }
        if self.vmks.contains_key(&name) {
            return Err(Fault::AlreadyExists);
        }
        if self.port_group(&new.port_group).is_none() {
            return Err(Fault::NotFound);
        }
        if self.vmk_on(&new.port_group).is_some() {
            return Err(Fault::ConnectionPointTaken);
        }
        let netstack = new.netstack.unwrap_or_else(|| super::DEFAULT_NETSTACK.to_owned());
        self.netstack(&netstack)?;
        let mtu = u32::try_from(new.mtu.unwrap_or(1500)).map_err(|_| Fault::BadParameter)?;
        self.check_mtu(mtu)?;
        let mac = match new.mac {
            Some(mac) => canonical_mac(&mac).ok_or(Fault::BadParameter)?,
            None => self.next_mac(),
        };
        let vmk = Vmk {
            port_group: Some(new.port_group),
            dvs: None,
            netstack,
            mtu,
            mac,
            enabled: true,
            ipv4: Ipv4::NONE,
            ipv6: Ipv6 { enabled: true, ..Ipv6::default() },
            tags: Vec::new(),
        };
        self.vmks.insert(name.clone(), vmk);
        Ok(name)
    }

    /// `interface set`
    pub fn set_vmk(&mut self, name: &str, enabled: Option<bool>, mtu: Option<i64>) -> Result<(), Fault> {
        self.vmk(name)?;
        if let Some(mtu) = mtu {
            let mtu = u32::try_from(mtu).map_err(|_| Fault::BadParameter)?;
            self.check_mtu(mtu)?;
            self.vmk_mut(name)?.mtu = mtu;
        }
        let vmk = self.vmk_mut(name)?;
        vmk.enabled = enabled.unwrap_or(vmk.enabled);
        Ok(())
    }

    /// `interface remove`
    pub fn remove_vmk(&mut self, name: &str) -> Result<(), Fault> {
        self.vmks.remove(name).map(drop).ok_or(Fault::NotFound)
    }

    /// `interface ipv4 set`; `lease` answers a DHCP request for an adapter on the port group and MAC it has.
    pub fn set_vmk_ipv4(
        &mut self,
        name: &str,
        request: Ipv4Request,
        lease: Option<(Ipv4Addr, Subnet, Option<Ipv4Addr>)>,
    ) -> Result<(), Fault> {
        self.vmk(name)?;
        let has_address = request.address.is_some() || request.netmask.is_some();
        let ipv4 = match request.mode {
            AddressMode::Static => {
                let (Some(address), Some(netmask)) = (request.address, request.netmask) else {
                    return Err(Fault::Refused("static needs both ipv4 and netmask".into()));
                };
                let subnet = Subnet::from_netmask(address, netmask).ok_or(Fault::BadParameter)?;
                if address.is_unspecified() || address.is_multicast() || address.is_broadcast() {
                    return Err(Fault::BadParameter);
                }
                if request.gateway.is_some_and(|gateway| !subnet.contains(gateway)) {
                    return Err(Fault::BadParameter);
                }
                self.check_address_free(name, address)?;
                Ipv4::fixed(address, netmask, request.gateway)
            }
            AddressMode::Dhcp | AddressMode::None if has_address => {
                return Err(Fault::Refused("ipv4 and netmask can only be set with type static".into()));
            }
            AddressMode::None => Ipv4::NONE,
            AddressMode::Dhcp => Ipv4 {
                mode: AddressMode::Dhcp,
                address: lease.map(|(address, _, _)| address),
                netmask: lease.map(|(_, subnet, _)| subnet.netmask()),
                gateway: request.gateway,
                lease_gateway: lease.and_then(|(_, _, gateway)| gateway),
                peer_dns: request.peer_dns.unwrap_or(false),
            },
        };
        self.vmk_mut(name)?.ipv4 = ipv4;
        Ok(())
    }

    fn check_address_free(&self, name: &str, address: Ipv4Addr) -> Result<(), Fault> {
        let taken = self.vmks.iter().any(|(other, vmk)| other != name && vmk.ipv4.address == Some(address));
        if taken { Err(Fault::AlreadyExists) } else { Ok(()) }
    }

    /// `interface ipv6 address add`
    pub fn add_ipv6(&mut self, name: &str, address: Ipv6Addr, prefix: u8) -> Result<(), Fault> {
        let vmk = self.vmk_mut(name)?;
        if prefix > 128 || !vmk.ipv6.enabled {
            return Err(Fault::BadParameter);
        }
        if vmk.ipv6.addresses.iter().any(|(known, _)| *known == address) {
            return Err(Fault::AlreadyExists);
        }
        vmk.ipv6.addresses.push((address, prefix));
        Ok(())
    }

    /// `interface ipv6 address remove`
    pub fn remove_ipv6(&mut self, name: &str, address: Ipv6Addr, prefix: u8) -> Result<(), Fault> {
        let vmk = self.vmk_mut(name)?;
        let before = vmk.ipv6.addresses.len();
        vmk.ipv6.addresses.retain(|known| *known != (address, prefix));
        if vmk.ipv6.addresses.len() == before { Err(Fault::NotFound) } else { Ok(()) }
    }

    /// `interface tag add`
    pub fn add_tag(&mut self, name: &str, tag: &str) -> Result<(), Fault> {
        let tag = kernel_tag(tag)?;
        let vmk = self.vmk_mut(name)?;
        if vmk.tags.iter().any(|known| known == tag) {
            return Err(Fault::AlreadyTagged(tag.to_owned()));
        }
        vmk.tags.push(tag.to_owned());
        Ok(())
    }

    /// `interface tag remove`
    pub fn remove_tag(&mut self, name: &str, tag: &str) -> Result<(), Fault> {
        let tag = kernel_tag(tag)?;
        let vmk = self.vmk_mut(name)?;
        if !vmk.tags.iter().any(|known| known == tag) {
            return Err(Fault::NotTagged(tag.to_owned()));
        }
        vmk.tags.retain(|known| known != tag);
        Ok(())
    }

    /// A MAC address of the range ESXi generates from, distinct on this host.
    fn next_mac(&mut self) -> String {
        self.generated_macs += 1;
        let seed = self
            .hostname
            .bytes()
            .fold(u32::from(b'k'), |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
        let [_, _, high, low] = seed.to_be_bytes();
        format!("00:50:56:6{:x}:{high:02x}:{:02x}", low & 0xf, self.generated_macs & 0xff)
    }
}

fn kernel_tag(tag: &str) -> Result<&'static str, Fault> {
    TAGS.iter().find(|known| known.eq_ignore_ascii_case(tag)).copied().ok_or(Fault::DataConstraint("tagname"))
}

/// `aa:bb:cc:dd:ee:ff` in lower case; `None` when it is not a MAC address.
fn canonical_mac(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split(':').collect();
    let good = parts.len() == 6
        && parts.iter().all(|part| part.len() == 2 && part.chars().all(|c| c.is_ascii_hexdigit()));
    good.then(|| text.to_ascii_lowercase())
}

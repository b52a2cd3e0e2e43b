//! What a host's configuration is, in a form in which two equal ones are equal.
//!
//! Owns: the naive reference of the simulation. It compares the simulator's own state, so it shares no code with
//! `engine::verify`. Must not look at link states, leases or counters.

use simulator::Host;
use simulator::network::{Network, Shaping};

/// The configuration of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image(Network);

impl Image {
    /// The configuration in force.
    #[must_use]
    pub fn running(host: &Host) -> Self {
        Self::of(&host.running)
    }

    /// The configuration the next boot begins with.
    #[must_use]
    pub fn saved(host: &Host) -> Self {
        Self::of(&host.saved)
    }

    fn of(network: &Network) -> Self {
        let mut network = network.clone();
        network.port_groups.sort_by(|one, other| one.name.cmp(&other.name));
        network.generated_macs = 0;
        for stack in network.netstacks.values_mut() {
            stack.routes.sort_by_key(|route| (route.target, route.gateway));
        }
        for switch in network.vswitches.values_mut() {
            switch.uplinks.sort();
            if !switch.shaping.enabled {
                // The numbers of a policy that is off mean nothing.
                switch.shaping = Shaping { enabled: false, ..Shaping::default() };
            }
        }
        for vmk in network.vmks.values_mut() {
            vmk.tags.sort();
            vmk.ipv6.addresses.sort();
            vmk.ipv4.lease_gateway = None;
            if vmk.ipv4.mode == simulator::network::AddressMode::Dhcp {
                vmk.ipv4.address = None;
                vmk.ipv4.netmask = None;
            }
        }
        Self(network)
    }

    /// The first thing in which two configurations differ, in words.
    #[must_use]
    pub fn difference(&self, other: &Self) -> String {
        let lines =
            |image: &Self| -> Vec<String> { format!("{:#?}", image.0).lines().map(str::to_owned).collect() };
        let (one, two) = (lines(self), lines(other));
        let at = one.iter().zip(&two).position(|(a, b)| a != b);
        let Some(at) = at else { return format!("{} against {} lines", one.len(), two.len()) };
        let around = |lines: &[String]| {
            let part: Vec<&str> =
                lines.iter().skip(at.saturating_sub(3)).take(7).map(|line| line.trim()).collect();
            part.join(" ")
        };
        format!("{} | {}", around(&one), around(&two))
    }
}

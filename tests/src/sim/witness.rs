//! Peer witnesses on virtual time: other hosts ping the adapters that a change touched and that talk to peers.
//!
//! Owns: the coordinator's question to peers, re-done with the simulator's own network. Must not use the product's
//! choice of witnesses. Called by `coordinator`, before it confirms.

use super::world::World;
use engine::probe::{expected_after, touched_vmks};
use model::{ApplyPhase, ObservedIpv4};
use simulator::Host;
use simulator::fabric::{Fragment, Ping, Reach, can_ping};
use std::net::Ipv4Addr;

/// The service whose adapters talk to each other.
const SERVICE: &str = "VMotion";
/// Headers around the payload of a ping, bytes.
const HEADERS_BYTES: u32 = 28;

/// What peers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vouch {
    /// No such adapter was touched, or there is nobody to ask.
    NoNeed,
    /// Every such adapter answers a peer.
    Yes,
    /// One of them answers nobody.
    No,
}

impl World {
    /// Whether peers vouch for the change that is open on a host, asked by this coordinator.
    #[must_use]
    pub fn vouch(&self, host: usize, coordinator: usize) -> Vouch {
        let Some(station) = self.stations.get(host) else { return Vouch::NoNeed };
        let Some(open) = station.process.as_ref().and_then(|process| process.agent.machine().state().open())
        else {
            return Vouch::NoNeed;
        };
        let (before, plan) = (&open.transaction.pre_image, &open.transaction.plan);
        let touched = touched_vmks(before, plan);
        let after = expected_after(before, plan);
        let talks = after.vmkernels.read().into_iter().flatten().filter(|(name, vmk)| {
            let serves =
                vmk.services.read().is_some_and(|tags| tags.iter().any(|tag| tag.as_str() == SERVICE));
            touched.contains(*name) && vmk.enabled && serves
        });
        let addresses: Vec<Ipv4Addr> = talks
            .filter_map(|(_, vmk)| vmk.ipv4.read().and_then(ObservedIpv4::address))
            .map(|a| a.address())
            .collect();
        let peers: Vec<&Host> =
            (0..self.stations.len()).filter_map(|peer| self.peer(peer, host, coordinator)).collect();
        let mut vouch = Vouch::NoNeed;
        for address in addresses {
            let said: Vec<bool> =
                peers.iter().filter_map(|peer| pings(peer, &station.host, address)).collect();
            if said.contains(&true) {
                vouch = Vouch::Yes;
            } else if !said.is_empty() {
                return Vouch::No;
            }
        }
        vouch
    }

    /// A host that can be asked.
    fn peer(&self, peer: usize, host: usize, coordinator: usize) -> Option<&Host> {
        let station =
            self.stations.get(peer).filter(|_| peer != host && self.path_open(peer, coordinator))?;
        let process = station.process.as_ref().filter(|process| process.answers())?;
        (process.agent.machine().phase() == ApplyPhase::Idle).then_some(&station.host)
    }
}

/// Whether a peer's adapter of the same subnet gets an answer; none when it has no such adapter.
fn pings(peer: &Host, changed: &Host, address: Ipv4Addr) -> Option<bool> {
    let fits = |vmk: &simulator::network::Vmk| {
        vmk.tags.iter().any(|tag| tag == SERVICE)
            && vmk.ipv4.subnet().is_some_and(|subnet| subnet.contains(address))
    };
    let (name, vmk) = peer.running.vmks.iter().find(|(_, vmk)| fits(vmk))?;
    let mtu = changed
        .running
        .vmks
        .values()
        .find(|v| v.ipv4.address == Some(address))
        .map_or(vmk.mtu, |v| v.mtu.min(vmk.mtu));
    let ping = Ping {
        vmk: name.clone(),
        target: address,
        size: mtu.saturating_sub(HEADERS_BYTES),
        fragment: Fragment::Never,
    };
    let mut asked = peer.clone();
    asked.neighbours = vec![changed.clone()];
    Some(can_ping(&asked, &asked.fabric, &ping) == Reach::Ok)
}

//! Which adapters need a witness, and who can be one: pure, from the stored networks and the plan.

use crate::fleet::PeerPing;
use engine::probe::{expected_after, path_mtu_payload, touched_vmks};
use model::{
    HostId, Ipv4Cidr, Mtu, NetstackName, ObservedNetwork, ObservedVmk, Plan, ServiceTag, VmkAttachment,
    VmkName,
};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::WITNESSES_MAX;

/// Services whose adapters talk to the same service of other hosts.
const PEER_TAGS: [&str; 6] =
    ["VMotion", "vSphereProvisioning", "faultToleranceLogging", "VSAN", "NVMeTCP", "NVMeRDMA"];
/// Netstacks that serve one of these alone, with its tag.
const PEER_STACKS: [(&str, &str); 2] =
    [("vmotion", "VMotion"), ("vSphereProvisioning", "vSphereProvisioning")];

/// An adapter of the changed host that peers must vouch for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Need {
    pub(super) vmk: VmkName,
    pub(super) address: Ipv4Addr,
    pub(super) subnet: Ipv4Cidr,
    pub(super) tags: BTreeSet<ServiceTag>,
    pub(super) mtu: Mtu,
}

/// A host that can vouch, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Witness {
    pub(super) host: HostId,
    pub(super) vmk: VmkName,
    netstack: NetstackName,
    /// Payload with do-not-fragment.
    pub(super) size: Option<u16>,
    /// Whether it can be asked now.
    pub(super) askable: bool,
}

/// A host with a place in a wanted subnet.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) host: HostId,
    pub(super) network: ObservedNetwork,
    /// Whether it can be asked now.
    pub(super) askable: bool,
}

impl Candidate {
    /// Whether it can be asked now, with frames as long as the wanted ones.
    pub(super) fn full_for(&self, need: &Need) -> bool {
        self.askable && place(need, &self.network).is_some_and(|place| place.full)
    }
}

/// What one host's network offers to a need.
pub(super) struct Place {
    vmk: VmkName,
    netstack: NetstackName,
    size: Option<u16>,
    /// Whether its frames are as long as the wanted ones.
    full: bool,
}

impl Witness {
    pub(super) fn ping(&self, need: &Need, count: u8) -> PeerPing {
        let (vmk, netstack) = (self.vmk.clone(), self.netstack.clone());
        PeerPing { vmk, netstack, target: need.address, size: self.size, count }
    }
}

fn peer_tags(vmk: &ObservedVmk) -> BTreeSet<ServiceTag> {
    let is_peer = |tag: &&ServiceTag| PEER_TAGS.contains(&tag.as_str());
    let own = vmk.services.read().into_iter().flatten().filter(is_peer).cloned();
    let of_stack = PEER_STACKS.iter().filter(|(stack, _)| vmk.netstack.as_str() == *stack);
    own.chain(of_stack.map(|(_, tag)| ServiceTag::new(*tag))).collect()
}

/// The adapters that the plan touches and that serve peers, as they should be after it. `newest` may have been read before
/// or after the plan ran: both lead to the same picture.
pub(super) fn needs(newest: &ObservedNetwork, plan: &Plan) -> Vec<Need> {
    let touched = touched_vmks(newest, plan);
    let after = expected_after(newest, plan);
    let mut needs = Vec::new();
    for (name, vmk) in after.vmkernels.read().into_iter().flatten() {
        let managed = matches!(vmk.attachment, VmkAttachment::PortGroup(_));
        let tags = peer_tags(vmk);
        let address = vmk.ipv4.read().and_then(model::ObservedIpv4::address);
        if let (Some(cidr), Some(mtu)) = (address, vmk.mtu.read())
            && vmk.enabled
            && managed
            && touched.contains(name)
            && !tags.is_empty()
        {
            let (vmk, address, subnet) = (name.clone(), cidr.address(), cidr.network());
            needs.push(Need { vmk, address, subnet, tags, mtu: *mtu });
        }
    }
    needs
}

/// The adapter of a host that can vouch for a need: same subnet, a common service. Its own frames bound the size: while a
/// change to longer frames rolls out, peers still have the old ones.
pub(super) fn place(need: &Need, network: &ObservedNetwork) -> Option<Place> {
    let mut places: Vec<Place> = Vec::new();
    for (name, vmk) in network.vmkernels.read()? {
        let address = vmk.ipv4.read().and_then(model::ObservedIpv4::address);
        let fits = vmk.enabled
            && address.is_some_and(|cidr| cidr.network() == need.subnet && cidr.address() != need.address)
            && !peer_tags(vmk).is_disjoint(&need.tags);
        if let (true, Some(mtu)) = (fits, vmk.mtu.read()) {
            let size = path_mtu_payload((*mtu).min(need.mtu));
            let (vmk, netstack) = (name.clone(), vmk.netstack.clone());
            places.push(Place { vmk, netstack, size, full: *mtu >= need.mtu });
        }
    }
    places.sort_by_key(|place| !place.full);
    places.into_iter().next()
}

/// Up to [`WITNESSES_MAX`] witnesses: those that can be asked, of them those with full frames first, else in the order of the
/// candidates. When nobody can be asked, those who could vouch but are away.
pub(super) fn witnesses(need: &Need, candidates: &[Candidate]) -> Vec<Witness> {
    let mut places: Vec<(&Candidate, Place)> =
        candidates.iter().filter_map(|one| Some((one, place(need, &one.network)?))).collect();
    if places.iter().any(|(one, _)| one.askable) {
        places.retain(|(one, _)| one.askable);
    }
    places.sort_by_key(|(_, place)| !place.full);
    let made = places.into_iter().map(|(one, place)| {
        let Place { vmk, netstack, size, full: _ } = place;
        Witness { host: one.host.clone(), vmk, netstack, size, askable: one.askable }
    });
    made.take(WITNESSES_MAX).collect()
}

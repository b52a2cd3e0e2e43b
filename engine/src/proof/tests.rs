//! Proofs: real signatures of ssh-keygen, hardware keys, trees, sets, and every way an order fails to be
//! proven. The tests sign; the product code of this crate never does.

mod approvers;
mod check;
mod hardware;
mod keygen;
mod merkle;

use super::*;
use model::{
    Approver, ApproverSet, ChangeId, Disruption, Generation, HostId, Order, PlanDigest, ProbePlan,
    ReleaseManifest, ReleaseProof, RfcId,
};
use ring::signature::{Ed25519KeyPair, KeyPair};

/// A person with an Ed25519 key made of one byte.
pub(super) fn key(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

pub(super) fn public(key: &Ed25519KeyPair) -> [u8; 32] {
    key.public_key().as_ref().try_into().unwrap()
}

/// A signature as `ssh-keygen -Y sign` makes it.
pub(super) fn sign(seed: u8, namespace: &str, message: &[u8]) -> Vec<u8> {
    let key = key(seed);
    let raw = key.sign(&signed_data(namespace, message));
    encode_ed25519(public(&key), namespace, raw.as_ref().try_into().unwrap())
}

pub(super) fn person(name: &str, seed: u8) -> Approver {
    let key = SshPublicKey::from_ed25519(public(&key(seed))).line();
    Approver { name: name.to_owned(), email: Some(format!("{name}@example.com")), key }
}

/// Two of Ann (1), Bob (2) and Cid (3); Eve (9) in an emergency.
pub(super) fn set() -> ApproverSet {
    ApproverSet {
        format: RELEASE_FORMAT,
        version: 3,
        name: "default".to_owned(),
        repository: None,
        threshold: 2,
        approvers: vec![person("ann", 1), person("bob", 2), person("cid", 3)],
        break_glass: vec![person("eve", 9)],
        break_glass_threshold: 1,
        not_after: None,
    }
}

pub(super) fn trusted() -> TrustedSet {
    TrustedSet::new(set()).unwrap()
}

/// The order of one of many hosts.
pub(super) fn order(host: u32) -> Order {
    Order {
        host: HostId::new(format!("esx{host:05}")).unwrap(),
        change: ChangeId::new("change-1").unwrap(),
        generation: Generation(7),
        commit: "c0ffee".to_owned(),
        desired: serde_json::from_str(r#"{"port_groups":{"old":{"absent":true}}}"#).unwrap(),
        plan_digest: PlanDigest("ab12".to_owned()),
        disruption_allowed: Disruption::LinkBounce,
        confirm_timeout: Millis::from_secs(60),
        probes: ProbePlan::default(),
    }
}

/// When the release begins.
pub(super) const BEGIN: Wall = Wall(1_800_000_000_000);

/// A release for `hosts` hosts; host N is in wave N, up to wave 1.
pub(super) struct Release {
    pub manifest: ReleaseManifest,
    pub orders: Vec<Order>,
    pub tree: MerkleTree,
}

pub(super) fn release(hosts: u32) -> Release {
    let orders: Vec<Order> = (0..hosts).map(order).collect();
    let leaves = (0..).zip(&orders).map(|(number, order)| {
        release_leaf_hash(&leaf_of(order, &to_bytes(order), Generation(6), u32::min(number, 1)))
    });
    let tree = MerkleTree::new(leaves.collect()).unwrap();
    let manifest = ReleaseManifest {
        format: RELEASE_FORMAT,
        repository: "https://git.example.com/network/config".to_owned(),
        change: ChangeId::new("change-1").unwrap(),
        rfc: Some(RfcId(12)),
        commit: "c0ffee".to_owned(),
        number: 1,
        root: tree.root(),
        hosts,
        wave_delays_secs: vec![0, 600],
        not_before: BEGIN,
        not_after: BEGIN.plus(Millis::from_secs(86_400)),
    };
    Release { manifest, orders, tree }
}

impl Release {
    /// The proof for one host, signed by these people.
    pub fn proof(&self, host: u32, seeds: &[u8]) -> ReleaseProof {
        let manifest = to_bytes(&self.manifest);
        let signatures = seeds.iter().map(|seed| sign(*seed, NAMESPACE_CHANGE, &manifest)).collect();
        ReleaseProof {
            manifest,
            signatures,
            parent: Generation(6),
            wave: host.min(1),
            leaf_index: host,
            path: self.tree.path(host).unwrap(),
            coordinator_signature: Vec::new(),
        }
    }
}

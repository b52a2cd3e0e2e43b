//! Releases, genuine and forged: people with keys, a tree, a manifest, signatures, the coordinator's seal.
//!
//! Owns: the keys of the run. Must not know a single attack.

use anyhow::{Context, Result};
use engine::proof::{
    MerkleTree, NAMESPACE_APPROVERS, NAMESPACE_CHANGE, SshPublicKey, armour, encode_ed25519, leaf_of,
    order_signing_bytes, release_leaf_hash, signed_data, to_bytes,
};
use model::{
    Approver, ApproverRotation, ApproverSet, Generation, HostId, Millis, Order, RELEASE_FORMAT,
    ReleaseManifest, ReleaseProof, Sha256Hash, Wall,
};
use proto::v1;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};

/// The repository that the approvers approve.
pub const REPOSITORY: &str = "the configuration of the lab";
/// One hour.
pub const HOUR: Millis = Millis::from_secs(3600);

/// Somebody with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Person {
    /// Approver.
    Ann,
    /// Approver.
    Bob,
    /// Approver, until the set is rotated.
    Cid,
    /// Holds a key for emergencies.
    Eve,
    /// Nobody.
    Mallory,
}

impl Person {
    fn key(self) -> Result<Ed25519KeyPair> {
        pair(self as u8 + 1)
    }

    fn approver(self) -> Result<Approver> {
        let key = SshPublicKey::from_ed25519(public(&self.key()?)?).line();
        Ok(Approver { name: format!("{self:?}").to_lowercase(), email: None, key })
    }

    /// Signs as `ssh-keygen -Y sign` does.
    pub fn sign(self, namespace: &str, message: &[u8]) -> Result<Vec<u8>> {
        let key = self.key()?;
        let raw = key.sign(&signed_data(namespace, message));
        Ok(encode_ed25519(public(&key)?, namespace, raw.as_ref().try_into()?))
    }
}

fn pair(seed: u8) -> Result<Ed25519KeyPair> {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).map_err(|error| anyhow::anyhow!("no key: {error}"))
}

fn public(key: &Ed25519KeyPair) -> Result<[u8; 32]> {
    Ok(key.public_key().as_ref().try_into()?)
}

/// The time by this machine's clock, which is the host's.
pub fn now() -> Wall {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Wall(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

/// The coordinator's order key, in the thief's hands.
pub fn order_key() -> Result<Ed25519KeyPair> {
    pair(200)
}

/// Its public half as the agent keeps it.
pub fn order_key_text() -> Result<String> {
    Ok(Sha256Hash(public(&order_key()?)?).to_string())
}

/// Two of Ann, Bob and Cid; Eve in an emergency.
pub fn approvers(version: u64, people: &[Person]) -> Result<ApproverSet> {
    Ok(ApproverSet {
        format: RELEASE_FORMAT,
        version,
        name: "default".to_owned(),
        repository: Some(REPOSITORY.to_owned()),
        threshold: 2,
        approvers: people.iter().map(|person| person.approver()).collect::<Result<_>>()?,
        break_glass: vec![Person::Eve.approver()?],
        break_glass_threshold: 1,
        not_after: None,
    })
}

/// A set with the signatures of these people over it.
pub fn rotation(set: &ApproverSet, people: &[Person]) -> Result<ApproverRotation> {
    let text = serde_json::to_string(set)?;
    let signatures =
        people.iter().map(|person| Ok(armour(&person.sign(NAMESPACE_APPROVERS, text.as_bytes())?)));
    Ok(ApproverRotation { signatures: signatures.collect::<Result<_>>()?, set: text })
}

/// A release of two hosts that is good in every part until somebody changes one.
pub struct Release {
    /// The exact bytes of the order.
    pub order_json: Vec<u8>,
    /// What is signed.
    pub manifest: ReleaseManifest,
    /// What travels beside the order.
    pub proof: ReleaseProof,
}

impl Release {
    /// The release of an order for a host that has committed `parent`.
    pub fn of(order: &Value, parent: u64, wave: u32) -> Result<Self> {
        let order_json = serde_json::to_vec(order)?;
        let order: Order = serde_json::from_value(order.clone()).context("the order cannot be read")?;
        let parent = Generation(parent);
        // The other host comes first by name: the one under attack has index 1.
        let other = Order { host: HostId::new("a-neighbour").map_err(anyhow::Error::msg)?, ..order.clone() };
        let leaves = [
            release_leaf_hash(&leaf_of(&other, &to_bytes(&other), parent, wave)),
            release_leaf_hash(&leaf_of(&order, &order_json, parent, wave)),
        ];
        let tree = MerkleTree::new(leaves.to_vec()).context("no tree")?;
        let manifest = ReleaseManifest {
            format: RELEASE_FORMAT,
            repository: REPOSITORY.to_owned(),
            change: order.change.clone(),
            rfc: None,
            commit: order.commit.clone(),
            number: 1,
            root: tree.root(),
            hosts: 2,
            wave_delays_secs: vec![0, 3600],
            not_before: now(),
            not_after: now().plus(HOUR),
        };
        let proof = ReleaseProof {
            parent,
            wave,
            leaf_index: 1,
            path: tree.path(1).context("no path")?,
            ..ReleaseProof::default()
        };
        Ok(Self { order_json, manifest, proof })
    }

    /// These people sign what the manifest says now.
    pub fn signed(mut self, people: &[Person]) -> Result<Self> {
        self.proof.manifest = to_bytes(&self.manifest);
        self.proof.signatures = people
            .iter()
            .map(|person| person.sign(NAMESPACE_CHANGE, &self.proof.manifest))
            .collect::<Result<_>>()?;
        Ok(self)
    }

    /// Somebody signs these bytes as a manifest.
    pub fn signed_bytes(mut self, manifest: Vec<u8>, people: &[Person]) -> Result<Self> {
        self.proof.signatures =
            people.iter().map(|person| person.sign(NAMESPACE_CHANGE, &manifest)).collect::<Result<_>>()?;
        self.proof.manifest = manifest;
        Ok(self)
    }

    /// The offer, sealed with the stolen order key.
    pub fn sealed(self) -> Result<v1::OrderOffer> {
        let key = order_key()?;
        self.sealed_with(&key)
    }

    /// The offer, sealed with this key.
    pub fn sealed_with(mut self, key: &Ed25519KeyPair) -> Result<v1::OrderOffer> {
        let bytes = order_signing_bytes(&self.order_json, &self.proof.manifest);
        self.proof.coordinator_signature = key.sign(&bytes).as_ref().to_vec();
        Ok(v1::OrderOffer { order_json: self.order_json, proof: Some(wire(self.proof)) })
    }
}

/// A proof as it travels, whatever it holds.
fn wire(proof: ReleaseProof) -> v1::Proof {
    let ReleaseProof { manifest, signatures, parent, wave, leaf_index, path, coordinator_signature } = proof;
    v1::Proof {
        manifest,
        signatures,
        parent: parent.0,
        wave,
        leaf_index,
        path: path.iter().flat_map(|hash| hash.0).collect(),
        coordinator_signature,
    }
}

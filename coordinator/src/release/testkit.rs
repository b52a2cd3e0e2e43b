//! Approvers for tests: Ed25519 keys made from one byte, so that every run signs the same.
//!
//! Must not: be used outside of tests.

use crate::store::Db;
use crate::store::approvers::{self, NewApproverSet};
use engine::proof::{NAMESPACE_CHANGE, SshPublicKey, armour, encode_ed25519, signed_data};
use model::{Approver, ApproverSet, Wall};
use ring::signature::{Ed25519KeyPair, KeyPair};

/// A person with a key.
pub struct Person {
    pair: Ed25519KeyPair,
    pub approver: Approver,
}

impl Person {
    pub fn new(name: &str, seed: u8) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let public = pair.public_key().as_ref().try_into().unwrap();
        let approver = Approver {
            name: name.to_owned(),
            email: Some(format!("{}@example.com", name.to_lowercase())),
            key: SshPublicKey::from_ed25519(public).line(),
        };
        Self { pair, approver }
    }

    /// An armoured signature, as `ssh-keygen -Y sign` makes it.
    pub fn sign_as(&self, namespace: &str, message: &str) -> String {
        let signature = self.pair.sign(&signed_data(namespace, message.as_bytes()));
        let public = self.pair.public_key().as_ref().try_into().unwrap();
        armour(&encode_ed25519(public, namespace, signature.as_ref().try_into().unwrap()))
    }

    /// An approval.
    pub fn sign(&self, message: &str) -> String {
        self.sign_as(NAMESPACE_CHANGE, message)
    }
}

/// A set of these people.
pub fn set(name: &str, version: u64, threshold: u32, people: &[&Person]) -> ApproverSet {
    ApproverSet::new(name, version, threshold, people.iter().map(|person| person.approver.clone()).collect())
}

/// Stores a set as it is.
pub async fn store(db: &Db, set: &ApproverSet) {
    let document = serde_json::to_string(set).unwrap();
    let new = NewApproverSet { set, document: &document, rotation: None, imported_by: "test", now: Wall(1) };
    let mut tx = db.begin().await.unwrap();
    approvers::add(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
}

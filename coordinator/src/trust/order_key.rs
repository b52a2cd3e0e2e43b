//! The coordinator's order key: an Ed25519 key in one file, whose public half hosts learn when they enrol. Every order is
//! signed with it, so that whoever has only the host's connection cannot order anything. It proves the coordinator, not an
//! approval: approvers sign with keys of their own.

use super::TrustError;
use engine::proof::{ORDER_KEY_BYTES, order_signing_bytes};
use rcgen::{KeyPair, PublicKeyData, SigningKey};

/// The key, opened.
pub struct OrderKey {
    pair: KeyPair,
    public: [u8; ORDER_KEY_BYTES],
}

impl std::fmt::Debug for OrderKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OrderKey").finish_non_exhaustive()
    }
}

impl OrderKey {
    /// A fresh key, PEM.
    pub(super) fn make() -> Result<String, TrustError> {
        KeyPair::generate_for(&rcgen::PKCS_ED25519)
            .map(|pair| pair.serialize_pem())
            .map_err(|error| TrustError::Crypto { action: "make the order key", detail: error.to_string() })
    }

    /// The key of a PEM text; the error says what is wrong with it.
    pub(super) fn read(pem: &str) -> Result<Self, String> {
        let pair = KeyPair::from_pem(pem).map_err(|error| error.to_string())?;
        let public = pair.der_bytes().try_into().map_err(|_| "is no Ed25519 key".to_owned())?;
        Ok(Self { pair, public })
    }

    /// What hosts keep.
    #[must_use]
    pub fn public(&self) -> [u8; ORDER_KEY_BYTES] {
        self.public
    }

    /// Signs one order under one release.
    pub fn sign(&self, order_json: &[u8], manifest: &[u8]) -> Result<Vec<u8>, TrustError> {
        let failed =
            |error: rcgen::Error| TrustError::Crypto { action: "sign an order", detail: error.to_string() };
        self.pair.sign(&order_signing_bytes(order_json, manifest)).map_err(failed)
    }
}

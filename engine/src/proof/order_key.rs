//! The coordinator's own signature over an order and its manifest. Must not sign; the coordinator does.

use model::{ReleaseProof, Unproven, UnprovenKind};
use ring::signature::{ED25519, UnparsedPublicKey};
use sha2::{Digest, Sha256};

/// Bytes of the public half of an order key (Ed25519).
pub const ORDER_KEY_BYTES: usize = 32;
/// What the signed bytes begin with: no other signature of that key can be taken for one of an order.
const CONTEXT: &[u8] = b"pointsman-order-v1\0";

/// What the order key signs.
#[must_use]
pub fn order_signing_bytes(order_json: &[u8], manifest: &[u8]) -> Vec<u8> {
    let mut bytes = CONTEXT.to_vec();
    bytes.extend_from_slice(&Sha256::digest(order_json));
    bytes.extend_from_slice(&Sha256::digest(manifest));
    bytes
}

/// Whether the coordinator that holds this key sent exactly these bytes; asked before anything is parsed.
pub fn check_order_signature(
    key: &[u8; ORDER_KEY_BYTES],
    order_json: &[u8],
    proof: Option<&ReleaseProof>,
) -> Result<(), Unproven> {
    let unproven = |detail: &str| Unproven {
        kind: UnprovenKind::CoordinatorSignature,
        detail: format!("{detail}; if the coordinator was set up anew, enrol this host again"),
    };
    let proof = proof.ok_or_else(|| unproven("the order came without the coordinator's signature"))?;
    let signed = order_signing_bytes(order_json, &proof.manifest);
    UnparsedPublicKey::new(&ED25519, key)
        .verify(&signed, &proof.coordinator_signature)
        .map_err(|_| unproven("the order was not signed by the coordinator this host enrolled with"))
}

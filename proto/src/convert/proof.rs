//! What proves an order, and the approver sets that are offered. Bytes stay bytes here: they are
//! verified before anybody parses them.

use super::document::order_to_bytes;
use super::error::{WireError, check_size, cut_text, short_text};
use crate::{DOCUMENT_BYTES_MAX, v1};
use model::{
    Generation, MANIFEST_BYTES_MAX, Order, PATH_STEPS_MAX, ReleaseProof, SHA256_BYTES, SIGNATURE_BYTES_MAX,
    SIGNATURES_MAX, Sha256Hash,
};

/// Bytes of an Ed25519 signature.
const ED25519_SIGNATURE_BYTES: usize = 64;

/// An order as it travels: exact bytes, and what proves them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedOrder {
    /// `model::Order` as JSON, not parsed yet.
    pub order_json: Vec<u8>,
    /// The proof, when there is one.
    pub proof: Option<ReleaseProof>,
}

impl OfferedOrder {
    /// An order that nothing proves.
    pub fn without_proof(order: &Order) -> Result<Self, WireError> {
        Ok(Self { order_json: order_to_bytes(order)?, proof: None })
    }
}

/// What became of an offered approver set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAck {
    /// The version the host holds now; 0 for none.
    pub version: u64,
    /// Why the offered one was refused.
    pub refused: Option<String>,
}

impl TryFrom<v1::OrderOffer> for OfferedOrder {
    type Error = WireError;

    fn try_from(wire: v1::OrderOffer) -> Result<Self, WireError> {
        let v1::OrderOffer { order_json, proof } = wire;
        check_size("order_json", order_json.len(), DOCUMENT_BYTES_MAX)?;
        Ok(Self { order_json, proof: proof.map(ReleaseProof::try_from).transpose()? })
    }
}

impl TryFrom<OfferedOrder> for v1::OrderOffer {
    type Error = WireError;

    fn try_from(offered: OfferedOrder) -> Result<Self, WireError> {
        let OfferedOrder { order_json, proof } = offered;
        check_size("order_json", order_json.len(), DOCUMENT_BYTES_MAX)?;
        Ok(Self { order_json, proof: proof.map(v1::Proof::try_from).transpose()? })
    }
}

fn check_lists(manifest: &[u8], signatures: &[Vec<u8>], coordinator: &[u8]) -> Result<(), WireError> {
    check_size("manifest", manifest.len(), MANIFEST_BYTES_MAX)?;
    let count = u32::try_from(signatures.len()).unwrap_or(u32::MAX);
    if signatures.len() > SIGNATURES_MAX {
        let limit = u32::try_from(SIGNATURES_MAX).unwrap_or(u32::MAX);
        return Err(WireError::OutOfRange { field: "signatures", number: count, limit });
    }
    signatures.iter().try_for_each(|one| check_size("signatures", one.len(), SIGNATURE_BYTES_MAX))?;
    check_size("coordinator_signature", coordinator.len(), ED25519_SIGNATURE_BYTES)
}

impl TryFrom<v1::Proof> for ReleaseProof {
    type Error = WireError;

    fn try_from(wire: v1::Proof) -> Result<Self, WireError> {
        let v1::Proof { manifest, signatures, parent, wave, leaf_index, path, coordinator_signature } = wire;
        check_lists(&manifest, &signatures, &coordinator_signature)?;
        check_size("path", path.len(), PATH_STEPS_MAX * SHA256_BYTES)?;
        let (hashes, rest) = path.as_chunks::<SHA256_BYTES>();
        if !rest.is_empty() {
            let text = format!("{} bytes", path.len());
            return Err(WireError::NotThat { field: "path", text, what: "row of hashes" });
        }
        let path = hashes.iter().copied().map(Sha256Hash).collect();
        let parent = Generation(parent);
        Ok(Self { manifest, signatures, parent, wave, leaf_index, path, coordinator_signature })
    }
}

impl TryFrom<ReleaseProof> for v1::Proof {
    type Error = WireError;

    fn try_from(proof: ReleaseProof) -> Result<Self, WireError> {
        let ReleaseProof { manifest, signatures, parent, wave, leaf_index, path, coordinator_signature } =
            proof;
        check_lists(&manifest, &signatures, &coordinator_signature)?;
        check_size("path", path.len() * SHA256_BYTES, PATH_STEPS_MAX * SHA256_BYTES)?;
        let path = path.iter().flat_map(|hash| hash.0).collect();
        Ok(Self { manifest, signatures, parent: parent.0, wave, leaf_index, path, coordinator_signature })
    }
}

impl TryFrom<v1::ApproverSetAck> for SetAck {
    type Error = WireError;

    fn try_from(wire: v1::ApproverSetAck) -> Result<Self, WireError> {
        let v1::ApproverSetAck { version, refused } = wire;
        let refused = short_text("refused", refused)?;
        Ok(Self { version, refused: (!refused.is_empty()).then_some(refused) })
    }
}

impl From<SetAck> for v1::ApproverSetAck {
    fn from(ack: SetAck) -> Self {
        let SetAck { version, refused } = ack;
        Self { version, refused: refused.map(cut_text).unwrap_or_default() }
    }
}

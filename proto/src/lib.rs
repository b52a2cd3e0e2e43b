//! The wire between agent and coordinator: generated messages and their conversions to `model`.
//!
//! Owns: the generated code ([`v1`]), the checked forms of every message ([`convert`]), the limits
//! and the protocol version. Must not: open connections or decide anything. Called by the agent's
//! link and the coordinator's fleet, the only places where the generated types may be named.
#![warn(missing_docs)]

mod codec;
pub mod convert;

pub use codec::SmallCodec;

/// Generated messages, client and server of `pointsman.v1`.
#[expect(missing_docs, clippy::too_many_lines, reason = "generated; the .proto file carries the comments")]
pub mod v1 {
    tonic::include_proto!("pointsman.v1");
}

impl std::fmt::Debug for v1::EnrolRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnrolRequest").field("host_id", &self.host_id).finish_non_exhaustive()
    }
}

/// Oldest protocol version this build speaks.
pub const PROTOCOL_MIN: u32 = 1;
/// Newest protocol version this build speaks.
pub const PROTOCOL_MAX: u32 = 1;
/// Largest JSON document inside a message (order, observation, outcome, drift report), in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 256 * 1024;
/// Largest proof beside an order, in bytes: manifest, signatures, path.
pub const PROOF_BYTES_MAX: usize = model::MANIFEST_BYTES_MAX
    + model::SIGNATURES_MAX * model::SIGNATURE_BYTES_MAX
    + model::PATH_STEPS_MAX * model::SHA256_BYTES;
/// Largest message on the wire, in bytes: a document, the proof of an order, and the envelope.
pub const MESSAGE_BYTES_MAX: usize = DOCUMENT_BYTES_MAX + PROOF_BYTES_MAX + 4 * 1024;
/// Largest certificate request or certificate text, in bytes.
pub const PEM_BYTES_MAX: usize = 16 * 1024;

/// What a receipt is signed under, so that no other signature of the same key can be taken for one.
const RECEIPT_CONTEXT: &[u8] = b"pointsman-receipt-v1\0";
/// Largest signature of a receipt, in bytes: ECDSA P-384 in DER has at most 104.
pub const RECEIPT_BYTES_MAX: usize = 128;

/// The bytes a host signs for an outcome: the context, then the outcome exactly as it travels.
#[must_use]
pub fn receipt_message(outcome_json: &[u8]) -> Vec<u8> {
    [RECEIPT_CONTEXT, outcome_json].concat()
}

/// The newest protocol version both sides speak; `None` when the ranges do not meet.
#[must_use]
pub fn agree_protocol(other_min: u32, other_max: u32) -> Option<u32> {
    let newest = PROTOCOL_MAX.min(other_max);
    (newest >= PROTOCOL_MIN.max(other_min)).then_some(newest)
}

/// How large an agent's message is on the wire, in bytes.
#[must_use]
pub fn wire_bytes(message: &v1::AgentMessage) -> usize {
    prost::Message::encoded_len(message)
}

//! Documents inside messages: `model` types as JSON, and the hash of an observation.

use super::error::{WireError, check_size};
use crate::DOCUMENT_BYTES_MAX;
use model::{ObservedNetwork, Order, Wall};
use sha2::{Digest, Sha256};

/// Writes a document; refuses what the other side would refuse.
pub(super) fn to_json<T: serde::Serialize>(field: &'static str, value: &T) -> Result<Vec<u8>, WireError> {
    let json = serde_json::to_vec(value).map_err(|source| WireError::Unwritable { field, source })?;
    check_size(field, json.len(), DOCUMENT_BYTES_MAX)?;
    Ok(json)
}

/// Reads a document within the size limit; trailing bytes are refused.
pub(super) fn from_json<T: serde::de::DeserializeOwned>(
    field: &'static str,
    json: &[u8],
) -> Result<T, WireError> {
    check_size(field, json.len(), DOCUMENT_BYTES_MAX)?;
    serde_json::from_slice(json).map_err(|source| WireError::Malformed { field, source })
}

/// The canonical bytes of an order: what is sent, stored, and later signed.
pub fn order_to_bytes(order: &Order) -> Result<Vec<u8>, WireError> {
    to_json("order_json", order)
}

/// The order in these bytes.
pub fn order_from_bytes(bytes: &[u8]) -> Result<Order, WireError> {
    from_json("order_json", bytes)
}

/// SHA-256 in lower-case hexadecimal over the observation's JSON with its time set to 0, so that
/// two readings of an unchanged host have the same hash.
pub fn content_hash(observed: &ObservedNetwork) -> Result<String, WireError> {
    let timeless = ObservedNetwork { taken_at: Wall(0), ..observed.clone() };
    let json = serde_json::to_vec(&timeless)
        .map_err(|source| WireError::Unwritable { field: "network_json", source })?;
    Ok(hexadecimal(&Sha256::digest(&json)))
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0x0f)]])
        .map(char::from)
        .collect()
}

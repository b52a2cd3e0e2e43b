//! From the bytes of an order to the order. Must not judge whether the host may take it.

use super::ContentHash;
use model::{ApplyOutcome, ChangeId, Generation, Order, OutcomeKind, RefusalReason};
use sha2::{Digest, Sha256};

/// Why bytes are not an order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the order cannot be understood: {detail}")]
pub struct UnreadableOrder {
    /// The change, when at least that can be read.
    pub change: Option<ChangeId>,
    /// The generation, when at least that can be read.
    pub generation: Option<Generation>,
    /// What is wrong.
    pub detail: String,
}

impl UnreadableOrder {
    /// The refusal to report, when the order told what it is about.
    #[must_use]
    pub fn refusal(&self) -> Option<ApplyOutcome> {
        let reason = RefusalReason::Malformed { detail: self.detail.clone() };
        Some(ApplyOutcome {
            change: self.change.clone()?,
            generation: self.generation?,
            kind: OutcomeKind::Refused(reason),
            steps_run: 0,
            esxcli_calls: 0,
            approval: None,
        })
    }
}

/// Parses an order; unknown fields are refused, so that nothing wanted is silently left out.
pub fn read_order(bytes: &[u8]) -> Result<Order, UnreadableOrder> {
    serde_json::from_slice(bytes).map_err(|error| {
        let value: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
        let part = |key: &str| value.get(key).cloned().unwrap_or_default();
        UnreadableOrder {
            change: serde_json::from_value(part("change")).ok(),
            generation: serde_json::from_value(part("generation")).ok(),
            detail: error.to_string(),
        }
    })
}

/// What makes two orders of one generation the same: SHA-256 over their canonical form.
#[must_use]
pub fn content_hash(order: &Order) -> ContentHash {
    // An order is plain data with text keys: writing it as JSON cannot fail, and an empty text
    // would only make the hash equal for orders that cannot be told apart anyway.
    let canonical = serde_json::to_vec(order).unwrap_or_default();
    let hash = Sha256::digest(&canonical);
    ContentHash(hash.iter().map(|byte| format!("{byte:02x}")).collect())
}

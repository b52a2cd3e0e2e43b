//! From the bytes of an order to the order. Must not judge whether the host may take it.

use super::ContentHash;
use model::{ApplyOutcome, ChangeId, Generation, Order, OutcomeKind, RefusalReason, Unproven};
use sha2::{Digest, Sha256};

/// Why bytes are not taken for an order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the order is not read: {detail}")]
pub struct UnreadableOrder {
    /// The change, when at least that can be read.
    pub change: Option<ChangeId>,
    /// The generation, when at least that can be read.
    pub generation: Option<Generation>,
    /// What is wrong, in words.
    pub detail: String,
    /// What is wrong.
    pub reason: Box<RefusalReason>,
}

impl UnreadableOrder {
    /// The bytes were refused before they were read; only what names the order in the answer is looked for.
    #[must_use]
    pub fn refused(bytes: &[u8], detail: String, reason: RefusalReason) -> Self {
        let value: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
        let part = |key: &str| value.get(key).cloned().unwrap_or_default();
        Self {
            change: serde_json::from_value(part("change")).ok(),
            generation: serde_json::from_value(part("generation")).ok(),
            detail,
            reason: Box::new(reason),
        }
    }

    /// The bytes were not signed by the coordinator of this host.
    #[must_use]
    pub fn unproven(bytes: &[u8], unproven: Unproven) -> Self {
        Self::refused(bytes, unproven.to_string(), RefusalReason::Unproven(unproven))
    }

    /// The refusal to report, when the order told what it is about.
    #[must_use]
    pub fn refusal(&self) -> Option<ApplyOutcome> {
        let reason = (*self.reason).clone();
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
        let detail = error.to_string();
        UnreadableOrder::refused(bytes, detail.clone(), RefusalReason::Malformed { detail })
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

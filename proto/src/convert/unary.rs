//! The confirmation: a call beside the stream.

use super::error::{WireError, cut_text, short_text};
use super::from_agent::change;
use crate::v1;
use model::{ChangeId, Generation, PlanDigest};

/// A host asks, over a new connection, whether its change stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmQuestion {
    /// The change.
    pub change: ChangeId,
    /// The generation of the order.
    pub generation: Generation,
    /// Digest of the plan that was applied.
    pub plan_digest: PlanDigest,
}

/// The answer to a confirm question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Commit.
    Confirmed,
    /// Roll back now.
    Withdrawn {
        /// Why, in words for an operator.
        reason: String,
    },
}

impl TryFrom<v1::ConfirmRequest> for ConfirmQuestion {
    type Error = WireError;

    fn try_from(wire: v1::ConfirmRequest) -> Result<Self, WireError> {
        let v1::ConfirmRequest { change_id, generation, plan_digest } = wire;
        Ok(Self {
            change: change("change_id", change_id)?,
            generation: Generation(generation),
            plan_digest: PlanDigest(short_text("plan_digest", plan_digest)?),
        })
    }
}

impl From<ConfirmQuestion> for v1::ConfirmRequest {
    fn from(question: ConfirmQuestion) -> Self {
        let ConfirmQuestion { change, generation, plan_digest } = question;
        Self { change_id: change.into(), generation: generation.0, plan_digest: plan_digest.0 }
    }
}

impl TryFrom<v1::ConfirmResponse> for Verdict {
    type Error = WireError;

    fn try_from(wire: v1::ConfirmResponse) -> Result<Self, WireError> {
        use v1::confirm_response::Verdict as Wire;
        let v1::ConfirmResponse { verdict } = wire;
        Ok(match verdict.ok_or(WireError::Missing { field: "verdict" })? {
            Wire::Confirmed(v1::Confirmed {}) => Self::Confirmed,
            Wire::Withdrawn(v1::Withdrawn { reason }) => {
                Self::Withdrawn { reason: short_text("reason", reason)? }
            }
        })
    }
}

impl From<Verdict> for v1::ConfirmResponse {
    fn from(verdict: Verdict) -> Self {
        use v1::confirm_response::Verdict as Wire;
        let verdict = match verdict {
            Verdict::Confirmed => Wire::Confirmed(v1::Confirmed {}),
            Verdict::Withdrawn { reason } => Wire::Withdrawn(v1::Withdrawn { reason: cut_text(reason) }),
        };
        Self { verdict: Some(verdict) }
    }
}

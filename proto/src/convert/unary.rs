//! The two calls beside the stream: enrolment and confirmation.

use super::error::{WireError, check_size, cut_text, short_text};
use super::from_agent::change;
use crate::{PEM_BYTES_MAX, v1};
use model::{ChangeId, Generation, HostId, PlanDigest};

/// Bytes of the public half of an order key (Ed25519).
pub const ORDER_KEY_BYTES: usize = 32;

/// A host asks for its certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct EnrolQuestion {
    /// One-time token; a secret.
    pub token: String,
    /// The host the token was made for.
    pub host: HostId,
    /// PKCS#10 request, PEM.
    pub csr_pem: String,
}

impl std::fmt::Debug for EnrolQuestion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { token: _, host, csr_pem: _ } = self;
        f.debug_struct("EnrolQuestion").field("host", host).finish_non_exhaustive()
    }
}

/// The certificate a host gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolAnswer {
    /// The host's certificate, PEM.
    pub certificate_pem: String,
    /// The authority, PEM.
    pub ca_pem: String,
    /// Public half of the coordinator's order key; none when it signs no orders.
    pub order_key: Option<[u8; ORDER_KEY_BYTES]>,
}

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

impl TryFrom<v1::EnrolRequest> for EnrolQuestion {
    type Error = WireError;

    fn try_from(wire: v1::EnrolRequest) -> Result<Self, WireError> {
        let v1::EnrolRequest { token, host_id, csr_pem } = wire;
        check_size("csr_pem", csr_pem.len(), PEM_BYTES_MAX)?;
        let host = short_text("host_id", host_id)?;
        Ok(Self {
            token: short_text("token", token)?,
            host: HostId::new(host).map_err(|source| WireError::Id { field: "host_id", source })?,
            csr_pem,
        })
    }
}

impl From<EnrolQuestion> for v1::EnrolRequest {
    fn from(question: EnrolQuestion) -> Self {
        let EnrolQuestion { token, host, csr_pem } = question;
        Self { token, host_id: host.into(), csr_pem }
    }
}

impl TryFrom<v1::EnrolResponse> for EnrolAnswer {
    type Error = WireError;

    fn try_from(wire: v1::EnrolResponse) -> Result<Self, WireError> {
        let v1::EnrolResponse { certificate_pem, ca_pem, order_key } = wire;
        check_size("certificate_pem", certificate_pem.len(), PEM_BYTES_MAX)?;
        check_size("ca_pem", ca_pem.len(), PEM_BYTES_MAX)?;
        let order_key = match order_key.as_slice() {
            [] => None,
            bytes => Some(bytes.try_into().map_err(|_| WireError::NotThat {
                field: "order_key",
                text: format!("{} bytes", bytes.len()),
                what: "Ed25519 public key",
            })?),
        };
        Ok(Self { certificate_pem, ca_pem, order_key })
    }
}

impl From<EnrolAnswer> for v1::EnrolResponse {
    fn from(answer: EnrolAnswer) -> Self {
        let EnrolAnswer { certificate_pem, ca_pem, order_key } = answer;
        let order_key = order_key.map(Vec::from).unwrap_or_default();
        Self { certificate_pem, ca_pem, order_key }
    }
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

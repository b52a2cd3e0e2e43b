//! The calls by which a host gets and keeps its certificate: enrolment, renewal, recovery.

use super::error::{WireError, check_size, short_text};
use crate::{PEM_BYTES_MAX, v1};
use model::HostId;
use std::time::Duration;

/// Longest wait a coordinator may ask for before the next try.
const RETRY_MAX: Duration = Duration::from_secs(600);

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
    /// System UUID; empty when the host does not tell.
    pub system_uuid: String,
}

impl std::fmt::Debug for EnrolQuestion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { token: _, host, csr_pem: _, system_uuid: _ } = self;
        f.debug_struct("EnrolQuestion").field("host", host).finish_non_exhaustive()
    }
}

/// The certificate a host gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolAnswer {
    /// The host's certificate, PEM, leaf first.
    pub certificate_pem: String,
    /// The authority, PEM.
    pub ca_pem: String,
    /// Public half of the coordinator's order key; none when it signs no orders.
    pub order_key: Option<[u8; ORDER_KEY_BYTES]>,
}

/// What became of a request to enrol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnrolReply {
    /// The certificate.
    Certified(EnrolAnswer),
    /// An operator must approve the key first.
    Pending {
        /// SHA-256 of the public key, lower-case hexadecimal.
        fingerprint: String,
        /// Ask again after this time.
        retry: Duration,
    },
}

/// A host whose certificate ran out answers a challenge, or asks for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoverQuestion {
    /// The host it says it is.
    pub host: HostId,
    /// PKCS#10 request with the challenge as its common name, PEM; `None` asks for a challenge.
    pub csr_pem: Option<String>,
    /// How often the host recovered, by its own memory.
    pub join_count: u64,
    /// Made by the host for this recovery.
    pub join_id: String,
    /// System UUID; empty when the host does not tell.
    pub system_uuid: String,
}

/// The answer to a [`RecoverQuestion`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecoverReply {
    /// To be signed.
    Challenge(String),
    /// The certificate.
    Certified {
        /// The host's certificate, PEM, leaf first.
        certificate_pem: String,
        /// What the host must remember now.
        join_count: u64,
    },
}

fn pem(field: &'static str, text: String) -> Result<String, WireError> {
    check_size(field, text.len(), PEM_BYTES_MAX)?;
    Ok(text)
}

fn host(text: String) -> Result<HostId, WireError> {
    let text = short_text("host_id", text)?;
    HostId::new(text).map_err(|source| WireError::Id { field: "host_id", source })
}

impl TryFrom<v1::EnrolRequest> for EnrolQuestion {
    type Error = WireError;

    fn try_from(wire: v1::EnrolRequest) -> Result<Self, WireError> {
        let v1::EnrolRequest { token, host_id, csr_pem, system_uuid } = wire;
        Ok(Self {
            csr_pem: pem("csr_pem", csr_pem)?,
            host: host(host_id)?,
            token: short_text("token", token)?,
            system_uuid: short_text("system_uuid", system_uuid)?,
        })
    }
}

impl From<EnrolQuestion> for v1::EnrolRequest {
    fn from(question: EnrolQuestion) -> Self {
        let EnrolQuestion { token, host, csr_pem, system_uuid } = question;
        Self { token, host_id: host.into(), csr_pem, system_uuid }
    }
}

impl TryFrom<v1::EnrolResponse> for EnrolReply {
    type Error = WireError;

    fn try_from(wire: v1::EnrolResponse) -> Result<Self, WireError> {
        let v1::EnrolResponse { certificate_pem, ca_pem, order_key, pending } = wire;
        if let Some(v1::EnrolPending { fingerprint, retry_ms }) = pending {
            let retry = Duration::from_millis(u64::from(retry_ms)).min(RETRY_MAX);
            return Ok(Self::Pending { fingerprint: short_text("fingerprint", fingerprint)?, retry });
        }
        let order_key = match order_key.as_slice() {
            [] => None,
            bytes => Some(bytes.try_into().map_err(|_| WireError::NotThat {
                field: "order_key",
                text: format!("{} bytes", bytes.len()),
                what: "Ed25519 public key",
            })?),
        };
        Ok(Self::Certified(EnrolAnswer {
            order_key,
            certificate_pem: pem("certificate_pem", certificate_pem)?,
            ca_pem: pem("ca_pem", ca_pem)?,
        }))
    }
}

impl From<EnrolReply> for v1::EnrolResponse {
    fn from(reply: EnrolReply) -> Self {
        match reply {
            EnrolReply::Certified(EnrolAnswer { certificate_pem, ca_pem, order_key }) => {
                let order_key = order_key.map(|key| key.to_vec()).unwrap_or_default();
                Self { certificate_pem, ca_pem, order_key, pending: None }
            }
            EnrolReply::Pending { fingerprint, retry } => {
                let retry_ms = u32::try_from(retry.as_millis()).unwrap_or(u32::MAX);
                let pending = Some(v1::EnrolPending { fingerprint, retry_ms });
                Self { pending, ..Self::default() }
            }
        }
    }
}

/// The request of a renewal.
pub fn renewal_from_wire(wire: v1::RenewRequest) -> Result<String, WireError> {
    let v1::RenewRequest { csr_pem } = wire;
    pem("csr_pem", csr_pem)
}

/// The certificate of a renewal.
pub fn renewed_from_wire(wire: v1::RenewResponse) -> Result<String, WireError> {
    let v1::RenewResponse { certificate_pem } = wire;
    pem("certificate_pem", certificate_pem)
}

impl TryFrom<v1::RecoverRequest> for RecoverQuestion {
    type Error = WireError;

    fn try_from(wire: v1::RecoverRequest) -> Result<Self, WireError> {
        let v1::RecoverRequest { host_id, csr_pem, join_count, join_id, system_uuid } = wire;
        Ok(Self {
            host: host(host_id)?,
            csr_pem: Some(pem("csr_pem", csr_pem)?).filter(|text| !text.is_empty()),
            join_count,
            join_id: short_text("join_id", join_id)?,
            system_uuid: short_text("system_uuid", system_uuid)?,
        })
    }
}

impl From<RecoverQuestion> for v1::RecoverRequest {
    fn from(question: RecoverQuestion) -> Self {
        let RecoverQuestion { host, csr_pem, join_count, join_id, system_uuid } = question;
        let csr_pem = csr_pem.unwrap_or_default();
        Self { host_id: host.into(), csr_pem, join_count, join_id, system_uuid }
    }
}

impl TryFrom<v1::RecoverResponse> for RecoverReply {
    type Error = WireError;

    fn try_from(wire: v1::RecoverResponse) -> Result<Self, WireError> {
        let v1::RecoverResponse { challenge, certificate_pem, join_count } = wire;
        if !challenge.is_empty() {
            return Ok(Self::Challenge(short_text("challenge", challenge)?));
        }
        if certificate_pem.is_empty() {
            return Err(WireError::Missing { field: "certificate_pem" });
        }
        Ok(Self::Certified { certificate_pem: pem("certificate_pem", certificate_pem)?, join_count })
    }
}

impl From<RecoverReply> for v1::RecoverResponse {
    fn from(reply: RecoverReply) -> Self {
        match reply {
            RecoverReply::Challenge(challenge) => Self { challenge, ..Self::default() },
            RecoverReply::Certified { certificate_pem, join_count } => {
                Self { challenge: String::new(), certificate_pem, join_count }
            }
        }
    }
}

#[cfg(test)]
mod tests;

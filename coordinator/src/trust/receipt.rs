//! Receipts of hosts: the end of an order, signed by the key of the host's certificate.
//!
//! Owns: what a receipt is and its check. Must not: know what the end means, or open anything. Called by `fleet` before
//! an outcome is decoded, by the store, and by the offline verification of the audit trail.

use super::peer::{self, HostChain, PeerError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use model::{HostId, KeyFingerprint, Millis};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ED25519, UnparsedPublicKey, VerificationAlgorithm,
};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, server::VerifierBuilderError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A receipt that was checked when it arrived is written down within this time.
const STORED_WITHIN: Millis = Millis(10 * 60 * 1000);
/// Public keys as certificates hold them, in bytes: each kind has a length of its own.
const P256_POINT_BYTES: usize = 65;
const P384_POINT_BYTES: usize = 97;
const ED25519_KEY_BYTES: usize = 32;

/// What a host signed, with all that is needed to check it without a coordinator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The end as it travelled.
    pub outcome_json: Vec<u8>,
    /// The signature over it.
    pub signature: Vec<u8>,
    /// The host's certificate, with those of who signed it.
    pub certificate: HostChain,
}

/// Why a receipt proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// There is none.
    #[error("the host did not sign it: update the agent")]
    Missing,
    /// The certificate cannot be read or names no host.
    #[error("its certificate cannot be used: {0}")]
    Certificate(#[from] PeerError),
    /// The certificate is another host's.
    #[error("its certificate is of host {found}, not of {wanted}")]
    OtherHost {
        /// The host it should be of.
        wanted: HostId,
        /// The host it names.
        found: HostId,
    },
    /// A key of a kind that no authority of ours certifies.
    #[error("its certificate has a key of {bytes} bytes, which is no kind we use")]
    UnknownKey {
        /// Length of the key.
        bytes: usize,
    },
    /// Another key made it, or the outcome was changed.
    #[error("the signature does not fit the outcome and the host's key")]
    Signature,
    /// No authority that is trusted made the certificate.
    #[error("its certificate is not of the authority: {0}")]
    Authority(String),
}

impl ReceiptError {
    /// The word for programs.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Missing => "receipt_missing",
            Self::Certificate(_) => "receipt_certificate",
            Self::OtherHost { .. } => "receipt_other_host",
            Self::UnknownKey { .. } => "receipt_unknown_key",
            Self::Signature => "receipt_signature",
            Self::Authority(_) => "receipt_authority",
        }
    }
}

impl Receipt {
    /// Checks the signature by the certificate's key. Whose certificate it is, is another question.
    pub fn check_signature(&self) -> Result<(), ReceiptError> {
        let Self { outcome_json, signature, certificate } = self;
        if signature.is_empty() {
            return Err(ReceiptError::Missing);
        }
        let key = peer::public_key(certificate.host())?;
        let algorithm: &dyn VerificationAlgorithm = match key.len() {
            P256_POINT_BYTES => &ECDSA_P256_SHA256_ASN1,
            P384_POINT_BYTES => &ECDSA_P384_SHA384_ASN1,
            ED25519_KEY_BYTES => &ED25519,
            bytes => return Err(ReceiptError::UnknownKey { bytes }),
        };
        UnparsedPublicKey::new(algorithm, &key)
            .verify(&proto::receipt_message(outcome_json), signature)
            .map_err(|_| ReceiptError::Signature)
    }

    /// The key that signed it.
    pub fn key(&self) -> Result<KeyFingerprint, ReceiptError> {
        Ok(peer::key_of(self.certificate.host())?)
    }

    /// Checks that the certificate names this host, whatever its trust domain.
    pub fn check_host(&self, wanted: &HostId) -> Result<(), ReceiptError> {
        let found = peer::host_in_any_domain(self.certificate.host())?;
        if found != *wanted {
            return Err(ReceiptError::OtherHost { wanted: wanted.clone(), found });
        }
        Ok(())
    }
}

/// A receipt as text: in the database, in the audit trail, and in an export of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The end as it travelled: JSON text.
    pub signed_outcome: String,
    /// The signature, base64.
    pub receipt: String,
    /// The host's certificate and those of who signed it, DER in base64, a space between.
    pub certificate: String,
}

impl From<&Receipt> for Evidence {
    fn from(receipt: &Receipt) -> Self {
        let Receipt { outcome_json, signature, certificate } = receipt;
        Self {
            // It was read as JSON, so it is UTF-8.
            signed_outcome: String::from_utf8_lossy(outcome_json).into_owned(),
            receipt: BASE64.encode(signature),
            certificate: certificate.all().iter().map(|one| BASE64.encode(one)).collect::<Vec<_>>().join(" "),
        }
    }
}

impl TryFrom<&Evidence> for Receipt {
    type Error = ReceiptError;

    fn try_from(evidence: &Evidence) -> Result<Self, ReceiptError> {
        let Evidence { signed_outcome, receipt, certificate } = evidence;
        let bytes = |text: &str| {
            BASE64.decode(text).map_err(|error| PeerError::Unreadable(format!("it is not base64: {error}")))
        };
        let chain = certificate.split(' ').map(|text| bytes(text).map(CertificateDer::from));
        Ok(Self {
            outcome_json: signed_outcome.clone().into_bytes(),
            signature: bytes(receipt)?,
            certificate: HostChain::new(&chain.collect::<Result<Vec<_>, _>>()?)?,
        })
    }
}

/// Authorities that an auditor trusts.
pub struct TrustedAuthorities(Arc<RootCertStore>);

impl TrustedAuthorities {
    /// These certificates, DER.
    pub fn new(certificates: &[CertificateDer<'_>]) -> Result<Self, ReceiptError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates {
            let added = roots.add(certificate.clone().into_owned());
            added.map_err(|error| ReceiptError::Authority(error.to_string()))?;
        }
        Ok(Self(Arc::new(roots)))
    }

    /// Whether one of them made the certificate of a receipt, itself or through others that came with it, and all were
    /// valid at that time: when it arrived, or [`STORED_WITHIN`] before, for it was written down a moment later.
    ///
    /// The agent signs when it sends, and a stream ends with its certificate: what arrives was signed while it was valid.
    pub fn check(&self, receipt: &Receipt, at: model::Wall) -> Result<(), ReceiptError> {
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&self.0), super::crypto())
            .build()
            .map_err(|error: VerifierBuilderError| ReceiptError::Authority(error.to_string()))?;
        let leaf = CertificateDer::from(receipt.certificate.host());
        let valid = |millis: u64| {
            let at = UnixTime::since_unix_epoch(std::time::Duration::from_millis(millis));
            verifier.verify_client_cert(&leaf, receipt.certificate.issuers(), at).map(|_| ())
        };
        valid(at.0)
            .or_else(|_| valid(at.0.saturating_sub(STORED_WITHIN.0)))
            .map_err(|error| ReceiptError::Authority(error.to_string()))
    }
}

#[cfg(test)]
mod tests;

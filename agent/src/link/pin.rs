//! Trust by fingerprint: of all that a coordinator shows, one certificate must be the pinned one, and its chain must end
//! there. For enrolment, when the host has no file of the authority yet. Must not be used afterwards.

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Digits of a fingerprint.
const FINGERPRINT_DIGITS: usize = 64;

/// The fingerprint a token ends with, when it is one of ours.
#[must_use]
pub fn of_token(token: &str) -> Option<&str> {
    let (secret, fingerprint) = token.trim().rsplit_once('-')?;
    let digits =
        fingerprint.len() == FINGERPRINT_DIGITS && fingerprint.bytes().all(|b| b.is_ascii_hexdigit());
    (digits && !secret.is_empty()).then_some(fingerprint)
}

/// Whether a certificate is the pinned one.
#[must_use]
pub fn is_pinned(certificate: &[u8], fingerprint: &str) -> bool {
    let digest = Sha256::digest(certificate);
    digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>() == fingerprint.to_ascii_lowercase()
}

/// Verifies a coordinator against a fingerprint.
#[derive(Debug)]
pub struct Pinned {
    /// SHA-256 of the authority's certificate, hexadecimal.
    pub fingerprint: String,
    /// The primitives.
    pub provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let root = intermediates.iter().find(|one| is_pinned(one, &self.fingerprint));
        let root = root.ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        let mut roots = RootCertStore::empty();
        roots.add(root.clone().into_owned())?;
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|error| Error::General(error.to_string()))?
            .verify_server_cert(leaf, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;

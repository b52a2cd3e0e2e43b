//! The host behind a certificate: exactly one name of the form `spiffe://<trust domain>/host/<id>`.
//! The chain itself was verified by TLS; this only reads names.

use model::{HostId, KeyFingerprint, Wall};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Why a certificate names no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// The certificate cannot be read.
    #[error("the certificate cannot be read: {0}")]
    Unreadable(String),
    /// Not exactly one URI among the names.
    #[error("the certificate has {0} URI names, a host certificate has one")]
    NotOneUri(usize),
    /// The URI is no host of this trust domain.
    #[error("the certificate names `{uri}`, which is no host of `{trust_domain}`")]
    ForeignName {
        /// The name, cut.
        uri: String,
        /// Our trust domain.
        trust_domain: String,
    },
    /// More certificates than a host of ours has.
    #[error("{certificates} certificates of {bytes} bytes were presented, more than a host has")]
    LongChain {
        /// How many.
        certificates: usize,
        /// Their size.
        bytes: usize,
    },
}

/// Certificates a host may present: its own and those between it and the root.
const CHAIN_CERTIFICATES_MAX: usize = 4;
/// Size of all of them, in bytes: they are kept with every receipt.
const CHAIN_BYTES_MAX: usize = 8 * 1024;

/// The certificates a host presents: its own first, then those up to the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostChain(Arc<[CertificateDer<'static>]>);

impl HostChain {
    /// These certificates, DER.
    pub fn new(chain: &[CertificateDer<'_>]) -> Result<Self, PeerError> {
        let (certificates, bytes) = (chain.len(), chain.iter().map(|one| one.len()).sum());
        if certificates > CHAIN_CERTIFICATES_MAX || bytes > CHAIN_BYTES_MAX {
            return Err(PeerError::LongChain { certificates, bytes });
        }
        Ok(Self(chain.iter().map(|one| one.clone().into_owned()).collect()))
    }

    /// The host's own certificate alone.
    #[must_use]
    pub fn leaf(der: &[u8]) -> Self {
        Self(Arc::new([CertificateDer::from(der.to_vec())]))
    }

    /// The host's own certificate, DER.
    #[must_use]
    pub fn host(&self) -> &[u8] {
        self.0.first().map_or(&[], |own| own.as_ref())
    }

    /// The certificates of those who signed, without the root's.
    #[must_use]
    pub fn issuers(&self) -> &[CertificateDer<'static>] {
        self.0.get(1..).unwrap_or_default()
    }

    /// All of them.
    pub(super) fn all(&self) -> &[CertificateDer<'static>] {
        &self.0
    }
}

/// The fingerprint of a public key in DER (SubjectPublicKeyInfo).
pub(super) fn fingerprint_of(public_key_info: &[u8]) -> KeyFingerprint {
    KeyFingerprint::from_digest(&Sha256::digest(public_key_info).into())
}

/// The proven identity of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerId {
    /// The host.
    pub host: HostId,
    /// Serial number of its certificate, hexadecimal.
    pub serial: String,
    /// Its key.
    pub key: KeyFingerprint,
    /// Until when the certificate is good.
    pub expires: Wall,
    /// The certificate: what is signed with its key is the host's own word.
    pub certificate: HostChain,
}

/// What is read from the authority's own certificate.
pub(super) struct AuthorityFacts {
    /// `None` when its names hold none.
    pub(super) trust_domain: Option<String>,
    pub(super) public_key: Vec<u8>,
}

/// How much of a foreign name is repeated, in characters.
const ECHO_CHARS_MAX: usize = 100;

/// The URI of a trust domain.
pub(super) fn domain_uri(trust_domain: &str) -> String {
    format!("spiffe://{trust_domain}")
}

/// The URI of a host.
pub(super) fn host_uri(trust_domain: &str, host: &HostId) -> String {
    format!("spiffe://{trust_domain}/host/{host}")
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, PeerError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err(PeerError::Unreadable("bytes after its end".to_owned())),
        Err(error) => Err(PeerError::Unreadable(error.to_string())),
    }
}

/// The only URI name of a certificate.
fn one_uri<'a>(certificate: &'a X509Certificate<'_>) -> Result<&'a str, PeerError> {
    let names =
        certificate.subject_alternative_name().map_err(|error| PeerError::Unreadable(error.to_string()))?;
    let uris: Vec<&str> = names
        .iter()
        .flat_map(|extension| &extension.value.general_names)
        .filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        })
        .collect();
    match uris.as_slice() {
        [uri] => Ok(uri),
        other => Err(PeerError::NotOneUri(other.len())),
    }
}

/// The public key of a certificate, as it stands there.
pub(super) fn public_key(der: &[u8]) -> Result<Vec<u8>, PeerError> {
    Ok(parse(der)?.tbs_certificate.subject_pki.subject_public_key.data.to_vec())
}

/// The fingerprint of a certificate's key.
pub(super) fn key_of(der: &[u8]) -> Result<KeyFingerprint, PeerError> {
    Ok(fingerprint_of(parse(der)?.tbs_certificate.subject_pki.raw))
}

/// The host a certificate names, of whatever trust domain: for an auditor who names the authority instead.
pub(super) fn host_in_any_domain(der: &[u8]) -> Result<HostId, PeerError> {
    let certificate = parse(der)?;
    let uri = one_uri(&certificate)?;
    let name = uri.strip_prefix("spiffe://").and_then(|rest| rest.split_once("/host/"));
    name.and_then(|(_, id)| HostId::new(id).ok()).ok_or_else(|| PeerError::ForeignName {
        uri: uri.chars().take(ECHO_CHARS_MAX).collect(),
        trust_domain: "any trust domain".to_owned(),
    })
}

/// The host a verified leaf certificate stands for.
pub fn peer_of(leaf_der: &[u8], trust_domain: &str) -> Result<PeerId, PeerError> {
    let certificate = parse(leaf_der)?;
    let uri = one_uri(&certificate)?;
    let host = uri
        .strip_prefix(domain_uri(trust_domain).as_str())
        .and_then(|rest| rest.strip_prefix("/host/"))
        .and_then(|id| HostId::new(id).ok())
        .ok_or_else(|| PeerError::ForeignName {
            uri: uri.chars().take(ECHO_CHARS_MAX).collect(),
            trust_domain: trust_domain.to_owned(),
        })?;
    let body = &certificate.tbs_certificate;
    Ok(PeerId {
        host,
        serial: body.serial.to_str_radix(16),
        key: fingerprint_of(body.subject_pki.raw),
        expires: end_of(&certificate),
        certificate: HostChain::leaf(leaf_der),
    })
}

/// The host behind the certificates that a connection was opened with, the host's own first.
pub fn peer_of_chain(chain: &[CertificateDer<'_>], trust_domain: &str) -> Result<PeerId, PeerError> {
    let certificate = HostChain::new(chain)?;
    let peer = peer_of(certificate.host(), trust_domain)?;
    Ok(PeerId { certificate, ..peer })
}

fn end_of(certificate: &X509Certificate<'_>) -> Wall {
    let secs = certificate.validity().not_after.timestamp();
    Wall(u64::try_from(secs).unwrap_or(0).saturating_mul(1000))
}

/// Until when a certificate is good.
pub(super) fn expires(der: &[u8]) -> Result<Wall, PeerError> {
    parse(der).map(|certificate| end_of(&certificate))
}

/// The certificates of a PEM text, in its order.
pub(super) fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .map(|one| one.map(CertificateDer::into_owned).map_err(|error| error.to_string()))
        .collect()
}

/// Trust domain and public key of an authority's certificate.
pub(super) fn authority_facts(der: &[u8]) -> Result<AuthorityFacts, PeerError> {
    let certificate = parse(der)?;
    let domain = one_uri(&certificate).ok().and_then(|uri| uri.strip_prefix("spiffe://"));
    let trust_domain = domain.filter(|name| !name.is_empty() && !name.contains('/')).map(str::to_owned);
    let public_key = certificate.tbs_certificate.subject_pki.subject_public_key.data.to_vec();
    Ok(AuthorityFacts { trust_domain, public_key })
}

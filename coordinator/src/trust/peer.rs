//! The host behind a certificate: exactly one name of the form `spiffe://<trust domain>/host/<id>`.
//! The chain itself was verified by TLS; this only reads names.

use model::HostId;
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
}

/// The proven identity of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerId {
    /// The host.
    pub host: HostId,
    /// Serial number of its certificate, hexadecimal.
    pub serial: String,
    /// Its certificate, DER: what it signs with the key of this certificate is its own word.
    pub certificate: Arc<[u8]>,
}

/// What is read from the authority's own certificate.
pub(super) struct AuthorityFacts {
    pub(super) trust_domain: String,
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
    let serial = certificate.tbs_certificate.serial.to_str_radix(16);
    Ok(PeerId { host, serial, certificate: leaf_der.into() })
}

/// Trust domain and public key of an authority's certificate.
pub(super) fn authority_facts(der: &[u8]) -> Result<AuthorityFacts, PeerError> {
    let certificate = parse(der)?;
    let uri = one_uri(&certificate)?;
    let trust_domain = uri
        .strip_prefix("spiffe://")
        .filter(|name| !name.is_empty() && !name.contains('/'))
        .ok_or_else(|| PeerError::Unreadable("its URI is no trust domain".to_owned()))?;
    let public_key = certificate.tbs_certificate.subject_pki.subject_public_key.data.to_vec();
    Ok(AuthorityFacts { trust_domain: trust_domain.to_owned(), public_key })
}

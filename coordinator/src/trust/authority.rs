//! The authority at work: an intermediate certificate and its key sign host certificates (client only) and the
//! coordinator's own (server only), below a root that hosts pin and that may be kept elsewhere. Its files are made and
//! opened by `keeping`.

use super::peer;
use super::{TrustError, crypto, hex, random};
use model::{HostId, KeyFingerprint, Wall};
use rcgen::{
    CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Life of the coordinator's certificate; it is made anew at every start.
const SERVER_CERTIFICATE_LIFE: Duration = Duration::from_secs(825 * 24 * 60 * 60);
/// Life of a host certificate when nothing else is set.
pub const HOST_CERTIFICATE_LIFE_DEFAULT: Duration = Duration::from_secs(24 * 60 * 60);
/// Certificates start this long before now, or a tenth of their life when that is less: clocks of hosts are not exact.
const BACKDATED_MAX: Duration = Duration::from_secs(60 * 60);
/// Serial numbers, in bytes.
const SERIAL_BYTES: usize = 16;

/// The coordinator's certificate with its key, in memory only.
pub struct ServerCertificate {
    /// Leaf first, the root last, so that a host may pin the root by its fingerprint.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key.
    pub key: PrivateKeyDer<'static>,
}

/// A host's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCertificate {
    /// PEM, leaf first, then the intermediate.
    pub chain_pem: String,
    /// Until when.
    pub expires: Wall,
}

/// What a certificate request says that matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestFacts {
    /// Its key.
    pub key: KeyFingerprint,
    /// Its common name; the answer to a challenge is here.
    pub common_name: String,
}

/// The authority, opened.
pub struct Authority {
    pub(super) issuer: Issuer<'static, KeyPair>,
    pub(super) root_pem: String,
    pub(super) root_der: CertificateDer<'static>,
    pub(super) intermediate_pem: String,
    pub(super) intermediate_der: CertificateDer<'static>,
    pub(super) trust_domain: String,
    pub(super) host_certificate_life: Duration,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("trust_domain", &self.trust_domain).finish_non_exhaustive()
    }
}

pub(super) fn crypto_failed(action: &'static str) -> impl FnOnce(rcgen::Error) -> TrustError {
    move |error| TrustError::Crypto { action, detail: error.to_string() }
}

pub(super) fn uri(what: &'static str, text: String) -> Result<SanType, TrustError> {
    let name = text.clone().try_into().map_err(|_| TrustError::BadName { what, name: text })?;
    Ok(SanType::URI(name))
}

/// Parameters every certificate starts from: a random serial, a life from now on, one name.
pub(super) fn params(common_name: &str, now: Wall, life: Duration) -> Result<CertificateParams, TrustError> {
    let mut params = CertificateParams::default();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let now = Duration::from_secs(now.0 / 1000);
    params.not_before = epoch + now.saturating_sub(BACKDATED_MAX.min(life / 10));
    params.not_after = epoch + (now + life);
    let mut serial = random::<SERIAL_BYTES>()?;
    serial[0] = (serial[0] & 0x7f) | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    params.distinguished_name = name;
    Ok(params)
}

impl Authority {
    /// Host certificates made from now on live this long.
    #[must_use]
    pub fn with_host_certificate_life(self, life: Duration) -> Self {
        Self { host_certificate_life: life, ..self }
    }

    /// The root's certificate, PEM: what hosts trust.
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// The root's certificate.
    pub fn root_der(&self) -> &CertificateDer<'static> {
        &self.root_der
    }

    /// SHA-256 of the root's certificate in lower-case hexadecimal, to pin it.
    pub fn fingerprint(&self) -> String {
        hex::text(&Sha256::digest(&self.root_der))
    }

    /// The trust domain: the first part of every host's name in its certificate.
    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// Until when the intermediate may sign.
    pub fn intermediate_expires(&self) -> Result<Wall, TrustError> {
        peer::expires(&self.intermediate_der).map_err(|error| TrustError::Unfit { detail: error.to_string() })
    }

    /// A fresh certificate for the coordinator under these DNS names and addresses.
    pub fn issue_server(&self, names: &[String], now: Wall) -> Result<ServerCertificate, TrustError> {
        let first =
            names.first().ok_or_else(|| TrustError::BadName { what: "server name", name: String::new() })?;
        let mut params = params(first, now, SERVER_CERTIFICATE_LIFE)?;
        for name in names {
            params.subject_alt_names.push(server_name(name)?);
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(crypto_failed("make a key"))?;
        let leaf = params.signed_by(&key, &self.issuer).map_err(crypto_failed("sign the server"))?;
        Ok(ServerCertificate {
            chain: vec![leaf.der().clone(), self.intermediate_der.clone(), self.root_der.clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        })
    }

    /// Signs a host's certificate request. Of the request only the key is used: its names and extensions are ignored,
    /// the certificate says what this authority says.
    pub fn sign_host_csr(
        &self,
        csr_pem: &str,
        host: &HostId,
        now: Wall,
    ) -> Result<HostCertificate, TrustError> {
        let request = read_request(csr_pem, host)?;
        let life = self.host_certificate_life;
        let mut params = params(host.as_str(), now, life)?;
        params.subject_alt_names = vec![uri("host name", peer::host_uri(&self.trust_domain, host))?];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate =
            params.signed_by(&request.public_key, &self.issuer).map_err(crypto_failed("sign the host"))?;
        let chain_pem = format!("{}{}", certificate.pem(), self.intermediate_pem);
        let expires = Wall((now.0 / 1000 + life.as_secs()) * 1000);
        Ok(HostCertificate { chain_pem, expires })
    }

    /// Checks a certificate request without signing it, so that a token is not spent on a bad one.
    pub fn check_host_csr(csr_pem: &str, host: &HostId) -> Result<RequestFacts, TrustError> {
        let request = read_request(csr_pem, host)?;
        let common_name = match request.params.distinguished_name.get(&DnType::CommonName) {
            Some(rcgen::DnValue::Utf8String(text)) => text.clone(),
            Some(rcgen::DnValue::PrintableString(text)) => text.as_str().to_owned(),
            Some(_) | None => String::new(),
        };
        Ok(RequestFacts {
            key: peer::fingerprint_of(&request.public_key.subject_public_key_info()),
            common_name,
        })
    }

    /// Signs a certificate for a host that does not exist and verifies it up to the root, as the agents' port would.
    pub(super) fn prove(&self, now: Wall) -> Result<(), TrustError> {
        let unfit = |detail: String| TrustError::Unfit { detail };
        let host = HostId::new("proof").map_err(|error| unfit(error.to_string()))?;
        let key = KeyPair::generate().map_err(crypto_failed("make a key"))?;
        let request = CertificateParams::default().serialize_request(&key).and_then(|request| request.pem());
        let request = request.map_err(crypto_failed("make a request"))?;
        let chain =
            peer::certificates(&self.sign_host_csr(&request, &host, now)?.chain_pem).map_err(unfit)?;
        let [leaf, intermediates @ ..] = chain.as_slice() else {
            return Err(unfit("no certificate".to_owned()));
        };
        let mut roots = RootCertStore::empty();
        roots.add(self.root_der.clone()).map_err(|error| unfit(error.to_string()))?;
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), crypto())
            .build()
            .map_err(|error| unfit(error.to_string()))?;
        let now = UnixTime::since_unix_epoch(Duration::from_millis(now.0));
        verifier.verify_client_cert(leaf, intermediates, now).map_err(|error| unfit(error.to_string()))?;
        peer::peer_of(leaf, &self.trust_domain).map(|_| ()).map_err(|error| unfit(error.to_string()))
    }
}

fn server_name(name: &str) -> Result<SanType, TrustError> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let bad = || TrustError::BadName { what: "server name", name: name.to_owned() };
    rustls::pki_types::DnsName::try_from(name).map_err(|_| bad())?;
    Ok(SanType::DnsName(name.try_into().map_err(|_| bad())?))
}

/// Parses a request, checks that its sender holds the key, and that the key is of a kind we use.
fn read_request(csr_pem: &str, host: &HostId) -> Result<CertificateSigningRequestParams, TrustError> {
    let bad = |detail: String| TrustError::BadRequest { host: host.clone(), detail };
    let request =
        CertificateSigningRequestParams::from_pem(csr_pem).map_err(|error| bad(error.to_string()))?;
    let algorithm = request.public_key.algorithm();
    let known = [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519];
    if !known.contains(&algorithm) {
        return Err(bad("its key is not ECDSA P-256, ECDSA P-384 or Ed25519".to_owned()));
    }
    Ok(request)
}

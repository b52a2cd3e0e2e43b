//! The built-in certificate authority: one self-signed P-256 root in two files, which signs host
//! certificates (client only) and the coordinator's own (server only). Renewal of host
//! certificates is not here yet: a host whose certificate has run out enrols again.

use super::files::{self, Audience};
use super::{TrustError, peer, random};
use model::{HostId, Wall};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

/// Certificate file of the authority.
const CERTIFICATE_FILE: &str = "ca.pem";
/// Key file of the authority.
const KEY_FILE: &str = "ca.key";
/// One day, in seconds.
const DAY_SECS: u64 = 24 * 60 * 60;
/// Life of the authority, in days.
const AUTHORITY_DAYS: u64 = 3650;
/// Life of the coordinator's certificate, in days; it is made anew at every start.
const SERVER_CERTIFICATE_DAYS: u64 = 825;
/// Life of a host certificate when nothing else is set, in days.
pub const HOST_CERTIFICATE_DAYS_DEFAULT: u64 = 30;
/// Certificates start this long before now, in seconds: clocks of hosts are not exact.
const BACKDATED_SECS: u64 = 60 * 60;
/// Serial numbers, in bytes.
const SERIAL_BYTES: usize = 16;

/// The coordinator's certificate with its key, in memory only.
pub struct ServerCertificate {
    /// Leaf first, then the authority, so that a host may pin the authority by its fingerprint.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key.
    pub key: PrivateKeyDer<'static>,
}

/// The authority, opened.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
    certificate_der: CertificateDer<'static>,
    trust_domain: String,
    host_certificate_days: u64,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("trust_domain", &self.trust_domain).finish_non_exhaustive()
    }
}

fn crypto_failed(action: &'static str) -> impl FnOnce(rcgen::Error) -> TrustError {
    move |error| TrustError::Crypto { action, detail: error.to_string() }
}

fn uri(what: &'static str, text: String) -> Result<SanType, TrustError> {
    let name = text.clone().try_into().map_err(|_| TrustError::BadName { what, name: text })?;
    Ok(SanType::URI(name))
}

fn check_trust_domain(name: &str) -> Result<(), TrustError> {
    let chars_ok = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b));
    if name.is_empty() || name.len() > 200 || !chars_ok || name.starts_with(['.', '-']) {
        return Err(TrustError::BadName { what: "trust domain", name: name.to_owned() });
    }
    Ok(())
}

/// Parameters every certificate starts from: a random serial, a life from now on, one name.
fn params(common_name: &str, now: Wall, days: u64) -> Result<CertificateParams, TrustError> {
    let mut params = CertificateParams::default();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let now_secs = now.0 / 1000;
    params.not_before = epoch + Duration::from_secs(now_secs.saturating_sub(BACKDATED_SECS));
    params.not_after = epoch + Duration::from_secs(now_secs + days * DAY_SECS);
    let mut serial = random::<SERIAL_BYTES>()?;
    serial[0] = (serial[0] & 0x7f) | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    params.distinguished_name = name;
    Ok(params)
}

impl Authority {
    /// Makes a new authority in `dir`; refuses when one of its files exists.
    pub fn create(dir: &Path, trust_domain: &str, now: Wall) -> Result<Self, TrustError> {
        check_trust_domain(trust_domain)?;
        files::make_folder(dir)?;
        let certificate_path = dir.join(CERTIFICATE_FILE);
        if certificate_path.exists() {
            return Err(TrustError::AlreadyThere { path: certificate_path });
        }
        let key = KeyPair::generate().map_err(crypto_failed("make a key"))?;
        let mut params = params(&format!("Pointsman authority of {trust_domain}"), now, AUTHORITY_DAYS)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.subject_alt_names = vec![uri("trust domain", peer::domain_uri(trust_domain))?];
        let certificate = params.self_signed(&key).map_err(crypto_failed("sign the authority"))?;
        files::create(&dir.join(KEY_FILE), key.serialize_pem().as_bytes(), Audience::Owner)?;
        files::create(&certificate_path, certificate.pem().as_bytes(), Audience::Everybody)?;
        Self::open(dir)
    }

    /// Opens the authority in `dir`; refuses a key that others may read.
    pub fn open(dir: &Path) -> Result<Self, TrustError> {
        let certificate_path = dir.join(CERTIFICATE_FILE);
        let key_path = dir.join(KEY_FILE);
        let damaged = |path: &Path, detail: String| TrustError::Damaged { path: path.to_owned(), detail };
        let key_pem = files::read_key(&key_path)?;
        let certificate_pem = files::read(&certificate_path)?;
        let key = KeyPair::from_pem(&key_pem).map_err(|error| damaged(&key_path, error.to_string()))?;
        let certificate_der = CertificateDer::from_pem_slice(certificate_pem.as_bytes())
            .map_err(|error| damaged(&certificate_path, error.to_string()))?
            .into_owned();
        let facts = peer::authority_facts(&certificate_der)
            .map_err(|error| damaged(&certificate_path, error.to_string()))?;
        if facts.public_key != key.der_bytes() {
            return Err(TrustError::NotAPair { dir: dir.to_owned() });
        }
        let issuer = Issuer::from_ca_cert_der(&certificate_der, key)
            .map_err(|error| damaged(&certificate_path, error.to_string()))?;
        Ok(Self {
            issuer,
            certificate_pem,
            certificate_der,
            trust_domain: facts.trust_domain,
            host_certificate_days: HOST_CERTIFICATE_DAYS_DEFAULT,
        })
    }

    /// Host certificates made from now on live this many days.
    #[must_use]
    pub fn with_host_certificate_days(self, days: u64) -> Self {
        Self { host_certificate_days: days, ..self }
    }

    /// The authority's certificate, PEM: what hosts trust.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The authority's certificate.
    pub fn certificate_der(&self) -> &CertificateDer<'static> {
        &self.certificate_der
    }

    /// SHA-256 of the authority's certificate in lower-case hexadecimal, to pin it.
    pub fn fingerprint(&self) -> String {
        Sha256::digest(&self.certificate_der).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The trust domain: the first part of every host's name in its certificate.
    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// A fresh certificate for the coordinator under these DNS names and addresses.
    pub fn issue_server(&self, names: &[String], now: Wall) -> Result<ServerCertificate, TrustError> {
        let first =
            names.first().ok_or_else(|| TrustError::BadName { what: "server name", name: String::new() })?;
        let mut params = params(first, now, SERVER_CERTIFICATE_DAYS)?;
        for name in names {
            params.subject_alt_names.push(server_name(name)?);
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(crypto_failed("make a key"))?;
        let leaf = params.signed_by(&key, &self.issuer).map_err(crypto_failed("sign the server"))?;
        Ok(ServerCertificate {
            chain: vec![leaf.der().clone(), self.certificate_der.clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        })
    }

    /// Signs a host's certificate request, PEM to PEM. Of the request only the key is used: its
    /// names and extensions are ignored, the certificate says what this authority says.
    pub fn sign_host_csr(&self, csr_pem: &str, host: &HostId, now: Wall) -> Result<String, TrustError> {
        let request = read_request(csr_pem, host)?;
        let mut params = params(host.as_str(), now, self.host_certificate_days)?;
        params.subject_alt_names = vec![uri("host name", peer::host_uri(&self.trust_domain, host))?];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate =
            params.signed_by(&request.public_key, &self.issuer).map_err(crypto_failed("sign the host"))?;
        Ok(certificate.pem())
    }

    /// Checks a certificate request without signing it, so that a token is not spent on a bad one.
    pub fn check_host_csr(csr_pem: &str, host: &HostId) -> Result<(), TrustError> {
        read_request(csr_pem, host).map(|_| ())
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

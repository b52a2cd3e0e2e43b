//! Identities, good and bad, and both ends of a TLS connection with them. Must not know a single attack.

use anyhow::{Context, Result};
use base64::Engine as _;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SignatureScheme};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The trust domain of a lab.
pub const DOMAIN: &str = "lab.pointsman";
/// One hour, in seconds.
pub const HOUR_SECS: i64 = 60 * 60;

/// The one set of cryptographic primitives.
pub fn crypto() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A key and its certificate chain.
pub struct Identity {
    /// Leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key.
    pub key: PrivateKeyDer<'static>,
}

impl Identity {
    /// What an agent keeps: stolen from its host.
    pub fn stolen(certificate: &Path, key: &Path) -> Result<Self> {
        let chain: Result<Vec<_>, _> =
            CertificateDer::pem_file_iter(certificate).context("no certificate to steal")?.collect();
        let key = PrivateKeyDer::from_pem_file(key).context("no key to steal")?;
        Ok(Self { chain: chain?, key })
    }

    /// Signs an outcome as the holder of this key does.
    pub fn receipt(&self, outcome_json: &[u8]) -> Result<Vec<u8>> {
        let key = crypto().key_provider.load_private_key(self.key.clone_key())?;
        let signer = key.choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256]).context("another key")?;
        Ok(signer.sign(&proto::receipt_message(outcome_json))?)
    }

    /// The key, for certificate requests.
    pub fn key_pair(&self) -> Result<KeyPair> {
        Ok(KeyPair::try_from(&self.key)?)
    }

    /// A certificate request of this key with this name, PEM.
    pub fn request(&self, common_name: &str) -> Result<String> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        Ok(params.serialize_request(&self.key_pair()?)?.pem()?)
    }

    /// A fresh key with what the coordinator certified.
    pub fn certified(chain_pem: &str, key: &KeyPair) -> Result<Self> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain_pem.as_bytes()).collect();
        Ok(Self { chain: chain?, key: PrivatePkcs8KeyDer::from(key.serialize_der()).into() })
    }

    /// The chain, PEM.
    pub fn chain_pem(&self) -> String {
        let one = |der: &CertificateDer<'_>| {
            let text = base64::engine::general_purpose::STANDARD.encode(der);
            format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
        };
        self.chain.iter().map(one).collect()
    }

    fn clone_parts(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        (self.chain.clone(), self.key.clone_key())
    }
}

/// What a certificate says.
#[derive(Debug, Clone)]
pub struct Says {
    /// URI names.
    pub uris: Vec<String>,
    /// DNS names.
    pub names: Vec<String>,
    /// For servers or for clients.
    pub usage: ExtendedKeyUsagePurpose,
    /// Its end, in seconds from now.
    pub ends_in_secs: i64,
}

impl Says {
    /// A host of the lab.
    pub fn host(name: &str) -> Self {
        Self::uri(&format!("spiffe://{DOMAIN}/host/{name}"))
    }

    /// A client with this one URI.
    pub fn uri(uri: &str) -> Self {
        Self {
            uris: vec![uri.to_owned()],
            names: Vec::new(),
            usage: ExtendedKeyUsagePurpose::ClientAuth,
            ends_in_secs: HOUR_SECS,
        }
    }

    /// The coordinator under this name.
    pub fn server(name: &str) -> Self {
        Self {
            uris: Vec::new(),
            names: vec![name.to_owned()],
            usage: ExtendedKeyUsagePurpose::ServerAuth,
            ends_in_secs: HOUR_SECS,
        }
    }
}

/// A certificate authority in the wrong hands.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// The certificate of the key that signs.
    signing: CertificateDer<'static>,
    /// The certificate that the others trust.
    pub certificate: CertificateDer<'static>,
}

impl Authority {
    /// The coordinator's own, stolen with its machine: the key it works with.
    pub fn stolen(folder: &Path) -> Result<Self> {
        let key = std::fs::read_to_string(folder.join("intermediate.key"));
        let key = KeyPair::from_pem(&key.context("no authority's key to steal")?)?;
        let signing = CertificateDer::from_pem_file(folder.join("intermediate.pem"))?;
        let certificate = CertificateDer::from_pem_file(folder.join("ca.pem"))?;
        let issuer = Issuer::from_ca_cert_der(&signing, key)?;
        Ok(Self { issuer, signing, certificate })
    }

    /// One of the attacker's own, which calls itself as the coordinator's does.
    pub fn forged() -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, format!("Pointsman authority of {DOMAIN}"));
        params.subject_alt_names = vec![SanType::URI(format!("spiffe://{DOMAIN}").try_into()?)];
        let certificate = params.self_signed(&key)?.der().clone();
        let issuer = Issuer::from_ca_cert_der(&certificate, key)?;
        Ok(Self { issuer, signing: certificate.clone(), certificate })
    }

    /// A key of the attacker's with a certificate that says this.
    pub fn issue(&self, says: &Says) -> Result<Identity> {
        self.certify(&KeyPair::generate()?, says)
    }

    /// A certificate for this key that says this.
    pub fn certify(&self, key: &KeyPair, says: &Says) -> Result<Identity> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "attack");
        for uri in &says.uris {
            params.subject_alt_names.push(SanType::URI(uri.clone().try_into()?));
        }
        for name in &says.names {
            params.subject_alt_names.push(SanType::DnsName(name.clone().try_into()?));
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![says.usage.clone()];
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
        let end = now + says.ends_in_secs;
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        params.not_before = epoch + Duration::from_secs(u64::try_from(end.min(now) - 2 * HOUR_SECS)?);
        params.not_after = epoch + Duration::from_secs(u64::try_from(end)?);
        let leaf = params.signed_by(key, &self.issuer)?;
        Ok(Identity {
            chain: vec![leaf.der().clone(), self.signing.clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        })
    }
}

fn roots(certificate: &CertificateDer<'static>) -> Result<Arc<RootCertStore>> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone())?;
    Ok(Arc::new(roots))
}

/// TLS as an agent speaks it.
pub fn client(trusted: &CertificateDer<'static>, identity: Option<&Identity>) -> Result<Arc<ClientConfig>> {
    let builder = ClientConfig::builder_with_provider(crypto())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots(trusted)?);
    let mut config = match identity {
        Some(identity) => {
            let (chain, key) = identity.clone_parts();
            builder.with_client_auth_cert(chain, key)?
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

/// TLS as the coordinator speaks it.
pub fn server(trusted: &CertificateDer<'static>, identity: &Identity) -> Result<Arc<ServerConfig>> {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(trusted)?, crypto())
        .allow_unauthenticated()
        .build()?;
    let (chain, key) = identity.clone_parts();
    let mut config = ServerConfig::builder_with_provider(crypto())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

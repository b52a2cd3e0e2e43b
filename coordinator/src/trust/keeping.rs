//! The authority's files: made, opened, sealed, renewed, taken over from elsewhere.
//!
//! In the folder: `ca.pem` (the root's certificate, what hosts trust), `intermediate.pem` and `intermediate.key` (what
//! signs), `token.key` (hashes enrolment tokens), and `ca.key` (the root's key) unless the root is kept elsewhere. It is
//! needed only to make the next intermediate. Must not sign anything but intermediates.

use super::authority::{Authority, HOST_CERTIFICATE_LIFE_DEFAULT, crypto_failed, params, uri};
use super::files::{self, Audience};
use super::order_key::OrderKey;
use super::seal::{Passphrase, is_sealed, seal, unseal};
use super::token::{TOKEN_KEY_BYTES, TokenKey};
use super::{TrustError, hex, peer, random};
use model::Wall;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::CertificateDer;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The root's certificate.
const ROOT_FILE: &str = "ca.pem";
/// The root's key.
const ROOT_KEY_FILE: &str = "ca.key";
/// The certificate that signs.
const INTERMEDIATE_FILE: &str = "intermediate.pem";
/// The key that signs.
const INTERMEDIATE_KEY_FILE: &str = "intermediate.key";
/// The key that hashes tokens.
const TOKEN_KEY_FILE: &str = "token.key";
/// The trust domain, where the intermediate does not name it.
const TRUST_DOMAIN_FILE: &str = "trust-domain";
/// One day.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Life of the root.
const ROOT_LIFE: Duration = DAY.saturating_mul(3650);
/// Life of an intermediate.
const INTERMEDIATE_LIFE: Duration = DAY.saturating_mul(730);
/// Longest name of a trust domain, in bytes.
const TRUST_DOMAIN_BYTES_MAX: usize = 200;

/// Where the authority is kept, and what opens its keys.
#[derive(Debug, Clone)]
pub struct AuthorityFiles {
    dir: PathBuf,
    passphrase: Option<Passphrase>,
}

/// An authority of somebody else that is taken over: paths of PEM files.
#[derive(Debug, Clone)]
pub struct ForeignAuthority {
    /// Certificate that signs, below the root.
    pub certificate: PathBuf,
    /// Its private key, PKCS#8.
    pub key: PathBuf,
    /// The root that hosts are to trust.
    pub root: PathBuf,
}

fn check_trust_domain(name: &str) -> Result<(), TrustError> {
    let chars_ok = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b));
    if name.is_empty() || name.len() > TRUST_DOMAIN_BYTES_MAX || !chars_ok || name.starts_with(['.', '-']) {
        return Err(TrustError::BadName { what: "trust domain", name: name.to_owned() });
    }
    Ok(())
}

fn damaged(path: &Path) -> impl Fn(String) -> TrustError {
    let path = path.to_owned();
    move |detail| TrustError::Damaged { path: path.clone(), detail }
}

/// The only certificate of a PEM file, with the text that holds just it.
fn certificate(path: &Path) -> Result<(CertificateDer<'static>, String), TrustError> {
    let text = files::read(path)?;
    match peer::certificates(&text).map_err(damaged(path))?.as_slice() {
        [one] => Ok((one.clone(), text)),
        many => Err(damaged(path)(format!("it holds {} certificates, one is needed", many.len()))),
    }
}

/// Parameters of a certificate that signs others.
fn signing(
    name: &str,
    domain: &str,
    now: Wall,
    life: Duration,
    below: u8,
) -> Result<CertificateParams, TrustError> {
    let mut params = params(name, now, life)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.subject_alt_names = vec![uri("trust domain", peer::domain_uri(domain))?];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

impl AuthorityFiles {
    /// The authority in `dir`; keys are sealed with the passphrase when there is one.
    #[must_use]
    pub fn new(dir: &Path, passphrase: Option<Passphrase>) -> Self {
        Self { dir: dir.to_owned(), passphrase }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Whether there is one.
    #[must_use]
    pub fn exist(&self) -> bool {
        self.dir.exists()
    }

    /// Makes a root and an intermediate; refuses when one of their files exists. With `root_dir` the root's key is
    /// written there, to be kept elsewhere.
    pub fn create(
        &self,
        trust_domain: &str,
        root_dir: Option<&Path>,
        now: Wall,
    ) -> Result<Authority, TrustError> {
        check_trust_domain(trust_domain)?;
        files::make_folder(&self.dir)?;
        let key_dir = root_dir.unwrap_or(&self.dir);
        files::make_folder(key_dir)?;
        let root_path = self.path(ROOT_FILE);
        if root_path.exists() {
            return Err(TrustError::AlreadyThere { path: root_path });
        }
        let key = KeyPair::generate().map_err(crypto_failed("make a key"))?;
        let name = format!("Pointsman root of {trust_domain}");
        let params = signing(&name, trust_domain, now, ROOT_LIFE, 1)?;
        let root = params.self_signed(&key).map_err(crypto_failed("sign the root"))?;
        self.write_key(&key_dir.join(ROOT_KEY_FILE), &key.serialize_pem())?;
        if key_dir != self.dir {
            files::create(&key_dir.join(ROOT_FILE), root.pem().as_bytes(), Audience::Everybody)?;
        }
        files::create(&root_path, root.pem().as_bytes(), Audience::Everybody)?;
        let issuer = Issuer::from_ca_cert_der(root.der(), key).map_err(crypto_failed("use the root"))?;
        self.make_intermediate(&issuer, trust_domain, now)?;
        self.open()
    }

    /// Makes a new intermediate below the root, whose key is in `root_dir` or beside it, in place of the one that is there.
    pub fn renew_intermediate(&self, root_dir: Option<&Path>, now: Wall) -> Result<Authority, TrustError> {
        let (root, _) = certificate(&self.path(ROOT_FILE))?;
        let key = self.read_key(&root_dir.unwrap_or(&self.dir).join(ROOT_KEY_FILE))?;
        let facts = peer::authority_facts(&root)
            .map_err(|error| damaged(&self.path(ROOT_FILE))(error.to_string()))?;
        if facts.public_key != key.public_key_raw() {
            return Err(TrustError::NotAPair { dir: root_dir.unwrap_or(&self.dir).to_owned() });
        }
        let domain = facts.trust_domain.ok_or_else(|| TrustError::Unfit {
            detail: "this root was imported: import its next intermediate too".to_owned(),
        })?;
        let issuer = Issuer::from_ca_cert_der(&root, key).map_err(crypto_failed("use the root"))?;
        self.make_intermediate(&issuer, &domain, now)?;
        self.open()
    }

    fn make_intermediate(
        &self,
        root: &Issuer<'_, KeyPair>,
        domain: &str,
        now: Wall,
    ) -> Result<(), TrustError> {
        let key = KeyPair::generate().map_err(crypto_failed("make a key"))?;
        let name = format!("Pointsman intermediate of {domain}");
        let params = signing(&name, domain, now, INTERMEDIATE_LIFE, 0)?;
        let signed = params.signed_by(&key, root).map_err(crypto_failed("sign the intermediate"))?;
        self.write_intermediate(&key.serialize_pem(), &signed.pem())
    }

    /// The key first: a certificate without its key is noticed at the next start, and `renew` mends it.
    fn write_intermediate(&self, key_pem: &str, certificate_pem: &str) -> Result<(), TrustError> {
        let content = self.key_content(key_pem)?;
        files::replace(&self.path(INTERMEDIATE_KEY_FILE), content.as_bytes(), Audience::Owner)?;
        files::replace(&self.path(INTERMEDIATE_FILE), certificate_pem.as_bytes(), Audience::Everybody)
    }

    /// Takes over an intermediate of another authority, after it proved that it can sign for hosts.
    pub fn import(
        &self,
        from: &ForeignAuthority,
        trust_domain: &str,
        now: Wall,
    ) -> Result<Authority, TrustError> {
        check_trust_domain(trust_domain)?;
        let (root_der, root_pem) = certificate(&from.root)?;
        let (intermediate_der, intermediate_pem) = certificate(&from.certificate)?;
        let key = self.read_key(&from.key)?;
        let key_pem = key.serialize_pem();
        let authority = assemble(
            &self.dir,
            (root_der, root_pem.clone()),
            (intermediate_der, intermediate_pem.clone()),
            key,
            Some(trust_domain.to_owned()),
        )?;
        authority.prove(now)?;
        files::make_folder(&self.dir)?;
        let root_path = self.path(ROOT_FILE);
        if !root_path.exists() {
            files::create(&root_path, root_pem.as_bytes(), Audience::Everybody)?;
        } else if certificate(&root_path)?.0 != authority.root_der {
            // Hosts pinned the root: another one would lock them all out.
            return Err(TrustError::AlreadyThere { path: root_path });
        }
        files::replace(&self.path(TRUST_DOMAIN_FILE), trust_domain.as_bytes(), Audience::Everybody)?;
        self.write_intermediate(&key_pem, &intermediate_pem)?;
        self.open()
    }

    /// Opens the authority; refuses keys that others may read.
    pub fn open(&self) -> Result<Authority, TrustError> {
        let root = certificate(&self.path(ROOT_FILE))?;
        let intermediate = certificate(&self.path(INTERMEDIATE_FILE))?;
        let key = self.read_key(&self.path(INTERMEDIATE_KEY_FILE))?;
        let domain_path = self.path(TRUST_DOMAIN_FILE);
        let domain = if domain_path.exists() { Some(files::read(&domain_path)?) } else { None };
        assemble(&self.dir, root, intermediate, key, domain)
    }

    /// Opens the authority and proves that what it signs today is good up to the root.
    pub fn open_proven(&self, now: Wall) -> Result<Authority, TrustError> {
        let authority = self.open()?;
        authority.prove(now)?;
        Ok(authority)
    }

    /// Seals every key in the folder, and the order key, with the passphrase; those that are sealed with it already stay.
    /// Gives how many were sealed.
    pub fn seal(&self, order_key: &Path) -> Result<usize, TrustError> {
        let passphrase = self.passphrase.as_ref().ok_or(TrustError::NoPassphrase)?;
        let mut sealed = 0;
        let names = [INTERMEDIATE_KEY_FILE, ROOT_KEY_FILE, TOKEN_KEY_FILE];
        for path in names.map(|name| self.path(name)).into_iter().chain([order_key.to_owned()]) {
            if !path.exists() {
                continue;
            }
            let content = files::read_key(&path)?;
            if is_sealed(&content) {
                unseal(&content, passphrase).map_err(damaged(&path))?;
                continue;
            }
            files::replace(&path, seal(&content, passphrase)?.as_bytes(), Audience::Owner)?;
            sealed += 1;
        }
        Ok(sealed)
    }

    /// The key that hashes enrolment tokens; made when there is none. Its loss kills the open tokens and nothing else.
    pub fn token_key(&self) -> Result<TokenKey, TrustError> {
        let path = self.path(TOKEN_KEY_FILE);
        if !path.exists() {
            let fresh = random::<TOKEN_KEY_BYTES>()?;
            match files::create(&path, self.key_content(&hex::text(&fresh))?.as_bytes(), Audience::Owner) {
                // Another coordinator was faster: its key is read below.
                Ok(()) | Err(TrustError::AlreadyThere { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let content = self.key_text(&path)?;
        let bytes =
            hex::bytes(content.trim()).and_then(|bytes| <[u8; TOKEN_KEY_BYTES]>::try_from(bytes).ok());
        let bytes = bytes.ok_or_else(|| damaged(&path)("it holds no key".to_owned()))?;
        Ok(TokenKey::new(&bytes))
    }

    /// The key in `path` that signs orders; made when there is none. Refuses one that others may read.
    pub fn order_key(&self, path: &Path) -> Result<OrderKey, TrustError> {
        if !path.exists() {
            self.write_key(path, &OrderKey::make()?)?;
        }
        OrderKey::read(&self.key_text(path)?).map_err(damaged(path))
    }

    /// What is written of a key.
    fn key_content(&self, plain: &str) -> Result<String, TrustError> {
        self.passphrase.as_ref().map_or_else(|| Ok(plain.to_owned()), |passphrase| seal(plain, passphrase))
    }

    fn write_key(&self, path: &Path, plain: &str) -> Result<(), TrustError> {
        files::create(path, self.key_content(plain)?.as_bytes(), Audience::Owner)
    }

    /// What a key file says, unsealed.
    fn key_text(&self, path: &Path) -> Result<String, TrustError> {
        let content = files::read_key(path)?;
        if !is_sealed(&content) {
            return Ok(content);
        }
        let passphrase = self.passphrase.as_ref().ok_or(TrustError::NoPassphrase)?;
        unseal(&content, passphrase).map_err(|detail| TrustError::Sealed { path: path.to_owned(), detail })
    }

    fn read_key(&self, path: &Path) -> Result<KeyPair, TrustError> {
        KeyPair::from_pem(&self.key_text(path)?).map_err(|error| damaged(path)(error.to_string()))
    }
}

type Certificate = (CertificateDer<'static>, String);

/// Puts an authority together; certificate and key must be a pair.
fn assemble(
    dir: &Path,
    (root_der, root_pem): Certificate,
    (intermediate_der, intermediate_pem): Certificate,
    key: KeyPair,
    domain: Option<String>,
) -> Result<Authority, TrustError> {
    let unfit = |detail: String| TrustError::Unfit { detail };
    let facts = peer::authority_facts(&intermediate_der).map_err(|error| unfit(error.to_string()))?;
    if facts.public_key != key.public_key_raw() {
        return Err(TrustError::NotAPair { dir: dir.to_owned() });
    }
    let trust_domain = domain.or(facts.trust_domain).ok_or_else(|| {
        unfit("its certificate names no trust domain: import it with `pointsman ca import`".to_owned())
    })?;
    check_trust_domain(&trust_domain)?;
    let issuer =
        Issuer::from_ca_cert_der(&intermediate_der, key).map_err(crypto_failed("use the intermediate"))?;
    Ok(Authority {
        issuer,
        root_pem,
        root_der,
        intermediate_pem,
        intermediate_der,
        trust_domain,
        host_certificate_life: HOST_CERTIFICATE_LIFE_DEFAULT,
    })
}

#[cfg(test)]
impl Authority {
    /// A new authority in a folder, keys not sealed.
    pub fn create(dir: &Path, trust_domain: &str, now: Wall) -> Result<Self, TrustError> {
        AuthorityFiles::new(dir, None).create(trust_domain, None, now)
    }

    /// The authority of a folder, keys not sealed.
    pub fn open(dir: &Path) -> Result<Self, TrustError> {
        AuthorityFiles::new(dir, None).open()
    }
}

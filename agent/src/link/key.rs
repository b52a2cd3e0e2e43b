//! The host's private key: made here, kept for its owner only, never sent. And the requests it signs.
//!
//! Called by enrolment, renewal and recovery.

use model::KeyFingerprint;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use sha2::{Digest, Sha256};
use std::io::{Error, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The key of a file.
pub fn read(path: &Path) -> Result<KeyPair, Error> {
    KeyPair::from_pem(&std::fs::read_to_string(path)?).map_err(Error::other)
}

/// A new key, kept in a file.
pub fn make(path: &Path) -> Result<KeyPair, Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(Error::other)?;
    write(path, key.serialize_pem().as_bytes())?;
    Ok(key)
}

/// What an operator compares.
#[must_use]
pub fn fingerprint(key: &KeyPair) -> KeyFingerprint {
    KeyFingerprint::from_digest(&Sha256::digest(key.subject_public_key_info()).into())
}

/// A certificate request with this common name, PEM. Its signature proves the key; of the rest the coordinator believes
/// nothing.
pub fn request(common_name: &str, key: &KeyPair) -> Result<String, Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.serialize_request(key).and_then(|request| request.pem()).map_err(Error::other)
}

/// Only the owner may read the key, where the file system knows owners.
fn write(path: &Path, pem: &[u8]) -> Result<(), Error> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let temporary = path.with_extension("new");
    // One that is left over may have other permissions.
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&temporary)?;
    file.write_all(pem)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests;

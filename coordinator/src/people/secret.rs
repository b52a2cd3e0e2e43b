//! Secrets of people: made here, shown once, known afterwards only by their SHA-256.
//!
//! All of them carry 256 random bits, so a plain hash cannot be guessed back; passwords are another matter. Must not:
//! store. Called by the rest of `people`.

use crate::trust::crypto;
use model::Secret;
use sha2::{Digest, Sha256};

/// Random part of a secret, in bytes.
const SECRET_BYTES: usize = 32;

/// The operating system gives no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no random bytes: nothing secret can be made")]
pub struct NoRandomness;

/// A fresh secret that starts with `prefix`, so that a leaked one can be found by a search.
pub fn fresh_secret(prefix: &str) -> Result<Secret, NoRandomness> {
    Ok(Secret::new(format!("{prefix}{}", hex(&random::<SECRET_BYTES>()?))))
}

/// What may be stored of a secret.
#[must_use]
pub fn hash_of(secret: &Secret) -> String {
    hash(secret.expose())
}

/// Fresh random bytes from the operating system.
pub fn random<const BYTES: usize>() -> Result<[u8; BYTES], NoRandomness> {
    let mut bytes = [0; BYTES];
    crypto().secure_random.fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// SHA-256 in lower-case hexadecimal.
#[must_use]
pub fn hash(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// Bytes in lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Whether two texts are equal, without telling by the time where they differ.
#[must_use]
pub fn same(a: &str, b: &str) -> bool {
    let (a, b) = (Sha256::digest(a.as_bytes()), Sha256::digest(b.as_bytes()));
    a.iter().zip(b).fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
}

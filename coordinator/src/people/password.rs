//! Passwords: argon2id with named parameters, in PHC form, and what a new one must be like.
//!
//! Must not: store, or hash on a thread that serves requests (the service sees to that). Called by the service.

use super::secret::{NoRandomness, random};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Memory of one hash, in KiB: 19 MiB, the OWASP recommendation.
const MEMORY_KIB: u32 = 19 * 1024;
/// Passes over it.
const PASSES: u32 = 2;
/// Lanes.
const LANES: u32 = 1;
/// Salt, in bytes.
const SALT_BYTES: usize = 16;
/// Hash, in bytes.
const HASH_BYTES: usize = 32;
/// Shortest new password, in characters.
pub const CHARS_MIN: usize = 12;
/// Longest password that is looked at, in bytes.
pub const BYTES_MAX: usize = 256;
/// Most memory a stored hash may ask for, in KiB: what is stored is not trusted to be ours.
const STORED_MEMORY_KIB_MAX: u32 = 256 * 1024;
/// Most passes a stored hash may ask for.
const STORED_PASSES_MAX: u32 = 16;

/// Why a password was not hashed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// No salt.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The library refuses.
    #[error("the password cannot be hashed: {0}")]
    Library(String),
}

/// What is wrong with a new password.
pub fn objection(password: &str, user: &str) -> Option<String> {
    if password.chars().count() < CHARS_MIN {
        return Some(format!("the password is too short: use at least {CHARS_MIN} characters"));
    }
    if password.len() > BYTES_MAX {
        return Some(format!("the password is too long: use at most {BYTES_MAX} bytes"));
    }
    let first = password.chars().next();
    if password.chars().all(|c| Some(c) == first) || password.to_lowercase().contains(user) {
        return Some("the password is one character again and again, or holds the user's name".to_owned());
    }
    None
}

/// The form that is stored.
pub fn hash(password: &str) -> Result<String, HashError> {
    let salt = random::<SALT_BYTES>()?;
    let library = |error: argon2::Error| HashError::Library(error.to_string());
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(HASH_BYTES)).map_err(library)?;
    let mut out = [0; HASH_BYTES];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), &salt, &mut out)
        .map_err(library)?;
    let (salt, out) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(out));
    Ok(format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${out}"))
}

/// A stored password that nothing fits: looking at it takes as long as looking at a real one.
pub fn decoy() -> String {
    let (salt, out) = (STANDARD_NO_PAD.encode([0; SALT_BYTES]), STANDARD_NO_PAD.encode([0; HASH_BYTES]));
    format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${out}")
}

/// Whether a password is the stored one. What cannot be understood fits nothing.
pub fn fits(password: &str, stored: &str) -> bool {
    password.len() <= BYTES_MAX && computed(password, stored).is_some_and(|(got, want)| equal(&got, &want))
}

/// Whether a stored password was hashed with other parameters than today's.
pub fn is_outdated(stored: &str) -> bool {
    !stored.starts_with(&format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$"))
}

fn computed(password: &str, stored: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let rest = stored.strip_prefix("$argon2id$v=19$")?;
    let mut parts = rest.split('$');
    let (params, salt, want) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let mut numbers = params.split(',');
    let mut number = |key: &str| numbers.next()?.strip_prefix(key)?.parse::<u32>().ok();
    let (memory, passes, lanes) = (number("m=")?, number("t=")?, number("p=")?);
    if memory > STORED_MEMORY_KIB_MAX || passes > STORED_PASSES_MAX {
        return None;
    }
    let (salt, want) = (STANDARD_NO_PAD.decode(salt).ok()?, STANDARD_NO_PAD.decode(want).ok()?);
    if want.len() < HASH_BYTES {
        return None;
    }
    let params = Params::new(memory, passes, lanes, Some(want.len())).ok()?;
    let mut got = vec![0; want.len()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(password.as_bytes(), &salt, &mut got).ok()?;
    Some((got, want))
}

fn equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
}

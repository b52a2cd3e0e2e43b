//! Which key a host is bound to.

use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// Prefix of a fingerprint as people read it.
const FINGERPRINT_PREFIX: &str = "sha256:";
/// Digits of a fingerprint.
const FINGERPRINT_DIGITS: usize = 64;

/// SHA-256 of a public key (its SubjectPublicKeyInfo), shown as `sha256:` and lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyFingerprint(String);

impl KeyFingerprint {
    /// The fingerprint with this digest.
    #[must_use]
    pub fn from_digest(digest: &[u8; 32]) -> Self {
        let mut digits = String::with_capacity(FINGERPRINT_DIGITS);
        for byte in digest {
            // Writing to a String cannot fail.
            let _ = write!(digits, "{byte:02x}");
        }
        Self(digits)
    }

    /// A fingerprint as a person or a row writes it; `None` when it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim().to_ascii_lowercase();
        let digits = digits.strip_prefix(FINGERPRINT_PREFIX).unwrap_or(&digits);
        let fits = digits.len() == FINGERPRINT_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        fits.then(|| Self(digits.to_owned()))
    }

    /// The hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for KeyFingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{FINGERPRINT_PREFIX}{}", self.0)
    }
}

impl TryFrom<String> for KeyFingerprint {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
            .ok_or_else(|| format!("`{text}` is no fingerprint of a key: it has {FINGERPRINT_DIGITS} digits"))
    }
}

impl std::str::FromStr for KeyFingerprint {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::try_from(text.to_owned())
    }
}

impl From<KeyFingerprint> for String {
    fn from(fingerprint: KeyFingerprint) -> Self {
        fingerprint.to_string()
    }
}

#[cfg(test)]
mod tests;

//! One-time enrolment tokens: 160 random bits and the fingerprint of the authority, known here only by an HMAC, dead
//! after their first use whatever comes of it. Must not store anything itself.

use super::{TrustError, hex, random};
use model::Secret;
use ring::hmac;

/// Life of a token when nothing else is said, in seconds.
pub const TOKEN_TTL_SECS_DEFAULT: u64 = 10 * 60;
/// What every token starts with, so that a leaked one can be found by a search.
const TOKEN_PREFIX: &str = "pointsman-enrol-";
/// Secret part of a token, in bytes.
const TOKEN_BYTES: usize = 20;
/// The key of the HMAC, in bytes.
pub(super) const TOKEN_KEY_BYTES: usize = 32;

/// A secret that lets one host enrol once. Shown to a person once, never stored. It ends with the fingerprint of the
/// authority, so that the host knows whom to trust before it has a file of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token(Secret);

impl Token {
    /// A fresh token for hosts of the authority with this fingerprint.
    pub fn generate(authority_fingerprint: &str) -> Result<Self, TrustError> {
        let secret = hex::text(&random::<TOKEN_BYTES>()?);
        Ok(Self(Secret::new(format!("{TOKEN_PREFIX}{secret}-{authority_fingerprint}"))))
    }

    /// A token as somebody presents it.
    #[must_use]
    pub fn presented(text: &str) -> Self {
        Self(Secret::new(text.trim()))
    }

    /// The text to hand to the person who enrols the host.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.expose()
    }
}

/// HMAC-SHA256 of a token in lower-case hexadecimal: the key under which its grant is stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHash(pub String);

/// The coordinator's key for hashing tokens: a stolen database alone says nothing about them.
#[derive(Clone)]
pub struct TokenKey(hmac::Key);

impl TokenKey {
    pub(super) fn new(bytes: &[u8; TOKEN_KEY_BYTES]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// What may be stored of a token.
    #[must_use]
    pub fn hash(&self, token: &Token) -> TokenHash {
        TokenHash(hex::text(hmac::sign(&self.0, token.reveal().as_bytes()).as_ref()))
    }
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey(..)")
    }
}

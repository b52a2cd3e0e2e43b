//! Keys sealed by a passphrase: PBKDF2-HMAC-SHA256 makes a key of it, AES-256-GCM seals the file. Both from ring.
//! Must not read files or ask anybody.

use super::{TrustError, hex, random};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::pbkdf2;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;

/// What a sealed file says it is; also bound to its content.
const FORMAT: &str = "pointsman-sealed-key-1";
/// Rounds of PBKDF2 for a new file.
const ROUNDS: u32 = 600_000;
/// Rounds accepted from a file: fewer would be weak, more would hang.
const ROUNDS_ACCEPTED: std::ops::RangeInclusive<u32> = 100_000..=10_000_000;
/// Salt of the passphrase, in bytes.
const SALT_BYTES: usize = 16;
/// Key of AES-256, in bytes.
const KEY_BYTES: usize = 32;
/// Shortest passphrase, in bytes.
const PASSPHRASE_BYTES_MIN: usize = 12;

/// What opens sealed keys. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(String);

impl Passphrase {
    /// A passphrase, unless it is too short to be one.
    pub fn new(text: &str) -> Result<Self, TrustError> {
        let text = text.trim_end_matches(['\r', '\n']);
        if text.len() < PASSPHRASE_BYTES_MIN {
            return Err(TrustError::ShortPassphrase { least: PASSPHRASE_BYTES_MIN });
        }
        Ok(Self(text.to_owned()))
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// A sealed key as it stands in its file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    format: String,
    rounds: u32,
    salt: String,
    nonce: String,
    content: String,
}

/// Whether a file's content is sealed.
pub(super) fn is_sealed(content: &str) -> bool {
    content.trim_start().starts_with('{')
}

fn key_of(passphrase: &Passphrase, salt: &[u8], rounds: u32) -> Result<LessSafeKey, String> {
    let rounds = NonZeroU32::new(rounds).ok_or("no rounds")?;
    let mut key = [0; KEY_BYTES];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, passphrase.0.as_bytes(), &mut key);
    UnboundKey::new(&AES_256_GCM, &key).map(LessSafeKey::new).map_err(|_| "no key".to_owned())
}

/// Seals the content of a key file.
pub(super) fn seal(content: &str, passphrase: &Passphrase) -> Result<String, TrustError> {
    let failed = |detail: String| TrustError::Crypto { action: "seal a key", detail };
    let (salt, nonce) = (random::<SALT_BYTES>()?, random::<NONCE_LEN>()?);
    let key = key_of(passphrase, &salt, ROUNDS).map_err(failed)?;
    let mut bytes = content.as_bytes().to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(FORMAT), &mut bytes)
        .map_err(|error| failed(error.to_string()))?;
    let sealed = Sealed {
        format: FORMAT.to_owned(),
        rounds: ROUNDS,
        salt: hex::text(&salt),
        nonce: hex::text(&nonce),
        content: hex::text(&bytes),
    };
    serde_json::to_string(&sealed).map_err(|error| failed(error.to_string()))
}

/// Opens a sealed key; the error says why in words.
pub(super) fn unseal(content: &str, passphrase: &Passphrase) -> Result<String, String> {
    let sealed: Sealed = serde_json::from_str(content).map_err(|error| error.to_string())?;
    let Sealed { format, rounds, salt, nonce, content } = sealed;
    if format != FORMAT || !ROUNDS_ACCEPTED.contains(&rounds) {
        return Err(format!(
            "it is sealed as `{format}` with {rounds} rounds, which this version does not open"
        ));
    }
    let bytes = |text: &str| hex::bytes(text).ok_or("it holds something that is not hexadecimal");
    let nonce: [u8; NONCE_LEN] = bytes(&nonce)?.try_into().map_err(|_| "its nonce has the wrong length")?;
    let key = key_of(passphrase, &bytes(&salt)?, rounds)?;
    let mut bytes = bytes(&content)?;
    let opened = key
        .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(FORMAT), &mut bytes)
        .map_err(|_| "the passphrase does not open it, or it was altered")?;
    String::from_utf8(opened.to_vec()).map_err(|error| error.to_string())
}

//! Ed25519 private keys as `ssh-keygen` writes them without a passphrase, so that a machine without
//! ssh-keygen can sign. Must not sign, and must not print what it read. Called by the operator's command.

use super::ssh::{Reader, SshError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
const END: &str = "-----END OPENSSH PRIVATE KEY-----";
const MAGIC: &[u8] = b"openssh-key-v1\0";
const WHAT: &str = "the private key";
/// Largest text of a private key, in bytes.
const TEXT_BYTES_MAX: usize = 8 * 1024;
/// The private part is filled up to blocks of this many bytes when it is not encrypted.
const BLOCK_BYTES: usize = 8;

/// An Ed25519 private key.
#[derive(Clone, PartialEq, Eq)]
pub struct Ed25519Seed {
    /// The secret.
    pub seed: [u8; 32],
    /// The public key.
    pub public: [u8; 32],
}

impl std::fmt::Debug for Ed25519Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ed25519Seed").finish_non_exhaustive()
    }
}

/// Reads the text of a private key file.
pub fn parse_ed25519_private_key(text: &str) -> Result<Ed25519Seed, SshError> {
    let invalid = |problem| SshError::Invalid { what: WHAT, problem };
    if text.len() > TEXT_BYTES_MAX {
        return Err(invalid("is too long"));
    }
    let inside = text.trim().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END));
    let inside = inside.ok_or_else(|| invalid("is not in the format of OpenSSH"))?;
    let digits: String = inside.split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(digits).map_err(|_| invalid("is not valid base64"))?;
    let mut reader = Reader::new(&bytes, WHAT);
    if reader.bytes(MAGIC.len())? != MAGIC {
        return Err(invalid("is not in the format of OpenSSH"));
    }
    let (cipher, kdf, options) = (reader.string()?, reader.string()?, reader.string()?);
    if cipher != b"none" || kdf != b"none" || !options.is_empty() {
        return Err(invalid("has a passphrase: load it into ssh-agent and sign with ssh-keygen"));
    }
    if reader.number()? != 1 {
        return Err(invalid("must be one key"));
    }
    let mut outer = Reader::new(reader.string()?, WHAT);
    let private = reader.string()?;
    reader.end()?;
    if outer.string()? != b"ssh-ed25519" {
        return Err(invalid("is not ed25519: sign with ssh-keygen"));
    }
    let announced: [u8; 32] = outer.array()?;
    outer.end()?;
    let found = private_part(private)?;
    if found.public != announced {
        return Err(invalid("does not belong to its own public key"));
    }
    Ok(found)
}

fn private_part(bytes: &[u8]) -> Result<Ed25519Seed, SshError> {
    let invalid = |problem| SshError::Invalid { what: WHAT, problem };
    if !bytes.len().is_multiple_of(BLOCK_BYTES) {
        return Err(invalid("is cut"));
    }
    let mut reader = Reader::new(bytes, WHAT);
    if reader.number()? != reader.number()? {
        return Err(invalid("is damaged"));
    }
    if reader.string()? != b"ssh-ed25519" {
        return Err(invalid("is not ed25519: sign with ssh-keygen"));
    }
    let public: [u8; 32] = reader.array()?;
    let both: [u8; 64] = reader.array()?;
    let _comment = reader.string()?;
    // Filled up with 1, 2, 3, ...
    for expected in 1..u8::try_from(BLOCK_BYTES).unwrap_or(u8::MAX) {
        match reader.byte() {
            Ok(found) if found == expected => {}
            Ok(_) => return Err(invalid("is damaged")),
            Err(_) => break,
        }
    }
    reader.end()?;
    let (seed, second) = both.split_at(32);
    if second != public {
        return Err(invalid("does not belong to its own public key"));
    }
    let seed = seed.try_into().map_err(|_| invalid("is cut"))?;
    Ok(Ed25519Seed { seed, public })
}

//! Detached signatures in the format of `ssh-keygen -Y sign` (OpenSSH's PROTOCOL.sshsig).
//!
//! Owns: the frame, its armour, and what is really signed. Must not: know who may sign.

use super::key::SshPublicKey;
use super::ssh::{Reader, SshError, put_string};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::SIGNATURE_BYTES_MAX;
use ring::digest::{SHA256, SHA512, digest};

const MAGIC: &[u8; 6] = b"SSHSIG";
const VERSION: u32 = 1;
const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";
/// Characters per line inside the armour.
const LINE_CHARS: usize = 70;
const WHAT: &str = "the signature";

/// The hash of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MessageHash {
    Sha256,
    Sha512,
}

impl MessageHash {
    fn name(self) -> &'static [u8] {
        match self {
            Self::Sha256 => b"sha256",
            Self::Sha512 => b"sha512",
        }
    }
}

/// A signature that was read, and not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshSignature {
    key: Vec<u8>,
    namespace: String,
    hash: MessageHash,
    signature: Vec<u8>,
}

impl SshSignature {
    /// Reads the binary form.
    pub fn parse(blob: &[u8]) -> Result<Self, SshError> {
        let mut reader = Reader::new(blob, WHAT);
        if blob.len() > SIGNATURE_BYTES_MAX {
            return Err(reader.invalid("is too long"));
        }
        if reader.bytes(MAGIC.len())? != MAGIC {
            return Err(reader.invalid("is not one of ssh-keygen"));
        }
        if reader.number()? != VERSION {
            return Err(reader.invalid("is of a version that is not known"));
        }
        let key = reader.string()?.to_vec();
        let namespace = std::str::from_utf8(reader.string()?).unwrap_or_default().to_owned();
        if namespace.is_empty() {
            return Err(reader.invalid("has no namespace"));
        }
        if !reader.string()?.is_empty() {
            return Err(reader.invalid("uses a reserved field"));
        }
        let hash = match reader.string()? {
            b"sha512" => MessageHash::Sha512,
            b"sha256" => MessageHash::Sha256,
            _ => return Err(reader.invalid("uses another hash than sha512 and sha256")),
        };
        let signature = reader.string()?.to_vec();
        reader.end()?;
        Ok(Self { key, namespace, hash, signature })
    }

    /// Binary form of the key that claims to have signed.
    #[must_use]
    pub fn key_blob(&self) -> &[u8] {
        &self.key
    }

    /// What the signature was made for.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Whether `key` made it over `message`.
    pub fn verify(&self, key: &SshPublicKey, message: &[u8]) -> Result<(), SshError> {
        if self.key != key.blob() {
            return Err(SshError::Wrong);
        }
        key.verify(&signed(&self.namespace, self.hash, message), &self.signature)
    }
}

fn signed(namespace: &str, hash: MessageHash, message: &[u8]) -> Vec<u8> {
    let algorithm = match hash {
        MessageHash::Sha256 => &SHA256,
        MessageHash::Sha512 => &SHA512,
    };
    let mut data = MAGIC.to_vec();
    put_string(&mut data, namespace.as_bytes());
    put_string(&mut data, b"");
    put_string(&mut data, hash.name());
    put_string(&mut data, digest(algorithm, message).as_ref());
    data
}

/// What a key signs for a message: these bytes go to the raw signature algorithm.
#[must_use]
pub fn signed_data(namespace: &str, message: &[u8]) -> Vec<u8> {
    signed(namespace, MessageHash::Sha512, message)
}

/// The binary form of an Ed25519 signature over [`signed_data`].
#[must_use]
pub fn encode_ed25519(public: [u8; 32], namespace: &str, raw: [u8; 64]) -> Vec<u8> {
    let mut signature = Vec::new();
    put_string(&mut signature, b"ssh-ed25519");
    put_string(&mut signature, &raw);
    let mut blob = MAGIC.to_vec();
    blob.extend_from_slice(&VERSION.to_be_bytes());
    put_string(&mut blob, SshPublicKey::from_ed25519(public).blob());
    put_string(&mut blob, namespace.as_bytes());
    put_string(&mut blob, b"");
    put_string(&mut blob, MessageHash::Sha512.name());
    put_string(&mut blob, &signature);
    blob
}

/// The text form, as `ssh-keygen` writes it.
#[must_use]
pub fn armour(blob: &[u8]) -> String {
    let text = STANDARD.encode(blob);
    let mut armoured = format!("{BEGIN}\n");
    // Base64 is ASCII: every chunk is text.
    for line in text.as_bytes().chunks(LINE_CHARS) {
        armoured.push_str(&String::from_utf8_lossy(line));
        armoured.push('\n');
    }
    armoured.push_str(END);
    armoured.push('\n');
    armoured
}

/// The binary form inside a text; nothing but white space may stand around it.
pub fn dearmour(text: &str) -> Result<Vec<u8>, SshError> {
    let invalid = |problem| SshError::Invalid { what: WHAT, problem };
    if text.len() > 2 * SIGNATURE_BYTES_MAX {
        return Err(invalid("is too long"));
    }
    let inside = text.trim().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END));
    let inside = inside.ok_or_else(|| invalid("is not between the BEGIN and END lines of ssh-keygen"))?;
    let digits: String = inside.split_ascii_whitespace().collect();
    STANDARD.decode(digits).map_err(|_| invalid("is not valid base64"))
}

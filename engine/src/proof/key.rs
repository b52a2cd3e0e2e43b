//! Public keys of approvers as OpenSSH writes them, and the check of one signature by one of them.
//!
//! Owns: which algorithms are accepted. Must not: know what is signed, or who may sign.

use super::ssh::{Reader, SshError};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ring::digest::{SHA256, digest};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

const ED25519_NAME: &[u8] = b"ssh-ed25519";
const P256_NAME: &[u8] = b"ecdsa-sha2-nistp256";
const P384_NAME: &[u8] = b"ecdsa-sha2-nistp384";
const RSA_NAME: &[u8] = b"ssh-rsa";
const SK_ED25519_NAME: &[u8] = b"sk-ssh-ed25519@openssh.com";
const SK_P256_NAME: &[u8] = b"sk-ecdsa-sha2-nistp256@openssh.com";
/// Flag of a hardware key: a person touched it.
const USER_PRESENT: u8 = 0x01;
/// Longest line of a public key, in bytes.
const LINE_BYTES_MAX: usize = 8 * 1024;
/// Bytes of an uncompressed point before its coordinates.
const POINT_UNCOMPRESSED: u8 = 4;

/// One public key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SshPublicKey {
    blob: Vec<u8>,
    kind: Kind,
}

/// What a key is made of.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Ed25519([u8; 32]),
    P256(Vec<u8>),
    P384(Vec<u8>),
    Rsa { exponent: Vec<u8>, modulus: Vec<u8> },
    SkEd25519 { key: [u8; 32], application: Vec<u8> },
    SkP256 { point: Vec<u8>, application: Vec<u8> },
}

impl std::fmt::Debug for SshPublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SshPublicKey({})", self.fingerprint())
    }
}

impl SshPublicKey {
    /// Reads a line like that of a `.pub` file: algorithm, key, and a comment that does not count.
    pub fn parse_line(line: &str) -> Result<Self, SshError> {
        let invalid = |problem| SshError::Invalid { what: "the public key", problem };
        if line.len() > LINE_BYTES_MAX {
            return Err(invalid("is too long"));
        }
        let mut words = line.split_ascii_whitespace();
        let (Some(algorithm), Some(text)) = (words.next(), words.next()) else {
            return Err(invalid("is not of the form `ssh-ed25519 AAAA...`"));
        };
        let blob = STANDARD.decode(text).map_err(|_| invalid("is not valid base64"))?;
        if Reader::new(&blob, "the public key").string()? != algorithm.as_bytes() {
            return Err(invalid("is of another algorithm than its line says"));
        }
        Self::from_blob(&blob)
    }

    /// Reads the binary form.
    pub fn from_blob(blob: &[u8]) -> Result<Self, SshError> {
        let mut reader = Reader::new(blob, "the public key");
        let kind = match reader.string()? {
            ED25519_NAME => Kind::Ed25519(reader.array()?),
            P256_NAME => Kind::P256(point(&mut reader, b"nistp256", 32)?),
            P384_NAME => Kind::P384(point(&mut reader, b"nistp384", 48)?),
            RSA_NAME => {
                Kind::Rsa { exponent: reader.unsigned()?.to_vec(), modulus: reader.unsigned()?.to_vec() }
            }
            SK_ED25519_NAME => {
                Kind::SkEd25519 { key: reader.array()?, application: reader.string()?.to_vec() }
            }
            SK_P256_NAME => Kind::SkP256 {
                point: point(&mut reader, b"nistp256", 32)?,
                application: reader.string()?.to_vec(),
            },
            other => return Err(SshError::algorithm(other)),
        };
        reader.end()?;
        Ok(Self { blob: blob.to_vec(), kind })
    }

    /// The key of raw Ed25519 bytes.
    #[must_use]
    pub fn from_ed25519(key: [u8; 32]) -> Self {
        let mut blob = Vec::new();
        super::ssh::put_string(&mut blob, ED25519_NAME);
        super::ssh::put_string(&mut blob, &key);
        Self { blob, kind: Kind::Ed25519(key) }
    }

    /// The binary form.
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// The form of a `.pub` file, without a comment.
    #[must_use]
    pub fn line(&self) -> String {
        let name = match self.kind {
            Kind::Ed25519(_) => ED25519_NAME,
            Kind::P256(_) => P256_NAME,
            Kind::P384(_) => P384_NAME,
            Kind::Rsa { .. } => RSA_NAME,
            Kind::SkEd25519 { .. } => SK_ED25519_NAME,
            Kind::SkP256 { .. } => SK_P256_NAME,
        };
        format!("{} {}", String::from_utf8_lossy(name), STANDARD.encode(&self.blob))
    }

    /// As `ssh-keygen -l` shows it: `SHA256:...`.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", STANDARD_NO_PAD.encode(digest(&SHA256, &self.blob)))
    }

    /// Whether `signature`, in its binary form, was made by this key over `data`.
    pub fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), SshError> {
        let mut reader = Reader::new(signature, "the signature");
        let algorithm = reader.string()?;
        match &self.kind {
            Kind::Ed25519(key) => {
                expect(algorithm, ED25519_NAME)?;
                let signature: [u8; 64] = reader.array()?;
                reader.end()?;
                check(&ED25519, key, data, &signature)
            }
            Kind::P256(point) => {
                expect(algorithm, P256_NAME)?;
                let signature = pair::<32>(reader.string()?)?;
                reader.end()?;
                check(&ECDSA_P256_SHA256_FIXED, point, data, &signature)
            }
            Kind::P384(point) => {
                expect(algorithm, P384_NAME)?;
                let signature = pair::<48>(reader.string()?)?;
                reader.end()?;
                check(&ECDSA_P384_SHA384_FIXED, point, data, &signature)
            }
            Kind::Rsa { exponent, modulus } => {
                let parameters = match algorithm {
                    b"rsa-sha2-512" => &RSA_PKCS1_2048_8192_SHA512,
                    b"rsa-sha2-256" => &RSA_PKCS1_2048_8192_SHA256,
                    other => return Err(SshError::algorithm(other)),
                };
                let signature = reader.string()?;
                reader.end()?;
                let key = RsaPublicKeyComponents { n: modulus, e: exponent };
                key.verify(parameters, data, signature).map_err(|_| SshError::Wrong)
            }
            Kind::SkEd25519 { key, application } => {
                expect(algorithm, SK_ED25519_NAME)?;
                let signature: [u8; 64] = reader.array()?;
                check(&ED25519, key, &touched(reader, application, data)?, &signature)
            }
            Kind::SkP256 { point, application } => {
                expect(algorithm, SK_P256_NAME)?;
                let signature = pair::<32>(reader.string()?)?;
                let data = touched(reader, application, data)?;
                check(&ECDSA_P256_SHA256_FIXED, point, &data, &signature)
            }
        }
    }
}

fn expect(found: &[u8], name: &[u8]) -> Result<(), SshError> {
    if found == name {
        return Ok(());
    }
    Err(SshError::Invalid { what: "the signature", problem: "is of another algorithm than the key" })
}

fn check(
    algorithm: &'static dyn VerificationAlgorithm,
    key: &[u8],
    data: &[u8],
    signature: &[u8],
) -> Result<(), SshError> {
    UnparsedPublicKey::new(algorithm, key).verify(data, signature).map_err(|_| SshError::Wrong)
}

/// Curve name and uncompressed point.
fn point(reader: &mut Reader<'_>, curve: &[u8], width: usize) -> Result<Vec<u8>, SshError> {
    if reader.string()? != curve {
        return Err(reader.invalid("is on another curve than its algorithm"));
    }
    match reader.string()? {
        bytes @ [POINT_UNCOMPRESSED, rest @ ..] if rest.len() == 2 * width => Ok(bytes.to_vec()),
        _ => Err(reader.invalid("has a point that is not uncompressed")),
    }
}

/// The two numbers of an ECDSA signature, one after the other at their full width.
fn pair<const N: usize>(bytes: &[u8]) -> Result<Vec<u8>, SshError> {
    let mut reader = Reader::new(bytes, "the signature");
    let (r, s) = (reader.fixed::<N>()?, reader.fixed::<N>()?);
    reader.end()?;
    Ok([r, s].concat())
}

/// What a hardware key signs: hashes of application and data, with the flags and the counter between them.
fn touched(mut reader: Reader<'_>, application: &[u8], data: &[u8]) -> Result<Vec<u8>, SshError> {
    let flags = reader.byte()?;
    let counter = reader.number()?;
    reader.end()?;
    if flags & USER_PRESENT == 0 {
        return Err(SshError::Invalid {
            what: "the signature",
            problem: "was made without a touch of the key",
        });
    }
    let mut signed = digest(&SHA256, application).as_ref().to_vec();
    signed.push(flags);
    signed.extend_from_slice(&counter.to_be_bytes());
    signed.extend_from_slice(digest(&SHA256, data).as_ref());
    Ok(signed)
}

//! The provider's keys, and the signature of its answer. Three algorithms and no others: RS256, ES256, EdDSA.
//!
//! Must not: fetch. An algorithm is one of the key, not of the answer that claims it. Called by `provider`.

use super::refusal::OidcRefusal;
use super::text::from_base64url;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;

/// Longest signed answer, in bytes.
const TOKEN_BYTES_MAX: usize = 64 * 1024;
/// Most keys that are looked at.
const KEYS_MAX: usize = 64;

/// How an answer may be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Rs256,
    Es256,
    EdDsa,
}

impl Algorithm {
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            // The second is its newer name (RFC 9864).
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// The document with the keys.
#[derive(Debug, Deserialize)]
pub struct KeyDocument {
    keys: Vec<KeyEntry>,
}

#[derive(Debug, Deserialize)]
struct KeyEntry {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// One key.
#[derive(Debug, Clone)]
struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    material: Material,
}

#[derive(Debug, Clone)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Bytes(Vec<u8>),
}

/// The keys we can use.
#[derive(Debug, Clone, Default)]
pub struct Keys(Vec<Key>);

impl From<KeyDocument> for Keys {
    /// Keys of other kinds and for other purposes are left out: a provider may list what we do not know.
    fn from(document: KeyDocument) -> Self {
        Self(document.keys.into_iter().take(KEYS_MAX).filter_map(key).collect())
    }
}

fn key(entry: KeyEntry) -> Option<Key> {
    let KeyEntry { kty, usage, alg, kid, crv, n, e, x, y } = entry;
    if usage.is_some_and(|usage| usage != "sig") {
        return None;
    }
    let bytes = |text: Option<String>| from_base64url(&text?);
    let (algorithm, material) = match (kty.as_str(), crv.as_deref()) {
        ("RSA", None) => (Algorithm::Rs256, Material::Rsa { n: bytes(n)?, e: bytes(e)? }),
        ("EC", Some("P-256")) => {
            let (x, y) = (bytes(x)?, bytes(y)?);
            let point = [&[4], x.as_slice(), y.as_slice()].concat();
            (Algorithm::Es256, Material::Bytes(point))
        }
        ("OKP", Some("Ed25519")) => (Algorithm::EdDsa, Material::Bytes(bytes(x)?)),
        _ => return None,
    };
    if alg.is_some_and(|alg| Algorithm::parse(&alg) != Some(algorithm)) {
        return None;
    }
    Some(Key { id: kid, algorithm, material })
}

/// The header of a signed answer.
#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<serde_json::Value>,
}

/// A signed answer in its parts, not yet believed.
pub struct Signed<'a> {
    algorithm: Algorithm,
    kid: Option<String>,
    message: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'a> Signed<'a> {
    pub fn parse(token: &'a str) -> Result<Self, OidcRefusal> {
        let bad = OidcRefusal::Malformed;
        if token.len() > TOKEN_BYTES_MAX {
            return Err(OidcRefusal::TooLarge);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(bad("it has not three parts"))?;
        let (header, payload) = message.split_once('.').ok_or(bad("it has not three parts"))?;
        let header = from_base64url(header).ok_or(bad("its header is not base64url"))?;
        let Header { alg, kid, crit } =
            serde_json::from_slice(&header).map_err(|_| bad("its header is not understood"))?;
        if crit.is_some() {
            return Err(bad("it has extensions that must be understood"));
        }
        Ok(Self {
            algorithm: Algorithm::parse(&alg).ok_or(OidcRefusal::Algorithm)?,
            kid,
            message,
            payload: from_base64url(payload).ok_or(bad("its payload is not base64url"))?,
            signature: from_base64url(signature).ok_or(bad("its signature is not base64url"))?,
        })
    }

    /// Whether one of these keys may have signed it.
    pub fn is_known_to(&self, keys: &Keys) -> bool {
        self.key(keys).is_some()
    }

    /// The key it names; without a name the only one of its kind.
    fn key<'k>(&self, keys: &'k Keys) -> Option<&'k Key> {
        let mut fitting = keys
            .0
            .iter()
            .filter(|key| key.algorithm == self.algorithm && (self.kid.is_none() || key.id == self.kid));
        let first = fitting.next()?;
        fitting.next().is_none().then_some(first)
    }

    /// The payload, once the signature was found to fit, and the algorithm it was made with.
    pub fn verified(self, keys: &Keys) -> Result<(Vec<u8>, Algorithm), OidcRefusal> {
        let key = self.key(keys).ok_or(OidcRefusal::UnknownKey)?;
        let message = self.message.as_bytes();
        let verdict = match (&key.material, key.algorithm) {
            (Material::Rsa { n, e }, _) => {
                let key = RsaPublicKeyComponents { n, e };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, message, &self.signature)
            }
            (Material::Bytes(bytes), Algorithm::EdDsa) => {
                UnparsedPublicKey::new(&ED25519, bytes).verify(message, &self.signature)
            }
            (Material::Bytes(bytes), Algorithm::Es256 | Algorithm::Rs256) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, bytes).verify(message, &self.signature)
            }
        };
        verdict.map_err(|_| OidcRefusal::Signature)?;
        Ok((self.payload, key.algorithm))
    }
}

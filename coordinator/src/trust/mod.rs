//! Who may speak: the certificate authority, one-time enrolment tokens, the host behind a certificate, and the key that
//! signs orders.
//!
//! Owns: the authority's files, issuing, token text and hashes. Must not: store what hosts are (the store does), open
//! sockets, or know what hosts do. Called by `fleet`, `tasks::identities`, the composition root, and the `ca` verbs.

mod authority;
mod error;
mod files;
mod hex;
mod keeping;
#[cfg(test)]
pub mod memory;
mod order_key;
mod peer;
mod receipt;
mod seal;
mod system_uuid;
mod token;

#[cfg(test)]
mod tests;

pub use authority::{
    Authority, HOST_CERTIFICATE_LIFE_DEFAULT, HostCertificate, RequestFacts, ServerCertificate,
};
pub use error::TrustError;
pub use keeping::{AuthorityFiles, ForeignAuthority};
pub use order_key::OrderKey;
pub use peer::{HostChain, PeerError, PeerId, peer_of_chain};
pub use receipt::{Evidence, Receipt, ReceiptError, TrustedAuthorities};
pub use seal::Passphrase;
pub use system_uuid::usable_uuid;
pub use token::{TOKEN_TTL_SECS_DEFAULT, Token, TokenHash, TokenKey};

use rustls::crypto::CryptoProvider;
use std::sync::Arc;

/// Random part of a challenge, in bytes.
const CHALLENGE_BYTES: usize = 32;

/// The one set of cryptographic primitives: ring.
pub fn crypto() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Fresh random bytes from the operating system.
fn random<const BYTES: usize>() -> Result<[u8; BYTES], TrustError> {
    let mut bytes = [0; BYTES];
    crypto().secure_random.fill(&mut bytes).map_err(|_| TrustError::NoRandomness)?;
    Ok(bytes)
}

/// Fresh random text: a challenge that nobody can guess.
pub fn challenge() -> Result<String, TrustError> {
    random::<CHALLENGE_BYTES>().map(|bytes| hex::text(&bytes))
}

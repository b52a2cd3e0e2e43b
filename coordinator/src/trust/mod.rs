//! Who may speak: the built-in certificate authority, one-time enrolment tokens, the host behind a
//! certificate, and the key that signs orders.
//!
//! Owns: the authority's files, issuing, token text and hashes. Must not: store tokens (the store
//! implements [`TokenStore`]), open sockets, or know what hosts do. Called by `fleet`, by the
//! composition root, and by the `ca` verbs of the command line.

mod authority;
mod error;
mod files;
mod order_key;
mod peer;
mod receipt;
mod token;

#[cfg(test)]
pub mod memory;
#[cfg(test)]
mod tests;

pub use authority::{Authority, HOST_CERTIFICATE_DAYS_DEFAULT, ServerCertificate};
pub use error::TrustError;
pub use order_key::OrderKey;
pub use peer::{PeerError, PeerId, peer_of};
pub use receipt::{Evidence, Receipt, ReceiptError, TrustedAuthorities};
pub use token::{
    TOKEN_TTL_DEFAULT, Token, TokenFuture, TokenGrant, TokenHash, TokenRefusal, TokenStore, TokenStoreError,
    issue_token, redeem_token,
};

use rustls::crypto::CryptoProvider;
use std::sync::Arc;

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

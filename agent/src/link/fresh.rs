//! Whether a new certificate may take the place of the kept one: a coordinator that errs or lies must not be able to lock
//! the host out for longer than it is there itself.
//!
//! Must not: write, or ask the network. Called by the renewal.

use super::certificate::validity;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, sign::CertifiedKey};
use std::sync::Arc;

/// Longest life of a host's certificate, in seconds: what a coordinator may be set to, and a day. One that lives longer would
/// not be renewed in time when the intermediate that signed it is replaced.
const LIFE_SECS_MAX: u64 = 31 * 24 * 60 * 60;

/// Why a certificate is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFresh {
    /// It cannot be read.
    #[error("it is no certificate")]
    Unreadable,
    /// It is for another key, or for none.
    #[error("it does not fit the key of this host")]
    OtherKey,
    /// It would not be accepted.
    #[error("it is not of the authority of this host, or not for a host, or not valid now: {0}")]
    Authority(String),
    /// It lives too long.
    #[error("it lives for {secs} s, longer than {LIFE_SECS_MAX} s")]
    Life {
        /// How long.
        secs: u64,
    },
}

/// Checks a new certificate and those that came with it, PEM, for this key.
pub fn check(
    chain_pem: &str,
    key: PrivateKeyDer<'static>,
    roots: Vec<CertificateDer<'static>>,
    now: UnixTime,
) -> Result<(), NotFresh> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain_pem.as_bytes()).collect();
    let chain = chain.map_err(|_| NotFresh::Unreadable)?;
    let [leaf, issuers @ ..] = chain.as_slice() else { return Err(NotFresh::Unreadable) };
    let (from, until) = validity(leaf).ok_or(NotFresh::Unreadable)?;
    let secs = until.saturating_sub(from);
    if secs > LIFE_SECS_MAX {
        return Err(NotFresh::Life { secs });
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    CertifiedKey::from_der(chain.clone(), key, &provider).map_err(|_| NotFresh::OtherKey)?;
    let refused = |error: rustls::Error| NotFresh::Authority(error.to_string());
    let mut trusted = RootCertStore::empty();
    for root in roots {
        trusted.add(root).map_err(refused)?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(trusted), provider)
        .build()
        .map_err(|error| NotFresh::Authority(error.to_string()))?
        .verify_client_cert(leaf, issuers, now)
        .map_err(refused)?;
    Ok(())
}

#[cfg(test)]
mod tests;

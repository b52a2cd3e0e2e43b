//! TLS of the agents' port: 1.3 only, HTTP/2 only, client certificate asked for but not demanded
//! (enrolment has none yet; every other call checks for it).
//!
//! No session tickets and no session store: a resumed session would carry a client certificate that
//! is not verified again, and streams live long enough that resumption gains next to nothing.

use crate::trust::{Authority, ServerCertificate, crypto};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use std::sync::Arc;

/// Why the port's TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsSetupError {
    /// The authority's or the server's certificate is refused.
    #[error("the certificates do not make a TLS server: {0}")]
    Certificate(#[from] rustls::Error),
    /// The authority cannot verify clients.
    #[error("the authority cannot be used to verify hosts: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// The server side of TLS for hosts of `authority`.
pub(super) fn server_config(
    authority: &Authority,
    certificate: ServerCertificate,
) -> Result<Arc<ServerConfig>, TlsSetupError> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.root_der().clone())?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), crypto())
        .allow_unauthenticated()
        .build()?;
    let ServerCertificate { chain, key } = certificate;
    let mut config = ServerConfig::builder_with_provider(crypto())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}

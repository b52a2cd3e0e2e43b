//! TLS of the agent: its own certificate, one pinned authority, ring, nothing else trusted.

use super::pin::Pinned;
use crate::settings::Settings;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why there is no usable TLS configuration.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A PEM file cannot be read.
    #[error("{path} is not a readable PEM file: enrol this host, or correct the settings")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: rustls::pki_types::pem::Error,
    },
    /// Certificate, key or authority do not fit.
    #[error("certificate and key of this host cannot be used: enrol it again")]
    Unusable(#[source] rustls::Error),
    /// The name of the coordinator is none.
    #[error("server_name `{name}` is not a name")]
    ServerName {
        /// The name.
        name: String,
        /// What is wrong.
        source: InvalidDnsNameError,
    },
}

/// Who the agent is on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// This host, by its certificate.
    Host,
    /// Nobody yet: enrolment.
    None,
}

/// Which authority the coordinator must prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust<'a> {
    /// The one of the settings.
    File,
    /// The one with this fingerprint: enrolment.
    Fingerprint(&'a str),
}

/// The configuration; read anew for each connection, so that a renewed certificate counts at once.
pub fn client_config(
    settings: &Settings,
    identity: Identity,
    trust: Trust<'_>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Unusable)?;
    let builder = match trust {
        Trust::File => {
            let mut roots = RootCertStore::empty();
            for authority in authorities(settings)? {
                roots.add(authority).map_err(TlsError::Unusable)?;
            }
            builder.with_root_certificates(roots)
        }
        Trust::Fingerprint(fingerprint) => {
            let verifier = Pinned { fingerprint: fingerprint.to_owned(), provider };
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
    };
    let mut config = match identity {
        Identity::None => builder.with_no_client_auth(),
        Identity::Host => {
            let chain = certificates(&settings.certificate_file)?;
            builder.with_client_auth_cert(chain, host_key(settings)?).map_err(TlsError::Unusable)?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    // A confirmation must prove a whole new handshake.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

/// The key of this host's certificate.
pub fn host_key(settings: &Settings) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(&settings.key_file)
        .map_err(|source| TlsError::Pem { path: settings.key_file.clone(), source })
}

/// The name the coordinator must prove.
pub fn server_name(settings: &Settings) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(settings.server_name.clone())
        .map_err(|source| TlsError::ServerName { name: settings.server_name.clone(), source })
}

/// The authorities that a coordinator must be of.
pub fn authorities(settings: &Settings) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    certificates(&settings.ca_file)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = |source| TlsError::Pem { path: path.to_owned(), source };
    CertificateDer::pem_file_iter(path).map_err(pem)?.collect::<Result<_, _>>().map_err(pem)
}

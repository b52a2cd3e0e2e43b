//! TLS of the operators' listener: 1.3 only, with a certificate of our own authority or from files.
//!
//! Must not: ask for a client certificate; people say who they are in HTTP. Called by the composition root.

use crate::trust::{ServerCertificate, crypto};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum DoorTlsError {
    /// A file.
    #[error("{} cannot be used for the operators' listener: {detail}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// Certificate and key.
    #[error("certificate and key make no TLS server: {0}")]
    Pair(#[from] rustls::Error),
}

/// TLS with a certificate of our own authority.
pub fn own(certificate: ServerCertificate) -> Result<Arc<ServerConfig>, DoorTlsError> {
    let ServerCertificate { chain, key, .. } = certificate;
    config(chain, key)
}

/// TLS with a certificate chain and a key from PEM files.
pub fn read_files(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, DoorTlsError> {
    let failed = |path: &Path, detail: String| DoorTlsError::File { path: path.to_owned(), detail };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| failed(certificate, error.to_string()));
    let chain = chain?;
    if chain.is_empty() {
        return Err(failed(certificate, "it holds no certificate".to_owned()));
    }
    let mode = std::fs::metadata(key).map_err(|error| failed(key, error.to_string()))?.permissions().mode();
    if mode & 0o077 != 0 {
        let detail = format!("others may read it (mode {:o}): run `chmod 600` on it", mode & 0o777);
        return Err(failed(key, detail));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| failed(key, error.to_string()))?;
    config(chain, key)
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, DoorTlsError> {
    let mut config = ServerConfig::builder_with_provider(crypto())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

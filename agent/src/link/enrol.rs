//! Enrolment: own key, certificate request, one-time token in; certificate out.
//!
//! The private key never leaves the host. Called by the command line only.

use super::connect::{CONNECT_TIMEOUT, LinkError, connect};
use super::tls::Identity;
use crate::approval::pins::{PinError, write_order_key};
use crate::journal::write_durably;
use crate::settings::Settings;
use proto::convert::{EnrolAnswer, EnrolQuestion};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Why this host has no certificate.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// Key or request could not be made.
    #[error("key and certificate request could not be made")]
    Request(#[source] rcgen::Error),
    /// No coordinator gave a certificate.
    #[error("no certificate was given; check address, authority and token")]
    Link(#[source] LinkError),
    /// The coordinator's order key could not be kept.
    #[error("the order key of the coordinator is not kept")]
    OrderKey(#[from] PinError),
    /// A file could not be written.
    #[error("{path} cannot be written")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Makes a key, has it certified, and keeps both.
pub async fn enrol(settings: &Settings, token: String) -> Result<(), EnrolError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(EnrolError::Request)?;
    let csr_pem = request(settings.host_id.as_str(), &key).map_err(EnrolError::Request)?;
    let question = EnrolQuestion { token, host: settings.host_id.clone(), csr_pem };
    let answer = ask(settings, &question).await.map_err(EnrolError::Link)?;
    // First the key that orders must be signed with: a host that can connect never goes without it.
    write_order_key(&settings.state_dir, answer.order_key)?;
    write_key(&settings.key_file, key.serialize_pem().as_bytes())?;
    let path = settings.certificate_file.clone();
    write_durably(&path, answer.certificate_pem.as_bytes())
        .map_err(|source| EnrolError::Write { path, source })
}

fn request(host: &str, key: &KeyPair) -> Result<String, rcgen::Error> {
    let mut params = CertificateParams::new(vec![host.to_owned()])?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, host);
    params.serialize_request(key)?.pem()
}

async fn ask(settings: &Settings, question: &EnrolQuestion) -> Result<EnrolAnswer, LinkError> {
    let mut last = None;
    for address in &settings.coordinators {
        let one = ask_one(settings, address, question);
        match tokio::time::timeout(CONNECT_TIMEOUT * 2, one).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => last = Some(error),
            Err(_) => {
                last = Some(LinkError::Silent { address: address.clone(), after: CONNECT_TIMEOUT * 2 });
            }
        }
    }
    Err(last.unwrap_or(LinkError::Ended { address: "none".to_owned() }))
}

async fn ask_one(
    settings: &Settings,
    address: &str,
    question: &EnrolQuestion,
) -> Result<EnrolAnswer, LinkError> {
    let mut client = connect(settings, address, Identity::None).await?;
    let response = client.enrol(proto::v1::EnrolRequest::from(question.clone())).await;
    let response = response
        .map_err(|status| LinkError::Refused { address: address.to_owned(), status: Box::new(status) })?;
    EnrolAnswer::try_from(response.into_inner())
        .map_err(|source| LinkError::Wire { address: address.to_owned(), source })
}

/// Only the owner may read the key, where the file system knows owners.
fn write_key(path: &Path, pem: &[u8]) -> Result<(), EnrolError> {
    let fail = |source| EnrolError::Write { path: path.to_owned(), source };
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).map_err(fail)?;
    }
    let temporary = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(fail)?;
    file.write_all(pem).map_err(fail)?;
    file.sync_all().map_err(fail)?;
    std::fs::rename(&temporary, path).map_err(fail)
}

#[cfg(test)]
mod tests;

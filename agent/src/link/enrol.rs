//! Enrolment: own key, certificate request, one-time token in; certificate out, at once or after an operator approved
//! the key. The token also tells which authority to trust.
//!
//! The private key never leaves the host. Called by the command line only.

use super::connect::{CONNECT_TIMEOUT, LinkError, connect_trusting};
use super::tls::{Identity, Trust};
use super::{join, key, pin};
use crate::approval::pins::{PinError, write_order_key};
use crate::journal::write_durably;
use crate::settings::Settings;
use proto::convert::{EnrolAnswer, EnrolQuestion, EnrolReply};
use rcgen::KeyPair;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Longest wait for an operator that may be asked for, in seconds.
pub const WAIT_SECS_MAX: u64 = 86_400;
/// Shortest time between two questions while an operator has not decided.
const ASK_AGAIN_MIN: Duration = Duration::from_millis(500);

/// Why this host has no certificate.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The token is not complete.
    #[error("the token is none: copy all of it, as `pointsman token create` printed it")]
    Token,
    /// Key or request could not be made.
    #[error("key and certificate request could not be made in {}", path.display())]
    Key {
        /// The file of the key.
        path: PathBuf,
        /// What is wrong.
        source: std::io::Error,
    },
    /// No coordinator gave a certificate.
    #[error("no certificate was given; check address and token")]
    Link(#[source] LinkError),
    /// The coordinator's order key could not be kept.
    #[error("the order key of the coordinator is not kept")]
    OrderKey(#[from] PinError),
    /// Nobody approved it.
    #[error("nobody approved the key within {} s: run enrol again with the same token to go on waiting", after.as_secs())]
    NotApproved {
        /// How long.
        after: Duration,
    },
    /// The coordinator sent another authority than the token says.
    #[error(
        "the coordinator sent another authority than the token says: somebody is between, or it is the wrong one"
    )]
    OtherAuthority,
    /// A file could not be written.
    #[error("{path} cannot be written")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Where the key is until its certificate is there: an enrolment that waits can be gone on with.
fn pending_key(settings: &Settings) -> PathBuf {
    settings.key_file.with_extension("pending")
}

/// Makes a key, has it certified, and keeps both. Waits so long for an operator; `told` hears what to tell them.
pub async fn enrol(
    settings: &Settings,
    token: String,
    system_uuid: String,
    wait: Duration,
    told: impl Fn(&str),
) -> Result<(), EnrolError> {
    let fingerprint = pin::of_token(&token).ok_or(EnrolError::Token)?.to_owned();
    let path = pending_key(settings);
    let failed = |source| EnrolError::Key { path: path.clone(), source };
    let known = path.exists();
    let key = if known { key::read(&path) } else { key::make(&path) }.map_err(failed)?;
    let host = settings.host_id.clone();
    let csr_pem = key::request(host.as_str(), &key).map_err(failed)?;
    let question = EnrolQuestion { token, host, csr_pem, system_uuid };
    let began = Instant::now();
    let mut asked = false;
    loop {
        let retry = match ask(settings, &question, &fingerprint).await {
            Ok(EnrolReply::Certified(answer)) => return keep(settings, &answer, &fingerprint, &path),
            Ok(EnrolReply::Pending { fingerprint: _, retry }) => {
                if !asked {
                    told(&waiting_words(settings, &key));
                }
                asked = true;
                retry
            }
            // Once it waits, a coordinator that is away for a while is no reason to give up; a busy one never is.
            Err(error) if error.is_busy() || (asked && error.passes()) => ASK_AGAIN_MIN * 4,
            Err(error) => {
                // The next enrolment begins with a new key; one that waited may still be approved.
                if !known && !asked {
                    let _ = std::fs::remove_file(&path);
                }
                return Err(EnrolError::Link(error));
            }
        };
        if began.elapsed() + retry > wait {
            return Err(EnrolError::NotApproved { after: wait });
        }
        tokio::time::sleep(retry.max(ASK_AGAIN_MIN)).await;
    }
}

fn waiting_words(settings: &Settings, key: &KeyPair) -> String {
    let (host, fingerprint) = (&settings.host_id, key::fingerprint(key));
    format!(
        "the key of this host is {fingerprint}\nwaiting for an operator: pointsman host approve {host} --fingerprint {fingerprint}"
    )
}

/// The key before its certificate: a certificate that is missing is recovered with the key, not the other way.
fn keep(
    settings: &Settings,
    answer: &EnrolAnswer,
    fingerprint: &str,
    pending: &Path,
) -> Result<(), EnrolError> {
    let authority = CertificateDer::from_pem_slice(answer.ca_pem.as_bytes());
    if !authority.is_ok_and(|authority| pin::is_pinned(&authority, fingerprint)) {
        return Err(EnrolError::OtherAuthority);
    }
    let write = |path: &PathBuf| {
        let path = path.clone();
        move |source| EnrolError::Write { path, source }
    };
    // First the key that orders must be signed with: a host that can connect never goes without it.
    write_order_key(&settings.state_dir, answer.order_key)?;
    write_durably(&settings.ca_file, answer.ca_pem.as_bytes()).map_err(write(&settings.ca_file))?;
    join::forget(&settings.state_dir).map_err(write(&settings.state_dir))?;
    std::fs::rename(pending, &settings.key_file).map_err(write(&settings.key_file))?;
    let path = &settings.certificate_file;
    write_durably(path, answer.certificate_pem.as_bytes()).map_err(write(path))
}

async fn ask(
    settings: &Settings,
    question: &EnrolQuestion,
    fingerprint: &str,
) -> Result<EnrolReply, LinkError> {
    let mut last = None;
    for address in &settings.coordinators {
        let one = ask_one(settings, address, question, fingerprint);
        match tokio::time::timeout(CONNECT_TIMEOUT * 2, one).await {
            Ok(Ok(reply)) => return Ok(reply),
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
    fingerprint: &str,
) -> Result<EnrolReply, LinkError> {
    let trust = Trust::Fingerprint(fingerprint);
    let mut client = connect_trusting(settings, address, Identity::None, trust).await?;
    let response = client.enrol(proto::v1::EnrolRequest::from(question.clone())).await;
    let response = response.map_err(|status| LinkError::refused(address, status))?;
    EnrolReply::try_from(response.into_inner())
        .map_err(|source| LinkError::Wire { address: address.to_owned(), source })
}

//! Keeps the host's certificate alive: renewed from half of its life, recovered when it ran out or is lost. The new one
//! counts from the next connection on; the stream that stands is left alone, whatever is under way on it.
//!
//! Owns: the task, its times, the certificate file. Must not: touch the host's network or its key. Started by the event loop.

use super::backoff::Backoff;
use super::certificate::{half, validity};
use super::connect::{CONNECT_TIMEOUT, LinkError, connect};
use super::fresh::{self, NotFresh};
use super::tls::{self, Identity, Trust};
use super::{join, key};
use crate::journal::write_durably;
use crate::settings::Settings;
use proto::convert::{AgentHello, RecoverQuestion, RecoverReply, renewed_from_wire};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{Notify, watch};

/// Longest sleep: the wall clock may be set, and the host may be enrolled meanwhile.
const LOOK_MAX: Duration = Duration::from_secs(300);
/// Shortest and longest wait after a try that failed.
const RETRY_MIN: Duration = Duration::from_secs(2);
const RETRY_MAX: Duration = Duration::from_secs(600);
/// Renewals of a fleet are spread over this part of a certificate's life: a tenth.
const SPREAD_PART: u32 = 10;
/// So many renewals in a row must fail before the certificate is recovered instead: this host's clock may be wrong.
const RENEWALS_TRIED: u32 = 3;

/// Why the certificate is not a new one.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// The coordinator.
    #[error("{}", .0.chain())]
    Link(#[from] LinkError),
    /// A file of this host.
    #[error("{what}: {source}")]
    File {
        /// What was tried.
        what: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// The certificate that was sent.
    #[error("the new certificate is not taken: {0}")]
    NotFresh(#[from] NotFresh),
    /// The coordinator counts recoveries in another way.
    #[error("the coordinator counts {theirs} recoveries after {ours}: the certificate is not taken")]
    Count {
        /// What this host remembered.
        ours: u64,
        /// What it was told.
        theirs: u64,
    },
}

fn file(what: &'static str) -> impl FnOnce(std::io::Error) -> RenewError {
    move |source| RenewError::File { what, source }
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Nothing for this long.
    Wait(Duration),
    /// A new certificate with the old one.
    Renew,
    /// A new certificate without one.
    Recover,
}

/// The task.
pub struct Keeper {
    /// The settings.
    pub settings: Arc<Settings>,
    /// Says on which machine this is.
    pub hello: watch::Receiver<AgentHello>,
    /// Ends the wait of the stream's task early.
    pub hurry: Arc<Notify>,
    /// Spreads hosts.
    pub backoff: Backoff,
}

/// The certificate that is kept now, and when it is to be renewed, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kept {
    from: u64,
    until: u64,
    renew_at: u64,
}

impl Kept {
    fn life(self) -> Duration {
        Duration::from_secs(self.until.saturating_sub(self.from))
    }

    fn step(self, now: u64, failed: u32) -> Step {
        if now >= self.until || failed >= RENEWALS_TRIED {
            Step::Recover
        } else if now >= self.renew_at {
            Step::Renew
        } else {
            Step::Wait(Duration::from_secs(self.renew_at - now).min(LOOK_MAX))
        }
    }
}

fn now_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl Keeper {
    /// Runs as long as the agent.
    pub async fn run(mut self) {
        let mut kept: Option<Kept> = None;
        let mut failed = 0;
        loop {
            kept = self.look(kept);
            let wait = match self.step(kept, failed) {
                Step::Wait(wait) => wait,
                step => match self.take(step).await {
                    Ok(()) => {
                        failed = 0;
                        self.backoff.reset();
                        continue;
                    }
                    Err(error) => {
                        failed = if step == Step::Recover { 0 } else { failed + 1 };
                        tracing::warn!(%error, ?step, "no new certificate yet");
                        let longest = kept.map_or(RETRY_MAX, |kept| kept.life() / (2 * SPREAD_PART));
                        self.backoff.next_wait().min(longest).clamp(RETRY_MIN, RETRY_MAX)
                    }
                },
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// The certificate as it is in its file now.
    fn look(&mut self, before: Option<Kept>) -> Option<Kept> {
        let der = CertificateDer::from_pem_file(&self.settings.certificate_file).ok()?;
        let (from, until) = validity(&der)?;
        if let Some(before) = before.filter(|kept| (kept.from, kept.until) == (from, until)) {
            return Some(before);
        }
        let spread = Duration::from_secs(until.saturating_sub(from)) / SPREAD_PART;
        let renew_at = half(from, until) + self.backoff.within(spread).as_secs();
        Some(Kept { from, until, renew_at })
    }

    fn step(&self, kept: Option<Kept>, failed: u32) -> Step {
        if !self.settings.key_file.exists() {
            // Not enrolled.
            return Step::Wait(RETRY_MIN.max(LOOK_MAX / 10));
        }
        let usable = tls::client_config(&self.settings, Identity::Host, Trust::File).is_ok();
        match kept.filter(|_| usable) {
            Some(kept) => kept.step(now_secs(), failed),
            None => Step::Recover,
        }
    }

    async fn take(&self, step: Step) -> Result<(), RenewError> {
        let mut last = LinkError::Ended { address: "none".to_owned() };
        for address in &self.settings.coordinators {
            let one = async {
                match step {
                    Step::Recover => self.recover(address).await,
                    Step::Renew | Step::Wait(_) => self.renew(address).await,
                }
            };
            match tokio::time::timeout(CONNECT_TIMEOUT * 2, one).await {
                Ok(Err(RenewError::Link(error))) => last = error,
                Ok(other) => return other,
                Err(_) => last = LinkError::Silent { address: address.clone(), after: CONNECT_TIMEOUT * 2 },
            }
        }
        Err(last.into())
    }

    async fn renew(&self, address: &str) -> Result<(), RenewError> {
        let key = key::read(&self.settings.key_file).map_err(file("the key cannot be read"))?;
        let csr_pem =
            key::request(self.settings.host_id.as_str(), &key).map_err(file("no request can be made"))?;
        let mut client = connect(&self.settings, address, Identity::Host).await?;
        let response = client.renew(proto::v1::RenewRequest { csr_pem }).await;
        let response = response.map_err(|status| LinkError::refused(address, status))?;
        let wire = |source| LinkError::Wire { address: address.to_owned(), source };
        let certificate_pem = renewed_from_wire(response.into_inner()).map_err(wire)?;
        self.check(&certificate_pem)?;
        self.keep(&certificate_pem)?;
        tracing::info!(address, "certificate renewed");
        Ok(())
    }

    /// Over one connection: the challenge, then its answer, signed with the host's key as a certificate request.
    async fn recover(&self, address: &str) -> Result<(), RenewError> {
        let settings = &self.settings;
        let key = key::read(&settings.key_file).map_err(file("the key cannot be read"))?;
        let begun = join::begin(&settings.state_dir).map_err(file("the recovery cannot be noted"))?;
        let question = RecoverQuestion {
            host: settings.host_id.clone(),
            csr_pem: None,
            join_count: begun.count,
            join_id: begun.id.clone(),
            system_uuid: self.hello.borrow().system_uuid.clone(),
        };
        let mut client = connect(settings, address, Identity::None).await?;
        let wire = |source| LinkError::Wire { address: address.to_owned(), source };
        let first = client.recover(proto::v1::RecoverRequest::from(question.clone())).await;
        let first = first.map_err(|status| LinkError::refused(address, status))?.into_inner();
        let RecoverReply::Challenge(challenge) = RecoverReply::try_from(first).map_err(wire)? else {
            return Err(LinkError::Ended { address: address.to_owned() }.into());
        };
        let csr_pem = key::request(&challenge, &key).map_err(file("no request can be made"))?;
        let question = RecoverQuestion { csr_pem: Some(csr_pem), ..question };
        let second = client.recover(proto::v1::RecoverRequest::from(question)).await;
        let second = second.map_err(|status| LinkError::refused(address, status))?.into_inner();
        let RecoverReply::Certified { certificate_pem, join_count } =
            RecoverReply::try_from(second).map_err(wire)?
        else {
            return Err(LinkError::Ended { address: address.to_owned() }.into());
        };
        if Some(join_count) != begun.count.checked_add(1) {
            return Err(RenewError::Count { ours: begun.count, theirs: join_count });
        }
        self.check(&certificate_pem)?;
        // The count first: without the certificate it is recovered once more, with a wrong count never.
        join::done(&settings.state_dir, join_count).map_err(file("the recovery cannot be noted"))?;
        self.keep(&certificate_pem)?;
        tracing::warn!(address, join_count, "certificate recovered");
        self.hurry.notify_one();
        Ok(())
    }

    fn check(&self, certificate_pem: &str) -> Result<(), RenewError> {
        let key = tls::host_key(&self.settings).map_err(LinkError::from)?;
        let roots = tls::authorities(&self.settings).map_err(LinkError::from)?;
        Ok(fresh::check(certificate_pem, key, roots, UnixTime::now())?)
    }

    fn keep(&self, certificate_pem: &str) -> Result<(), RenewError> {
        write_durably(&self.settings.certificate_file, certificate_pem.as_bytes())
            .map_err(file("the certificate cannot be written"))
    }
}

#[cfg(test)]
mod tests;

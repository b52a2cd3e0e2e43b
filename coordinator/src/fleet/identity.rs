//! What the fleet asks about identities, and how a refusal sounds to a host. Answered by the composition root.

use super::refusal::RefusalKind;
use crate::trust::{PeerId, Token};
use model::{HostId, KeyFingerprint, Wall};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use tonic::Status;

/// A host presents a token.
#[derive(Debug, Clone)]
pub struct EnrolAttempt {
    /// The host it says it is.
    pub host: HostId,
    /// The token.
    pub token: Token,
    /// Its key; it was proven that it holds it.
    pub key: KeyFingerprint,
    /// Its machine; `None` when it does not tell, or tells what many machines share.
    pub system_uuid: Option<String>,
    /// From where.
    pub remote: SocketAddr,
}

/// What becomes of a host with a good token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnrolDecision {
    /// It is let in.
    Granted,
    /// An operator must approve its key first.
    Pending,
}

/// A host whose certificate ran out wants another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoverAttempt {
    /// The host it says it is.
    pub host: HostId,
    /// The key that answered the challenge.
    pub key: KeyFingerprint,
    /// Its machine.
    pub system_uuid: Option<String>,
    /// How often it recovered, by its own memory.
    pub join_count: u64,
    /// Made by it for this recovery.
    pub join_id: String,
    /// From where.
    pub remote: SocketAddr,
}

/// Why a host does not get in, or not any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// No client certificate.
    #[error("this call needs a host certificate: enrol the host first")]
    NoCertificate,
    /// The certificate ran out while its connection was open.
    #[error("the host's certificate has run out: renew it and connect again")]
    Expired,
    /// There is no such host.
    #[error("the host is not known here: an operator lets it in with `pointsman host approve {host}`")]
    Unknown {
        /// The host.
        host: HostId,
    },
    /// The host is bound to another key.
    #[error("the host was enrolled again with another key: this certificate is not accepted any more")]
    OtherKey,
    /// An operator took it out.
    #[error("the host is revoked: enrol it again with a new token")]
    Revoked,
    /// Its identity is in doubt.
    #[error("the host is quarantined ({reason}): an operator releases it with `pointsman host release`")]
    Quarantined {
        /// Why.
        reason: String,
    },
    /// The token opens no door. The caller does not learn why.
    #[error("the token is not valid for this host: make a new one on the coordinator")]
    Token {
        /// For log and audit trail only.
        why: String,
    },
    /// Its machine is another host. The caller does not learn it.
    #[error("the token is not valid for this host: make a new one on the coordinator")]
    Machine {
        /// For log and audit trail only.
        why: String,
    },
    /// An operator said no.
    #[error("an operator denied the enrolment of this host: make a new token")]
    Denied,
    /// The challenge was not answered, or not by the host's key. The caller does not learn which.
    #[error("the host cannot recover its certificate: enrol it again with a new token")]
    Unproven {
        /// For log and audit trail only.
        why: &'static str,
    },
    /// It cannot be told now.
    #[error("identities cannot be checked now: try again")]
    Unavailable {
        /// For the log only.
        why: String,
    },
}

impl Denial {
    /// The kind of refusal; `None` when nothing was decided.
    pub(super) fn refusal(&self) -> Option<RefusalKind> {
        match self {
            Self::NoCertificate => Some(RefusalKind::NoCertificate),
            Self::Expired => Some(RefusalKind::Expired),
            Self::Unknown { .. } => Some(RefusalKind::UnknownHost),
            Self::OtherKey => Some(RefusalKind::OtherKey),
            Self::Revoked => Some(RefusalKind::Revoked),
            Self::Quarantined { .. } => Some(RefusalKind::Quarantined),
            Self::Token { .. } => Some(RefusalKind::Token),
            Self::Machine { .. } => Some(RefusalKind::Machine),
            Self::Denied => Some(RefusalKind::Denied),
            Self::Unproven { .. } => Some(RefusalKind::Recovery),
            Self::Unavailable { .. } => None,
        }
    }

    /// For log and audit trail: more than the host hears.
    pub(super) fn detail(&self) -> String {
        match self {
            Self::Token { why } | Self::Machine { why } | Self::Unavailable { why } => why.clone(),
            Self::Unproven { why } => (*why).to_owned(),
            other => other.to_string(),
        }
    }

    /// What the host hears.
    pub(super) fn status(&self) -> Status {
        let text = self.to_string();
        match self {
            Self::NoCertificate
            | Self::Expired
            | Self::Token { .. }
            | Self::Machine { .. }
            | Self::Unproven { .. } => Status::unauthenticated(text),
            Self::Unknown { .. }
            | Self::OtherKey
            | Self::Revoked
            | Self::Quarantined { .. }
            | Self::Denied => Status::permission_denied(text),
            Self::Unavailable { .. } => Status::unavailable(text),
        }
    }
}

/// A future of [`Identities`].
pub type IdentityFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, Denial>> + Send + 'a>>;

/// Who may speak. Supplied by the composition root; every answer is as new as the database.
pub trait Identities: Send + Sync {
    /// Whether the holder of this certificate may call at all. Asked at every call.
    fn admit(&self, peer: PeerId, remote: SocketAddr) -> IdentityFuture<'_, ()>;

    /// Spends a token, or looks at the request that was made with it.
    fn enrol(&self, attempt: EnrolAttempt) -> IdentityFuture<'_, EnrolDecision>;

    /// Counts a recovery; gives the count that the host must remember.
    fn recover(&self, attempt: RecoverAttempt) -> IdentityFuture<'_, u64>;

    /// The host says on which machine it runs.
    fn machine(&self, host: HostId, system_uuid: String) -> IdentityFuture<'_, ()>;

    /// The host was given a certificate.
    fn certified(&self, host: HostId, expires: Wall) -> IdentityFuture<'_, ()>;
}

//! Who was refused and why, for the audit trail. Must not: decide what is refused. Made where the refusal happens.

use model::HostId;
use std::net::SocketAddr;

/// Longest detail that is kept, in characters: it may repeat what a stranger sent.
const DETAIL_CHARS_MAX: usize = 300;

/// Kinds of refusals on the agents' port; the words are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefusalKind {
    /// No TLS connection came about: other version, no or another authority's certificate, too slow.
    Handshake,
    /// The certificate is of our authority but names no host.
    Identity,
    /// A call that needs a host certificate came without one.
    NoCertificate,
    /// A call that does not exist.
    UnknownCall,
    /// A certificate that ran out while its connection was open.
    Expired,
    /// A certificate of ours for a host that is not known here.
    UnknownHost,
    /// A certificate of a host that was enrolled again with another key.
    OtherKey,
    /// A host that an operator took out.
    Revoked,
    /// A host whose identity is in doubt.
    Quarantined,
    /// A newcomer on a machine that is another host.
    Machine,
    /// A newcomer that an operator denied.
    Denied,
    /// A renewal that cannot be understood, or for another key.
    Renewal,
    /// A recovery that cannot be understood, or does not prove the host's key.
    Recovery,
    /// Too many connections or enrolments at once or in a time.
    Crowded,
    /// More messages than the limit.
    Flooding,
    /// An agent that does not read what it is sent.
    SlowReader,
    /// A token that is unknown, used, late, or another host's.
    Token,
    /// An enrolment that cannot be understood, or a certificate request that proves no key.
    Enrolment,
    /// A confirmation over the connection of the stream, or one that cannot be understood.
    Confirmation,
    /// A message larger than the limits.
    TooLarge,
    /// A message that cannot be understood, out of turn, or about another host.
    Message,
    /// An end of an order without a fitting signature of the host.
    Receipt,
    /// A protocol version we do not speak.
    Protocol,
}

impl RefusalKind {
    /// The word in the audit trail.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Identity => "identity",
            Self::NoCertificate => "no_certificate",
            Self::UnknownCall => "unknown_call",
            Self::Expired => "expired",
            Self::UnknownHost => "unknown_host",
            Self::OtherKey => "other_key",
            Self::Revoked => "revoked",
            Self::Quarantined => "quarantined",
            Self::Machine => "machine",
            Self::Denied => "denied",
            Self::Renewal => "renewal",
            Self::Recovery => "recovery",
            Self::Crowded => "crowded",
            Self::Flooding => "flooding",
            Self::SlowReader => "slow_reader",
            Self::Token => "token",
            Self::Enrolment => "enrolment",
            Self::Confirmation => "confirmation",
            Self::TooLarge => "too_large",
            Self::Message => "message",
            Self::Receipt => "receipt",
            Self::Protocol => "protocol",
        }
    }
}

/// One refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind.
    pub kind: RefusalKind,
    /// The host by its certificate, else the host it claims to be, else nobody.
    pub host: Option<HostId>,
    /// From where.
    pub remote: SocketAddr,
    /// More, cut and printable.
    pub detail: String,
}

impl Refusal {
    /// A refusal; the detail is cut and made printable.
    #[must_use]
    pub fn new(kind: RefusalKind, host: Option<HostId>, remote: SocketAddr, detail: &str) -> Self {
        let detail =
            detail.chars().take(DETAIL_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
        Self { kind, host, remote, detail }
    }
}

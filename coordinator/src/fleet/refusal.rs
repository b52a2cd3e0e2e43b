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

//! The agents' side of the coordinator: their TLS port, their streams, and who is live.
//!
//! Owns: the accept loop, the gRPC service, the live hosts in memory, dispatch of orders, and the
//! stream of [`FleetEvent`]s. Must not: touch the database, decide about rollouts, or let a type of
//! the gRPC library out. Called by the composition root, which supplies identities and verdicts, reads
//! the events, and calls `ack` on them after its commit.

mod accept;
mod connection;
mod event;
mod gate;
mod handle;
mod identity;
mod join;
mod outgoing;
mod pace;
mod ping;
mod refusal;
mod registry;
mod server;
mod service;
mod session;
mod settings;
mod sources;
mod tls;

#[cfg(test)]
mod tests;

pub use event::{Ack, FleetEvent, SessionId};
pub use handle::{FleetHandle, LiveHost, SendOrderError};
pub use identity::{Denial, EnrolAttempt, EnrolDecision, Identities, IdentityFuture, RecoverAttempt};
pub use pace::Bucket;
pub use ping::PeerPing;
pub use proto::convert::{AgentHello, OfferedOrder, SetAck, Verdict};
pub use refusal::{Refusal, RefusalKind};
pub use server::{FleetParts, FleetServer, start};
pub use service::{ConfirmAttempt, ConfirmDecider, ConfirmFuture, Undecided};
pub use settings::FleetSettings;

use model::Wall;
use std::time::{SystemTime, UNIX_EPOCH};

/// The wall clock.
fn wall_now() -> Wall {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Wall(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

//! Wire messages in checked form, both ways. Every conversion names every field, so that a new
//! field cannot be forgotten. Must not log or decide. Called by the agent's link and by the fleet.

mod document;
mod error;
mod from_agent;
mod from_coordinator;
mod identity;
mod ping;
mod proof;
mod unary;

#[cfg(test)]
mod tests;

pub use document::{content_hash, order_from_bytes, order_to_bytes};
pub use error::WireError;
pub use from_agent::{
    AgentHello, FromAgent, HeartbeatReport, ObservationReport, OutcomeReport, StepProgress,
};
pub use from_coordinator::FromCoordinator;
pub use identity::{
    EnrolAnswer, EnrolQuestion, EnrolReply, ORDER_KEY_BYTES, RecoverQuestion, RecoverReply,
    renewal_from_wire, renewed_from_wire,
};
pub use ping::{PING_COUNT_MAX, PingQuestion, PingReport};
pub use proof::{OfferedOrder, SetAck, proof_wire_bytes};
pub use unary::{ConfirmQuestion, Verdict};

use error::bounded;
use model::ApplyPhase;

/// Phases by their wire text; the same words as in JSON.
const PHASES: [(ApplyPhase, &str); 9] = [
    (ApplyPhase::Idle, "idle"),
    (ApplyPhase::Planning, "planning"),
    (ApplyPhase::Applying, "applying"),
    (ApplyPhase::Verifying, "verifying"),
    (ApplyPhase::Probing, "probing"),
    (ApplyPhase::AwaitingConfirm, "awaiting_confirm"),
    (ApplyPhase::Holding, "holding"),
    (ApplyPhase::RollingBack, "rolling_back"),
    (ApplyPhase::Saving, "saving"),
];

/// The wire text of a phase.
#[must_use]
pub fn phase_to_text(phase: ApplyPhase) -> &'static str {
    match phase {
        ApplyPhase::Idle => "idle",
        ApplyPhase::Planning => "planning",
        ApplyPhase::Applying => "applying",
        ApplyPhase::Verifying => "verifying",
        ApplyPhase::Probing => "probing",
        ApplyPhase::AwaitingConfirm => "awaiting_confirm",
        ApplyPhase::Holding => "holding",
        ApplyPhase::RollingBack => "rolling_back",
        ApplyPhase::Saving => "saving",
    }
}

/// The phase a wire text names.
pub fn phase_from_text(text: &str) -> Result<ApplyPhase, WireError> {
    PHASES
        .iter()
        .find(|(_, word)| *word == text)
        .map(|(phase, _)| *phase)
        .ok_or_else(|| WireError::UnknownPhase { text: bounded(text) })
}

//! What the rollout machine asks of its caller. Must not decide anything.

use super::EventKind;
use model::{HostId, RolloutPhase};

/// One thing to do or to tell, after the state was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Send the host its order of this change; may be a repeat.
    SendOrder(HostId),
    /// The hosts of this wave (from 0) may get their orders.
    WaveStarted(u32),
    /// The wave is done.
    WaveEnded(u32),
    /// The rollout is in another phase.
    PhaseChanged {
        /// The phase before.
        from: RolloutPhase,
        /// The phase now.
        to: RolloutPhase,
        /// Why, in words.
        reason: Option<String>,
    },
    /// The rollout is `Completed` or `Aborted`: nothing will be asked for any more.
    Finished,
    /// The event has no meaning here; nothing was changed.
    Rejected {
        /// The phase.
        phase: RolloutPhase,
        /// The event.
        event: EventKind,
    },
}

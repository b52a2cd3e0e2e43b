//! What the apply machine asks its shell to do. Must not decide anything.

use super::{EventKind, Record};
use model::{ApplyOutcome, ApplyPhase, ChangeId, Generation, Operation, PlanDigest, Probe};

/// One thing to do; effects are performed in the order given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Read the host in full, beginning now; answer with `Event::Observed`.
    Observe {
        /// To be given back.
        token: u32,
    },
    /// Make this record durable before anything else; answer `JournalWritten` or `JournalFailed`.
    Journal(Record),
    /// Make this record durable; a failure is logged and changes nothing.
    Note(Record),
    /// Run one step; answer with `Event::StepDone`.
    RunStep {
        /// To be given back.
        index: u32,
        /// The call.
        operation: Operation,
    },
    /// Run one call of the way back; answer with `Event::InverseDone`.
    RunInverse {
        /// To be given back.
        position: u32,
        /// The call.
        operation: Operation,
    },
    /// Ask the network around the host; answer with `Event::Probed`.
    Probe {
        /// To be given back.
        token: u32,
        /// What to ask, at the same time.
        probes: Vec<Probe>,
    },
    /// Open a new connection to the coordinator and ask; answer `ConfirmAnswered` or `ConfirmUnavailable`.
    TryConfirm {
        /// The change.
        change: ChangeId,
        /// Its generation.
        generation: Generation,
        /// The plan that was applied.
        digest: PlanDigest,
    },
    /// Save the running configuration of the host; answer with `Event::Persisted`.
    Persist,
    /// Tell the coordinator how an order ended, until it is acknowledged.
    Report(ApplyOutcome),
    /// Tell whoever watches; may be lost.
    Progress {
        /// The change.
        change: ChangeId,
        /// Its generation.
        generation: Generation,
        /// Where it is.
        phase: ApplyPhase,
        /// Steps begun.
        step: u32,
        /// Steps of the plan.
        steps_total: u32,
    },
    /// The event has no meaning in this state; log it.
    Rejected {
        /// The state.
        state: ApplyPhase,
        /// The event.
        event: EventKind,
    },
}

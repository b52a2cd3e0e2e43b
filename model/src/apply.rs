//! How far a host is with a change and how it ended. Data only; `engine::apply` decides.

use crate::{ChangeId, Difference, Generation, PlanDigest};
use serde::{Deserialize, Serialize};

/// Where a host is with its current order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplyPhase {
    /// Nothing is open.
    Idle,
    /// Reading the host and planning.
    Planning,
    /// Running steps.
    Applying,
    /// Reading back and comparing.
    Verifying,
    /// Asking the network around the host whether it still answers.
    Probing,
    /// Applied; waiting for the coordinator over a new connection.
    AwaitingConfirm,
    /// Somebody else changed the host inside the window: nothing is done until a person decides or the deadline comes.
    Holding,
    /// Running inverse steps.
    RollingBack,
    /// How the change ends is decided: the configuration is being saved and the end written down.
    Saving,
}

/// Why a host did not take an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// The order names another host.
    WrongHost,
    /// The host holds a newer generation.
    OlderGeneration {
        /// The generation it holds.
        held: Generation,
    },
    /// Same generation, other content.
    ContentDiffers,
    /// The host is busy with another change.
    Busy {
        /// The change it is busy with.
        change: ChangeId,
    },
    /// The plan made on the host differs from the approved one.
    PlanChanged {
        /// Digest of the plan made on the host.
        found: PlanDigest,
    },
    /// The plan could not be made: the findings say why.
    NotPlannable {
        /// Findings as text.
        findings: Vec<String>,
    },
    /// The plan is worse for traffic than what was allowed.
    TooDisruptive {
        /// Class of the plan made on the host.
        found: crate::Disruption,
    },
    /// The host could not be read.
    Unreadable {
        /// What failed.
        detail: String,
    },
    /// The journal cannot be written or trusted: the order is not taken. While it is damaged, what an earlier run that
    /// was cut off did of it is not known; a person must look.
    JournalUnavailable {
        /// What failed.
        detail: String,
    },
    /// The host is frozen by a person at its console: it takes no order and runs no step.
    Frozen {
        /// What that person wrote.
        reason: String,
    },
    /// The host is pinned to what it has by a person at its console: it takes no order.
    Pinned {
        /// What that person wrote.
        reason: String,
    },
    /// The plan breaks a rule that no coordinator can override on the host.
    Unsafe {
        /// Which rule and where.
        detail: String,
    },
    /// Approvers, or the coordinator itself, did not prove the order.
    Unproven(crate::Unproven),
    /// The order itself cannot be understood.
    Malformed {
        /// What is wrong.
        detail: String,
    },
}

/// How a host ended an order; end states are distinct on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    /// Applied, verified, confirmed.
    Committed,
    /// Everything is as before, read back and compared.
    RolledBack {
        /// Why it was rolled back.
        reason: String,
    },
    /// Rolled back, but the read-back differs from the state before.
    RolledBackUnverified {
        /// Why it was rolled back.
        reason: String,
        /// What differs.
        differences: Vec<Difference>,
    },
    /// Some steps could not be undone: a person must look.
    FailedMixed {
        /// What failed.
        reason: String,
    },
    /// Nothing was done.
    Refused(RefusalReason),
}

impl OutcomeKind {
    /// The word used in SQL, JSON and on screen.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::RolledBack { .. } => "rolled_back",
            Self::RolledBackUnverified { .. } => "rolled_back_unverified",
            Self::FailedMixed { .. } => "failed_mixed",
            Self::Refused(_) => "refused",
        }
    }
}

/// The end of one order on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyOutcome {
    /// The change.
    pub change: ChangeId,
    /// The generation of the order.
    pub generation: Generation,
    /// How it ended.
    pub kind: OutcomeKind,
    /// Steps that were run.
    #[serde(default)]
    pub steps_run: u32,
    /// esxcli calls made for this order, reads included.
    #[serde(default)]
    pub esxcli_calls: u32,
    /// What is to be said of its approval; nothing when it was proven as it should be, or not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<crate::ApprovalNote>,
}

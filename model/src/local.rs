//! What a person did at the console of a host, for the record. Must not decide anything.
//! Written by the agent, carried to the coordinator when it can be reached again.

use crate::Wall;
use serde::{Deserialize, Serialize};

/// The verb that was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LocalVerb {
    /// Take no order and run no step.
    Freeze,
    /// Take no order.
    Pin,
    /// Take orders again.
    Release,
    /// Undo the open change, or the last committed one.
    Rollback,
    /// Trust other approvers.
    PinApprovers,
}

impl LocalVerb {
    /// The word used in SQL, JSON and on screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Freeze => "freeze",
            Self::Pin => "pin",
            Self::Release => "release",
            Self::Rollback => "rollback",
            Self::PinApprovers => "pin_approvers",
        }
    }
}

/// One action at the console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalAction {
    /// Counts up by one per host.
    pub sequence: u64,
    /// What was done.
    pub verb: LocalVerb,
    /// Why, in the person's words.
    pub reason: String,
    /// When, by the host's clock.
    pub at: Wall,
}

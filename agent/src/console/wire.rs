//! What the console and a running agent say to each other: one JSON line each way.
//!
//! Owns: the two types and their limits. Must not: know what a verb does. Used by `client`, `server`
//! and the event loop.

use super::holds::Kind;
use crate::status::Status;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Longest request line.
pub const REQUEST_BYTES_MAX: u64 = 4 * 1024;
/// Longest answer line.
pub const ANSWER_BYTES_MAX: u64 = 1024 * 1024;
/// Longest wait of either side for a whole line.
pub const LINE_LIMIT: Duration = Duration::from_secs(2);
/// Longest time the event loop may take for an answer.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// What the console asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Whether the event loop turns.
    Ping,
    /// How the host stands.
    Status,
    /// Undo the open change, or the last committed one.
    Rollback {
        /// Why.
        reason: String,
    },
    /// Freeze or pin.
    Hold {
        /// Which.
        kind: Kind,
        /// Why.
        reason: String,
        /// Who.
        by: String,
    },
    /// Another approver set was pinned: read it.
    ApproversPinned {
        /// Who and what, for the record.
        told: String,
    },
    /// End freeze and pin.
    Release {
        /// Who.
        by: String,
    },
}

/// What the agent answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// The event loop turns.
    Pong,
    /// How the host stands.
    Status {
        /// All of it.
        status: Box<Status>,
    },
    /// It is done, or begun.
    Done {
        /// In words.
        text: String,
    },
    /// It is not done.
    Refused {
        /// Why, and what to do.
        text: String,
    },
}

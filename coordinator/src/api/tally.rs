//! What admission decided, counted since the start; for the metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// A decision about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It reached its handler.
    Allowed,
    /// It did not: who asked may not, or is nobody.
    Denied,
    /// It came too soon after others.
    TooMany,
    /// There was no room.
    Busy,
}

impl Decision {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Allowed, Self::Denied, Self::TooMany, Self::Busy];

    /// The word in the metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::TooMany => "too_many",
            Self::Busy => "busy",
        }
    }
}

/// The counters.
#[derive(Debug, Default)]
pub struct Tally {
    allowed: AtomicU64,
    denied: AtomicU64,
    too_many: AtomicU64,
    busy: AtomicU64,
}

impl Tally {
    fn counter(&self, decision: Decision) -> &AtomicU64 {
        match decision {
            Decision::Allowed => &self.allowed,
            Decision::Denied => &self.denied,
            Decision::TooMany => &self.too_many,
            Decision::Busy => &self.busy,
        }
    }

    /// Counts one.
    pub fn count(&self, decision: Decision) {
        self.counter(decision).fetch_add(1, Ordering::Relaxed);
    }

    /// How many so far.
    #[must_use]
    pub fn of(&self, decision: Decision) -> u64 {
        self.counter(decision).load(Ordering::Relaxed)
    }
}

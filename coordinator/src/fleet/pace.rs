//! How fast somebody may go: a bucket that fills at a steady rate. Must not read a clock.

use std::time::Duration;
use tokio::time::Instant;

/// A bucket of tokens.
#[derive(Debug)]
pub struct Bucket {
    per_sec: f64,
    capacity: f64,
    left: f64,
    at: Instant,
}

impl Bucket {
    /// A full bucket that holds `capacity` tokens and gets `per_sec` of them a second.
    #[must_use]
    pub fn new(per_sec: u32, capacity: u32, now: Instant) -> Self {
        let capacity = f64::from(capacity);
        Self { per_sec: f64::from(per_sec), capacity, left: capacity, at: now }
    }

    /// Takes `cost` tokens; `false`, and none taken, when there are not so many.
    pub fn take(&mut self, cost: u32, now: Instant) -> bool {
        let passed: Duration = now.saturating_duration_since(self.at);
        self.left = (self.left + passed.as_secs_f64() * self.per_sec).min(self.capacity);
        self.at = now;
        let cost = f64::from(cost);
        let enough = self.left >= cost;
        if enough {
            self.left -= cost;
        }
        enough
    }
}

#[cfg(test)]
mod tests;

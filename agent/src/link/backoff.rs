//! How long to wait before the next try: exponential, full jitter, capped, repeatable from a seed.

use std::time::Duration;

/// Upper end of the first wait.
const FIRST: Duration = Duration::from_millis(500);

/// Waits before tries to connect.
#[derive(Debug, Clone)]
pub struct Backoff {
    state: u64,
    tries: u32,
    longest: Duration,
}

impl Backoff {
    /// A new row of waits, none longer than `longest`; the same seed gives the same row.
    #[must_use]
    pub fn new(seed: u64, longest: Duration) -> Self {
        Self { state: seed, tries: 0, longest }
    }

    /// The next wait.
    pub fn next_wait(&mut self) -> Duration {
        let ceiling = FIRST.saturating_mul(2u32.saturating_pow(self.tries.min(20))).min(self.longest);
        self.tries = self.tries.saturating_add(1);
        self.within(ceiling)
    }

    /// A random time within a span.
    pub fn within(&mut self, span: Duration) -> Duration {
        let limit = u64::try_from(span.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        Duration::from_millis(self.random() % limit)
    }

    /// A connection that lasted: begin with short waits again.
    pub fn reset(&mut self) {
        self.tries = 0;
    }

    /// SplitMix64: small, and good enough to spread hosts.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// A seed for a host and a process.
#[must_use]
pub fn seed(host: &str, process: u64) -> u64 {
    // FNV-1a: all that is needed is that hosts differ.
    host.bytes().fold(0xCBF2_9CE4_8422_2325 ^ process, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

#[cfg(test)]
mod tests;

//! What happened, as one running hash, and as text when a run is looked at.
//!
//! Two runs of one seed must end with the same hash; whatever differs between machines must not come in here.

use std::collections::VecDeque;

/// Events kept as text.
pub const KEPT_MAX: usize = 400;

/// The trace of one run.
#[derive(Debug, Clone)]
pub struct Trace {
    hash: u64,
    events: u64,
    verbose: bool,
    last: VecDeque<String>,
}

impl Trace {
    /// An empty trace.
    #[must_use]
    pub fn new(verbose: bool) -> Self {
        Self { hash: 0xCBF2_9CE4_8422_2325, events: 0, verbose, last: VecDeque::new() }
    }

    /// One event of the queue.
    pub fn event(&mut self, at: u64, numbers: [u64; 3]) {
        self.events += 1;
        for number in [at, numbers[0], numbers[1], numbers[2]] {
            self.mix(number);
        }
    }

    /// Something worth reading; its text is made only when somebody reads it.
    pub fn note(&mut self, at: u64, word: &str, text: impl FnOnce() -> String) {
        for byte in word.bytes() {
            self.mix(u64::from(byte));
        }
        self.mix(at);
        if self.verbose {
            if self.last.len() >= KEPT_MAX {
                self.last.pop_front();
            }
            self.last.push_back(format!("{:>9}.{:03} {word:<10} {}", at / 1000, at % 1000, text()));
        }
    }

    fn mix(&mut self, number: u64) {
        self.hash = (self.hash ^ number).wrapping_mul(0x0000_0100_0000_01B3).rotate_left(23);
    }

    /// The hash so far.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Events so far.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The last events as text; empty unless the run is verbose.
    pub fn last(&self) -> impl Iterator<Item = &String> {
        self.last.iter()
    }
}

//! How often somebody may ask: a bucket per somebody, filled at a steady rate. Must not: read a clock.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One request, in the unit buckets are counted in.
const ONE: u64 = 1_000_000;

/// A rate.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// Requests a second, in the long run.
    pub per_sec: u32,
    /// Requests at once, after a rest.
    pub burst: u32,
}

/// Buckets, one per key; beyond `keys_max` keys, newcomers share one.
#[derive(Debug)]
pub struct Buckets<K> {
    rate: Rate,
    keys_max: usize,
    state: Mutex<State<K>>,
}

#[derive(Debug)]
struct State<K> {
    known: BTreeMap<K, Bucket>,
    shared: Bucket,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: u64,
    at: Option<Instant>,
}

impl Bucket {
    fn refill(&mut self, rate: Rate, now: Instant) {
        let full = u64::from(rate.burst) * ONE;
        let rested = self.at.map_or(Duration::MAX, |at| now.saturating_duration_since(at));
        let micros = u64::try_from(rested.as_micros()).unwrap_or(u64::MAX);
        self.left = self.left.saturating_add(micros.saturating_mul(u64::from(rate.per_sec))).min(full);
        self.at = Some(now);
    }

    fn take(&mut self, rate: Rate, now: Instant) -> bool {
        self.refill(rate, now);
        let enough = self.left >= ONE;
        self.left -= if enough { ONE } else { 0 };
        enough
    }
}

const EMPTY: Bucket = Bucket { left: 0, at: None };

impl<K: Ord> Buckets<K> {
    pub fn new(rate: Rate, keys_max: usize) -> Self {
        Self { rate, keys_max, state: Mutex::new(State { known: BTreeMap::new(), shared: EMPTY }) }
    }

    /// Takes one request out of the bucket of `key`; `false` when it is empty.
    pub fn take(&self, key: K, now: Instant) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { known, shared } = &mut *state;
        if !known.contains_key(&key) && known.len() >= self.keys_max {
            let full = u64::from(self.rate.burst) * ONE;
            known.retain(|_, bucket| {
                bucket.refill(self.rate, now);
                bucket.left < full
            });
            if known.len() >= self.keys_max {
                return shared.take(self.rate, now);
            }
        }
        known.entry(key).or_insert(EMPTY).take(self.rate, now)
    }
}

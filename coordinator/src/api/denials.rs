//! Which denials are written to the audit trail: all, until somebody makes so many that they would bury the rest.
//!
//! What is left out is counted, and the next entry says how many. Must not: read a clock. Called by admission.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The span in which denials are counted.
const SPAN: Duration = Duration::from_secs(60);
/// Entries of one address in a span.
pub const OF_ONE_MAX: u32 = 30;
/// Entries of all in a span.
pub const OF_ALL_MAX: u32 = 300;

#[derive(Debug, Default)]
pub struct Denials(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    began: Option<Instant>,
    of_one: BTreeMap<IpAddr, u32>,
    of_all: u32,
    left_out: u64,
}

impl Denials {
    /// Whether this one is written; if so, how many were left out before it.
    pub fn admit(&self, source: IpAddr, now: Instant) -> Option<u64> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if window.began.is_none_or(|began| now.saturating_duration_since(began) >= SPAN) {
            let left_out = window.left_out;
            *window = Window { began: Some(now), left_out, ..Window::default() };
        }
        let of_one = window.of_one.get(&source).copied().unwrap_or(0);
        if of_one >= OF_ONE_MAX || window.of_all >= OF_ALL_MAX {
            window.left_out += 1;
            return None;
        }
        window.of_one.insert(source, of_one + 1);
        window.of_all += 1;
        Some(std::mem::take(&mut window.left_out))
    }
}

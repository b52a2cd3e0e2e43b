//! Which refusals are worth an audit entry: each kind once an hour per host, and so many a minute in all, so that
//! somebody who is refused all day long cannot fill the trail. The log has them all.

use crate::fleet::Bucket;
use model::{HostId, Millis, Wall};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

/// A refusal of the same kind for the same host is noted again after this.
const NOTED_AGAIN_AFTER: Millis = Millis(60 * 60 * 1000);
/// Refusals noted a second, and at once after a quiet time.
const NOTED_PER_SEC: u32 = 1;
const NOTED_BURST: u32 = 120;
/// Hosts and kinds that are remembered.
const REMEMBERED_MAX: usize = 4096;

#[derive(Debug)]
struct Memory {
    noted: BTreeMap<(HostId, &'static str), Wall>,
    budget: Bucket,
}

/// What was noted lately.
#[derive(Debug)]
pub(super) struct Refusals(Mutex<Memory>);

impl Default for Refusals {
    fn default() -> Self {
        let budget = Bucket::new(NOTED_PER_SEC, NOTED_BURST, Instant::now());
        Self(Mutex::new(Memory { noted: BTreeMap::new(), budget }))
    }
}

impl Refusals {
    /// Whether this refusal is to be noted; it counts as noted then.
    pub(super) fn worth_noting(&self, host: &HostId, kind: &'static str, now: Wall) -> bool {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |at: &Wall| at.plus(NOTED_AGAIN_AFTER) > now;
        if memory.noted.get(&(host.clone(), kind)).is_some_and(fresh)
            || !memory.budget.take(1, Instant::now())
        {
            return false;
        }
        if memory.noted.len() >= REMEMBERED_MAX {
            memory.noted.retain(|_, at| fresh(at));
        }
        if memory.noted.len() < REMEMBERED_MAX {
            memory.noted.insert((host.clone(), kind), now);
        }
        true
    }
}

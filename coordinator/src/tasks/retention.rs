//! Keeps the history of observations within limits.
//!
//! Owns: how long and how many. Must not: touch the newest observation of a host, the audit trail, or anything else. Started
//! by the composition root; works only while this coordinator leads, a few rows at a time, so that reports never wait long.

use super::lease::LeaseHandle;
use super::{stopped, wall_now};
use crate::store::{Db, StoreError, retention};
use model::{Millis, Wall};
use std::time::Duration;
use tokio::sync::watch;

/// How long it is known when a host changed to which content.
pub const OBSERVATIONS_KEPT: Millis = Millis(90 * 24 * 3_600_000);
/// Most such rows of one host, so that a host that changes all the time does not fill the disk.
pub const OBSERVATIONS_PER_HOST_MAX: u32 = 1_000;
/// Time between two passes.
pub const PASS_EVERY: Duration = Duration::from_secs(3_600);
/// Time before the first pass: a start has other things to do.
const FIRST_PASS_AFTER: Duration = Duration::from_secs(60);
/// Rows taken out in one unit of work.
const ROWS_PER_WORK: u32 = 500;
/// Units of work of one pass and kind; what is left goes with the next pass.
const WORKS_PER_PASS: u32 = 200;

/// What a pass took out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// Rows that tell when a host changed.
    pub observations: u64,
    /// Contents that nothing referred to any more.
    pub documents: u64,
}

/// Runs passes until `stop` turns true.
pub async fn run(db: Db, lease: LeaseHandle, mut stop: watch::Receiver<bool>) {
    let mut wait = FIRST_PASS_AFTER;
    loop {
        tokio::select! {
            () = stopped(&mut stop) => return,
            () = tokio::time::sleep(wait) => {}
        }
        wait = PASS_EVERY;
        if lease.check().is_err() {
            continue;
        }
        match pass(&db, wall_now()).await {
            Ok(Removed { observations: 0, documents: 0 }) => {}
            Ok(Removed { observations, documents }) => {
                tracing::info!(observations, documents, "old observations were taken out");
            }
            Err(error) => tracing::warn!(%error, "old observations were not taken out; trying again later"),
        }
    }
}

/// One pass.
pub async fn pass(db: &Db, now: Wall) -> Result<Removed, StoreError> {
    let before = Wall(now.0.saturating_sub(OBSERVATIONS_KEPT.0));
    let mut removed = Removed::default();
    for kind in [Kind::Old(before), Kind::Many, Kind::Unused] {
        for _ in 0..WORKS_PER_PASS {
            let mut tx = db.begin().await?;
            let rows = match kind {
                Kind::Old(before) => retention::observations_before(&mut tx, before, ROWS_PER_WORK).await?,
                Kind::Many => {
                    retention::observations_beyond(&mut tx, OBSERVATIONS_PER_HOST_MAX, ROWS_PER_WORK).await?
                }
                Kind::Unused => retention::documents_unused(&mut tx, ROWS_PER_WORK).await?,
            };
            tx.commit().await?;
            match kind {
                Kind::Old(_) | Kind::Many => removed.observations += rows,
                Kind::Unused => removed.documents += rows,
            }
            if rows < u64::from(ROWS_PER_WORK) {
                break;
            }
        }
    }
    Ok(removed)
}

#[derive(Clone, Copy)]
enum Kind {
    Old(Wall),
    Many,
    Unused,
}

#[cfg(test)]
mod tests;

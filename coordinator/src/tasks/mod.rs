//! The reconcilers: loops that bring stored state and the world together.
//!
//! Owns: what becomes of a commit (`review`, `repo_sync`) or would (`proposals`, `pulls`), how a rollout moves (`rollout_driver`, `confirm`, `witness`), which
//! coordinator leads (`lease`), what becomes of what agents say (`fleet_intake`) and how long it is kept (`retention`), who may
//! speak (`identities`). Must not: contain SQL, speak gRPC, or decide what `engine` decides. Built and started by the composition
//! root. Every loop can begin again from what is stored; signals only make it sooner.

pub mod confirm;
pub mod fleet_intake;
pub mod identities;
pub mod lease;
pub mod proposals;
pub mod pulls;
pub mod repo_sync;
pub mod retention;
pub mod review;
pub mod rollout_driver;
pub mod window;
pub mod witness;

#[cfg(test)]
pub(crate) mod testkit;

use model::Wall;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// Hosts, plans and observations read from the store at once.
pub(crate) const PAGE_ROWS: u32 = 500;

/// The wall clock.
#[must_use]
pub fn wall_now() -> Wall {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Wall(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

/// Returns when the coordinator ends.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the composition root is gone: the same.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The day of a time, `YYYY-MM-DD` in UTC (proleptic Gregorian calendar).
#[must_use]
pub fn day_of(now: Wall) -> String {
    // Days are counted in eras of 400 years that begin on a 1 March, so that the leap day is the last of its year.
    let days = now.0 / 86_400_000 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{day:02}", year + era * 400 + carry)
}

#[cfg(test)]
mod tests;

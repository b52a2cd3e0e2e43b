//! How many of what: numbers for the metrics.
//!
//! Owns: no table. Must not: name a host. Called by the metrics listener.

use super::error::of;
use super::row::At;
use super::{Db, StoreError, sql};

/// Words and how often each occurs.
pub type Counts = Vec<(String, u64)>;

fn counts(table: &'static str, rows: Vec<(String, i64)>) -> Result<Counts, StoreError> {
    let count = |(word, count): (String, i64)| {
        let count = At { table, id: &word }.number("count", count)?;
        Ok((word, count))
    };
    rows.into_iter().map(count).collect()
}

/// Hosts by status.
pub async fn hosts_by_status(db: &Db) -> Result<Counts, StoreError> {
    let rows = on!(db, c => sqlx::query_as(sql::HOSTS_BY_STATUS).fetch_all(c).await).map_err(of("hosts"))?;
    counts("hosts", rows)
}

/// Hosts by the release of their agent; at most 50 releases, the most common first.
pub async fn hosts_by_agent(db: &Db) -> Result<Counts, StoreError> {
    let rows = on!(db, c => sqlx::query_as(sql::HOSTS_BY_AGENT).fetch_all(c).await).map_err(of("hosts"))?;
    counts("hosts", rows)
}

/// Rollouts by phase.
pub async fn rollouts_by_phase(db: &Db) -> Result<Counts, StoreError> {
    let rows =
        on!(db, c => sqlx::query_as(sql::ROLLOUTS_BY_PHASE).fetch_all(c).await).map_err(of("rollouts"))?;
    counts("rollouts", rows)
}

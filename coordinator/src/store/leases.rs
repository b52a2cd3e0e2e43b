//! Who leads: one row per job that only one coordinator does at a time.
//!
//! Owns: table `leases`. Must not read a clock or decide when a lease has run out: a taker watches the row and compares its
//! own times, so that clocks of different machines never meet. Called by `tasks::lease`, and by every task whose writes
//! carry the epoch ([`fence`]).

use super::error::of;
use super::row::{At, ms, plain, whole};
use super::{Db, StoreError, Tx, sql};
use model::Wall;

/// A lease as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRecord {
    /// Who holds it, or held it last.
    pub holder: String,
    /// Grows whenever it is taken.
    pub epoch: u64,
    /// What its holder wrote last; another value means that the holder lives. 0: it was given back.
    pub mark: u64,
}

/// The lease of a job; `None` before anybody took it.
pub async fn get(db: &Db, name: &str) -> Result<Option<LeaseRecord>, StoreError> {
    let row: Option<(String, i64, i64)> =
        on!(db, c => sqlx::query_as(sql::LEASE_GET).bind(name).fetch_optional(c).await)
            .map_err(of("leases"))?;
    let at = At { table: "leases", id: name };
    row.map(|(holder, epoch, mark)| {
        let (epoch, mark) = (at.number("epoch", epoch)?, at.number("expires_at", mark)?);
        Ok(LeaseRecord { holder, epoch, mark })
    })
    .transpose()
}

/// Takes a lease as it was seen (`None`: there was none); gives the new epoch. `None`: somebody was faster, or its holder
/// lives.
pub async fn take(
    tx: &mut Tx,
    name: &str,
    holder: &str,
    seen: Option<&LeaseRecord>,
    until: Wall,
) -> Result<Option<u64>, StoreError> {
    let holder = plain(holder);
    let epoch: Option<i64> = match seen {
        None => tx!(tx, c => sqlx::query_scalar(sql::LEASE_FIRST)
            .bind(name)
            .bind(holder.as_str())
            .bind(ms(until))
            .fetch_optional(c)
            .await),
        Some(seen) => tx!(tx, c => sqlx::query_scalar(sql::LEASE_TAKE)
            .bind(name)
            .bind(holder.as_str())
            .bind(ms(until))
            .bind(whole(seen.epoch))
            .bind(whole(seen.mark))
            .fetch_optional(c)
            .await),
    }
    .map_err(of("leases"))?;
    epoch.map(|epoch| At { table: "leases", id: name }.number("epoch", epoch)).transpose()
}

/// Renews a lease of this epoch. `false`: it is somebody else's now.
pub async fn renew(tx: &mut Tx, name: &str, epoch: u64, until: Wall) -> Result<bool, StoreError> {
    let found: Option<i64> = tx!(tx, c => sqlx::query_scalar(sql::LEASE_RENEW)
        .bind(name)
        .bind(whole(epoch))
        .bind(ms(until))
        .fetch_optional(c)
        .await)
    .map_err(of("leases"))?;
    Ok(found.is_some())
}

/// Gives a lease of this epoch back; whoever waits may take it at once.
pub async fn release(tx: &mut Tx, name: &str, epoch: u64) -> Result<(), StoreError> {
    tx!(tx, c => sqlx::query(sql::LEASE_RELEASE).bind(name).bind(whole(epoch)).execute(c).await.map(|_| ()))
        .map_err(of("leases"))
}

/// Whether the lease still has this epoch. `true` holds until the unit of work ends: a taker waits for it.
pub async fn fence(tx: &mut Tx, name: &str, epoch: u64) -> Result<bool, StoreError> {
    let found: Option<i64> = tx!(tx, c => sqlx::query_scalar(sql::LEASE_FENCE)
        .bind(name)
        .bind(whole(epoch))
        .fetch_optional(c)
        .await)
    .map_err(of("leases"))?;
    Ok(found.is_some())
}

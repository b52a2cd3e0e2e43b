//! Small facts of this installation, and leases that spare coordinators double work.
//!
//! Owns: tables `meta` and `leases`. Must not be relied on for safety: a lease only avoids doing something twice, the
//! generation checks and compare-and-set make it harmless. Called by the tasks.

use super::error::of;
use super::row::{At, ms, plain};
use super::{Db, StoreError, Tx, sql};
use model::Wall;

/// The value of a key.
pub async fn get(db: &Db, key: &str) -> Result<Option<String>, StoreError> {
    on!(db, c => sqlx::query_scalar(sql::META_GET).bind(key).fetch_optional(c).await).map_err(of("meta"))
}

/// Sets the value of a key.
pub async fn set(tx: &mut Tx, key: &str, value: &str, now: Wall) -> Result<(), StoreError> {
    let value = plain(value);
    tx!(tx, c => sqlx::query(sql::META_SET).bind(key).bind(&value).bind(ms(now)).execute(c).await.map(|_| ()))
        .map_err(of("meta"))
}

/// Takes or renews a lease; the epoch grows whenever the holder changes. `None`: somebody else has it.
pub async fn lease(
    tx: &mut Tx,
    name: &str,
    holder: &str,
    now: Wall,
    until: Wall,
) -> Result<Option<u64>, StoreError> {
    let epoch: Option<i64> = tx!(tx, c => sqlx::query_scalar(sql::LEASE_TAKE)
        .bind(name)
        .bind(holder)
        .bind(ms(until))
        .bind(ms(now))
        .fetch_optional(c)
        .await)
    .map_err(of("leases"))?;
    epoch.map(|e| At { table: "leases", id: name }.number("epoch", e)).transpose()
}

/// Gives a lease back; only the holder can.
pub async fn release(tx: &mut Tx, name: &str, holder: &str) -> Result<(), StoreError> {
    tx!(tx, c => sqlx::query(sql::LEASE_RELEASE).bind(name).bind(holder).execute(c).await.map(|_| ()))
        .map_err(of("leases"))
}

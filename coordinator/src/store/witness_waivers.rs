//! Changes for which no peer has to vouch, because their RFC says so.
//!
//! Owns: table `witness_waivers`. Must not judge the reason. Written with an accepted change, read when a host asks for its
//! confirmation.

use super::error::of;
use super::row::plain;
use super::{Db, StoreError, Tx, sql};
use model::ChangeId;

/// Notes that a change needs no witnesses, and why.
pub async fn set(tx: &mut Tx, change: &ChangeId, reason: &str) -> Result<(), StoreError> {
    let reason = plain(reason);
    tx!(tx, c => sqlx::query(sql::WAIVER_SET)
        .bind(change.as_str())
        .bind(reason.as_str())
        .execute(c)
        .await
        .map(|_| ()))
    .map_err(of("witness_waivers"))
}

/// Why a change needs no witnesses; `None`: it needs them.
pub async fn of_change(db: &Db, change: &ChangeId) -> Result<Option<String>, StoreError> {
    on!(db, c => sqlx::query_scalar(sql::WAIVER_OF).bind(change.as_str()).fetch_optional(c).await)
        .map_err(of("witness_waivers"))
}

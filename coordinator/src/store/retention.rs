//! Takes old rows out of the history of observations, some at a time.
//!
//! Owns: the deletes. Must not decide how long anything is kept, and never takes the newest observation of a host. Called by
//! `tasks::retention`.

use super::error::of;
use super::row::{ms, rows};
use super::{StoreError, Tx, sql};
use model::Wall;

/// Forgets when hosts changed to which content before this time; the newest row of a host stays. Gives the number of rows.
pub async fn observations_before(tx: &mut Tx, before: Wall, limit: u32) -> Result<u64, StoreError> {
    tx!(tx, c => sqlx::query(sql::OBSERVATIONS_EXPIRE)
        .bind(ms(before))
        .bind(rows(limit))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("observations"))
}

/// Forgets all but the newest rows of each host. Gives the number of rows.
pub async fn observations_beyond(tx: &mut Tx, newest: u32, limit: u32) -> Result<u64, StoreError> {
    tx!(tx, c => sqlx::query(sql::OBSERVATIONS_THIN)
        .bind(rows(newest.max(1)))
        .bind(rows(limit))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("observations"))
}

/// Forgets contents that nothing refers to any more. Gives the number of rows.
pub async fn documents_unused(tx: &mut Tx, limit: u32) -> Result<u64, StoreError> {
    tx!(tx, c => sqlx::query(sql::OBSERVATION_DOCUMENTS_UNUSED)
        .bind(rows(limit))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("observation_documents"))
}

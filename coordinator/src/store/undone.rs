//! Confirmed changes that were undone on their host, e.g. by a person at its console.
//!
//! Owns: table `undone`, and the fall of a host's confirmed state to the one before. Must not judge why. Called by
//! `outcomes` when a host tells it, read by the API.

use super::error::of;
use super::row::{At, ms, plain, rows, whole};
use super::{Db, StoreError, Tx, sql};
use model::{ChangeId, Generation, HostId, RfcId, Wall};

/// A change that its host had confirmed and does not hold any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoneRecord {
    /// The host.
    pub host: HostId,
    /// The change.
    pub change: ChangeId,
    /// Its RFC.
    pub rfc: Option<RfcId>,
    /// Its generation.
    pub generation: Generation,
    /// Why, in the words of the host.
    pub reason: String,
    /// When the host told it.
    pub at: Wall,
}

#[derive(sqlx::FromRow)]
struct UndoneRow {
    host_id: String,
    change_id: String,
    rfc: Option<i64>,
    generation: i64,
    reason: String,
    undone_at: i64,
}

impl TryFrom<UndoneRow> for UndoneRecord {
    type Error = StoreError;
    fn try_from(row: UndoneRow) -> Result<Self, StoreError> {
        let id = row.host_id.clone();
        let at = At { table: "undone", id: &id };
        Ok(Self {
            host: at.text("host_id", row.host_id)?,
            change: at.text("change_id", row.change_id)?,
            rfc: row.rfc.map(|number| at.number("rfc", number).map(RfcId)).transpose()?,
            generation: Generation(at.number("generation", row.generation)?),
            reason: row.reason,
            at: at.wall("undone_at", row.undone_at)?,
        })
    }
}

/// Hosts whose last change is undone, in order of name.
pub async fn list(db: &Db, limit: u32) -> Result<Vec<UndoneRecord>, StoreError> {
    let found: Vec<UndoneRow> =
        on!(db, c => sqlx::query_as(sql::UNDONE_LIST).bind(rows(limit)).fetch_all(c).await)
            .map_err(of("undone"))?;
    found.into_iter().map(UndoneRecord::try_from).collect()
}

/// The undone change of one host.
pub async fn of_host(db: &Db, host: &HostId) -> Result<Option<UndoneRecord>, StoreError> {
    let row: Option<UndoneRow> =
        on!(db, c => sqlx::query_as(sql::UNDONE_GET).bind(host.as_str()).fetch_optional(c).await)
            .map_err(of("undone"))?;
    row.map(UndoneRecord::try_from).transpose()
}

/// The host holds what it had confirmed before this generation. Nothing changes when it confirmed another one since.
pub(super) async fn fall_back(tx: &mut Tx, undone: &UndoneRecord) -> Result<(), StoreError> {
    let UndoneRecord { host, change, rfc: _, generation, reason, at } = undone;
    let fallen = tx!(tx, c => sqlx::query(sql::HOST_FALL_BACK)
        .bind(host.as_str())
        .bind(whole(generation.0))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("hosts"))?;
    if fallen == 0 {
        return Ok(());
    }
    let reason = plain(reason);
    tx!(tx, c => sqlx::query(sql::UNDONE_SET)
        .bind(host.as_str())
        .bind(change.as_str())
        .bind(whole(generation.0))
        .bind(reason.as_str())
        .bind(ms(*at))
        .execute(c)
        .await
        .map(|_| ()))
    .map_err(of("undone"))
}

/// The host confirmed another change: what was undone before is history.
pub(super) async fn forget(tx: &mut Tx, host: &HostId) -> Result<(), StoreError> {
    tx!(tx, c => sqlx::query(sql::UNDONE_FORGET).bind(host.as_str()).execute(c).await.map(|_| ()))
        .map_err(of("undone"))
}

//! What hosts look like: the newest observation of each, and when each changed to what.
//!
//! Owns: `observations`, `observation_documents` and the observation columns of `hosts`. Must not compare anything with what
//! should be. Called by the fleet service through `writer`, by planning, and by the API.

use super::error::of;
use super::hosts::{Page, not_found};
use super::object_rows;
use super::row::{At, json, ms, plain, rows};
use super::{Db, StoreError, Tx, sql};
use model::{HostId, ObservedNetwork, Wall};

/// What became of an observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordedObservation {
    /// Another content than before: history and rows were written.
    Changed,
    /// The same content: only its times were written.
    Unchanged,
}

/// The newest observation of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatestObservation {
    /// The host.
    pub host: HostId,
    /// Content hash, as the agent sent it.
    pub hash: String,
    /// When it last arrived here; judge its age by this, not by the host's clock.
    pub observed_at: Wall,
    /// The content; its `taken_at` is that of the last arrival.
    pub network: ObservedNetwork,
}

/// One turn in the history of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When this content first arrived in a row.
    pub received_at: Wall,
    /// The host's clock then.
    pub taken_at: Wall,
    /// Content hash.
    pub hash: String,
}

#[derive(sqlx::FromRow)]
struct LatestRow {
    id: String,
    observation_hash: String,
    observation_taken_at: i64,
    observed_at: i64,
    document: String,
}

impl TryFrom<LatestRow> for LatestObservation {
    type Error = StoreError;
    fn try_from(row: LatestRow) -> Result<Self, StoreError> {
        let LatestRow { id, observation_hash, observation_taken_at, observed_at, document } = row;
        let mut network: ObservedNetwork =
            At { table: "observation_documents", id: &id }.json("document", &document)?;
        let at = At { table: "hosts", id: &id };
        network.taken_at = at.wall("observation_taken_at", observation_taken_at)?;
        Ok(Self {
            observed_at: at.wall("observed_at", observed_at)?,
            hash: observation_hash,
            network,
            host: at.text("id", id.clone())?,
        })
    }
}

/// Records an observation: its content once per hash, the newest rows per object, and when it arrived (`now`).
///
/// The hash decides whether the content is new: check it against the content before.
pub async fn record(
    tx: &mut Tx,
    host: &HostId,
    network: &ObservedNetwork,
    hash: &str,
    now: Wall,
) -> Result<RecordedObservation, StoreError> {
    let hash = plain(hash);
    let before: Option<Option<String>> = tx!(tx, c => sqlx::query_scalar(sql::OBSERVATION_ARRIVED)
        .bind(host.as_str())
        .bind(ms(now))
        .bind(ms(network.taken_at))
        .fetch_optional(c)
        .await)
    .map_err(of("hosts"))?;
    let Some(before) = before else { return Err(not_found(host)) };
    if before.as_deref() == Some(hash.as_str()) {
        return Ok(RecordedObservation::Unchanged);
    }
    let document = json("observation", network)?;
    let facts = json("host facts", &network.facts)?;
    tx!(tx, c => sqlx::query(sql::OBSERVATION_DOCUMENT_ADD)
        .bind(host.as_str())
        .bind(hash.as_str())
        .bind(document.as_str())
        .execute(c)
        .await
        .map(|_| ()))
    .map_err(of("observation_documents"))?;
    tx!(tx, c => sqlx::query(sql::OBSERVATION_ADD)
        .bind(host.as_str())
        .bind(ms(now))
        .bind(hash.as_str())
        .bind(ms(network.taken_at))
        .execute(c)
        .await
        .map(|_| ()))
    .map_err(of("observations"))?;
    tx!(tx, c => sqlx::query(sql::OBSERVATION_NEWEST)
        .bind(host.as_str())
        .bind(hash.as_str())
        .bind(facts.as_str())
        .execute(c)
        .await
        .map(|_| ()))
    .map_err(of("hosts"))?;
    object_rows::replace(tx, host, network, now).await?;
    Ok(RecordedObservation::Changed)
}

/// The newest observation of a host.
pub async fn latest(db: &Db, host: &HostId) -> Result<Option<LatestObservation>, StoreError> {
    let row: Option<LatestRow> =
        on!(db, c => sqlx::query_as(sql::OBSERVATION_LATEST).bind(host.as_str()).fetch_optional(c).await)
            .map_err(of("observation_documents"))?;
    row.map(LatestObservation::try_from).transpose()
}

/// The newest observation of every host that has one, a page in order of name.
pub async fn latest_page(
    db: &Db,
    after: Option<&HostId>,
    limit: u32,
) -> Result<Page<LatestObservation>, StoreError> {
    let found: Vec<LatestRow> = on!(db, c => sqlx::query_as(sql::OBSERVATIONS_LATEST_PAGE)
        .bind(after.map_or("", HostId::as_str))
        .bind(rows(limit))
        .fetch_all(c)
        .await)
    .map_err(of("observation_documents"))?;
    let items = found.into_iter().map(LatestObservation::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::new(items, limit, |latest| &latest.host))
}

/// The newest turns in the history of a host, newest first.
pub async fn history(db: &Db, host: &HostId, limit: u32) -> Result<Vec<HistoryEntry>, StoreError> {
    let found: Vec<(i64, String, i64)> = on!(db, c => sqlx::query_as(sql::OBSERVATION_HISTORY)
        .bind(host.as_str())
        .bind(rows(limit))
        .fetch_all(c)
        .await)
    .map_err(of("observations"))?;
    let at = At { table: "observations", id: host.as_str() };
    let entry = |(received_at, hash, taken_at)| {
        Ok(HistoryEntry {
            received_at: at.wall("received_at", received_at)?,
            taken_at: at.wall("taken_at", taken_at)?,
            hash,
        })
    };
    found.into_iter().map(entry).collect()
}

/// A content from the history of a host.
pub async fn document(db: &Db, host: &HostId, hash: &str) -> Result<Option<ObservedNetwork>, StoreError> {
    let text: Option<String> = on!(db, c => sqlx::query_scalar(sql::OBSERVATION_DOCUMENT)
        .bind(host.as_str())
        .bind(hash)
        .fetch_optional(c)
        .await)
    .map_err(of("observation_documents"))?;
    let at = At { table: "observation_documents", id: host.as_str() };
    text.map(|text| at.json("document", &text)).transpose()
}

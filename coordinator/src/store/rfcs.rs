//! RFC documents as they were merged, and where each is in its life.
//!
//! Owns: table `rfcs`. Must not parse Markdown or decide a state. Called by `changes`, the rollout driver and the API.

use super::error::of;
use super::row::{At, json, ms, plain, rows};
use super::{Db, StoreError, Tx, sql};
use model::{RfcFrontMatter, RfcId, Wall};
use serde::{Deserialize, Serialize};

/// Where an RFC is in its life. The first two and `withdrawn` are the author's, the rest is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RfcState {
    /// Being written.
    Draft,
    /// Ready for review.
    Proposed,
    /// Passed the checks.
    Validated,
    /// People agreed.
    Approved,
    /// On the main branch.
    Merged,
    /// Hosts are at work.
    RollingOut,
    /// Every host confirmed it.
    Implemented,
    /// Stopped by failures: documents and hosts say different things.
    Failed,
    /// Taken back on every host.
    RolledBack,
    /// Taken back by its author.
    Withdrawn,
    /// Not wanted.
    Rejected,
    /// Replaced by another one.
    Superseded,
}

/// An RFC to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRfc {
    /// Its front matter; the number must be allocated.
    pub document: RfcFrontMatter,
    /// The words below.
    pub body: String,
    /// Its state now.
    pub state: RfcState,
    /// Commit it was read from.
    pub commit: String,
    /// Author of that commit.
    pub author: String,
    /// Path in the configuration repository.
    pub path: String,
}

/// An RFC as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RfcRecord {
    /// Its number.
    pub number: RfcId,
    /// One line.
    pub title: String,
    /// Its state now.
    pub state: RfcState,
    /// Commit it was read from.
    pub commit: String,
    /// Author of that commit.
    pub author: String,
    /// Path in the configuration repository.
    pub path: String,
    /// Its front matter.
    pub document: RfcFrontMatter,
    /// The words below.
    pub body: String,
    /// When it was first stored.
    pub created: Wall,
    /// When it last changed.
    pub updated: Wall,
}

#[derive(sqlx::FromRow)]
struct RfcRow {
    number: i64,
    title: String,
    status: String,
    commit_id: String,
    author: String,
    path: String,
    document: String,
    body: String,
    created_at: i64,
    updated_at: i64,
}

impl TryFrom<RfcRow> for RfcRecord {
    type Error = StoreError;
    fn try_from(row: RfcRow) -> Result<Self, StoreError> {
        let id = row.number.to_string();
        let at = At { table: "rfcs", id: &id };
        Ok(Self {
            number: RfcId(at.number("number", row.number)?),
            title: row.title,
            state: at.word("status", &row.status)?,
            commit: row.commit_id,
            author: row.author,
            path: row.path,
            document: at.json("document", &row.document)?,
            body: row.body,
            created: at.wall("created_at", row.created_at)?,
            updated: at.wall("updated_at", row.updated_at)?,
        })
    }
}

/// Stores an RFC, or what a later commit made of it.
pub async fn upsert(tx: &mut Tx, rfc: &NewRfc, now: Wall) -> Result<(), StoreError> {
    let number = rfc.document.rfc.0;
    if number == 0 {
        let detail = "its number is not allocated yet: give it one before storing it".to_owned();
        return Err(StoreError::Conflict { what: "RFC", id: rfc.path.clone(), detail });
    }
    let document = json("RFC front matter", &rfc.document)?;
    let state = super::row::word("RFC state", &rfc.state)?;
    let (title, commit, author) = (plain(&rfc.document.title), plain(&rfc.commit), plain(&rfc.author));
    let (path, body) = (plain(&rfc.path), plain(&rfc.body));
    tx!(tx, c => sqlx::query(sql::RFC_UPSERT)
        .bind(i64::from(number))
        .bind(title.as_str())
        .bind(state.as_str())
        .bind(commit.as_str())
        .bind(author.as_str())
        .bind(path.as_str())
        .bind(document.as_str())
        .bind(body.as_str())
        .bind(ms(now))
        .execute(c)
        .await
        .map(|_| ()))
    .map_err(of("rfcs"))
}

/// Moves an RFC on.
pub async fn set_state(tx: &mut Tx, number: RfcId, state: RfcState, now: Wall) -> Result<(), StoreError> {
    let state = super::row::word("RFC state", &state)?;
    let done = tx!(tx, c => sqlx::query(sql::RFC_SET_STATUS)
        .bind(i64::from(number.0))
        .bind(state.as_str())
        .bind(ms(now))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("rfcs"))?;
    if done == 0 { Err(StoreError::NotFound { what: "RFC", id: number.to_string() }) } else { Ok(()) }
}

/// One RFC.
pub async fn get(db: &Db, number: RfcId) -> Result<Option<RfcRecord>, StoreError> {
    let row: Option<RfcRow> =
        on!(db, c => sqlx::query_as(sql::RFC_GET).bind(i64::from(number.0)).fetch_optional(c).await)
            .map_err(of("rfcs"))?;
    row.map(RfcRecord::try_from).transpose()
}

/// RFCs, newest first; `below` is the last number of the page before.
pub async fn list(db: &Db, below: Option<RfcId>, limit: u32) -> Result<Vec<RfcRecord>, StoreError> {
    let below = below.map_or(i64::MAX, |number| i64::from(number.0));
    let found: Vec<RfcRow> =
        on!(db, c => sqlx::query_as(sql::RFCS_LIST).bind(below).bind(rows(limit)).fetch_all(c).await)
            .map_err(of("rfcs"))?;
    found.into_iter().map(RfcRecord::try_from).collect()
}

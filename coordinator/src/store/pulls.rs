//! Pull requests as they were seen last, and what was said about them.
//!
//! Owns: table `pull_requests`. Must not ask a forge or decide what is said. Called by the task that follows pull requests.

use super::error::of;
use super::row::{At, json, ms, plain, rows, whole, word};
use super::{Db, StoreError, Tx, sql};
use crate::forge::{CommitStatus, PullState};
use crate::review::ReviewFacts;
use model::Wall;

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRecord {
    /// Its number.
    pub number: u64,
    /// One line, written by its author.
    pub title: String,
    /// The account that opened it.
    pub author: String,
    /// Where it is in its life.
    pub state: PullState,
    /// Its last commit.
    pub head: String,
    /// The commit on the branch, once it is merged.
    pub merged: Option<String>,
    /// Head and branch's head that were reviewed last.
    pub reviewed: Option<String>,
    /// When.
    pub reviewed_at: Option<Wall>,
    /// What came of it.
    pub facts: Option<ReviewFacts>,
    /// What was said last, and beside which commit.
    pub said: Option<(String, CommitStatus)>,
    /// Nothing more will be said.
    pub done: bool,
    /// When this was written.
    pub updated: Wall,
}

#[derive(sqlx::FromRow)]
struct PullRow {
    number: i64,
    title: String,
    author: String,
    state: String,
    head: String,
    merged_commit: Option<String>,
    reviewed: Option<String>,
    reviewed_at: Option<i64>,
    facts: Option<String>,
    said: Option<String>,
    done: i64,
    updated_at: i64,
}

impl PullRow {
    fn record(self) -> Result<PullRecord, StoreError> {
        let id = self.number.to_string();
        let at = At { table: "pull_requests", id: &id };
        Ok(PullRecord {
            number: at.number("number", self.number)?,
            title: self.title,
            author: self.author,
            state: at.word("state", &self.state)?,
            head: self.head,
            merged: self.merged_commit,
            reviewed: self.reviewed,
            reviewed_at: at.wall_opt("reviewed_at", self.reviewed_at)?,
            facts: self.facts.map(|text| at.json("facts", &text)).transpose()?,
            said: self.said.map(|text| at.json("said", &text)).transpose()?,
            done: self.done != 0,
            updated: at.wall("updated_at", self.updated_at)?,
        })
    }
}

/// Writes a pull request as it is now.
pub async fn put(tx: &mut Tx, forge: &str, record: &PullRecord) -> Result<(), StoreError> {
    let state = word("pull request", &record.state)?;
    let facts = record.facts.as_ref().map(|facts| json("review", facts)).transpose()?;
    let said = record.said.as_ref().map(|said| json("status", said)).transpose()?;
    tx!(tx, c => sqlx::query(sql::PULL_PUT)
        .bind(forge)
        .bind(whole(record.number))
        .bind(plain(&record.title))
        .bind(plain(&record.author))
        .bind(&state)
        .bind(&record.head)
        .bind(record.merged.as_deref())
        .bind(record.reviewed.as_deref())
        .bind(record.reviewed_at.map(ms))
        .bind(facts.as_deref().map(plain))
        .bind(said.as_deref().map(plain))
        .bind(i64::from(record.done))
        .bind(ms(record.updated))
        .execute(c)
        .await
        .map(|_| ()))
    .map_err(of("pull_requests"))
}

/// One pull request.
pub async fn get(db: &Db, forge: &str, number: u64) -> Result<Option<PullRecord>, StoreError> {
    let row: Option<PullRow> = on!(db, c => sqlx::query_as(sql::PULL_GET)
        .bind(forge)
        .bind(whole(number))
        .fetch_optional(c)
        .await)
    .map_err(of("pull_requests"))?;
    row.map(PullRow::record).transpose()
}

/// Pull requests about which something may still be said, in order of number.
pub async fn unfinished(db: &Db, forge: &str, limit: u32) -> Result<Vec<PullRecord>, StoreError> {
    let found: Vec<PullRow> = on!(db, c => sqlx::query_as(sql::PULLS_UNFINISHED)
        .bind(forge)
        .bind(rows(limit))
        .fetch_all(c)
        .await)
    .map_err(of("pull_requests"))?;
    found.into_iter().map(PullRow::record).collect()
}

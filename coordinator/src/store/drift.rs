//! Drift: what hosts report as no longer confirmed, since when, and until when.
//!
//! Owns: table `drift`. Must not compare anything itself. Called by the fleet service through `writer` and by the drift scan;
//! read by the API and the commands.

use super::error::of;
use super::hosts::known;
use super::row::{At, ms, plain, rows, whole, word};
use super::{Db, StoreError, Tx, sql};
use model::{Component, Difference, DifferenceKind, DriftReport, Generation, HostId, Wall};
use serde::Serialize;
use std::collections::BTreeMap;

/// A difference as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DriftRecord {
    /// The host.
    pub host: HostId,
    /// The confirmed generation it was compared with.
    pub generation: Generation,
    /// The difference.
    pub difference: Difference,
    /// Since when.
    pub first_seen: Wall,
    /// When it was last reported.
    pub last_seen: Wall,
    /// When it was gone; `None` while it is there.
    pub resolved: Option<Wall>,
}

/// What a report changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DriftChange {
    /// Differences that are new.
    pub opened: u32,
    /// Differences that were known.
    pub kept: u32,
    /// Differences that are gone.
    pub resolved: u32,
}

#[derive(sqlx::FromRow)]
struct DriftRow {
    host_id: String,
    component: String,
    object: String,
    field: String,
    kind: String,
    first_seen: i64,
    last_seen: i64,
    generation: i64,
    desired: String,
    observed: String,
    resolved_at: Option<i64>,
}

impl TryFrom<DriftRow> for DriftRecord {
    type Error = StoreError;
    fn try_from(row: DriftRow) -> Result<Self, StoreError> {
        let id = format!("{}/{}/{}", row.host_id, row.object, row.field);
        let at = At { table: "drift", id: &id };
        Ok(Self {
            host: at.text("host_id", row.host_id)?,
            generation: Generation(at.number("generation", row.generation)?),
            difference: Difference {
                component: at.word::<Component>("component", &row.component)?,
                object: row.object,
                field: row.field,
                kind: at.word::<DifferenceKind>("kind", &row.kind)?,
                desired: row.desired,
                observed: row.observed,
            },
            first_seen: at.wall("first_seen", row.first_seen)?,
            last_seen: at.wall("last_seen", row.last_seen)?,
            resolved: at.wall_opt("resolved_at", row.resolved_at)?,
        })
    }
}

/// What makes two differences the same one: component, object, field, kind.
type Key = (String, String, String, String);

fn key_of(difference: &Difference) -> Result<Key, StoreError> {
    Ok((
        word("component", &difference.component)?,
        plain(&difference.object),
        plain(&difference.field),
        word("kind of difference", &difference.kind)?,
    ))
}

/// Makes the open differences of a host those of its report: known ones keep their first time, missing ones are resolved.
pub async fn replace_report(tx: &mut Tx, report: &DriftReport, now: Wall) -> Result<DriftChange, StoreError> {
    let DriftReport { host, generation, first_seen, last_seen, differences } = report;
    let arrived = tx!(tx, c => sqlx::query(sql::DRIFT_ARRIVED)
        .bind(host.as_str())
        .bind(ms(now))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("hosts"))?;
    known(arrived, host)?;
    let found: Vec<DriftRow> =
        tx!(tx, c => sqlx::query_as(sql::DRIFT_OPEN_OF).bind(host.as_str()).fetch_all(c).await)
            .map_err(of("drift"))?;
    let mut open: BTreeMap<Key, i64> = found
        .into_iter()
        .map(|row| ((row.component, row.object, row.field, row.kind), row.first_seen))
        .collect();
    let mut change = DriftChange::default();
    let mut reported = BTreeMap::new();
    for difference in differences {
        reported.insert(key_of(difference)?, difference);
    }
    for (key, difference) in reported {
        let since = open.remove(&key);
        if since.is_some() {
            change.kept += 1;
        } else {
            change.opened += 1;
        }
        let times = (since.unwrap_or(ms(*first_seen)), ms(*last_seen));
        upsert(tx, host, &key, times, *generation, difference).await?;
    }
    for (key, since) in open {
        resolve(tx, host, &key, since, now).await?;
        change.resolved += 1;
    }
    Ok(change)
}

async fn upsert(
    tx: &mut Tx,
    host: &HostId,
    key: &Key,
    (first_seen, last_seen): (i64, i64),
    generation: Generation,
    difference: &Difference,
) -> Result<(), StoreError> {
    let (component, object, field, kind) = key;
    let (desired, observed) = (plain(&difference.desired), plain(&difference.observed));
    tx!(tx, c => sqlx::query(sql::DRIFT_UPSERT)
        .bind(host.as_str())
        .bind(component.as_str())
        .bind(object.as_str())
        .bind(field.as_str())
        .bind(kind.as_str())
        .bind(first_seen)
        .bind(last_seen)
        .bind(whole(generation.0))
        .bind(desired.as_str())
        .bind(observed.as_str())
        .execute(c)
        .await
        .map(|_| ()))
    .map_err(of("drift"))
}

async fn resolve(tx: &mut Tx, host: &HostId, key: &Key, since: i64, now: Wall) -> Result<(), StoreError> {
    let (component, object, field, kind) = key;
    tx!(tx, c => sqlx::query(sql::DRIFT_RESOLVE)
        .bind(host.as_str())
        .bind(component.as_str())
        .bind(object.as_str())
        .bind(field.as_str())
        .bind(kind.as_str())
        .bind(since)
        .bind(ms(now))
        .execute(c)
        .await
        .map(|_| ()))
    .map_err(of("drift"))
}

/// Differences that are there now, oldest first.
pub async fn list_open(db: &Db, limit: u32) -> Result<Vec<DriftRecord>, StoreError> {
    let found: Vec<DriftRow> =
        on!(db, c => sqlx::query_as(sql::DRIFT_LIST_OPEN).bind(rows(limit)).fetch_all(c).await)
            .map_err(of("drift"))?;
    found.into_iter().map(DriftRecord::try_from).collect()
}

/// All differences, resolved ones too, newest first.
pub async fn list_all(db: &Db, limit: u32) -> Result<Vec<DriftRecord>, StoreError> {
    let found: Vec<DriftRow> =
        on!(db, c => sqlx::query_as(sql::DRIFT_LIST_ALL).bind(rows(limit)).fetch_all(c).await)
            .map_err(of("drift"))?;
    found.into_iter().map(DriftRecord::try_from).collect()
}

/// Differences of one host that are there now.
pub async fn open_of(db: &Db, host: &HostId) -> Result<Vec<DriftRecord>, StoreError> {
    let found: Vec<DriftRow> =
        on!(db, c => sqlx::query_as(sql::DRIFT_OPEN_OF).bind(host.as_str()).fetch_all(c).await)
            .map_err(of("drift"))?;
    found.into_iter().map(DriftRecord::try_from).collect()
}

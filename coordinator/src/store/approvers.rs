//! Approver sets: who may approve changes of which group, in every version.
//!
//! Owns: table `approver_sets`. Must not check a rotation: the caller did. Written by the API; read by the rollout driver,
//! the fleet intake and the API.

use super::error::of;
use super::row::{At, json, ms, plain, rows, whole};
use super::{Db, StoreError, Tx, sql};
use model::{ApproverRotation, ApproverSet, HostGroupId, Wall};

/// Name of the set for groups that have none of their own.
pub const DEFAULT_SET: &str = "default";

/// A version of a set as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApproverSetRecord {
    /// The set.
    pub set: ApproverSet,
    /// Its exact text.
    pub document: String,
    /// How it followed the version before; `None` for the first.
    pub rotation: Option<ApproverRotation>,
    /// Who brought it.
    pub imported_by: String,
    /// When.
    pub created: Wall,
}

/// A version of a set to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApproverSet<'a> {
    /// The set.
    pub set: &'a ApproverSet,
    /// Its exact text.
    pub document: &'a str,
    /// How it follows the version before; `None` for the first.
    pub rotation: Option<&'a ApproverRotation>,
    /// Who brings it.
    pub imported_by: &'a str,
    /// Now.
    pub now: Wall,
}

#[derive(sqlx::FromRow)]
struct SetRow {
    name: String,
    version: i64,
    document: String,
    rotation: Option<String>,
    imported_by: String,
    created_at: i64,
}

impl TryFrom<SetRow> for ApproverSetRecord {
    type Error = StoreError;
    fn try_from(row: SetRow) -> Result<Self, StoreError> {
        let SetRow { name, version, document, rotation, imported_by, created_at } = row;
        let id = format!("{name}/{version}");
        let at = At { table: "approver_sets", id: &id };
        let set: ApproverSet = at.json("document", &document)?;
        if set.name != name || i64::try_from(set.version) != Ok(version) {
            return Err(at.wrong("document", format_args!("is set {} version {}", set.name, set.version)));
        }
        Ok(Self {
            set,
            rotation: rotation.map(|text| at.json("rotation", &text)).transpose()?,
            document,
            imported_by,
            created: at.wall("created_at", created_at)?,
        })
    }
}

/// Keeps a version of a set; one that is there already is a [`StoreError::Conflict`].
pub async fn add(tx: &mut Tx, new: &NewApproverSet<'_>) -> Result<(), StoreError> {
    let NewApproverSet { set, document, rotation, imported_by, now } = new;
    let rotation = rotation.map(|rotation| json("rotation", rotation)).transpose()?;
    let imported_by = plain(imported_by);
    let added = tx!(tx, c => sqlx::query(sql::APPROVER_SET_ADD)
        .bind(set.name.as_str())
        .bind(whole(set.version))
        .bind(*document)
        .bind(rotation.as_deref())
        .bind(imported_by.as_str())
        .bind(ms(*now))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("approver_sets"))?;
    if added == 0 {
        let detail = format!("version {} is here already: give the new set a higher version", set.version);
        return Err(StoreError::Conflict { what: "approver set", id: set.name.clone(), detail });
    }
    Ok(())
}

/// The newest version of every set, in order of name.
pub async fn newest(db: &Db) -> Result<Vec<ApproverSetRecord>, StoreError> {
    let found: Vec<SetRow> = on!(db, c => sqlx::query_as(sql::APPROVER_SETS_NEWEST).fetch_all(c).await)
        .map_err(of("approver_sets"))?;
    found.into_iter().map(ApproverSetRecord::try_from).collect()
}

/// The versions of one set after a version, oldest first.
pub async fn after(
    db: &Db,
    name: &str,
    version: u64,
    limit: u32,
) -> Result<Vec<ApproverSetRecord>, StoreError> {
    let found: Vec<SetRow> = on!(db, c => sqlx::query_as(sql::APPROVER_SETS_AFTER)
        .bind(name)
        .bind(whole(version))
        .bind(rows(limit))
        .fetch_all(c)
        .await)
    .map_err(of("approver_sets"))?;
    found.into_iter().map(ApproverSetRecord::try_from).collect()
}

/// The set that speaks for a group: its own, else the default one, else none.
#[must_use]
pub fn for_group<'a>(
    sets: &'a [ApproverSetRecord],
    group: Option<&HostGroupId>,
) -> Option<&'a ApproverSetRecord> {
    let named = |name: &str| sets.iter().find(|record| record.set.name == name);
    group.and_then(|group| named(group.as_str())).or_else(|| named(DEFAULT_SET))
}

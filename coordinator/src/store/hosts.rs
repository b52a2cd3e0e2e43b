//! Hosts and their groups: who is named, who is enrolled, what each host confirmed last.
//!
//! Owns: tables `hosts` and `groups`. Must not judge whether a host is online: `last_seen` is only the last bulk write, the
//! live picture is in memory. Called by the repository task, the fleet service, the API and the commands.

use super::error::of;
use super::row::{At, CHUNK_ROWS, json, ms, plain, rows, whole};
use super::{Db, StoreError, Tx, sql, undone};
use model::{
    BootId, ChangeId, DesiredNetwork, Generation, GroupDocument, HostFacts, HostGroupId, HostId, Labels,
    RfcId, Wall,
};
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;
use std::collections::{BTreeMap, BTreeSet};

/// What a host is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostStatus {
    /// Named, never enrolled.
    Expected,
    /// Has a certificate of ours.
    Enrolled,
    /// Its identity is in doubt: nothing is sent to it.
    Quarantined,
    /// Its certificate is not accepted any more.
    Revoked,
}

impl HostStatus {
    /// The word used in SQL, JSON and on screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expected => "expected",
            Self::Enrolled => "enrolled",
            Self::Quarantined => "quarantined",
            Self::Revoked => "revoked",
        }
    }
}

/// A host as the documents name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownHost {
    /// Its name.
    pub id: HostId,
    /// Its group.
    pub group: HostGroupId,
    /// Its labels.
    pub labels: Labels,
}

/// A host as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostRecord {
    /// Its name.
    pub id: HostId,
    /// Its group, once one is known.
    pub group: Option<HostGroupId>,
    /// Its labels.
    pub labels: Labels,
    /// What it is to us.
    pub status: HostStatus,
    /// Whether the last documents read name it.
    pub listed: bool,
    /// Highest generation given out.
    pub generation_allocated: Generation,
    /// Generation it confirmed last; 0 for none.
    pub generation_committed: Generation,
    /// Change it confirmed last.
    pub committed_change: Option<ChangeId>,
    /// RFC of that change.
    pub committed_rfc: Option<RfcId>,
    /// When.
    pub committed_at: Option<Wall>,
    /// When it last enrolled.
    pub enrolled_at: Option<Wall>,
    /// When it was last heard of, as of the last bulk write.
    pub last_seen: Option<Wall>,
    /// Version of its agent.
    pub agent_version: Option<String>,
    /// Its boot.
    pub boot_id: Option<BootId>,
    /// What it says of itself.
    pub facts: Option<HostFacts>,
    /// Content hash of its newest observation.
    pub observation_hash: Option<String>,
    /// When that last arrived.
    pub observed_at: Option<Wall>,
}

/// Which hosts to list; what is `None` does not filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostFilter {
    /// Of this group.
    pub group: Option<HostGroupId>,
    /// With this status.
    pub status: Option<HostStatus>,
}

/// A page and where the next one starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in order of name.
    pub items: Vec<T>,
    /// Pass this as `after` for the next page; `None` at the end.
    pub next: Option<HostId>,
}

impl<T> Page<T> {
    pub(super) fn new(items: Vec<T>, limit: u32, key: impl Fn(&T) -> &HostId) -> Self {
        let full = u32::try_from(items.len()).is_ok_and(|n| n >= limit);
        let next = items.last().filter(|_| full).map(|item| key(item).clone());
        Self { items, next }
    }
}

/// A group as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupRecord {
    /// Its name.
    pub id: HostGroupId,
    /// Its document; `None` while only a token named the group.
    pub document: Option<GroupDocument>,
    /// Whether the last documents read name it.
    pub listed: bool,
    /// When the row last changed.
    pub updated: Wall,
}

/// What a host confirmed last: what drift is measured against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedDesired {
    /// The host.
    pub host: HostId,
    /// The generation it confirmed.
    pub generation: Generation,
    /// The change.
    pub change: ChangeId,
    /// What should be.
    pub desired: DesiredNetwork,
}

/// What a host is given with a new order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allocated {
    /// The generation of the order.
    pub(super) generation: Generation,
    /// What the host has committed; 0 for nothing.
    pub(super) parent: Generation,
}

/// What became of a confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitHost {
    /// Now the confirmed one.
    Committed,
    /// The host already confirmed this generation or a newer one, or no such plan exists: nothing changed.
    Unchanged,
}

#[derive(sqlx::FromRow)]
struct HostRow {
    id: String,
    group_id: Option<String>,
    labels: String,
    status: String,
    listed: bool,
    generation_allocated: i64,
    generation_committed: i64,
    committed_change: Option<String>,
    committed_rfc: Option<i64>,
    committed_at: Option<i64>,
    enrolled_at: Option<i64>,
    last_seen_at: Option<i64>,
    agent_version: Option<String>,
    boot_id: Option<String>,
    facts: Option<String>,
    observation_hash: Option<String>,
    observed_at: Option<i64>,
}

impl TryFrom<HostRow> for HostRecord {
    type Error = StoreError;
    fn try_from(row: HostRow) -> Result<Self, StoreError> {
        let id = row.id.clone();
        let at = At { table: "hosts", id: &id };
        let rfc = row.committed_rfc.map(|n| at.number("committed_rfc", n).map(RfcId)).transpose()?;
        Ok(Self {
            id: at.text("id", row.id)?,
            group: at.text_opt("group_id", row.group_id)?,
            labels: at.json("labels", &row.labels)?,
            status: at.word("status", &row.status)?,
            listed: row.listed,
            generation_allocated: Generation(at.number("generation_allocated", row.generation_allocated)?),
            generation_committed: Generation(at.number("generation_committed", row.generation_committed)?),
            committed_change: at.text_opt("committed_change", row.committed_change)?,
            committed_rfc: rfc,
            committed_at: at.wall_opt("committed_at", row.committed_at)?,
            enrolled_at: at.wall_opt("enrolled_at", row.enrolled_at)?,
            last_seen: at.wall_opt("last_seen_at", row.last_seen_at)?,
            agent_version: row.agent_version,
            boot_id: row.boot_id.map(BootId),
            facts: row.facts.map(|text| at.json("facts", &text)).transpose()?,
            observation_hash: row.observation_hash,
            observed_at: at.wall_opt("observed_at", row.observed_at)?,
        })
    }
}

#[derive(sqlx::FromRow)]
struct CommittedRow {
    id: String,
    generation_committed: i64,
    committed_change: Option<String>,
    committed_desired: String,
}

impl TryFrom<CommittedRow> for CommittedDesired {
    type Error = StoreError;
    fn try_from(row: CommittedRow) -> Result<Self, StoreError> {
        let id = row.id.clone();
        let at = At { table: "hosts", id: &id };
        let change = row.committed_change.ok_or_else(|| at.wrong("committed_change", "missing"))?;
        Ok(Self {
            host: at.text("id", row.id)?,
            generation: Generation(at.number("generation_committed", row.generation_committed)?),
            change: at.text("committed_change", change)?,
            desired: at.json("committed_desired", &row.committed_desired)?,
        })
    }
}

#[derive(sqlx::FromRow)]
struct GroupRow {
    id: String,
    document: Option<String>,
    listed: bool,
    updated_at: i64,
}

/// Takes over the groups and hosts that the documents name; those no longer named are kept, marked as not listed.
pub async fn upsert_known_hosts(
    tx: &mut Tx,
    groups: &BTreeMap<HostGroupId, GroupDocument>,
    hosts: &[KnownHost],
    now: Wall,
) -> Result<(), StoreError> {
    take_over_groups(tx, groups, now).await?;
    for group in hosts.iter().map(|h| &h.group).collect::<BTreeSet<_>>() {
        if !groups.contains_key(group) {
            add_group_stub(tx, group, now).await?;
        }
    }
    let named: BTreeMap<&str, &KnownHost> = hosts.iter().map(|h| (h.id.as_str(), h)).collect();
    let listed: Vec<String> =
        tx!(tx, c => sqlx::query_scalar(sql::HOSTS_LISTED_IDS).fetch_all(c).await).map_err(of("hosts"))?;
    let gone: Vec<&String> = listed.iter().filter(|id| !named.contains_key(id.as_str())).collect();
    for chunk in gone.chunks(CHUNK_ROWS) {
        let text = sql::HOSTS_UNLIST.text(chunk.len());
        tx!(tx, c => {
            let mut query = sqlx::query(AssertSqlSafe(text)).persistent(false);
            for id in chunk {
                query = query.bind(id.as_str());
            }
            query.execute(c).await.map(|_| ())
        })
        .map_err(of("hosts"))?;
    }
    let mut form = Vec::with_capacity(named.len());
    for host in named.values() {
        form.push((host.id.as_str(), host.group.as_str(), json("labels", &host.labels)?));
    }
    for chunk in form.chunks(CHUNK_ROWS) {
        let text = sql::HOSTS_UPSERT_KNOWN.text(chunk.len());
        tx!(tx, c => {
            let mut query = sqlx::query(AssertSqlSafe(text)).persistent(chunk.len() == CHUNK_ROWS);
            for (id, group, labels) in chunk {
                query = query.bind(*id).bind(*group).bind(labels.as_str()).bind(ms(now));
            }
            query.execute(c).await.map(|_| ())
        })
        .map_err(of("hosts"))?;
    }
    Ok(())
}

async fn take_over_groups(
    tx: &mut Tx,
    groups: &BTreeMap<HostGroupId, GroupDocument>,
    now: Wall,
) -> Result<(), StoreError> {
    let listed: Vec<String> =
        tx!(tx, c => sqlx::query_scalar(sql::GROUPS_LISTED_IDS).fetch_all(c).await).map_err(of("groups"))?;
    let named: BTreeSet<&str> = groups.keys().map(HostGroupId::as_str).collect();
    for gone in listed.iter().filter(|id| !named.contains(id.as_str())) {
        tx!(tx, c => sqlx::query(sql::GROUP_UNLIST).bind(gone).bind(ms(now)).execute(c).await.map(|_| ()))
            .map_err(of("groups"))?;
    }
    for (group, document) in groups {
        let document = json("group document", document)?;
        tx!(tx, c => sqlx::query(sql::GROUP_UPSERT)
            .bind(group.as_str())
            .bind(document.as_str())
            .bind(ms(now))
            .execute(c)
            .await
            .map(|_| ()))
        .map_err(of("groups"))?;
    }
    Ok(())
}

pub(super) async fn add_group_stub(tx: &mut Tx, group: &HostGroupId, now: Wall) -> Result<(), StoreError> {
    tx!(tx, c => sqlx::query(sql::GROUP_STUB).bind(group.as_str()).bind(ms(now)).execute(c).await.map(|_| ()))
        .map_err(of("groups"))
}

/// All groups in order of name.
pub async fn groups(db: &Db) -> Result<Vec<GroupRecord>, StoreError> {
    let rows: Vec<GroupRow> =
        on!(db, c => sqlx::query_as(sql::GROUPS_LIST).fetch_all(c).await).map_err(of("groups"))?;
    let record = |row: GroupRow| {
        let GroupRow { id, document, listed, updated_at } = row;
        let at = At { table: "groups", id: &id };
        Ok(GroupRecord {
            document: document.map(|text| at.json("document", &text)).transpose()?,
            listed,
            updated: at.wall("updated_at", updated_at)?,
            id: at.text("id", id.clone())?,
        })
    };
    rows.into_iter().map(record).collect()
}

/// One host.
pub async fn get(db: &Db, host: &HostId) -> Result<Option<HostRecord>, StoreError> {
    let row: Option<HostRow> =
        on!(db, c => sqlx::query_as(sql::HOST_GET).bind(host.as_str()).fetch_optional(c).await)
            .map_err(of("hosts"))?;
    row.map(HostRecord::try_from).transpose()
}

/// A page of hosts in order of name, after `after`.
pub async fn list(
    db: &Db,
    filter: &HostFilter,
    after: Option<&HostId>,
    limit: u32,
) -> Result<Page<HostRecord>, StoreError> {
    let found: Vec<HostRow> = on!(db, c => sqlx::query_as(sql::HOSTS_LIST)
        .bind(after.map_or("", HostId::as_str))
        .bind(filter.group.as_ref().map(HostGroupId::as_str))
        .bind(filter.status.map(HostStatus::as_str))
        .bind(rows(limit))
        .fetch_all(c)
        .await)
    .map_err(of("hosts"))?;
    let items = found.into_iter().map(HostRecord::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::new(items, limit, |host| &host.id))
}

/// A host is let in with some key: for tests that need an enrolled host and no certificate.
#[cfg(test)]
pub async fn enrol(
    tx: &mut Tx,
    host: &HostId,
    group: Option<&HostGroupId>,
    now: Wall,
) -> Result<(), StoreError> {
    let key = &model::KeyFingerprint::from_digest(&[7; 32]);
    super::identities::bind(tx, &super::identities::Binding { host, key, system_uuid: None, group }, now)
        .await
}

/// Notes which agent and which boot a host came with.
pub async fn note_agent(
    tx: &mut Tx,
    host: &HostId,
    agent_version: &str,
    boot: &BootId,
    now: Wall,
) -> Result<(), StoreError> {
    let (version, boot) = (plain(agent_version), plain(&boot.0));
    let done = tx!(tx, c => sqlx::query(sql::HOST_NOTE_AGENT)
        .bind(host.as_str())
        .bind(version.as_str())
        .bind(boot.as_str())
        .bind(ms(now))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("hosts"))?;
    known(done, host)
}

/// Raises the highest generation to what a host says it holds, so that the next one is newer for it too.
pub async fn note_held_generation(tx: &mut Tx, host: &HostId, held: Generation) -> Result<(), StoreError> {
    tx!(tx, c => sqlx::query(sql::HOST_NOTE_HELD)
        .bind(host.as_str())
        .bind(whole(held.0))
        .execute(c)
        .await
        .map(|_| ()))
    .map_err(of("hosts"))
}

/// Notes what a host says it has committed: after an undo at its console, or with a new disk, less than it confirmed once.
pub async fn note_reported_generation(
    tx: &mut Tx,
    host: &HostId,
    committed: Generation,
) -> Result<(), StoreError> {
    tx!(tx, c => sqlx::query(sql::HOST_NOTE_REPORTED)
        .bind(host.as_str())
        .bind(whole(committed.0))
        .execute(c)
        .await
        .map(|_| ()))
    .map_err(of("hosts"))
}

/// Notes that a host went back from a committed order to what it had before.
pub(super) async fn undone(
    tx: &mut Tx,
    host: &HostId,
    change: &ChangeId,
    generation: Generation,
) -> Result<(), StoreError> {
    tx!(tx, c => sqlx::query(sql::HOST_UNDONE)
        .bind(host.as_str())
        .bind(change.as_str())
        .bind(whole(generation.0))
        .execute(c)
        .await
        .map(|_| ()))
    .map_err(of("hosts"))
}

/// Writes when hosts were last heard of, many at once. Unknown hosts and older times are passed over.
pub async fn touch_last_seen_bulk(tx: &mut Tx, seen: &BTreeMap<HostId, Wall>) -> Result<(), StoreError> {
    let seen: Vec<(&HostId, &Wall)> = seen.iter().collect();
    for chunk in seen.chunks(CHUNK_ROWS) {
        let text = sql::HOSTS_TOUCH.text(chunk.len());
        tx!(tx, c => {
            let mut query = sqlx::query(AssertSqlSafe(text)).persistent(chunk.len() == CHUNK_ROWS);
            for (host, at) in chunk {
                query = query.bind(host.as_str()).bind(ms(**at));
            }
            query.execute(c).await.map(|_| ())
        })
        .map_err(of("hosts"))?;
    }
    Ok(())
}

/// Gives every host its next generation. Fails when one is not known.
pub(super) async fn allocate(
    tx: &mut Tx,
    hosts: &BTreeSet<&HostId>,
) -> Result<BTreeMap<HostId, Allocated>, StoreError> {
    let wanted: Vec<&HostId> = hosts.iter().copied().collect();
    let mut given = BTreeMap::new();
    for chunk in wanted.chunks(CHUNK_ROWS) {
        let text = sql::HOSTS_ALLOCATE.text(chunk.len());
        let found: Vec<(String, i64, i64)> = tx!(tx, c => {
            let mut query = sqlx::query_as(AssertSqlSafe(text)).persistent(chunk.len() == CHUNK_ROWS);
            for host in chunk {
                query = query.bind(host.as_str());
            }
            query.fetch_all(c).await
        })
        .map_err(of("hosts"))?;
        for (id, generation, parent) in found {
            let at = At { table: "hosts", id: &id };
            let generation = Generation(at.number("generation_allocated", generation)?);
            let parent = Generation(at.number("generation_reported", parent)?);
            given.insert(at.text("id", id.clone())?, Allocated { generation, parent });
        }
    }
    match wanted.into_iter().find(|host| !given.contains_key(*host)) {
        Some(missing) => Err(not_found(missing)),
        None => Ok(given),
    }
}

/// A host confirmed a generation of a change: what the plan wanted is now its confirmed state.
pub async fn commit_host(
    tx: &mut Tx,
    host: &HostId,
    change: &ChangeId,
    generation: Generation,
    now: Wall,
) -> Result<CommitHost, StoreError> {
    let done = tx!(tx, c => sqlx::query(sql::HOST_COMMIT)
        .bind(host.as_str())
        .bind(change.as_str())
        .bind(whole(generation.0))
        .bind(ms(now))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("hosts"))?;
    if done == 0 {
        return Ok(CommitHost::Unchanged);
    }
    undone::forget(tx, host).await?;
    Ok(CommitHost::Committed)
}

/// What a host confirmed last.
pub async fn committed(db: &Db, host: &HostId) -> Result<Option<CommittedDesired>, StoreError> {
    let row: Option<CommittedRow> =
        on!(db, c => sqlx::query_as(sql::HOST_COMMITTED).bind(host.as_str()).fetch_optional(c).await)
            .map_err(of("hosts"))?;
    row.map(CommittedDesired::try_from).transpose()
}

/// What every host confirmed last, a page in order of name.
pub async fn committed_page(
    db: &Db,
    after: Option<&HostId>,
    limit: u32,
) -> Result<Page<CommittedDesired>, StoreError> {
    let found: Vec<CommittedRow> = on!(db, c => sqlx::query_as(sql::HOSTS_COMMITTED_PAGE)
        .bind(after.map_or("", HostId::as_str))
        .bind(rows(limit))
        .fetch_all(c)
        .await)
    .map_err(of("hosts"))?;
    let items = found.into_iter().map(CommittedDesired::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::new(items, limit, |committed| &committed.host))
}

pub(super) fn known(rows_affected: u64, host: &HostId) -> Result<(), StoreError> {
    if rows_affected == 0 { Err(not_found(host)) } else { Ok(()) }
}

pub(super) fn not_found(host: &HostId) -> StoreError {
    StoreError::NotFound { what: "host", id: host.to_string() }
}

//! Changes: what became of each commit on the main branch.
//!
//! Owns: table `changes`, and the one transaction that accepts a change (change, RFC, generations, plans, rollout, waves,
//! audit). Must not validate or plan. Called by the repository task; read by the API and the commands.

use super::audit::{self, AuditEntry};
use super::error::of;
use super::hosts;
use super::meta;
use super::plans::{self, NewPlan};
use super::releases::{self, Terms};
use super::rfcs::{self, NewRfc};
use super::rollouts::{self, NewRollout};
use super::row::{At, json, ms, plain, rows};
use super::{Db, StoreError, Tx, sql};
use model::{ChangeId, Disruption, Finding, Generation, HostId, ProbePlan, RfcId, Wall};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Key of `meta` with the newest commit that was dealt with.
const LAST_SEEN_COMMIT: &str = "repo.last_seen_commit";

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeStatus {
    /// Rolls out, or has.
    Accepted,
    /// Its findings stopped it: no host was touched.
    Refused,
    /// A newer one took its place before it was done.
    Superseded,
}

impl ChangeStatus {
    /// The word used in SQL, JSON and on screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Superseded => "superseded",
        }
    }
}

/// A change to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChange {
    /// Made by the caller, growing with time (UUIDv7).
    pub id: ChangeId,
    /// The commit.
    pub commit: String,
    /// The commit it was compared with; `None` for the first.
    pub parent: Option<String>,
    /// Author of the commit.
    pub author: String,
    /// Message of the commit.
    pub message: String,
    /// What the checks found.
    pub findings: Vec<Finding>,
    /// Worst effect on traffic that the proposal allows.
    pub disruption_allowed: Disruption,
    /// Local proofs on each host.
    pub probes: ProbePlan,
    /// The configuration repository, as approvers know it.
    pub repository: String,
    /// Now.
    pub created: Wall,
}

/// Everything that is kept when a change is accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct Acceptance {
    /// The change.
    pub change: NewChange,
    /// Its RFC, when it came with one.
    pub rfc: Option<NewRfc>,
    /// One plan per host that is touched.
    pub plans: Vec<NewPlan>,
    /// The rollout; `None` when no host is touched.
    pub rollout: Option<NewRollout>,
}

/// A change as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangeRecord {
    /// Its id.
    pub id: ChangeId,
    /// The commit.
    pub commit: String,
    /// The commit it was compared with.
    pub parent: Option<String>,
    /// Its RFC.
    pub rfc: Option<RfcId>,
    /// Author of the commit.
    pub author: String,
    /// Message of the commit.
    pub message: String,
    /// What became of it.
    pub status: ChangeStatus,
    /// What the checks found.
    pub findings: Vec<Finding>,
    /// Worst effect on traffic that the proposal allows.
    pub disruption_allowed: Disruption,
    /// Local proofs on each host.
    pub probes: ProbePlan,
    /// When it was dealt with.
    pub created: Wall,
}

#[derive(sqlx::FromRow)]
struct ChangeRow {
    id: String,
    commit_id: String,
    parent_commit: Option<String>,
    rfc: Option<i64>,
    author: String,
    message: String,
    status: String,
    findings: String,
    disruption_allowed: String,
    probes: String,
    created_at: i64,
}

impl TryFrom<ChangeRow> for ChangeRecord {
    type Error = StoreError;
    fn try_from(row: ChangeRow) -> Result<Self, StoreError> {
        let id = row.id.clone();
        let at = At { table: "changes", id: &id };
        Ok(Self {
            id: at.text("id", row.id)?,
            commit: row.commit_id,
            parent: row.parent_commit,
            rfc: row.rfc.map(|n| at.number("rfc", n).map(RfcId)).transpose()?,
            author: row.author,
            message: row.message,
            status: at.word("status", &row.status)?,
            findings: at.json("findings", &row.findings)?,
            disruption_allowed: at.word("disruption_allowed", &row.disruption_allowed)?,
            probes: at.json("probes", &row.probes)?,
            created: at.wall("created_at", row.created_at)?,
        })
    }
}

/// Keeps an accepted change: every host touched gets its next generation, its plan and its part of the release that
/// approvers sign, the rollout starts as pending, the commit counts as seen, and the audit trail says so. All in this unit of work.
///
/// A commit is accepted once; a second time is a [`StoreError::Conflict`], also when another coordinator was faster.
pub async fn accept_change(
    tx: &mut Tx,
    acceptance: &Acceptance,
    actor: &str,
) -> Result<BTreeMap<HostId, Generation>, StoreError> {
    let Acceptance { change, rfc, plans: planned, rollout } = acceptance;
    let hosts: BTreeSet<&HostId> = planned.iter().map(|plan| &plan.host).collect();
    if hosts.len() != planned.len() {
        return Err(conflict(change, "two plans for one host: plan each host once"));
    }
    if rollout.is_none() && !hosts.is_empty() {
        return Err(conflict(change, "plans without a rollout: make one, or leave the plans out"));
    }
    if let Some(rfc) = rfc {
        rfcs::upsert(tx, rfc, change.created).await?;
    }
    let number = rfc.as_ref().map(|rfc| rfc.document.rfc);
    add(tx, change, number, ChangeStatus::Accepted).await?;
    let allocated = hosts::allocate(tx, &hosts).await?;
    plans::add(tx, &change.id, planned, &allocated).await?;
    if let Some(rollout) = rollout {
        rollouts::add(tx, rollout, &change.id, change.created).await?;
        if !planned.is_empty() {
            let terms = Terms { change, rfc: number, rollout };
            releases::add(tx, &terms, planned, &allocated).await?;
        }
    }
    mark_seen(tx, &change.commit, change.created).await?;
    let detail = serde_json::json!({
        "commit": change.commit,
        "rfc": number.map(|n| n.0),
        "rollout": rollout.as_ref().map(|r| r.id.as_str()),
        "hosts": hosts.len(),
        "plans": planned.iter().map(|p| (p.host.as_str(), p.plan.digest.0.as_str())).collect::<BTreeMap<_, _>>(),
    });
    note(tx, change, actor, "change.accepted", detail).await?;
    Ok(allocated.into_iter().map(|(host, given)| (host, given.generation)).collect())
}

/// Keeps why a commit was refused; no host is touched. A repeat replaces the findings.
pub async fn refuse_change(
    tx: &mut Tx,
    change: &NewChange,
    rfc: Option<&NewRfc>,
    actor: &str,
) -> Result<(), StoreError> {
    if let Some(rfc) = rfc {
        rfcs::upsert(tx, rfc, change.created).await?;
    }
    add(tx, change, rfc.map(|rfc| rfc.document.rfc), ChangeStatus::Refused).await?;
    mark_seen(tx, &change.commit, change.created).await?;
    let errors: Vec<String> =
        change.findings.iter().filter(|f| f.is_error()).map(ToString::to_string).collect();
    note(
        tx,
        change,
        actor,
        "change.refused",
        serde_json::json!({ "commit": change.commit, "errors": errors }),
    )
    .await
}

async fn note(
    tx: &mut Tx,
    change: &NewChange,
    actor: &str,
    action: &'static str,
    detail: serde_json::Value,
) -> Result<(), StoreError> {
    let entry = AuditEntry {
        at: change.created,
        actor: actor.to_owned(),
        action: action.to_owned(),
        subject: format!("change/{}", change.id),
        detail,
    };
    audit::append(tx, &entry).await.map(|_| ())
}

async fn add(
    tx: &mut Tx,
    change: &NewChange,
    rfc: Option<RfcId>,
    status: ChangeStatus,
) -> Result<(), StoreError> {
    let findings = json("findings", &change.findings)?;
    let probes = json("probes", &change.probes)?;
    let (commit, parent) = (plain(&change.commit), change.parent.as_deref().map(plain));
    let (author, message) = (plain(&change.author), plain(&change.message));
    tx!(tx, c => sqlx::query(sql::CHANGE_FORGET_REFUSED).bind(commit.as_str()).execute(c).await.map(|_| ()))
        .map_err(of("changes"))?;
    let added = tx!(tx, c => sqlx::query(sql::CHANGE_ADD)
        .bind(change.id.as_str())
        .bind(commit.as_str())
        .bind(parent.as_deref())
        .bind(rfc.map(|n| i64::from(n.0)))
        .bind(author.as_str())
        .bind(message.as_str())
        .bind(status.as_str())
        .bind(findings.as_str())
        .bind(change.disruption_allowed.as_str())
        .bind(probes.as_str())
        .bind(ms(change.created))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("changes"))?;
    if added == 0 {
        return Err(conflict(change, "this commit was accepted before: a change needs a commit of its own"));
    }
    Ok(())
}

fn conflict(change: &NewChange, detail: &str) -> StoreError {
    StoreError::Conflict { what: "commit", id: change.commit.clone(), detail: detail.to_owned() }
}

/// A newer change took the place of this one.
pub async fn supersede(tx: &mut Tx, change: &ChangeId) -> Result<(), StoreError> {
    let done = tx!(tx, c => sqlx::query(sql::CHANGE_SET_STATUS)
        .bind(change.as_str())
        .bind(ChangeStatus::Superseded.as_str())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("changes"))?;
    if done == 0 { Err(StoreError::NotFound { what: "change", id: change.to_string() }) } else { Ok(()) }
}

/// One change.
pub async fn get(db: &Db, change: &ChangeId) -> Result<Option<ChangeRecord>, StoreError> {
    let row: Option<ChangeRow> =
        on!(db, c => sqlx::query_as(sql::CHANGE_GET).bind(change.as_str()).fetch_optional(c).await)
            .map_err(of("changes"))?;
    row.map(ChangeRecord::try_from).transpose()
}

/// What became of a commit.
pub async fn by_commit(db: &Db, commit: &str) -> Result<Option<ChangeRecord>, StoreError> {
    let row: Option<ChangeRow> =
        on!(db, c => sqlx::query_as(sql::CHANGE_BY_COMMIT).bind(commit).fetch_optional(c).await)
            .map_err(of("changes"))?;
    row.map(ChangeRecord::try_from).transpose()
}

/// The newest change that was accepted (superseded or not).
pub async fn latest_accepted(db: &Db) -> Result<Option<ChangeRecord>, StoreError> {
    let row: Option<ChangeRow> =
        on!(db, c => sqlx::query_as(sql::CHANGE_LATEST_ACCEPTED).fetch_optional(c).await)
            .map_err(of("changes"))?;
    row.map(ChangeRecord::try_from).transpose()
}

/// Changes, newest first.
pub async fn list(db: &Db, limit: u32) -> Result<Vec<ChangeRecord>, StoreError> {
    let found: Vec<ChangeRow> =
        on!(db, c => sqlx::query_as(sql::CHANGES_LIST).bind(rows(limit)).fetch_all(c).await)
            .map_err(of("changes"))?;
    found.into_iter().map(ChangeRecord::try_from).collect()
}

/// The newest commit that was dealt with, whatever became of it.
pub async fn last_seen_commit(db: &Db) -> Result<Option<String>, StoreError> {
    meta::get(db, LAST_SEEN_COMMIT).await
}

/// Notes a commit as dealt with; needed by itself only for one that changes nothing.
pub async fn mark_seen(tx: &mut Tx, commit: &str, now: Wall) -> Result<(), StoreError> {
    meta::set(tx, LAST_SEEN_COMMIT, commit, now).await
}

//! The audit trail: who did what, each entry bound to the one before by its hash.
//!
//! Owns: tables `audit` and `audit_head`. Must not filter or forget. Called by whatever changes something on behalf of somebody,
//! inside the same unit of work; read by the API and by offline verification.

use super::error::of;
use super::row::{At, json, ms, plain, rows, whole};
use super::{Db, StoreError, Tx, sql};
use model::Wall;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// Hash before the first entry.
pub const FIRST_PREVIOUS_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Entries read at once while verifying.
const VERIFY_ROWS: u32 = 1000;

/// An entry to append.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Now.
    pub at: Wall,
    /// Who, e.g. `user:ann`, `host:esx-01`, `task:repo_sync`.
    pub actor: String,
    /// What, e.g. `rollout.paused`.
    pub action: String,
    /// To what, e.g. `rollout/<id>`.
    pub subject: String,
    /// More about it.
    pub detail: serde_json::Value,
}

/// An entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
#[serde(deny_unknown_fields)]
pub struct AuditRecord {
    /// From 1, without gaps.
    pub sequence: i64,
    /// Milliseconds since 1970.
    pub at: i64,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub subject: String,
    /// JSON in the text that was hashed.
    pub detail: String,
    /// Hash of the entry before.
    pub previous_hash: String,
    /// Hash of this entry.
    pub hash: String,
}

/// What verifying found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainReport {
    /// Nothing was changed, added or taken out.
    Intact {
        /// Entries.
        entries: u64,
        /// Hash of the last one: keep it elsewhere, so that a chain written anew shows.
        head: String,
    },
    /// The chain is broken here.
    Broken {
        /// The first entry that does not fit.
        sequence: i64,
        /// What does not fit.
        detail: String,
    },
}

impl AuditRecord {
    /// SHA-256 over the fields, each with its length in front, so that no two entries have the same form.
    #[must_use]
    pub fn expected_hash(&self) -> String {
        let Self { sequence, at, actor, action, subject, detail, previous_hash, hash: _ } = self;
        let mut hasher = Sha256::new();
        for field in [&sequence.to_string(), &at.to_string(), actor, action, subject, detail, previous_hash] {
            hasher.update(field.len().to_string());
            hasher.update(":");
            hasher.update(field);
        }
        let mut hash = String::with_capacity(64);
        for byte in hasher.finalize() {
            // Writing to a String cannot fail.
            let _ = write!(hash, "{byte:02x}");
        }
        hash
    }
}

/// Appends an entry and gives its number. Appends wait for each other until their units of work end: do this last.
pub async fn append(tx: &mut Tx, entry: &AuditEntry) -> Result<u64, StoreError> {
    let (sequence, previous_hash): (i64, String) =
        tx!(tx, c => sqlx::query_as(sql::AUDIT_TAKE_HEAD).fetch_one(c).await).map_err(of("audit_head"))?;
    let mut record = AuditRecord {
        sequence,
        at: ms(entry.at),
        actor: plain(&entry.actor),
        action: plain(&entry.action),
        subject: plain(&entry.subject),
        detail: json("audit detail", &entry.detail)?,
        previous_hash,
        hash: String::new(),
    };
    record.hash = record.expected_hash();
    tx!(tx, c => sqlx::query(sql::AUDIT_ADD)
        .bind(record.sequence)
        .bind(record.at)
        .bind(record.actor.as_str())
        .bind(record.action.as_str())
        .bind(record.subject.as_str())
        .bind(record.detail.as_str())
        .bind(record.previous_hash.as_str())
        .bind(record.hash.as_str())
        .execute(c)
        .await
        .map(|_| ()))
    .map_err(of("audit"))?;
    tx!(tx, c => sqlx::query(sql::AUDIT_SET_HEAD).bind(record.hash.as_str()).execute(c).await.map(|_| ()))
        .map_err(of("audit_head"))?;
    At { table: "audit_head", id: "1" }.number("sequence", sequence)
}

/// Whether there is an entry with this action, subject and detail: for what may be told twice.
pub async fn has(
    tx: &mut Tx,
    action: &str,
    subject: &str,
    detail: &serde_json::Value,
) -> Result<bool, StoreError> {
    let detail = json("audit detail", detail)?;
    let found: Option<i32> = tx!(tx, c => sqlx::query_scalar(sql::AUDIT_KNOWN)
        .bind(subject)
        .bind(action)
        .bind(detail.as_str())
        .fetch_optional(c)
        .await)
    .map_err(of("audit"))?;
    Ok(found.is_some())
}

/// Entries after a number, oldest first: for export.
pub async fn after(db: &Db, sequence: u64, limit: u32) -> Result<Vec<AuditRecord>, StoreError> {
    on!(db, c => sqlx::query_as(sql::AUDIT_AFTER)
        .bind(whole(sequence))
        .bind(rows(limit))
        .fetch_all(c)
        .await)
    .map_err(of("audit"))
}

/// The newest entries, newest first.
pub async fn list(db: &Db, limit: u32) -> Result<Vec<AuditRecord>, StoreError> {
    on!(db, c => sqlx::query_as(sql::AUDIT_NEWEST).bind(rows(limit)).fetch_all(c).await).map_err(of("audit"))
}

/// Walks the whole chain. Finds an entry that was changed, put in or taken out, at the end too.
pub async fn verify_chain(db: &Db) -> Result<ChainReport, StoreError> {
    let (last, head): (i64, String) =
        on!(db, c => sqlx::query_as(sql::AUDIT_HEAD).fetch_one(c).await).map_err(of("audit_head"))?;
    let mut walk = ChainWalk::default();
    while walk.sequence < last {
        let done = At { table: "audit", id: "last" }.number("sequence", walk.sequence)?;
        let page = after(db, done, VERIFY_ROWS).await?;
        let next = walk.sequence + 1;
        if page.is_empty() {
            return Ok(broken(next, format!("entries from here to {last} are missing")));
        }
        // Entries appended since the head was read are not part of this walk.
        for record in page.iter().take_while(|record| record.sequence <= last) {
            if let Err(detail) = walk.step(record) {
                return Ok(broken(record.sequence.min(walk.sequence + 1), detail));
            }
        }
        if walk.sequence < next {
            return Ok(broken(next, format!("entries from here to {last} are missing")));
        }
    }
    if walk.hash != head {
        return Ok(broken(last, "the end of the chain is not this entry".to_owned()));
    }
    let entries = At { table: "audit_head", id: "1" }.number("sequence", last)?;
    Ok(ChainReport::Intact { entries, head })
}

fn broken(sequence: i64, detail: String) -> ChainReport {
    ChainReport::Broken { sequence, detail }
}

/// A walk along the chain, entry by entry from the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainWalk {
    sequence: i64,
    hash: String,
}

impl Default for ChainWalk {
    fn default() -> Self {
        Self { sequence: 0, hash: FIRST_PREVIOUS_HASH.to_owned() }
    }
}

impl ChainWalk {
    /// Number and hash of the last entry that fitted.
    #[must_use]
    pub fn head(&self) -> (i64, &str) {
        (self.sequence, &self.hash)
    }

    /// Takes the next entry, or says what does not fit.
    pub fn step(&mut self, record: &AuditRecord) -> Result<(), String> {
        if record.sequence != self.sequence + 1 {
            return Err(format!("entry {} follows entry {}", record.sequence, self.sequence));
        }
        if record.previous_hash != self.hash {
            return Err("its link to the entry before does not fit".to_owned());
        }
        if record.expected_hash() != record.hash {
            return Err("its content does not fit its hash".to_owned());
        }
        self.sequence = record.sequence;
        self.hash.clone_from(&record.hash);
        Ok(())
    }
}

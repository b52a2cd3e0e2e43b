//! Approvals: who signed which release, with the signature itself.
//!
//! Owns: table `approvals`. Must not judge a signature or count: the caller does. Written by the API; read by the rollout
//! driver and the API.

use super::error::of;
use super::row::{At, ms, plain};
use super::{Db, StoreError, Tx, sql};
use model::{ChangeId, Wall};
use serde::{Deserialize, Serialize};

/// What a signature says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalKind {
    /// An approver of the set agrees.
    Approval,
    /// A key for emergencies.
    BreakGlass,
}

impl ApprovalKind {
    /// The word used in SQL, JSON and on screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approval => "approval",
            Self::BreakGlass => "break_glass",
        }
    }
}

/// A signature as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRecord {
    /// The public key as it stands in the approver set.
    pub key: String,
    /// What it says.
    pub kind: ApprovalKind,
    /// The person.
    pub approver: String,
    /// Armoured SSHSIG over the manifest.
    pub signature: String,
    /// When it came.
    pub created: Wall,
}

#[derive(sqlx::FromRow)]
struct ApprovalRow {
    public_key: String,
    kind: String,
    approver: String,
    signature: String,
    created_at: i64,
}

/// Keeps a signature. Gives whether it is new; a second one of the same key changes nothing.
pub async fn add(tx: &mut Tx, change: &ChangeId, approval: &ApprovalRecord) -> Result<bool, StoreError> {
    let ApprovalRecord { key, kind, approver, signature, created } = approval;
    let (key, approver) = (plain(key), plain(approver));
    let signature = plain(signature);
    let added = tx!(tx, c => sqlx::query(sql::APPROVAL_ADD)
        .bind(change.as_str())
        .bind(key.as_str())
        .bind(kind.as_str())
        .bind(approver.as_str())
        .bind(signature.as_str())
        .bind(ms(*created))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("approvals"))?;
    Ok(added > 0)
}

/// The signatures on a change, oldest first.
pub async fn of_change(db: &Db, change: &ChangeId) -> Result<Vec<ApprovalRecord>, StoreError> {
    let found: Vec<ApprovalRow> =
        on!(db, c => sqlx::query_as(sql::APPROVALS_OF).bind(change.as_str()).fetch_all(c).await)
            .map_err(of("approvals"))?;
    let at = At { table: "approvals", id: change.as_str() };
    let record = |row: ApprovalRow| {
        let ApprovalRow { public_key, kind, approver, signature, created_at } = row;
        Ok(ApprovalRecord {
            key: public_key,
            kind: at.word("kind", &kind)?,
            approver,
            signature,
            created: at.wall("created_at", created_at)?,
        })
    };
    found.into_iter().map(record).collect()
}

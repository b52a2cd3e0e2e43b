//! How each host ended an order. A report may come twice or late: the first end counts, but what was committed can be undone.
//!
//! Owns: table `host_outcomes`. Must not decide what an outcome means for the rollout. Called by the fleet service through
//! `writer`; read by the rollout driver, the API and the commands.

use super::error::of;
use super::hosts;
use super::row::{At, json, ms, whole};
use super::undone::{self, UndoneRecord};
use super::{Db, StoreError, Tx, sql};
use crate::trust::{Evidence, Receipt};
use model::{ApplyOutcome, ChangeId, Generation, HostId, OutcomeKind, Wall};
use serde::Serialize;

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordedOutcome {
    /// Kept: it is the first end, or follows a refusal.
    Kept,
    /// The host undid what it had committed, e.g. because a person at its console asked for it.
    Undone,
    /// An end of this order was known already; nothing changed. Acknowledge it all the same.
    Repeat,
}

/// An outcome as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutcomeRecord {
    /// The host.
    pub host: HostId,
    /// How it ended.
    pub outcome: ApplyOutcome,
    /// When the report arrived.
    pub received: Wall,
}

#[derive(sqlx::FromRow)]
struct OutcomeRow {
    host_id: String,
    change_id: String,
    generation: i64,
    detail: String,
    steps_run: i64,
    esxcli_calls: i64,
    received_at: i64,
    approval: Option<String>,
}

impl TryFrom<OutcomeRow> for OutcomeRecord {
    type Error = StoreError;
    fn try_from(row: OutcomeRow) -> Result<Self, StoreError> {
        let OutcomeRow {
            host_id,
            change_id,
            generation,
            detail,
            steps_run,
            esxcli_calls,
            received_at,
            approval,
        } = row;
        let id = format!("{change_id}/{host_id}/{generation}");
        let at = At { table: "host_outcomes", id: &id };
        let kind: OutcomeKind = at.json("detail", &detail)?;
        Ok(Self {
            host: at.text("host_id", host_id)?,
            outcome: ApplyOutcome {
                change: at.text("change_id", change_id)?,
                generation: Generation(at.number("generation", generation)?),
                kind,
                steps_run: at.number("steps_run", steps_run)?,
                esxcli_calls: at.number("esxcli_calls", esxcli_calls)?,
                approval: approval.map(|text| at.json("approval", &text)).transpose()?,
            },
            received: at.wall("received_at", received_at)?,
        })
    }
}

/// Records how a host ended an order; a committed one becomes the host's confirmed state in the same unit of work.
/// An order that was never given is a [`StoreError::NotFound`].
pub async fn record(
    tx: &mut Tx,
    host: &HostId,
    outcome: &ApplyOutcome,
    now: Wall,
) -> Result<RecordedOutcome, StoreError> {
    let ApplyOutcome { change, generation, kind, steps_run, esxcli_calls, approval } = outcome;
    let approval = approval.as_ref().map(|note| json("approval", note)).transpose()?;
    if undo(tx, host, outcome, now).await? {
        hosts::undone(tx, host, change, *generation).await?;
        return Ok(RecordedOutcome::Undone);
    }
    let detail = json("outcome", kind)?;
    let kept = tx!(tx, c => sqlx::query(sql::OUTCOME_RECORD)
        .bind(host.as_str())
        .bind(change.as_str())
        .bind(whole(generation.0))
        .bind(kind.as_str())
        .bind(detail.as_str())
        .bind(i64::from(*steps_run))
        .bind(i64::from(*esxcli_calls))
        .bind(ms(now))
        .bind(approval.as_deref())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("host_outcomes"))?;
    if kept == 0 {
        let became = repeat_or_unknown(tx, host, change, *generation).await?;
        if matches!(kind, OutcomeKind::RolledBack { .. } | OutcomeKind::RolledBackUnverified { .. }) {
            hosts::undone(tx, host, change, *generation).await?;
        }
        return Ok(became);
    }
    if *kind == OutcomeKind::Committed {
        hosts::commit_host(tx, host, change, *generation, now).await?;
    }
    Ok(RecordedOutcome::Kept)
}

/// Keeps the receipt of an outcome that was just recorded.
pub async fn keep_receipt(
    tx: &mut Tx,
    host: &HostId,
    outcome: &ApplyOutcome,
    receipt: &Receipt,
) -> Result<(), StoreError> {
    let evidence = Evidence::from(receipt);
    tx!(tx, c => sqlx::query(sql::OUTCOME_KEEP_RECEIPT)
        .bind(host.as_str())
        .bind(outcome.change.as_str())
        .bind(whole(outcome.generation.0))
        .bind(evidence.signed_outcome.as_str())
        .bind(evidence.receipt.as_str())
        .bind(evidence.certificate.as_str())
        .execute(c)
        .await
        .map(|_| ()))
    .map_err(of("host_outcomes"))
}

/// Whether this is the end of an undo: the order had ended as committed, and the host went back since.
async fn undo(tx: &mut Tx, host: &HostId, outcome: &ApplyOutcome, now: Wall) -> Result<bool, StoreError> {
    let ApplyOutcome { change, generation, kind, .. } = outcome;
    let reason = match kind {
        OutcomeKind::RolledBack { reason } | OutcomeKind::RolledBackUnverified { reason, .. } => reason,
        OutcomeKind::Committed | OutcomeKind::FailedMixed { .. } | OutcomeKind::Refused(_) => {
            return Ok(false);
        }
    };
    let detail = json("outcome", kind)?;
    let undone = tx!(tx, c => sqlx::query(sql::OUTCOME_UNDO)
        .bind(host.as_str())
        .bind(change.as_str())
        .bind(whole(generation.0))
        .bind(kind.as_str())
        .bind(detail.as_str())
        .bind(ms(now))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("host_outcomes"))?;
    if undone == 0 {
        return Ok(false);
    }
    let record = UndoneRecord {
        host: host.clone(),
        change: change.clone(),
        rfc: None,
        generation: *generation,
        reason: reason.clone(),
        at: now,
    };
    undone::fall_back(tx, &record).await?;
    Ok(true)
}

async fn repeat_or_unknown(
    tx: &mut Tx,
    host: &HostId,
    change: &ChangeId,
    generation: Generation,
) -> Result<RecordedOutcome, StoreError> {
    let found: Option<i32> = tx!(tx, c => sqlx::query_scalar(sql::OUTCOME_KNOWN)
        .bind(host.as_str())
        .bind(change.as_str())
        .bind(whole(generation.0))
        .fetch_optional(c)
        .await)
    .map_err(of("host_outcomes"))?;
    match found {
        Some(_) => Ok(RecordedOutcome::Repeat),
        None => Err(StoreError::NotFound { what: "order", id: format!("{change}/{host}/{generation}") }),
    }
}

/// The outcomes of a change, in order of host.
pub async fn outcomes_of(db: &Db, change: &ChangeId) -> Result<Vec<OutcomeRecord>, StoreError> {
    let found: Vec<OutcomeRow> =
        on!(db, c => sqlx::query_as(sql::OUTCOMES_OF).bind(change.as_str()).fetch_all(c).await)
            .map_err(of("host_outcomes"))?;
    found.into_iter().map(OutcomeRecord::try_from).collect()
}

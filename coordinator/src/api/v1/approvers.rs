//! Approver sets: the first version is brought, every later one is signed in by the one before. Hosts decide for themselves:
//! they take the first set from a person, and later ones only when they are signed.

use super::super::ApiParts;
use super::super::error::ApiError;
use super::super::views::{ApproverSetRequest, ApproverSetView, PageView};
use super::super::who::Who;
use super::{Answer, note};
use crate::store::approvers::{self as stored, ApproverSetRecord, NewApproverSet};
use crate::store::hosts::{self, HostFilter};
use crate::tasks::wall_now;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use engine::proof::{SetError, TrustedSet};
use model::{Approver, ApproverRotation, ApproverSet, HostId};
use serde_json::json;

/// Hosts read at once.
const PAGE_ROWS: u32 = 1000;

pub async fn list(State(parts): State<ApiParts>) -> Answer<PageView<ApproverSetView>> {
    let sets = stored::newest(&parts.db).await?;
    Ok(Json(PageView::whole(sets.into_iter().map(view).collect())))
}

pub async fn create(
    State(parts): State<ApiParts>,
    who: Who,
    body: Result<Json<ApproverSetRequest>, JsonRejection>,
) -> Answer<ApproverSetView> {
    let Json(ApproverSetRequest { document }) = body?;
    let trusted = parse(&document)?;
    let set = trusted.set();
    let known = stored::newest(&parts.db).await?;
    if known.iter().any(|record| record.set.name == set.name) {
        let message = format!("approver set `{}` is here already: rotate it", set.name);
        return Err(ApiError::conflict(message));
    }
    let record = keep(&parts, &who, set, &document, None).await?;
    parts.operations.approvals_changed().await;
    Ok(Json(view(record)))
}

pub async fn rotate(
    State(parts): State<ApiParts>,
    who: Who,
    body: Result<Json<ApproverRotation>, JsonRejection>,
) -> Answer<ApproverSetView> {
    let Json(rotation) = body?;
    let named = parse(&rotation.set)?;
    let named = &named.set().name;
    let known = stored::newest(&parts.db).await?;
    let Some(old) = known.into_iter().find(|record| record.set.name == *named) else {
        let message = format!("there is no approver set `{named}` to rotate: import it");
        return Err(ApiError::conflict(message));
    };
    let old = TrustedSet::new(old.set).map_err(|error| refused(&error))?;
    let new = old.rotate(&rotation, wall_now()).map_err(|error| ApiError::conflict(with_sources(&error)))?;
    let set = new.set();
    let record = keep(&parts, &who, set, &rotation.set, Some(&rotation)).await?;
    let hosts = spoken_for(&parts, &set.name).await?;
    parts.operations.offer_approvers(&hosts, &rotation);
    parts.operations.approvals_changed().await;
    Ok(Json(view(record)))
}

fn parse(document: &str) -> Result<TrustedSet, ApiError> {
    TrustedSet::parse(document.as_bytes()).map_err(|error| refused(&error))
}

fn refused(error: &SetError) -> ApiError {
    ApiError::bad_request(with_sources(error))
}

/// An error with what caused it, in one line.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

async fn keep(
    parts: &ApiParts,
    who: &Who,
    set: &ApproverSet,
    document: &str,
    rotation: Option<&ApproverRotation>,
) -> Result<ApproverSetRecord, ApiError> {
    let now = wall_now();
    let mut tx = parts.db.begin().await?;
    let new = NewApproverSet { set, document, rotation, imported_by: &who.actor, now };
    stored::add(&mut tx, &new).await?;
    let action = if rotation.is_some() { "approvers.rotated" } else { "approvers.imported" };
    let detail = json!({
        "version": set.version, "threshold": set.threshold, "approvers": names(&set.approvers),
        "break_glass": names(&set.break_glass),
    });
    note(&mut tx, who, action, format!("approvers/{}", set.name), detail).await?;
    tx.commit().await?;
    Ok(ApproverSetRecord {
        set: set.clone(),
        document: document.to_owned(),
        rotation: rotation.cloned(),
        imported_by: who.actor.clone(),
        created: now,
    })
}

/// The live hosts that a set speaks for.
async fn spoken_for(parts: &ApiParts, name: &str) -> Result<Vec<HostId>, ApiError> {
    let sets = stored::newest(&parts.db).await?;
    let live: Vec<HostId> = parts.live.hosts().into_iter().map(|live| live.host).collect();
    let mut spoken_for = Vec::new();
    let mut after = None;
    loop {
        let page = hosts::list(&parts.db, &HostFilter::default(), after.as_ref(), PAGE_ROWS).await?;
        for host in page.items {
            let set = stored::for_group(&sets, host.group.as_ref());
            if set.is_some_and(|record| record.set.name == name) && live.binary_search(&host.id).is_ok() {
                spoken_for.push(host.id);
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(spoken_for);
        }
    }
}

fn names(approvers: &[Approver]) -> Vec<String> {
    approvers.iter().map(|approver| approver.name.clone()).collect()
}

fn view(record: ApproverSetRecord) -> ApproverSetView {
    let ApproverSetRecord { set, document, rotation: _, imported_by, created } = record;
    ApproverSetView {
        approvers: names(&set.approvers),
        break_glass: names(&set.break_glass),
        name: set.name,
        version: set.version,
        threshold: set.threshold,
        document,
        imported_by,
        created,
    }
}

//! What approvers sign of a change, and their signatures. Whoever may approve may bring a signature of somebody else: it is
//! the signature that counts. Only an author of the change may not bring any.

use super::super::ApiParts;
use super::super::error::ApiError;
use super::super::page::{PageQuery, cursor};
use super::super::views::{
    ApprovalRequest, ApprovalView, PageView, ReleasePartView, ReleaseView, SetStandingView, SignatureView,
};
use super::super::who::Who;
use super::changes::find;
use super::{Answer, note};
use crate::release::{self, Release, SetStanding, Signed, SignerError, Standing, signed_by};
use crate::store::approvals::{self, ApprovalKind, ApprovalRecord};
use crate::store::changes::{ChangeRecord, ChangeStatus};
use crate::store::releases::{self, PartRecord};
use crate::tasks::wall_now;
use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use engine::proof::TrustedSet;
use model::HostId;
use serde_json::json;

pub async fn release(State(parts): State<ApiParts>, Path(id): Path<String>) -> Answer<ReleaseView> {
    let change = find(&parts, &id).await?;
    let release = read(&parts, &change).await?;
    Ok(Json(view(&change, &release)))
}

pub async fn parts(
    State(parts): State<ApiParts>,
    Path(id): Path<String>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Answer<PageView<ReleasePartView>> {
    let Query(query) = query?;
    let after: Option<HostId> = query.after()?;
    let change = find(&parts, &id).await?;
    let page = releases::parts(&parts.db, &change.id, after.as_ref(), query.limit()?).await?;
    let items = page.items.into_iter().map(part_view).collect();
    Ok(Json(PageView { items, next: page.next.map(|host| cursor(host.as_str())) }))
}

/// An approver signs. The signature is judged against every set that speaks for a host of the change; it is kept when one of
/// them knows the key. What is refused is told in the audit trail as well.
pub async fn create(
    State(parts): State<ApiParts>,
    who: Who,
    Path(id): Path<String>,
    body: Result<Json<ApprovalRequest>, JsonRejection>,
) -> Answer<ApprovalView> {
    let Json(ApprovalRequest { signature }) = body?;
    let change = find(&parts, &id).await?;
    if change.status != ChangeStatus::Accepted {
        let status = change.status.as_str();
        return Err(ApiError::conflict(format!("change {id} is {status}: there is nothing to approve")));
    }
    let release = read(&parts, &change).await?;
    let subject = format!("change/{}", change.id);
    let authors = release::authors_of(&parts.db, &change.id).await?;
    let judged = match authors.wrote(&who) {
        true => Err("you are an author of the change: somebody else has to bring the approval".to_owned()),
        false => judge(&release, &authors, &signature),
    };
    let mut tx = parts.db.begin().await?;
    let approval = match judged {
        Ok(approval) => approval,
        Err(reason) => {
            note(&mut tx, &who, "change.approval_refused", subject, json!({ "reason": reason })).await?;
            tx.commit().await?;
            return Err(ApiError::conflict(reason));
        }
    };
    if approvals::add(&mut tx, &change.id, &approval).await? {
        let ApprovalRecord { key, kind, approver, .. } = &approval;
        let action = match kind {
            ApprovalKind::Approval => "change.approved",
            ApprovalKind::BreakGlass => "change.break_glass",
        };
        if *kind == ApprovalKind::BreakGlass {
            tracing::warn!(change = %change.id, approver, "a key for emergencies approved a change");
        }
        let detail = json!({ "approver": approver, "key": key, "commit": change.commit });
        note(&mut tx, &who, action, subject, detail).await?;
    }
    tx.commit().await?;
    let standing = read(&parts, &change).await?.standing;
    parts.operations.approvals_changed().await;
    Ok(Json(approval_view(&standing)))
}

async fn read(parts: &ApiParts, change: &ChangeRecord) -> Result<Release, ApiError> {
    let release = release::read(&parts.db, &change.id, wall_now()).await?;
    release.ok_or_else(|| {
        ApiError::conflict(format!("change {} touches no host: it needs no approval", change.id))
    })
}

/// What a signature is worth, or why nothing.
fn judge(release: &Release, authors: &release::Authors, signature: &str) -> Result<ApprovalRecord, String> {
    let now = wall_now();
    if release.standing.expired {
        return Err("the release holds no more: merge a new commit".to_owned());
    }
    let mut why =
        "no approver set speaks for its hosts: import one with `pointsman approvers import`".to_owned();
    for record in release.sets() {
        let set = TrustedSet::new(record.set.clone()).map_err(|error| error.to_string())?;
        match signed_by(&set, &release.record.manifest, signature) {
            Ok(Signed { kind: ApprovalKind::Approval, approver, .. }) if authors.include(approver) => {
                why =
                    format!("{} is an author of the change: somebody else has to approve it", approver.name);
            }
            Ok(Signed { kind, approver, .. }) => {
                return Ok(ApprovalRecord {
                    key: approver.key.clone(),
                    kind,
                    approver: approver.name.clone(),
                    signature: signature.to_owned(),
                    created: now,
                });
            }
            Err(SignerError(reason)) => why = reason,
        }
    }
    Err(why)
}

fn view(change: &ChangeRecord, release: &Release) -> ReleaseView {
    let signature = |approval: &ApprovalRecord| SignatureView {
        approver: approval.approver.clone(),
        kind: approval.kind.as_str().to_owned(),
        signature: approval.signature.clone(),
        created: approval.created,
    };
    ReleaseView {
        change: change.id.clone(),
        author: change.author.clone(),
        summary: change.message.lines().next().unwrap_or_default().to_owned(),
        manifest: release.record.manifest.clone(),
        not_after: release.record.not_after,
        approval: approval_view(&release.standing),
        signatures: release.approvals.iter().map(signature).collect(),
    }
}

fn approval_view(standing: &Standing) -> ApprovalView {
    let set = |set: &SetStanding| SetStandingView {
        name: set.name.clone(),
        version: set.version,
        hosts: set.hosts,
        threshold: set.threshold,
        approved_by: set.approved_by.clone(),
        break_glass_by: set.break_glass_by.clone(),
        met: set.is_met(),
    };
    ApprovalView { waits_for: standing.waits_for(), sets: standing.sets.iter().map(set).collect() }
}

fn part_view(part: PartRecord) -> ReleasePartView {
    let PartRecord { host, group, order, parent, wave, steps } = part;
    ReleasePartView { host, group, order, parent, wave, steps }
}

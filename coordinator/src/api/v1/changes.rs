//! Changes: commits that were accepted or refused, with findings and plans.

use super::super::ApiParts;
use super::super::error::ApiError;
use super::super::page::{PageQuery, cursor};
use super::super::views::{ChangeDetailView, ChangeView, PageView, PlanView, StepView};
use super::Answer;
use crate::store::changes::{self as stored, ChangeRecord};
use crate::store::plans::{self, PlanRecord};
use crate::store::rollouts;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use model::{ChangeId, Finding, HostId};

/// Plans shown with a change; the others are on `changes/{id}/plans`.
const PLANS_SHOWN_MAX: u32 = 200;

pub async fn list(
    State(parts): State<ApiParts>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Answer<PageView<ChangeView>> {
    let Query(query) = query?;
    let records = stored::list(&parts.db, query.limit()?).await?;
    Ok(Json(PageView::whole(records.iter().map(view).collect())))
}

pub async fn get(State(parts): State<ApiParts>, Path(id): Path<String>) -> Answer<ChangeDetailView> {
    let record = find(&parts, &id).await?;
    let rollout = rollouts::of_change(&parts.db, &record.id).await?.map(|rollout| rollout.id);
    let page = plans::plans_of_change(&parts.db, &record.id, None, PLANS_SHOWN_MAX).await?;
    Ok(Json(ChangeDetailView {
        change: view(&record),
        rollout,
        findings: record.findings,
        plans: page.items.iter().map(plan_view).collect(),
    }))
}

pub async fn plans(
    State(parts): State<ApiParts>,
    Path(id): Path<String>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Answer<PageView<PlanView>> {
    let Query(query) = query?;
    let after: Option<HostId> = query.after()?;
    let record = find(&parts, &id).await?;
    let page = plans::plans_of_change(&parts.db, &record.id, after.as_ref(), query.limit()?).await?;
    let items = page.items.iter().map(plan_view).collect();
    Ok(Json(PageView { items, next: page.next.map(|host| cursor(host.as_str())) }))
}

pub(super) async fn find(parts: &ApiParts, id: &str) -> Result<ChangeRecord, ApiError> {
    let missing = || ApiError::not_found("change", id);
    let change = ChangeId::new(id).map_err(|_| missing())?;
    stored::get(&parts.db, &change).await?.ok_or_else(missing)
}

fn view(record: &ChangeRecord) -> ChangeView {
    ChangeView {
        id: record.id.clone(),
        commit: record.commit.clone(),
        parent: record.parent.clone(),
        rfc: record.rfc,
        author: record.author.clone(),
        summary: record.message.lines().next().unwrap_or_default().to_owned(),
        status: record.status.as_str().to_owned(),
        errors: record.findings.iter().filter(|finding| Finding::is_error(finding)).count(),
        created: record.created,
    }
}

fn plan_view(record: &PlanRecord) -> PlanView {
    PlanView {
        host: record.host.clone(),
        generation: record.generation,
        digest: record.plan.digest.clone(),
        disruption: record.plan.disruption,
        steps: record.plan.steps.iter().map(StepView::from).collect(),
    }
}

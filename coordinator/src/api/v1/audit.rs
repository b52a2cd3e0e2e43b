//! The audit trail.

use super::super::ApiParts;
use super::super::error::ApiError;
use super::super::page::{PageQuery, cursor};
use super::super::views::{AuditVerdictView, AuditView, PageView};
use super::Answer;
use crate::store::audit::{self as stored, AuditRecord, ChainReport};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use model::Wall;

pub async fn list(
    State(parts): State<ApiParts>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Answer<PageView<AuditView>> {
    let Query(query) = query?;
    let newest = stored::list(&parts.db, query.limit()?).await?;
    Ok(Json(PageView::whole(newest.into_iter().map(view).collect())))
}

/// All entries, oldest first, page by page: for an export.
pub async fn entries(
    State(parts): State<ApiParts>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Answer<PageView<AuditView>> {
    let Query(query) = query?;
    let limit = query.limit()?;
    let after: Option<String> = query.after()?;
    let after = after.map_or(Ok(0), |text| text.parse()).map_err(|_| ApiError::bad_cursor())?;
    let records = stored::after(&parts.db, after, limit).await?;
    let full = u32::try_from(records.len()).is_ok_and(|count| count >= limit);
    let next = records.last().filter(|_| full).map(|last| cursor(&last.sequence.to_string()));
    Ok(Json(PageView { items: records.into_iter().map(view).collect(), next }))
}

fn view(record: AuditRecord) -> AuditView {
    let AuditRecord { sequence, at, actor, action, subject, detail, previous_hash, hash } = record;
    let at = Wall(u64::try_from(at).unwrap_or(0));
    AuditView { sequence, at, actor, action, subject, detail, previous_hash, hash }
}

pub async fn verify(State(parts): State<ApiParts>) -> Answer<AuditVerdictView> {
    Ok(Json(match stored::verify_chain(&parts.db).await? {
        ChainReport::Intact { entries, head } => AuditVerdictView::Intact { entries, head },
        ChainReport::Broken { sequence, detail } => AuditVerdictView::Broken { sequence, detail },
    }))
}

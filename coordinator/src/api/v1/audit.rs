//! The audit trail.

use super::super::ApiParts;
use super::super::page::PageQuery;
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
    let newest = stored::list(&parts.db, query.limit()?).await?.into_iter().map(|record| {
        let AuditRecord { sequence, at, actor, action, subject, detail, previous_hash, hash } = record;
        let at = Wall(u64::try_from(at).unwrap_or(0));
        AuditView { sequence, at, actor, action, subject, detail, previous_hash, hash }
    });
    Ok(Json(PageView::whole(newest.collect())))
}

pub async fn verify(State(parts): State<ApiParts>) -> Answer<AuditVerdictView> {
    Ok(Json(match stored::verify_chain(&parts.db).await? {
        ChainReport::Intact { entries, head } => AuditVerdictView::Intact { entries, head },
        ChainReport::Broken { sequence, detail } => AuditVerdictView::Broken { sequence, detail },
    }))
}

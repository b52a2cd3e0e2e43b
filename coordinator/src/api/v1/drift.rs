//! Open drift of all hosts.

use super::super::ApiParts;
use super::super::page::PageQuery;
use super::super::views::{DriftView, PageView};
use super::Answer;
use crate::store::drift::{self as stored, DriftRecord};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};

pub async fn list(
    State(parts): State<ApiParts>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Answer<PageView<DriftView>> {
    let Query(query) = query?;
    let open = stored::list_open(&parts.db, query.limit()?).await?.into_iter().map(|record| {
        let DriftRecord { host, generation, difference, first_seen, last_seen, resolved: _ } = record;
        DriftView { host, generation, difference, first_seen, last_seen }
    });
    Ok(Json(PageView::whole(open.collect())))
}

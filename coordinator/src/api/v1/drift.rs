//! Open drift of all hosts, and confirmed changes that were undone on their host.

use super::super::ApiParts;
use super::super::page::PageQuery;
use super::super::views::{DriftView, PageView, UndoneView};
use super::Answer;
use super::hosts::UNDONE_MAX;
use crate::store::drift::{self as stored, DriftRecord};
use crate::store::undone::{self, UndoneRecord};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use model::{Component, Difference, DifferenceKind};

pub async fn list(
    State(parts): State<ApiParts>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Answer<PageView<DriftView>> {
    let Query(query) = query?;
    let undone = undone::list(&parts.db, UNDONE_MAX).await?.into_iter().map(gone);
    let open = stored::list_open(&parts.db, query.limit()?).await?.into_iter().map(|record| {
        let DriftRecord { host, generation, difference, first_seen, last_seen, resolved: _ } = record;
        DriftView { host, generation, difference, first_seen, last_seen }
    });
    Ok(Json(PageView::whole(undone.chain(open).collect())))
}

/// The confirmed change that the host does not hold any more, as a difference.
fn gone(record: UndoneRecord) -> DriftView {
    let host = record.host.clone();
    let undone = UndoneView::from(record);
    let difference = Difference {
        component: Component::Rfc,
        object: undone.name(),
        field: "generation".to_owned(),
        kind: DifferenceKind::Changed,
        desired: undone.generation.to_string(),
        observed: format!("undone ({})", undone.reason),
    };
    DriftView { host, generation: undone.generation, difference, first_seen: undone.at, last_seen: undone.at }
}

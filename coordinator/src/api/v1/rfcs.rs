//! RFCs as they were merged.

use super::super::ApiParts;
use super::super::error::ApiError;
use super::super::page::{PageQuery, cursor};
use super::super::views::{PageView, RfcView};
use super::{Answer, word};
use crate::store::rfcs::{self as stored, RfcRecord};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use model::RfcId;

pub async fn list(
    State(parts): State<ApiParts>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Answer<PageView<RfcView>> {
    let Query(query) = query?;
    let limit = query.limit()?;
    let below: Option<String> = query.after()?;
    let below = below.map(|text| text.parse().map(RfcId).map_err(|_| ApiError::bad_cursor())).transpose()?;
    let records = stored::list(&parts.db, below, limit).await?;
    let full = u32::try_from(records.len()).is_ok_and(|count| count >= limit);
    let next = records.last().filter(|_| full).map(|last| cursor(&last.number.0.to_string()));
    let items = records.into_iter().map(view).collect::<Result<_, _>>()?;
    Ok(Json(PageView { items, next }))
}

pub async fn get(State(parts): State<ApiParts>, Path(number): Path<String>) -> Answer<RfcView> {
    let missing = || ApiError::not_found("RFC", &number);
    let id = number.parse().map(RfcId).map_err(|_| missing())?;
    let record = stored::get(&parts.db, id).await?.ok_or_else(missing)?;
    view(record).map(Json)
}

fn view(record: RfcRecord) -> Result<RfcView, ApiError> {
    let RfcRecord { number, title, state, commit, author, path, document, body: _, created: _, updated } =
        record;
    Ok(RfcView { number, title, state: word(&state)?, author, path, commit, document, updated })
}

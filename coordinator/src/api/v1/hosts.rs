//! Hosts, what they look like, and their groups.

use super::super::ApiParts;
use super::super::error::ApiError;
use super::super::page::{PageQuery, cursor};
use super::super::views::{GroupView, HostView, ObservedView, PageView, UndoneView};
use super::super::who::Who;
use super::Answer;
use crate::fleet::LiveHost;
use crate::store::hosts::{self as stored, HostFilter, HostRecord};
use crate::store::{observations, undone};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use model::HostId;
use std::collections::BTreeMap;

/// Most hosts with an undone change that are read for a list.
pub(super) const UNDONE_MAX: u32 = 10_000;

pub async fn list(
    State(parts): State<ApiParts>,
    who: Who,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Answer<PageView<HostView>> {
    let Query(query) = query?;
    let after: Option<HostId> = query.after()?;
    let filter = HostFilter { group: who.group().cloned(), ..HostFilter::default() };
    let page = stored::list(&parts.db, &filter, after.as_ref(), query.limit()?).await?;
    let live: BTreeMap<HostId, LiveHost> =
        parts.live.hosts().into_iter().map(|live| (live.host.clone(), live)).collect();
    let undone = undone::list(&parts.db, UNDONE_MAX).await?;
    let mut undone: BTreeMap<HostId, UndoneView> =
        undone.into_iter().map(|record| (record.host.clone(), record.into())).collect();
    let items = page.items.into_iter().map(|record| {
        let (live, undone) = (live.get(&record.id), undone.remove(&record.id));
        view(record, live, undone)
    });
    Ok(Json(PageView { items: items.collect(), next: page.next.map(|id| cursor(id.as_str())) }))
}

pub async fn get(State(parts): State<ApiParts>, who: Who, Path(id): Path<String>) -> Answer<HostView> {
    let record = find(&parts, &who, &id).await?;
    let live = parts.live.hosts().into_iter().find(|live| live.host == record.id);
    let undone = undone::of_host(&parts.db, &record.id).await?;
    Ok(Json(view(record, live.as_ref(), undone.map(UndoneView::from))))
}

pub async fn observed(
    State(parts): State<ApiParts>,
    who: Who,
    Path(id): Path<String>,
) -> Answer<ObservedView> {
    let record = find(&parts, &who, &id).await?;
    let latest = observations::latest(&parts.db, &record.id).await?;
    let latest = latest.ok_or_else(|| ApiError::not_found("an observation of host", &id))?;
    let observations::LatestObservation { host, hash, observed_at, network } = latest;
    Ok(Json(ObservedView { host, observed_at, hash, network }))
}

pub async fn groups(State(parts): State<ApiParts>, who: Who) -> Answer<PageView<GroupView>> {
    let groups = stored::groups(&parts.db).await?.into_iter();
    let groups = groups.filter(|group| who.reaches(Some(&group.id))).map(|group| {
        let stored::GroupRecord { id, document, listed, updated: _ } = group;
        GroupView { id, document, listed }
    });
    Ok(Json(PageView::whole(groups.collect())))
}

/// A host; who is limited to another group learns no more than that there is none.
async fn find(parts: &ApiParts, who: &Who, id: &str) -> Result<HostRecord, ApiError> {
    let missing = || ApiError::not_found("host", id);
    let host = HostId::new(id).map_err(|_| missing())?;
    let record = stored::get(&parts.db, &host).await?.ok_or_else(missing)?;
    if who.reaches(record.group.as_ref()) { Ok(record) } else { Err(missing()) }
}

fn view(record: HostRecord, live: Option<&LiveHost>, undone: Option<UndoneView>) -> HostView {
    let HostRecord {
        id,
        group,
        labels,
        status,
        listed,
        generation_allocated,
        generation_committed,
        committed_change,
        committed_rfc,
        committed_at,
        enrolled_at: _,
        last_seen,
        agent_version,
        boot_id: _,
        facts,
        observation_hash: _,
        observed_at,
    } = record;
    HostView {
        id,
        group,
        labels,
        status: status.as_str().to_owned(),
        listed,
        connected: live.is_some(),
        phase: live.map(|live| live.phase),
        generation_allocated,
        generation_committed,
        committed_change,
        committed_rfc,
        committed_at,
        drift: live.is_some_and(|live| live.drift),
        undone,
        last_seen: live.map(|live| live.last_seen).or(last_seen),
        agent_version,
        facts,
        observed_at,
    }
}

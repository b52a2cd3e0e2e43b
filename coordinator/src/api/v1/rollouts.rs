//! Rollouts: where they are, wave by wave and host by host, and the operator's commands.

use super::super::error::ApiError;
use super::super::page::PageQuery;
use super::super::views::{
    AcceptedView, ExtendRequest, PageView, ReasonRequest, RolloutDetailView, RolloutView, WaveHostView,
    WaveView,
};
use super::super::who::Who;
use super::super::{ApiParts, RolloutCommand};
use super::{Answer, REASON_CHARS_MAX};
use crate::fleet::LiveHost;
use crate::store::hosts;
use crate::store::outcomes::{self, OutcomeRecord};
use crate::store::rollouts::{self as stored, RolloutRecord, WaveRecord};
use crate::tasks::window::Extension;
use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use engine::rollout::RolloutState;
use model::{ApplyOutcome, HostId, HostOutcome, RolloutId};
use std::collections::BTreeMap;

pub async fn list(
    State(parts): State<ApiParts>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Answer<PageView<RolloutView>> {
    let Query(query) = query?;
    let records = stored::list(&parts.db, query.limit()?).await?;
    Ok(Json(PageView::whole(records.iter().map(view).collect())))
}

pub async fn get(
    State(parts): State<ApiParts>,
    who: Who,
    Path(id): Path<String>,
) -> Answer<RolloutDetailView> {
    let record = find(&parts, &id).await?;
    let waves = stored::waves_of(&parts.db, &record.id).await?;
    must_reach(&parts, &who, &waves).await?;
    let ends = outcomes::outcomes_of(&parts.db, &record.change).await?;
    let ends: BTreeMap<HostId, ApplyOutcome> =
        ends.into_iter().map(|OutcomeRecord { host, outcome, received: _ }| (host, outcome)).collect();
    let live: BTreeMap<HostId, LiveHost> =
        parts.live.hosts().into_iter().map(|live| (live.host.clone(), live)).collect();
    // What the machine thinks; without it the recorded ends still tell the most important part.
    let state: Option<RolloutState> = serde_json::from_value(record.state.clone()).ok();
    let host_view = |host: HostId| {
        let outcome = ends.get(&host);
        let thought = state.as_ref().and_then(|state| state.outcome(&host));
        let live = live.get(&host);
        let at_work = matches!(thought, Some(HostOutcome::InFlight));
        WaveHostView {
            state: state_word(thought.as_ref(), outcome),
            connected: live.is_some(),
            phase: live.filter(|_| at_work).map(|live| live.phase),
            outcome: outcome.cloned(),
            host,
        }
    };
    let waves = (1..).zip(waves).map(|(number, wave)| WaveView {
        number,
        started: wave.started,
        ended: wave.ended,
        hosts: wave.hosts.into_iter().map(host_view).collect(),
    });
    Ok(Json(RolloutDetailView { rollout: view(&record), waves: waves.collect() }))
}

pub async fn steer(
    State(parts): State<ApiParts>,
    who: Who,
    Path((id, command)): Path<(String, String)>,
    body: Result<Json<ReasonRequest>, JsonRejection>,
) -> Answer<AcceptedView> {
    let commands = [RolloutCommand::Pause, RolloutCommand::Resume, RolloutCommand::Abort];
    let Some(command) = commands.into_iter().find(|known| known.as_str() == command) else {
        return Err(ApiError::no_route());
    };
    let Json(ReasonRequest { reason }) = body?;
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
        let message = format!("`reason` has to be said, in at most {REASON_CHARS_MAX} characters");
        return Err(ApiError::bad_request(message));
    }
    let record = find(&parts, &id).await?;
    must_reach(&parts, &who, &stored::waves_of(&parts.db, &record.id).await?).await?;
    parts.operations.steer(record.id.clone(), command, who.actor.clone(), reason.to_owned()).await?;
    let message = format!("rollout {}: {} was taken note of", record.id, command.as_str());
    Ok(Json(AcceptedView { message }))
}

pub async fn extend(
    State(parts): State<ApiParts>,
    who: Who,
    Path(id): Path<String>,
    body: Result<Json<ExtendRequest>, JsonRejection>,
) -> Answer<AcceptedView> {
    let Json(ExtendRequest { host, secs, reason }) = body?;
    let reason = reason.trim();
    if reason.chars().count() > REASON_CHARS_MAX {
        return Err(ApiError::bad_request(format!("`reason` has at most {REASON_CHARS_MAX} characters")));
    }
    let rollout = find(&parts, &id).await?.id;
    must_reach(&parts, &who, &stored::waves_of(&parts.db, &rollout).await?).await?;
    let message =
        format!("host {host} was told: {secs} s from now on; `rollout show {rollout}` shows how it ends");
    let (actor, reason) = (who.actor.clone(), reason.to_owned());
    parts.operations.extend(Extension { rollout, host, secs, actor, reason }).await?;
    Ok(Json(AcceptedView { message }))
}

/// Who is limited to one group sees and steers rollouts of this group's hosts only.
async fn must_reach(parts: &ApiParts, who: &Who, waves: &[WaveRecord]) -> Result<(), ApiError> {
    let Some(group) = who.group() else { return Ok(()) };
    for host in waves.iter().flat_map(|wave| &wave.hosts) {
        let record = hosts::get(&parts.db, host).await?;
        if record.and_then(|record| record.group).as_ref() != Some(group) {
            return Err(ApiError::out_of_group(group));
        }
    }
    Ok(())
}

async fn find(parts: &ApiParts, id: &str) -> Result<RolloutRecord, ApiError> {
    let missing = || ApiError::not_found("rollout", id);
    let rollout = RolloutId::new(id).map_err(|_| missing())?;
    stored::get(&parts.db, &rollout).await?.ok_or_else(missing)
}

fn state_word(thought: Option<&HostOutcome>, outcome: Option<&ApplyOutcome>) -> String {
    let word = match (thought, outcome) {
        // What is stored also knows what was undone after the rollout had ended.
        (_, Some(outcome)) => outcome.kind.as_str(),
        (Some(HostOutcome::Ended(kind)), None) => kind.as_str(),
        (Some(HostOutcome::InFlight), None) => "in_flight",
        (Some(HostOutcome::Unreachable), None) => "unreachable",
        (Some(HostOutcome::Pending) | None, None) => "pending",
    };
    word.to_owned()
}

fn view(record: &RolloutRecord) -> RolloutView {
    RolloutView {
        id: record.id.clone(),
        change: record.change.clone(),
        phase: record.phase,
        reason: record.reason.clone(),
        spec: record.spec.clone(),
        created: record.created,
        updated: record.updated,
        ended: record.ended,
    }
}

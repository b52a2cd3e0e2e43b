//! The coordinator itself, and the nudge to read the repository.

use super::super::error::ApiError;
use super::super::views::{AcceptedView, StatusView};
use super::super::who::Who;
use super::super::{ApiParts, Term};
use super::{Answer, note};
use crate::store::{changes, rollouts};
use crate::tasks::lease::Lead;
use axum::Json;
use axum::extract::State;
use serde_json::json;

pub async fn get(State(parts): State<ApiParts>) -> Answer<StatusView> {
    let Term { coordinator, lead } = parts.operations.term();
    let (leader, term) = match lead {
        Lead::Holds { epoch } => (Some(coordinator.clone()), Some(epoch)),
        Lead::StandsBy { holder } => (holder, None),
    };
    Ok(Json(StatusView {
        coordinator,
        leader,
        term,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        database: parts.db.engine_name().to_owned(),
        repository_head: changes::last_seen_commit(&parts.db).await?,
        connected_hosts: parts.live.hosts().len(),
        active_rollouts: rollouts::active(&parts.db).await?.len(),
    }))
}

pub async fn resync(State(parts): State<ApiParts>, who: Who) -> Answer<AcceptedView> {
    parts.operations.nudge_repository()?;
    let mut tx = parts.db.begin().await?;
    note(&mut tx, &who, "forge.resync", "forge".to_owned(), json!({})).await?;
    tx.commit().await?;
    if !parts.operations.resync_forge() {
        return Err(ApiError::conflict("no forge is set up: write the table `[forge]` into the settings"));
    }
    Ok(Json(AcceptedView { message: "every pull request is being looked at".to_owned() }))
}

pub async fn sync(State(parts): State<ApiParts>, who: Who) -> Answer<AcceptedView> {
    parts.operations.nudge_repository()?;
    let mut tx = parts.db.begin().await?;
    note(&mut tx, &who, "repository.sync", "repository".to_owned(), json!({})).await?;
    tx.commit().await?;
    Ok(Json(AcceptedView { message: "the repository is being read".to_owned() }))
}

//! Rollouts: the state of the rollout machine after every transition, and its waves.
//!
//! Owns: tables `rollouts` and `waves`. Must not know what the state means: it is the JSON of the machine. Written by
//! `changes::accept_change` (once) and by the rollout driver; read by the API and the commands.

use super::error::of;
use super::row::{At, CHUNK_ROWS, json, ms, plain, rows, whole};
use super::{Db, StoreError, Tx, sql};
use model::{ChangeId, HostId, RolloutId, RolloutPhase, RolloutSpec, Wall, Wave};
use serde::Serialize;
use sqlx::AssertSqlSafe;

/// A rollout to store with its change.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRollout {
    /// Made by the caller, growing with time (UUIDv7).
    pub id: RolloutId,
    /// How it is staged.
    pub spec: RolloutSpec,
    /// Where the machine starts.
    pub phase: RolloutPhase,
    /// State of the machine.
    pub state: serde_json::Value,
    /// Hosts per wave.
    pub waves: Vec<Wave>,
}

/// A rollout as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RolloutRecord {
    /// Its id.
    pub id: RolloutId,
    /// Its change.
    pub change: ChangeId,
    /// Where it is.
    pub phase: RolloutPhase,
    /// State of the machine.
    pub state: serde_json::Value,
    /// How it is staged.
    pub spec: RolloutSpec,
    /// Pass this to [`save_state`].
    pub version: u64,
    /// Why it is where it is, in words.
    pub reason: Option<String>,
    /// When it was accepted.
    pub created: Wall,
    /// When it last moved.
    pub updated: Wall,
    /// When it ended.
    pub ended: Option<Wall>,
}

/// A step of the machine to keep.
#[derive(Debug, Clone, PartialEq)]
pub struct RolloutUpdate {
    /// Where it is now.
    pub phase: RolloutPhase,
    /// State of the machine now.
    pub state: serde_json::Value,
    /// Why, in words.
    pub reason: Option<String>,
    /// Now.
    pub now: Wall,
}

/// What became of a compare-and-set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaveState {
    /// Kept; the next save passes this version.
    Saved {
        /// The new version.
        version: u64,
    },
    /// Somebody else moved it, or it does not exist: read it again and decide anew.
    Lost,
}

/// A wave as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaveRecord {
    /// From 0, the canary.
    pub number: u32,
    /// Its hosts.
    pub hosts: Vec<HostId>,
    /// When its first host was sent an order.
    pub started: Option<Wall>,
    /// When its last host ended.
    pub ended: Option<Wall>,
}

#[derive(sqlx::FromRow)]
struct RolloutRow {
    id: String,
    change_id: String,
    phase: String,
    state: String,
    spec: String,
    version: i64,
    reason: Option<String>,
    created_at: i64,
    updated_at: i64,
    ended_at: Option<i64>,
}

impl TryFrom<RolloutRow> for RolloutRecord {
    type Error = StoreError;
    fn try_from(row: RolloutRow) -> Result<Self, StoreError> {
        let id = row.id.clone();
        let at = At { table: "rollouts", id: &id };
        Ok(Self {
            id: at.text("id", row.id)?,
            change: at.text("change_id", row.change_id)?,
            phase: at.word("phase", &row.phase)?,
            // What is not even JSON is kept as it is: a rollout whose state nobody can read can still be ended.
            state: serde_json::from_str(&row.state).unwrap_or(serde_json::Value::String(row.state)),
            spec: at.json("spec", &row.spec)?,
            version: at.number("version", row.version)?,
            reason: row.reason,
            created: at.wall("created_at", row.created_at)?,
            updated: at.wall("updated_at", row.updated_at)?,
            ended: at.wall_opt("ended_at", row.ended_at)?,
        })
    }
}

pub(super) async fn add(
    tx: &mut Tx,
    rollout: &NewRollout,
    change: &ChangeId,
    now: Wall,
) -> Result<(), StoreError> {
    let NewRollout { id, spec, phase, state, waves } = rollout;
    let (state, spec) = (json("rollout state", state)?, json("rollout spec", spec)?);
    tx!(tx, c => sqlx::query(sql::ROLLOUT_ADD)
        .bind(id.as_str())
        .bind(change.as_str())
        .bind(phase.as_str())
        .bind(state.as_str())
        .bind(spec.as_str())
        .bind(ms(now))
        .execute(c)
        .await
        .map(|_| ()))
    .map_err(of("rollouts"))?;
    let mut form = Vec::with_capacity(waves.len());
    for (number, wave) in (0_i64..).zip(waves) {
        form.push((number, json("hosts of a wave", &wave.hosts)?));
    }
    for chunk in form.chunks(CHUNK_ROWS) {
        let text = sql::WAVES_ADD.text(chunk.len());
        tx!(tx, c => {
            let mut query = sqlx::query(AssertSqlSafe(text)).persistent(false);
            for (number, hosts) in chunk {
                query = query.bind(id.as_str()).bind(*number).bind(hosts.as_str());
            }
            query.execute(c).await.map(|_| ())
        })
        .map_err(of("waves"))?;
    }
    Ok(())
}

/// One rollout.
pub async fn get(db: &Db, rollout: &RolloutId) -> Result<Option<RolloutRecord>, StoreError> {
    let row: Option<RolloutRow> =
        on!(db, c => sqlx::query_as(sql::ROLLOUT_GET).bind(rollout.as_str()).fetch_optional(c).await)
            .map_err(of("rollouts"))?;
    row.map(RolloutRecord::try_from).transpose()
}

/// The rollout of a change.
pub async fn of_change(db: &Db, change: &ChangeId) -> Result<Option<RolloutRecord>, StoreError> {
    let row: Option<RolloutRow> =
        on!(db, c => sqlx::query_as(sql::ROLLOUT_OF_CHANGE).bind(change.as_str()).fetch_optional(c).await)
            .map_err(of("rollouts"))?;
    row.map(RolloutRecord::try_from).transpose()
}

/// Rollouts, newest first.
pub async fn list(db: &Db, limit: u32) -> Result<Vec<RolloutRecord>, StoreError> {
    let found: Vec<RolloutRow> =
        on!(db, c => sqlx::query_as(sql::ROLLOUTS_LIST).bind(rows(limit)).fetch_all(c).await)
            .map_err(of("rollouts"))?;
    found.into_iter().map(RolloutRecord::try_from).collect()
}

/// Rollouts that have not ended (paused and halted ones too), oldest first.
pub async fn active(db: &Db) -> Result<Vec<RolloutRecord>, StoreError> {
    let found: Vec<RolloutRow> =
        on!(db, c => sqlx::query_as(sql::ROLLOUTS_ACTIVE).fetch_all(c).await).map_err(of("rollouts"))?;
    found.into_iter().map(RolloutRecord::try_from).collect()
}

/// Keeps a step of the machine if nobody else moved it since `version` was read.
pub async fn save_state(
    tx: &mut Tx,
    rollout: &RolloutId,
    version: u64,
    update: &RolloutUpdate,
) -> Result<SaveState, StoreError> {
    let state = json("rollout state", &update.state)?;
    let reason = update.reason.as_deref().map(plain);
    let saved: Option<i64> = tx!(tx, c => sqlx::query_scalar(sql::ROLLOUT_SAVE)
        .bind(rollout.as_str())
        .bind(whole(version))
        .bind(update.phase.as_str())
        .bind(state.as_str())
        .bind(reason.as_deref())
        .bind(ms(update.now))
        .fetch_optional(c)
        .await)
    .map_err(of("rollouts"))?;
    let Some(saved) = saved else { return Ok(SaveState::Lost) };
    let version = At { table: "rollouts", id: rollout.as_str() }.number("version", saved)?;
    Ok(SaveState::Saved { version })
}

/// Says what a rollout that has not begun waits for; one that has begun is left alone.
pub async fn waits(
    tx: &mut Tx,
    change: &ChangeId,
    waits_for: Option<&str>,
    now: Wall,
) -> Result<(), StoreError> {
    let waits_for = waits_for.map(plain);
    tx!(tx, c => sqlx::query(sql::ROLLOUT_WAITS)
        .bind(change.as_str())
        .bind(waits_for.as_deref())
        .bind(ms(now))
        .execute(c)
        .await
        .map(|_| ()))
    .map_err(of("rollouts"))
}

/// Notes when a wave started; the first time counts.
pub async fn wave_started(
    tx: &mut Tx,
    rollout: &RolloutId,
    number: u32,
    now: Wall,
) -> Result<(), StoreError> {
    tx!(tx, c => sqlx::query(sql::WAVE_STARTED)
        .bind(rollout.as_str())
        .bind(i64::from(number))
        .bind(ms(now))
        .execute(c)
        .await
        .map(|_| ()))
    .map_err(of("waves"))
}

/// Notes when a wave ended; the first time counts.
pub async fn wave_ended(tx: &mut Tx, rollout: &RolloutId, number: u32, now: Wall) -> Result<(), StoreError> {
    tx!(tx, c => sqlx::query(sql::WAVE_ENDED)
        .bind(rollout.as_str())
        .bind(i64::from(number))
        .bind(ms(now))
        .execute(c)
        .await
        .map(|_| ()))
    .map_err(of("waves"))
}

/// The waves of a rollout in order.
pub async fn waves_of(db: &Db, rollout: &RolloutId) -> Result<Vec<WaveRecord>, StoreError> {
    let found: Vec<(i64, String, Option<i64>, Option<i64>)> =
        on!(db, c => sqlx::query_as(sql::WAVES_OF).bind(rollout.as_str()).fetch_all(c).await)
            .map_err(of("waves"))?;
    let at = At { table: "waves", id: rollout.as_str() };
    let wave = |(number, hosts, started, ended): (i64, String, Option<i64>, Option<i64>)| {
        Ok(WaveRecord {
            number: at.number("number", number)?,
            hosts: at.json("hosts", &hosts)?,
            started: at.wall_opt("started_at", started)?,
            ended: at.wall_opt("ended_at", ended)?,
        })
    };
    found.into_iter().map(wave).collect()
}

//! The plan of each host in a change.
//!
//! Owns: table `plans`. Must not plan. Written only by `changes::accept_change`; read by dispatch, the API and the commands.

use super::error::of;
use super::hosts::{Allocated, Page};
use super::row::{At, CHUNK_ROWS, json, rows, whole};
use super::{Db, StoreError, Tx, releases, sql};
use model::{ChangeId, DesiredNetwork, Generation, HostId, Order, Plan, PlanDigest};
use serde::Serialize;
use sqlx::AssertSqlSafe;
use std::collections::BTreeMap;

/// A plan to store; its generation is given out while accepting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPlan {
    /// The host.
    pub host: HostId,
    /// The calls.
    pub plan: Plan,
    /// What should be on this host.
    pub desired: DesiredNetwork,
    /// The calls as lines for people.
    pub esxcli_lines: Vec<String>,
}

/// A plan as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanRecord {
    /// The change.
    pub change: ChangeId,
    /// The host.
    pub host: HostId,
    /// The generation of the order.
    pub generation: Generation,
    /// The calls.
    pub plan: Plan,
    /// What should be on this host.
    pub desired: DesiredNetwork,
    /// The calls as lines for people.
    pub esxcli_lines: Vec<String>,
}

#[derive(sqlx::FromRow)]
struct PlanRow {
    change_id: String,
    host_id: String,
    generation: i64,
    digest: String,
    disruption: String,
    steps: String,
    desired: String,
    esxcli_lines: String,
}

impl TryFrom<PlanRow> for PlanRecord {
    type Error = StoreError;
    fn try_from(row: PlanRow) -> Result<Self, StoreError> {
        let id = format!("{}/{}", row.change_id, row.host_id);
        let at = At { table: "plans", id: &id };
        Ok(Self {
            change: at.text("change_id", row.change_id)?,
            host: at.text("host_id", row.host_id)?,
            generation: Generation(at.number("generation", row.generation)?),
            plan: Plan {
                steps: at.json("steps", &row.steps)?,
                disruption: at.word("disruption", &row.disruption)?,
                digest: PlanDigest(row.digest),
            },
            desired: at.json("desired", &row.desired)?,
            esxcli_lines: at.json("esxcli_lines", &row.esxcli_lines)?,
        })
    }
}

struct PlanForm<'a> {
    host: &'a str,
    generation: i64,
    digest: &'a str,
    disruption: &'static str,
    steps: String,
    desired: String,
    lines: String,
}

pub(super) async fn add(
    tx: &mut Tx,
    change: &ChangeId,
    plans: &[NewPlan],
    allocated: &BTreeMap<HostId, Allocated>,
) -> Result<(), StoreError> {
    for chunk in plans.chunks(CHUNK_ROWS) {
        let mut form = Vec::with_capacity(chunk.len());
        for NewPlan { host, plan, desired, esxcli_lines } in chunk {
            let given = allocated.get(host).ok_or_else(|| super::hosts::not_found(host))?;
            form.push(PlanForm {
                host: host.as_str(),
                generation: whole(given.generation.0),
                digest: &plan.digest.0,
                disruption: plan.disruption.as_str(),
                steps: json("steps", &plan.steps)?,
                desired: json("desired network", desired)?,
                lines: json("esxcli lines", esxcli_lines)?,
            });
        }
        let text = sql::PLANS_ADD.text(form.len());
        tx!(tx, c => {
            let mut query = sqlx::query(AssertSqlSafe(text)).persistent(false);
            for row in &form {
                query = query.bind(change.as_str()).bind(row.host).bind(row.generation).bind(row.digest)
                    .bind(row.disruption).bind(row.steps.as_str()).bind(row.desired.as_str()).bind(row.lines.as_str());
            }
            query.execute(c).await.map(|_| ())
        })
        .map_err(of("plans"))?;
    }
    Ok(())
}

/// The plan of one host.
pub async fn get(db: &Db, change: &ChangeId, host: &HostId) -> Result<Option<PlanRecord>, StoreError> {
    let row: Option<PlanRow> = on!(db, c => sqlx::query_as(sql::PLAN_GET)
        .bind(change.as_str())
        .bind(host.as_str())
        .fetch_optional(c)
        .await)
    .map_err(of("plans"))?;
    row.map(PlanRecord::try_from).transpose()
}

/// The plans of a change, a page in order of host.
pub async fn plans_of_change(
    db: &Db,
    change: &ChangeId,
    after: Option<&HostId>,
    limit: u32,
) -> Result<Page<PlanRecord>, StoreError> {
    let found: Vec<PlanRow> = on!(db, c => sqlx::query_as(sql::PLANS_PAGE)
        .bind(change.as_str())
        .bind(after.map_or("", HostId::as_str))
        .bind(rows(limit))
        .fetch_all(c)
        .await)
    .map_err(of("plans"))?;
    let items = found.into_iter().map(PlanRecord::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::new(items, limit, |plan| &plan.host))
}

/// Which generation each host got in a change.
pub async fn generations(db: &Db, change: &ChangeId) -> Result<BTreeMap<HostId, Generation>, StoreError> {
    let found: Vec<(String, i64)> =
        on!(db, c => sqlx::query_as(sql::PLAN_GENERATIONS).bind(change.as_str()).fetch_all(c).await)
            .map_err(of("plans"))?;
    let at = At { table: "plans", id: change.as_str() };
    let pair = |(host, generation)| {
        Ok((at.text("host_id", host)?, Generation(at.number("generation", generation)?)))
    };
    found.into_iter().map(pair).collect()
}

/// The order for a host in a change; the same one every time it is asked for.
pub async fn order(db: &Db, change: &ChangeId, host: &HostId) -> Result<Option<Order>, StoreError> {
    let Some(leaf) = releases::leaf(db, change, host).await? else { return Ok(None) };
    let id = format!("{change}/{host}");
    At { table: "release_leaves", id: &id }.json("order_json", &leaf.order).map(Some)
}

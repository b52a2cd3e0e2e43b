//! Releases: what approvers sign of each accepted change, and what each host is sent with its order.
//!
//! Owns: tables `releases` and `release_leaves`. Keeps the exact texts: what was signed is what is sent. Must not judge a
//! signature. Written by `changes::accept_change`; read by the rollout driver, the API and the commands.

use super::error::of;
use super::hosts::{Allocated, Page};
use super::row::{At, CHUNK_ROWS, json, ms, rows, whole};
use super::{Db, StoreError, Tx, sql};
use engine::proof::parse_manifest;
use engine::release::{Part, SealError, seal};
use model::{
    ChangeId, Generation, HostGroupId, HostId, MANIFEST_BYTES_MAX, Millis, Order, RELEASE_FORMAT,
    ReleaseManifest, RolloutSpec, SHA256_BYTES, Sha256Hash, Step, Wall, Wave,
};
use sqlx::AssertSqlSafe;
use std::collections::BTreeMap;

/// Life of a release, in seconds: 14 days. A host that was away for longer needs a new change.
pub const RELEASE_SECS: u64 = 14 * 24 * 60 * 60;
/// Number of the one manifest a change has; hosts that come late get a change of their own.
const MANIFEST_NUMBER: u32 = 1;

/// A release as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseRecord {
    /// The change.
    pub change: ChangeId,
    /// The exact text of the [`ReleaseManifest`].
    pub manifest: String,
    /// Hosts take nothing of it after this.
    pub not_after: Wall,
    /// When it was made.
    pub created: Wall,
}

/// What one host is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafRecord {
    /// The host.
    pub host: HostId,
    /// Its group now.
    pub group: Option<HostGroupId>,
    /// The exact text of the [`Order`].
    pub order: String,
    /// What the host had committed when the change was accepted.
    pub parent: Generation,
    /// Its wave, from 0.
    pub wave: u32,
    /// Position of the leaf, from 0.
    pub leaf_index: u32,
    /// Hashes of the siblings, bottom-up.
    pub path: Vec<Sha256Hash>,
}

/// One host's part, for people who decide: with the steps behind the digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartRecord {
    /// The host.
    pub host: HostId,
    /// Its group now.
    pub group: Option<HostGroupId>,
    /// The exact text of the [`Order`].
    pub order: String,
    /// What the host had committed when the change was accepted.
    pub parent: Generation,
    /// Its wave, from 0.
    pub wave: u32,
    /// The steps of its plan.
    pub steps: Vec<Step>,
}

#[derive(sqlx::FromRow)]
struct LeafRow {
    host_id: String,
    group_id: Option<String>,
    order_json: String,
    parent: i64,
    wave: i64,
    leaf_index: i64,
    path: String,
}

#[derive(sqlx::FromRow)]
struct PartRow {
    host_id: String,
    group_id: Option<String>,
    order_json: String,
    parent: i64,
    wave: i64,
    steps: String,
}

/// What a release is made of, beside plans and generations.
pub(super) struct Terms<'a> {
    pub(super) change: &'a super::changes::NewChange,
    pub(super) rfc: Option<model::RfcId>,
    pub(super) rollout: &'a super::rollouts::NewRollout,
}

/// Makes the orders, seals them, and keeps both.
pub(super) async fn add(
    tx: &mut Tx,
    terms: &Terms<'_>,
    plans: &[super::plans::NewPlan],
    allocated: &BTreeMap<HostId, Allocated>,
) -> Result<(), StoreError> {
    let Terms { change, rfc, rollout } = terms;
    let waves = wave_of(&rollout.waves);
    let mut parts = Vec::with_capacity(plans.len());
    for plan in plans {
        let given = allocated.get(&plan.host).ok_or_else(|| super::hosts::not_found(&plan.host))?;
        let wave = waves.get(&plan.host).copied().ok_or_else(|| StoreError::Conflict {
            what: "rollout",
            id: rollout.id.to_string(),
            detail: format!("host {} is in no wave: plan the waves over all hosts", plan.host),
        })?;
        let order = order_of(change, &rollout.spec, plan, given.generation);
        parts.push(Part { order: json("order", &order)?.into_bytes(), parent: given.parent, wave });
    }
    let sealed = seal(&parts).map_err(|error| unfit(&error))?;
    let manifest = ReleaseManifest {
        format: RELEASE_FORMAT,
        repository: change.repository.clone(),
        change: change.id.clone(),
        rfc: *rfc,
        commit: change.commit.clone(),
        number: MANIFEST_NUMBER,
        root: sealed.root,
        hosts: u32::try_from(parts.len()).unwrap_or(u32::MAX),
        wave_delays_secs: wave_delays(&rollout.spec, rollout.waves.len()),
        not_before: change.created,
        not_after: change.created.plus(Millis::from_secs(RELEASE_SECS)),
    };
    let text = json("release manifest", &manifest)?;
    check_manifest(&text)?;
    tx!(tx, c => sqlx::query(sql::RELEASE_ADD)
        .bind(change.id.as_str())
        .bind(text.as_str())
        .bind(ms(manifest.not_after))
        .bind(ms(change.created))
        .execute(c)
        .await
        .map(|_| ()))
    .map_err(of("releases"))?;
    add_leaves(tx, &change.id, &parts, &sealed.leaves).await
}

/// What hosts would refuse is not kept.
fn check_manifest(text: &str) -> Result<(), StoreError> {
    let unfit = |detail: String| StoreError::Unfit { what: "release manifest", detail };
    if text.len() > MANIFEST_BYTES_MAX {
        let detail = format!("{} bytes, {MANIFEST_BYTES_MAX} are allowed: plan fewer waves", text.len());
        return Err(unfit(detail));
    }
    parse_manifest(text.as_bytes()).map(|_| ()).map_err(|unproven| unfit(unproven.detail))
}

async fn add_leaves(
    tx: &mut Tx,
    change: &ChangeId,
    parts: &[Part],
    leaves: &[engine::release::Sealed],
) -> Result<(), StoreError> {
    let mut form = Vec::with_capacity(leaves.len());
    for leaf in leaves {
        let part = parts.get(leaf.part).ok_or_else(|| unfit(&SealError::Empty))?;
        let order = std::str::from_utf8(&part.order)
            .map_err(|error| StoreError::Unfit { what: "order", detail: error.to_string() })?;
        form.push((leaf, part, order, leaf.path.iter().map(ToString::to_string).collect::<String>()));
    }
    for chunk in form.chunks(CHUNK_ROWS) {
        let text = sql::RELEASE_LEAVES_ADD.text(chunk.len());
        tx!(tx, c => {
            let mut query = sqlx::query(AssertSqlSafe(text)).persistent(false);
            for (leaf, part, order, path) in chunk {
                query = query.bind(change.as_str()).bind(leaf.host.as_str()).bind(*order)
                    .bind(whole(part.parent.0)).bind(i64::from(part.wave)).bind(i64::from(leaf.index))
                    .bind(path.as_str());
            }
            query.execute(c).await.map(|_| ())
        })
        .map_err(of("release_leaves"))?;
    }
    Ok(())
}

fn unfit(error: &SealError) -> StoreError {
    StoreError::Unfit { what: "release", detail: error.to_string() }
}

/// The order for one host.
fn order_of(
    change: &super::changes::NewChange,
    spec: &RolloutSpec,
    plan: &super::plans::NewPlan,
    generation: Generation,
) -> Order {
    Order {
        host: plan.host.clone(),
        change: change.id.clone(),
        generation,
        commit: change.commit.clone(),
        desired: plan.desired.clone(),
        plan_digest: plan.plan.digest.clone(),
        disruption_allowed: change.disruption_allowed,
        confirm_timeout: spec.confirm_timeout,
        probes: change.probes.clone(),
    }
}

fn wave_of(waves: &[Wave]) -> BTreeMap<&HostId, u32> {
    (0..).zip(waves).flat_map(|(number, wave)| wave.hosts.iter().map(move |host| (host, number))).collect()
}

/// No wave can begin before so many soaks have passed.
fn wave_delays(spec: &RolloutSpec, waves: usize) -> Vec<u64> {
    let soak_secs = spec.soak.0 / 1000;
    (0..waves as u64).map(|wave| wave.saturating_mul(soak_secs)).collect()
}

/// The release of a change; `None` when it touches no host.
pub async fn get(db: &Db, change: &ChangeId) -> Result<Option<ReleaseRecord>, StoreError> {
    let row: Option<(String, String, i64, i64)> =
        on!(db, c => sqlx::query_as(sql::RELEASE_GET).bind(change.as_str()).fetch_optional(c).await)
            .map_err(of("releases"))?;
    let Some((id, manifest, not_after, created)) = row else { return Ok(None) };
    let at = At { table: "releases", id: &id };
    Ok(Some(ReleaseRecord {
        change: at.text("change_id", id.clone())?,
        manifest,
        not_after: at.wall("not_after", not_after)?,
        created: at.wall("created_at", created)?,
    }))
}

/// What one host is sent.
pub async fn leaf(db: &Db, change: &ChangeId, host: &HostId) -> Result<Option<LeafRecord>, StoreError> {
    let row: Option<LeafRow> = on!(db, c => sqlx::query_as(sql::RELEASE_LEAF)
        .bind(change.as_str())
        .bind(host.as_str())
        .fetch_optional(c)
        .await)
    .map_err(of("release_leaves"))?;
    let Some(row) = row else { return Ok(None) };
    let LeafRow { host_id, group_id, order_json, parent, wave, leaf_index, path } = row;
    let id = format!("{change}/{host_id}");
    let at = At { table: "release_leaves", id: &id };
    Ok(Some(LeafRecord {
        host: at.text("host_id", host_id)?,
        group: at.text_opt("group_id", group_id)?,
        order: order_json,
        parent: Generation(at.number("parent", parent)?),
        wave: at.number("wave", wave)?,
        leaf_index: at.number("leaf_index", leaf_index)?,
        path: read_path(at, &path)?,
    }))
}

fn read_path(at: At<'_>, text: &str) -> Result<Vec<Sha256Hash>, StoreError> {
    let digits = text.as_bytes().chunks(2 * SHA256_BYTES);
    let hash = |digits: &[u8]| {
        let text = std::str::from_utf8(digits).map_err(|error| at.wrong("path", error))?;
        text.parse::<Sha256Hash>().map_err(|error| at.wrong("path", error))
    };
    digits.map(hash).collect()
}

/// The parts of a release, a page in order of host.
pub async fn parts(
    db: &Db,
    change: &ChangeId,
    after: Option<&HostId>,
    limit: u32,
) -> Result<Page<PartRecord>, StoreError> {
    let found: Vec<PartRow> = on!(db, c => sqlx::query_as(sql::RELEASE_PARTS_PAGE)
        .bind(change.as_str())
        .bind(after.map_or("", HostId::as_str))
        .bind(rows(limit))
        .fetch_all(c)
        .await)
    .map_err(of("release_leaves"))?;
    let mut items = Vec::with_capacity(found.len());
    for PartRow { host_id, group_id, order_json, parent, wave, steps } in found {
        let id = format!("{change}/{host_id}");
        let at = At { table: "release_leaves", id: &id };
        items.push(PartRecord {
            host: at.text("host_id", host_id)?,
            group: at.text_opt("group_id", group_id)?,
            order: order_json,
            parent: Generation(at.number("parent", parent)?),
            wave: at.number("wave", wave)?,
            steps: At { table: "plans", id: &id }.json("steps", &steps)?,
        });
    }
    Ok(Page::new(items, limit, |part| &part.host))
}

/// How many hosts of each group a release has; `None` for hosts without a group.
pub async fn groups(db: &Db, change: &ChangeId) -> Result<Vec<(Option<HostGroupId>, u64)>, StoreError> {
    let found: Vec<(Option<String>, i64)> =
        on!(db, c => sqlx::query_as(sql::RELEASE_GROUPS).bind(change.as_str()).fetch_all(c).await)
            .map_err(of("release_leaves"))?;
    let at = At { table: "release_leaves", id: change.as_str() };
    let group = |(group, hosts)| Ok((at.text_opt("group_id", group)?, at.number("hosts", hosts)?));
    found.into_iter().map(group).collect()
}

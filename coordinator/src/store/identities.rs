//! Identities of hosts: the key a host is bound to, its machine, how often it recovered, and who waits to be let in.
//!
//! Owns: the identity columns of table `hosts`, and table `enrolment_requests`. Must not judge who may do what. Called by
//! `tasks::identities` and the API.

use super::error::of;
use super::hosts::{HostStatus, add_group_stub, known};
use super::row::{At, ms, plain, rows, whole, word};
use super::{Db, StoreError, Tx, sql};
use model::{HostGroupId, HostId, KeyFingerprint, Wall};
use serde::{Deserialize, Serialize};

/// The identity of a host as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityRecord {
    /// The host.
    pub host: HostId,
    /// What it is to us.
    pub status: HostStatus,
    /// Why it is quarantined or revoked.
    pub reason: Option<String>,
    /// The key it is bound to.
    pub key: Option<KeyFingerprint>,
    /// The machine it is bound to.
    pub system_uuid: Option<String>,
    /// How often it recovered; `None`: the next number is taken as it comes.
    pub join_count: Option<u64>,
    /// What it made for its last recovery.
    pub join_id: Option<String>,
    /// End of the newest certificate it was given.
    pub certificate_expires: Option<Wall>,
    /// When it last enrolled.
    pub enrolled: Option<Wall>,
}

/// What a host is let in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding<'a> {
    /// The host.
    pub host: &'a HostId,
    /// Its key.
    pub key: &'a KeyFingerprint,
    /// Its machine.
    pub system_uuid: Option<&'a str>,
    /// Group of a host that no document names yet.
    pub group: Option<&'a HostGroupId>,
}

/// Where a request to be let in comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestSource {
    /// The host presented a token, and asks again with it.
    Token,
    /// The host has a certificate of ours but no row here.
    Certificate,
}

/// How a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestStatus {
    /// Nobody decided yet.
    Pending,
    /// An operator let it in; the host fetches its certificate.
    Approved,
    /// An operator refused it.
    Denied,
}

/// A host that wants in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentRequest {
    /// The host.
    pub host: HostId,
    /// Its key.
    pub key: KeyFingerprint,
    /// Where it comes from.
    pub source: RequestSource,
    /// HMAC of the token it was made with.
    pub token_hash: Option<String>,
    /// Its machine.
    pub system_uuid: Option<String>,
    /// The group the token gives.
    pub group: Option<HostGroupId>,
    /// Address it came from.
    pub remote: String,
    /// How it stands.
    pub status: RequestStatus,
    /// When it was made.
    pub created: Wall,
    /// From then on it is void.
    pub expires: Wall,
}

#[derive(sqlx::FromRow)]
struct IdentityRow {
    id: String,
    status: String,
    status_reason: Option<String>,
    key_sha256: Option<String>,
    system_uuid: Option<String>,
    join_count: Option<i64>,
    join_id: Option<String>,
    certificate_expires_at: Option<i64>,
    enrolled_at: Option<i64>,
}

fn key_of(at: At<'_>, text: &str) -> Result<KeyFingerprint, StoreError> {
    KeyFingerprint::parse(text)
        .ok_or_else(|| at.wrong("key_sha256", format_args!("`{text}` is no fingerprint")))
}

impl TryFrom<IdentityRow> for IdentityRecord {
    type Error = StoreError;
    fn try_from(row: IdentityRow) -> Result<Self, StoreError> {
        let id = row.id.clone();
        let at = At { table: "hosts", id: &id };
        Ok(Self {
            host: at.text("id", row.id)?,
            status: at.word("status", &row.status)?,
            reason: row.status_reason,
            key: row.key_sha256.map(|text| key_of(at, &text)).transpose()?,
            system_uuid: row.system_uuid,
            join_count: row.join_count.map(|count| at.number("join_count", count)).transpose()?,
            join_id: row.join_id,
            certificate_expires: at.wall_opt("certificate_expires_at", row.certificate_expires_at)?,
            enrolled: at.wall_opt("enrolled_at", row.enrolled_at)?,
        })
    }
}

#[derive(sqlx::FromRow)]
struct RequestRow {
    host_id: String,
    key_sha256: String,
    source: String,
    token_hash: Option<String>,
    system_uuid: Option<String>,
    group_id: Option<String>,
    remote: String,
    status: String,
    created_at: i64,
    expires_at: i64,
}

impl TryFrom<RequestRow> for EnrolmentRequest {
    type Error = StoreError;
    fn try_from(row: RequestRow) -> Result<Self, StoreError> {
        let id = row.host_id.clone();
        let at = At { table: "enrolment_requests", id: &id };
        Ok(Self {
            host: at.text("host_id", row.host_id)?,
            key: key_of(at, &row.key_sha256)?,
            source: at.word("source", &row.source)?,
            token_hash: row.token_hash,
            system_uuid: row.system_uuid,
            group: at.text_opt("group_id", row.group_id)?,
            remote: row.remote,
            status: at.word("status", &row.status)?,
            created: at.wall("created_at", row.created_at)?,
            expires: at.wall("expires_at", row.expires_at)?,
        })
    }
}

/// The identity of a host.
pub async fn get(db: &Db, host: &HostId) -> Result<Option<IdentityRecord>, StoreError> {
    let row: Option<IdentityRow> =
        on!(db, c => sqlx::query_as(sql::IDENTITY_GET).bind(host.as_str()).fetch_optional(c).await)
            .map_err(of("hosts"))?;
    row.map(IdentityRecord::try_from).transpose()
}

/// Lets a host in: it gets a row if no document named it yet, and is bound to its key from now on.
pub async fn bind(tx: &mut Tx, binding: &Binding<'_>, now: Wall) -> Result<(), StoreError> {
    let Binding { host, key, system_uuid, group } = binding;
    if let Some(group) = group {
        add_group_stub(tx, group, now).await?;
    }
    tx!(tx, c => sqlx::query(sql::IDENTITY_BIND)
        .bind(host.as_str())
        .bind(group.map(HostGroupId::as_str))
        .bind(ms(now))
        .bind(key.as_str())
        .bind(*system_uuid)
        .execute(c)
        .await
        .map(|_| ()))
    .map_err(of("hosts"))
}

/// Sets what a host is to us, and why.
pub async fn set_status(
    tx: &mut Tx,
    host: &HostId,
    status: HostStatus,
    reason: Option<&str>,
    now: Wall,
) -> Result<(), StoreError> {
    let reason = reason.map(plain);
    let done = tx!(tx, c => sqlx::query(sql::IDENTITY_SET_STATUS)
        .bind(host.as_str())
        .bind(status.as_str())
        .bind(reason.as_deref())
        .bind(ms(now))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("hosts"))?;
    known(done, host)?;
    if status == HostStatus::Enrolled {
        return Ok(());
    }
    // What was made for it while it was in good standing must not be its way back.
    tx!(tx, c => sqlx::query(sql::TOKENS_VOID)
        .bind(host.as_str())
        .bind(ms(now))
        .bind(status.as_str())
        .execute(c)
        .await
        .map(|_| ()))
    .map_err(of("enrolment_tokens"))
}

/// The host may be on another machine from now on, and the next count of its recoveries is taken as it comes.
pub async fn forget_machine(tx: &mut Tx, host: &HostId) -> Result<(), StoreError> {
    let done = tx!(tx, c => sqlx::query(sql::IDENTITY_FORGET_MACHINE)
        .bind(host.as_str())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("hosts"))?;
    known(done, host)
}

/// Binds a host to its machine. `false` when it is bound already, or another host is bound to that machine.
pub async fn note_machine(tx: &mut Tx, host: &HostId, system_uuid: &str) -> Result<bool, StoreError> {
    let done = tx!(tx, c => sqlx::query(sql::IDENTITY_NOTE_MACHINE)
        .bind(host.as_str())
        .bind(system_uuid)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("hosts"))?;
    Ok(done == 1)
}

/// Another host that is bound to this machine.
pub async fn other_on_machine(
    db: &Db,
    host: &HostId,
    system_uuid: &str,
) -> Result<Option<HostId>, StoreError> {
    let found: Option<String> = on!(db, c => sqlx::query_scalar(sql::IDENTITY_ON_MACHINE)
        .bind(system_uuid)
        .bind(host.as_str())
        .fetch_optional(c)
        .await)
    .map_err(of("hosts"))?;
    found.map(|id| At { table: "hosts", id: &id }.text("id", id.clone())).transpose()
}

/// Counts a recovery. `false` when the host's own count is not ours.
pub async fn take_join(tx: &mut Tx, host: &HostId, count: u64, join_id: &str) -> Result<bool, StoreError> {
    let done = tx!(tx, c => sqlx::query(sql::IDENTITY_JOIN)
        .bind(host.as_str())
        .bind(whole(count))
        .bind(plain(join_id))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("hosts"))?;
    Ok(done == 1)
}

/// Notes the end of the newest certificate of a host.
pub async fn note_certificate(tx: &mut Tx, host: &HostId, expires: Wall) -> Result<(), StoreError> {
    let done = tx!(tx, c => sqlx::query(sql::IDENTITY_NOTE_CERTIFICATE)
        .bind(host.as_str())
        .bind(ms(expires))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("hosts"))?;
    known(done, host)
}

/// Hosts whose status or key changed since then: status and key of each.
pub async fn changed_since(
    db: &Db,
    since: Wall,
) -> Result<Vec<(HostId, HostStatus, Option<KeyFingerprint>)>, StoreError> {
    let found: Vec<(String, String, Option<String>)> =
        on!(db, c => sqlx::query_as(sql::IDENTITIES_CHANGED).bind(ms(since)).fetch_all(c).await)
            .map_err(of("hosts"))?;
    let convert = |(id, status, key): (String, String, Option<String>)| {
        let at = At { table: "hosts", id: &id };
        let key = key.map(|text| key_of(at, &text)).transpose()?;
        Ok((at.text("id", id.clone())?, at.word("status", &status)?, key))
    };
    found.into_iter().map(convert).collect()
}

/// Notes that a host wants in; replaces its request before.
pub async fn ask(tx: &mut Tx, request: &EnrolmentRequest) -> Result<(), StoreError> {
    let EnrolmentRequest {
        host,
        key,
        source,
        token_hash,
        system_uuid,
        group,
        remote,
        status: _,
        created,
        expires,
    } = request;
    let source = word("source", source)?;
    tx!(tx, c => sqlx::query(sql::REQUEST_PUT)
        .bind(host.as_str())
        .bind(key.as_str())
        .bind(source.as_str())
        .bind(token_hash.as_deref())
        .bind(system_uuid.as_deref())
        .bind(group.as_ref().map(HostGroupId::as_str))
        .bind(remote.as_str())
        .bind(ms(*created))
        .bind(ms(*expires))
        .execute(c)
        .await
        .map(|_| ()))
    .map_err(of("enrolment_requests"))
}

/// The request of a host, however it stands.
pub async fn request(db: &Db, host: &HostId) -> Result<Option<EnrolmentRequest>, StoreError> {
    let row: Option<RequestRow> =
        on!(db, c => sqlx::query_as(sql::REQUEST_GET).bind(host.as_str()).fetch_optional(c).await)
            .map_err(of("enrolment_requests"))?;
    row.map(EnrolmentRequest::try_from).transpose()
}

/// Requests that wait for an operator, in order of name.
pub async fn open_requests(db: &Db, now: Wall, limit: u32) -> Result<Vec<EnrolmentRequest>, StoreError> {
    let found: Vec<RequestRow> = on!(db, c => sqlx::query_as(sql::REQUESTS_OPEN)
        .bind(ms(now))
        .bind(rows(limit))
        .fetch_all(c)
        .await)
    .map_err(of("enrolment_requests"))?;
    found.into_iter().map(EnrolmentRequest::try_from).collect()
}

/// Decides a request that waits. `false` when it is not there for this key, or was decided.
pub async fn decide(
    tx: &mut Tx,
    host: &HostId,
    key: &KeyFingerprint,
    status: RequestStatus,
) -> Result<bool, StoreError> {
    let status = word("status", &status)?;
    let done = tx!(tx, c => sqlx::query(sql::REQUEST_DECIDE)
        .bind(host.as_str())
        .bind(key.as_str())
        .bind(status.as_str())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("enrolment_requests"))?;
    Ok(done == 1)
}

/// Forgets the request of a host.
pub async fn drop_request(tx: &mut Tx, host: &HostId) -> Result<(), StoreError> {
    tx!(tx, c => sqlx::query(sql::REQUEST_DROP).bind(host.as_str()).execute(c).await.map(|_| ()))
        .map_err(of("enrolment_requests"))
}

/// Forgets requests that are void.
pub async fn drop_old_requests(tx: &mut Tx, now: Wall) -> Result<u64, StoreError> {
    tx!(tx, c => sqlx::query(sql::REQUESTS_DROP_OLD)
        .bind(ms(now))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("enrolment_requests"))
}

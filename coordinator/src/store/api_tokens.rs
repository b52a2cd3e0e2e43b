//! API tokens: for programs, one role each, with an end. Only their hashes are stored.
//!
//! Owns: table `api_tokens`. Must not: make or see a token. Called by `people` and the API.

use super::error::of;
use super::row::{At, ms, plain, rows};
use super::users::{Role, UserName};
use super::{Db, StoreError, Tx, sql};
use model::{HostGroupId, Wall};

/// An API token as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiTokenRecord {
    /// Its name for good.
    pub id: String,
    /// What it is for, in its maker's words.
    pub name: String,
    /// Whose it is; `None`: made with the operator's token.
    pub user: Option<UserName>,
    /// The one role it has.
    pub role: Role,
    /// Only hosts of this group.
    pub group: Option<HostGroupId>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created: Wall,
    /// From then on it is worthless.
    pub expires: Wall,
    /// When it was used last, to the minute.
    pub last_used: Option<Wall>,
    /// When it was revoked, and by whom.
    pub revoked: Option<(Wall, String)>,
}

#[derive(sqlx::FromRow)]
struct ApiTokenRow {
    id: String,
    name: String,
    user_name: Option<String>,
    role: String,
    group_id: Option<String>,
    created_by: String,
    created_at: i64,
    expires_at: i64,
    last_used_at: Option<i64>,
    revoked_at: Option<i64>,
    revoked_by: Option<String>,
}

impl TryFrom<ApiTokenRow> for ApiTokenRecord {
    type Error = StoreError;
    fn try_from(row: ApiTokenRow) -> Result<Self, StoreError> {
        let id = row.id.clone();
        let at = At { table: "api_tokens", id: &id };
        Ok(Self {
            id: row.id,
            name: row.name,
            user: at.text_opt("user_name", row.user_name)?,
            role: at.word("role", &row.role)?,
            group: at.text_opt("group_id", row.group_id)?,
            created_by: row.created_by,
            created: at.wall("created_at", row.created_at)?,
            expires: at.wall("expires_at", row.expires_at)?,
            last_used: at.wall_opt("last_used_at", row.last_used_at)?,
            revoked: at.wall_opt("revoked_at", row.revoked_at)?.zip(row.revoked_by),
        })
    }
}

/// Stores a token that was just made, under its hash.
pub async fn create(tx: &mut Tx, hash: &str, token: &ApiTokenRecord) -> Result<(), StoreError> {
    let ApiTokenRecord {
        id,
        name,
        user,
        role,
        group,
        created_by,
        created,
        expires,
        last_used: _,
        revoked: _,
    } = token;
    let (name, created_by) = (plain(name), plain(created_by));
    tx!(tx, c => sqlx::query(sql::API_TOKEN_CREATE)
        .bind(id.as_str())
        .bind(hash)
        .bind(name.as_str())
        .bind(user.as_ref().map(UserName::as_str))
        .bind(role.as_str())
        .bind(group.as_ref().map(HostGroupId::as_str))
        .bind(created_by.as_str())
        .bind(ms(*created))
        .bind(ms(*expires))
        .execute(c)
        .await
        .map(|_| ()))
    .map_err(of("api_tokens"))
}

/// The token with this hash.
pub async fn by_hash(db: &Db, hash: &str) -> Result<Option<ApiTokenRecord>, StoreError> {
    let row: Option<ApiTokenRow> =
        on!(db, c => sqlx::query_as(sql::API_TOKEN_BY_HASH).bind(hash).fetch_optional(c).await)
            .map_err(of("api_tokens"))?;
    row.map(ApiTokenRecord::try_from).transpose()
}

/// The token with this id.
pub async fn get(db: &Db, id: &str) -> Result<Option<ApiTokenRecord>, StoreError> {
    let row: Option<ApiTokenRow> =
        on!(db, c => sqlx::query_as(sql::API_TOKEN_GET).bind(id).fetch_optional(c).await)
            .map_err(of("api_tokens"))?;
    row.map(ApiTokenRecord::try_from).transpose()
}

/// Tokens, newest first; of one user when one is named.
pub async fn list(db: &Db, user: Option<&UserName>, limit: u32) -> Result<Vec<ApiTokenRecord>, StoreError> {
    let found: Vec<ApiTokenRow> = on!(db, c => sqlx::query_as(sql::API_TOKENS_LIST)
        .bind(user.map(UserName::as_str))
        .bind(rows(limit))
        .fetch_all(c)
        .await)
    .map_err(of("api_tokens"))?;
    found.into_iter().map(ApiTokenRecord::try_from).collect()
}

/// How many tokens of one maker are good now.
pub async fn count_live(db: &Db, created_by: &str, now: Wall) -> Result<u64, StoreError> {
    let created_by = plain(created_by);
    let count: i64 = on!(db, c => sqlx::query_scalar(sql::API_TOKENS_LIVE_OF)
        .bind(created_by.as_str())
        .bind(ms(now))
        .fetch_one(c)
        .await)
    .map_err(of("api_tokens"))?;
    At { table: "api_tokens", id: &created_by }.number("count", count)
}

/// Notes that it was used.
pub async fn touch(tx: &mut Tx, id: &str, now: Wall) -> Result<(), StoreError> {
    tx!(tx, c => sqlx::query(sql::API_TOKEN_TOUCH).bind(id).bind(ms(now)).execute(c).await.map(|_| ()))
        .map_err(of("api_tokens"))
}

/// Makes it worthless; `false` when it was revoked before.
pub async fn revoke(tx: &mut Tx, id: &str, by: &str, now: Wall) -> Result<bool, StoreError> {
    let by = plain(by);
    tx!(tx, c => sqlx::query(sql::API_TOKEN_REVOKE)
        .bind(id)
        .bind(ms(now))
        .bind(by.as_str())
        .execute(c)
        .await
        .map(|done| done.rows_affected() > 0))
    .map_err(of("api_tokens"))
}

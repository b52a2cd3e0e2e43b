//! Enrolment tokens: each opens the door once. Only their HMACs are stored.
//!
//! Owns: table `enrolment_tokens`. Must not make or see a token. Called by `trust` and the commands.

use super::error::of;
use super::row::{At, ms, plain};
use super::{Db, StoreError, Tx, sql};
use model::{HostGroupId, HostId, Wall};
use serde::Serialize;

/// A token to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// HMAC of the token, lower-case hexadecimal.
    pub hash: String,
    /// The host it is good for; `None` means any.
    pub host: Option<HostId>,
    /// The machine it is good for; `None` means any.
    pub system_uuid: Option<String>,
    /// The group of a host that no document names yet.
    pub group: Option<HostGroupId>,
    /// From then on it is worthless.
    pub expires: Wall,
    /// Who made it.
    pub created_by: String,
    /// Now.
    pub created: Wall,
    /// Whether an operator must approve the host's key.
    pub needs_approval: bool,
}

/// A token as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenRecord {
    /// Hash of the token.
    pub hash: String,
    /// The host it is good for.
    pub host: Option<HostId>,
    /// The machine it is good for.
    pub system_uuid: Option<String>,
    /// The group it gives.
    pub group: Option<HostGroupId>,
    /// From then on it is worthless.
    pub expires: Wall,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created: Wall,
    /// When it was used, and by which host.
    pub used: Option<(Wall, String)>,
    /// Whether an operator must approve the host's key.
    pub needs_approval: bool,
}

/// What became of an attempt to use a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TakeToken {
    /// It was good, and is used up now.
    Taken(Box<TokenRecord>),
    /// It was not good; tell the reason to the operator, not to the host.
    Refused(TokenRefusal),
}

/// Why a token was not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenRefusal {
    /// No such token.
    Unknown,
    /// Used before.
    Used,
    /// Too late.
    Expired,
    /// Made for another host.
    OtherHost,
    /// Made for another machine.
    OtherMachine,
}

#[derive(sqlx::FromRow)]
struct TokenRow {
    hash: String,
    host_id: Option<String>,
    group_id: Option<String>,
    expires_at: i64,
    created_by: String,
    created_at: i64,
    used_at: Option<i64>,
    used_by: Option<String>,
    system_uuid: Option<String>,
    needs_approval: bool,
}

impl TryFrom<TokenRow> for TokenRecord {
    type Error = StoreError;
    fn try_from(row: TokenRow) -> Result<Self, StoreError> {
        let id = row.hash.clone();
        let at = At { table: "enrolment_tokens", id: &id };
        Ok(Self {
            hash: row.hash,
            host: at.text_opt("host_id", row.host_id)?,
            group: at.text_opt("group_id", row.group_id)?,
            expires: at.wall("expires_at", row.expires_at)?,
            created_by: row.created_by,
            created: at.wall("created_at", row.created_at)?,
            used: at.wall_opt("used_at", row.used_at)?.zip(row.used_by),
            system_uuid: row.system_uuid,
            needs_approval: row.needs_approval,
        })
    }
}

/// Stores a token that was just made.
pub async fn create(tx: &mut Tx, token: &NewToken) -> Result<(), StoreError> {
    let created_by = plain(&token.created_by);
    let added = tx!(tx, c => sqlx::query(sql::TOKEN_CREATE)
        .bind(token.hash.as_str())
        .bind(token.host.as_ref().map(HostId::as_str))
        .bind(token.group.as_ref().map(HostGroupId::as_str))
        .bind(ms(token.expires))
        .bind(created_by.as_str())
        .bind(ms(token.created))
        .bind(token.system_uuid.as_deref())
        .bind(token.needs_approval)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("enrolment_tokens"))?;
    if added == 0 {
        let detail = "exists already: make another one".to_owned();
        return Err(StoreError::Conflict { what: "token", id: token.hash.clone(), detail });
    }
    Ok(())
}

/// Uses up a token, whether it is good for this host and machine or not. However many try at once, one succeeds.
pub async fn take(
    tx: &mut Tx,
    hash: &str,
    host: &HostId,
    system_uuid: Option<&str>,
    now: Wall,
) -> Result<TakeToken, StoreError> {
    let taken: Option<TokenRow> = tx!(tx, c => sqlx::query_as(sql::TOKEN_TAKE)
        .bind(hash)
        .bind(host.as_str())
        .bind(ms(now))
        .fetch_optional(c)
        .await)
    .map_err(of("enrolment_tokens"))?;
    let Some(row) = taken else {
        let known: Option<i32> =
            tx!(tx, c => sqlx::query_scalar(sql::TOKEN_KNOWN).bind(hash).fetch_optional(c).await)
                .map_err(of("enrolment_tokens"))?;
        return Ok(TakeToken::Refused(known.map_or(TokenRefusal::Unknown, |_| TokenRefusal::Used)));
    };
    let token = TokenRecord::try_from(row)?;
    let refusal = if token.expires <= now {
        TokenRefusal::Expired
    } else if token.host.as_ref().is_some_and(|bound| bound != host) {
        TokenRefusal::OtherHost
    } else if token.system_uuid.as_deref().is_some_and(|bound| Some(bound) != system_uuid) {
        TokenRefusal::OtherMachine
    } else {
        return Ok(TakeToken::Taken(Box::new(token)));
    };
    Ok(TakeToken::Refused(refusal))
}

/// All tokens, oldest first.
pub async fn list(db: &Db) -> Result<Vec<TokenRecord>, StoreError> {
    let found: Vec<TokenRow> =
        on!(db, c => sqlx::query_as(sql::TOKENS_LIST).fetch_all(c).await).map_err(of("enrolment_tokens"))?;
    found.into_iter().map(TokenRecord::try_from).collect()
}

//! Sessions of people who signed in. Only the hash of a session's secret is stored.
//!
//! Owns: table `sessions`. Must not: decide how long a session lives. Called by `people`.

use super::error::of;
use super::row::{At, ms, plain};
use super::users::UserName;
use super::{Db, StoreError, Tx, sql};
use model::Wall;
use serde::{Deserialize, Serialize};

/// What a session is used by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    /// The command line; its secret travels in a header.
    Cli,
    /// A browser; its secret travels in a cookie.
    Browser,
}

impl SessionKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Cli => "cli",
            Self::Browser => "browser",
        }
    }
}

/// A session as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// Hash of its secret.
    pub hash: String,
    /// Whose it is.
    pub user: UserName,
    /// What it is used by.
    pub kind: SessionKind,
    /// Where they signed in from.
    pub source: String,
    /// When they signed in.
    pub created: Wall,
    /// When it was used last, to the minute.
    pub last_seen: Wall,
    /// From then on it is worthless.
    pub expires: Wall,
}

#[derive(sqlx::FromRow)]
struct SessionRow {
    hash: String,
    user_name: String,
    kind: String,
    source: String,
    created_at: i64,
    last_seen_at: i64,
    expires_at: i64,
}

impl TryFrom<SessionRow> for SessionRecord {
    type Error = StoreError;
    fn try_from(row: SessionRow) -> Result<Self, StoreError> {
        let SessionRow { hash, user_name, kind, source, created_at, last_seen_at, expires_at } = row;
        let id = hash.clone();
        let at = At { table: "sessions", id: &id };
        Ok(Self {
            hash,
            user: at.text("user_name", user_name)?,
            kind: at.word("kind", &kind)?,
            source,
            created: at.wall("created_at", created_at)?,
            last_seen: at.wall("last_seen_at", last_seen_at)?,
            expires: at.wall("expires_at", expires_at)?,
        })
    }
}

/// Begins a session; `last_seen` is when it begins.
pub async fn create(tx: &mut Tx, session: &SessionRecord) -> Result<(), StoreError> {
    let SessionRecord { hash, user, kind, source, created, last_seen: _, expires } = session;
    let source = plain(source);
    tx!(tx, c => sqlx::query(sql::SESSION_CREATE)
        .bind(hash.as_str())
        .bind(user.as_str())
        .bind(kind.as_str())
        .bind(source.as_str())
        .bind(ms(*created))
        .bind(ms(*expires))
        .execute(c)
        .await
        .map(|_| ()))
    .map_err(of("sessions"))
}

/// The session with this hash.
pub async fn get(db: &Db, hash: &str) -> Result<Option<SessionRecord>, StoreError> {
    let row: Option<SessionRow> =
        on!(db, c => sqlx::query_as(sql::SESSION_GET).bind(hash).fetch_optional(c).await)
            .map_err(of("sessions"))?;
    row.map(SessionRecord::try_from).transpose()
}

/// Notes that it was used.
pub async fn touch(tx: &mut Tx, hash: &str, now: Wall) -> Result<(), StoreError> {
    tx!(tx, c => sqlx::query(sql::SESSION_TOUCH).bind(hash).bind(ms(now)).execute(c).await.map(|_| ()))
        .map_err(of("sessions"))
}

/// Ends one.
pub async fn end(tx: &mut Tx, hash: &str) -> Result<(), StoreError> {
    tx!(tx, c => sqlx::query(sql::SESSION_END).bind(hash).execute(c).await.map(|_| ()))
        .map_err(of("sessions"))
}

/// Ends all of a user.
pub async fn end_all_of(tx: &mut Tx, user: &UserName) -> Result<(), StoreError> {
    tx!(tx, c => sqlx::query(sql::SESSIONS_END_OF).bind(user.as_str()).execute(c).await.map(|_| ()))
        .map_err(of("sessions"))
}

/// Removes sessions that are over at `now` or were last used at `idle` or before, and says how many.
pub async fn prune(tx: &mut Tx, now: Wall, idle: Wall) -> Result<u64, StoreError> {
    tx!(tx, c => sqlx::query(sql::SESSIONS_PRUNE)
        .bind(ms(now))
        .bind(ms(idle))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("sessions"))
}

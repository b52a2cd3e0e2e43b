//! Sign-ins that are on their way: at the provider, or back and waiting for their command line. Each is good once.
//!
//! Owns: tables `logins` and `login_codes`. Must not: see a state or a code, only their hashes. Called by `people`.

use super::error::of;
use super::row::{At, ms};
use super::users::UserName;
use super::{Db, StoreError, Tx, sql};
use model::Wall;

/// A command line that waits for a sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The port of the browser's machine on which it waits.
    pub port: u16,
    /// SHA-256 (base64url) of the secret only it knows.
    pub challenge: String,
}

/// A sign-in that was sent to the provider.
#[derive(Clone, PartialEq, Eq)]
pub struct LoginRecord {
    /// Hash of the secret of the browser that began it.
    pub browser_hash: String,
    /// What the provider must repeat in its signed answer.
    pub nonce: String,
    /// The secret behind the PKCE challenge.
    pub verifier: String,
    /// A command line that waits for it.
    pub waiting: Option<Waiting>,
    /// From then on it is worthless.
    pub expires: Wall,
}

impl std::fmt::Debug for LoginRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoginRecord").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// Remembers a sign-in under the hash of its state.
pub async fn begin(tx: &mut Tx, state_hash: &str, login: &LoginRecord) -> Result<(), StoreError> {
    let LoginRecord { browser_hash, nonce, verifier, waiting, expires } = login;
    tx!(tx, c => sqlx::query(sql::LOGIN_BEGIN)
        .bind(state_hash)
        .bind(browser_hash.as_str())
        .bind(nonce.as_str())
        .bind(verifier.as_str())
        .bind(waiting.as_ref().map(|waiting| i64::from(waiting.port)))
        .bind(waiting.as_ref().map(|waiting| waiting.challenge.as_str()))
        .bind(ms(*expires))
        .execute(c)
        .await
        .map(|_| ()))
    .map_err(of("logins"))
}

/// How many are under way.
pub async fn count(db: &Db) -> Result<u64, StoreError> {
    let count: i64 =
        on!(db, c => sqlx::query_scalar(sql::LOGINS_COUNT).fetch_one(c).await).map_err(of("logins"))?;
    At { table: "logins", id: "all" }.number("count", count)
}

/// Takes a sign-in for good.
pub async fn take(tx: &mut Tx, state_hash: &str) -> Result<Option<LoginRecord>, StoreError> {
    type Row = (String, String, String, Option<i64>, Option<String>, i64);
    let row: Option<Row> =
        tx!(tx, c => sqlx::query_as(sql::LOGIN_TAKE).bind(state_hash).fetch_optional(c).await)
            .map_err(of("logins"))?;
    let Some((browser_hash, nonce, verifier, port, challenge, expires)) = row else { return Ok(None) };
    let at = At { table: "logins", id: state_hash };
    let port = port.map(|port| at.number("port", port)).transpose()?;
    let waiting = port.zip(challenge).map(|(port, challenge)| Waiting { port, challenge });
    let expires = at.wall("expires_at", expires)?;
    Ok(Some(LoginRecord { browser_hash, nonce, verifier, waiting, expires }))
}

/// Remembers a sign-in that came back, for its command line.
pub async fn add_code(
    tx: &mut Tx,
    hash: &str,
    user: &UserName,
    challenge: &str,
    expires: Wall,
) -> Result<(), StoreError> {
    tx!(tx, c => sqlx::query(sql::LOGIN_CODE_ADD)
        .bind(hash)
        .bind(user.as_str())
        .bind(challenge)
        .bind(ms(expires))
        .execute(c)
        .await
        .map(|_| ()))
    .map_err(of("login_codes"))
}

/// Takes it for good: who signed in, the command line's challenge, and until when it was good.
pub async fn take_code(tx: &mut Tx, hash: &str) -> Result<Option<(UserName, String, Wall)>, StoreError> {
    let row: Option<(String, String, i64)> =
        tx!(tx, c => sqlx::query_as(sql::LOGIN_CODE_TAKE).bind(hash).fetch_optional(c).await)
            .map_err(of("login_codes"))?;
    let Some((user, challenge, expires)) = row else { return Ok(None) };
    let at = At { table: "login_codes", id: hash };
    Ok(Some((at.text("user_name", user)?, challenge, at.wall("expires_at", expires)?)))
}

/// Removes what is over.
pub async fn prune(tx: &mut Tx, now: Wall) -> Result<(), StoreError> {
    tx!(tx, c => sqlx::query(sql::LOGINS_PRUNE).bind(ms(now)).execute(c).await.map(|_| ()))
        .map_err(of("logins"))?;
    tx!(tx, c => sqlx::query(sql::LOGIN_CODES_PRUNE).bind(ms(now)).execute(c).await.map(|_| ()))
        .map_err(of("login_codes"))
}

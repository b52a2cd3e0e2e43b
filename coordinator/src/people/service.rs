//! Recognises people: the operator's token, sessions, API tokens.
//!
//! Owns: how long a session lives, and the bounded use of the password hash. Must not: know routes. Called by admission
//! of `api` for every request, and by the other files of `people`, which add signing in and administration to [`People`].

use super::identity::{Identity, Means, TokenLimit};
use super::oidc::OidcProvider;
use super::password::{self, HashError};
use super::role::Roles;
use super::secret::{self, NoRandomness};
use crate::store::api_tokens::{self, ApiTokenRecord};
use crate::store::audit::{self, AuditEntry};
use crate::store::sessions::{self, SessionKind, SessionRecord};
use crate::store::users::{self, Role, UserName, UserRecord, UserStatus};
use crate::store::{Db, StoreError, Tx};
use model::{Millis, Secret, Wall};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What a session's secret starts with.
pub(super) const SESSION_PREFIX: &str = "pointsman-session-";
/// What an API token starts with.
pub(super) const API_TOKEN_PREFIX: &str = "pointsman-api-";
/// Longest life of a session: 12 hours.
pub const SESSION_LIFE: Millis = Millis(12 * 60 * 60 * 1000);
/// A session that is not used for so long is over: 2 hours.
pub const SESSION_IDLE: Millis = Millis(2 * 60 * 60 * 1000);
/// The time of the last use is kept to this: 1 minute.
const TOUCH_INTERVAL: Millis = Millis(60 * 1000);
/// Password hashes computed at once: each takes 19 MiB and a core for a moment.
const HASHES_MAX: usize = 2;
/// Password hashes that may wait or be computed; beyond it people are told to come back.
const HASHES_WAITING_MAX: usize = 16;
/// Longest text that is looked at as a secret, in bytes.
const SECRET_BYTES_MAX: usize = 256;

/// Why something about people was not done.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No random bytes.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The password hash.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// Too much at once.
    #[error("too many people sign in at this moment: try again in a few seconds")]
    Busy,
    /// Who signs in learns no more than this; the audit trail knows why.
    #[error("the sign-in was refused: check name and password; after too many wrong ones wait 15 minutes")]
    SignInRefused,
    /// An OIDC sign-in did not work out. The words are for the person; details are in the log and the audit trail.
    #[error("{0}")]
    ProviderRefused(String),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// They may not.
    #[error("{0}")]
    Forbidden(String),
}

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct People {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) db: Db,
    pub(super) oidc: Option<Box<OidcProvider>>,
    operator: Secret,
    decoy: String,
    hashing: Semaphore,
    queue: Semaphore,
}

impl People {
    /// The people of this database, whoever holds the operator's token, and those the provider vouches for.
    #[must_use]
    pub fn new(db: Db, operator: Secret, oidc: Option<OidcProvider>) -> Self {
        let inner = Inner {
            db,
            oidc: oidc.map(Box::new),
            operator,
            decoy: password::decoy(),
            hashing: Semaphore::new(HASHES_MAX),
            queue: Semaphore::new(HASHES_WAITING_MAX),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Who presents this in the `Authorization` header; `None`: nobody we know.
    pub async fn recognise_bearer(&self, presented: &str, now: Wall) -> Result<Option<Identity>, StoreError> {
        if presented.is_empty() || presented.len() > SECRET_BYTES_MAX {
            return Ok(None);
        }
        if presented.starts_with(API_TOKEN_PREFIX) {
            return self.by_api_token(presented, now).await;
        }
        if presented.starts_with(SESSION_PREFIX) {
            return self.by_session(presented, SessionKind::Cli, now).await;
        }
        Ok(secret::same(presented, self.inner.operator.expose()).then(Identity::operator))
    }

    /// Who presents this in a browser's cookie.
    pub async fn recognise_cookie(&self, presented: &str, now: Wall) -> Result<Option<Identity>, StoreError> {
        if presented.len() > SECRET_BYTES_MAX || !presented.starts_with(SESSION_PREFIX) {
            return Ok(None);
        }
        self.by_session(presented, SessionKind::Browser, now).await
    }

    async fn by_session(
        &self,
        presented: &str,
        kind: SessionKind,
        now: Wall,
    ) -> Result<Option<Identity>, StoreError> {
        let db = &self.inner.db;
        let Some(session) = sessions::get(db, &secret::hash(presented)).await? else { return Ok(None) };
        let SessionRecord { hash, user, kind: made_for, last_seen, expires, .. } = session;
        if made_for != kind || now >= expires || now >= last_seen.plus(SESSION_IDLE) {
            return Ok(None);
        }
        let Some(user) = self.active(&user).await? else { return Ok(None) };
        if now >= last_seen.plus(TOUCH_INTERVAL) {
            let mut tx = db.begin().await?;
            sessions::touch(&mut tx, &hash, now).await?;
            tx.commit().await?;
        }
        let means = match kind {
            SessionKind::Cli => Means::Session { hash },
            SessionKind::Browser => Means::Cookie { hash },
        };
        Ok(Some(identity_of(user, means)))
    }

    async fn by_api_token(&self, presented: &str, now: Wall) -> Result<Option<Identity>, StoreError> {
        let db = &self.inner.db;
        let Some(token) = api_tokens::by_hash(db, &secret::hash(presented)).await? else { return Ok(None) };
        let ApiTokenRecord { id, user, role, group, created_by, expires, last_used, revoked, .. } = token;
        if revoked.is_some() || now >= expires {
            return Ok(None);
        }
        let owner = match user {
            None => Identity { actor: created_by, ..Identity::operator() },
            Some(name) => match self.active(&name).await? {
                Some(user) => identity_of(user, Means::OperatorToken),
                None => return Ok(None),
            },
        };
        if last_used.is_none_or(|used| now >= used.plus(TOUCH_INTERVAL)) {
            let mut tx = db.begin().await?;
            api_tokens::touch(&mut tx, &id, now).await?;
            tx.commit().await?;
        }
        let actor = format!("{}+token:{id}", owner.actor);
        let limit = Some(TokenLimit { role, group });
        Ok(Some(Identity { actor, limit, means: Means::ApiToken { id }, ..owner }))
    }

    async fn active(&self, name: &UserName) -> Result<Option<UserRecord>, StoreError> {
        let user = users::get(&self.inner.db, name).await?;
        Ok(user.filter(|user| user.status == UserStatus::Active))
    }

    /// Hashes a new password, off the threads that serve.
    pub(super) async fn hash_password(&self, password: String) -> Result<String, PeopleError> {
        self.off_thread(move || password::hash(&password)).await?.map_err(PeopleError::from)
    }

    /// Whether a password fits what is stored; without anything stored it takes as long and does not.
    pub(super) async fn password_fits(
        &self,
        password: String,
        stored: Option<String>,
    ) -> Result<bool, PeopleError> {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.inner.decoy.clone());
        Ok(self.off_thread(move || password::fits(&password, &stored)).await? && known)
    }

    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PeopleError> {
        let _place = self.inner.queue.try_acquire().map_err(|_| PeopleError::Busy)?;
        let _turn = self.inner.hashing.acquire().await.map_err(|_| PeopleError::Busy)?;
        tokio::task::spawn_blocking(work).await.map_err(|_| PeopleError::Busy)
    }
}

/// A user as somebody who asks.
fn identity_of(user: UserRecord, means: Means) -> Identity {
    Identity {
        actor: actor_of(&user.name),
        user: Some(user.name),
        email: user.email,
        roles: Roles(user.roles),
        limit: None,
        means,
    }
}

/// How the audit trail names a user.
pub(super) fn actor_of(name: &UserName) -> String {
    format!("user:{name}")
}

/// Checks words for roles.
pub(super) fn roles_from(roles: &[Role]) -> Result<std::collections::BTreeSet<Role>, PeopleError> {
    if roles.is_empty() {
        return Err(PeopleError::Invalid(
            "a user needs at least one role: `viewer` looks and no more".to_owned(),
        ));
    }
    Ok(roles.iter().copied().collect())
}

/// Notes something about people in the audit trail.
pub(super) async fn note(
    tx: &mut Tx,
    now: Wall,
    actor: &str,
    action: &str,
    subject: String,
    detail: serde_json::Value,
) -> Result<(), StoreError> {
    let entry = AuditEntry { at: now, actor: actor.to_owned(), action: action.to_owned(), subject, detail };
    audit::append(tx, &entry).await.map(|_| ())
}

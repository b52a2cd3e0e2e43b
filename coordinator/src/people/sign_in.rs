//! Signing in with a password, sessions, signing out. Refusals all look alike from outside; the audit trail tells them apart.
//!
//! Must not: know HTTP. Called by the session routes of `api`, and by the OIDC sign-in once the provider has spoken.

use super::identity::{Identity, Means};
use super::password;
use super::secret::{self, fresh_secret};
use super::service::{People, PeopleError, SESSION_IDLE, SESSION_LIFE, SESSION_PREFIX, actor_of, note};
use crate::store::sessions::{self, SessionKind, SessionRecord};
use crate::store::users::{self, Account, UserName, UserRecord, UserStatus};
use crate::store::{StoreError, Tx, logins};
use model::{Millis, Secret, Wall};
use serde_json::json;

/// Wrong passwords in a row after which a user is locked.
pub const FAILURES_MAX: u64 = 10;
/// How long a user is locked: 15 minutes.
pub const LOCK: Millis = Millis(15 * 60 * 1000);

/// A session that just began. The secret is in here and nowhere else.
#[derive(Debug)]
pub struct SignedIn {
    /// Whose it is.
    pub user: UserName,
    /// What to present.
    pub secret: Secret,
    /// Until when.
    pub expires: Wall,
}

/// Why a password was not taken; for the audit trail only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    UnknownUser,
    NoPassword,
    Disabled,
    Locked,
    WrongPassword,
}

impl Refusal {
    fn as_str(self) -> &'static str {
        match self {
            Self::UnknownUser => "unknown_user",
            Self::NoPassword => "no_password",
            Self::Disabled => "disabled",
            Self::Locked => "locked",
            Self::WrongPassword => "wrong_password",
        }
    }
}

/// The second secret of a browser's session: derived, so that it need not be stored, and useless for finding the first.
#[must_use]
pub fn csrf_of(session: &str) -> String {
    secret::hash(&format!("pointsman-csrf:{session}"))
}

impl People {
    /// Signs in a local user.
    pub async fn sign_in(
        &self,
        name: &str,
        password: String,
        kind: SessionKind,
        source: &str,
        now: Wall,
    ) -> Result<SignedIn, PeopleError> {
        let user = match name.parse::<UserName>() {
            Ok(name) => users::get(&self.inner.db, &name).await?,
            Err(_) => None,
        };
        let stored = user.as_ref().and_then(|user| match &user.account {
            Account::Local { password } => Some(password.clone()),
            Account::Oidc { .. } => None,
        });
        // Always computed, so that time does not tell whether there is such a user.
        let fits = self.password_fits(password.clone(), stored.clone()).await?;
        // Read again: others may have tried while this one waited for its turn.
        let user = match user {
            Some(user) => users::get(&self.inner.db, &user.name).await?,
            None => None,
        };
        let (user, refusal) = match user {
            None => return self.refuse(None, Refusal::UnknownUser, source, now).await,
            Some(user) => {
                let refusal = refusal_of(&user, fits, now);
                (user, refusal)
            }
        };
        if let Some(refusal) = refusal {
            return self.refuse(Some(&user.name), refusal, source, now).await;
        }
        let outdated = stored.as_deref().is_some_and(password::is_outdated);
        let fresh = if outdated { Some(self.hash_password(password).await?) } else { None };
        let mut tx = self.inner.db.begin().await?;
        if let Some(fresh) = fresh {
            users::set_password(&mut tx, &user.name, &fresh).await?;
        }
        let signed_in = begin_session(&mut tx, &user.name, kind, source, now).await?;
        tx.commit().await?;
        Ok(signed_in)
    }

    async fn refuse(
        &self,
        user: Option<&UserName>,
        refusal: Refusal,
        source: &str,
        now: Wall,
    ) -> Result<SignedIn, PeopleError> {
        let mut tx = self.inner.db.begin().await?;
        let mut failures = None;
        if let (Some(name), Refusal::WrongPassword) = (user, refusal) {
            failures = Some(users::failed(&mut tx, name, FAILURES_MAX, now.plus(LOCK)).await?);
        }
        // The name somebody typed may be a password in the wrong field: only names that exist are noted.
        let subject = user.map_or_else(|| "user/unknown".to_owned(), |name| format!("user/{name}"));
        let detail = json!({ "why": refusal.as_str(), "source": source, "failures": failures });
        note(&mut tx, now, "nobody", "session.refused", subject, detail).await?;
        tx.commit().await?;
        Err(PeopleError::SignInRefused)
    }

    /// Ends the session somebody came with.
    pub async fn sign_out(&self, who: &Identity, now: Wall) -> Result<(), PeopleError> {
        let (Means::Session { hash } | Means::Cookie { hash }) = &who.means else {
            let message = "there is no session to end: the operator's token and API tokens have none";
            return Err(PeopleError::Invalid(message.to_owned()));
        };
        let mut tx = self.inner.db.begin().await?;
        sessions::end(&mut tx, hash).await?;
        let subject = who.user.as_ref().map_or_else(String::new, |user| format!("user/{user}"));
        note(&mut tx, now, &who.actor, "session.ended", subject, json!({})).await?;
        tx.commit().await?;
        Ok(())
    }
}

fn refusal_of(user: &UserRecord, fits: bool, now: Wall) -> Option<Refusal> {
    if user.status == UserStatus::Disabled {
        return Some(Refusal::Disabled);
    }
    if matches!(user.account, Account::Oidc { .. }) {
        return Some(Refusal::NoPassword);
    }
    if user.locked_until.is_some_and(|until| now < until) {
        return Some(Refusal::Locked);
    }
    (!fits).then_some(Refusal::WrongPassword)
}

/// Begins a session of a user who proved who they are, and removes those that are over.
pub(super) async fn begin_session(
    tx: &mut Tx,
    user: &UserName,
    kind: SessionKind,
    source: &str,
    now: Wall,
) -> Result<SignedIn, PeopleError> {
    prune(tx, now).await?;
    users::logged_in(tx, user, now).await?;
    let secret = fresh_secret(SESSION_PREFIX)?;
    let expires = now.plus(SESSION_LIFE);
    let session = SessionRecord {
        hash: secret::hash_of(&secret),
        user: user.clone(),
        kind,
        source: source.to_owned(),
        created: now,
        last_seen: now,
        expires,
    };
    sessions::create(tx, &session).await?;
    let detail = json!({ "kind": kind, "source": source, "expires": expires });
    note(tx, now, &actor_of(user), "session.began", format!("user/{user}"), detail).await?;
    Ok(SignedIn { user: user.clone(), secret, expires })
}

async fn prune(tx: &mut Tx, now: Wall) -> Result<(), StoreError> {
    sessions::prune(tx, now, Wall(now.0.saturating_sub(SESSION_IDLE.0))).await?;
    logins::prune(tx, now).await
}

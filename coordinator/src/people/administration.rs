//! Users and API tokens made, changed, ended; each with its line in the audit trail, in the same unit of work.
//!
//! Must not: check that the caller may administer (admission of `api` did), except what depends on the object: nobody
//! gives away more than they have, and tokens do not make tokens. Called by the routes of `api`.

use super::identity::{Identity, Means};
use super::password;
use super::role::Permission;
use super::secret::{fresh_secret, hash, hash_of};
use super::service::{API_TOKEN_PREFIX, People, PeopleError, note, roles_from};
use crate::store::StoreError;
use crate::store::api_tokens::{self, ApiTokenRecord};
use crate::store::sessions;
use crate::store::users::{self, Account, NewUser, Role, UserName, UserRecord, UserStatus};
use model::{HostGroupId, Millis, Secret, Wall};
use serde_json::json;

/// Longest life of an API token, in seconds: 90 days.
pub const TOKEN_TTL_SECS_MAX: u64 = 90 * 24 * 60 * 60;
/// Tokens of one maker that are good at a time.
pub const TOKENS_LIVE_MAX: u64 = 50;
/// Longest name of an API token, in characters.
const TOKEN_NAME_CHARS_MAX: usize = 80;
/// Longest mail address, in bytes.
const EMAIL_BYTES_MAX: usize = 254;
/// Users shown at once.
const USERS_SHOWN_MAX: u32 = 1000;
/// API tokens shown at once.
const TOKENS_SHOWN_MAX: u32 = 1000;

/// A local user to make.
pub struct UserToAdd {
    /// Name.
    pub name: UserName,
    /// Mail address.
    pub email: Option<String>,
    /// Roles.
    pub roles: Vec<Role>,
    /// Password.
    pub password: String,
}

/// What to change of a user; `None` leaves it.
#[derive(Debug, Default)]
pub struct UserChange {
    /// Whether they may come in.
    pub status: Option<UserStatus>,
    /// Exactly these roles.
    pub roles: Option<Vec<Role>>,
    /// Mail address; empty takes it away.
    pub email: Option<String>,
}

/// An API token to make.
pub struct TokenToMake {
    /// What it is for.
    pub name: String,
    /// Its one role.
    pub role: Role,
    /// Only hosts of this group.
    pub group: Option<HostGroupId>,
    /// Seconds it is good.
    pub ttl_secs: u64,
}

impl People {
    /// All users.
    pub async fn users(&self) -> Result<Vec<UserRecord>, PeopleError> {
        Ok(users::list(&self.inner.db, USERS_SHOWN_MAX).await?)
    }

    /// Makes a local user.
    pub async fn add_user(&self, who: &Identity, user: UserToAdd, now: Wall) -> Result<(), PeopleError> {
        let UserToAdd { name, email, roles, password } = user;
        let roles = roles_from(&roles)?;
        let email = email.map(|text| mail_address(&text)).transpose()?;
        if let Some(objection) = password::objection(&password, name.as_str()) {
            return Err(PeopleError::Invalid(objection));
        }
        let password = self.hash_password(password).await?;
        let detail = json!({ "roles": roles, "email": email });
        let user = NewUser {
            name: name.clone(),
            account: Account::Local { password },
            email,
            roles,
            created_by: who.actor.clone(),
            created: now,
        };
        let mut tx = self.inner.db.begin().await?;
        users::create(&mut tx, &user).await?;
        note(&mut tx, now, &who.actor, "user.created", format!("user/{name}"), detail).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Changes a user. Sessions of a user who is disabled end with it; roles count from the next request on.
    pub async fn change_user(
        &self,
        who: &Identity,
        name: &UserName,
        change: UserChange,
        now: Wall,
    ) -> Result<(), PeopleError> {
        let UserChange { status, roles, email } = change;
        let user = self.known(name).await?;
        if roles.is_some() && matches!(user.account, Account::Oidc { .. }) {
            let message = format!(
                "the roles of `{name}` come from the OIDC provider at every sign-in: change them there"
            );
            return Err(PeopleError::Invalid(message));
        }
        let roles = roles.map(|roles| roles_from(&roles)).transpose()?;
        let address = email.as_deref().filter(|text| !text.is_empty()).map(mail_address).transpose()?;
        let mut tx = self.inner.db.begin().await?;
        if let Some(status) = status {
            users::set_status(&mut tx, name, status).await?;
            if status == UserStatus::Disabled {
                sessions::end_all_of(&mut tx, name).await?;
            }
        }
        if let Some(roles) = &roles {
            users::set_roles(&mut tx, name, roles).await?;
        }
        if email.is_some() {
            users::set_email(&mut tx, name, address.as_deref()).await?;
        }
        let detail = json!({ "status": status, "roles": roles, "email": email });
        note(&mut tx, now, &who.actor, "user.changed", format!("user/{name}"), detail).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Sets a password: one's own with the one of before, anybody's as an administrator. All their sessions end.
    pub async fn set_password(
        &self,
        who: &Identity,
        name: &UserName,
        (before, password): (Option<String>, String),
        now: Wall,
    ) -> Result<(), PeopleError> {
        if matches!(who.means, Means::ApiToken { .. }) {
            return Err(PeopleError::Forbidden("an API token cannot set passwords: sign in".to_owned()));
        }
        let own = who.user.as_ref() == Some(name);
        if !own && !who.may(Permission::PeopleManage) {
            return Err(PeopleError::Forbidden(format!(
                "only `{name}` or an admin sets the password of `{name}`"
            )));
        }
        let user = self.known(name).await?;
        let Account::Local { password: stored } = user.account else {
            let message = format!("`{name}` signs in at the OIDC provider and has no password here");
            return Err(PeopleError::Invalid(message));
        };
        if own && !self.password_fits(before.unwrap_or_default(), Some(stored)).await? {
            return Err(PeopleError::Forbidden("the password of before is missing or wrong".to_owned()));
        }
        if let Some(objection) = password::objection(&password, name.as_str()) {
            return Err(PeopleError::Invalid(objection));
        }
        let password = self.hash_password(password).await?;
        let mut tx = self.inner.db.begin().await?;
        users::set_password(&mut tx, name, &password).await?;
        sessions::end_all_of(&mut tx, name).await?;
        note(&mut tx, now, &who.actor, "user.password_set", format!("user/{name}"), json!({})).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn known(&self, name: &UserName) -> Result<UserRecord, PeopleError> {
        let missing = || StoreError::NotFound { what: "user", id: name.to_string() };
        Ok(users::get(&self.inner.db, name).await?.ok_or_else(missing)?)
    }

    /// Makes an API token; the secret is in the answer and nowhere else.
    pub async fn make_token(
        &self,
        who: &Identity,
        token: TokenToMake,
        now: Wall,
    ) -> Result<(ApiTokenRecord, Secret), PeopleError> {
        let TokenToMake { name, role, group, ttl_secs } = token;
        if who.limit.is_some() {
            return Err(PeopleError::Forbidden("an API token cannot make API tokens: sign in".to_owned()));
        }
        if !who.roles.cover(role) {
            let message = format!("you are {}: that does not cover the role {role}", who.roles.words());
            return Err(PeopleError::Forbidden(message));
        }
        let name = name.trim().to_owned();
        if name.is_empty()
            || name.chars().count() > TOKEN_NAME_CHARS_MAX
            || name.chars().any(char::is_control)
        {
            let message = format!("say in 1 to {TOKEN_NAME_CHARS_MAX} characters what the token is for");
            return Err(PeopleError::Invalid(message));
        }
        if !(1..=TOKEN_TTL_SECS_MAX).contains(&ttl_secs) {
            let message = format!("`ttl_secs` is {ttl_secs}: use 1 to {TOKEN_TTL_SECS_MAX}");
            return Err(PeopleError::Invalid(message));
        }
        if api_tokens::count_live(&self.inner.db, &who.actor, now).await? >= TOKENS_LIVE_MAX {
            let message = format!("you have {TOKENS_LIVE_MAX} API tokens: revoke those that are not used");
            return Err(PeopleError::Invalid(message));
        }
        let secret = fresh_secret(API_TOKEN_PREFIX)?;
        let record = ApiTokenRecord {
            id: hash(&hash_of(&secret)).chars().take(TOKEN_ID_CHARS).collect(),
            name,
            user: who.user.clone(),
            role,
            group,
            created_by: who.actor.clone(),
            created: now,
            expires: now.plus(Millis::from_secs(ttl_secs)),
            last_used: None,
            revoked: None,
        };
        let mut tx = self.inner.db.begin().await?;
        api_tokens::create(&mut tx, &hash_of(&secret), &record).await?;
        let detail =
            json!({ "name": record.name, "role": role, "group": record.group, "expires": record.expires });
        let subject = format!("api-token/{}", record.id);
        note(&mut tx, now, &who.actor, "api_token.created", subject, detail).await?;
        tx.commit().await?;
        Ok((record, secret))
    }

    /// Own API tokens; an administrator sees everybody's.
    pub async fn tokens(&self, who: &Identity) -> Result<Vec<ApiTokenRecord>, PeopleError> {
        let db = &self.inner.db;
        if who.may(Permission::PeopleManage) {
            return Ok(api_tokens::list(db, None, TOKENS_SHOWN_MAX).await?);
        }
        match &who.user {
            Some(user) => Ok(api_tokens::list(db, Some(user), TOKENS_SHOWN_MAX).await?),
            None => Ok(Vec::new()),
        }
    }

    /// Makes an API token worthless from the next request on.
    pub async fn revoke_token(&self, who: &Identity, id: &str, now: Wall) -> Result<(), PeopleError> {
        let missing = || StoreError::NotFound { what: "API token", id: id.to_owned() };
        let token = api_tokens::get(&self.inner.db, id).await?.ok_or_else(missing)?;
        let own = token.user.is_some() && token.user == who.user;
        // Whose it is not learns no more than that there is none.
        if !own && !who.may(Permission::PeopleManage) {
            return Err(missing().into());
        }
        let mut tx = self.inner.db.begin().await?;
        if api_tokens::revoke(&mut tx, id, &who.actor, now).await? {
            let detail = json!({ "name": token.name });
            note(&mut tx, now, &who.actor, "api_token.revoked", format!("api-token/{id}"), detail).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Characters of a token's id: from its hash, so that a secret in hand leads to its id, but not back.
const TOKEN_ID_CHARS: usize = 16;

/// A mail address that can be compared with those of commits.
pub(super) fn mail_address(text: &str) -> Result<String, PeopleError> {
    let text = text.trim();
    let fits = text.len() <= EMAIL_BYTES_MAX
        && text.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
        && text.matches('@').count() == 1
        && !text.chars().any(|c| c.is_whitespace() || c.is_control() || "<>,".contains(c));
    if fits { Ok(text.to_owned()) } else { Err(PeopleError::Invalid("that is no mail address".to_owned())) }
}

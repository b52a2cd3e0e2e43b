//! Users: people with a name, roles, and either a password here or an account at an OIDC provider.
//!
//! Owns: tables `users` and `user_roles`. Must not: see a password, or decide what a role may. Called by `people` and the API.

use super::error::of;
use super::row::{At, ms, plain, rows};
use super::{Db, StoreError, Tx, sql};
use model::Wall;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// Longest name of a user, in bytes.
pub const NAME_BYTES_MAX: usize = 100;

/// The name of a user: lower case, and safe in a path, a log line and a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserName(String);

/// What is wrong with the name of a user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no user name: use 1 to {NAME_BYTES_MAX} of a-z, 0-9 and `.-_@+`, a letter or digit first")]
pub struct BadUserName(String);

impl TryFrom<String> for UserName {
    type Error = BadUserName;
    fn try_from(text: String) -> Result<Self, BadUserName> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = (1..=NAME_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| plain(byte) || b".-_@+".contains(&byte))
            && text.bytes().next().is_some_and(plain);
        if fits { Ok(Self(text)) } else { Err(BadUserName(text.chars().take(NAME_BYTES_MAX).collect())) }
    }
}

impl FromStr for UserName {
    type Err = BadUserName;
    fn from_str(text: &str) -> Result<Self, BadUserName> {
        Self::try_from(text.to_owned())
    }
}

impl From<UserName> for String {
    fn from(name: UserName) -> Self {
        name.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl UserName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a person is here for. What each may is said in `people::role`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Writes proposals.
    Engineer,
    /// Watches rollouts, stops them, lets hosts in.
    Operator,
    /// Approves changes.
    Approver,
    /// Everything, people included.
    Admin,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Viewer, Self::Engineer, Self::Operator, Self::Approver, Self::Admin];

    /// The word in columns, documents and settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Engineer => "engineer",
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Role {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("`{text}` is no role: write viewer, engineer, operator, approver or admin");
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(unknown)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a user may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserStatus {
    /// Yes.
    Active,
    /// No, by an administrator's word.
    Disabled,
}

impl UserStatus {
    /// The word in columns and documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }
}

/// How a user proves who they are.
#[derive(Clone, PartialEq, Eq)]
pub enum Account {
    /// With a password.
    Local {
        /// argon2id in PHC form.
        password: String,
    },
    /// At an OIDC provider.
    Oidc {
        /// The provider.
        issuer: String,
        /// Who they are there.
        subject: String,
    },
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local { .. } => f.write_str("Local(..)"),
            Self::Oidc { issuer, subject } => write!(f, "Oidc({issuer}, {subject})"),
        }
    }
}

/// A user to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// Name.
    pub name: UserName,
    /// How they prove it.
    pub account: Account,
    /// Mail address, for "author is not approver".
    pub email: Option<String>,
    /// Roles.
    pub roles: BTreeSet<Role>,
    /// Who makes them.
    pub created_by: String,
    /// Now.
    pub created: Wall,
}

/// A user as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// Name.
    pub name: UserName,
    /// How they prove it.
    pub account: Account,
    /// Whether they may come in.
    pub status: UserStatus,
    /// Mail address.
    pub email: Option<String>,
    /// Roles.
    pub roles: BTreeSet<Role>,
    /// Wrong passwords in a row.
    pub failures: u64,
    /// Until then no password is looked at.
    pub locked_until: Option<Wall>,
    /// Who made them.
    pub created_by: String,
    /// When they were made.
    pub created: Wall,
    /// When they signed in last.
    pub last_login: Option<Wall>,
}

#[derive(sqlx::FromRow)]
struct UserRow {
    name: String,
    kind: String,
    status: String,
    email: Option<String>,
    password: Option<String>,
    issuer: Option<String>,
    subject: Option<String>,
    failures: i64,
    locked_until: Option<i64>,
    created_by: String,
    created_at: i64,
    last_login_at: Option<i64>,
}

fn record(row: UserRow, roles: BTreeSet<Role>) -> Result<UserRecord, StoreError> {
    let UserRow { name, kind, status, email, password, issuer, subject, failures, locked_until, .. } = row;
    let id = name.clone();
    let at = At { table: "users", id: &id };
    let account = match (kind.as_str(), password, issuer, subject) {
        ("local", Some(password), None, None) => Account::Local { password },
        ("oidc", None, Some(issuer), Some(subject)) => Account::Oidc { issuer, subject },
        _ => return Err(at.wrong("kind", format_args!("`{kind}` does not fit the other columns"))),
    };
    Ok(UserRecord {
        name: at.text("name", name)?,
        account,
        status: at.word("status", &status)?,
        email,
        roles,
        failures: at.number("failures", failures)?,
        locked_until: at.wall_opt("locked_until", locked_until)?,
        created_by: row.created_by,
        created: at.wall("created_at", row.created_at)?,
        last_login: at.wall_opt("last_login_at", row.last_login_at)?,
    })
}

async fn roles_of(db: &Db, name: &str) -> Result<BTreeSet<Role>, StoreError> {
    let words: Vec<String> = on!(db, c => sqlx::query_scalar(sql::USER_ROLES).bind(name).fetch_all(c).await)
        .map_err(of("user_roles"))?;
    words.iter().map(|word| At { table: "user_roles", id: name }.word("role", word)).collect()
}

async fn with_roles(db: &Db, row: Option<UserRow>) -> Result<Option<UserRecord>, StoreError> {
    let Some(row) = row else { return Ok(None) };
    let roles = roles_of(db, &row.name).await?;
    record(row, roles).map(Some)
}

/// Makes a user with roles.
pub async fn create(tx: &mut Tx, user: &NewUser) -> Result<(), StoreError> {
    let (kind, password, issuer, subject) = match &user.account {
        Account::Local { password } => ("local", Some(password.as_str()), None, None),
        Account::Oidc { issuer, subject } => ("oidc", None, Some(plain(issuer)), Some(plain(subject))),
    };
    let email = user.email.as_deref().map(plain);
    let created_by = plain(&user.created_by);
    let added = tx!(tx, c => sqlx::query(sql::USER_CREATE)
        .bind(user.name.as_str())
        .bind(kind)
        .bind(email.as_deref())
        .bind(password)
        .bind(issuer.as_deref())
        .bind(subject.as_deref())
        .bind(created_by.as_str())
        .bind(ms(user.created))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("users"))?;
    if added == 0 {
        let detail = "there is one already: choose another name".to_owned();
        return Err(StoreError::Conflict { what: "user", id: user.name.to_string(), detail });
    }
    add_roles(tx, &user.name, &user.roles).await
}

async fn add_roles(tx: &mut Tx, name: &UserName, roles: &BTreeSet<Role>) -> Result<(), StoreError> {
    for role in roles {
        tx!(tx, c => sqlx::query(sql::USER_ROLE_ADD)
            .bind(name.as_str())
            .bind(role.as_str())
            .execute(c)
            .await
            .map(|_| ()))
        .map_err(of("user_roles"))?;
    }
    Ok(())
}

/// One user.
pub async fn get(db: &Db, name: &UserName) -> Result<Option<UserRecord>, StoreError> {
    let row: Option<UserRow> =
        on!(db, c => sqlx::query_as(sql::USER_GET).bind(name.as_str()).fetch_optional(c).await)
            .map_err(of("users"))?;
    with_roles(db, row).await
}

/// The user behind an account at a provider.
pub async fn of_subject(db: &Db, issuer: &str, subject: &str) -> Result<Option<UserRecord>, StoreError> {
    let (issuer, subject) = (plain(issuer), plain(subject));
    let row: Option<UserRow> = on!(db, c => sqlx::query_as(sql::USER_OF_SUBJECT)
        .bind(issuer.as_str())
        .bind(subject.as_str())
        .fetch_optional(c)
        .await)
    .map_err(of("users"))?;
    with_roles(db, row).await
}

/// Users by name.
pub async fn list(db: &Db, limit: u32) -> Result<Vec<UserRecord>, StoreError> {
    let found: Vec<UserRow> =
        on!(db, c => sqlx::query_as(sql::USERS_LIST).bind(rows(limit)).fetch_all(c).await)
            .map_err(of("users"))?;
    let words: Vec<(String, String)> =
        on!(db, c => sqlx::query_as(sql::USER_ROLES_ALL).fetch_all(c).await).map_err(of("user_roles"))?;
    let mut roles: BTreeMap<String, BTreeSet<Role>> = BTreeMap::new();
    for (name, word) in words {
        let role = At { table: "user_roles", id: &name }.word("role", &word)?;
        roles.entry(name).or_default().insert(role);
    }
    let with = |row: UserRow| {
        let roles = roles.remove(&row.name).unwrap_or_default();
        record(row, roles)
    };
    found.into_iter().map(with).collect()
}

fn must_exist(done: u64, name: &UserName) -> Result<(), StoreError> {
    if done == 0 { Err(StoreError::NotFound { what: "user", id: name.to_string() }) } else { Ok(()) }
}

/// Gives a user these roles and no others.
pub async fn set_roles(tx: &mut Tx, name: &UserName, roles: &BTreeSet<Role>) -> Result<(), StoreError> {
    tx!(tx, c => sqlx::query(sql::USER_ROLES_CLEAR).bind(name.as_str()).execute(c).await.map(|_| ()))
        .map_err(of("user_roles"))?;
    add_roles(tx, name, roles).await
}

/// Lets a user in, or no more.
pub async fn set_status(tx: &mut Tx, name: &UserName, status: UserStatus) -> Result<(), StoreError> {
    let done = tx!(tx, c => sqlx::query(sql::USER_SET_STATUS)
        .bind(name.as_str())
        .bind(status.as_str())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("users"))?;
    must_exist(done, name)
}

/// Sets or takes away the mail address.
pub async fn set_email(tx: &mut Tx, name: &UserName, email: Option<&str>) -> Result<(), StoreError> {
    let email = email.map(plain);
    let done = tx!(tx, c => sqlx::query(sql::USER_SET_EMAIL)
        .bind(name.as_str())
        .bind(email.as_deref())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("users"))?;
    must_exist(done, name)
}

/// Sets the password of a local user, and forgets wrong ones.
pub async fn set_password(tx: &mut Tx, name: &UserName, password: &str) -> Result<(), StoreError> {
    let done = tx!(tx, c => sqlx::query(sql::USER_SET_PASSWORD)
        .bind(name.as_str())
        .bind(password)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("users"))?;
    must_exist(done, name)
}

/// Counts a wrong password and gives how many in a row; from `most` on the user is locked until `until`.
pub async fn failed(tx: &mut Tx, name: &UserName, most: u64, until: Wall) -> Result<u64, StoreError> {
    let failures: Option<i64> = tx!(tx, c => sqlx::query_scalar(sql::USER_FAILED)
        .bind(name.as_str())
        .bind(super::row::whole(most))
        .bind(ms(until))
        .fetch_optional(c)
        .await)
    .map_err(of("users"))?;
    let failures = failures.ok_or_else(|| StoreError::NotFound { what: "user", id: name.to_string() })?;
    At { table: "users", id: name.as_str() }.number("failures", failures)
}

/// A user came in.
pub async fn logged_in(tx: &mut Tx, name: &UserName, now: Wall) -> Result<(), StoreError> {
    let done = tx!(tx, c => sqlx::query(sql::USER_LOGGED_IN)
        .bind(name.as_str())
        .bind(ms(now))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("users"))?;
    must_exist(done, name)
}

//! Views of people: sessions, users, API tokens. Secrets stand only in the one answer that shows them.

use crate::store::sessions::SessionKind;
use crate::store::users::{Role, UserName, UserStatus};
use model::{HostGroupId, Wall};
use serde::{Deserialize, Serialize};

/// Asks for a session of a local user.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignInRequest {
    /// Name of the user.
    pub user: String,
    /// Their password.
    pub password: String,
    /// `cli`: the secret is in the answer; `browser`: it is in a cookie.
    pub kind: SessionKind,
}

impl std::fmt::Debug for SignInRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignInRequest").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// How people can sign in here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInMethodsView {
    /// With a password.
    pub password: bool,
    /// At this OIDC provider.
    pub oidc: Option<String>,
}

/// A command line asks for the session of a sign-in that it began.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedeemRequest {
    /// What the browser brought.
    pub code: String,
    /// The secret behind the challenge it began with.
    pub verifier: String,
}

impl std::fmt::Debug for RedeemRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RedeemRequest(..)")
    }
}

/// A session that just began.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionView {
    /// Whose it is.
    pub user: UserName,
    /// Until when at most.
    pub expires: Wall,
    /// The secret; absent for browsers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// For browsers: send it in the header `x-pointsman-csrf` with every write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csrf: Option<String>,
}

impl std::fmt::Debug for SessionView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionView").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Who the coordinator takes somebody for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhoamiView {
    /// As in the audit trail.
    pub actor: String,
    /// The user, if there is one behind it.
    pub user: Option<UserName>,
    /// Mail address.
    pub email: Option<String>,
    /// What they may, by name.
    pub roles: Vec<Role>,
    /// The only role an API token has of them.
    pub token_role: Option<Role>,
    /// The only group an API token is for.
    pub group: Option<HostGroupId>,
    /// For browsers: the second secret of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csrf: Option<String>,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserView {
    /// Name.
    pub name: UserName,
    /// `local` or `oidc`.
    pub kind: String,
    /// Whether they may come in.
    pub status: UserStatus,
    /// Roles.
    pub roles: Vec<Role>,
    /// Mail address.
    pub email: Option<String>,
    /// Until then no password is looked at.
    pub locked_until: Option<Wall>,
    /// Who made them.
    pub created_by: String,
    /// When they were made.
    pub created: Wall,
    /// When they signed in last.
    pub last_login: Option<Wall>,
}

/// Asks for a local user.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserRequest {
    /// Name.
    pub name: UserName,
    /// Mail address, as in their commits.
    #[serde(default)]
    pub email: Option<String>,
    /// Roles, at least one.
    pub roles: Vec<Role>,
    /// First password.
    pub password: String,
}

impl std::fmt::Debug for UserRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserRequest").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What to change of a user; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserChangeRequest {
    /// Whether they may come in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<UserStatus>,
    /// Exactly these roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<Role>>,
    /// Mail address; an empty one takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// Asks for a new password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordRequest {
    /// The one of before; an admin needs none for somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The new one.
    pub password: String,
}

impl std::fmt::Debug for PasswordRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordRequest(..)")
    }
}

/// Asks for an API token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiTokenRequest {
    /// What it is for.
    pub name: String,
    /// Its one role.
    pub role: Role,
    /// Only hosts of this group.
    #[serde(default)]
    pub group: Option<HostGroupId>,
    /// Its life in seconds.
    pub ttl_secs: u64,
}

/// An API token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiTokenView {
    /// Its name for good.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// Its one role.
    pub role: Role,
    /// The only group it is for.
    pub group: Option<HostGroupId>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created: Wall,
    /// From then on it is worthless.
    pub expires: Wall,
    /// When it was used last, to the minute.
    pub last_used: Option<Wall>,
    /// When it was revoked.
    pub revoked: Option<Wall>,
    /// The secret; only in the answer that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

impl std::fmt::Debug for ApiTokenView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiTokenView").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

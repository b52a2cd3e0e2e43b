//! Who asks, as far as one request goes: a name for the audit trail, what they may, and how they proved it.
//!
//! Must not: be built from anything but a proof (`service` makes it). Read by admission of `api` and by handlers.

use super::authorship::Authorship;
use super::role::{Permission, Roles};
use crate::store::users::{Role, UserName};
use model::HostGroupId;

/// Somebody who proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// How the audit trail names them: `operator`, `user:ann`, `user:ann+token:0192..`.
    pub actor: String,
    /// The user behind it; nobody stands behind the operator's token.
    pub user: Option<UserName>,
    /// The user's mail address, when it is known to be theirs.
    pub email: Option<String>,
    /// The roles of the user.
    pub roles: Roles,
    /// What the API token they came with takes away.
    pub limit: Option<TokenLimit>,
    /// How they proved it.
    pub means: Means,
}

/// An API token is one role, and maybe one group, of the person who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenLimit {
    /// The role.
    pub role: Role,
    /// Hosts of this group only.
    pub group: Option<HostGroupId>,
}

/// How somebody proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Means {
    /// The token in the coordinator's state folder.
    OperatorToken,
    /// A session of the command line, in the `Authorization` header. The hash is its key in the store.
    Session {
        /// Its hash.
        hash: String,
    },
    /// A session of a browser, in a cookie: writes need the second secret too.
    Cookie {
        /// Its hash.
        hash: String,
    },
    /// An API token.
    ApiToken {
        /// Its id.
        id: String,
    },
}

impl Identity {
    /// Whoever holds the operator's token: this machine's administrator.
    #[must_use]
    pub fn operator() -> Self {
        Self {
            actor: "operator".to_owned(),
            user: None,
            email: None,
            roles: Roles::one(Role::Admin),
            limit: None,
            means: Means::OperatorToken,
        }
    }

    /// Whether they may do this somewhere. Where is for [`Identity::group`] to say.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        // A token must not be able to outlive itself by making users.
        let within = |limit: &TokenLimit| {
            permission != Permission::PeopleManage && Roles::one(limit.role).may(permission)
        };
        self.roles.may(permission) && self.limit.as_ref().is_none_or(within)
    }

    /// The only group they may look at and act on; `None` means all.
    #[must_use]
    pub fn group(&self) -> Option<&HostGroupId> {
        self.limit.as_ref().and_then(|limit| limit.group.as_ref())
    }

    /// Whether they wrote a commit with this author line. [`Authorship::Unknown`] is not "somebody else".
    #[must_use]
    pub fn authorship(&self, git_author: &str) -> Authorship {
        Authorship::of(self.email.as_deref(), git_author)
    }
}

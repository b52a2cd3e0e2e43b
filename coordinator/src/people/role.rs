//! The one table from permissions to roles. Must not: know a person. Called by identities.

use crate::store::users::Role;
use std::collections::BTreeSet;

/// Something a person may be allowed to do. Every route names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// Own password, own sessions, own API tokens, "who am I".
    OwnAccess,
    /// Look at hosts, groups, RFCs, changes, rollouts, drift, and how the coordinator is.
    FleetRead,
    /// Read and verify the audit trail.
    AuditRead,
    /// Have the configuration repository looked at now.
    RepositorySync,
    /// Pause, resume, abort a rollout, extend a window.
    RolloutSteer,
    /// Let hosts in: enrolment tokens, approval of a host's key.
    HostEnrol,
    /// Shut hosts out and let them back: revoke, quarantine, release.
    HostTrust,
    /// Approve a change.
    ChangeApprove,
    /// Import and rotate the sets of approvers.
    ApproverSets,
    /// Users, their roles, and everybody's API tokens.
    PeopleManage,
}

use Permission::{
    ApproverSets, AuditRead, ChangeApprove, FleetRead, HostEnrol, HostTrust, OwnAccess, PeopleManage,
    RepositorySync, RolloutSteer,
};
use Role::{Admin, Approver, Engineer, Operator, Viewer};

/// Who may what. A permission that is not here is nobody's.
pub const TABLE: &[(Permission, &[Role])] = &[
    (OwnAccess, &[Viewer, Engineer, Operator, Approver, Admin]),
    (FleetRead, &[Viewer, Engineer, Operator, Approver, Admin]),
    (AuditRead, &[Viewer, Engineer, Operator, Approver, Admin]),
    (RepositorySync, &[Engineer, Operator, Admin]),
    (RolloutSteer, &[Operator, Admin]),
    (HostEnrol, &[Operator, Admin]),
    (HostTrust, &[Operator, Admin]),
    (ChangeApprove, &[Approver, Admin]),
    (ApproverSets, &[Admin]),
    (PeopleManage, &[Admin]),
];

impl Permission {
    /// The word in errors and in the audit trail.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            OwnAccess => "own_access",
            FleetRead => "fleet_read",
            AuditRead => "audit_read",
            RepositorySync => "repository_sync",
            RolloutSteer => "rollout_steer",
            HostEnrol => "host_enrol",
            HostTrust => "host_trust",
            ChangeApprove => "change_approve",
            ApproverSets => "approver_sets",
            PeopleManage => "people_manage",
        }
    }

    /// The roles that have it.
    #[must_use]
    pub fn roles(self) -> &'static [Role] {
        TABLE.iter().find(|(permission, _)| *permission == self).map_or(&[], |(_, roles)| roles)
    }
}

/// The roles of one person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles(pub BTreeSet<Role>);

impl Roles {
    /// One role.
    #[must_use]
    pub fn one(role: Role) -> Self {
        Self(BTreeSet::from([role]))
    }

    /// Whether one of them has the permission.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        permission.roles().iter().any(|role| self.0.contains(role))
    }

    /// Whether everything `role` may, these may too: nobody gives what they do not have.
    #[must_use]
    pub fn cover(&self, role: Role) -> bool {
        TABLE.iter().all(|(permission, roles)| !roles.contains(&role) || self.may(*permission))
    }

    /// The words, for people.
    #[must_use]
    pub fn words(&self) -> String {
        let words: Vec<&str> = self.0.iter().map(|role| role.as_str()).collect();
        words.join(", ")
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        Self(roles.into_iter().collect())
    }
}

//! Who the people are: roles and what they may, users, sessions, API tokens, and how each is recognised.
//!
//! Owns: the one table from permissions to roles, identities, and everything secret about people (only hashes are
//! stored). Must not: know routes or HTTP answers (`api` does), or decide about hosts. Called by `api`, by the composition
//! root and, for "author is not approver", by whatever records approvals.
//!
//! Default deny: who is not recognised is nobody, and a permission that no role has been given is nobody's.

mod administration;
mod authorship;
mod identity;
pub mod oidc;
mod password;
mod role;
mod secret;
mod service;
mod sign_in;

#[cfg(test)]
mod tests;

pub use administration::{TOKEN_TTL_SECS_MAX, TokenToMake, UserChange, UserToAdd};
pub use authorship::Authorship;
pub use identity::{Identity, Means, TokenLimit};
pub use role::{Permission, Roles};
pub use secret::{fresh_secret, hash_of, same as same_secret};
pub use service::{People, PeopleError, SESSION_IDLE, SESSION_LIFE};
pub use sign_in::{FAILURES_MAX, LOCK, SignedIn, csrf_of};

pub use crate::store::users::{Role, UserName};

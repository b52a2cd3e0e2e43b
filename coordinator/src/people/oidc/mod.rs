//! Signing in at an OIDC provider: authorization code with PKCE, nothing else.
//!
//! Owns: the client of one provider (discovery, keys, token endpoint), the checks of its signed answer, and the way of a
//! sign-in through it. Must not: follow a redirect, trust a key it did not fetch from the provider's own address, or take
//! an algorithm that it did not ask for. Called by the sign-in routes of `api` through [`super::People`].
//!
//! ```text
//!   browser --login--> us (state, nonce, verifier kept; state bound to the browser by a cookie)
//!           --302----> provider, where the person signs in
//!           --code---> us --code + verifier--> provider --signed answer--> checked --> session
//! ```
//! A command line waits on a port of the browser's machine; what reaches it there is a code of ours that is worth nothing
//! without the secret it made itself.

mod claims;
mod flow;
mod http;
mod keys;
mod provider;
mod refusal;
mod text;

#[cfg(test)]
pub(crate) mod tests;

pub use flow::{Begun, Finished, Returned};
pub use provider::{OidcProvider, OidcSetupError};
pub use refusal::OidcRefusal;
pub use text::challenge_of;

use super::role::Roles;
use crate::store::users::Role;
use model::Secret;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Which provider, and what its groups mean here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcSettings {
    /// The provider, exactly as it names itself.
    pub issuer: String,
    /// Who we are there.
    pub client_id: String,
    /// Our secret there; none for a public client.
    pub client_secret: Option<Secret>,
    /// Where the provider sends browsers back to: `https://HOST/api/v1/oidc/callback`.
    pub redirect_url: String,
    /// What we ask for, besides `openid`.
    pub scopes: Vec<String>,
    /// The claim that names a person.
    pub name_claim: String,
    /// The claim that lists a person's groups.
    pub groups_claim: String,
    /// Whether an address counts that the provider does not call verified.
    pub emails: EmailTrust,
    /// Groups that give a role.
    pub roles: BTreeMap<Role, BTreeSet<String>>,
    /// Certificates of the provider's authority; the system's when absent.
    pub ca_file: Option<PathBuf>,
}

/// Whether an address counts that the provider does not call verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailTrust {
    /// Only with `email_verified: true`.
    Verified,
    /// Also without a word about it; never with `false`.
    Provider,
}

impl OidcSettings {
    /// The roles of somebody in these groups.
    fn roles_of(&self, groups: &BTreeSet<String>) -> Roles {
        let fits = |wanted: &BTreeSet<String>| wanted.iter().any(|group| groups.contains(group));
        self.roles.iter().filter(|(_, wanted)| fits(wanted)).map(|(role, _)| *role).collect()
    }
}

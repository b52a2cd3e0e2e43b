//! The operators' interface: HTTP and JSON below `/api/v1`, for people and programs with a permission.
//!
//! Owns: routes, the door before them (`admission`), limits, errors as `application/problem+json`, views. Must not: decide
//! about hosts or write to a host; actions go through [`Operations`]. Called by the composition root, which serves
//! [`router`] on the operators' address.

mod admission;
mod cookie;
mod denials;
mod error;
mod hooks;
mod page;
mod rate;
mod routes;
mod tally;
mod v1;
pub mod views;
mod who;

#[cfg(test)]
pub(crate) mod testkit;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_approval;

#[cfg(test)]
pub(crate) use hooks::routes as hook_routes;
pub use hooks::{HOOKS_PATH, HookParts};
pub use tally::{Decision, Tally};
pub use who::Source;

use crate::fleet::{FleetHandle, LiveHost};
use crate::people::People;
use crate::review::ReviewFacts;
use crate::store::Db;
use crate::tasks::lease::{Lead, StandsBy};
use crate::tasks::proposals::ReviewProposalError;
use crate::tasks::window::Extension;
use crate::trust::{Token, TokenHash, TokenKey, TrustError};
use admission::Admission;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::any;
use error::ApiError;
use model::{ApproverRotation, HostId, RolloutId};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Largest request body, in bytes.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// What every route starts with.
const PREFIX: &str = "/api/v1";
/// The route that only says that somebody is here.
const HEALTH_ROUTE: &str = "/healthz";

/// What carries the requests: cookies depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// TLS.
    Tls,
    /// Plain HTTP, on this machine.
    Plain,
}

/// What an operator wants of a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RolloutCommand {
    /// Send no more orders.
    Pause,
    /// Go on after a pause or a halt.
    Resume,
    /// End it; hosts keep what they have.
    Abort,
}

impl RolloutCommand {
    /// The word in routes and in the audit trail.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Abort => "abort",
        }
    }
}

/// Why a rollout did not take a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SteerError {
    /// It is not in a phase where the command means something.
    #[error("{0}")]
    Conflict(String),
    /// It could not be done now.
    #[error("{0}")]
    Unavailable(String),
}

/// Answer of [`Operations::steer`].
pub type SteerFuture<'a> = Pin<Box<dyn Future<Output = Result<(), SteerError>> + Send + 'a>>;

/// Answer of [`Operations::approvals_changed`].
pub type DoneFuture<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
/// Which coordinator answers, and whether it leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Its name.
    pub coordinator: String,
    /// Whether it leads.
    pub lead: Lead,
}

/// Answer of [`Operations::review_branch`].
pub type ReviewFuture<'a> =
    Pin<Box<dyn Future<Output = Result<ReviewFacts, ReviewProposalError>> + Send + 'a>>;

/// What the rest of the coordinator does for operators.
pub trait Operations: Send + Sync {
    /// Looks at the configuration repository now, when this coordinator leads.
    fn nudge_repository(&self) -> Result<(), StandsBy>;

    /// Which coordinator this is, and whether it leads.
    fn term(&self) -> Term;

    /// Gives the open change of a host another confirm window.
    fn extend(&self, extension: Extension) -> SteerFuture<'_>;

    /// Reviews a branch as if it were merged now.
    fn review_branch(&self, branch: String) -> ReviewFuture<'_>;

    /// Asks the forge about every pull request now; no when there is no forge.
    fn resync_forge(&self) -> bool;

    /// Lets rollouts begin that waited for what was stored just now.
    fn approvals_changed(&self) -> DoneFuture<'_>;

    /// Offers a newer approver set to these hosts.
    fn offer_approvers(&self, hosts: &[HostId], rotation: &ApproverRotation);

    /// Hands a command to the driver of a rollout; the driver stores the reason and the new phase.
    /// `actor` is who asks, for the audit trail.
    fn steer(
        &self,
        rollout: RolloutId,
        command: RolloutCommand,
        actor: String,
        reason: String,
    ) -> SteerFuture<'_>;
}

/// Who is live right now.
pub trait Live: Send + Sync {
    /// Every host with an open stream.
    fn hosts(&self) -> Vec<LiveHost>;
}

impl Live for FleetHandle {
    fn hosts(&self) -> Vec<LiveHost> {
        self.snapshot()
    }
}

/// Makes enrolment tokens of this coordinator's authority.
#[derive(Debug)]
pub struct TokenMaker {
    /// Hashes them.
    pub key: TokenKey,
    /// What they pin.
    pub authority_fingerprint: String,
}

impl TokenMaker {
    /// A fresh token, and what may be stored of it.
    fn make(&self) -> Result<(Token, TokenHash), TrustError> {
        let token = Token::generate(&self.authority_fingerprint)?;
        let hash = self.key.hash(&token);
        Ok((token, hash))
    }
}

/// What the interface needs.
#[derive(Clone)]
pub struct ApiParts {
    /// The database.
    pub db: Db,
    /// The live hosts.
    pub live: Arc<dyn Live>,
    /// The door for webhooks, when there is a forge.
    pub hooks: Option<Arc<HookParts>>,
    /// Actions.
    pub operations: Arc<dyn Operations>,
    /// Who may ask.
    pub people: People,
    /// What carries the requests.
    pub transport: Transport,
    /// Counts decisions.
    pub tally: Arc<Tally>,
    /// Makes enrolment tokens.
    pub token_maker: Arc<TokenMaker>,
}

/// The whole interface.
pub fn router(parts: ApiParts) -> Router {
    let hooks = hooks::routes(parts.hooks.clone());
    let (routes, declared) = v1::routes().split();
    let admission =
        Admission::new(declared, parts.people.clone(), parts.db.clone(), Arc::clone(&parts.tally));
    // Methods that a path does not have end here too, so that the door sees them.
    let admitted = routes
        .method_not_allowed_fallback(async || ApiError::no_method())
        .with_state(parts)
        .layer(from_fn_with_state(Arc::new(admission), admission::admit));
    Router::new()
        .nest(PREFIX, admitted)
        .merge(hooks)
        .fallback(any(async || ApiError::no_route()))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

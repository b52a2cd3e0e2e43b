//! Why a forge did not do what was asked. Must not: hold a secret, or text from outside that is long or not printable.

use std::time::Duration;

/// Characters of foreign text kept in an error.
const FOREIGN_CHARS: usize = 200;

/// Why a forge did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForgeError {
    /// No answer, or half of one.
    #[error("the forge does not answer ({doing}): {reason}")]
    Unreachable {
        /// What was asked.
        doing: String,
        /// What happened.
        reason: String,
    },
    /// Too many requests.
    #[error("the forge wants no request for {} s", wait.as_secs())]
    RateLimited {
        /// How long it wants none.
        wait: Duration,
    },
    /// It failed itself.
    #[error("the forge failed with status {status} ({doing}): {message}")]
    Failed {
        /// What was asked.
        doing: String,
        /// HTTP status.
        status: u16,
        /// What it said.
        message: String,
    },
    /// The credential is not good for this.
    #[error(
        "the forge refused the credential with status {status} ({doing}): {message}; check the token in `[forge]` and its rights"
    )]
    Unauthorised {
        /// What was asked.
        doing: String,
        /// HTTP status.
        status: u16,
        /// What it said.
        message: String,
    },
    /// It is not there, or hidden from us.
    #[error("the forge has nothing there ({doing}); check `forge.repository` and the rights of the token")]
    NotFound {
        /// What was asked.
        doing: String,
    },
    /// It did not take the request.
    #[error("the forge did not take the request: status {status} ({doing}): {message}")]
    Rejected {
        /// What was asked.
        doing: String,
        /// HTTP status.
        status: u16,
        /// What it said.
        message: String,
    },
    /// It points to another place.
    #[error(
        "the forge redirects ({doing}), which is not followed; write its address and name of today into `forge.url` and `forge.repository`"
    )]
    Redirected {
        /// What was asked.
        doing: String,
    },
    /// An answer that is not what its API promises, or larger than we read.
    #[error("the answer of the forge is not usable ({doing}): {reason}")]
    BadAnswer {
        /// What was asked.
        doing: String,
        /// What is wrong.
        reason: String,
    },
    /// The settings cannot work.
    #[error("the forge cannot be used: {0}")]
    Settings(String),
}

impl ForgeError {
    /// Whether the same request may work later, with nobody doing anything.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::RateLimited { .. } | Self::Failed { .. })
    }
}

/// Makes text that came from outside printable and short.
pub(super) fn printable(text: &str) -> String {
    let flat: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    flat.trim().chars().take(FOREIGN_CHARS).collect()
}

//! A fact that was read, or the reason why it was not. Unknown is never absent.

use serde::{Deserialize, Serialize};

/// A fact about a host: read, or unreadable with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known<T> {
    /// The host told this.
    Read(T),
    /// The host did not tell; nothing may be created or deleted because of it.
    Unreadable {
        /// Why, in words for an operator.
        reason: String,
    },
}

impl<T> Known<T> {
    /// An unreadable fact.
    pub fn unreadable(reason: impl Into<String>) -> Self {
        Self::Unreadable { reason: reason.into() }
    }

    /// The fact when it was read.
    pub fn read(&self) -> Option<&T> {
        match self {
            Self::Read(value) => Some(value),
            Self::Unreadable { .. } => None,
        }
    }

    /// The fact when it was read, for change.
    pub fn read_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Read(value) => Some(value),
            Self::Unreadable { .. } => None,
        }
    }

    /// The reason when it was not read.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Read(_) => None,
            Self::Unreadable { reason } => Some(reason),
        }
    }

    /// Applies `f` to a fact that was read.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Known<U> {
        match self {
            Self::Read(value) => Known::Read(f(value)),
            Self::Unreadable { reason } => Known::Unreadable { reason },
        }
    }
}

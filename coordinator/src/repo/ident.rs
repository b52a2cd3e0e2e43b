//! Names of Git objects: a commit is not a tree, so they have types of their own.
//!
//! Must not: look anything up. Called by: every part of this module and its callers.

use std::fmt;
use std::str::FromStr;

use git2::Oid;
use thiserror::Error;

/// Hexadecimal digits of a SHA-1 object name.
const ID_DIGITS: usize = 40;

/// A text that is not a full object name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not a full Git object name: give all 40 hexadecimal digits")]
pub struct InvalidId {
    /// What was given, shortened.
    pub text: String,
}

fn parse(text: &str) -> Result<Oid, InvalidId> {
    let whole = text.len() == ID_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let invalid = || InvalidId { text: text.chars().take(ID_DIGITS + 1).collect() };
    if whole { Oid::from_str(text).map_err(|_| invalid()) } else { Err(invalid()) }
}

macro_rules! object_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Oid);

        impl $name {
            pub(super) fn new(oid: Oid) -> Self {
                Self(oid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse(text).map(Self)
            }
        }
    };
}

object_name! {
    /// The name of a commit.
    CommitId
}
object_name! {
    /// The name of a tree: equal trees have equal content.
    TreeId
}

impl CommitId {
    pub(super) fn oid(self) -> Oid {
        self.0
    }
}

//! Identifiers, one type each, and the per-host generation. Must not make ids up: callers bring them.

use serde::{Deserialize, Serialize};

/// Longest identifier, in bytes.
const ID_BYTES_MAX: usize = 128;

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} `{text}` is not valid: use 1 to 128 of a-z A-Z 0-9 . _ - and do not start with `.` or `-`")]
pub struct InvalidId {
    /// What was to be identified, e.g. `host`.
    pub kind: &'static str,
    /// The refused text.
    pub text: String,
}

fn check_id(kind: &'static str, text: &str) -> Result<(), InvalidId> {
    let chars_ok = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if text.is_empty() || text.len() > ID_BYTES_MAX || !chars_ok || text.starts_with(['.', '-']) {
        return Err(InvalidId { kind, text: text.to_owned() });
    }
    Ok(())
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks `text` and makes the identifier.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                check_id($kind, &text)?;
                Ok(Self(text))
            }

            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id_type!(
    /// One managed ESXi host: its name in the configuration repository and in its certificate.
    HostId,
    "host"
);
id_type!(
    /// One group of hosts: the folder name below `groups/`.
    HostGroupId,
    "group"
);
id_type!(
    /// One accepted proposal, pinned to a commit (a UUID made by the coordinator).
    ChangeId,
    "change"
);
id_type!(
    /// One staged push of a change (a UUID made by the coordinator).
    RolloutId,
    "rollout"
);

/// Number of an RFC document: 1 or more; 0 while the number is not allocated yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RfcId(pub u32);

impl std::fmt::Display for RfcId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RFC-{}", self.0)
    }
}

/// Number of a host's desired state; only grows. 0 means none was ever ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u64);

/// How an arriving generation compares with the one a host holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GenerationCheck {
    /// Lower than the held one: refuse.
    Older,
    /// The held one: a repeat when the content is equal, else refuse.
    Same,
    /// Higher than the held one: take it.
    Newer,
}

impl Generation {
    /// The next generation of the same host.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Compares an arriving generation with the held one (`self`).
    #[must_use]
    pub fn check(self, arriving: Self) -> GenerationCheck {
        match arriving.cmp(&self) {
            std::cmp::Ordering::Less => GenerationCheck::Older,
            std::cmp::Ordering::Equal => GenerationCheck::Same,
            std::cmp::Ordering::Greater => GenerationCheck::Newer,
        }
    }
}

impl std::fmt::Display for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

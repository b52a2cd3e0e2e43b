//! Differences between what was confirmed and what is. Data only; `engine::drift` finds them.

use crate::{Component, Generation, HostId, Wall};
use serde::{Deserialize, Serialize};

/// What sort of difference it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// The object should be there and is not.
    Missing,
    /// The object should not be there and is.
    Surplus,
    /// A field has another value.
    Changed,
    /// The fact could not be read: not drift, but not proof either.
    Unreadable,
}

/// One difference, as text that a person and a program can both use.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// Kind of object.
    pub component: Component,
    /// Name of the object.
    pub object: String,
    /// Field, dotted; empty for the whole object.
    #[serde(default)]
    pub field: String,
    /// What sort of difference.
    pub kind: DifferenceKind,
    /// What should be, as text.
    #[serde(default)]
    pub desired: String,
    /// What is, as text.
    #[serde(default)]
    pub observed: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { component: _, object, field, kind, desired, observed } = self;
        match kind {
            DifferenceKind::Missing => write!(f, "{object}: missing"),
            DifferenceKind::Surplus => write!(f, "{object}: not in the desired state"),
            DifferenceKind::Changed => write!(f, "{object}: {field} is {observed}, should be {desired}"),
            DifferenceKind::Unreadable => write!(f, "{object}: {field} could not be read ({observed})"),
        }
    }
}

/// What one host reports when it is no longer as confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftReport {
    /// The host.
    pub host: HostId,
    /// The confirmed generation it was compared with.
    pub generation: Generation,
    /// When the differences were first seen.
    pub first_seen: Wall,
    /// When they were last seen.
    pub last_seen: Wall,
    /// The differences; empty means the drift is gone.
    pub differences: Vec<Difference>,
}

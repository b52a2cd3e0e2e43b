//! A plan: the exact calls for one host, each with its way back. Data only; `engine::plan` makes it.

use crate::Operation;
use serde::{Deserialize, Serialize};

/// Effect of a step on traffic; ordered from harmless to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disruption {
    /// No traffic notices.
    #[default]
    None,
    /// A link goes down and up.
    LinkBounce,
    /// Traffic of some objects stops for a while or changes its path.
    TrafficLoss,
    /// An object is removed and made anew.
    Replace,
    /// The host's own way to the coordinator is touched without a safe order.
    ManagementPath,
}

impl Disruption {
    /// The word used in documents, SQL and on screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::LinkBounce => "link_bounce",
            Self::TrafficLoss => "traffic_loss",
            Self::Replace => "replace",
            Self::ManagementPath => "management_path",
        }
    }
}

impl std::fmt::Display for Disruption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// SHA-256 over the canonical form of a plan's steps, in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlanDigest(pub String);

impl std::fmt::Display for PlanDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A network object by kind and name, for messages.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    /// What it is.
    pub component: crate::Component,
    /// Its name.
    pub name: String,
}

/// One call and the calls that undo it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The call.
    pub operation: Operation,
    /// The calls that restore the state before, in order.
    pub inverse: Vec<Operation>,
    /// Effect on traffic.
    pub disruption: Disruption,
}

/// The calls that bring one host from what is to what should be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The calls in order.
    pub steps: Vec<Step>,
    /// The worst effect of all steps.
    pub disruption: Disruption,
    /// Digest over the steps.
    pub digest: PlanDigest,
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

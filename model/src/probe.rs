//! Local proofs of a change: a ping from one adapter of the host, and what came of it.
//!
//! Owns: the words in which the engine asks for a ping and the agent answers. Must not: choose
//! targets or decide what a verdict means. Called by `engine`, the agent and the coordinator.

use crate::{NetstackName, VmkName};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// A ping to send.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Name for people, e.g. `gateway of vmk0`; unique within one round of probes.
    pub name: String,
    /// Adapter it leaves by.
    pub vmk: VmkName,
    /// Netstack of the adapter.
    pub netstack: NetstackName,
    /// Where to.
    pub target: Ipv4Addr,
    /// Payload in bytes, sent with do-not-fragment; `None` is a small packet that may be cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u16>,
}

/// What a probe found. Unknown is never taken for a pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ProbeVerdict {
    /// At least one packet was answered.
    Pass,
    /// Packets went out and none was answered.
    Fail {
        /// What was seen.
        detail: String,
    },
    /// It could not be told: the ping did not run, or its output could not be read.
    Unknown {
        /// Why.
        detail: String,
    },
}

impl ProbeVerdict {
    /// Whether it proves that the path works.
    #[must_use]
    pub fn passed(&self) -> bool {
        matches!(self, Self::Pass)
    }

    /// The kind in one word.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail { .. } => "fail",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// What was seen; empty for a pass.
    #[must_use]
    pub fn detail(&self) -> &str {
        match self {
            Self::Pass => "",
            Self::Fail { detail } | Self::Unknown { detail } => detail,
        }
    }
}

impl std::fmt::Display for ProbeVerdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pass => f.write_str("pass"),
            Self::Fail { detail } => write!(f, "fail: {detail}"),
            Self::Unknown { detail } => write!(f, "unknown: {detail}"),
        }
    }
}

/// A probe with its verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeResult {
    /// What was asked.
    pub probe: Probe,
    /// What was found.
    pub verdict: ProbeVerdict,
}

impl std::fmt::Display for ProbeResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}", self.probe.name, self.probe.target)?;
        if let Some(size) = self.probe.size {
            write!(f, ", {size} bytes unfragmented")?;
        }
        write!(f, "): {}", self.verdict)
    }
}

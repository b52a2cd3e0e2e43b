//! Front matter of an RFC document: why a change is made and how it rolls out.

use crate::{Disruption, RfcId, WaveSize};
use serde::{Deserialize, Serialize};

/// How a change is handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeType {
    /// Known and routine.
    Standard,
    /// The usual case.
    Normal,
    /// Now.
    Emergency,
}

/// States an author may write; the others live in SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RfcStatus {
    /// Being written.
    Draft,
    /// Ready for review.
    Proposed,
    /// Taken back.
    Withdrawn,
}

/// Who has to agree.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approvers {
    /// How many people.
    pub required: u32,
    /// From which teams.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
}

/// Effect on services in the author's words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RfcImpact {
    /// Services touched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// Outage the author expects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_outage: Option<String>,
    /// What happens when the change is not made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_not_done: Option<String>,
}

/// Risk in the author's judgement, 1 (low) to 5 (high).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RfcRisk {
    /// 1 to 5.
    pub likelihood: u8,
    /// 1 to 5.
    pub impact: u8,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Worst disruption the author asks to allow; `management_path` needs to be named here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<Disruption>,
}

/// Which hosts the change may touch.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RfcTargets {
    /// Groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Hosts left out for now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<crate::HostId>,
}

/// How the change rolls out; what is missing comes from the group.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RfcRollout {
    /// Hosts of the first wave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<u32>,
    /// Later waves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waves: Option<Vec<WaveSize>>,
    /// Hosts at work at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u32>,
    /// Wait between waves, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak_secs: Option<u64>,
    /// Failed hosts tolerated after the canary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_budget: Option<u32>,
    /// Confirm window, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_timeout_secs: Option<u64>,
}

/// Whether peers have to vouch for the adapters that the change touches and that talk to peers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RfcWitnesses {
    /// `false`: no peer is asked, e.g. because the whole network moves and its peers are still on the old one.
    pub required: bool,
    /// Why not; needed with `false`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// Relations to other things.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RfcLinks {
    /// Ticket elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// The RFC this one takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverts: Option<RfcId>,
    /// RFCs that must be implemented before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<RfcId>,
    /// RFCs this one replaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supersedes: Vec<RfcId>,
}

impl RfcFrontMatter {
    /// Why no peer has to vouch for the change; `None`: peers do.
    #[must_use]
    pub fn witnesses_waived(&self) -> Option<&str> {
        self.witnesses
            .as_ref()
            .filter(|witnesses| !witnesses.required)
            .map(|witnesses| witnesses.reason.trim())
    }
}

/// The YAML front matter of `rfcs/NNNN-slug.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RfcFrontMatter {
    /// Number; equals the number in the file name.
    pub rfc: RfcId,
    /// One line.
    pub title: String,
    /// How it is handled.
    #[serde(rename = "type")]
    pub change_type: ChangeType,
    /// Author's state.
    pub status: RfcStatus,
    /// Who wrote it.
    pub authors: Vec<String>,
    /// Who has to agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvers: Option<Approvers>,
    /// Why.
    pub reason: String,
    /// Effect on services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impact: Option<RfcImpact>,
    /// Risk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<RfcRisk>,
    /// Which hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<RfcTargets>,
    /// How it rolls out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RfcRollout>,
    /// Local proofs on each host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<String>,
    /// Proofs by other hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witnesses: Option<RfcWitnesses>,
    /// The way back in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backout: Option<String>,
    /// How it was tested.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<String>,
    /// Relations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<RfcLinks>,
}

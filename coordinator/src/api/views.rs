//! What the operator API says, as types: the server writes them, the command line reads them.
//!
//! Owns: the JSON form of every answer and request below `/api/v1`. Documents of `model` stand in them as they are.
//! Must not: read the database, beyond the form of its rows. Called by the handlers and by the operator's verbs.

mod identity;

pub use identity::{ApproveRequest, EnrolmentView, IdentityView, TokenRequest, TokenView};
mod people;

pub use people::{
    ApiTokenRequest, ApiTokenView, PasswordRequest, RedeemRequest, SessionView, SignInMethodsView,
    SignInRequest, UserChangeRequest, UserRequest, UserView, WhoamiView,
};

use crate::store::undone::UndoneRecord;
use model::{
    ApplyOutcome, ApplyPhase, ChangeId, Difference, Disruption, Finding, Generation, GroupDocument,
    HostFacts, HostGroupId, HostId, Labels, ObservedNetwork, PlanDigest, RfcFrontMatter, RfcId, RolloutId,
    RolloutPhase, RolloutSpec, Step, Wall,
};
use serde::{Deserialize, Serialize};

/// A page of a long list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PageView<T> {
    /// The items.
    pub items: Vec<T>,
    /// Give this as `cursor` for the next page; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T> PageView<T> {
    /// Everything there is.
    pub fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}

/// The coordinator itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatusView {
    /// Name of this coordinator.
    pub coordinator: String,
    /// Name of the coordinator that leads; another name than `coordinator`: this one stands by.
    pub leader: Option<String>,
    /// Number of its term, when this one leads.
    pub term: Option<u64>,
    /// Release of the coordinator.
    pub version: String,
    /// `sqlite` or `postgresql`.
    pub database: String,
    /// Last commit of the configuration repository that was read.
    pub repository_head: Option<String>,
    /// Hosts with an open stream.
    pub connected_hosts: usize,
    /// Rollouts that have not ended.
    pub active_rollouts: usize,
}

/// A host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostView {
    /// Its name.
    pub id: HostId,
    /// Its group, once known.
    pub group: Option<HostGroupId>,
    /// Its labels.
    pub labels: Labels,
    /// `expected`, `enrolled`, `quarantined` or `revoked`.
    pub status: String,
    /// Whether the documents name it.
    pub listed: bool,
    /// Whether its stream is open.
    pub connected: bool,
    /// Where it is with its order; absent while it is not connected.
    pub phase: Option<ApplyPhase>,
    /// Highest generation given out.
    pub generation_allocated: Generation,
    /// Generation it confirmed last.
    pub generation_committed: Generation,
    /// Change it confirmed last.
    pub committed_change: Option<ChangeId>,
    /// RFC of that change.
    pub committed_rfc: Option<RfcId>,
    /// When.
    pub committed_at: Option<Wall>,
    /// Whether its agent sees drift.
    pub drift: bool,
    /// A change that it had confirmed and that was undone on the host since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone: Option<UndoneView>,
    /// When it was last heard of.
    pub last_seen: Option<Wall>,
    /// Release of its agent.
    pub agent_version: Option<String>,
    /// What it says of itself.
    pub facts: Option<HostFacts>,
    /// When its newest observation last arrived.
    pub observed_at: Option<Wall>,
}

/// A confirmed change that was undone on its host, e.g. by a person at the console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoneView {
    /// The change.
    pub change: ChangeId,
    /// Its RFC.
    pub rfc: Option<RfcId>,
    /// Its generation.
    pub generation: Generation,
    /// Why, in the words of the host.
    pub reason: String,
    /// When the host told it.
    pub at: Wall,
}

impl UndoneView {
    /// The change as people know it.
    pub fn name(&self) -> String {
        self.rfc.map_or_else(|| format!("change {}", self.change), |rfc| rfc.to_string())
    }
}

impl From<UndoneRecord> for UndoneView {
    fn from(record: UndoneRecord) -> Self {
        let UndoneRecord { host: _, change, rfc, generation, reason, at } = record;
        Self { change, rfc, generation, reason, at }
    }
}

/// What a host looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObservedView {
    /// The host.
    pub host: HostId,
    /// When this last arrived.
    pub observed_at: Wall,
    /// Content hash.
    pub hash: String,
    /// The observation.
    pub network: ObservedNetwork,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupView {
    /// Its name.
    pub id: HostGroupId,
    /// Its document; absent while only a token named it.
    pub document: Option<GroupDocument>,
    /// Whether the documents name it.
    pub listed: bool,
}

/// An RFC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RfcView {
    /// Its number.
    pub number: RfcId,
    /// Its title.
    pub title: String,
    /// Where it is in its life.
    pub state: String,
    /// Who committed it.
    pub author: String,
    /// Path in the repository.
    pub path: String,
    /// Commit it was read from.
    pub commit: String,
    /// Its front matter.
    pub document: RfcFrontMatter,
    /// When it last changed.
    pub updated: Wall,
}

/// An accepted or refused commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangeView {
    /// Its id.
    pub id: ChangeId,
    /// The commit.
    pub commit: String,
    /// The commit it was compared with.
    pub parent: Option<String>,
    /// Its RFC.
    pub rfc: Option<RfcId>,
    /// Who committed it.
    pub author: String,
    /// First line of the commit message.
    pub summary: String,
    /// `accepted`, `refused` or `superseded`.
    pub status: String,
    /// Findings that are errors.
    pub errors: usize,
    /// When it was seen.
    pub created: Wall,
}

/// A change with everything known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangeDetailView {
    /// In short.
    #[serde(flatten)]
    pub change: ChangeView,
    /// Its rollout, when it has one.
    pub rollout: Option<RolloutId>,
    /// Everything found.
    pub findings: Vec<Finding>,
    /// Its plans, by host.
    pub plans: Vec<PlanView>,
}

/// One host's plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanView {
    /// The host.
    pub host: HostId,
    /// The generation it makes.
    pub generation: Generation,
    /// Its digest.
    pub digest: PlanDigest,
    /// Worst effect on traffic.
    pub disruption: Disruption,
    /// Its steps.
    pub steps: Vec<StepView>,
}

/// One step as an operator would type it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepView {
    /// The call.
    pub esxcli: String,
    /// Effect on traffic.
    pub disruption: Disruption,
    /// The calls that undo it.
    pub inverse: Vec<String>,
}

impl From<&Step> for StepView {
    fn from(step: &Step) -> Self {
        let Step { operation, inverse, disruption } = step;
        let line = |operation| match esxcli::argv(operation) {
            Ok(argv) => esxcli::display(&argv),
            Err(error) => format!("# not possible: {error}"),
        };
        Self { esxcli: line(operation), disruption: *disruption, inverse: inverse.iter().map(line).collect() }
    }
}

/// A rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RolloutView {
    /// Its id.
    pub id: RolloutId,
    /// Its change.
    pub change: ChangeId,
    /// Where it is.
    pub phase: RolloutPhase,
    /// Why it is there, for an operator.
    pub reason: Option<String>,
    /// How it is staged.
    pub spec: RolloutSpec,
    /// When it was accepted.
    pub created: Wall,
    /// When it last moved.
    pub updated: Wall,
    /// When it ended.
    pub ended: Option<Wall>,
}

/// A rollout with its waves and hosts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RolloutDetailView {
    /// In short.
    #[serde(flatten)]
    pub rollout: RolloutView,
    /// Its waves in order.
    pub waves: Vec<WaveView>,
}

impl RolloutDetailView {
    /// Every host of the rollout.
    pub fn hosts(&self) -> impl Iterator<Item = &WaveHostView> {
        self.waves.iter().flat_map(|wave| &wave.hosts)
    }
}

/// One wave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WaveView {
    /// From 1; the first is the canary.
    pub number: u32,
    /// When it began.
    pub started: Option<Wall>,
    /// When its last host ended.
    pub ended: Option<Wall>,
    /// Its hosts.
    pub hosts: Vec<WaveHostView>,
}

/// One host in a wave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WaveHostView {
    /// The host.
    pub host: HostId,
    /// `pending`, `in_flight`, `unreachable` or how it ended.
    pub state: String,
    /// Whether its stream is open.
    pub connected: bool,
    /// Where it is with its order while it is at work.
    pub phase: Option<ApplyPhase>,
    /// How it ended, in full.
    pub outcome: Option<ApplyOutcome>,
}

/// One open difference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DriftView {
    /// The host.
    pub host: HostId,
    /// The confirmed generation it was compared with.
    pub generation: Generation,
    /// The difference.
    pub difference: Difference,
    /// When it was first seen.
    pub first_seen: Wall,
    /// When it was last seen.
    pub last_seen: Wall,
}

/// One entry of the audit trail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditView {
    /// From 1, without gaps.
    pub sequence: i64,
    /// When.
    pub at: Wall,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub subject: String,
    /// More, as the JSON text that was hashed.
    pub detail: String,
    /// Hash of the entry before.
    pub previous_hash: String,
    /// Hash of this entry.
    pub hash: String,
}

/// What verifying the audit trail found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum AuditVerdictView {
    /// Nothing was changed, added or taken out.
    Intact {
        /// Entries.
        entries: u64,
        /// Hash of the last one.
        head: String,
    },
    /// The chain is broken.
    Broken {
        /// The first entry that does not fit.
        sequence: i64,
        /// What does not fit.
        detail: String,
    },
}

/// Why an operator acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReasonRequest {
    /// In words; kept in the audit trail.
    pub reason: String,
}

/// Asks for another confirm window of a host with an open change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtendRequest {
    /// The host.
    pub host: HostId,
    /// The window in seconds, counted from its arrival at the host.
    pub secs: u64,
    /// Why; kept in the audit trail.
    #[serde(default)]
    pub reason: String,
}

/// An action was taken note of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedView {
    /// What happens now.
    pub message: String,
}

/// Which branch to review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewRequest {
    /// The branch.
    pub branch: String,
}

/// An error, as `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemView {
    /// HTTP status.
    pub status: u16,
    /// Word for programs, e.g. `not_found`.
    pub kind: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// What approvers sign of a change, and who has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseView {
    /// The change.
    pub change: ChangeId,
    /// Its author: does not approve it.
    pub author: String,
    /// First line of the commit message.
    pub summary: String,
    /// The exact text of the release manifest: what is signed.
    pub manifest: String,
    /// Hosts take nothing of it after this.
    pub not_after: Wall,
    /// How it stands.
    pub approval: ApprovalView,
    /// The signatures that came.
    pub signatures: Vec<SignatureView>,
}

/// How it stands with the approval of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalView {
    /// What is lacking, in words; absent when nothing is.
    pub waits_for: Option<String>,
    /// Set by set; none when nobody has to approve.
    pub sets: Vec<SetStandingView>,
}

/// How it stands with one approver set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetStandingView {
    /// A group, or `default`.
    pub name: String,
    /// Its version.
    pub version: u64,
    /// Hosts of the change that it speaks for.
    pub hosts: u64,
    /// Signatures it takes.
    pub threshold: u32,
    /// Who signed, and counts.
    pub approved_by: Vec<String>,
    /// Whose keys for emergencies signed.
    pub break_glass_by: Vec<String>,
    /// Whether it is enough.
    pub met: bool,
}

/// One signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureView {
    /// The person.
    pub approver: String,
    /// `approval` or `break_glass`.
    pub kind: String,
    /// Armoured SSHSIG over the manifest.
    pub signature: String,
    /// When it came.
    pub created: Wall,
}

/// One host's part of a release, with the steps behind its plan digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleasePartView {
    /// The host.
    pub host: HostId,
    /// Its group.
    pub group: Option<HostGroupId>,
    /// The exact text of its order.
    pub order: String,
    /// What it had committed when the change was accepted; 0 for nothing.
    pub parent: Generation,
    /// Its wave, from 0.
    pub wave: u32,
    /// The steps of its plan.
    pub steps: Vec<Step>,
}

/// An approver signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRequest {
    /// Armoured SSHSIG over the manifest.
    pub signature: String,
}

/// Brings the first version of an approver set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApproverSetRequest {
    /// The exact text of the set.
    pub document: String,
}

/// The newest version of an approver set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApproverSetView {
    /// A group, or `default`.
    pub name: String,
    /// Its version.
    pub version: u64,
    /// Signatures it takes.
    pub threshold: u32,
    /// Names of its approvers.
    pub approvers: Vec<String>,
    /// Names behind its keys for emergencies.
    pub break_glass: Vec<String>,
    /// The exact text.
    pub document: String,
    /// Who brought it.
    pub imported_by: String,
    /// When.
    pub created: Wall,
}

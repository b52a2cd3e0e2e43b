//! What approvers sign, and who they are: the release manifest of a change, its leaves, the approver
//! set a host has pinned, and the proof that travels beside an order. Data only; `engine::proof` judges.
//!
//! Manifest, leaf and set are signed or hashed as exact bytes: whoever holds bytes verifies them before
//! they are parsed, and never writes them anew.

use crate::{ChangeId, Generation, HostId, PlanDigest, RfcId, Sha256Hash, Wall};
use serde::{Deserialize, Serialize};

/// Format of manifest and approver set that this release reads and writes.
pub const RELEASE_FORMAT: u32 = 1;
/// Largest manifest, in bytes.
pub const MANIFEST_BYTES_MAX: usize = 4 * 1024;
/// Most signatures beside a manifest, and on a rotation.
pub const SIGNATURES_MAX: usize = 16;
/// Largest signature without armour, in bytes.
pub const SIGNATURE_BYTES_MAX: usize = 2 * 1024;
/// Longest path from a leaf to the root: no fleet has more hosts than that many doublings.
pub const PATH_STEPS_MAX: usize = 32;
/// Largest approver set, in bytes.
pub const APPROVER_SET_BYTES_MAX: usize = 32 * 1024;
/// Largest rotation document, in bytes: a set, its signatures in armour, and JSON around them.
pub const ROTATION_BYTES_MAX: usize = 2 * APPROVER_SET_BYTES_MAX + SIGNATURES_MAX * 2 * SIGNATURE_BYTES_MAX;

/// What approvers sign: one change for a closed list of hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseManifest {
    /// [`RELEASE_FORMAT`].
    pub format: u32,
    /// The configuration repository, as the coordinator names it.
    pub repository: String,
    /// The accepted proposal.
    pub change: ChangeId,
    /// Its RFC document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rfc: Option<RfcId>,
    /// Commit of the configuration repository.
    pub commit: String,
    /// From 1; a change gets further manifests for hosts that come late.
    pub number: u32,
    /// Root of the Merkle tree over the leaves, ordered by host.
    pub root: Sha256Hash,
    /// How many leaves there are.
    pub hosts: u32,
    /// Per wave, from wave 0: no host of it begins earlier than this long after `not_before`, in seconds.
    pub wave_delays_secs: Vec<u64>,
    /// No order is taken before this.
    pub not_before: Wall,
    /// No order is taken after this.
    pub not_after: Wall,
}

/// One host's part of a release. It is not sent: the host builds it from its order and the proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseLeaf {
    /// The host.
    pub host: HostId,
    /// Generation of the order.
    pub generation: Generation,
    /// Generation the host had committed when the change was accepted; 0 for none.
    pub parent: Generation,
    /// The wave, from 0.
    pub wave: u32,
    /// Over the canonical JSON of what should be.
    pub desired_sha256: Sha256Hash,
    /// The plan that was reviewed.
    pub plan_digest: PlanDigest,
    /// Over the exact bytes of the order: whatever it says is covered.
    pub order_sha256: Sha256Hash,
}

/// What travels beside an order and proves it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReleaseProof {
    /// The exact bytes of the [`ReleaseManifest`].
    pub manifest: Vec<u8>,
    /// The approvers' signatures over these bytes: SSHSIG without armour.
    pub signatures: Vec<Vec<u8>>,
    /// As in the leaf.
    pub parent: Generation,
    /// As in the leaf.
    pub wave: u32,
    /// Position of the leaf, from 0.
    pub leaf_index: u32,
    /// Hashes of the siblings, bottom-up.
    pub path: Vec<Sha256Hash>,
    /// Ed25519 over order and manifest, by the coordinator's order key.
    pub coordinator_signature: Vec<u8>,
}

/// One person who may approve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approver {
    /// The person; the same name counts once.
    pub name: String,
    /// E-mail address as in the person's commits: an author does not approve the own change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Public key as in an `authorized_keys` file: `ssh-ed25519 AAAA...`.
    pub key: String,
}

/// Who may approve changes of a group of hosts, and how many of them it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApproverSet {
    /// [`RELEASE_FORMAT`].
    pub format: u32,
    /// Only grows.
    pub version: u64,
    /// What the set is for: a group, or `default`.
    pub name: String,
    /// The configuration repository whose releases these people approve; none for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Signatures it takes.
    pub threshold: u32,
    /// The approvers.
    pub approvers: Vec<Approver>,
    /// Keys for emergencies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub break_glass: Vec<Approver>,
    /// Signatures of break-glass keys it takes; 0 when there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub break_glass_threshold: u32,
    /// The set proves nothing after this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Wall>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form serde asks for")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl ApproverSet {
    /// A set for any repository, without emergency keys and without an end.
    #[must_use]
    pub fn new(name: impl Into<String>, version: u64, threshold: u32, approvers: Vec<Approver>) -> Self {
        Self {
            format: RELEASE_FORMAT,
            version,
            name: name.into(),
            repository: None,
            threshold,
            approvers,
            break_glass: Vec::new(),
            break_glass_threshold: 0,
            not_after: None,
        }
    }
}

/// A newer approver set, signed by a threshold of the old one and of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApproverRotation {
    /// The exact text of the new [`ApproverSet`]: what is signed.
    pub set: String,
    /// Armoured signatures as `ssh-keygen -Y sign -n pointsman-approvers` writes them.
    pub signatures: Vec<String>,
}

/// What a host does with an order that approvers did not prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalMode {
    /// Refuses it.
    #[default]
    Enforce,
    /// Takes it, and says what is lacking.
    Warn,
    /// Does not look for a proof.
    Off,
}

impl ApprovalMode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Enforce, Self::Warn, Self::Off];

    /// The word used in settings, SQL, JSON and on screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Warn => "warn",
            Self::Off => "off",
        }
    }

    /// The mode a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == word)
    }
}

/// What an order lacks to be proven; the words are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnprovenKind {
    /// The host has no approver set.
    NoApproverSet,
    /// The approver set is too old to prove anything.
    ApproverSetExpired,
    /// The order came without a proof.
    ProofMissing,
    /// A part of the proof is over its limit.
    ProofTooLarge,
    /// The coordinator's own signature is missing or wrong.
    CoordinatorSignature,
    /// A signature cannot be read.
    SignatureMalformed,
    /// A signature by a known key is wrong.
    SignatureWrong,
    /// Too few approvers signed.
    ThresholdNotMet,
    /// The manifest is signed, but cannot be understood.
    ManifestMalformed,
    /// The manifest is for another configuration repository.
    OtherRepository,
    /// The manifest is for another change or commit than the order.
    OtherChange,
    /// The order is not a part of the release.
    NotInRelease,
    /// The release does not hold yet.
    NotYetValid,
    /// The release does not hold any more.
    Expired,
    /// The wave of this host has not begun.
    WaveTooEarly,
    /// The release was approved for a host with another committed generation.
    ParentDiffers,
}

impl UnprovenKind {
    /// Every kind.
    pub const ALL: [Self; 16] = [
        Self::NoApproverSet,
        Self::ApproverSetExpired,
        Self::ProofMissing,
        Self::ProofTooLarge,
        Self::CoordinatorSignature,
        Self::SignatureMalformed,
        Self::SignatureWrong,
        Self::ThresholdNotMet,
        Self::ManifestMalformed,
        Self::OtherRepository,
        Self::OtherChange,
        Self::NotInRelease,
        Self::NotYetValid,
        Self::Expired,
        Self::WaveTooEarly,
        Self::ParentDiffers,
    ];

    /// The word used in SQL, JSON and on screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoApproverSet => "no_approver_set",
            Self::ApproverSetExpired => "approver_set_expired",
            Self::ProofMissing => "proof_missing",
            Self::ProofTooLarge => "proof_too_large",
            Self::CoordinatorSignature => "coordinator_signature",
            Self::SignatureMalformed => "signature_malformed",
            Self::SignatureWrong => "signature_wrong",
            Self::ThresholdNotMet => "threshold_not_met",
            Self::ManifestMalformed => "manifest_malformed",
            Self::OtherRepository => "other_repository",
            Self::OtherChange => "other_change",
            Self::NotInRelease => "not_in_release",
            Self::NotYetValid => "not_yet_valid",
            Self::Expired => "expired",
            Self::WaveTooEarly => "wave_too_early",
            Self::ParentDiffers => "parent_differs",
        }
    }
}

/// Why an order is not proven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(deny_unknown_fields)]
#[error("not proven ({}): {detail}", kind.as_str())]
pub struct Unproven {
    /// What is lacking.
    pub kind: UnprovenKind,
    /// The particulars, and what to do.
    pub detail: String,
}

/// What is to be said of the approval of an order that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalNote {
    /// It was proven by keys for emergencies.
    BreakGlass {
        /// Whose.
        names: Vec<String>,
    },
    /// It was not proven; this host only warns.
    Unproven(Unproven),
}

#[cfg(test)]
mod tests;

//! An approver set that can be relied on, who of it signed, and how one set follows another.
//!
//! Owns: the rules of a set and of its rotation. Must not: keep sets; the agent pins one, the coordinator
//! stores them.

use super::key::SshPublicKey;
use super::ssh::SshError;
use super::sshsig::{SshSignature, dearmour};
use super::{NAMESPACE_APPROVERS, NAMESPACE_BREAK_GLASS, NAMESPACE_CHANGE};
use model::{
    APPROVER_SET_BYTES_MAX, Approver, ApproverRotation, ApproverSet, RELEASE_FORMAT, SIGNATURES_MAX,
    Unproven, UnprovenKind, Wall,
};
use std::collections::BTreeSet;

/// Most people in one set, and most keys for emergencies.
pub const APPROVERS_MAX: usize = 64;
/// Longest name or e-mail address, in bytes.
const NAME_BYTES_MAX: usize = 128;

/// Why an approver set cannot be relied on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// It is too large.
    #[error("the approver set has {bytes} bytes, more than the {APPROVER_SET_BYTES_MAX} allowed")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// It cannot be parsed.
    #[error("the approver set cannot be understood: {detail}")]
    Malformed {
        /// Where and why.
        detail: String,
    },
    /// A rule is broken.
    #[error("the approver set cannot be used: {problem}")]
    Unusable {
        /// Which one, and where.
        problem: String,
    },
    /// A key cannot be used.
    #[error("the key of {name} cannot be used")]
    Key {
        /// Whose.
        name: String,
        /// Why.
        source: SshError,
    },
}

/// Why a newer set does not replace the pinned one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RotationError {
    /// A signature cannot be used.
    #[error("a signature of the rotation cannot be used: {0}")]
    Signature(Unproven),
    /// Too few of the people who are pinned now agreed.
    #[error("{signed} of {needed} approvers of the pinned set (version {version}) signed the new set")]
    OldThreshold {
        /// How many did.
        signed: usize,
        /// How many it takes.
        needed: u32,
        /// Version of the pinned set.
        version: u64,
    },
    /// Too few of the people of the new set agreed.
    #[error("{signed} of {needed} approvers of the new set signed it")]
    NewThreshold {
        /// How many did.
        signed: usize,
        /// How many it takes.
        needed: u32,
    },
    /// The pinned set may not say who follows.
    #[error(
        "the pinned set (version {version}) has ended and names no successor: pin another one at the console"
    )]
    Ended {
        /// Version of the pinned set.
        version: u64,
    },
    /// The new set is not a good one.
    #[error("the new set is not usable")]
    Set(#[from] SetError),
    /// It is not newer.
    #[error("the new set has version {offered}, the pinned one has {held}: versions only grow")]
    NotNewer {
        /// Its version.
        offered: u64,
        /// The pinned version.
        held: u64,
    },
    /// It is for something else.
    #[error(
        "the new set is for `{offered}`, the pinned one for `{held}`: pin it at the console if that is wanted"
    )]
    OtherName {
        /// Its name.
        offered: String,
        /// The name of the pinned set.
        held: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    person: Approver,
    key: SshPublicKey,
}

/// A checked approver set with its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedSet {
    set: ApproverSet,
    approvers: Vec<Member>,
    break_glass: Vec<Member>,
}

/// Who signed, by name; each counts once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signers {
    /// Approvers.
    pub approvers: BTreeSet<String>,
    /// Holders of keys for emergencies.
    pub break_glass: BTreeSet<String>,
}

/// What signatures are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Enough approvers.
    Approved,
    /// Enough keys for emergencies.
    BreakGlass,
    /// Neither.
    Lacking,
}

impl TrustedSet {
    /// Reads and checks the bytes of a set.
    pub fn parse(bytes: &[u8]) -> Result<Self, SetError> {
        if bytes.len() > APPROVER_SET_BYTES_MAX {
            return Err(SetError::TooLarge { bytes: bytes.len() });
        }
        let set = serde_json::from_slice(bytes);
        Self::new(set.map_err(|error| SetError::Malformed { detail: error.to_string() })?)
    }

    /// Checks a set.
    pub fn new(set: ApproverSet) -> Result<Self, SetError> {
        let unusable = |problem: String| SetError::Unusable { problem };
        if set.format != RELEASE_FORMAT {
            return Err(unusable(format!("format {} is not known, use {RELEASE_FORMAT}", set.format)));
        }
        if set.version == 0 {
            return Err(unusable("version 0: begin with 1".to_owned()));
        }
        check_text("name of the set", &set.name)?;
        let approvers = members("approvers", &set.approvers, set.threshold)?;
        if set.break_glass.is_empty() != (set.break_glass_threshold == 0) {
            let problem = "break_glass and break_glass_threshold go together, or are both left out";
            return Err(unusable(problem.to_owned()));
        }
        let break_glass = match set.break_glass.as_slice() {
            [] => Vec::new(),
            people => members("break_glass", people, set.break_glass_threshold)?,
        };
        let mut keys = BTreeSet::new();
        for member in approvers.iter().chain(&break_glass) {
            if !keys.insert(member.key.blob()) {
                return Err(unusable(format!("the key of {} is there twice", member.person.name)));
            }
        }
        Ok(Self { set, approvers, break_glass })
    }

    /// What it says.
    #[must_use]
    pub fn set(&self) -> &ApproverSet {
        &self.set
    }

    /// The people with their keys: approvers, then those for emergencies.
    pub fn keys(&self) -> impl Iterator<Item = (&Approver, &SshPublicKey)> {
        self.approvers.iter().chain(&self.break_glass).map(|member| (&member.person, &member.key))
    }

    /// Whose signature this is under the namespace it names; none for a stranger's. It is not verified.
    #[must_use]
    pub fn owner(&self, signature: &SshSignature) -> Option<&Approver> {
        self.member(signature).map(|member| &member.person)
    }

    fn member(&self, signature: &SshSignature) -> Option<&Member> {
        let members = match signature.namespace() {
            NAMESPACE_BREAK_GLASS => &self.break_glass,
            _ => &self.approvers,
        };
        members.iter().find(|member| member.key.blob() == signature.key_blob())
    }

    /// Who of this set signed `manifest`. A signature of a stranger does not count; one that cannot be read,
    /// is wrong, or was made for something else than a release spoils all.
    pub fn signers(&self, manifest: &[u8], signatures: &[Vec<u8>]) -> Result<Signers, Unproven> {
        self.count(manifest, signatures, &[NAMESPACE_CHANGE, NAMESPACE_BREAK_GLASS])
    }

    fn count(
        &self,
        message: &[u8],
        signatures: &[Vec<u8>],
        namespaces: &[&str],
    ) -> Result<Signers, Unproven> {
        if signatures.len() > SIGNATURES_MAX {
            let detail = format!("{} signatures, {SIGNATURES_MAX} are allowed", signatures.len());
            return Err(Unproven { kind: UnprovenKind::ProofTooLarge, detail });
        }
        let mut signers = Signers::default();
        for blob in signatures {
            let signature = SshSignature::parse(blob).map_err(|error| Unproven {
                kind: UnprovenKind::SignatureMalformed,
                detail: error.to_string(),
            })?;
            let wrong = |detail| Unproven { kind: UnprovenKind::SignatureWrong, detail };
            let namespace = signature.namespace();
            if !namespaces.contains(&namespace) {
                let shown: String = namespace.chars().take(NAME_BYTES_MAX).collect();
                let detail = format!("made for `{shown}`, not for `{}`", namespaces.join("` or `"));
                return Err(wrong(detail));
            }
            let Some(member) = self.member(&signature) else { continue };
            let name = &member.person.name;
            signature.verify(&member.key, message).map_err(|error| wrong(format!("{name}: {error}")))?;
            let side = match namespace {
                NAMESPACE_BREAK_GLASS => &mut signers.break_glass,
                _ => &mut signers.approvers,
            };
            side.insert(name.clone());
        }
        Ok(signers)
    }

    /// What these signers are worth.
    #[must_use]
    pub fn standing(&self, signers: &Signers) -> Standing {
        if reaches(&signers.approvers, self.set.threshold) {
            Standing::Approved
        } else if self.set.break_glass_threshold > 0
            && reaches(&signers.break_glass, self.set.break_glass_threshold)
        {
            Standing::BreakGlass
        } else {
            Standing::Lacking
        }
    }

    /// Whether it proves nothing any more.
    #[must_use]
    pub fn has_ended(&self, now: Wall) -> bool {
        self.set.not_after.is_some_and(|end| now > end)
    }

    /// The set that follows this one. The bytes of the new set are verified with the pinned keys before
    /// they are parsed. A set that has ended names no successor either: when it was signed, nobody can tell.
    pub fn rotate(&self, rotation: &ApproverRotation, now: Wall) -> Result<Self, RotationError> {
        if self.has_ended(now) {
            return Err(RotationError::Ended { version: self.set.version });
        }
        let (bytes, armoured) = (rotation.set.as_bytes(), &rotation.signatures);
        let signatures = armoured.iter().take(SIGNATURES_MAX + 1).map(|text| dearmour(text));
        let signatures: Vec<Vec<u8>> = signatures.collect::<Result<_, _>>().map_err(|error| {
            let detail = error.to_string();
            RotationError::Signature(Unproven { kind: UnprovenKind::SignatureMalformed, detail })
        })?;
        let count = |set: &Self| -> Result<usize, RotationError> {
            let signers = set.count(bytes, &signatures, &[NAMESPACE_APPROVERS]);
            Ok(signers.map_err(RotationError::Signature)?.approvers.len())
        };
        let (signed, needed) = (count(self)?, self.set.threshold);
        if signed < as_count(needed) {
            return Err(RotationError::OldThreshold { signed, needed, version: self.set.version });
        }
        let new = Self::parse(bytes)?;
        if new.set.version <= self.set.version {
            return Err(RotationError::NotNewer { offered: new.set.version, held: self.set.version });
        }
        if new.set.name != self.set.name {
            return Err(RotationError::OtherName {
                offered: new.set.name.clone(),
                held: self.set.name.clone(),
            });
        }
        let (signed, needed) = (count(&new)?, new.set.threshold);
        if signed < as_count(needed) {
            return Err(RotationError::NewThreshold { signed, needed });
        }
        Ok(new)
    }
}

fn as_count(threshold: u32) -> usize {
    usize::try_from(threshold).unwrap_or(usize::MAX)
}

fn reaches(names: &BTreeSet<String>, threshold: u32) -> bool {
    names.len() >= as_count(threshold)
}

/// Reads the keys; there must be enough different people.
fn members(list: &'static str, people: &[Approver], threshold: u32) -> Result<Vec<Member>, SetError> {
    let unusable = |problem: String| SetError::Unusable { problem };
    if people.len() > APPROVERS_MAX {
        return Err(unusable(format!("{list} has {} entries, {APPROVERS_MAX} are allowed", people.len())));
    }
    let names: BTreeSet<&str> = people.iter().map(|person| person.name.as_str()).collect();
    if threshold == 0 || as_count(threshold) > names.len() {
        let problem = format!("the threshold of {list} is {threshold}, with {} different names", names.len());
        return Err(unusable(problem));
    }
    let member = |person: &Approver| {
        check_text("name of an approver", &person.name)?;
        person.email.as_deref().map_or(Ok(()), |email| check_text("e-mail address", email))?;
        let key = SshPublicKey::parse_line(&person.key);
        let key = key.map_err(|source| SetError::Key { name: person.name.clone(), source })?;
        Ok(Member { person: person.clone(), key })
    };
    people.iter().map(member).collect()
}

fn check_text(what: &'static str, text: &str) -> Result<(), SetError> {
    if text.trim().is_empty() || text.len() > NAME_BYTES_MAX || text.chars().any(char::is_control) {
        let problem = format!("a {what} is empty, longer than {NAME_BYTES_MAX} bytes, or no plain text");
        return Err(SetError::Unusable { problem });
    }
    Ok(())
}

//! Whether people who may approve have approved an order: the proof pack.
//!
//! Owns: the signature formats, the Merkle tree, approver sets and their rotation, and the typed verdict.
//! Must not: sign with anything but tests, keep keys, read a clock. Called by the agent for every order,
//! by the coordinator when it makes releases and counts approvals, and by the offline check.
//!
//! ```text
//!   approvers' signatures --verify--> manifest bytes --parse--> root, waves, validity
//!                                                                 |
//!   order bytes + parent + wave --> leaf --hash, path--> root  == +
//! ```
//!
//! The manifest is verified before it is parsed. The order is parsed to build the leaf, after the
//! coordinator's own signature over its bytes was checked; nothing of it is acted on before the leaf is
//! found below the root.

mod approvers;
mod key;
mod leaf;
mod merkle;
mod order_key;
mod private_key;
mod ssh;
mod sshsig;

#[cfg(test)]
mod tests;

pub use approvers::{APPROVERS_MAX, RotationError, SetError, Signers, Standing, TrustedSet};
pub use key::SshPublicKey;
pub use leaf::{leaf_of, release_leaf_hash, to_bytes};
pub use merkle::{MerkleTree, is_included, leaf_hash};
pub use order_key::{ORDER_KEY_BYTES, check_order_signature, order_signing_bytes};
pub use private_key::{Ed25519Seed, parse_ed25519_private_key};
pub use ssh::SshError;
pub use sshsig::{SshSignature, armour, dearmour, encode_ed25519, signed_data};

use model::{
    MANIFEST_BYTES_MAX, Millis, Order, PATH_STEPS_MAX, RELEASE_FORMAT, ReleaseManifest, ReleaseProof,
    Unproven, UnprovenKind, Wall,
};

/// Namespace of an approver's signature over a release manifest.
pub const NAMESPACE_CHANGE: &str = "pointsman-change";
/// Namespace of a signature in an emergency.
pub const NAMESPACE_BREAK_GLASS: &str = "pointsman-break-glass";
/// Namespace of a signature over an approver set.
pub const NAMESPACE_APPROVERS: &str = "pointsman-approvers";
/// How far the clocks of coordinator and host may be apart.
pub const CLOCK_SKEW: Millis = Millis::from_secs(60);
/// Most waves a manifest may have.
const WAVES_MAX: usize = 256;

/// A proven order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The generation the host must have committed, inside the critical section.
    pub parent: model::Generation,
    /// Who approved, in order of name.
    pub names: Vec<String>,
    /// Whether it took the keys for emergencies.
    pub standing: Standing,
}

fn unproven<T>(kind: UnprovenKind, detail: impl Into<String>) -> Result<T, Unproven> {
    Err(Unproven { kind, detail: detail.into() })
}

/// Judges the proof of an order for a host that has pinned `set`. `order` is what `order_json` says.
///
/// That the order is for this host, newer than what it holds, and follows its committed generation, is for
/// the apply machine to see.
pub fn check(
    set: &TrustedSet,
    order_json: &[u8],
    order: &Order,
    proof: &ReleaseProof,
    now: Wall,
) -> Result<Proven, Unproven> {
    if proof.manifest.len() > MANIFEST_BYTES_MAX || proof.path.len() > PATH_STEPS_MAX {
        let (bytes, steps) = (proof.manifest.len(), proof.path.len());
        let detail = format!(
            "manifest of {bytes} bytes ({MANIFEST_BYTES_MAX} are allowed), path of {steps} steps ({PATH_STEPS_MAX})"
        );
        return unproven(UnprovenKind::ProofTooLarge, detail);
    }
    if set.has_ended(now) {
        let detail = format!("version {} has ended: pin another one at the console", set.set().version);
        return unproven(UnprovenKind::ApproverSetExpired, detail);
    }
    let (names, standing) = signed_by(set, proof)?;
    let manifest = parse_manifest(&proof.manifest)?;
    if let Some(repository) = &set.set().repository
        && *repository != manifest.repository
    {
        let detail = format!("release of `{}`, approvers of `{repository}`", manifest.repository);
        return unproven(UnprovenKind::OtherRepository, detail);
    }
    if manifest.change != order.change || manifest.commit != order.commit {
        let detail = format!(
            "release of change {} at {}, order of change {} at {}",
            manifest.change, manifest.commit, order.change, order.commit
        );
        return unproven(UnprovenKind::OtherChange, detail);
    }
    let leaf = leaf_of(order, order_json, proof.parent, proof.wave);
    if !is_included(release_leaf_hash(&leaf), proof.leaf_index, manifest.hosts, &proof.path, manifest.root) {
        let detail = format!("no such order among the {} of the release", manifest.hosts);
        return unproven(UnprovenKind::NotInRelease, detail);
    }
    check_times(&manifest, proof.wave, now)?;
    Ok(Proven { parent: proof.parent, names, standing })
}

fn signed_by(set: &TrustedSet, proof: &ReleaseProof) -> Result<(Vec<String>, Standing), Unproven> {
    let signers = set.signers(&proof.manifest, &proof.signatures)?;
    let standing = set.standing(&signers);
    let names = match standing {
        Standing::Approved => signers.approvers,
        Standing::BreakGlass => signers.break_glass,
        Standing::Lacking => {
            let (signed, needed) = (signers.approvers.len(), set.set().threshold);
            let by: Vec<String> = signers.approvers.into_iter().collect();
            let by = if by.is_empty() { String::new() } else { format!(" by {}", by.join(", ")) };
            let detail = format!(
                "{signed} of {needed} approvals{by}; approver set `{}` version {}",
                set.set().name,
                set.set().version
            );
            return unproven(UnprovenKind::ThresholdNotMet, detail);
        }
    };
    Ok((names.into_iter().collect(), standing))
}

/// Reads a manifest; call it only with bytes that were verified, or that nothing relies on.
pub fn parse_manifest(bytes: &[u8]) -> Result<ReleaseManifest, Unproven> {
    let malformed = |detail: String| Unproven { kind: UnprovenKind::ManifestMalformed, detail };
    let manifest: ReleaseManifest =
        serde_json::from_slice(bytes).map_err(|error| malformed(error.to_string()))?;
    if manifest.format != RELEASE_FORMAT {
        return Err(malformed(format!("format {} is not known: update the agent", manifest.format)));
    }
    let waves = manifest.wave_delays_secs.len();
    if waves == 0 || waves > WAVES_MAX {
        return Err(malformed(format!("{waves} waves: 1 to {WAVES_MAX} are allowed")));
    }
    if manifest.not_before > manifest.not_after {
        return Err(malformed("it ends before it begins".to_owned()));
    }
    Ok(manifest)
}

fn check_times(manifest: &ReleaseManifest, wave: u32, now: Wall) -> Result<(), Unproven> {
    let delay = usize::try_from(wave).ok().and_then(|wave| manifest.wave_delays_secs.get(wave));
    let Some(delay) = delay else {
        let detail = format!("wave {wave} is not one of its {}", manifest.wave_delays_secs.len());
        return unproven(UnprovenKind::NotInRelease, detail);
    };
    let latest = now.plus(CLOCK_SKEW);
    if latest < manifest.not_before {
        let detail = format!("begins in {} s by the host's clock", secs_between(now, manifest.not_before));
        return unproven(UnprovenKind::NotYetValid, detail);
    }
    if now > manifest.not_after.plus(CLOCK_SKEW) {
        let detail = format!("ended {} s ago by the host's clock", secs_between(manifest.not_after, now));
        return unproven(UnprovenKind::Expired, detail);
    }
    let begins = manifest.not_before.plus(Millis(delay.saturating_mul(1000)));
    if latest < begins {
        let detail = format!("wave {wave} begins in {} s by the host's clock", secs_between(now, begins));
        return unproven(UnprovenKind::WaveTooEarly, detail);
    }
    Ok(())
}

fn secs_between(from: Wall, until: Wall) -> u64 {
    until.0.saturating_sub(from.0).div_ceil(1000)
}

//! The evil coordinator with its stolen order key, against a host that asks for the approvers' signatures.

use crate::coordinator::Inside;
use crate::release::{self, HOUR, Person, Release, now};
use crate::stage::Attack;
use crate::verdict::Told;
use Person::{Ann, Bob, Cid, Eve, Mallory};
use anyhow::{Context, Result};
use engine::proof::{NAMESPACE_APPROVERS, NAMESPACE_BREAK_GLASS, NAMESPACE_CHANGE};
use model::{Generation, SIGNATURES_MAX, Sha256Hash, Wall};
use proto::v1;
use serde_json::json;

/// Everything it tries.
pub const ATTACKS: &[Attack<Inside>] = &[
    Attack { name: "proof_host_without_approvers", expected: &["unproven.no_approver_set"], run: no_set },
    Attack { name: "proof_damaged_approver_set", expected: &["unproven.no_approver_set"], run: damaged_set },
    Attack { name: "proof_approver_set_too_old", expected: &["unproven.approver_set_expired"], run: old_set },
    Attack { name: "proof_missing", expected: &["unproven.coordinator_signature"], run: missing },
    Attack {
        name: "proof_sealed_by_another_key",
        expected: &["unproven.coordinator_signature"],
        run: other_seal,
    },
    Attack {
        name: "proof_seal_of_another_order",
        expected: &["unproven.coordinator_signature"],
        run: moved_seal,
    },
    Attack { name: "proof_nobody_approved", expected: &["unproven.threshold_not_met"], run: nobody },
    Attack { name: "proof_threshold_not_met", expected: &["unproven.threshold_not_met"], run: one_of_two },
    Attack { name: "proof_one_approver_twice", expected: &["unproven.threshold_not_met"], run: twice },
    Attack {
        name: "proof_one_approver_and_a_stranger",
        expected: &["unproven.threshold_not_met"],
        run: stranger,
    },
    Attack {
        name: "proof_break_glass_key_as_approver",
        expected: &["unproven.threshold_not_met"],
        run: glass_key,
    },
    Attack {
        name: "proof_approvers_as_break_glass",
        expected: &["unproven.threshold_not_met"],
        run: as_glass,
    },
    Attack {
        name: "proof_signature_of_another_release",
        expected: &["unproven.signature_wrong"],
        run: other_release,
    },
    Attack {
        name: "proof_signature_of_a_git_commit",
        expected: &["unproven.signature_wrong"],
        run: git_signature,
    },
    Attack {
        name: "proof_signature_of_an_approver_set",
        expected: &["unproven.signature_wrong"],
        run: set_signature,
    },
    Attack {
        name: "proof_manifest_changed_after_signing",
        expected: &["unproven.signature_wrong"],
        run: edited,
    },
    Attack {
        name: "proof_signature_with_more_bytes",
        expected: &["unproven.signature_malformed"],
        run: longer,
    },
    Attack { name: "proof_signature_is_garbage", expected: &["unproven.signature_malformed"], run: garbage },
    Attack { name: "proof_too_many_signatures", expected: &["unproven.proof_too_large"], run: many },
    Attack { name: "proof_oversized_manifest", expected: &["unproven.proof_too_large"], run: oversized },
    Attack { name: "proof_path_too_long", expected: &["unproven.proof_too_large"], run: long_path },
    Attack {
        name: "proof_manifest_unknown_field",
        expected: &["unproven.manifest_malformed"],
        run: unknown_field,
    },
    Attack { name: "proof_manifest_of_tomorrow", expected: &["unproven.manifest_malformed"], run: format },
    Attack { name: "proof_other_repository", expected: &["unproven.other_repository"], run: repository },
    Attack { name: "proof_of_another_change", expected: &["unproven.other_change"], run: other_change },
    Attack { name: "proof_of_another_commit", expected: &["unproven.other_change"], run: other_commit },
    Attack {
        name: "proof_order_changed_after_approval",
        expected: &["unproven.not_in_release"],
        run: order_changed,
    },
    Attack {
        name: "proof_generation_raised_after_approval",
        expected: &["unproven.not_in_release"],
        run: raised,
    },
    Attack { name: "proof_tampered_path", expected: &["unproven.not_in_release"], run: tampered_path },
    Attack { name: "proof_shorter_path", expected: &["unproven.not_in_release"], run: shorter_path },
    Attack { name: "proof_leaf_of_another_host", expected: &["unproven.not_in_release"], run: other_leaf },
    Attack { name: "proof_lie_about_the_parent", expected: &["unproven.not_in_release"], run: parent_lie },
    Attack { name: "proof_lie_about_the_wave", expected: &["unproven.not_in_release"], run: wave_lie },
    Attack { name: "proof_wave_that_is_none", expected: &["unproven.not_in_release"], run: no_wave },
    Attack { name: "proof_not_yet_valid", expected: &["unproven.not_yet_valid"], run: not_yet },
    Attack { name: "proof_expired", expected: &["unproven.expired"], run: expired },
    Attack { name: "proof_wave_too_early", expected: &["unproven.wave_too_early"], run: early },
    Attack { name: "proof_for_another_parent", expected: &["unproven.parent_differs"], run: other_parent },
    Attack { name: "rotation_by_new_keys_only", expected: &["rotation_refused"], run: rotation_new_only },
    Attack { name: "rotation_by_old_keys_only", expected: &["rotation_refused"], run: rotation_old_only },
    Attack { name: "rotation_to_an_older_version", expected: &["rotation_refused"], run: rotation_older },
    Attack { name: "rotation_of_another_set", expected: &["rotation_refused"], run: rotation_other_name },
    Attack { name: "rotation_unsigned", expected: &["rotation_refused"], run: rotation_unsigned },
    Attack { name: "rotation_after_the_set_ended", expected: &["rotation_refused"], run: rotation_ended },
    Attack { name: "proof_by_a_removed_approver", expected: &["unproven.threshold_not_met"], run: removed },
];

/// Who may approve.
pub const PEOPLE: [Person; 3] = [Ann, Bob, Cid];

/// Offers a release that was changed, and waits for the refusal.
fn offer(at: &mut Inside, forge: impl FnOnce(Release) -> Result<v1::OrderOffer>) -> Result<Told> {
    let order = at.order();
    let release = Release::of(&order, at.committed, 0)?;
    let offer = forge(release)?;
    at.give_offer(offer, &order)
}

/// A good release, while something else is in the place of the host's approver set.
fn with_set(at: &mut Inside, other: impl FnOnce(&Inside) -> Result<()>) -> Result<Told> {
    let held = std::fs::read(at.set_file())?;
    other(at)?;
    let told = offer(at, |release| release.signed(&[Ann, Bob])?.sealed());
    std::fs::write(at.set_file(), held)?;
    told
}

fn no_set(at: &mut Inside) -> Result<Told> {
    with_set(at, |at| Ok(std::fs::remove_file(at.set_file())?))
}

fn damaged_set(at: &mut Inside) -> Result<Told> {
    with_set(at, |at| Ok(std::fs::write(at.set_file(), b"{\"format\":1}")?))
}

fn old_set(at: &mut Inside) -> Result<Told> {
    let yesterday = Wall(now().0.saturating_sub(24 * HOUR.0));
    let set = model::ApproverSet { not_after: Some(yesterday), ..release::approvers(1, &PEOPLE)? };
    with_set(at, |at| at.pin_set(&set))
}

fn missing(at: &mut Inside) -> Result<Told> {
    offer(at, |release| Ok(v1::OrderOffer { order_json: release.order_json, proof: None }))
}

fn other_seal(at: &mut Inside) -> Result<Told> {
    let key = ring::signature::Ed25519KeyPair::from_seed_unchecked(&[99; 32]);
    let key = key.map_err(|error| anyhow::anyhow!("no key: {error}"))?;
    offer(at, |release| release.signed(&[Ann, Bob])?.sealed_with(&key))
}

fn moved_seal(at: &mut Inside) -> Result<Told> {
    let other = Release::of(&at.order(), at.committed, 0)?.signed(&[Ann, Bob])?.sealed()?;
    let seal = other.proof.context("no proof")?.coordinator_signature;
    offer(at, |release| {
        let mut offer = release.signed(&[Ann, Bob])?.sealed()?;
        offer.proof.as_mut().context("no proof")?.coordinator_signature = seal;
        Ok(offer)
    })
}

fn nobody(at: &mut Inside) -> Result<Told> {
    offer(at, |release| release.signed(&[])?.sealed())
}

fn one_of_two(at: &mut Inside) -> Result<Told> {
    offer(at, |release| release.signed(&[Cid])?.sealed())
}

fn twice(at: &mut Inside) -> Result<Told> {
    offer(at, |release| release.signed(&[Ann, Ann, Ann])?.sealed())
}

fn stranger(at: &mut Inside) -> Result<Told> {
    offer(at, |release| release.signed(&[Ann, Mallory])?.sealed())
}

fn glass_key(at: &mut Inside) -> Result<Told> {
    offer(at, |release| release.signed(&[Ann, Eve])?.sealed())
}

fn as_glass(at: &mut Inside) -> Result<Told> {
    offer(at, |release| {
        let mut release = release.signed(&[])?;
        let manifest = release.proof.manifest.clone();
        release.proof.signatures =
            vec![Ann.sign(NAMESPACE_BREAK_GLASS, &manifest)?, Bob.sign(NAMESPACE_BREAK_GLASS, &manifest)?];
        release.sealed()
    })
}

/// The signature of an approver over something else, or under another name.
fn with_signature(at: &mut Inside, namespace: &str, message: Option<&[u8]>) -> Result<Told> {
    offer(at, |release| {
        let mut release = release.signed(&[Ann])?;
        let manifest = release.proof.manifest.clone();
        release.proof.signatures.push(Bob.sign(namespace, message.unwrap_or(&manifest))?);
        release.sealed()
    })
}

fn other_release(at: &mut Inside) -> Result<Told> {
    with_signature(at, NAMESPACE_CHANGE, Some(b"{}"))
}

fn git_signature(at: &mut Inside) -> Result<Told> {
    with_signature(at, "git", None)
}

fn set_signature(at: &mut Inside) -> Result<Told> {
    with_signature(at, NAMESPACE_APPROVERS, None)
}

fn edited(at: &mut Inside) -> Result<Told> {
    offer(at, |release| {
        let mut release = release.signed(&[Ann, Bob])?;
        release.manifest.not_after = now().plus(model::Millis(HOUR.0 * 1000));
        release.proof.manifest = engine::proof::to_bytes(&release.manifest);
        release.sealed()
    })
}

fn longer(at: &mut Inside) -> Result<Told> {
    offer(at, |release| {
        let mut release = release.signed(&[Ann, Bob])?;
        release.proof.signatures.iter_mut().for_each(|signature| signature.push(0));
        release.sealed()
    })
}

fn garbage(at: &mut Inside) -> Result<Told> {
    offer(at, |release| {
        let mut release = release.signed(&[Ann, Bob])?;
        release.proof.signatures.push(vec![0x42; 40]);
        release.sealed()
    })
}

fn many(at: &mut Inside) -> Result<Told> {
    offer(at, |release| release.signed(&[Mallory; SIGNATURES_MAX + 1])?.sealed())
}

fn oversized(at: &mut Inside) -> Result<Told> {
    offer(at, |mut release| {
        release.manifest.repository = "x".repeat(model::MANIFEST_BYTES_MAX);
        release.signed(&[Ann, Bob])?.sealed()
    })
}

fn long_path(at: &mut Inside) -> Result<Told> {
    offer(at, |mut release| {
        release.proof.path = vec![Sha256Hash([7; 32]); model::PATH_STEPS_MAX + 1];
        release.signed(&[Ann, Bob])?.sealed()
    })
}

fn unknown_field(at: &mut Inside) -> Result<Told> {
    offer(at, |release| {
        let mut manifest = serde_json::to_value(&release.manifest)?;
        manifest["also_run"] = json!("reboot");
        release.signed_bytes(serde_json::to_vec(&manifest)?, &[Ann, Bob])?.sealed()
    })
}

/// Changes the manifest before it is signed: the approvers were deceived, or it was meant for another day.
fn manifest(at: &mut Inside, change: impl FnOnce(&mut model::ReleaseManifest)) -> Result<Told> {
    offer(at, |mut release| {
        change(&mut release.manifest);
        release.signed(&[Ann, Bob])?.sealed()
    })
}

fn format(at: &mut Inside) -> Result<Told> {
    manifest(at, |manifest| manifest.format = 2)
}

fn repository(at: &mut Inside) -> Result<Told> {
    manifest(at, |manifest| manifest.repository = "another site".to_owned())
}

fn other_change(at: &mut Inside) -> Result<Told> {
    let other = model::ChangeId::new("another-change").map_err(anyhow::Error::msg)?;
    manifest(at, |manifest| manifest.change = other)
}

fn other_commit(at: &mut Inside) -> Result<Told> {
    manifest(at, |manifest| manifest.commit = "0000000".to_owned())
}

fn not_yet(at: &mut Inside) -> Result<Told> {
    manifest(at, |manifest| (manifest.not_before, manifest.not_after) = (now().plus(HOUR), now().plus(HOUR)))
}

fn expired(at: &mut Inside) -> Result<Told> {
    let before = |millis: u64| Wall(now().0.saturating_sub(millis));
    manifest(at, |manifest| (manifest.not_before, manifest.not_after) = (before(2 * HOUR.0), before(HOUR.0)))
}

/// Changes the order after it was approved.
fn order(at: &mut Inside, key: &str, value: serde_json::Value) -> Result<Told> {
    offer(at, |release| {
        let mut release = release.signed(&[Ann, Bob])?;
        let mut order: serde_json::Value = serde_json::from_slice(&release.order_json)?;
        order[key] = value;
        release.order_json = serde_json::to_vec(&order)?;
        release.sealed()
    })
}

fn order_changed(at: &mut Inside) -> Result<Told> {
    order(at, "disruption_allowed", json!("management_path"))
}

fn raised(at: &mut Inside) -> Result<Told> {
    order(at, "generation", json!(9_000))
}

/// Changes the proof after it was signed.
fn proof(at: &mut Inside, change: impl FnOnce(&mut model::ReleaseProof)) -> Result<Told> {
    offer(at, |release| {
        let mut release = release.signed(&[Ann, Bob])?;
        change(&mut release.proof);
        release.sealed()
    })
}

fn tampered_path(at: &mut Inside) -> Result<Told> {
    proof(at, |proof| proof.path.iter_mut().for_each(|hash| hash.0[0] ^= 1))
}

fn shorter_path(at: &mut Inside) -> Result<Told> {
    proof(at, |proof| proof.path.clear())
}

fn other_leaf(at: &mut Inside) -> Result<Told> {
    proof(at, |proof| proof.leaf_index = 0)
}

fn parent_lie(at: &mut Inside) -> Result<Told> {
    proof(at, |proof| proof.parent = Generation(proof.parent.0 + 1))
}

fn wave_lie(at: &mut Inside) -> Result<Told> {
    let order = at.order();
    let mut release = Release::of(&order, at.committed, 1)?.signed(&[Ann, Bob])?;
    release.proof.wave = 0;
    at.give_offer(release.sealed()?, &order)
}

/// A release that is good but for its parent or its wave.
fn other(at: &mut Inside, parent: u64, wave: u32) -> Result<Told> {
    let order = at.order();
    let offer = Release::of(&order, parent, wave)?.signed(&[Ann, Bob])?.sealed()?;
    at.give_offer(offer, &order)
}

fn no_wave(at: &mut Inside) -> Result<Told> {
    other(at, at.committed, 7)
}

fn early(at: &mut Inside) -> Result<Told> {
    other(at, at.committed, 1)
}

fn other_parent(at: &mut Inside) -> Result<Told> {
    other(at, at.committed + 5, 0)
}

fn rotation_new_only(at: &mut Inside) -> Result<Told> {
    let set = release::approvers(2, &[Mallory, Eve])?;
    let set = model::ApproverSet { break_glass: Vec::new(), break_glass_threshold: 0, ..set };
    at.rotate(&release::rotation(&set, &[Mallory, Eve])?)
}

fn rotation_old_only(at: &mut Inside) -> Result<Told> {
    let set = release::approvers(2, &[Mallory, Cid])?;
    at.rotate(&release::rotation(&set, &[Ann, Bob])?)
}

fn rotation_older(at: &mut Inside) -> Result<Told> {
    at.rotate(&release::rotation(&release::approvers(1, &[Ann, Bob, Mallory])?, &PEOPLE)?)
}

fn rotation_other_name(at: &mut Inside) -> Result<Told> {
    let set = model::ApproverSet { name: "another".to_owned(), ..release::approvers(2, &PEOPLE)? };
    at.rotate(&release::rotation(&set, &PEOPLE)?)
}

fn rotation_unsigned(at: &mut Inside) -> Result<Told> {
    at.rotate(&release::rotation(&release::approvers(2, &PEOPLE)?, &[])?)
}

/// Keys of people who left long ago, all of them, and a successor of the thief's liking.
fn rotation_ended(at: &mut Inside) -> Result<Told> {
    let held = std::fs::read(at.set_file())?;
    let yesterday = Wall(now().0.saturating_sub(24 * HOUR.0));
    at.pin_set(&model::ApproverSet { not_after: Some(yesterday), ..release::approvers(1, &PEOPLE)? })?;
    let told = at.rotate(&release::rotation(&release::approvers(2, &PEOPLE)?, &PEOPLE)?);
    std::fs::write(at.set_file(), held)?;
    told
}

/// Cid leaves the set by a good rotation; what he signed afterwards does not count.
fn removed(at: &mut Inside) -> Result<Told> {
    let set = release::approvers(2, &[Ann, Bob])?;
    let told = at.rotate(&release::rotation(&set, &[Ann, Bob])?)?;
    anyhow::ensure!(told.refused.is_none(), "a good rotation was refused: {told:?}");
    offer(at, |release| release.signed(&[Ann, Cid])?.sealed())
}

//! What is pinned on a real disk, and the verdicts that follow from it.

use super::*;
use engine::proof::{
    MerkleTree, NAMESPACE_APPROVERS, NAMESPACE_CHANGE, SshPublicKey, armour, encode_ed25519, leaf_of,
    order_signing_bytes, release_leaf_hash, signed_data, to_bytes,
};
use model::{
    Approver, ApproverSet, ChangeId, Generation, HostId, OutcomeKind, PlanDigest, RELEASE_FORMAT,
    RefusalReason, ReleaseManifest,
};
use ring::signature::{Ed25519KeyPair, KeyPair};
use tempfile::TempDir;

const NOW: Wall = Wall(1_800_000_000_000);

fn key(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn public(seed: u8) -> [u8; 32] {
    key(seed).public_key().as_ref().try_into().unwrap()
}

fn sign(seed: u8, namespace: &str, message: &[u8]) -> Vec<u8> {
    let raw = key(seed).sign(&signed_data(namespace, message));
    encode_ed25519(public(seed), namespace, raw.as_ref().try_into().unwrap())
}

fn set(version: u64, seed: u8) -> ApproverSet {
    let key = SshPublicKey::from_ed25519(public(seed)).line();
    ApproverSet::new(
        "default",
        version,
        1,
        vec![Approver { name: format!("person-{seed}"), email: None, key }],
    )
}

fn order() -> Order {
    Order {
        host: HostId::new("esx1").unwrap(),
        change: ChangeId::new("c1").unwrap(),
        generation: Generation(3),
        commit: "c0ffee".to_owned(),
        desired: model::DesiredNetwork::default(),
        plan_digest: PlanDigest("d".to_owned()),
        disruption_allowed: model::Disruption::None,
        confirm_timeout: model::Millis::from_secs(60),
        probes: model::ProbePlan::default(),
    }
}

/// An order signed by the approver and by the coordinator with these keys.
fn offered(approver: u8, coordinator: u8) -> OfferedOrder {
    let order_json = to_bytes(&order());
    let leaf = release_leaf_hash(&leaf_of(&order(), &order_json, Generation(2), 0));
    let manifest = to_bytes(&ReleaseManifest {
        format: RELEASE_FORMAT,
        repository: "r".to_owned(),
        change: order().change,
        rfc: None,
        commit: order().commit,
        number: 1,
        root: MerkleTree::new(vec![leaf]).unwrap().root(),
        hosts: 1,
        wave_delays_secs: vec![0],
        not_before: NOW,
        not_after: NOW,
    });
    let signed = order_signing_bytes(&order_json, &manifest);
    let proof = ReleaseProof {
        signatures: vec![sign(approver, NAMESPACE_CHANGE, &manifest)],
        coordinator_signature: key(coordinator).sign(&signed).as_ref().to_vec(),
        manifest,
        parent: Generation(2),
        ..ReleaseProof::default()
    };
    OfferedOrder { order_json, proof: Some(proof) }
}

fn settings(dir: &TempDir, more: &str) -> Settings {
    let state = dir.path().join("state");
    let text = format!(
        "host_id = \"esx1\"\nstate_dir = {:?}\ncoordinators = [\"127.0.0.1:1\"]\n{more}",
        state.to_str().unwrap()
    );
    Settings::parse(Path::new("agent.toml"), &text).unwrap()
}

fn pin(settings: &Settings, set: &ApproverSet) {
    pin_set(&settings.state_dir, Path::new("x"), &to_bytes(set), Replace::No).unwrap();
}

fn kind(keeper: &Gatekeeper, offered: &OfferedOrder) -> Option<UnprovenKind> {
    match keeper.judge(offered, NOW).unwrap().1 {
        Approval::Enforced(verdict) => verdict.err().map(|error| error.kind),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_host_that_trusts_nobody_refuses_and_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(&dir, "");
    let keeper = Gatekeeper::begin(&settings);
    assert_eq!((keeper.mode(), keeper.set_version()), (ApprovalMode::Enforce, 0));
    let (_, approval) = keeper.judge(&offered(1, 7), NOW).unwrap();
    let Approval::Enforced(Err(error)) = approval else { panic!("{approval:?}") };
    assert_eq!(error.kind, UnprovenKind::NoApproverSet);
    assert!(error.detail.contains("approvers pin FILE"), "{error}");
}

#[test]
fn a_pinned_set_decides_and_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(&dir, "");
    let mut keeper = Gatekeeper::begin(&settings);
    pin(&settings, &set(4, 1));
    keeper.read_again();
    assert_eq!(keeper.set_version(), 4);
    assert_eq!(kind(&keeper, &offered(1, 7)), None);
    assert_eq!(kind(&keeper, &offered(2, 7)), Some(UnprovenKind::ThresholdNotMet));
    let without = OfferedOrder { proof: None, ..offered(1, 7) };
    assert_eq!(kind(&keeper, &without), Some(UnprovenKind::ProofMissing));
    std::fs::write(settings.state_dir.join("approvers.json"), "{").unwrap();
    keeper.read_again();
    assert_eq!(kind(&keeper, &offered(1, 7)), Some(UnprovenKind::NoApproverSet), "damaged is not absent");
    assert_eq!(keeper.set_version(), 0);
}

#[test]
fn another_mode_says_the_same_and_refuses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let warning = Gatekeeper::begin(&settings(&dir, "approval = \"warn\"\n"));
    let (_, approval) = warning.judge(&offered(1, 7), NOW).unwrap();
    assert!(matches!(approval, Approval::Warned(Err(Unproven { kind: UnprovenKind::NoApproverSet, .. }))));
    let off = Gatekeeper::begin(&settings(&dir, "approval = \"off\"\n"));
    assert_eq!(off.judge(&offered(1, 7), NOW).unwrap().1, Approval::Unchecked);
}

#[test]
fn orders_of_another_coordinator_are_not_even_read() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(&dir, "approval = \"off\"\n");
    pins::write_order_key(&settings.state_dir, Some(public(7))).unwrap();
    let mut keeper = Gatekeeper::begin(&settings);
    assert!(keeper.judge(&offered(1, 7), NOW).is_ok());
    let refused = |keeper: &Gatekeeper, offered: &OfferedOrder| {
        let outcome = keeper.judge(offered, NOW).unwrap_err().refusal().unwrap();
        assert_eq!((outcome.change.as_str(), outcome.generation.0), ("c1", 3));
        match outcome.kind {
            OutcomeKind::Refused(RefusalReason::Unproven(unproven)) => unproven.kind,
            other => panic!("{other:?}"),
        }
    };
    let wanted = UnprovenKind::CoordinatorSignature;
    assert_eq!(refused(&keeper, &offered(1, 8)), wanted);
    assert_eq!(refused(&keeper, &OfferedOrder { proof: None, ..offered(1, 7) }), wanted);
    let not_an_order =
        OfferedOrder { order_json: br#"{"change":"c1","generation":3}"#.to_vec(), ..offered(1, 7) };
    assert_eq!(refused(&keeper, &not_an_order), wanted, "the signature comes before the form");
    std::fs::write(settings.state_dir.join("order-key"), "torn").unwrap();
    keeper.read_again();
    assert_eq!(refused(&keeper, &offered(1, 7)), wanted, "a key that is lost is not a key that never was");
    pins::write_order_key(&settings.state_dir, None).unwrap();
    keeper.read_again();
    assert!(keeper.judge(&offered(1, 8), NOW).is_ok());
}

#[test]
fn the_first_set_may_come_from_the_settings_and_only_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("first.json");
    std::fs::write(&file, to_bytes(&set(1, 1))).unwrap();
    let settings = settings(&dir, &format!("approvers_file = {:?}\n", file.to_str().unwrap()));
    assert_eq!(Gatekeeper::begin(&settings).set_version(), 1);
    std::fs::write(&file, to_bytes(&set(9, 2))).unwrap();
    let keeper = Gatekeeper::begin(&settings);
    assert_eq!((keeper.set_version(), kind(&keeper, &offered(1, 7))), (1, None));
    std::fs::remove_file(&file).unwrap();
    assert_eq!(Gatekeeper::begin(&settings).set_version(), 1);
}

#[test]
fn another_set_needs_a_word_more() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(&dir, "");
    pin(&settings, &set(4, 1));
    pin(&settings, &set(4, 1));
    let other = to_bytes(&set(5, 2));
    let pin = |replace| pin_set(&settings.state_dir, Path::new("x"), &other, replace);
    assert!(pin(Replace::No).unwrap_err().to_string().contains("version 4 of `default` is pinned already"));
    pin(Replace::Yes).unwrap();
    assert_eq!(read_set(&settings.state_dir).unwrap().unwrap().set().version, 5);
    let missing = pin_file(&settings.state_dir, &dir.path().join("none"), Replace::Yes).unwrap_err();
    assert!(missing.to_string().contains("none cannot be read"), "{missing}");
    let bad = pin_set(&settings.state_dir, Path::new("bad.json"), b"{}", Replace::Yes).unwrap_err();
    assert!(bad.to_string().contains("bad.json is not usable"), "{bad}");
    assert_eq!(read_set(&settings.state_dir).unwrap().unwrap().set().version, 5, "kept as it was");
}

#[test]
fn a_rotation_is_kept_when_both_sets_agree() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(&dir, "");
    let rotation = |version, seeds: &[u8]| {
        let text = String::from_utf8(to_bytes(&set(version, 2))).unwrap();
        let signature = |seed: &u8| armour(&sign(*seed, NAMESPACE_APPROVERS, text.as_bytes()));
        ApproverRotation { signatures: seeds.iter().map(signature).collect(), set: text }
    };
    let mut keeper = Gatekeeper::begin(&settings);
    let none = keeper.rotate(&rotation(5, &[1, 2]), NOW);
    assert!(none.version == 0 && none.refused.unwrap().contains("no approver set to begin with"));
    pin(&settings, &set(4, 1));
    let alone = keeper.rotate(&rotation(5, &[2]), NOW);
    assert!(alone.version == 4 && alone.refused.unwrap().contains("0 of 1"));
    assert_eq!(keeper.rotate(&rotation(5, &[1, 2]), NOW), SetAck { version: 5, refused: None });
    assert_eq!(Gatekeeper::begin(&settings).set_version(), 5, "durable");
    assert_eq!(
        kind(&keeper, &offered(1, 7)),
        Some(UnprovenKind::ThresholdNotMet),
        "the old approver is gone"
    );
    assert_eq!(kind(&keeper, &offered(2, 7)), None);
    let again = keeper.rotate(&rotation(5, &[1, 2]), NOW);
    assert!(again.version == 5 && again.refused.is_some());
}

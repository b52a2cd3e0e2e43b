//! Approver sets: what is refused, who counts, and how one set follows another.

use super::*;
use model::ApproverRotation;

#[track_caller]
fn refused(spoil: impl FnOnce(&mut ApproverSet), told: &str) {
    let mut spoiled = set();
    spoil(&mut spoiled);
    let error = TrustedSet::parse(&to_bytes(&spoiled)).unwrap_err().to_string();
    assert!(error.contains(told), "{error}");
}

#[test]
fn a_set_that_cannot_be_relied_on_is_refused() {
    refused(|set| set.format = 2, "format 2");
    refused(|set| set.version = 0, "version 0");
    refused(|set| set.name = " ".to_owned(), "name of the set");
    refused(|set| set.threshold = 0, "threshold of approvers is 0");
    refused(|set| set.threshold = 4, "with 3 different names");
    refused(|set| set.approvers.clear(), "0 different names");
    refused(|set| set.approvers[1].name = "ann\n".to_owned(), "no plain text");
    refused(|set| set.approvers[1].email = Some("x".repeat(200)), "e-mail");
    refused(|set| set.approvers[1].key = "ssh-ed25519 AAAA".to_owned(), "the key of bob");
    refused(|set| set.approvers[1].key = person("x", 1).key, "the key of bob is there twice");
    refused(|set| set.break_glass[0].key = person("x", 1).key, "the key of eve is there twice");
    refused(|set| set.break_glass_threshold = 0, "go together");
    refused(|set| set.break_glass.clear(), "go together");
    refused(|set| set.break_glass_threshold = 2, "threshold of break_glass is 2");
    refused(|set| set.approvers = (0..65).map(|n| person(&n.to_string(), n)).collect(), "65 entries");
    // Three keys of two people are two approvers.
    refused(
        |set| {
            set.approvers[2].name = "bob".to_owned();
            set.threshold = 3;
        },
        "with 2 different names",
    );
    let large = vec![b' '; model::APPROVER_SET_BYTES_MAX + 1];
    assert!(TrustedSet::parse(&large).unwrap_err().to_string().contains("more than"));
    assert!(TrustedSet::parse(b"{}").unwrap_err().to_string().contains("missing field"));
    let surplus = String::from_utf8(to_bytes(&set())).unwrap().replacen('{', "{\"trust\":1,", 1);
    assert!(TrustedSet::parse(surplus.as_bytes()).unwrap_err().to_string().contains("trust"));
}

#[test]
fn people_count_once_and_strangers_not_at_all() {
    let mut doubled = set();
    doubled.approvers.push(person("ann", 4));
    let trusted = TrustedSet::new(doubled).unwrap();
    let by = |seeds: &[u8]| {
        let signatures: Vec<_> = seeds.iter().map(|seed| sign(*seed, NAMESPACE_CHANGE, b"m")).collect();
        trusted.signers(b"m", &signatures).unwrap()
    };
    let standing = |seeds: &[u8]| trusted.standing(&by(seeds));
    assert_eq!(standing(&[1, 2]), Standing::Approved);
    assert_eq!(standing(&[1, 1, 1]), Standing::Lacking, "the same signature again");
    assert_eq!(standing(&[1, 4]), Standing::Lacking, "two keys of one person");
    assert_eq!(standing(&[1, 4, 2]), Standing::Approved);
    assert_eq!(standing(&[1, 77]), Standing::Lacking, "a stranger");
    assert_eq!(standing(&[]), Standing::Lacking);
    assert_eq!(standing(&[9]), Standing::Lacking, "an emergency key under the namespace of changes");
    assert_eq!(by(&[2, 77, 1]).approvers.into_iter().collect::<Vec<_>>(), ["ann", "bob"]);
}

#[test]
fn emergency_keys_have_their_own_namespace() {
    let trusted = trusted();
    let signers = |seed| trusted.signers(b"m", &[sign(seed, NAMESPACE_BREAK_GLASS, b"m")]).unwrap();
    assert_eq!(trusted.standing(&signers(9)), Standing::BreakGlass);
    assert_eq!(trusted.standing(&signers(1)), Standing::Lacking, "an approver is no emergency");
    let mut without = set();
    (without.break_glass, without.break_glass_threshold) = (Vec::new(), 0);
    let without = TrustedSet::new(without).unwrap();
    let signed = without.signers(b"m", &[sign(9, NAMESPACE_BREAK_GLASS, b"m")]).unwrap();
    assert_eq!(without.standing(&signed), Standing::Lacking, "none is not enough of none");
}

#[test]
fn the_owner_of_a_signature_is_found_by_key_and_namespace() {
    let trusted = trusted();
    let owner = |seed, namespace| {
        let signature = SshSignature::parse(&sign(seed, namespace, b"m")).unwrap();
        trusted.owner(&signature).map(|person| person.name.clone())
    };
    assert_eq!(owner(2, NAMESPACE_CHANGE).as_deref(), Some("bob"));
    assert_eq!(owner(9, NAMESPACE_BREAK_GLASS).as_deref(), Some("eve"));
    assert_eq!(owner(9, NAMESPACE_CHANGE), None);
    assert_eq!(owner(77, NAMESPACE_CHANGE), None);
    assert_eq!(trusted.keys().count(), 4);
}

fn rotation(change: impl FnOnce(&mut ApproverSet), seeds: &[u8]) -> ApproverRotation {
    let mut next = set();
    next.version = 4;
    change(&mut next);
    let text = String::from_utf8(to_bytes(&next)).unwrap();
    let signatures =
        seeds.iter().map(|seed| armour(&sign(*seed, NAMESPACE_APPROVERS, text.as_bytes()))).collect();
    ApproverRotation { set: text, signatures }
}

fn turn(held: &TrustedSet, rotation: &ApproverRotation) -> Result<TrustedSet, RotationError> {
    held.rotate(rotation, BEGIN)
}

/// Cid goes, Dan comes.
fn dan_for_cid(set: &mut ApproverSet) {
    set.approvers[2] = person("dan", 4);
}

#[test]
fn a_set_that_ended_names_no_successor() {
    let held = TrustedSet::new(ApproverSet { not_after: Some(BEGIN), ..set() }).unwrap();
    let next = rotation(dan_for_cid, &[1, 2]);
    assert!(held.rotate(&next, BEGIN).is_ok(), "in its last moment");
    let late = held.rotate(&next, BEGIN.plus(Millis(1))).unwrap_err();
    assert_eq!(late, RotationError::Ended { version: 3 });
}

#[test]
fn a_rotation_takes_a_threshold_of_both_sets() {
    let trusted = trusted();
    let new = turn(&trusted, &rotation(dan_for_cid, &[1, 2])).unwrap();
    assert_eq!((new.set().version, new.set().approvers[2].name.as_str()), (4, "dan"));
    turn(&trusted, &rotation(dan_for_cid, &[1, 3, 4])).unwrap();
    turn(&trusted, &rotation(|set| set.version = 9, &[1, 2])).unwrap();
    let refused =
        |change: fn(&mut ApproverSet), seeds: &[u8]| turn(&trusted, &rotation(change, seeds)).unwrap_err();
    assert!(matches!(
        refused(dan_for_cid, &[1, 4]),
        RotationError::OldThreshold { signed: 1, needed: 2, .. }
    ));
    assert!(matches!(refused(dan_for_cid, &[]), RotationError::OldThreshold { signed: 0, .. }));
    assert!(matches!(refused(dan_for_cid, &[2, 3]), RotationError::NewThreshold { signed: 1, needed: 2 }));
    assert!(matches!(
        refused(|set| set.threshold = 3, &[1, 2]),
        RotationError::NewThreshold { needed: 3, .. }
    ));
    assert!(matches!(
        refused(|set| set.version = 3, &[1, 2]),
        RotationError::NotNewer { offered: 3, held: 3 }
    ));
    assert!(matches!(refused(|set| set.version = 2, &[1, 2]), RotationError::NotNewer { .. }));
    assert!(matches!(refused(|set| set.name = "edge".to_owned(), &[1, 2]), RotationError::OtherName { .. }));
    assert!(matches!(refused(|set| set.threshold = 0, &[1, 2]), RotationError::Set(_)));
    assert!(
        matches!(refused(dan_for_cid, &[9]), RotationError::OldThreshold { signed: 0, .. }),
        "keys for emergencies do not say who approves"
    );
}

#[test]
fn a_rotation_that_was_touched_is_refused() {
    let trusted = trusted();
    let good = rotation(dan_for_cid, &[1, 2]);
    let altered =
        ApproverRotation { set: good.set.replacen("\"threshold\":2", "\"threshold\":1", 1), ..good.clone() };
    assert!(matches!(turn(&trusted, &altered), Err(RotationError::Signature(_))));
    let other_purpose = ApproverRotation {
        signatures: vec![armour(&sign(1, NAMESPACE_CHANGE, good.set.as_bytes()))],
        ..good.clone()
    };
    assert!(matches!(turn(&trusted, &other_purpose), Err(RotationError::Signature(_))));
    let no_armour = ApproverRotation { signatures: vec!["AAAA".to_owned()], ..good.clone() };
    assert!(matches!(turn(&trusted, &no_armour), Err(RotationError::Signature(_))));
    let many = ApproverRotation { signatures: vec![good.signatures[0].clone(); 17], ..good };
    let error = turn(&trusted, &many).unwrap_err();
    assert!(error.to_string().contains("17 signatures"), "{error}");
}

#[test]
fn a_removed_approver_proves_nothing_any_more() {
    let release = release(3);
    let proof = release.proof(0, &[1, 3]);
    let judged = |set: &TrustedSet| {
        let order = &release.orders[0];
        check(set, &to_bytes(order), order, &proof, BEGIN).map_err(|error| error.kind)
    };
    assert!(judged(&trusted()).is_ok());
    let without_cid = turn(&trusted(), &rotation(dan_for_cid, &[1, 2])).unwrap();
    assert_eq!(judged(&without_cid), Err(UnprovenKind::ThresholdNotMet));
}

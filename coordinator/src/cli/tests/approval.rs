//! `approve`, `verify` and `approvers` against a real router; what does not add up is not signed.

use super::online::against;
use super::pointsman;
use crate::api::testkit::Rig;
use crate::cli::pack::Pack;
use crate::release::testkit::{Person, set};
use serde_json::Value;
use std::fs;

/// A pack of one change on two hosts, as `approve --export` writes it.
fn exported(rig: &Rig) -> Pack {
    let file = rig.dir().join("pack.json");
    let ran = against(rig, &["approve", "RFC-7", "--export", &file.display().to_string()]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

/// What is done to a good pack.
type Tamper = fn(&mut Pack);

fn verify(rig: &Rig, pack: &Pack, people: &[&Person]) -> super::Ran {
    let (file, set_file) = (rig.dir().join("checked.json"), rig.dir().join("set.json"));
    fs::write(&file, serde_json::to_string(pack).unwrap()).unwrap();
    fs::write(&set_file, serde_json::to_string(&set("prod", 1, 1, people)).unwrap()).unwrap();
    pointsman(&["verify", &file.display().to_string(), "--approvers", &set_file.display().to_string()])
}

#[test]
fn approve_shows_what_is_signed() {
    let rig = Rig::serving();
    rig.add_change("c1", &["esx01", "esx02"]);
    rig.add_approvers(&set("prod", 1, 1, &[&Person::new("Ben", 1)]));
    for target in ["RFC-7", "rfc-7", "7", "c1"] {
        let shown = against(&rig, &["approve", target]);
        assert_eq!(shown.code, 0, "{target}: {}", shown.err);
        assert!(shown.out.starts_with("RFC-7, change c1\n"), "{}", shown.out);
        assert!(shown.out.contains("2 hosts in 2 waves: 1, 1\n"), "{}", shown.out);
        assert!(
            shown.out.contains("esx01, esx02: 1 step, worst effect on traffic: traffic_loss"),
            "{}",
            shown.out
        );
        assert!(shown.out.contains("esxcli network vswitch standard portgroup set"), "{}", shown.out);
        assert!(shown.out.contains("the rollout waits for approval: 0 of 1 (set prod)"), "{}", shown.out);
    }
    let json = against(&rig, &["approve", "c1", "--json"]).json();
    assert_eq!((&json["signed"], &json["waves"]), (&Value::Bool(false), &serde_json::json!([1, 1])));
    assert_eq!(against(&rig, &["approve", "RFC-99"]).code, 1);
    assert_eq!(against(&rig, &["approve", "no/change"]).code, 2);
    let listed = against(&rig, &["approvers", "list"]);
    assert!(listed.out.contains("prod  1        1 of 1  Ben"), "{}", listed.out);
}

#[test]
fn verify_needs_enough_signatures_of_the_given_people() {
    let rig = Rig::serving();
    rig.add_change("c1", &["esx01", "esx02"]);
    let (ben, chloe) = (Person::new("Ben", 1), Person::new("Chloe", 2));
    let mut pack = exported(&rig);
    let none = verify(&rig, &pack, &[&ben]);
    assert_eq!(none.code, 1, "{}", none.out);
    assert!(none.out.contains("not approved: 0 of 1"), "{}", none.out);
    pack.signatures.push(ben.sign(&pack.manifest));
    let signed = verify(&rig, &pack, &[&ben]);
    assert_eq!(signed.code, 0, "{}{}", signed.out, signed.err);
    assert!(signed.out.ends_with("approved: 1 of 1 (Ben)\n"), "{}", signed.out);
    let others = verify(&rig, &pack, &[&chloe]);
    assert_eq!(others.code, 1);
    assert!(others.out.contains("does not count: "), "{}", others.out);
}

#[test]
fn a_pack_that_does_not_add_up_is_refused_whoever_signed_it() {
    let rig = Rig::serving();
    rig.add_change("c1", &["esx01", "esx02"]);
    let ben = Person::new("Ben", 1);
    let mut good = exported(&rig);
    good.signatures.push(ben.sign(&good.manifest));
    let tampered: [(&str, Tamper); 7] = [
        ("not those of its order", |pack| pack.parts[0].steps.clear()),
        ("not those of the manifest", |pack| pack.parts[0].parent.0 += 1),
        ("not those of the manifest", |pack| pack.parts[0].wave = 1),
        ("a wave that is not signed", |pack| pack.parts[0].wave = 7),
        ("not those of the manifest", |pack| drop(pack.parts.pop())),
        ("an order for esx02", |pack| pack.parts[0].order = pack.parts[1].order.clone()),
        ("not understood", |pack| pack.manifest = pack.manifest.replacen('{', "{\"surprise\":1,", 1)),
    ];
    for (why, tamper) in tampered {
        let mut pack = good.clone();
        tamper(&mut pack);
        let ran = verify(&rig, &pack, &[&ben]);
        assert_eq!(ran.code, 1, "{why}");
        assert!(ran.err.contains(why) && ran.err.contains("do not sign it"), "{why}: {}{}", ran.out, ran.err);
    }
    let mut other = good.clone();
    other.parts[0].order = other.parts[0].order.replacen("traffic_loss", "management_path", 1);
    assert!(verify(&rig, &other, &[&ben]).err.contains("not those of the manifest"));
    assert_eq!(verify(&rig, &good, &[&ben]).code, 0, "the untouched one holds");
}

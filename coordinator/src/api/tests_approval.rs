//! Approvals and approver sets through the router.

use super::testkit::Rig;
use super::tests::{Answer, assert_problem, get, post, post_as};
use crate::people::Role;
use crate::release::testkit::{Person, set};
use crate::store::sessions::SessionKind;
use axum::http::StatusCode;
use engine::proof::{NAMESPACE_APPROVERS, NAMESPACE_BREAK_GLASS};
use model::ApproverSet;
use serde_json::{Value, json};

fn manifest(rig: &Rig, change: &str) -> String {
    let release = get(rig, &format!("changes/{change}/release"));
    assert_eq!(release.status, StatusCode::OK, "{}", release.body);
    release.body["manifest"].as_str().unwrap().to_owned()
}

fn sign(rig: &Rig, change: &str, signature: &str) -> Answer {
    post(rig, &format!("changes/{change}/approvals"), &json!({ "signature": signature }))
}

fn audit(rig: &Rig, action: &str) -> Vec<Value> {
    let items = get(rig, "audit?limit=100").body["items"].as_array().unwrap().clone();
    items.into_iter().filter(|entry| entry["action"] == action).collect()
}

fn text(set: &ApproverSet) -> String {
    serde_json::to_string_pretty(set).unwrap()
}

#[test]
fn signatures_are_kept_counted_and_audited_and_so_are_refusals() {
    let rig = Rig::new();
    rig.add_change("c1", &["esx01", "esx02"]);
    let (ben, chloe) = (Person::new("Ben", 1), Person::new("Chloe", 2));
    let team = Person::new("A team", 3);
    rig.add_approvers(&set("prod", 1, 2, &[&ben, &chloe, &team]));
    let text = manifest(&rig, "c1");

    let one = sign(&rig, "c1", &ben.sign(&text));
    assert_eq!(one.body["waits_for"], "waits for approval: 1 of 2 by Ben (set prod)", "{}", one.body);
    assert_eq!(one.body["sets"][0]["hosts"], 2);
    for (signature, why) in [
        (team.sign(&text), "author"),
        (Person::new("Mallory", 9).sign(&text), ""),
        (chloe.sign("another manifest"), ""),
        ("-----BEGIN SSH SIGNATURE-----".to_owned(), ""),
    ] {
        let refused = sign(&rig, "c1", &signature);
        assert_problem(&refused, 409, "conflict");
        assert!(refused.body["message"].as_str().unwrap().contains(why), "{}", refused.body);
    }
    assert_eq!(audit(&rig, "change.approval_refused").len(), 4);
    assert_eq!(sign(&rig, "c1", &ben.sign(&text)).body["waits_for"], one.body["waits_for"], "once");

    let two = sign(&rig, "c1", &chloe.sign(&text));
    assert_eq!((&two.body["waits_for"], &two.body["sets"][0]["met"]), (&Value::Null, &json!(true)));
    assert_eq!(audit(&rig, "change.approved").len(), 2);
    assert_eq!(rig.actions(), ["approvals changed"; 3]);
    let release = get(&rig, "changes/c1/release");
    assert_eq!(release.body["signatures"].as_array().unwrap().len(), 2, "{}", release.body);
    let parts = get(&rig, "changes/c1/release/parts?limit=1");
    assert_eq!(
        (&parts.body["items"][0]["host"], &parts.body["items"][0]["wave"]),
        (&json!("esx01"), &json!(0))
    );
    assert!(parts.body["next"].is_string() && parts.body["items"][0]["steps"].is_array());
}

#[test]
fn an_author_brings_no_approval_and_roles_without_the_permission_none() {
    let rig = Rig::new();
    rig.add_change_by("Ana <Approver@Example.net>", "c1", &["esx01"]);
    let ben = Person::new("Ben", 1);
    rig.add_approvers(&set("prod", 1, 1, &[&ben]));
    let signature = json!({ "signature": ben.sign(&manifest(&rig, "c1")) });
    let bring =
        |role| post_as(&rig, &rig.session(role, SessionKind::Cli), "changes/c1/approvals", &signature);
    let own = bring(Role::Approver);
    assert_problem(&own, 409, "conflict");
    assert!(own.body["message"].as_str().unwrap().contains("you are an author"), "{}", own.body);
    let refused = audit(&rig, "change.approval_refused");
    assert_eq!(refused[0]["actor"], "user:the-approver");
    for role in [Role::Viewer, Role::Engineer, Role::Operator] {
        assert_problem(&bring(role), 403, "forbidden");
    }
    assert_eq!(bring(Role::Admin).body["waits_for"], Value::Null, "somebody else may bring it");
    assert_eq!(audit(&rig, "change.approved")[0]["actor"], "user:the-admin");
}

#[test]
fn keys_for_emergencies_are_told_apart() {
    let rig = Rig::new();
    rig.add_change("c1", &["esx01"]);
    let (ben, safe) = (Person::new("Ben", 1), Person::new("Safe", 2));
    let mut guarded = set("prod", 1, 1, &[&ben]);
    guarded.break_glass = vec![safe.approver.clone()];
    guarded.break_glass_threshold = 1;
    rig.add_approvers(&guarded);
    let text = manifest(&rig, "c1");
    let opened = sign(&rig, "c1", &safe.sign_as(NAMESPACE_BREAK_GLASS, &text));
    assert_eq!(opened.body["sets"][0]["break_glass_by"], json!(["Safe"]), "{}", opened.body);
    assert_eq!(opened.body["waits_for"], Value::Null);
    assert_eq!((audit(&rig, "change.break_glass").len(), audit(&rig, "change.approved").len()), (1, 0));
}

#[test]
fn without_a_set_or_a_host_there_is_nothing_to_approve() {
    let rig = Rig::new();
    rig.add_change("c1", &["esx01"]);
    let ben = Person::new("Ben", 1);
    let text = manifest(&rig, "c1");
    let none = sign(&rig, "c1", &ben.sign(&text));
    assert_problem(&none, 409, "conflict");
    assert!(none.body["message"].as_str().unwrap().contains("approvers import"), "{}", none.body);
    assert_problem(&get(&rig, "changes/c9/release"), 404, "not_found");
}

#[test]
fn sets_are_brought_once_and_then_signed_in() {
    let rig = Rig::new();
    let (ben, chloe) = (Person::new("Ben", 1), Person::new("Chloe", 2));
    let (first, mut second) = (set("prod", 1, 1, &[&ben]), set("prod", 2, 1, &[&chloe]));
    second.approvers.push(ben.approver.clone());
    let bring = |set: &ApproverSet| post(&rig, "approvers", &json!({ "document": text(set) }));
    assert_eq!(bring(&first).status, StatusCode::OK);
    assert_problem(&bring(&second), 409, "conflict");
    assert_problem(&post(&rig, "approvers", &json!({ "document": "{}" })), 400, "bad_request");

    let rotate = |set: &ApproverSet, signatures: &[String]| {
        post(&rig, "approvers/rotate", &json!({ "set": text(set), "signatures": signatures }))
    };
    let by = |person: &Person, set: &ApproverSet| person.sign_as(NAMESPACE_APPROVERS, &text(set));
    assert_problem(&rotate(&second, &[by(&chloe, &second)]), 409, "conflict");
    assert_problem(&rotate(&second, &[ben.sign(&text(&second))]), 409, "conflict");
    assert_problem(&rotate(&set("lab", 2, 1, &[&ben]), &[]), 409, "conflict");
    let rotated = rotate(&second, &[by(&ben, &second)]);
    assert_eq!(rotated.body["version"], 2, "{}", rotated.body);
    assert_eq!(rotated.body["approvers"], json!(["Chloe", "Ben"]));
    assert_problem(&rotate(&first, &[by(&ben, &first)]), 409, "conflict");
    let listed = get(&rig, "approvers").body;
    assert_eq!((&listed["items"][0]["version"], listed["items"].as_array().unwrap().len()), (&json!(2), 1));
    assert_eq!((audit(&rig, "approvers.imported").len(), audit(&rig, "approvers.rotated").len()), (1, 1));
    assert_eq!(rig.actions(), ["approvals changed", "offer approvers to 0", "approvals changed"]);
}

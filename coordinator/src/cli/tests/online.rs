//! Verbs that talk to a coordinator: a real router on a local port.

use super::pointsman;
use crate::api::testkit::{Rig, TOKEN};
use model::OutcomeKind;
use serde_json::Value;
use std::fs;

/// Runs a verb against the rig, with the right token.
pub(super) fn against(rig: &Rig, arguments: &[&str]) -> super::Ran {
    let file = rig.dir().join("token");
    fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let (url, file) = (rig.url(), file.display().to_string());
    let mut all = arguments.to_vec();
    all.extend(["--coordinator", &url, "--token-file", &file]);
    pointsman(&all)
}

#[test]
fn lists_and_shows_what_the_coordinator_knows() {
    let rig = Rig::serving();
    rig.add_change("c1", &["esx01", "esx02"]);
    let hosts = against(&rig, &["hosts"]);
    assert_eq!(hosts.code, 0, "{}", hosts.err);
    assert!(hosts.out.lines().nth(1).unwrap().starts_with("esx01  prod   expected"), "{}", hosts.out);
    let host = against(&rig, &["host", "show", "esx01", "--json"]).json();
    assert_eq!(host["id"], "esx01");
    assert_eq!(against(&rig, &["rfcs", "--json"]).json()[0]["number"], 7);
    let changes = against(&rig, &["changes", "c1"]);
    assert!(changes.out.contains("esxcli network vswitch standard portgroup set"), "{}", changes.out);
    let rollouts = against(&rig, &["rollouts"]);
    assert!(rollouts.out.contains("rollout-c1  pending"), "{}", rollouts.out);
    let shown = against(&rig, &["rollout", "show", "rollout-c1"]);
    assert!(shown.out.contains("1/2   esx01  pending"), "{}", shown.out);
    let drift = against(&rig, &["drift"]);
    assert_eq!((drift.code, drift.out.as_str()), (0, "no drift: every host is as confirmed\n"));
    assert_eq!(against(&rig, &["audit", "verify"]).code, 0);
    assert_eq!(against(&rig, &["status", "--json"]).json()["database"], "sqlite");
}

#[test]
fn a_branch_is_reviewed_and_its_verdict_is_the_exit_code() {
    let rig = Rig::serving();
    let good = against(&rig, &["review", "topic"]);
    assert_eq!((good.code, good.out.as_str()), (0, "topic: can be merged: no host would change\n"));
    let bad = against(&rig, &["review", "bad", "--json"]);
    assert_eq!((bad.code, &bad.json()["verdict"]), (1, &serde_json::json!("conflict")));
    let comment = against(&rig, &["review", "bad", "--markdown"]);
    assert!(comment.out.starts_with("## Pointsman: does not merge\n"), "{}", comment.out);
    let missing = against(&rig, &["review", "nope"]);
    assert!(missing.code == 1 && missing.err.contains("no such branch"), "{}", missing.err);
}

#[test]
fn an_export_is_checked_without_the_coordinator() {
    let rig = Rig::serving();
    for _ in 0..3 {
        assert_eq!(against(&rig, &["sync"]).code, 0);
    }
    let path = rig.dir().join("trail.jsonl");
    let path = path.to_str().unwrap();
    let exported = against(&rig, &["audit", "export", "--out", path, "--json"]);
    assert_eq!(exported.code, 0, "{}", exported.err);
    let (head, entries) = (exported.json()["head"].clone(), exported.json()["entries"].clone());
    assert_eq!(entries, 6, "that it was allowed, and that it was done");
    assert_eq!(against(&rig, &["audit", "export", "--out", path]).code, 1, "no export is written over");
    let printed = against(&rig, &["audit", "export"]);
    assert_eq!(printed.out, fs::read_to_string(path).unwrap());
    assert!(printed.err.contains(head.as_str().unwrap()), "{}", printed.err);

    let whole = pointsman(&["audit", "verify", path, "--head", head.as_str().unwrap(), "--json"]);
    assert_eq!((whole.code, &whole.json()["kept"]), (0, &entries), "{}", whole.out);
    let other = pointsman(&["audit", "verify", path, "--head", "00"]);
    assert_eq!(other.code, 1);
    fs::write(path, printed.out.replacen("operator", "somebody", 1)).unwrap();
    let broken = pointsman(&["audit", "verify", path]);
    assert_eq!(broken.code, 1);
    assert!(broken.out.contains("BROKEN at line 1"), "{}", broken.out);
}

#[test]
fn acts_and_reports_refusals() {
    let rig = Rig::serving();
    rig.add_change("c1", &["esx01"]);
    let token = against(&rig, &["token", "create", "--host", "esx05", "--ttl", "2h"]);
    assert_eq!(token.code, 0, "{}", token.err);
    assert!(token.out.starts_with("pointsman-enrol-"), "{}", token.out);
    assert_eq!(against(&rig, &["rollout", "pause", "rollout-c1", "--reason", "lunch"]).code, 0);
    assert_eq!(rig.actions(), ["pause rollout-c1 by operator: lunch"]);
    let extended = against(&rig, &["rollout", "extend", "rollout-c1", "--host", "esx01", "--secs", "300"]);
    assert_eq!(extended.code, 0, "{}", extended.err);
    assert!(extended.out.starts_with("host esx01 was told: 300 s"), "{}", extended.out);
    assert_eq!(rig.actions()[1], "extend rollout-c1 esx01 300 by operator: ");
    let refused = against(&rig, &["rollout", "extend", "rollout-c1", "--host", "idle", "--secs", "300"]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("has no open window"), "{}", refused.err);
    assert_eq!(against(&rig, &["sync"]).code, 0);
    let unknown = against(&rig, &["host", "show", "esx99"]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.err.contains("host `esx99` is not known here"), "{}", unknown.err);
}

#[test]
fn a_change_that_was_undone_at_a_console_is_shown_everywhere() {
    let rig = Rig::serving();
    rig.add_change("c1", &["esx01"]);
    rig.end_order("c1", "esx01", OutcomeKind::Committed);
    let before = against(&rig, &["hosts", "--json"]).json();
    assert_eq!((&before[0]["generation_committed"], &before[0]["undone"]), (&1.into(), &Value::Null));
    rig.end_order("c1", "esx01", OutcomeKind::RolledBack { reason: "at the console: too loud".into() });
    let hosts = against(&rig, &["hosts"]);
    assert!(hosts.out.contains("0 (1 undone)"), "{}", hosts.out);
    let host = against(&rig, &["host", "show", "esx01"]);
    assert!(host.out.contains("undone     RFC-7, generation 1"), "{}", host.out);
    assert!(host.out.contains("at the console: too loud"), "{}", host.out);
    let drift = against(&rig, &["drift"]);
    assert_eq!(drift.code, 1, "{}", drift.out);
    let line = "RFC-7: generation is undone (at the console: too loud), should be 1";
    assert!(drift.out.contains(line), "{}", drift.out);
    let shown = against(&rig, &["rollout", "show", "rollout-c1"]);
    assert!(shown.out.contains("rolled_back"), "{}", shown.out);
}

#[test]
fn watch_ends_with_the_rollout() {
    let rig = Rig::serving();
    rig.add_change("c1", &["esx01"]);
    rig.end_rollout("rollout-c1", model::RolloutPhase::Completed);
    let done = against(&rig, &["rollout", "watch", "rollout-c1"]);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.out.starts_with("rollout completed\n"), "{}", done.out);
    rig.add_change("c2", &["esx01"]);
    rig.end_rollout("rollout-c2", model::RolloutPhase::Aborted);
    assert_eq!(against(&rig, &["rollout", "watch", "rollout-c2", "--json"]).code, 1);
}

#[test]
fn a_coordinator_that_is_not_there_is_exit_code_3() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    fs::write(&file, "x\n").unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let ran = pointsman(&["hosts", "--coordinator", &url, "--token-file", file.to_str().unwrap()]);
    assert_eq!(ran.code, 3, "{}", ran.err);
}

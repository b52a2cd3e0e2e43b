//! What approvers can and nobody else can: hosts that refuse, sets that are rotated, packs that hold without a coordinator.

use crate::support::*;
use anyhow::{Context, Result};
use model::ApproverSet;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tests::lab::approver::{Person, approver_set, write_set};
use tests::lab::story::Story;
use tests::lab::{DEFAULT_SET, Lab, WAITS, wait_for};

fn folder(lab: &Lab) -> PathBuf {
    lab.root().join("approvers")
}

/// The rollout of a change once it waits for approval.
fn wait_waiting(lab: &Lab, change: &Value, words: &str) -> Result<Value> {
    wait_for(LIMIT, words, || {
        let rollout = lab.rollout_of(change)?;
        let waits = |rollout: &Value| rollout["reason"].as_str().is_some_and(|reason| reason.contains(words));
        Ok(rollout.filter(|rollout| rollout["phase"] == "pending" && waits(rollout)))
    })
}

#[test]
fn a_host_refuses_an_order_that_its_own_approvers_did_not_sign() {
    in_lab(1, |lab| {
        let name = lab.host_names()?.remove(0);
        let own = Person::new(&folder(lab), "Chloe Approver", "chloe@example.com")?;
        let set = write_set(&folder(lab).join(".."), &approver_set(DEFAULT_SET, 1, 1, &[&own]))?;
        lab.agents.set_approvers(&set);
        lab.enrol(&name)?;
        lab.wait_observed(LIMIT)?;
        let before = footprint(lab, std::slice::from_ref(&name))?;
        // The coordinator follows another set: to it, the change is approved.
        let commit = lab.commit_import()?;
        let change = lab.wait_accepted(&commit, LIMIT)?;
        let ended = wait_ended(lab, &change)?;
        assert_eq!((ended.phase.as_str(), ended.word(&name)), ("halted", "refused"), "{ended:#?}");
        assert!(ended.told(&name).contains("threshold_not_met"), "{ended:#?}");
        assert_eq!(footprint(lab, std::slice::from_ref(&name))?, before, "nothing was touched");
        let log = lab.agents.verb(&name, &["log"])?;
        let log = String::from_utf8_lossy(&log.stdout).into_owned();
        assert!(log.contains("threshold_not_met"), "the host tells it without a network: {log}");
        let audit = lab.list(&["audit", "list"])?;
        let refused =
            |entry: &&Value| entry["action"] == "host.refused" && entry.to_string().contains("unproven");
        assert!(audit.iter().any(|entry| refused(&entry)), "{audit:#?}");
        Ok(())
    });
}

#[test]
fn nothing_is_sent_before_the_approval_and_the_author_cannot_give_it() {
    in_lab(2, |lab| {
        let names = bring_up(lab)?;
        lab.approves = false;
        let before = footprint(lab, &names)?;
        let change = merge(lab, &Story::port_group(1), &[])?;
        wait_waiting(lab, &change, WAITS)?;
        assert_eq!(footprint(lab, &names)?, before);
        let id = change["id"].as_str().context("a change without id")?;

        let ana = Person::new(&folder(lab), "Ana", "ana@example.com")?;
        let refused = lab.operate(&["approve", id, "--key", text(&ana.key_file)]).unwrap_err();
        assert!(format!("{refused:#}").contains("set"), "her key is in no set: {refused:#}");

        let pack = lab.root().join("pack.json");
        let shown = lab.operate(&["approve", "RFC-1", "--export", text(&pack)])?;
        assert_eq!((&shown["signed"], shown["manifest"]["hosts"].as_u64()), (&Value::Bool(false), Some(2)));
        let set = folder(lab).join(format!("{DEFAULT_SET}-1.json"));
        let verify =
            |pack: &PathBuf| lab.programs().pointsman(&["verify", text(pack), "--approvers", text(&set)]);
        assert!(verify(&pack).is_err(), "nobody signed it");

        let key = text(&lab.approver().key_file).to_owned();
        let signed = lab.operate(&["approve", "RFC-1", "--key", &key, "--export", text(&pack)])?;
        assert_eq!(signed["approval"]["waits_for"], Value::Null, "{signed:#}");
        assert!(verify(&pack)?.contains("approved: 1 of 1 (Ben Approver)"));
        let tampered = fs::read_to_string(&pack)?.replacen("115", "116", 1);
        fs::write(&pack, tampered)?;
        assert!(verify(&pack).is_err(), "one number more");
        assert_eq!(wait_ended(lab, &change)?.phase, "completed");
        Ok(())
    });
}

/// Makes a key that only OpenSSH reads; `None` where there is no OpenSSH.
fn openssh_key(lab: &Lab) -> Result<Option<Person>> {
    let key_file = folder(lab).join("ecdsa.key");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ecdsa", "-b", "256", "-N", "", "-C", "dev@example.com", "-f", text(&key_file)])
        .status();
    if made.is_err() {
        println!("skipped: there is no ssh-keygen on this machine");
        return Ok(None);
    }
    let public = fs::read_to_string(key_file.with_extension("key.pub"))?;
    let key: Vec<&str> = public.split_whitespace().take(2).collect();
    let approver = model::Approver {
        name: "Dev".to_owned(),
        email: Some("dev@example.com".to_owned()),
        key: key.join(" "),
    };
    Ok(Some(Person { approver, key_file }))
}

/// Rotates to a set that the lab's approver and these people sign; waits for the one host to hold it.
fn rotate(lab: &Lab, set: &ApproverSet, people: &[&Person]) -> Result<()> {
    let set = write_set(&folder(lab), set)?;
    let sign = |key: &PathBuf| -> Result<PathBuf> {
        let arguments = ["--json", "approvers", "sign", text(&set), "--key", text(key)];
        let printed: Value = serde_json::from_str(&lab.programs().pointsman(&arguments)?)?;
        let file = key.with_extension("sig");
        fs::write(&file, printed["signature"].as_str().context("no signature")?)?;
        Ok(file)
    };
    let keys = people.iter().map(|person| &person.key_file).chain([&lab.approver().key_file]);
    let signatures = keys.map(sign).collect::<Result<Vec<_>>>()?;
    let mut verb = vec!["approvers", "rotate", text(&set)];
    verb.extend(signatures.iter().flat_map(|file| ["--signature", text(file)]));
    lab.operate(&verb)?;
    wait_for(LIMIT, "the host to hold the new version", || {
        let audit = lab.list(&["audit", "list"])?;
        Ok(audit.iter().any(|entry| entry["action"] == "host.approvers_pinned").then_some(()))
    })
}

#[test]
fn keys_for_emergencies_work_and_are_told_everywhere() {
    in_lab(1, |lab| {
        let name = bring_up(lab)?.remove(0);
        let safe = Person::new(&folder(lab), "Safe Box", "safe@example.com")?;
        let mut set = approver_set(DEFAULT_SET, 2, 1, &[lab.approver()]);
        set.break_glass = vec![safe.approver.clone()];
        set.break_glass_threshold = 1;
        rotate(lab, &set, &[])?;
        lab.approves = false;
        let change = merge(lab, &Story::port_group(1), &[])?;
        wait_waiting(lab, &change, WAITS)?;
        let key = text(&safe.key_file).to_owned();
        let quiet = lab.operate(&["approve", "RFC-1", "--key", &key]).unwrap_err();
        wait_waiting(lab, &change, WAITS).with_context(|| format!("{quiet:#}"))?;
        lab.operate(&["approve", "RFC-1", "--key", &key, "--break-glass"])?;
        let ended = wait_ended(lab, &change)?;
        assert_eq!((ended.phase.as_str(), ended.word(&name)), ("completed", "committed"), "{ended:#?}");
        let told = ended.told(&name);
        assert!(told.contains("break_glass") && told.contains("Safe Box"), "the outcome says it: {told}");
        let audit = lab.list(&["audit", "list", "--limit", "100"])?;
        let opened: Vec<&Value> =
            audit.iter().filter(|entry| entry["action"] == "change.break_glass").collect();
        assert_eq!(opened.len(), 1, "{audit:#?}");
        assert!(opened[0].to_string().contains("Safe Box"), "{opened:#?}");
        assert!(
            audit
                .iter()
                .all(|entry| entry["action"] != "change.approved" || !entry.to_string().contains("Safe Box"))
        );
        let log = lab.agents.verb(&name, &["log"])?;
        let log = String::from_utf8_lossy(&log.stdout).into_owned();
        assert!(log.contains("APPROVED IN AN EMERGENCY with the keys of Safe Box"), "{log}");
        let coordinator = fs::read_to_string(lab.root().join("log/coordinator.log"))?;
        assert!(coordinator.contains("a key for emergencies approved a change"), "the log says it");
        Ok(())
    });
}

#[test]
fn hosts_follow_a_rotation_and_a_removed_approver_counts_no_more() {
    in_lab(1, |lab| {
        let name = bring_up(lab)?.remove(0);
        let chloe = Person::new(&folder(lab), "Chloe Approver", "chloe@example.com")?;
        let dev = openssh_key(lab)?;
        let mut people = vec![&chloe];
        people.extend(dev.as_ref());
        let set = approver_set(DEFAULT_SET, 2, u32::try_from(people.len())?, &people);
        rotate(lab, &set, &people)?;

        lab.approves = false;
        let change = merge(lab, &Story::port_group(1), &[])?;
        wait_waiting(lab, &change, WAITS)?;
        let removed = lab.approve(&change).unwrap_err();
        assert!(format!("{removed:#}").contains("not"), "{removed:#}");
        for person in people {
            lab.operate(&["approve", "RFC-1", "--key", text(&person.key_file)])?;
        }
        let ended = wait_ended(lab, &change)?;
        assert_eq!((ended.phase.as_str(), ended.word(&name)), ("completed", "committed"), "{ended:#?}");
        Ok(())
    });
}

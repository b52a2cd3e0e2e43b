//! A host that enforces approvals and trusts nobody: it refuses, says why in every place, and learns whom to trust
//! from a person at its console.

use crate::support::*;
use anyhow::{Context, Result};
use tests::lab::story::Story;
use tests::lab::{Lab, wait_for};

/// Two throw-away keys; nobody has their secrets any more.
const KEYS: [&str; 2] = [
    include_str!("../../../engine/src/proof/tests/keygen/ed25519.pub"),
    include_str!("../../../engine/src/proof/tests/keygen/ecdsa-p256.pub"),
];

fn verb(lab: &Lab, name: &str, arguments: &[&str]) -> Result<(i32, String)> {
    let output = lab.agents.verb(name, arguments)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().with_context(|| format!("{arguments:?} ended with {}", output.status))?;
    Ok((code, format!("{}{}", text(&output.stdout), text(&output.stderr))))
}

/// The agent enforces from now on, and nothing is pinned.
fn trust_nobody(lab: &mut Lab, name: &str) -> Result<()> {
    lab.agents.kill(name)?;
    let file = lab.agents.settings_file(name);
    let text = std::fs::read_to_string(&file)?;
    let ours = |line: &&str| !line.starts_with("approval =") && !line.starts_with("approvers_file =");
    let lines: Vec<&str> =
        std::iter::once("approval = \"enforce\"").chain(text.lines().filter(ours)).collect();
    std::fs::write(&file, lines.join("\n"))?;
    let pinned = file.with_file_name("state").join("approvers.json");
    if pinned.exists() {
        std::fs::remove_file(pinned)?;
    }
    lab.agents.start(name)?;
    wait_for(LIMIT, "the agent to be connected", || {
        let status = lab.agents.status(name)?;
        Ok((status["source"] == "agent" && status["connected"] == true).then_some(()))
    })
}

fn set_file(lab: &Lab, version: u32) -> Result<std::path::PathBuf> {
    let key = |number: usize| KEYS[number].trim();
    let set = serde_json::json!({
        "format": 1, "version": version, "name": "default", "threshold": 1,
        "approvers": [{ "name": "ann", "key": key(0) }, { "name": "bob", "key": key(1) }],
    });
    let path = lab.root().join(format!("approvers-{version}.json"));
    std::fs::write(&path, set.to_string())?;
    Ok(path)
}

#[test]
fn a_host_that_trusts_nobody_refuses_until_a_person_says_whom() {
    in_lab(2, |lab| {
        let names = bring_up(lab)?;
        let canary = names[0].as_str();
        trust_nobody(lab, canary)?;
        let before = image(lab, canary)?;
        let change = merge(lab, &Story::backup_network(), &[])?;
        let rollout = wait_ended(lab, &change)?;
        assert_eq!((rollout.phase.as_str(), rollout.word(canary)), ("halted", "refused"), "{rollout:#?}");
        assert_eq!(image(lab, canary)?, before);

        let (_, status) = verb(lab, canary, &["status"])?;
        assert!(status.contains("EVERY ORDER IS REFUSED"), "{status}");
        let (_, log) = verb(lab, canary, &["log"])?;
        assert!(log.contains("refused: change") && log.contains("no_approver_set"), "{log}");
        let (code, doctor) = verb(lab, canary, &["doctor"])?;
        assert!(code == 0 && doctor.contains("no approver set is pinned"), "{doctor}");
        let (code, shown) = verb(lab, canary, &["approvers", "show"])?;
        assert!(code == 0 && shown.contains("approvers pin FILE"), "{shown}");

        let (first, second) = (set_file(lab, 1)?, set_file(lab, 2)?);
        let (code, pinned) = verb(lab, canary, &["approvers", "pin", text(&first)])?;
        assert!(code == 0 && pinned.contains("ann") && pinned.contains("SHA256:"), "{pinned}");
        let (code, refused) = verb(lab, canary, &["approvers", "pin", text(&second)])?;
        assert!(code == 1 && refused.contains("--replace"), "{refused}");
        let (code, replaced) = verb(lab, canary, &["approvers", "pin", text(&second), "--replace"])?;
        assert_eq!(code, 0, "{replaced}");
        assert_eq!(lab.agents.status(canary)?["approver_set_version"], 2);
        wait_for(LIMIT, "the audit trail to tell of it", || {
            let audit = lab.list(&["audit", "list"])?;
            Ok(audit.iter().any(|entry| entry["action"] == "host.console_pin_approvers").then_some(()))
        })
    });
}

//! Who may be a host: one process per identity, one use per token, approval, renewal, revocation, copies.

use crate::support::*;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use simulator::faults::{FaultAction, FaultRule};
use std::time::{Duration, Instant};
use tests::lab::story::Story;
use tests::lab::{Lab, wait_for};

/// Life of a host's certificate in these tests; the shortest there is.
const CERTIFICATE_SECS: u64 = 60;
/// A step that takes longer than an agent waits with its renewal: half of that life, and a tenth for the spread.
const SLOW: &str = "network vswitch standard portgroup set";
const SLOW_MS: u64 = 42_000;

fn duplicates(lab: &Lab) -> Result<usize> {
    let audit = lab.list(&["audit", "list"])?;
    Ok(audit.iter().filter(|entry| entry["action"] == "host.duplicate_identity").count())
}

#[test]
fn a_token_is_good_for_one_host_and_one_time() {
    in_lab(2, |lab| {
        let names = lab.host_names()?;
        for name in &names {
            lab.prepare(name)?;
        }
        let token = lab.token_for(&names[0])?;
        let refused = |name: &str, token: &str| {
            let error = format!("{:#}", lab.agents.enrol(name, token).unwrap_err());
            assert!(error.contains("token"), "{error}");
        };
        refused(&names[0], "not-a-token");
        refused(&names[0], &format!("{}x", &token[..token.len() - 1]));
        lab.agents.enrol(&names[0], &token)?;
        refused(&names[0], &token);
        refused(&names[1], &token);
        // Whoever presents a token uses it up: one that got into wrong hands is of no use to anybody.
        let lost = lab.token_for(&names[0])?;
        refused(&names[1], &lost);
        refused(&names[0], &lost);
        let enrolled = |name: &str| {
            let hosts = lab.list(&["hosts"])?;
            anyhow::Ok(hosts.iter().any(|host| host["id"] == name && host["status"] == "enrolled"))
        };
        wait_for(LIMIT, "the host to be enrolled", || Ok(enrolled(&names[0])?.then_some(())))?;
        assert!(!enrolled(&names[1])?);
        Ok(())
    });
}

#[test]
fn a_second_process_with_the_same_identity_is_refused_while_the_first_lives() {
    in_lab(1, |lab| {
        let name = lab.host_names()?.remove(0);
        lab.enrol(&name)?;
        lab.wait_observed(LIMIT)?;
        lab.agents.clone_identity(&name, "clone")?;
        let holder = |lab: &Lab| anyhow::Ok(lab.operate(&["host", "show", &name])?["connected"] == true);
        lab.agents.start("clone")?;
        wait_for(LIMIT, "the second process to be refused", || Ok((duplicates(lab)? > 0).then_some(())))?;
        assert!(holder(lab)?, "the first process keeps its stream");
        assert!(!lab.agents.has_ended(&name)?);
        // When the first is gone the second may go on: it is one process again.
        lab.agents.kill(&name)?;
        wait_for(LIMIT, "the second process to take over", || Ok(holder(lab)?.then_some(())))?;
        Ok(())
    });
}

/// How many entries of the audit trail say this of a host.
fn audited(lab: &Lab, name: &str, action: &str) -> Result<usize> {
    let subject = format!("host/{name}");
    let audit = lab.list(&["audit", "list"])?;
    Ok(audit.iter().filter(|entry| entry["action"] == action && entry["subject"] == subject.as_str()).count())
}

fn shown(lab: &Lab, name: &str) -> Result<Value> {
    lab.operate(&["host", "show", name])
}

fn wait_connection(lab: &Lab, name: &str, connected: bool) -> Result<()> {
    let what = format!("{name} to be {}connected", if connected { "" } else { "dis" });
    wait_for(LIMIT, &what, || Ok((shown(lab, name)?["connected"] == connected).then_some(())))
}

#[test]
fn a_key_waits_for_the_operator_who_compares_it() {
    in_lab(1, |lab| {
        let name = lab.host_names()?.remove(0);
        lab.prepare(&name)?;
        let token = lab.token(&["--host", &name])?;
        let (agents, waiting) = (&lab.agents, ["enrol", "--token", token.as_str(), "--wait", "300"]);
        let output = std::thread::scope(|scope| {
            let enrolment = scope.spawn(|| agents.verb(&name, &waiting));
            let key = wait_for(LIMIT, "the host to ask", || {
                let pending = lab.list(&["host", "pending"])?;
                Ok(pending.first().and_then(|one| one["key"].as_str()).map(str::to_owned))
            })?;
            assert!(lab.list(&["hosts"])?.is_empty(), "nobody yet");
            let wrong = format!("sha256:{}", "0".repeat(64));
            let refused = lab.operate(&["host", "approve", &name, "--fingerprint", &wrong]);
            assert!(format!("{:#}", refused.unwrap_err()).contains("do not approve it"));
            lab.operate(&["host", "approve", &name, "--fingerprint", &key])?;
            let output = enrolment.join().expect("the enrolment panicked")?;
            ensure!(
                String::from_utf8_lossy(&output.stdout).contains(&key),
                "the host shows its key: {output:?}"
            );
            Ok(output)
        })?;
        ensure!(output.status.success(), "{output:?}");
        lab.agents.start(&name)?;
        wait_connection(lab, &name, true)?;
        assert_eq!(audited(lab, &name, "host.approved")?, 1);
        Ok(())
    });
}

#[test]
fn a_certificate_is_renewed_while_a_change_is_open() {
    in_lab(1, |lab| {
        lab.configure_coordinator(&format!("host_certificate_secs = {CERTIFICATE_SECS}\n"))?;
        lab.kill_coordinator()?;
        lab.start_coordinator()?;
        let name = bring_up(lab)?.remove(0);
        let known = writes(lab, &name)?.len();
        set_faults(lab, &name, vec![FaultRule::first(SLOW, FaultAction::Slow { ms: SLOW_MS })])?;
        let change = merge(lab, &Story::backup_network(), &[(&["rollout", "confirm_timeout_secs"], "300")])?;
        wait_write(lab, &name, SLOW, known)?;
        let certificate = || std::fs::read(lab.agents.certificate_file(&name));
        let before = certificate()?;
        wait_for(LIMIT, "a new certificate", || Ok((certificate()? != before).then_some(())))?;
        let open = lab.agents.status(&name)?;
        assert_eq!(open["open_change"], change["id"], "the change is still open: {open:#}");
        let rollout = wait_ended(lab, &change)?;
        assert_eq!(rollout.word(&name), "committed", "{rollout:#?}");
        wait_connection(lab, &name, true)
    });
}

#[test]
fn a_revoked_host_is_out_within_seconds_and_stays_out() {
    in_lab(2, |lab| {
        let names = lab.host_names()?;
        let (name, other) = (names[0].as_str(), names[1].as_str());
        lab.enrol_all(|_| {})?;
        wait_connected(lab, 2)?;
        let began = Instant::now();
        lab.operate(&["host", "revoke", name, "--reason", "stolen"])?;
        wait_connection(lab, name, false)?;
        // Each look of ours starts a program of its own: their time is not the coordinator's.
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
        wait_for(LIMIT, "its next try to be refused", || {
            Ok((audited(lab, name, "refused.revoked")? > 0).then_some(()))
        })?;
        let host = shown(lab, name)?;
        assert_eq!((&host["status"], &host["connected"]), (&"revoked".into(), &false.into()), "{host:#}");
        assert_eq!(shown(lab, other)?["connected"], true);
        // With a new token it begins anew.
        lab.agents.kill(name)?;
        let token = lab.token_for(name)?;
        lab.agents.enrol(name, &token)?;
        lab.agents.start(name)?;
        wait_connection(lab, name, true)
    });
}

#[test]
fn a_copy_of_a_host_that_recovers_is_noticed() {
    in_lab(1, |lab| {
        let name = lab.host_names()?.remove(0);
        lab.enrol(&name)?;
        lab.wait_observed(LIMIT)?;
        lab.agents.kill(&name)?;
        lab.agents.clone_identity(&name, "copy")?;
        // Both lost their certificates, or they ran out: each recovers with the key they share.
        for agent in [name.as_str(), "copy"] {
            let file = lab.agents.certificate_file(agent);
            std::fs::remove_file(&file).with_context(|| format!("{}", file.display()))?;
        }
        lab.agents.start(&name)?;
        wait_for(LIMIT, "the host to recover", || {
            Ok((audited(lab, &name, "host.recovered")? == 1).then_some(()))
        })?;
        wait_connection(lab, &name, true)?;
        lab.agents.start("copy")?;
        wait_for(LIMIT, "the copy to be noticed", || {
            Ok((audited(lab, &name, "host.quarantined")? == 1).then_some(()))
        })?;
        wait_connection(lab, &name, false)?;
        assert_eq!(shown(lab, &name)?["status"], "quarantined");
        assert!(!lab.agents.certificate_file("copy").exists(), "the copy got nothing");
        lab.agents.kill("copy")?;
        lab.operate(&["host", "release", &name, "--reason", "the copy is gone"])?;
        wait_connection(lab, &name, true)
    });
}

//! The console of one host: what a person there can see and do, with a running agent and without.

use crate::support::*;
use anyhow::{Context, Result};
use serde_json::Value;
use simulator::faults::{FaultAction, FaultRule};
use tests::lab::story::Story;
use tests::lab::{Lab, wait_for};

const SLOW: &str = "network vswitch standard portgroup set";
const SLOW_MS: u64 = 4_000;

/// Exit code and what was printed.
fn verb(lab: &Lab, name: &str, arguments: &[&str]) -> Result<(i32, String)> {
    let output = lab.agents.verb(name, arguments)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().with_context(|| format!("{arguments:?} ended with {}", output.status))?;
    Ok((code, format!("{}{}", text(&output.stdout), text(&output.stderr))))
}

fn json(lab: &Lab, name: &str, arguments: &[&str]) -> Result<(i32, Value)> {
    let output = lab.agents.verb(name, arguments)?;
    let code = output.status.code().with_context(|| format!("{arguments:?} ended with {}", output.status))?;
    let read = serde_json::from_slice(&output.stdout);
    Ok((
        code,
        read.with_context(|| format!("{arguments:?} printed {}", String::from_utf8_lossy(&output.stdout)))?,
    ))
}

/// Merges an attempt and waits until its canary is in the middle of the slow step.
fn in_the_middle(lab: &Lab, story: &Story, canary: &str) -> Result<Value> {
    let known = writes(lab, canary)?.len();
    set_faults(lab, canary, vec![FaultRule::first(SLOW, FaultAction::Slow { ms: SLOW_MS })])?;
    let change = merge(lab, story, &[])?;
    wait_write(lab, canary, SLOW, known)?;
    Ok(change)
}

#[test]
fn a_person_at_the_host_sees_and_undoes_without_a_network() {
    in_lab(2, |lab| {
        let names = bring_up(lab)?;
        let canary = names[0].as_str();
        let before = image(lab, canary)?;

        // With a running agent.
        let change = in_the_middle(lab, &attempt(1, "211"), canary)?;
        let (code, status) = json(lab, canary, &["status", "--json"])?;
        assert_eq!((code, &status["open_change"]), (3, &change["id"]), "{status:#}");
        assert_eq!((&status["source"], &status["guarded"]), (&"agent".into(), &true.into()), "{status:#}");
        let (code, plan) = json(lab, canary, &["plan", "--json"])?;
        assert_eq!((code, &plan["purpose"]), (3, &"open_change".into()), "{plan:#}");
        let (code, printed) = verb(lab, canary, &["rollback", "--last"])?;
        assert_eq!(code, 1, "nobody can be asked: {printed}");
        assert!(printed.contains("say --yes"), "{printed}");
        let (code, printed) = verb(lab, canary, &["rollback", "--last", "--yes", "--reason", "too loud"])?;
        assert_eq!(code, 0, "{printed}");
        assert!(printed.contains("rolled back: at the console: too loud"), "{printed}");
        assert_eq!(image(lab, canary)?, before);
        let rollout = wait_ended(lab, &change)?;
        assert_eq!((rollout.phase.as_str(), rollout.word(canary)), ("halted", "rolled_back"), "{rollout:#?}");
        // Without one: everything died in the middle of a step.
        set_faults(lab, canary, Vec::new())?;
        let change = in_the_middle(lab, &attempt(2, "212"), canary)?;
        lab.agents.kill(canary)?;
        set_faults(lab, canary, Vec::new())?;
        let (code, status) = json(lab, canary, &["status", "--json"])?;
        assert_eq!((code, &status["open_change"]), (3, &change["id"]), "{status:#}");
        assert_eq!(status["source"], "journal", "{status:#}");
        let (code, printed) = verb(lab, canary, &["log"])?;
        assert!(code == 0 && printed.contains("opened:") && printed.contains("step 1 done"), "{printed}");
        let (code, printed) = verb(lab, canary, &["rollback", "--last", "--yes"])?;
        assert_eq!(code, 0, "{printed}");
        assert!(printed.contains("no agent runs") && printed.contains("rolled back"), "{printed}");
        assert_eq!(image(lab, canary)?, before);
        assert_eq!(json(lab, canary, &["status", "--json"])?.0, 0);
        lab.agents.start(canary)?;
        let rollout = wait_ended(lab, &change)?;
        assert_eq!((rollout.phase.as_str(), rollout.word(canary)), ("halted", "rolled_back"), "{rollout:#?}");
        Ok(())
    });
}

#[test]
fn the_last_committed_change_is_undone_at_the_console() {
    in_lab(2, |lab| {
        let names = bring_up(lab)?;
        let before: Vec<_> = names.iter().map(|name| image(lab, name)).collect::<Result<_>>()?;
        let (code, printed) = verb(lab, &names[0], &["rollback", "--last", "--yes"])?;
        assert_eq!(code, 8, "an import changed nothing: {printed}");
        let change = merge(lab, &attempt(1, "211"), &[])?;
        let rollout = wait_ended(lab, &change)?;
        assert_eq!(rollout.phase, "completed", "{rollout:#?}");
        // On one host the agent does it, on the other the console itself.
        lab.agents.kill(&names[1])?;
        for (name, before) in names.iter().zip(before) {
            assert_ne!(image(lab, name)?, before);
            let (code, printed) = verb(lab, name, &["rollback", "--last", "--yes", "--reason", "too loud"])?;
            assert_eq!(code, 0, "{printed}");
            assert!(printed.contains("was committed last"), "{printed}");
            assert_eq!(image(lab, name)?, before, "{name}");
            let (code, printed) = verb(lab, name, &["rollback", "--last", "--yes"])?;
            assert_eq!(code, 8, "it is undone already: {printed}");
            let (_, printed) = verb(lab, name, &["log"])?;
            assert!(printed.contains("at the console: rollback: too loud"), "{printed}");
        }
        // One agent runs: its host's row, the drift and the rollout say it. The other tells it when it is back.
        lab.agents.start(&names[1])?;
        let undone = wait_for(LIMIT, "both undone changes to be told", || {
            let drift = lab.list(&["drift"])?;
            Ok((drift.len() == names.len()).then_some(drift))
        })?;
        for entry in undone {
            let difference = &entry["difference"];
            assert_eq!((&difference["component"], &difference["object"]), (&"rfc".into(), &"RFC-1".into()));
            assert_eq!(difference["observed"], "undone (at the console: too loud)", "{entry:#}");
        }
        let generation = |host: &Value, key: &str| host[key].as_u64().context("no generation");
        for host in lab.list(&["hosts"])? {
            let committed = generation(&host, "generation_committed")?;
            assert!(committed < generation(&host["undone"], "generation")?, "{host:#}");
            assert_eq!(host["undone"]["change"], change["id"], "{host:#}");
        }
        let rollout = ended(&lab.rollout_of(&change)?.context("no rollout")?);
        assert!(names.iter().all(|name| rollout.word(name) == "rolled_back"), "{rollout:#?}");
        // The next change, merged on top, brings both back.
        let rollout = wait_ended(lab, &merge(lab, &attempt(2, "212"), &[])?)?;
        assert_eq!(rollout.phase, "completed", "{rollout:#?}");
        assert!(lab.list(&["drift"])?.is_empty(), "all is as confirmed");
        Ok(())
    });
}

#[test]
fn holds_plan_and_doctor_tell_the_truth() {
    in_lab(2, |lab| {
        let names = bring_up(lab)?;
        let name = names[0].as_str();
        let (code, printed) = verb(lab, name, &["status"])?;
        assert_eq!(code, 0, "{printed}");
        assert!(printed.contains("no change is open"), "{printed}");

        let (code, printed) = verb(lab, name, &["work"])?;
        assert_eq!(code, 1, "{printed}");
        assert!(printed.contains("an agent runs already"), "{printed}");

        let (code, printed) = verb(lab, name, &["plan"])?;
        assert!(code == 0 && printed.contains("nothing would change"), "{printed}");
        let line =
            ["network", "vswitch", "standard", "portgroup", "set", "-p", "Management Network", "-v", "4001"];
        let other = names[1].as_str();
        lab.agents.kill(other)?;
        lab.console(other, &line)?;
        let known = writes(lab, other)?.len();
        let (code, printed) = verb(lab, other, &["plan"])?;
        assert!(code == 0 && printed.contains("portgroup set") && printed.contains("back:"), "{printed}");
        assert_eq!(writes(lab, other)?.len(), known, "a plan changes nothing");

        for agent_runs in [true, false] {
            if !agent_runs {
                lab.agents.kill(name)?;
            }
            assert_eq!(verb(lab, name, &["freeze", "  "])?.0, 1, "a reason is needed");
            assert_eq!(verb(lab, name, &["freeze", "cabling in rack 7"])?.0, 0);
            assert_eq!(verb(lab, name, &["pin", "migration"])?.0, 0);
            let (code, status) = json(lab, name, &["status", "--json"])?;
            assert_eq!((code, &status["frozen"]["reason"]), (5, &"cabling in rack 7".into()), "{status:#}");
            assert_eq!(status["pinned"]["reason"], "migration", "{status:#}");
            assert_eq!(verb(lab, name, &["release"])?.0, 0);
            let (code, status) = json(lab, name, &["status", "--json"])?;
            assert_eq!((code, &status["frozen"]), (0, &Value::Null), "{status:#}");
        }

        lab.agents.start(name)?;
        wait_for(LIMIT, "the agent to answer", || {
            Ok((lab.agents.status(name)?["source"] == "agent").then_some(()))
        })?;
        let (code, report) = json(lab, name, &["doctor", "--json"])?;
        let verdict = |id: &str| {
            let checks = report["checks"].as_array().cloned().unwrap_or_default();
            checks
                .iter()
                .find(|check| check["id"] == id)
                .map(|check| check["verdict"].clone())
                .unwrap_or_default()
        };
        assert_eq!(code, 0, "{report:#}");
        for id in [
            "esxcli",
            "state_write_fsync",
            "spawn_and_pipes",
            "process_groups",
            "certificate",
            "coordinator_tls",
        ] {
            assert_eq!(verdict(id), "pass", "{id}: {report:#}");
        }
        lab.agents.take_esxcli(name)?;
        let (code, report) = json(lab, name, &["doctor", "--json"])?;
        lab.agents.give_esxcli(name)?;
        assert_eq!(code, 7, "{report:#}");
        Ok(())
    });
}

//! The main job: import, merge, every host committed with exactly the approved calls; then drift. On both databases.

use crate::postgresql::{database_url, on_server, server};
use crate::support::*;
use anyhow::{Context, Result};
use serde_json::Value;
use tests::lab::story::Story;
use tests::lab::{GROUP, Lab, wait_for};

#[test]
fn a_merge_becomes_confirmed_hosts_on_sqlite() {
    in_lab(4, |lab| tell(lab, "sqlite"));
}

#[test]
fn a_merge_becomes_confirmed_hosts_on_postgresql() {
    let Some(server) = server() else { return };
    let name = format!("pointsman_lab_{}", std::process::id());
    let made = on_server(&server, &format!("CREATE DATABASE {name}"));
    let url = if made { database_url(&server, &name) } else { server.clone() };
    in_lab_on(Some(url), 3, |lab| tell(lab, "postgresql"));
    assert!(!made || on_server(&server, &format!("DROP DATABASE {name} WITH (FORCE)")));
}

fn tell(lab: &mut Lab, database: &str) -> Result<()> {
    assert_eq!(lab.status()?["database"], database);
    let names = bring_up(lab)?;
    let change = roll_out(lab, &names)?;
    nothing_is_done_twice(lab, &names, &change)?;
    drift(lab, &names)
}

fn roll_out(lab: &Lab, names: &[String]) -> Result<Value> {
    let change = merge(lab, &Story::backup_network(), &[])?;
    let rollout = wait_ended(lab, &change)?;
    assert_eq!(rollout.phase, "completed", "{rollout:#?}");
    assert_eq!(rollout.hosts.len(), names.len(), "{rollout:#?}");
    let detail = detail(lab, &change)?;
    for name in names {
        assert_eq!(rollout.word(name), "committed", "{rollout:#?}");
        let lines = approved_lines(&detail, name)?;
        assert!(lines.len() >= 4, "{lines:#?}");
        assert_eq!(writes(lab, name)?, lines, "{name}: each approved step once, in order, and nothing else");
        wait_for(LIMIT, &format!("the configuration of {name} to be saved"), || {
            let host = host(lab, name).load()?;
            Ok((host.saved == host.running).then_some(()))
        })?;
        assert!(saves(lab, name)? >= 1, "{name}");
    }
    let rfcs = lab.list(&["rfcs"])?;
    assert!(rfcs.iter().any(|rfc| rfc["number"] == 1 && rfc["state"] == "implemented"), "{rfcs:#?}");
    for host in lab.list(&["hosts"])? {
        assert_eq!(host["committed_rfc"], 1, "{host:#}");
    }
    Ok(change)
}

/// The same commit again, the same agents again, and a commit that changes only words.
fn nothing_is_done_twice(lab: &mut Lab, names: &[String], change: &Value) -> Result<()> {
    let before = footprint(lab, names)?;
    let changes = lab.list(&["changes"])?.len();
    lab.operate(&["sync"])?;
    lab.kill_coordinator()?;
    lab.start_coordinator()?;
    let first = names.first().context("no host")?;
    lab.agents.kill(first)?;
    lab.agents.start(first)?;
    wait_connected(lab, names.len())?;
    assert_eq!(lab.list(&["changes"])?.len(), changes, "the head is known");
    let path = format!("groups/{GROUP}/network.yaml");
    let network = lab.config.read(&path)?;
    lab.config.write(&path, &format!("# Only words.\n{network}"))?;
    let commit = lab.config.commit("Say more about the network")?;
    lab.operate(&["sync"])?;
    let words = lab.wait_accepted(&commit, LIMIT)?;
    assert_eq!(detail(lab, &words)?["plans"], Value::Array(Vec::new()));
    assert!(lab.rollout_of(&words)?.is_none(), "nothing to roll out");
    assert_eq!(ended(&lab.rollout_of(change)?.context("the rollout is gone")?).phase, "completed");
    assert_eq!(footprint(lab, names)?, before);
    Ok(())
}

fn drift(lab: &Lab, names: &[String]) -> Result<()> {
    let last = names.last().context("no host")?;
    let known = writes(lab, last)?;
    let set_vlan = |vlan: &str| {
        let vlan = format!("--vlan-id={vlan}");
        let typed =
            ["network", "vswitch", "standard", "portgroup", "set", "--portgroup-name=Backup 114", &vlan];
        lab.console(last, &typed)
    };
    set_vlan("999")?;
    let seen = wait_for(LIMIT, "the drift to be reported", || {
        let drift = lab.list(&["drift"])?;
        Ok((!drift.is_empty()).then_some(drift))
    })?;
    let [entry] = seen.as_slice() else { panic!("{seen:#?}") };
    assert_eq!(entry["host"], last.as_str());
    let difference = &entry["difference"];
    assert_eq!(
        (&difference["component"], &difference["object"], &difference["field"]),
        (&"port_group".into(), &"Backup 114".into(), &"vlan".into()),
        "{entry:#}"
    );
    assert_eq!(
        (&difference["desired"], &difference["observed"]),
        (&"114".into(), &"999".into()),
        "{entry:#}"
    );
    set_vlan("114")?;
    wait_for(LIMIT, "the drift to be gone", || Ok(lab.list(&["drift"])?.is_empty().then_some(())))?;
    assert_eq!(writes(lab, last)?, known, "drift is told, not repaired");
    Ok(())
}

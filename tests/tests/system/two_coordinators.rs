//! Two real coordinators on one database: one leads, the other goes on when it dies, and nothing is applied twice.

use crate::postgresql::{database_url, on_server, server};
use crate::support::*;
use anyhow::{Context, Result};
use simulator::faults::{FaultAction, FaultRule};
use std::time::{Duration, Instant};
use tests::lab::story::Story;
use tests::lab::{Lab, wait_for};

const SLOW: &str = "network vswitch standard portgroup set";
/// Longest time from the death of the one to the lead of the other, on a busy machine; 10 s on a quiet one.
const HANDOVER_LIMIT: Duration = Duration::from_secs(40);

#[test]
fn a_coordinator_that_dies_in_a_wave_hands_over_on_sqlite() {
    in_lab(4, tell);
}

#[test]
fn a_coordinator_that_dies_in_a_wave_hands_over_on_postgresql() {
    let Some(server) = server() else { return };
    let name = format!("pointsman_two_{}", std::process::id());
    if !on_server(&server, &format!("CREATE DATABASE {name}")) {
        println!("skipped: PostgreSQL (a database of its own needs the program psql)");
        return;
    }
    in_lab_on(Some(database_url(&server, &name)), 4, tell);
    assert!(on_server(&server, &format!("DROP DATABASE {name} WITH (FORCE)")));
}

fn tell(lab: &mut Lab) -> Result<()> {
    let second_port = lab.start_second()?;
    let first = lab.wait_leads(LIMIT)?;
    let names = bring_up(lab)?;
    for (number, name) in names.iter().enumerate() {
        give_both(lab, name, second_port, number % 2 == 0)?;
    }
    wait_connected(lab, names.len())?;
    stands_by(lab, &first)?;
    for name in &names {
        set_faults(lab, name, vec![FaultRule::first(SLOW, FaultAction::Slow { ms: 3_000 })])?;
    }
    let staged: &[(&[&str], &str)] =
        &[(&["rollout", "waves"], "[100%]"), (&["rollout", "confirm_timeout_secs"], "120")];
    let known = names.iter().map(|name| Ok(writes(lab, name)?.len())).collect::<Result<Vec<_>>>()?;
    let change = merge(lab, &Story::backup_network(), staged)?;
    wait_for(LIMIT, "somebody of the second wave to be at work", || {
        for name in &names[1..] {
            if writes(lab, name)?.iter().any(|call| call.starts_with(&format!("esxcli {SLOW}"))) {
                return Ok(Some(()));
            }
        }
        Ok(None)
    })?;
    lab.kill_coordinator()?;
    let killed = Instant::now();
    lab.ask_the_other()?;
    let second = lab.wait_leads(LIMIT)?;
    println!("handed over after {:.1} s", killed.elapsed().as_secs_f32());
    assert!(killed.elapsed() < HANDOVER_LIMIT, "{:?}", killed.elapsed());
    assert_ne!(first, second);
    let rollout = wait_ended(lab, &change)?;
    assert_eq!(rollout.phase, "completed", "{rollout:#?}");
    let detail = detail(lab, &change)?;
    for (name, known) in names.iter().zip(known) {
        assert_eq!(rollout.word(name), "committed", "{rollout:#?}");
        assert_eq!(writes(lab, name)?[known..], approved_lines(&detail, name)?, "{name}: every step once");
    }
    let verified = lab.operate(&["audit", "verify"])?;
    assert_eq!(verified["verdict"], "intact", "{verified:#}");
    // The one that died comes back, and stands by; the next change is the other one's.
    lab.ask_the_other()?;
    lab.start_coordinator()?;
    assert_eq!(lab.status()?["leader"], second.as_str());
    lab.ask_the_other()?;
    let rollout = wait_ended(lab, &merge(lab, &Story::port_group(2), &[])?)?;
    assert_eq!(rollout.phase, "completed", "{rollout:#?}");
    stands_by(lab, &second)
}

/// The coordinator that is not asked has no host, and refuses to steer.
fn stands_by(lab: &mut Lab, leader: &str) -> Result<()> {
    lab.ask_the_other()?;
    let status = lab.status()?;
    assert_eq!((&status["leader"], &status["connected_hosts"]), (&leader.into(), &0.into()), "{status:#}");
    let refused = lab.operate(&["sync"]).expect_err("it does not follow the repository").to_string();
    assert!(refused.contains("stands by"), "{refused}");
    lab.ask_the_other()
}

/// The agent knows both coordinators, in one order or the other.
fn give_both(lab: &mut Lab, name: &str, second_port: u16, first_in_front: bool) -> Result<()> {
    let file = lab.agents.settings_file(name);
    let settings = std::fs::read_to_string(&file)?;
    let line =
        settings.lines().find(|line| line.starts_with("coordinators = ")).context("no coordinators")?;
    let first = line.trim_start_matches("coordinators = [").trim_end_matches(']');
    let second = format!("\"127.0.0.1:{second_port}\"");
    let both = match first_in_front {
        true => format!("coordinators = [{first}, {second}]"),
        false => format!("coordinators = [{second}, {first}]"),
    };
    std::fs::write(&file, settings.replace(line, &both))?;
    lab.agents.kill(name)?;
    lab.agents.start(name)
}

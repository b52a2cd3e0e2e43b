//! Processes that die: an agent at any step, and the coordinator in the middle of a wave.

use crate::support::*;
use anyhow::Result;
use serde_json::Value;
use simulator::faults::{FaultAction, FaultRule};
use tests::lab::story::Story;
use tests::lab::{Lab, wait_for};

/// Merges an attempt whose canary is killed by these faults, starts its agent again, and sees it end as before.
fn dies(
    lab: &mut Lab,
    story: &Story,
    told: &str,
    faults: impl FnOnce(&[String]) -> Vec<FaultRule>,
) -> Result<()> {
    let names = lab.host_names()?;
    let canary = names[0].as_str();
    let others = footprint(lab, &names[1..])?;
    let before = image(lab, canary)?;
    story.write(lab, &[])?;
    let lines = planned_lines(lab, canary)?;
    set_faults(lab, canary, faults(&lines))?;
    let change = merge(lab, story, &[])?;
    wait_for(LIMIT, "the agent to be killed", || Ok(lab.agents.has_ended(canary)?.then_some(())))?;
    let open = lab.agents.status(canary)?;
    assert_eq!(open["open_change"], change["id"], "its journal knows what was begun: {open:#}");
    set_faults(lab, canary, Vec::new())?;
    lab.agents.start_without_guard(canary)?;
    let rollout = wait_ended(lab, &change)?;
    assert_eq!(rollout.phase, "halted", "{rollout:#?}");
    assert_eq!(rollout.word(canary), "rolled_back", "{rollout:#?}");
    assert!(rollout.told(canary).contains(told), "{rollout:#?}");
    assert_eq!(image(lab, canary)?, before, "{}: the host is as before", story.rfc);
    assert_eq!(footprint(lab, &names[1..])?, others, "nobody else is touched");
    let closed = lab.agents.status(canary)?;
    assert_eq!(closed["open_change"], Value::Null, "{closed:#}");
    Ok(())
}

#[test]
fn an_agent_killed_at_any_step_ends_as_before() {
    use FaultAction::{FailBefore, KillCallerAfterChange, KillCallerBefore};
    in_lab(2, |lab| {
        let names = bring_up(lab)?;
        // A guard would start the agent again before the test has looked.
        lab.agents.kill(&names[0])?;
        lab.agents.start_without_guard(&names[0])?;
        wait_connected(lab, names.len())?;
        let restarted = "the agent was restarted";
        dies(lab, &attempt(1, "211"), restarted, |lines| vec![at_step(lines, 0, KillCallerAfterChange)])?;
        dies(lab, &attempt(2, "212"), restarted, |lines| {
            vec![at_step(lines, lines.len() / 2, KillCallerBefore)]
        })?;
        dies(lab, &attempt(3, "213"), restarted, |lines| {
            vec![at_step(lines, lines.len() / 2, KillCallerAfterChange)]
        })?;
        dies(lab, &attempt(4, "214"), restarted, |lines| {
            vec![at_step(lines, lines.len() - 1, KillCallerAfterChange)]
        })?;
        // On the way back: the last step fails, then the removal of the port group kills.
        dies(lab, &attempt(5, "215"), "Sysinfo", |lines| {
            let message = "Unable to complete Sysinfo operation.".to_owned();
            vec![
                at_step(lines, lines.len() - 1, FailBefore { message }),
                FaultRule::first("network vswitch standard portgroup remove", KillCallerAfterChange),
            ]
        })?;
        let before: Vec<usize> =
            names.iter().map(|name| Ok(writes(lab, name)?.len())).collect::<Result<_>>()?;
        let change = merge(lab, &attempt(6, "216"), &[])?;
        let rollout = wait_ended(lab, &change)?;
        assert_eq!(rollout.phase, "completed", "{rollout:#?}");
        let detail = detail(lab, &change)?;
        for (name, known) in names.iter().zip(before) {
            assert_eq!(writes(lab, name)?[known..], approved_lines(&detail, name)?, "{name}");
        }
        Ok(())
    });
}

#[test]
fn a_coordinator_killed_in_a_wave_goes_on_and_nothing_is_applied_twice() {
    in_lab(4, |lab| {
        let names = bring_up(lab)?;
        let slow = "network vswitch standard portgroup set";
        for name in &names {
            set_faults(lab, name, vec![FaultRule::first(slow, FaultAction::Slow { ms: 1_500 })])?;
        }
        let change = merge(lab, &Story::backup_network(), &[(&["rollout", "waves"], "[100%]")])?;
        // Once while the canary is at work, once while the wave of all others is.
        wait_write(lab, &names[0], slow, 0)?;
        lab.kill_coordinator()?;
        lab.start_coordinator()?;
        wait_for(LIMIT, "somebody of the second wave to be at work", || {
            for name in &names[1..] {
                if writes(lab, name)?.iter().any(|call| call.starts_with(&format!("esxcli {slow}"))) {
                    return Ok(Some(()));
                }
            }
            Ok(None)
        })?;
        lab.kill_coordinator()?;
        lab.start_coordinator()?;
        let rollout = wait_ended(lab, &change)?;
        assert_eq!(rollout.phase, "completed", "{rollout:#?}");
        assert_eq!(rollout.waves.iter().map(Vec::len).collect::<Vec<_>>(), [1, 3], "{rollout:#?}");
        let detail = detail(lab, &change)?;
        for name in &names {
            assert_eq!(rollout.word(name), "committed", "{rollout:#?}");
            assert_eq!(writes(lab, name)?, approved_lines(&detail, name)?, "{name}: every step once");
        }
        let verified = lab.operate(&["audit", "verify"])?;
        assert_eq!(verified["verdict"], "intact", "{verified:#}");
        Ok(())
    });
}

//! The guard: an agent that dies, hangs or loses its guard leaves the host as before or as confirmed.

use crate::support::*;
use anyhow::{Context, Result};
use model::ObservedNetwork;
use serde_json::Value;
use simulator::faults::{FaultAction, FaultRule};
use tests::lab::story::Story;
use tests::lab::{Lab, wait_for};

/// A step of the story that is made slow, so that something can happen meanwhile.
const SLOW: &str = "network vswitch standard portgroup set";
const SLOW_MS: u64 = 8_000;

/// Merges an attempt and waits until its canary is in the middle of the slow step.
fn in_the_middle(lab: &Lab, story: &Story, canary: &str) -> Result<(Value, ObservedNetwork)> {
    let before = image(lab, canary)?;
    let known = writes(lab, canary)?.len();
    set_faults(lab, canary, vec![FaultRule::first(SLOW, FaultAction::Slow { ms: SLOW_MS })])?;
    let change = merge(lab, story, &[])?;
    wait_write(lab, canary, SLOW, known)?;
    Ok((change, before))
}

fn ends_as_before(lab: &Lab, change: &Value, canary: &str, before: &ObservedNetwork) -> Result<()> {
    let rollout = wait_ended(lab, change)?;
    assert_eq!(rollout.phase, "halted", "{rollout:#?}");
    assert_eq!(rollout.word(canary), "rolled_back", "{rollout:#?}");
    assert!(rollout.told(canary).contains("the agent was restarted"), "{rollout:#?}");
    assert_eq!(image(lab, canary)?, *before, "the host is as before");
    set_faults(lab, canary, Vec::new())
}

#[test]
fn whatever_happens_to_agent_or_guard_the_host_is_old_or_new() {
    in_lab(2, |lab| {
        let names = bring_up(lab)?;
        let canary = names[0].as_str();
        let guard = lab.agents.guard_id(canary).context("no guard")?;

        // The agent is killed in the middle of a step: the guard starts another, which goes back.
        let first = lab.agents.agent_id(canary)?;
        let (change, before) = in_the_middle(lab, &attempt(1, "211"), canary)?;
        lab.agents.kill_agent_only(canary)?;
        ends_as_before(lab, &change, canary, &before)?;
        let second = lab.agents.agent_id(canary)?;
        assert_ne!(first, second);

        // The agent is stopped in the middle of a step: the guard kills it and starts another.
        let (change, before) = in_the_middle(lab, &attempt(2, "212"), canary)?;
        lab.agents.stop_agent(canary)?;
        ends_as_before(lab, &change, canary, &before)?;
        let third = lab.agents.agent_id(canary)?;
        assert_ne!(second, third);
        assert!(!runs(second), "the stopped one is gone");
        assert_eq!(lab.agents.guard_id(canary), Some(guard), "the guard lived through all of it");

        // The guard is killed: the agent ends its change as if nothing were, and then itself.
        let (change, _) = in_the_middle(lab, &attempt(3, "213"), canary)?;
        lab.agents.kill_guard_only(canary)?;
        assert!(runs(third), "the open change is not left alone");
        wait_for(LIMIT, "the agent to end without its guard", || Ok((!runs(third)).then_some(())))?;
        lab.agents.start(canary)?;
        let rollout = wait_ended(lab, &change)?;
        assert_eq!(rollout.phase, "completed", "{rollout:#?}");
        assert_eq!(rollout.word(canary), "committed", "{rollout:#?}");

        // An agent without anything open ends at once, and a new guard takes over.
        let fourth = lab.agents.agent_id(canary)?;
        wait_connected(lab, names.len())?;
        lab.agents.kill_guard_only(canary)?;
        wait_for(LIMIT, "the idle agent to end", || Ok((!runs(fourth)).then_some(())))?;
        lab.agents.start(canary)?;
        wait_for(LIMIT, "a guarded agent to answer", || {
            let status = lab.agents.status(canary)?;
            Ok((status["source"] == "agent" && status["guarded"] == true).then_some(()))
        })
    });
}

#[test]
fn an_agent_stopped_after_its_guard_died_does_not_keep_the_seat() {
    in_lab(2, |lab| {
        let names = bring_up(lab)?;
        let canary = names[0].as_str();
        let agent = lab.agents.agent_id(canary)?;
        let (change, before) = in_the_middle(lab, &attempt(1, "211"), canary)?;
        lab.agents.stop_agent(canary)?;
        lab.agents.kill_guard_only(canary)?;
        // As the host's watchdog would.
        lab.agents.start(canary)?;
        // A stopped group without a parent gets SIGHUP and goes on. Where the signal kills, the next agent goes back;
        // where it is ignored (as under nohup), the agent ends its change. Old or new, and told as it is.
        let rollout = wait_ended(lab, &change)?;
        match rollout.word(canary) {
            "rolled_back" => assert_eq!(image(lab, canary)?, before, "the host is as before"),
            word => assert_eq!((word, rollout.phase.as_str()), ("committed", "completed"), "{rollout:#?}"),
        }
        wait_for(LIMIT, "the stopped agent to be gone", || Ok((!runs(agent)).then_some(())))
    });
}

//! Agent and guard killed or stopped at every step of a change, each host at its own step.

use crate::support::*;
use anyhow::{Context, Result, ensure};
use model::ObservedNetwork;
use simulator::faults::FaultAction;
use tests::lab::{Lab, Limit, wait_for};

/// How long the step lasts in which the blow falls: time for a slow machine to see it, short of the limit of a call.
const SLOW_MS: u64 = 20_000;
/// Longest wait for a whole round: every host is at work at once, on one machine.
const ROUND_LIMIT: Limit = Limit::secs(300);

/// What happens to a host.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Blow {
    KillAgent,
    StopAgent,
    KillGuard,
    StopGuard,
}

/// A host, the step in the middle of which its blow falls, and how it was before.
struct Victim {
    name: String,
    step: usize,
    blow: Blow,
    before: ObservedNetwork,
    known: usize,
    /// Its agent when the blow fell.
    agent: Option<u32>,
}

/// One host per step and blow, and one in front that nothing happens to.
fn every_step(blows: [Blow; 2]) {
    // The story has this many steps; checked below.
    const STEPS: usize = 5;
    in_lab(1 + STEPS * blows.len(), |lab| {
        let names = bring_up(lab)?;
        let story = attempt(1, "211");
        story.write(lab, &[])?;
        let lines = planned_lines(lab, &names[0])?;
        assert_eq!(lines.len(), STEPS, "a host for every step: {lines:#?}");
        let places = blows.iter().flat_map(|blow| (0..STEPS).map(move |step| (*blow, step)));
        let mut victims = Vec::new();
        for (name, (blow, step)) in names[1..].iter().zip(places) {
            set_faults(lab, name, vec![at_step(&lines, step, FaultAction::Slow { ms: SLOW_MS })])?;
            let (before, known) = (image(lab, name)?, writes(lab, name)?.len());
            victims.push(Victim { name: name.clone(), step, blow, before, known, agent: None });
        }
        let together: &[(&[&str], &str)] = &[
            (&["rollout", "waves"], "[100%]"),
            (&["rollout", "failure_budget"], "64"),
            (&["rollout", "max_parallel"], "64"),
            (&["rollout", "confirm_timeout_secs"], "120"),
        ];
        let change = merge(lab, &story, together)?;
        strike(lab, &mut victims)?;
        recover(lab, &victims)?;
        let ends = ["completed", "halted", "aborted"];
        let rollout = ended(&lab.wait_rollout(&change, &ends, ROUND_LIMIT)?);
        let detail = detail(lab, &change)?;
        assert_eq!(rollout.word(&names[0]), "committed", "{rollout:#?}");
        for victim in &victims {
            let Victim { name, step, blow, before, known, .. } = victim;
            let told = format!("{name}, {blow:?} at step {step}: {rollout:#?}");
            match blow {
                Blow::KillAgent | Blow::StopAgent => {
                    assert_eq!(rollout.word(name), "rolled_back", "{told}");
                    assert!(rollout.told(name).contains("the agent was restarted"), "{told}");
                    assert_eq!(image(lab, name)?, *before, "as before: {told}");
                }
                Blow::KillGuard | Blow::StopGuard => {
                    assert_eq!(rollout.word(name), "committed", "{told}");
                    let lines = approved_lines(&detail, name)?;
                    assert_eq!(writes(lab, name)?[*known..], lines, "every step once: {told}");
                }
            }
            let open = lab.agents.status(name)?;
            assert!(open["open_change"].is_null(), "{told}: {open:#}");
        }
        wait_connected(lab, names.len())
    });
}

/// Waits for every host to be in the middle of its step, and strikes.
fn strike(lab: &mut Lab, victims: &mut [Victim]) -> Result<()> {
    wait_for(ROUND_LIMIT, "every host to be in the middle of its step", || {
        for victim in victims.iter_mut().filter(|victim| victim.agent.is_none()) {
            let Victim { name, step, blow, known, agent, .. } = victim;
            let done = writes(lab, name)?.len() - *known;
            if done <= *step {
                continue;
            }
            ensure!(done == *step + 1, "{name}: the machine was too slow to strike in step {step}");
            *agent = Some(lab.agents.agent_id(name)?);
            match blow {
                Blow::KillAgent => lab.agents.kill_agent_only(name)?,
                Blow::StopAgent => lab.agents.stop_agent(name)?,
                Blow::KillGuard => lab.agents.kill_guard_only(name)?,
                Blow::StopGuard => lab.agents.stop_guard(name)?,
            }
        }
        Ok(victims.iter().all(|victim| victim.agent.is_some()).then_some(()))
    })
}

/// What the host's own watchdog and a person would do.
fn recover(lab: &mut Lab, victims: &[Victim]) -> Result<()> {
    for Victim { name, blow, agent, .. } in victims {
        let agent = agent.context("no blow fell")?;
        match blow {
            // The guard does it.
            Blow::KillAgent | Blow::StopAgent => {}
            Blow::KillGuard => {
                wait_for(ROUND_LIMIT, "the agent to end without its guard", || {
                    Ok((!runs(agent)).then_some(()))
                })?;
                lab.agents.start(name)?;
            }
            Blow::StopGuard => {
                wait_for(ROUND_LIMIT, "the agent to end its change under a stopped guard", || {
                    Ok(lab.agents.status(name)?["open_change"].is_null().then_some(()))
                })?;
                lab.agents.resume_guard(name)?;
            }
        }
    }
    Ok(())
}

#[test]
fn an_agent_killed_or_stopped_at_every_step_goes_back() {
    every_step([Blow::KillAgent, Blow::StopAgent]);
}

#[test]
fn a_guard_killed_or_stopped_at_every_step_does_not_matter() {
    every_step([Blow::KillGuard, Blow::StopGuard]);
}

//! Hosts that go wrong: the canary ends as before, the rollout halts, nobody else is touched.

use crate::support::*;
use anyhow::{Context, Result};
use simulator::faults::{FaultAction, FaultRule};
use tests::lab::story::Story;
use tests::lab::{Lab, wait_for};

/// Longest changing call in this lab.
const STEP_TIMEOUT_SECS: u64 = 2;
/// What a step of each story is.
const SET: &str = "network vswitch standard portgroup set";
const ADD: &str = "network vswitch standard portgroup add";
const LIST: &str = "network vswitch standard portgroup list";

/// A new port group; each attempt is another RFC with another VLAN.
fn attempt(rfc: u32, vlan: &'static str) -> Story {
    Story {
        rfc,
        title: "A network for tests",
        edits: vec![
            (vec!["port_groups", "Test 200", "vswitch"], "vSwitch1"),
            (vec!["port_groups", "Test 200", "vlan"], vlan),
            (vec!["vswitches", "vSwitch1", "mtu"], "9000"),
        ],
    }
}

/// The fleet of one lab: the first host is the canary of every rollout.
struct Fleet<'a> {
    lab: &'a Lab,
    names: Vec<String>,
}

impl Fleet<'_> {
    fn canary(&self) -> &str {
        &self.names[0]
    }

    /// Merges an attempt while the canary has these faults. It must end with `word` and a text, and all be as before.
    fn fails(
        &self,
        story: &Story,
        faults: Vec<FaultRule>,
        (word, told): (&str, &str),
        meanwhile: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let (lab, canary) = (self.lab, self.canary());
        let others = footprint(lab, &self.names[1..])?;
        let before = image(lab, canary)?;
        set_faults(lab, canary, faults)?;
        let change = merge(lab, story, &[])?;
        meanwhile()?;
        let rollout = wait_ended(lab, &change)?;
        set_faults(lab, canary, Vec::new())?;
        assert_eq!(rollout.phase, "halted", "{rollout:#?}");
        assert!(rollout.reason.contains(canary), "{}", rollout.reason);
        assert_eq!(rollout.waves[0], [canary], "{rollout:#?}");
        assert_eq!(rollout.word(canary), word, "{rollout:#?}");
        assert!(rollout.told(canary).contains(told), "{told}: {rollout:#?}");
        assert_eq!(image(lab, canary)?, before, "the canary is as before");
        assert_eq!(footprint(lab, &self.names[1..])?, others, "nobody else is touched");
        for name in &self.names[1..] {
            assert_eq!(rollout.word(name), "pending", "{rollout:#?}");
        }
        Ok(())
    }
}

#[test]
fn an_esxcli_that_goes_wrong_halts_the_rollout_at_the_canary() {
    in_lab(3, |lab| {
        lab.agents.set_step_timeout(STEP_TIMEOUT_SECS);
        let names = bring_up(lab)?;
        let fleet = Fleet { lab, names };
        let done = || Ok(());

        let message = "Unable to complete Sysinfo operation.".to_owned();
        let fails_late = FaultRule::first(SET, FaultAction::FailAfterChange { message: message.clone() });
        fleet.fails(&attempt(1, "201"), vec![fails_late], ("rolled_back", "Sysinfo"), done)?;

        let fails_early = FaultRule::first(ADD, FaultAction::FailBefore { message });
        fleet.fails(&attempt(2, "202"), vec![fails_early], ("rolled_back", "Sysinfo"), done)?;

        let hangs = FaultRule::first(SET, FaultAction::Hang { ms: 600_000 });
        fleet.fails(&attempt(3, "203"), vec![hangs], ("rolled_back", "did not end within 2"), done)?;

        let slow = FaultRule::first(SET, FaultAction::Slow { ms: 1_000 });
        fleet.fails(&attempt(4, "204"), vec![slow], ("rolled_back", "read"), || garbage(&fleet))?;

        lab.agents.take_esxcli(fleet.canary())?;
        fleet.fails(&attempt(5, "205"), Vec::new(), ("refused", "could not be started"), done)?;
        lab.agents.give_esxcli(fleet.canary())?;

        recovers(&fleet)
    });
}

/// From the last step on the host answers nothing of use about port groups, until it is on its way back.
fn garbage(fleet: &Fleet<'_>) -> Result<()> {
    let (lab, canary) = (fleet.lab, fleet.canary());
    let vlan = "--vlan-id=204";
    let calls_after = |begin: usize, command: &str| {
        let calls = writes(lab, canary)?;
        anyhow::Ok(calls.iter().skip(begin).any(|call| call.starts_with(&format!("esxcli {command}"))))
    };
    let last_step = wait_for(LIMIT, "the slow step", || {
        Ok(writes(lab, canary)?.iter().position(|call| call.contains(vlan)))
    })?;
    set_faults(lab, canary, vec![every(LIST, FaultAction::Garbage)])?;
    wait_for(LIMIT, "the port group to be removed", || {
        Ok(calls_after(last_step, "network vswitch standard portgroup remove")?.then_some(()))
    })?;
    set_faults(lab, canary, Vec::new())
}

/// The faults are gone, and saving the configuration fails twice: the change stands, and is saved in the end.
fn recovers(fleet: &Fleet<'_>) -> Result<()> {
    let (lab, canary) = (fleet.lab, fleet.canary());
    let message = "Error interacting with configuration file".to_owned();
    let rule =
        FaultRule { times: 2, ..FaultRule::first("auto-backup.sh", FaultAction::FailBefore { message }) };
    set_faults(lab, canary, vec![rule])?;
    let (known, known_saves) = (writes(lab, canary)?.len(), saves(lab, canary)?);
    let change = merge(lab, &attempt(6, "206"), &[])?;
    let rollout = wait_ended(lab, &change)?;
    assert_eq!(rollout.phase, "completed", "{rollout:#?}");
    let detail = detail(lab, &change)?;
    for name in &fleet.names {
        assert_eq!(rollout.word(name), "committed", "{rollout:#?}");
        let calls = writes(lab, name)?;
        let skip = if name == canary { known } else { 0 };
        assert_eq!(calls.get(skip..).context("fewer calls")?, approved_lines(&detail, name)?, "{name}");
    }
    wait_for(LIMIT, "the configuration of the canary to be saved", || {
        let host = host(lab, canary).load()?;
        Ok((host.saved == host.running).then_some(()))
    })?;
    assert!(saves(lab, canary)? >= known_saves + 3, "two failed, one worked");
    Ok(())
}

//! The coordinator killed inside the confirm window, on purpose.

use crate::proxy::{Weather, behind_proxy};
use crate::support::*;
use anyhow::Result;
use simulator::faults::FaultAction;
use tests::lab::{Lab, wait_for};

/// The canary waits for its confirmation and cannot ask; then the coordinator is killed.
fn killed_in_the_window(
    lab: &mut Lab,
    canary: &str,
    rfc: u32,
    vlan: &'static str,
) -> Result<(serde_json::Value, crate::proxy::Proxy)> {
    let proxy = behind_proxy(lab, canary)?;
    wait_connected(lab, 2)?;
    let known = writes(lab, canary)?.len();
    let slow = "network vswitch standard portgroup set";
    set_faults(lab, canary, vec![nth(slow, 1, FaultAction::Slow { ms: 2_000 })])?;
    let change = merge(lab, &attempt(rfc, vlan), &[])?;
    wait_write(lab, canary, slow, known)?;
    proxy.set(Weather::Closed);
    wait_for(LIMIT, "the canary to wait for its confirmation", || {
        Ok((lab.agents.status(canary)?["phase"] == "awaiting_confirm").then_some(()))
    })?;
    lab.kill_coordinator()?;
    proxy.set(Weather::Clear);
    Ok((change, proxy))
}

#[test]
fn a_coordinator_killed_in_the_confirm_window_confirms_after_its_restart_or_the_host_goes_back() {
    in_lab(2, |lab| {
        let names = bring_up(lab)?;
        let canary = names[0].as_str();
        // Back within the window: the question is asked again, and answered from what is stored.
        let (change, _proxy) = killed_in_the_window(lab, canary, 1, "211")?;
        assert_eq!(lab.agents.status(canary)?["phase"], "awaiting_confirm", "nobody was there to ask");
        lab.start_coordinator()?;
        let rollout = wait_ended(lab, &change)?;
        assert_eq!(
            (rollout.phase.as_str(), rollout.word(canary)),
            ("completed", "committed"),
            "{rollout:#?}"
        );
        // Back too late: the host has gone back by itself, and says so.
        let before = image(lab, canary)?;
        let (change, _proxy) = killed_in_the_window(lab, canary, 2, "212")?;
        wait_for(LIMIT, "the canary to go back by itself", || {
            Ok(lab.agents.status(canary)?["open_change"].is_null().then_some(()))
        })?;
        assert_eq!(image(lab, canary)?, before, "as before");
        lab.start_coordinator()?;
        let rollout = wait_ended(lab, &change)?;
        assert_eq!((rollout.phase.as_str(), rollout.word(canary)), ("halted", "rolled_back"), "{rollout:#?}");
        assert!(rollout.told(canary).contains("not confirmed within"), "{rollout:#?}");
        Ok(())
    });
}

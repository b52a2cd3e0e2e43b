//! A person gives a host more time.

use crate::support::*;
use anyhow::{Context, Result};
use serde_json::Value;
use tests::lab::story::Story;
use tests::lab::{Lab, wait_for};

fn left_ms(lab: &Lab, name: &str) -> Result<Option<u64>> {
    let status = lab.agents.status(name)?;
    let waits = status["phase"] == "awaiting_confirm";
    Ok(status["open_left_ms"].as_u64().filter(|_| waits))
}

#[test]
fn an_open_window_is_extended_and_the_change_still_needs_its_confirmation() {
    in_lab(3, |lab| {
        let names = bring_up(lab)?;
        let canary = names[0].as_str();
        let before = image(lab, canary)?;
        // Peers on the old VLAN do not vouch for it: the window stays open to its end.
        let edits = vec![(vec!["port_groups", "vMotion", "vlan"], "130")];
        let story = Story { rfc: 1, title: "vMotion on VLAN 130", edits };
        let allow: &[(&[&str], &str)] =
            &[(&["risk", "allow"], "traffic_loss"), (&["rollout", "confirm_timeout_secs"], "30")];
        let change = merge(lab, &story, allow)?;
        let left = wait_for(LIMIT, "the canary to wait for its confirmation", || left_ms(lab, canary))?;
        assert!(left <= 30_000, "{left}");
        let rollout = lab.rollout_of(&change)?.context("no rollout")?;
        let id = rollout["id"].as_str().context("no id")?;
        let extend = |host: &str, secs: &str| {
            lab.operate(&["rollout", "extend", id, "--host", host, "--secs", secs, "--reason", "slow switch"])
        };
        extend(canary, "300")?;
        wait_for(LIMIT, "the host to have more time", || {
            Ok(left_ms(lab, canary)?.filter(|left| *left > 200_000))
        })?;
        assert!(extend(canary, "601").is_err(), "longer than a window may be");
        assert!(extend(&names[1], "300").is_err(), "it is not at work");
        let trail: Vec<Value> = lab.list(&["audit", "list", "--limit", "500"])?;
        let noted = trail.iter().filter(|entry| entry["action"] == "host.window_extended").count();
        assert_eq!(noted, 1, "{trail:#?}");
        // More time is not a confirmation: withdrawn, it goes back at once.
        lab.operate(&["rollout", "abort", id, "--reason", "enough"])?;
        wait_for(LIMIT, "the canary to go back", || {
            Ok(lab.agents.status(canary)?["open_change"].is_null().then_some(()))
        })?;
        assert_eq!(image(lab, canary)?, before, "as before");
        Ok(())
    });
}

//! Peers vouch for what a host cannot see itself: its vMotion network.

use crate::support::*;
use anyhow::Result;
use serde_json::Value;
use simulator::fabric::{Reach, management_reachable};
use tests::lab::Lab;
use tests::lab::story::Story;

/// What peers said of a host, oldest first: action and detail.
fn witnessed(lab: &Lab, name: &str) -> Result<Vec<(String, Value)>> {
    let mut found = Vec::new();
    for entry in lab.list(&["audit", "list", "--limit", "500"])? {
        if entry["actor"] == "task:witness" && entry["subject"] == format!("host/{name}") {
            let action = entry["action"].as_str().unwrap_or_default().to_owned();
            found.push((action, serde_json::from_str(entry["detail"].as_str().unwrap_or_default())?));
        }
    }
    found.reverse();
    Ok(found)
}

fn story(rfc: u32, title: &'static str, edit: (Vec<&'static str>, &'static str)) -> Story {
    Story { rfc, title, edits: vec![edit] }
}

#[test]
fn a_vmotion_network_that_peers_cannot_reach_is_rolled_back() {
    in_lab(3, |lab| {
        let names = bring_up(lab)?;
        let canary = names[0].as_str();
        let (before, others) = (image(lab, canary)?, footprint(lab, &names[1..])?);
        let allow: &[(&[&str], &str)] =
            &[(&["risk", "allow"], "traffic_loss"), (&["rollout", "confirm_timeout_secs"], "30")];
        let alone = story(1, "vMotion on VLAN 130", (vec!["port_groups", "vMotion", "vlan"], "130"));
        let change = merge(lab, &alone, allow)?;
        let rollout = wait_ended(lab, &change)?;
        assert_eq!(rollout.phase, "halted", "{rollout:#?}");
        assert_eq!(rollout.word(canary), "rolled_back", "{rollout:#?}");
        assert!(rollout.told(canary).contains("confirm"), "{rollout:#?}");
        assert!(
            writes(lab, canary)?.iter().any(|call| call.contains("--vlan-id=130")),
            "the change was made"
        );
        assert_eq!(image(lab, canary)?, before, "the canary is as before");
        assert_eq!(footprint(lab, &names[1..])?, others, "nobody else is touched");
        let now = host(lab, canary).load()?;
        assert_eq!(management_reachable(&now, &now.fabric), Reach::Ok);
        let said = witnessed(lab, canary)?;
        let (action, detail) = said.first().expect("peers were asked");
        assert_eq!(action, "host.not_witnessed", "{said:#?}");
        let adapter = &detail["adapters"][0];
        assert_eq!((&adapter["vmk"], &adapter["verdict"]), (&"vmk1".into(), &"no_pass".into()), "{said:#?}");
        let verdicts: Vec<_> = adapter["witnesses"].as_array().expect("witnesses").iter().collect();
        assert_eq!(verdicts.len(), 2, "{said:#?}");
        assert!(verdicts.iter().all(|verdict| verdict["verdict"] == "fail"), "{said:#?}");

        // What leaves the network whole passes, and it is known who vouched.
        let path = format!("groups/{}/network.yaml", tests::lab::GROUP);
        lab.config.replace(&path, "vlan: 130", "vlan: 20")?;
        let whole = story(
            2,
            "No failback on vSwitch1",
            (vec!["vswitches", "vSwitch1", "teaming", "failback"], "false"),
        );
        let rollout = wait_ended(lab, &merge(lab, &whole, &[(&["risk", "allow"], "traffic_loss")])?)?;
        assert_eq!(rollout.phase, "completed", "{rollout:#?}");
        for name in &names {
            let said = witnessed(lab, name)?;
            let (action, detail) = said.last().expect("peers were asked");
            assert_eq!(action, "host.witnessed", "{said:#?}");
            assert_eq!(detail["adapters"][0]["verdict"], "pass", "{said:#?}");
        }
        Ok(())
    });
}

#[test]
fn a_whole_network_moves_when_the_rfc_waives_witnesses() {
    in_lab(3, |lab| {
        let names = bring_up(lab)?;
        let move_all: &[(&[&str], &str)] = &[
            (&["risk", "allow"], "traffic_loss"),
            (&["witnesses", "required"], "false"),
            (&["witnesses", "reason"], "The whole vMotion network moves to VLAN 130."),
        ];
        let story = story(1, "vMotion on VLAN 130", (vec!["port_groups", "vMotion", "vlan"], "130"));
        let change = merge(lab, &story, move_all)?;
        let findings = detail(lab, &change)?["findings"].to_string();
        assert!(findings.contains("CHG-010") && findings.contains("moves to VLAN 130"), "{findings}");
        let rollout = wait_ended(lab, &change)?;
        assert_eq!(rollout.phase, "completed", "{rollout:#?}");
        for name in &names {
            let said = witnessed(lab, name)?;
            let (action, detail) = said.last().expect("the audit trail says why nobody was asked");
            assert_eq!(action, "host.witnesses_waived", "{said:#?}");
            assert_eq!(detail["adapters"][0], "vmk1", "{said:#?}");
        }
        // The next change needs them again: the trunks of this lab do not carry VLAN 130, and now that shows.
        let next =
            self::story(2, "No failback", (vec!["vswitches", "vSwitch1", "teaming", "failback"], "false"));
        let rollout = wait_ended(lab, &merge(lab, &next, &[(&["risk", "allow"], "traffic_loss")])?)?;
        assert_eq!(
            (rollout.phase.as_str(), rollout.word(&names[0])),
            ("halted", "rolled_back"),
            "{rollout:#?}"
        );
        let said = witnessed(lab, &names[0])?;
        assert_eq!(said.last().expect("peers were asked").0, "host.not_witnessed", "{said:#?}");
        Ok(())
    });
}

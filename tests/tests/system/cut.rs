//! A change that cuts a host off: nobody can help it but itself.

use crate::support::*;
use simulator::fabric::{Reach, management_reachable};
use tests::lab::story::Story;
use tests::lab::wait_for;

#[test]
fn a_host_that_cut_itself_off_comes_back_by_itself() {
    in_lab(3, |lab| {
        let names = bring_up(lab)?;
        let canary = names[0].as_str();
        let (before, others) = (image(lab, canary)?, footprint(lab, &names[1..])?);
        let allow: &[(&[&str], &str)] =
            &[(&["risk", "allow"], "management_path"), (&["rollout", "confirm_timeout_secs"], "30")];
        let change = merge(lab, &Story::cut_management(1), allow)?;
        let reach = || {
            let host = host(lab, canary).load()?;
            anyhow::Ok(management_reachable(&host, &host.fabric))
        };
        let reason = wait_for(LIMIT, "the canary to be cut off", || {
            Ok(match reach()? {
                Reach::Cut { reason } => Some(reason),
                Reach::Ok => None,
            })
        })?;
        assert!(reason.contains("666"), "{reason}");
        let rollout = wait_ended(lab, &change)?;
        assert_eq!(rollout.phase, "halted", "{rollout:#?}");
        assert!(rollout.reason.contains(canary), "{rollout:#?}");
        assert_eq!(rollout.word(canary), "rolled_back", "{rollout:#?}");
        let told = rollout.told(canary);
        assert!(told.contains("gateway of vmk0") || told.contains("confirm"), "{rollout:#?}");
        assert_eq!(reach()?, Reach::Ok);
        assert_eq!(image(lab, canary)?, before, "the canary is as before");
        assert_eq!(footprint(lab, &names[1..])?, others, "nobody else is touched");
        wait_connected(lab, names.len())?;

        // It is under management again: the next change, with the old VLAN, reaches it.
        let path = format!("groups/{}/network.yaml", tests::lab::GROUP);
        lab.config.replace(&path, "vlan: 666", "vlan: 10")?;
        let change = merge(lab, &Story::port_group(2), &[])?;
        let rollout = wait_ended(lab, &change)?;
        assert_eq!(rollout.phase, "completed", "{rollout:#?}");
        Ok(())
    });
}

//! Who may be a host: one process per identity, one use per token.

use crate::support::*;
use anyhow::Result;
use tests::lab::{Lab, wait_for};

fn duplicates(lab: &Lab) -> Result<usize> {
    let audit = lab.list(&["audit", "list"])?;
    Ok(audit.iter().filter(|entry| entry["action"] == "host.duplicate_identity").count())
}

#[test]
fn a_token_is_good_for_one_host_and_one_time() {
    in_lab(2, |lab| {
        let names = lab.host_names()?;
        for name in &names {
            lab.prepare(name)?;
        }
        let token = lab.token_for(&names[0])?;
        let refused = |name: &str, token: &str| {
            let error = format!("{:#}", lab.agents.enrol(name, token).unwrap_err());
            assert!(error.contains("token"), "{error}");
        };
        refused(&names[0], "not-a-token");
        refused(&names[0], &format!("{}x", &token[..token.len() - 1]));
        lab.agents.enrol(&names[0], &token)?;
        refused(&names[0], &token);
        refused(&names[1], &token);
        // Whoever presents a token uses it up: one that got into wrong hands is of no use to anybody.
        let lost = lab.token_for(&names[0])?;
        refused(&names[1], &lost);
        refused(&names[0], &lost);
        let enrolled = |name: &str| {
            let hosts = lab.list(&["hosts"])?;
            anyhow::Ok(hosts.iter().any(|host| host["id"] == name && host["status"] == "enrolled"))
        };
        wait_for(LIMIT, "the host to be enrolled", || Ok(enrolled(&names[0])?.then_some(())))?;
        assert!(!enrolled(&names[1])?);
        Ok(())
    });
}

#[test]
fn a_second_process_with_the_same_identity_is_refused_while_the_first_lives() {
    in_lab(1, |lab| {
        let name = lab.host_names()?.remove(0);
        lab.enrol(&name)?;
        lab.wait_observed(LIMIT)?;
        lab.agents.clone_identity(&name, "clone")?;
        let holder = |lab: &Lab| anyhow::Ok(lab.operate(&["host", "show", &name])?["connected"] == true);
        lab.agents.start("clone")?;
        wait_for(LIMIT, "the second process to be refused", || Ok((duplicates(lab)? > 0).then_some(())))?;
        assert!(holder(lab)?, "the first process keeps its stream");
        assert!(!lab.agents.has_ended(&name)?);
        // When the first is gone the second may go on: it is one process again.
        lab.agents.kill(&name)?;
        wait_for(LIMIT, "the second process to take over", || Ok(holder(lab)?.then_some(())))?;
        Ok(())
    });
}

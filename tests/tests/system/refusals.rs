//! Commits that must not reach a host: each is refused with its reason on record, and the next good one goes through.

use crate::support::*;
use anyhow::{Context, Result};
use serde_json::Value;
use std::os::unix::fs::symlink;
use tests::lab::story::{Story, set_key};
use tests::lab::{GROUP, Lab};

/// The commit is refused; gives its findings.
fn refused(lab: &Lab, commit: &str) -> Result<Vec<Value>> {
    lab.operate(&["sync"])?;
    let change = lab.wait_change(commit, LIMIT)?;
    assert_eq!(change["status"], "refused", "{change:#}");
    let detail = detail(lab, &change)?;
    assert_eq!(detail["rollout"], Value::Null, "{detail:#}");
    assert_ne!(detail["errors"], 0, "{detail:#}");
    Ok(detail["findings"].as_array().context("no findings")?.clone())
}

fn assert_finding(findings: &[Value], rule: &str, file: &str, message: &str) {
    let fits = |finding: &&Value| {
        finding["rule"] == rule
            && (file.is_empty() || finding["span"]["file"] == file)
            && finding["message"].as_str().is_some_and(|text| text.contains(message))
    };
    assert!(findings.iter().any(|finding| fits(&finding)), "{rule} {file} {message}\n{findings:#?}");
}

fn network_path() -> String {
    format!("groups/{GROUP}/network.yaml")
}

#[test]
fn bad_commits_leave_the_fleet_untouched_and_say_why() {
    in_lab(2, |lab| {
        let names = bring_up(lab)?;
        let before = footprint(lab, &names)?;
        let good = lab.config.read(&network_path())?;

        broken_documents(lab, &good)?;
        lab.config.write(&network_path(), &good)?;
        no_rfc(lab, &good)?;
        lab.config.write(&network_path(), &good)?;
        hostile_trees(lab)?;
        cut_without_allowance(lab)?;
        lab.config.write(&network_path(), &good)?;

        assert_eq!(footprint(lab, &names)?, before, "no refused commit touches a host");
        let rfcs = lab.list(&["rfcs"])?;
        assert!(rfcs.iter().any(|rfc| rfc["number"] == 2 && rfc["state"] == "rejected"), "{rfcs:#?}");
        let audit = lab.list(&["audit", "list"])?;
        let refusals =
            audit.iter().filter(|entry| entry["action"].as_str().is_some_and(|a| a.contains("refuse")));
        assert!(refusals.count() >= 6, "{audit:#?}");

        let change = merge(lab, &Story::port_group(3), &[])?;
        let rollout = wait_ended(lab, &change)?;
        assert_eq!(rollout.phase, "completed", "{rollout:#?}");
        for name in &names {
            assert_eq!(writes(lab, name)?, approved_lines(&detail(lab, &change)?, name)?);
        }
        Ok(())
    });
}

fn broken_documents(lab: &Lab, good: &str) -> Result<()> {
    let lines = good.lines().count();
    lab.config.write(&network_path(), &format!("{good}colour: blue\n"))?;
    let story = Story::port_group(2);
    let bad = set_key(&lab.config.read(&network_path())?, &["port_groups", "app-web", "vlan"], "5000");
    lab.config.write(&network_path(), &bad)?;
    let findings = refused(lab, &lab.config.commit(story.title)?)?;
    let spans: Vec<(u64, u64)> = findings
        .iter()
        .filter(|finding| finding["span"]["file"] == network_path())
        .filter_map(|finding| Some((finding["span"]["line"].as_u64()?, finding["span"]["column"].as_u64()?)))
        .collect();
    let vlan_line =
        bad.lines().position(|line| line.trim() == "vlan: 5000").context("no such line")? as u64 + 1;
    assert!(spans.iter().any(|(line, column)| *line == vlan_line && *column > 1), "{findings:#?}");
    assert!(spans.contains(&(lines as u64 + 1, 1)), "{findings:#?}");
    Ok(())
}

fn no_rfc(lab: &Lab, good: &str) -> Result<()> {
    lab.config.write(&network_path(), &set_key(good, &["port_groups", "app-web", "vlan"], "111"))?;
    let findings = refused(lab, &lab.config.commit("Another VLAN, quickly")?)?;
    assert_finding(&findings, "CHG-002", "", "no RFC");
    Ok(())
}

/// Entries that are not plain files, and names that cannot be told apart: put into the index where no file system has them.
fn hostile_trees(lab: &Lab) -> Result<()> {
    let path = format!("groups/{GROUP}/hosts/evil.yaml");
    let link = lab.config.work().join(&path);
    symlink("../../../pointsman.yaml", &link)?;
    let findings = refused(lab, &lab.config.commit("A link")?)?;
    assert_finding(&findings, "REPO-001", &path, "symbolic link");
    std::fs::remove_file(&link)?;

    let head = lab.config.git(&["rev-parse", "HEAD"])?.trim().to_owned();
    let module = format!("groups/{GROUP}/vendor");
    lab.config.git(&["add", "--all"])?;
    lab.config.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},{module}")])?;
    let findings = refused(lab, &lab.config.commit_index("A module")?)?;
    assert_finding(&findings, "REPO-001", &module, "submodule");

    lab.config.git(&["add", "--all"])?;
    let blob = lab.config.git(&["rev-parse", &format!("HEAD:{}", network_path())])?.trim().to_owned();
    let clash = format!("groups/{GROUP}/Network.yaml");
    lab.config.git(&["update-index", "--add", "--cacheinfo", &format!("100644,{blob},{clash}")])?;
    let findings = refused(lab, &lab.config.commit_index("A clash")?)?;
    assert_finding(&findings, "REPO-001", &clash, "case only");

    let huge = format!("groups/{GROUP}/hosts/huge.yaml");
    lab.config.write(&huge, &"# filler\n".repeat(40_000))?;
    let findings = refused(lab, &lab.config.commit("A huge file")?)?;
    assert_finding(&findings, "REPO-001", &huge, "bytes");
    std::fs::remove_file(lab.config.work().join(&huge))?;
    Ok(())
}

fn cut_without_allowance(lab: &Lab) -> Result<()> {
    let story = Story::cut_management(2);
    let commit = story.merge(lab)?;
    let findings = refused(lab, &commit)?;
    assert_finding(&findings, "CHG-005", "", "management_path");
    for entry in std::fs::read_dir(lab.config.work().join("rfcs"))? {
        std::fs::remove_file(entry?.path())?;
    }
    Ok(())
}

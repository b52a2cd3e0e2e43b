//! The evil forge: hostile commits and forged histories. Every one is refused with a finding, and no host hears of it.

use crate::stage::{Attack, LIMIT, Stage};
use crate::verdict::Told;
use anyhow::{Context, Result};
use serde_json::Value;
use tests::lab::GROUP;
use tests::lab::story::{Story, set_key};

/// The group's network document.
fn network() -> String {
    format!("groups/{GROUP}/network.yaml")
}

/// Everything an evil forge tries.
pub const ATTACKS: &[Attack<Stage>] = &[
    Attack { name: "forge_symbolic_link", expected: &["REPO-001"], run: symbolic_link },
    Attack { name: "forge_submodule", expected: &["REPO-001"], run: submodule },
    Attack { name: "forge_executable_file", expected: &["REPO-001"], run: executable },
    Attack { name: "forge_names_differ_in_case", expected: &["REPO-001"], run: case_clash },
    Attack { name: "forge_huge_file", expected: &["REPO-001"], run: huge_file },
    Attack { name: "forge_git_folder_file", expected: &["REPO-001"], run: git_folder },
    Attack { name: "forge_binary_document", expected: &["DOC-001"], run: binary },
    Attack { name: "forge_unknown_key", expected: &["DOC-005"], run: unknown_key },
    Attack { name: "forge_alias_bomb", expected: &["DOC-003"], run: alias_bomb },
    Attack { name: "forge_command_in_a_name", expected: &["DOC-006"], run: command_in_a_name },
    Attack { name: "forge_change_without_rfc", expected: &["CHG-002"], run: no_rfc },
    Attack { name: "forge_two_rfcs", expected: &["CHG-003"], run: two_rfcs },
    Attack { name: "forge_cut_management", expected: &["CHG-005"], run: cut_management },
    Attack { name: "forge_rewound_branch", expected: &["repository.rewritten"], run: rewound },
];

/// Puts back what an attack changed in the work tree.
fn clean(stage: &Stage) -> Result<()> {
    stage.lab.config.git(&["reset", "--quiet", "--hard", "HEAD"])?;
    stage.lab.config.git(&["clean", "--quiet", "-d", "--force", "-x"])?;
    Ok(())
}

/// The commit must be refused; gives the rule of an error, the expected one when it is among them.
fn judged(stage: &mut Stage, commit: &str, wanted: &[&str]) -> Result<Told> {
    let since = stage.audit_end()?;
    let lab = &stage.lab;
    lab.operate(&["sync"])?;
    let change = lab.wait_change(commit, LIMIT)?;
    let told = if change["status"] == "refused" {
        let id = change["id"].as_str().context("a change without id")?.to_owned();
        let detail = lab.operate(&["changes", &id])?;
        let findings = detail["findings"].as_array().cloned().unwrap_or_default();
        let errors: Vec<&str> = findings
            .iter()
            .filter(|finding| finding["severity"] == "error")
            .filter_map(|finding| finding["rule"].as_str())
            .collect();
        let rule = errors.iter().find(|rule| wanted.contains(rule)).or(errors.first());
        let rule = (*rule.context("refused without an error")?).to_owned();
        let of_this = |entry: &Value| {
            let text = entry.to_string();
            entry["action"] == "change.refused" && (text.contains(&id) || text.contains(commit))
        };
        // The entry is written with the change, maybe before the end was read.
        let (_, place) = stage.audited(since.saturating_sub(2), of_this)?;
        Told::refused(rule, place)
    } else {
        Told::default()
    };
    // The next attack begins from the good documents again.
    clean(stage)?;
    stage.lab.config.git(&["revert", "--no-edit", "HEAD"])?;
    stage.lab.config.git(&["push", "--quiet", "origin", "main"])?;
    clean(stage)?;
    Ok(told)
}

/// Puts an entry into the index that no file system would hold.
fn index_entry(stage: &mut Stage, entry: &str, message: &str) -> Result<Told> {
    stage.lab.config.git(&["update-index", "--add", "--cacheinfo", entry])?;
    let commit = stage.lab.config.commit_index(message)?;
    judged(stage, &commit, &["REPO-001"])
}

fn blob_of_network(stage: &Stage) -> Result<String> {
    Ok(stage.lab.config.git(&["rev-parse", &format!("HEAD:{}", network())])?.trim().to_owned())
}

fn symbolic_link(stage: &mut Stage) -> Result<Told> {
    let link = stage.lab.config.work().join(format!("groups/{GROUP}/hosts/evil.yaml"));
    std::os::unix::fs::symlink("../../../../state/operator.token", link)?;
    let commit = stage.lab.config.commit("A link to a secret")?;
    judged(stage, &commit, &["REPO-001"])
}

fn submodule(stage: &mut Stage) -> Result<Told> {
    let head = stage.lab.config.git(&["rev-parse", "HEAD"])?.trim().to_owned();
    index_entry(stage, &format!("160000,{head},groups/{GROUP}/vendor"), "A submodule")
}

fn executable(stage: &mut Stage) -> Result<Told> {
    let blob = blob_of_network(stage)?;
    index_entry(stage, &format!("100755,{blob},groups/{GROUP}/hosts/run.yaml"), "A program")
}

fn case_clash(stage: &mut Stage) -> Result<Told> {
    let blob = blob_of_network(stage)?;
    index_entry(stage, &format!("100644,{blob},groups/{GROUP}/Network.yaml"), "A clash")
}

fn git_folder(stage: &mut Stage) -> Result<Told> {
    let blob = blob_of_network(stage)?;
    index_entry(stage, &format!("100644,{blob},groups/{GROUP}/.gitmodules"), "A file of git")
}

/// Writes a document, commits it, and looks what comes of it.
fn document(stage: &mut Stage, path: &str, content: &str, message: &str, wanted: &[&str]) -> Result<Told> {
    stage.lab.config.write(path, content)?;
    let commit = stage.lab.config.commit(message)?;
    judged(stage, &commit, wanted)
}

fn huge_file(stage: &mut Stage) -> Result<Told> {
    let path = format!("groups/{GROUP}/hosts/huge.yaml");
    document(stage, &path, &"# filler\n".repeat(40_000), "A huge file", &["REPO-001"])
}

fn binary(stage: &mut Stage) -> Result<Told> {
    document(stage, &network(), "port_groups:\n  \u{0}\u{1}: {}\n", "Binary", &["DOC-001"])
}

fn unknown_key(stage: &mut Stage) -> Result<Told> {
    let good = stage.lab.config.read(&network())?;
    document(stage, &network(), &format!("{good}run_at_boot: reboot\n"), "A key", &["DOC-005"])
}

fn alias_bomb(stage: &mut Stage) -> Result<Told> {
    let good = stage.lab.config.read(&network())?;
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let before = format!("*a{}, ", level - 1).repeat(9);
        bomb.push_str(&format!("a{level}: &a{level} [{before}*a{}]\n", level - 1));
    }
    document(stage, &network(), &format!("{bomb}{good}"), "Many of one", &["DOC-003"])
}

fn command_in_a_name(stage: &mut Stage) -> Result<Told> {
    let good = stage.lab.config.read(&network())?;
    let name = "\"x\\u0000; reboot #\"";
    let evil = format!("port_groups:\n  {name}:\n    vswitch: vSwitch0\n    vlan: 7\n");
    let evil = good.replacen("port_groups:\n", &evil, 1);
    document(stage, &network(), &evil, "A name that is a command", &["DOC-006"])
}

fn no_rfc(stage: &mut Stage) -> Result<Told> {
    let good = stage.lab.config.read(&network())?;
    let changed = set_key(&good, &["port_groups", "app-web", "vlan"], "111");
    document(stage, &network(), &changed, "Quickly, without asking", &["CHG-002"])
}

fn two_rfcs(stage: &mut Stage) -> Result<Told> {
    Story::port_group(90).write(&stage.lab, &[])?;
    Story::port_group(91).write(&stage.lab, &[])?;
    let commit = stage.lab.config.commit("Two at once")?;
    judged(stage, &commit, &["CHG-003"])
}

fn cut_management(stage: &mut Stage) -> Result<Told> {
    Story::cut_management(92).write(&stage.lab, &[])?;
    let commit = stage.lab.config.commit("Cut the management network")?;
    judged(stage, &commit, &["CHG-005"])
}

/// The branch goes back behind what was accepted: an old state is not applied again, and the rewriting is on record.
fn rewound(stage: &mut Stage) -> Result<Told> {
    let since = stage.audit_end()?;
    let config = &stage.lab.config;
    let head = config.git(&["rev-parse", "HEAD"])?.trim().to_owned();
    let root = config.git(&["rev-list", "--max-parents=0", "HEAD"])?.trim().to_owned();
    config.git(&["push", "--quiet", "--force", "origin", &format!("{root}:main")])?;
    stage.lab.operate(&["sync"])?;
    let (action, place) = stage.audited(since, |entry| entry["action"] == "repository.rewritten")?;
    stage.lab.config.git(&["push", "--quiet", "--force", "origin", &format!("{head}:main")])?;
    stage.lab.operate(&["sync"])?;
    Ok(Told::refused(action, place))
}

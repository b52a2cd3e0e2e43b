//! Verbs that need no coordinator.

use super::{case, pointsman};
use crate::cli::import::testkit::host;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn init(dir: &Path) {
    let ran = pointsman(&["init", text(dir), "--group", "lab"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[test]
fn check_lists_every_problem_of_a_broken_repository_with_its_place() {
    let case = case("broken");
    let ran = pointsman(&["check", text(&case.join("repo"))]);
    let expected = fs::read_to_string(case.join("expected.txt")).unwrap();
    assert_eq!(ran.out, expected, "\n--- printed:\n{}", ran.out);
    assert_eq!(ran.code, 1);
    let findings = pointsman(&["check", "--json", text(&case.join("repo"))]);
    assert_eq!(findings.code, 1);
    let findings = findings.json();
    assert_eq!(findings.as_array().unwrap().len() + 1, expected.lines().count());
    assert_eq!(findings[0]["span"]["file"], "groups/lab/group.yaml");
}

#[test]
fn a_new_repository_is_clean_and_is_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path());
    assert!(dir.path().join("groups/lab/network.yaml").exists());
    let ran = pointsman(&["check", text(dir.path())]);
    let summary = "0 errors, 0 warnings in 4 files: 1 group, 1 host, 0 RFCs; ";
    assert!(ran.code == 0 && ran.out.starts_with(summary), "{}", ran.out);
    assert!(ran.out.ends_with(" rules not decided here\n"), "no host was read: {}", ran.out);
    let again = pointsman(&["init", text(dir.path())]);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("already there"), "{}", again.err);
}

#[test]
fn rfc_new_takes_the_next_number_and_is_clean() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path());
    for expected in ["rfcs/0001-new-vlan-for-backup.md\n", "rfcs/0002-new-vlan-for-backup.md\n"] {
        let ran = pointsman(&["rfc", "new", "New VLAN for backup", "--dir", text(dir.path())]);
        assert_eq!((ran.code, ran.out.as_str()), (0, expected), "{}", ran.err);
    }
    assert_eq!(pointsman(&["check", text(dir.path())]).code, 0);
    assert_eq!(pointsman(&["rfc", "new", " ", "--dir", text(dir.path())]).code, 2);
}

#[test]
fn entries_that_cannot_be_state_are_findings_and_are_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path());
    let at = |path: &str| dir.path().join(path);
    let secret = dir.path().join("secret.yaml");
    fs::write(&secret, "not: ours\n").unwrap();
    symlink(&secret, at("groups/lab/hosts/esx09.yaml")).unwrap();
    symlink("/", at("rfcs")).unwrap();
    fs::set_permissions(at("groups/lab/group.yaml"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(at("groups/other/.git")).unwrap();
    fs::write(at(".gitmodules"), "").unwrap();
    fs::write(at("groups/lab/hosts/ESX01.yaml"), "{}\n").unwrap();
    fs::write(at("groups/lab/hosts/esx05.yaml"), vec![b'#'; 300 * 1024]).unwrap();
    let ran = pointsman(&["check", text(dir.path())]);
    assert_eq!(ran.code, 1);
    for line in [
        ".gitmodules:1:1: error[REPO-001]: `.gitmodules` has a name reserved for Git; remove it",
        "groups/lab/group.yaml:1:1: error[REPO-001]: `groups/lab/group.yaml` is executable (100755); commit it with mode 100644",
        "groups/lab/hosts/ESX01.yaml:1:1: error[REPO-001]: `groups/lab/hosts/ESX01.yaml` clashes with another entry that differs in case only; rename one",
        "groups/lab/hosts/esx01.yaml:1:1: error[REPO-001]: `groups/lab/hosts/esx01.yaml` clashes with another entry that differs in case only; rename one",
        "groups/lab/hosts/esx05.yaml:1:1: error[REPO-001]: `groups/lab/hosts/esx05.yaml` has 307200 bytes, more than 262144; split it",
        "groups/lab/hosts/esx09.yaml:1:1: error[REPO-001]: `groups/lab/hosts/esx09.yaml` is a symbolic link; commit the file itself",
        "groups/other:1:1: error[REPO-001]: `groups/other` is a submodule; commit the files themselves",
        "rfcs:1:1: error[REPO-001]: `rfcs` is a symbolic link; commit the file itself",
    ] {
        assert!(ran.out.lines().any(|found| found == line), "{line}\n--- printed:\n{}", ran.out);
    }
    assert!(!ran.out.contains("not: ours"));
}

#[test]
fn import_then_plan_is_empty_and_a_change_shows_esxcli_lines() {
    let dir = tempfile::tempdir().unwrap();
    let repo = dir.path().join("repo");
    fs::create_dir(&repo).unwrap();
    let mut files = Vec::new();
    for (name, number) in [("esx01", 11), ("esx02", 12), ("esx03", 13)] {
        let file = dir.path().join(format!("{name}.json"));
        fs::write(&file, serde_json::to_string(&host(name, number)).unwrap()).unwrap();
        files.push(file);
    }
    let files: Vec<&str> = files.iter().flat_map(|file| ["--host-file", text(file)]).collect();
    let import: Vec<&str> =
        ["import", text(&repo), "--group", "lab"].into_iter().chain(files.clone()).collect();
    let ran = pointsman(&import);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("esx02  0      empty plan"), "{}", ran.out);
    assert!(
        ran.out.ends_with("3 hosts imported into groups/lab (6 files); the first plan is empty\n"),
        "{}",
        ran.out
    );
    let again = pointsman(&import);
    assert_eq!(again.code, 1, "{}", again.err);

    let plan: Vec<&str> = ["plan", text(&repo)].into_iter().chain(files).collect();
    let ran = pointsman(&plan);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.out.contains("esx01, esx02, esx03: 0 steps, worst disruption none"), "{}", ran.out);

    let network = repo.join("groups/lab/network.yaml");
    let changed = fs::read_to_string(&network).unwrap().replace("vlan: 30", "vlan: 31");
    fs::write(&network, changed).unwrap();
    let plan: Vec<&str> = plan.into_iter().chain(["--inverse"]).collect();
    let ran = pointsman(&plan);
    assert_eq!(ran.code, 0, "{}", ran.out);
    let call = |vlan: u16| {
        format!(
            "esxcli network vswitch standard portgroup set --portgroup-name='VM Network' --vlan-id={vlan}"
        )
    };
    assert!(ran.out.contains(&format!("  1. {}", call(31))), "{}", ran.out);
    assert!(ran.out.contains(&format!("back: {}", call(30))), "{}", ran.out);
    assert!(
        ran.out
            .contains("3 hosts would change, 0 already as desired; 0 errors, 0 warnings; 5 already there; "),
        "{}",
        ran.out
    );
    let json = pointsman(&plan.into_iter().chain(["--json"]).collect::<Vec<_>>()).json();
    assert_eq!(json["classes"][0]["hosts"].as_array().unwrap().len(), 3);
    assert_eq!(json["classes"][0]["steps"][0]["esxcli"], call(31));
}

#[test]
fn usage_errors_are_told_apart() {
    assert_eq!(pointsman(&["check", "/does/not/exist"]).code, 2);
    assert_eq!(pointsman(&["no-such-verb"]).code, 2);
    assert_eq!(pointsman(&["--help"]).code, 0);
    let ran = pointsman(&["plan", "--host-file", "/does/not/exist.json", text(&case("broken/repo"))]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let completion = pointsman(&["completion", "bash"]);
    assert!(completion.code == 0 && completion.out.contains("rollout"));
}

#[test]
fn the_command_line_is_well_formed() {
    use clap::CommandFactory;
    crate::cli::Cli::command().debug_assert();
}

/// The line of a file and the rules whose fault is planted there, by the marks `# fault: RULE RULE`.
fn planted(file: &Path) -> std::collections::BTreeSet<(u64, String)> {
    let text = fs::read_to_string(file).unwrap();
    let marks =
        (1..).zip(text.lines()).filter_map(|(line, text)| Some((line, text.split_once("# fault: ")?.1)));
    marks.flat_map(|(line, ids)| ids.split(' ').map(move |id| (line, id.to_owned()))).collect()
}

#[test]
fn sarif_shows_every_planted_fault_at_its_line_and_nothing_else() {
    let repo = case("planted");
    let expected = planted(&repo.join("groups/lab/network.yaml"));
    assert!(expected.len() >= 20, "{} faults are planted", expected.len());
    let ran = pointsman(&["check", "--format", "sarif", text(&repo)]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let log = ran.json();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let mut found = std::collections::BTreeSet::new();
    for result in run["results"].as_array().unwrap() {
        let place = &result["locations"][0]["physicalLocation"];
        assert!(place["region"]["startColumn"].as_u64().unwrap() > 0);
        let id = result["ruleId"].as_str().unwrap();
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], id);
        assert!(["note", "warning", "error"].contains(&result["level"].as_str().unwrap()));
        assert_eq!(place["artifactLocation"]["uri"], "groups/lab/network.yaml", "{result}");
        found.insert((place["region"]["startLine"].as_u64().unwrap(), id.to_owned()));
    }
    let missed: Vec<_> = expected.difference(&found).collect();
    let more: Vec<_> = found.difference(&expected).collect();
    assert!(missed.is_empty() && more.is_empty(), "missed {missed:?}, not planted {more:?}");
}

#[test]
fn what_the_base_has_too_stops_nothing() {
    let repo = case("planted");
    let ran = pointsman(&["check", "--base", text(&repo), text(&repo)]);
    let gating = ["VLAN-001", "SEC-001", "STR-014", "VMK-002"];
    assert!(!gating.iter().any(|id| ran.out.contains(&format!("[{id}]"))), "{}", ran.out);
    assert!(ran.out.contains("already there"), "{}", ran.out);
    assert_eq!(ran.code, 1, "contradictions in the documents still count: {}", ran.out);
}

#[test]
fn rules_are_listed_and_explained_offline() {
    let list = pointsman(&["rules", "list"]);
    assert_eq!(list.code, 0, "{}", list.err);
    for id in ["VLAN-001", "DOC-005", "PLAN-010", "CHG-002", "SEC-009"] {
        assert!(list.out.lines().any(|line| line.starts_with(id)), "{id}");
    }
    let one = pointsman(&["rules", "explain", "vlan-001"]);
    assert!(one.out.starts_with("VLAN-001  ") && one.out.contains("  why "), "{}", one.out);
    let json = pointsman(&["--json", "rules", "explain", "SEC-009"]).json();
    assert!(json["decided_by"].as_str().unwrap().contains("firewall"), "{json}");
    let wrong = pointsman(&["rules", "explain", "VLAN-01"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("did you mean `VLAN-0"), "{}", wrong.err);
}

//! The verbs that need no coordinator, as the real program.

use crate::support::text;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tests::lab::Programs;
use tests::lab::story::set_key;

struct Bench {
    folder: tempfile::TempDir,
    programs: Programs,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), programs: Programs::beside_this_program().unwrap() }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn pointsman(&self, arguments: &[&str]) -> Output {
        Command::new(&self.programs.pointsman).args(arguments).output().unwrap()
    }

    /// Description files of new simulated hosts.
    fn host_files(&self, count: u32) -> Vec<PathBuf> {
        let root = self.at("hosts");
        let make = ["make-hosts", "--root", text(&root), "--count", &count.to_string(), "--group", "edge"];
        let names = self.programs.simulator(&make).unwrap();
        let describe = |name: &str| {
            let described = self.programs.simulator(&["describe", "--host", text(&root.join(name))]).unwrap();
            let file = self.at(&format!("{name}.json"));
            fs::write(&file, described).unwrap();
            file
        };
        names.lines().map(describe).collect()
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn with_files(verb: &[&str], files: &[PathBuf]) -> Vec<String> {
    let files = files.iter().flat_map(|file| ["--host-file".to_owned(), text(file).to_owned()]);
    verb.iter().map(|word| (*word).to_owned()).chain(files).collect()
}

fn words(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

#[test]
fn hosts_are_imported_planned_and_checked() {
    let bench = Bench::new();
    let files = bench.host_files(4);
    let repository = bench.at("repository");
    fs::create_dir(&repository).unwrap();

    let import = with_files(&["--json", "import", text(&repository), "--group", "edge"], &files);
    let imported = bench.pointsman(&words(&import));
    assert_eq!(imported.status.code(), Some(0), "{imported:?}");
    let imported = json(&imported);
    assert_eq!(imported["written"], true, "{imported:#}");
    let hosts = imported["hosts"].as_array().unwrap();
    assert_eq!(hosts.len(), 4);
    assert!(hosts.iter().all(|host| host["steps"] == 0 && host["proven"] == true), "{imported:#}");

    let check = bench.pointsman(&["check", text(&repository)]);
    assert_eq!(check.status.code(), Some(0), "{check:?}");
    let plan = with_files(&["plan", text(&repository)], &files);
    let empty = bench.pointsman(&words(&plan));
    assert_eq!(empty.status.code(), Some(0), "{empty:?}");
    assert!(stdout(&empty).contains("0 hosts would change, 4 already as desired"), "{empty:?}");

    let network = repository.join("groups/edge/network.yaml");
    let mut document = fs::read_to_string(&network).unwrap();
    document = set_key(&document, &["port_groups", "New 130", "vswitch"], "vSwitch1");
    document = set_key(&document, &["port_groups", "New 130", "vlan"], "130");
    fs::write(&network, document).unwrap();
    let planned = bench.pointsman(&words(&plan));
    assert_eq!(planned.status.code(), Some(0), "{planned:?}");
    for line in [
        "esxcli network vswitch standard portgroup add --portgroup-name='New 130' --vswitch-name=vSwitch1",
        "esxcli network vswitch standard portgroup set --portgroup-name='New 130' --vlan-id=130",
    ] {
        assert!(stdout(&planned).contains(line), "{line}\n{}", stdout(&planned));
    }
    breaks(&bench, &repository);
}

/// Several mistakes at once: every one is told, each with its place.
fn breaks(bench: &Bench, repository: &Path) {
    let network = repository.join("groups/edge/network.yaml");
    let document = fs::read_to_string(&network).unwrap();
    let document = set_key(&document, &["port_groups", "New 130", "vlan"], "5000");
    let document = set_key(&document, &["port_groups", "New 130", "vswitch"], "vSwitch9");
    let document = set_key(&document, &["vswitches", "vSwitch1", "mtu"], "soon");
    fs::write(&network, &document).unwrap();
    fs::create_dir_all(repository.join("rfcs")).unwrap();
    fs::write(repository.join("rfcs/0001-empty.md"), "no front matter\n").unwrap();
    let line_of = |wanted: &str| 1 + document.lines().position(|line| line.trim() == wanted).unwrap();

    let checked = bench.pointsman(&["check", text(repository)]);
    assert_eq!(checked.status.code(), Some(1), "{checked:?}");
    let said = stdout(&checked);
    for (file, line) in [
        ("groups/edge/network.yaml", line_of("vlan: 5000")),
        ("groups/edge/network.yaml", line_of("mtu: soon")),
        ("rfcs/0001-empty.md", 1),
    ] {
        let place = format!("{file}:{line}:");
        let found = said.lines().find_map(|said| said.strip_prefix(&place));
        let column = found.and_then(|rest| rest.split(':').next()).map(str::parse::<u32>);
        assert!(matches!(column, Some(Ok(1..))), "{place}\n{said}");
    }
    let findings = bench.pointsman(&["--json", "check", text(repository)]);
    assert_eq!(findings.status.code(), Some(1), "{findings:?}");
    let findings = json(&findings);
    let findings = findings.as_array().unwrap();
    assert!(findings.len() >= 3, "{findings:#?}");
    assert_eq!(findings.len() + 1, said.lines().count(), "one line each, and a summary\n{said}");
    assert!(findings.iter().all(|finding| finding["span"]["line"].as_u64().is_some_and(|line| line >= 1)));
}

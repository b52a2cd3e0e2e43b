//! `pointsman import` that proposes groups: files, branches, and what it refuses.

use super::{Ran, pointsman};
use crate::cli::import::testkit::host;
use git2::{Repository, Signature};
use model::{Known, Mtu, ObservedNetwork};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Hosts per kind.
const HOSTS: u8 = 6;

struct Fleet {
    dir: TempDir,
    files: Vec<PathBuf>,
}

impl Fleet {
    /// Two kinds of hosts; the second web server has another MTU, and what `change` does besides.
    fn new(change: impl Fn(&str, &mut ObservedNetwork)) -> Self {
        let mut fleet = Self { dir: TempDir::new().unwrap(), files: Vec::new() };
        fs::create_dir(fleet.repo()).unwrap();
        for number in 1..=HOSTS {
            for (kind, tens) in [("web", 0), ("db", 20)] {
                let name = format!("{kind}{number:02}");
                let mut seen = host(&name, tens + number);
                if kind == "db" {
                    let groups = seen.port_groups.read_mut().unwrap();
                    let like = groups.values().next().unwrap().clone();
                    for extra in ["Storage A", "Storage B", "Replication", "Backup"] {
                        groups.insert(extra.parse().unwrap(), like.clone());
                    }
                }
                if name == "web02" {
                    let switch = seen.vswitches.read_mut().unwrap().values_mut().next().unwrap();
                    switch.mtu = Known::Read(Mtu::new(9000).unwrap());
                }
                change(&name, &mut seen);
                let file = fleet.dir.path().join(format!("{name}.json"));
                fs::write(&file, serde_json::to_string(&seen).unwrap()).unwrap();
                fleet.files.push(file);
            }
        }
        fleet
    }

    fn repo(&self) -> PathBuf {
        self.dir.path().join("repo")
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let repo = self.repo();
        let files = self.files.iter().flat_map(|file| ["--host-file", file.to_str().unwrap()]);
        let arguments: Vec<&str> = ["import", repo.to_str().unwrap()]
            .into_iter()
            .chain(arguments.iter().copied())
            .chain(files)
            .collect();
        pointsman(&arguments)
    }

    fn plan(&self) -> Ran {
        let repo = self.repo();
        let files = self.files.iter().flat_map(|file| ["--host-file", file.to_str().unwrap()]);
        pointsman(&["plan", repo.to_str().unwrap()].into_iter().chain(files).collect::<Vec<_>>())
    }
}

fn entries(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn groups_are_proposed_written_and_planned_empty() {
    let fleet = Fleet::new(|_, _| {});
    let ran = fleet.run(&["--dry-run"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert_eq!(entries(&fleet.repo()), [] as [&str; 0]);
    let ran = fleet.run(&[]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for line in [
        "web    web02    mtu    MTU of switch `vSwitch0`: 9000; 5 of 6 hosts have 1500",
        "db     6      0          0         empty plan  -",
        "web    6      1          1         empty plan  -",
        "12 hosts imported into 2 groups; the first plan is empty",
    ] {
        assert!(ran.out.lines().any(|found| found == line), "{line}\n--- printed:\n{}", ran.out);
    }
    assert_eq!(entries(&fleet.repo().join("groups")), ["db", "web"]);
    let plan = fleet.plan();
    assert_eq!(plan.code, 0, "{}", plan.out);
    assert!(
        plan.out.contains(
            "\n0 hosts would change, 12 already as desired; 0 errors, 0 warnings; 15 already there; "
        ),
        "{}",
        plan.out
    );
    let again = fleet.run(&["--json"]);
    let report = again.json();
    assert_eq!((again.code, &report["written"]), (0, &serde_json::Value::Bool(false)));
    assert_eq!(report["at_home"]["web02"], "web");
}

/// What `check` finds of documents that were adopted: sins that the fleet has already stop nothing.
fn check_beside_itself(repository: &Path) -> Ran {
    let repository = repository.to_str().unwrap();
    pointsman(&["check", repository, "--base", repository])
}

#[test]
fn named_groups_are_replaced_only_by_force() {
    let fleet = Fleet::new(|_, _| {});
    let names = ["--group", "prod", "--group", "store", "--json"];
    let ran = fleet.run(&names);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let report = ran.json();
    assert_eq!(report["groups"][0]["group"], "prod");
    assert_eq!(report["groups"][1]["group"], "store");
    let ran = fleet.run(&names);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("group `prod` is already there"), "{}", ran.err);
    let stale = fleet.repo().join("groups/prod/hosts/gone.yaml");
    fs::write(&stale, "{}\n").unwrap();
    let ran = fleet.run(&[&names[..], &["--force"]].concat());
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(!stale.exists());
    let check = check_beside_itself(&fleet.repo());
    assert_eq!(check.code, 0, "{}", check.out);
}

#[test]
fn a_host_that_cannot_be_read_is_named_and_the_others_come_in() {
    let fleet = Fleet::new(|name, seen| {
        if name == "db03" {
            seen.vmkernels = Known::unreadable("hostd is down");
        }
    });
    let ran = fleet.run(&[]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    let line = "left out: db03: VMkernel adapters could not be read (hostd is down); read the host again";
    assert!(ran.out.lines().any(|found| found == line), "{}", ran.out);
    assert!(ran.out.ends_with("11 hosts imported into 2 groups; the first plan is empty\n"), "{}", ran.out);
}

#[test]
fn each_group_gets_a_branch_with_its_own_rfc() {
    let fleet = Fleet::new(|_, _| {});
    let ran = fleet.run(&["--branches"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("is not the top folder of a Git working copy"), "{}", ran.err);

    let repository = Repository::init(fleet.repo()).unwrap();
    let mut config = repository.config().unwrap();
    config.set_str("user.name", "Nora Net").unwrap();
    config.set_str("user.email", "nora@example.net").unwrap();
    assert!(fleet.run(&["--branches"]).err.contains("has no commit yet"));
    let tree = repository.find_tree(repository.treebuilder(None).unwrap().write().unwrap()).unwrap();
    let author = Signature::now("Nora Net", "nora@example.net").unwrap();
    let base = repository.commit(Some("HEAD"), &author, &author, "start", &tree, &[]).unwrap();

    let ran = fleet.run(&["--branches", "--json"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let report = ran.json();
    for (group, number) in [("db", 1), ("web", 2)] {
        let branch = &report["groups"][number - 1]["branch"];
        assert_eq!((&branch["name"], &branch["rfc"]), (&format!("adopt/{group}").into(), &number.into()));
        let commit = repository.find_branch(&format!("adopt/{group}"), git2::BranchType::Local).unwrap();
        let commit = commit.get().peel_to_commit().unwrap();
        assert_eq!(branch["commit"], commit.id().to_string());
        assert_eq!(commit.parent_id(0).unwrap(), base);
        // The branch alone is a repository in which nothing is wrong but what the hosts themselves do against best practice.
        let copy = TempDir::new().unwrap();
        let mut checkout = git2::build::CheckoutBuilder::new();
        checkout.target_dir(copy.path()).force().update_index(false);
        repository.checkout_tree(commit.as_object(), Some(&mut checkout)).unwrap();
        assert_eq!(entries(&copy.path().join("groups")), [group]);
        let check = check_beside_itself(copy.path());
        assert_eq!(check.code, 0, "{}", check.out);
        assert!(check.out.contains("0 errors, 0 warnings"), "{}", check.out);
        assert!(check.out.contains("10 files: 1 group, 6 hosts, 1 RFC"), "{}", check.out);
        let rfc = fs::read_to_string(copy.path().join(branch["rfc_file"].as_str().unwrap())).unwrap();
        assert!(rfc.contains("Nora Net"), "{rfc}");
    }
    // The folder is as it was, and nothing is made twice.
    assert_eq!(entries(&fleet.repo()), [".git"]);
    let again = fleet.run(&["--branches"]);
    assert!(again.err.contains("branch `adopt/db` is already there"), "{}", again.err);
    fs::write(fleet.repo().join("pointsman.yaml"), "schema: 1\n").unwrap();
    let dirty = fleet.run(&["--branches"]);
    assert!(dirty.err.contains("`pointsman.yaml` is not committed"), "{}", dirty.err);
}

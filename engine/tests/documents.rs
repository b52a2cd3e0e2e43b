//! Cases of configuration repositories and the findings they give, as printed.
//!
//! Each folder below `tests/documents` is one case: its files lie over those of `base`, and
//! `expected.txt` holds what `check` would print. `UPDATE_EXPECT=1` writes the expected texts anew.
#![expect(clippy::unwrap_used, reason = "a case folder that cannot be read fails the test")]

use engine::documents::{parse_repository, sort_findings};
use engine::resolve::resolve_all;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

const TODAY: &str = "2026-01-15";
const EXPECTED: &str = "expected.txt";

fn cases_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents")
}

fn read_files(root: &Path, dir: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_files(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            if name != EXPECTED {
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
}

fn printed(files: &BTreeMap<String, Vec<u8>>) -> String {
    let repository = parse_repository(files);
    let (hosts, resolved) = resolve_all(&repository, Some(TODAY));
    let mut findings = repository.findings;
    findings.extend(resolved);
    sort_findings(&mut findings);
    let mut out = String::new();
    for finding in &findings {
        writeln!(out, "{finding}").unwrap();
    }
    for (host, resolved) in &hosts {
        let state = if resolved.desired.is_some() { "resolved" } else { "not resolved" };
        let domain = resolved.failure_domain.as_deref().unwrap_or("none");
        writeln!(out, "host {host}: group {}, failure domain {domain}, {state}", resolved.group).unwrap();
    }
    out
}

#[test]
fn every_case_gives_its_expected_findings() {
    let mut base = BTreeMap::new();
    read_files(&cases_dir().join("base"), &cases_dir().join("base"), &mut base);
    let mut cases: Vec<PathBuf> =
        fs::read_dir(cases_dir()).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    let mut wrong = Vec::new();
    for case in &cases {
        let mut files = base.clone();
        read_files(case, case, &mut files);
        files.retain(|name, _| !files_to_remove(case).contains(name));
        let got = printed(&files);
        let expected = case.join(EXPECTED);
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&expected, &got).unwrap();
        }
        if fs::read_to_string(&expected).unwrap_or_default() != got {
            wrong.push(format!("{}:\n{got}", case.display()));
        }
    }
    assert!(cases.len() >= 25, "only {} cases found", cases.len());
    assert!(wrong.is_empty(), "UPDATE_EXPECT=1 writes these after a look:\n{}", wrong.join("\n"));
}

/// Files of `base` a case goes without, one per line in its `removed.txt`.
fn files_to_remove(case: &Path) -> Vec<String> {
    let list = fs::read_to_string(case.join("removed.txt")).unwrap_or_default();
    list.lines().map(str::to_owned).chain(["removed.txt".to_owned()]).collect()
}

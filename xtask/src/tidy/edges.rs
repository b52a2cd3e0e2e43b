//! Which crate may use which: the arrows of docs/ARCHITECTURE.md, checked on what cargo says.
//!
//! Owns the table of allowed edges and the list of libraries that would give a pure crate hands. Reads manifests only to name a line.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

use super::Problem;
use super::rules::PURE;

/// Every workspace crate and the workspace crates its production code may use; `None` means all.
const ALLOWED: [(&str, Option<&[&str]>); 9] = [
    ("model", Some(&[])),
    ("engine", Some(&["model"])),
    ("esxcli", Some(&["model"])),
    ("proto", Some(&["model"])),
    ("simulator", Some(&["model"])),
    ("agent", Some(&["model", "engine", "esxcli", "proto"])),
    ("coordinator", Some(&["model", "engine", "esxcli", "proto"])),
    ("tests", None),
    ("xtask", None),
];
/// Pairs that must not meet even in tests.
const STRANGERS: [&str; 2] = ["agent", "coordinator"];
/// Libraries that wait, talk, store, or look at a clock or dice.
const WORLDLY: [&str; 20] = [
    "tokio",
    "tokio-stream",
    "tokio-rustls",
    "futures",
    "async-trait",
    "sqlx",
    "tonic",
    "prost",
    "hyper",
    "hyper-util",
    "tower",
    "http",
    "reqwest",
    "git2",
    "rustls",
    "rand",
    "chrono",
    "time",
    "uuid",
    "sysinfo",
];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// Absent for a normal dependency, else "dev" or "build".
    kind: Option<String>,
    /// Present for a crate of the workspace.
    path: Option<String>,
}

/// Problems in the crate graph, from the output of `cargo metadata --no-deps`.
pub fn check(root: &Path, metadata: &str) -> anyhow::Result<Vec<Problem>> {
    let metadata: Metadata =
        serde_json::from_str(metadata).context("cannot read what cargo metadata printed")?;
    let mut problems = Vec::new();
    for package in &metadata.packages {
        for dependency in &package.dependencies {
            if let Some((rule, message, hint)) = judge(package, dependency) {
                let file = manifest_name(root, &package.manifest_path);
                let line = manifest_line(&package.manifest_path, &dependency.name);
                problems.push(Problem { file, line, rule, message, hint: hint.to_owned() });
            }
        }
    }
    Ok(problems)
}

fn judge(package: &Package, dependency: &Dependency) -> Option<(&'static str, String, &'static str)> {
    let (from, to) = (package.name.as_str(), dependency.name.as_str());
    let is_ours = dependency.path.is_some();
    if is_ours && STRANGERS.contains(&from) && STRANGERS.contains(&to) {
        let hint = "they meet only through proto; a test of both belongs in the crate `tests`";
        return Some(("crate-edge", format!("{from} must never see {to}"), hint));
    }
    if dependency.kind.as_deref() == Some("dev") {
        return None;
    }
    if !is_ours {
        let worldly = PURE.contains(&from) && WORLDLY.contains(&to);
        let hint = "keep the crate pure: do this in agent or coordinator and pass the result in";
        return worldly.then(|| ("pure-crate", format!("{from} must not depend on {to}"), hint));
    }
    let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == from) else {
        let hint = "add the crate to the table in xtask and to docs/ARCHITECTURE.md, with an ADR";
        return Some(("crate-edge", format!("crate {from} is not in the table of crate edges"), hint));
    };
    let fine = allowed.is_none_or(|allowed| allowed.contains(&to));
    let hint = "see \"Dependency rules\" in docs/ARCHITECTURE.md; what both need belongs in model";
    (!fine).then(|| ("crate-edge", format!("{from} must not depend on {to}"), hint))
}

fn manifest_name(root: &Path, manifest: &str) -> String {
    Path::new(manifest)
        .strip_prefix(root)
        .map_or_else(|_| manifest.to_owned(), |path| path.display().to_string())
}

/// The line that names the dependency; 1 when the manifest cannot be read or spells it otherwise.
fn manifest_line(manifest: &str, dependency: &str) -> usize {
    let text = fs::read_to_string(manifest).unwrap_or_default();
    let names = |line: &str| {
        let rest = line.trim_start().strip_prefix(dependency);
        rest.is_some_and(|rest| rest.starts_with([' ', '.', '=']))
    };
    text.lines().position(names).map_or(1, |index| index + 1)
}

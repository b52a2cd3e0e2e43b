//! What is built in: the verbs `deny` (what may be) and `sbom` (what is).
//!
//! Owns: the check of `deny.toml` against what cargo resolves, without any tool that is not installed everywhere. The
//! advisory database is left to cargo-deny. Called by `main` and by the verb `test`.

mod graph;
mod licence;
mod sbom;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use serde::Deserialize;

use crate::Outcome;
use crate::report::Report;
use graph::{Graph, Package};

/// Arguments of `sbom`.
#[derive(Args)]
pub struct SbomArgs {
    /// Folder for `agent.cdx.json` and `coordinator.cdx.json`.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// `deny.toml`, as far as it is checked here.
#[derive(Deserialize)]
struct Rules {
    licenses: Licences,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licences {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Named>,
    skip: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
    version: Option<String>,
}

impl Named {
    /// Whether it names this package; a version stands for all that begin with it.
    fn fits(&self, package: &Package) -> bool {
        let version = self.version.as_ref().is_none_or(|version| {
            package
                .version
                .strip_prefix(version.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        self.name == package.name && version
    }
}

/// Checks what cargo resolves against `deny.toml`.
pub fn deny(root: &Path, report: &Report) -> anyhow::Result<Outcome> {
    let text = std::fs::read_to_string(root.join("deny.toml")).context("deny.toml cannot be read")?;
    let rules: Rules = toml::from_str(&text).context("deny.toml is not as expected")?;
    let graph = Graph::resolve(root)?;
    let problems = judge(&rules, &graph.packages);
    for problem in &problems {
        report.line(problem);
    }
    let figures = serde_json::json!({ "packages": graph.packages.len(), "problems": problems });
    report.result(&figures.to_string());
    report.line(format_args!("{} packages, {} problems", graph.packages.len(), problems.len()));
    Ok(if problems.is_empty() { Outcome::Passed } else { Outcome::Failed })
}

fn judge(rules: &Rules, packages: &[Package]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut versions: BTreeMap<&str, Vec<&Package>> = BTreeMap::new();
    for package in packages {
        let shown = format!("{} {}", package.name, package.version);
        if !licence::is_allowed(&package.license, &rules.licenses.allow) {
            problems.push(format!("licence: {shown} has `{}`: not in [licenses] allow", package.license));
        }
        if rules.bans.deny.iter().any(|banned| banned.fits(package)) {
            problems.push(format!("ban: {shown} must not be built in"));
        }
        if !package.is_from_the_registry() && !package.is_ours() {
            problems.push(format!("source: {shown} comes from `{}`", package.source));
        }
        versions.entry(&package.name).or_default().push(package);
    }
    for (name, found) in versions {
        let counted = found.iter().filter(|package| !rules.bans.skip.iter().any(|skip| skip.fits(package)));
        let counted: Vec<&str> = counted.map(|package| package.version.as_str()).collect();
        if counted.len() > 1 {
            problems.push(format!(
                "duplicate: {name} {}: one of them, or a reason in [bans] skip",
                counted.join(" and ")
            ));
        }
    }
    let stale = rules.bans.skip.iter().filter(|skip| !packages.iter().any(|package| skip.fits(package)));
    problems
        .extend(stale.map(|skip| format!("stale: [bans] skip names {}, which is not built in", skip.name)));
    problems
}

/// Writes what is built into the two programs.
pub fn sbom(root: &Path, args: &SbomArgs, report: &Report) -> anyhow::Result<Outcome> {
    let graph = Graph::resolve(root)?;
    std::fs::create_dir_all(&args.out).with_context(|| format!("{} cannot be made", args.out.display()))?;
    for program in ["agent", "coordinator"] {
        let bill = sbom::of(&graph, program)?;
        let path = args.out.join(format!("{program}.cdx.json"));
        let text = serde_json::to_string_pretty(&bill)? + "\n";
        std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
        let components = bill["components"].as_array().map_or(0, Vec::len);
        report.line(format_args!("{}: {components} components", path.display()));
        report.result(
            &serde_json::json!({ "program": program, "path": path, "components": components }).to_string(),
        );
    }
    Ok(Outcome::Passed)
}

#[cfg(test)]
mod tests;

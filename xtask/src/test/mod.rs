//! The verb `test`: every check a change must pass, in one run.
//!
//! Owns the order of the stages and the closing summary; each stage is somebody else's program. All stages run even when an early one
//! failed, so that one run tells everything. Called by developers and `.ci/run`.

mod tally;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Context;

use crate::Outcome;
use crate::pg::{Found, ThrowAway, URL_VARIABLE, find_or_install};
use crate::process::{cargo, in_ci, succeeds};
use crate::report::{Report, StageEnd};
use crate::tidy;
use tally::Tally;

/// Seed of the property tests; set it to another number to draw other cases.
const SEED_VARIABLE: &str = "PROPTEST_RNG_SEED";
/// The seed when none is set: the same cases on every machine.
const SEED_DEFAULT: &str = "20261122";

/// Crates whose programs the whole-system tests start.
const PROGRAM_CRATES: [&str; 3] = ["agent", "coordinator", "simulator"];
/// Crates whose tests start those programs.
const PROGRAM_USERS: [&str; 2] = ["tests", "xtask"];

/// Whether the stages before the tests are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lint {
    /// Format, clippy and tidy first.
    Run,
    /// Only the tests.
    Skip,
}

/// What to test.
pub struct Options {
    /// Whether to lint first.
    pub lint: Lint,
    /// One crate, or all.
    pub package: Option<String>,
    /// Handed to the test programs as they are.
    pub filters: Vec<String>,
}

/// Runs all stages and prints the closing summary.
pub fn run(root: &Path, options: &Options, report: &Report) -> anyhow::Result<Outcome> {
    let mut tally = Tally::default();
    if options.lint == Lint::Run {
        lint(root, options, report, &mut tally)?;
    }
    let needs_programs = options.package.as_deref().is_none_or(|package| PROGRAM_USERS.contains(&package));
    if needs_programs {
        let mut build = locked(cargo(root), "build");
        build.arg("--bins");
        for name in PROGRAM_CRATES {
            build.args(["-p", name]);
        }
        command_stage("build", &mut build, report, &mut tally)?;
    }
    let database = database(report, &mut tally)?;
    let url = database.as_ref().map(ThrowAway::url);
    cargo_test(root, options, url, report, &mut tally)?;
    drop(database);
    report.object(&tally)?;
    report.line(&tally);
    Ok(if tally.failed == 0 { Outcome::Passed } else { Outcome::Failed })
}

fn lint(root: &Path, options: &Options, report: &Report, tally: &mut Tally) -> anyhow::Result<()> {
    let mut format = cargo(root);
    format.arg("fmt");
    scope(&mut format, options, "--all");
    command_stage("fmt", format.arg("--check"), report, tally)?;

    let mut clippy = locked(cargo(root), "clippy");
    scope(&mut clippy, options, "--workspace");
    command_stage("clippy", clippy.args(["--all-targets", "--", "-D", "warnings"]), report, tally)?;

    let begun = Instant::now();
    let problems = tidy::check(root)?;
    for problem in &problems {
        report.child_line(&problem.to_string());
    }
    let end = if problems.is_empty() { StageEnd::Passed } else { StageEnd::Failed };
    tally.add_stage(end);
    report.stage("tidy", end, begun.elapsed(), "")
}

/// Adds `-p NAME`, or the flag that means every crate.
fn scope(command: &mut Command, options: &Options, all: &str) {
    match &options.package {
        Some(package) => command.args(["-p", package]),
        None => command.arg(all),
    };
}

/// A cargo verb that in an unattended run refuses to change `Cargo.lock`.
fn locked(mut cargo: Command, verb: &str) -> Command {
    cargo.arg(verb);
    if in_ci() {
        cargo.arg("--locked");
    }
    cargo
}

fn command_stage(
    stage: &str,
    command: &mut Command,
    report: &Report,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    let end = if succeeds(command, report)? { StageEnd::Passed } else { StageEnd::Failed };
    tally.add_stage(end);
    report.stage(stage, end, begun.elapsed(), "")
}

/// Starts PostgreSQL unless one is given by the caller's environment. Without one the stage is skipped by name; unattended, it fails.
fn database(report: &Report, tally: &mut Tally) -> anyhow::Result<Option<ThrowAway>> {
    const STAGE: &str = "postgresql";
    let begun = Instant::now();
    if let Ok(url) = std::env::var(URL_VARIABLE) {
        report.stage(STAGE, StageEnd::Passed, begun.elapsed(), &format!("given: {url}"))?;
        return Ok(None);
    }
    let (database, end, detail) = match find_or_install(report)? {
        Found::Bin(bin) => match ThrowAway::start(&bin) {
            Ok(server) => {
                let url = server.url().to_owned();
                (Some(server), StageEnd::Passed, url)
            }
            Err(error) => (None, StageEnd::Failed, format!("{error:#}")),
        },
        Found::Missing(hint) if in_ci() => (None, StageEnd::Failed, hint),
        Found::Missing(hint) => (None, StageEnd::Skipped, hint),
    };
    tally.add_stage(end);
    report.stage(STAGE, end, begun.elapsed(), &detail)?;
    Ok(database)
}

/// Runs `cargo test`, passes its output on and counts. A run that failed without a failed test (it did not build, or died) counts one.
fn cargo_test(
    root: &Path,
    options: &Options,
    database_url: Option<&str>,
    report: &Report,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut command = locked(cargo(root), "test");
    if std::env::var_os(SEED_VARIABLE).is_none() {
        command.env(SEED_VARIABLE, SEED_DEFAULT);
    }
    scope(&mut command, options, "--workspace");
    command.args(["--no-fail-fast", "--"]).args(&options.filters);
    if let Some(url) = database_url {
        command.env(URL_VARIABLE, url);
    }
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot run cargo test")?;
    let mut counted = Tally::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.context("cannot read what cargo test prints")?;
            let line = String::from_utf8_lossy(&line);
            counted.add_line(&line);
            report.child_line(&line);
        }
    }
    let status = child.wait().context("cannot wait for cargo test")?;
    if !status.success() && counted.failed == 0 {
        counted.failed = 1;
    }
    let end = if counted.failed == 0 { StageEnd::Passed } else { StageEnd::Failed };
    report.stage("cargo test", end, begun.elapsed(), &counted.to_string())?;
    tally.add(&counted);
    Ok(())
}

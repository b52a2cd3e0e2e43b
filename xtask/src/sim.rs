//! The verbs `sim` and `crash`: the deterministic simulator and the enumeration of every crash.
//!
//! Owns: the build (release, since the simulator must be fast) and the lines for people. The simulator is the program
//! `sim` of the crate `tests`. Called by `main`.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;
use clap::Args;
use serde_json::Value;

use crate::Outcome;
use crate::process::{cargo, output_of, shown};
use crate::report::{Report, Style};

/// Arguments of `sim`.
#[derive(Args)]
pub struct SimArgs {
    /// How many seeds are run.
    #[arg(long, default_value_t = 500)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Hosts per seed; drawn by each seed when left out.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=5000))]
    hosts: Option<u32>,
    /// Switch on each planted bug in turn: every one must be caught.
    #[arg(long, conflicts_with_all = ["hosts", "one"])]
    mutants: bool,
    /// Run one seed with its events printed, e.g. `seed=9 hosts=3 faults=1`.
    #[arg(long, value_name = "SETTINGS")]
    one: Option<String>,
}

/// Arguments of `crash`.
#[derive(Args)]
pub struct CrashArgs {
    /// Only so many changes, spread over all kinds.
    #[arg(long)]
    changes: Option<u64>,
}

/// Runs seeds, one seed, or the planted bugs.
pub fn run(root: &Path, args: &SimArgs, report: &Report) -> anyhow::Result<Outcome> {
    let mut words: Vec<String> = Vec::new();
    if args.mutants {
        words.push("mutants".to_owned());
    } else if let Some(settings) = &args.one {
        words.push("one".to_owned());
        words.extend(settings.split_whitespace().map(str::to_owned));
    } else {
        words.extend(["seeds".to_owned(), "--seeds".to_owned(), args.seeds.to_string()]);
        words.extend(["--from".to_owned(), args.from.to_string()]);
        words.extend(args.hosts.iter().flat_map(|hosts| ["--hosts".to_owned(), hosts.to_string()]));
    }
    simulate(root, words, report)
}

/// Runs the enumeration of crashes.
pub fn crash(root: &Path, args: &CrashArgs, report: &Report) -> anyhow::Result<Outcome> {
    let mut words = vec!["crash".to_owned()];
    words.extend(args.changes.iter().flat_map(|changes| ["--changes".to_owned(), changes.to_string()]));
    simulate(root, words, report)
}

fn simulate(root: &Path, words: Vec<String>, report: &Report) -> anyhow::Result<Outcome> {
    let commit = output_of(Command::new("git").current_dir(root).args(["rev-parse", "--short=12", "HEAD"]));
    let commit = commit.map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned());
    let mut command = cargo(root);
    command.args(["run", "--quiet", "--release", "-p", "tests", "--bin", "sim", "--"]);
    command.args(words).args(["--commit", &commit]);
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("cannot run {}", shown(&command)))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let figures: Value =
        serde_json::from_str(printed.trim()).with_context(|| format!("the simulator printed: {printed}"))?;
    match report.style() {
        Style::Json => report.result(&figures.to_string()),
        Style::People => {
            for (name, value) in figures.as_object().into_iter().flatten() {
                report.line(format!("{name:<28} {value}"));
            }
        }
    }
    Ok(if output.status.success() { Outcome::Passed } else { Outcome::Failed })
}

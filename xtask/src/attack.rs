//! The verb `attack`: an evil forge, agent and coordinator against the real programs.
//!
//! Owns: the builds and the lines for people. The attacks are the program `attack` of the crate `tests`. Called by `main`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;
use clap::Args;
use serde_json::Value;

use crate::Outcome;
use crate::process::{cargo, output_of, shown, succeeds};
use crate::programs::target_folder;
use crate::report::{Report, Style};

/// Arguments of `attack`.
#[derive(Args)]
pub struct AttackArgs {
    /// Only attacks whose name begins so, e.g. `forge` or `agent_token`.
    #[arg(long, value_name = "PREFIX")]
    only: Option<String>,
}

/// Builds the programs, attacks them, and shows what came of it.
pub fn run(root: &Path, args: &AttackArgs, report: &Report) -> anyhow::Result<Outcome> {
    report.note("building coordinator, agent, simulator and the attacks");
    let mut all = cargo(root);
    all.args([
        "build",
        "--quiet",
        "-p",
        "coordinator",
        "-p",
        "agent",
        "-p",
        "simulator",
        "-p",
        "tests",
        "--bins",
    ]);
    anyhow::ensure!(succeeds(&mut all, report)?, "the programs could not be built");
    let commit = output_of(Command::new("git").current_dir(root).args(["rev-parse", "--short=12", "HEAD"]));
    let commit = commit.map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned());
    let mut command = Command::new(target_folder(root).join("debug").join("attack"));
    command.args(["--commit", &commit]).args(args.only.iter().flat_map(|only| ["--only", only]));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", shown(&command)))?;
    let lines = child.stdout.take().context("the attacks have no output")?;
    for line in BufReader::new(lines).lines() {
        let line = line.context("the output of the attacks cannot be read")?;
        match report.style() {
            Style::Json => report.result(&line),
            Style::People => people(&line, report),
        }
    }
    Ok(if child.wait()?.success() { Outcome::Passed } else { Outcome::Failed })
}

fn people(line: &str, report: &Report) {
    let told: Value = serde_json::from_str(line).unwrap_or_default();
    if let Some(name) = told["attack"].as_str() {
        let word = if told["good"] == true { "refused" } else { "FAILED " };
        let kind = told["refused"].as_str().unwrap_or("-");
        let place = told["audited"].as_str().or(told["error"].as_str()).unwrap_or("-");
        report.line(format_args!("{word}  {name:<46} {kind:<30} {place}"));
    } else {
        for (name, value) in told.as_object().into_iter().flatten() {
            report.line(format_args!("{name:<12} {value}"));
        }
    }
}

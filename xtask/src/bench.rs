//! The verb `bench`: measures what the product promises about speed and size, and tells whether it is kept.
//!
//! Owns: what must be built for which scenario, and the table for people. The scenarios and their targets are in the
//! program `bench` of the crate `tests`. Called by `main`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::Outcome;
use crate::process::{cargo, output_of, shown};
use crate::programs::{self, Built, Profile, target_folder};
use crate::report::{Report, Style};

/// Arguments of `bench`.
#[derive(Args)]
pub struct BenchArgs {
    /// What to measure; everything when left out.
    name: Option<Bench>,
    /// Simulated hosts of `demo`; its target is for 100.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..=500))]
    hosts: u32,
    /// Run labs on release builds of coordinator, agent and simulator (the first build takes minutes).
    #[arg(long)]
    release: bool,
}

/// A scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Bench {
    /// Planning: one large host, and 10,000 hosts with their documents.
    Plan,
    /// esxcli calls of one observation.
    Observe,
    /// esxcli calls of one apply.
    ApplyCalls,
    /// Size and idle memory of the agent as it is shipped.
    Agent,
    /// A whole fleet from merge to committed.
    Demo,
}

impl Bench {
    fn needs_lab(self) -> bool {
        match self {
            Bench::Plan | Bench::Observe => false,
            Bench::ApplyCalls | Bench::Agent | Bench::Demo => true,
        }
    }

    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// Measures one scenario or all. A missed target or a broken scenario fails the verb; the others still run.
pub fn run(root: &Path, args: &BenchArgs, report: &Report) -> anyhow::Result<Outcome> {
    let all = args.name.map_or_else(|| Bench::value_variants().to_vec(), |name| vec![name]);
    let programs = if all.iter().any(|bench| bench.needs_lab()) {
        report.note("building coordinator, agent and simulator");
        let profile = if args.release { Profile::Release } else { Profile::Dev };
        Some(programs::build(root, profile, report)?)
    } else {
        None
    };
    let mut outcome = Outcome::Passed;
    for bench in all {
        match measure(root, bench, args, programs.as_ref()) {
            Ok(lines) => {
                for line in &lines {
                    show(line, report);
                    if line["met"] == false {
                        outcome = Outcome::Failed;
                    }
                }
            }
            Err(error) => {
                report.error(&error);
                outcome = Outcome::Failed;
            }
        }
    }
    Ok(outcome)
}

/// Builds the agent by its shipping recipe, through the verb that owns it; gives its path.
fn build_agent(root: &Path) -> anyhow::Result<PathBuf> {
    let this = env::current_exe().context("xtask does not know where it is")?;
    let out = target_folder(root).join("bench");
    let printed =
        output_of(Command::new(this).current_dir(root).args(["--json", "agent", "--out"]).arg(out))?;
    let built: Value =
        serde_json::from_str(printed.trim()).with_context(|| format!("`agent` printed: {printed}"))?;
    built["path"].as_str().map(PathBuf::from).context("`agent` named no path")
}

/// Runs one scenario; gives its figures.
fn measure(
    root: &Path,
    bench: Bench,
    args: &BenchArgs,
    programs: Option<&Built>,
) -> anyhow::Result<Vec<Value>> {
    let mut command = cargo(root);
    command.args(["run", "--quiet", "--release", "-p", "tests", "--bin", "bench", "--", &bench.name()]);
    if let (true, Some(programs)) = (bench.needs_lab(), programs) {
        command.arg("--programs").arg(&programs.folder).arg("--esxcli").arg(&programs.esxcli);
    }
    match bench {
        Bench::Agent => {
            command.arg("--agent").arg(build_agent(root)?);
        }
        Bench::Demo => {
            command.args(["--hosts", &args.hosts.to_string()]);
        }
        Bench::Plan | Bench::Observe | Bench::ApplyCalls => {}
    }
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("cannot run {}", shown(&command)))?;
    let lines = figures(&String::from_utf8_lossy(&output.stdout))?;
    // It ends with 1 for a missed target too; then the figures are there and say so.
    let is_told = lines.iter().any(|line| line["met"] == false);
    if !(output.status.success() || is_told) || lines.is_empty() {
        bail!("bench {} measured nothing: it ended with {}", bench.name(), output.status);
    }
    Ok(lines)
}

/// The figures a scenario printed.
fn figures(printed: &str) -> anyhow::Result<Vec<Value>> {
    let read = |line: &str| {
        let value: Value =
            serde_json::from_str(line).with_context(|| format!("the bench printed: {line}"))?;
        ensure!(value["figure"].is_string() && value["value"].is_number(), "no figure: {line}");
        Ok(value)
    };
    printed.lines().map(read).collect()
}

fn show(line: &Value, report: &Report) {
    match report.style() {
        Style::Json => report.result(&line.to_string()),
        Style::People => report.line(row(line)),
    }
}

/// One row of the table: figure, value, unit, promise, what was measured.
fn row(line: &Value) -> String {
    let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
    let promise = match (line["target"].as_f64(), line["met"].as_bool()) {
        (Some(target), Some(true)) => format!("<= {target}  ok"),
        (Some(target), _) => format!("<= {target}  MISSED"),
        (None, _) => String::new(),
    };
    let value = line["value"].as_f64().unwrap_or_default();
    let row =
        format!("{:<28} {value:>12} {:<6} {promise:<20} {}", text("figure"), text("unit"), text("detail"));
    row.trim_end().to_owned()
}

#[cfg(test)]
mod tests;

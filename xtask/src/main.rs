//! `cargo xtask`: the developer's one door to test, tidy, build and look at Pointsman.
//!
//! Owns argument parsing and the exit code (0 done, 1 failed, 2 wrong usage). Every verb lives in a module of its own and
//! decides nothing about the product; the product's crates do. Called by developers and by `.ci/run`.

mod agent;
mod attack;
mod bench;
mod demo;
mod describe;
mod pg;
mod process;
mod programs;
mod report;
mod rules;
mod sim;
mod supply;
mod target;
mod test;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use report::{Report, Style};

/// How a verb ended, when nothing unforeseen happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything asked for was done and is well.
    Passed,
    /// The verb ran and found something wrong, which it has already reported.
    Failed,
}

/// Developer commands of Pointsman.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    /// Print for programs: one JSON object per line on standard output.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Show the whole product on this machine: a Git merge becomes confirmed hosts, then drift.
    Demo(demo::DemoArgs),
    /// Measure what is promised about speed and size.
    Bench(bench::BenchArgs),
    /// Run the deterministic simulator: a whole fleet with faults, seed by seed.
    Sim(sim::SimArgs),
    /// End every golden change at every point and look whether the host comes back.
    Crash(sim::CrashArgs),
    /// Run every check: format, clippy, tidy, then all tests with a throw-away PostgreSQL.
    Test(TestArgs),
    /// Check the house rules that neither the compiler nor clippy knows.
    Tidy,
    /// Attack the real programs as an evil forge, agent and coordinator: everything must be refused, told and without effect.
    Attack(attack::AttackArgs),
    /// Check licences, bans, duplicates and sources of everything that is built in, by deny.toml.
    Deny,
    /// Prove the best-practice rules: clean fleets without findings, every mutant found.
    Rules,
    /// Write what is built into agent and coordinator, as CycloneDX.
    Sbom(supply::SbomArgs),
    /// Build the static agent as it is shipped, and prove that it is static and small.
    Agent(AgentArgs),
    /// Make a host description file from a folder of recorded esxcli outputs.
    Describe(DescribeArgs),
    /// Run a command with a throw-away PostgreSQL; its URL is in POINTSMAN_TEST_PG_URL.
    WithPg(WithPgArgs),
}

#[derive(Args)]
struct TestArgs {
    /// Leave out format, clippy and tidy.
    #[arg(long)]
    no_lint: bool,
    /// Test only this crate.
    #[arg(short, long)]
    package: Option<String>,
    /// Passed to the test programs: name filters, --nocapture and the like.
    #[arg(last = true)]
    filters: Vec<String>,
}

#[derive(Args)]
struct AgentArgs {
    /// Also copy the binary into this directory.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Args)]
struct DescribeArgs {
    /// The folder; files are named like network-nic-list.xml or network-ip-interface-tag-get@vmk0.json.
    dir: PathBuf,
    /// Write the description here instead of printing it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Args)]
struct WithPgArgs {
    /// The command and its arguments.
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let report = Report::new(if cli.json { Style::Json } else { Style::People });
    match run(cli.verb, &report) {
        Ok(Outcome::Passed) => ExitCode::SUCCESS,
        Ok(Outcome::Failed) => ExitCode::from(1),
        Err(error) => {
            report.error(&error);
            ExitCode::from(1)
        }
    }
}

fn run(verb: Verb, report: &Report) -> anyhow::Result<Outcome> {
    let root = process::workspace_root()?;
    match verb {
        Verb::Test(args) => {
            let lint = if args.no_lint { test::Lint::Skip } else { test::Lint::Run };
            test::run(&root, &test::Options { lint, package: args.package, filters: args.filters }, report)
        }
        Verb::Demo(args) => demo::run(&root, &args, report),
        Verb::Bench(args) => bench::run(&root, &args, report),
        Verb::Sim(args) => sim::run(&root, &args, report),
        Verb::Crash(args) => sim::crash(&root, &args, report),
        Verb::Tidy => tidy::run(&root, report),
        Verb::Attack(args) => attack::run(&root, &args, report),
        Verb::Rules => rules::run(&root, report),
        Verb::Deny => supply::deny(&root, report),
        Verb::Sbom(args) => supply::sbom(&root, &args, report),
        Verb::Agent(args) => agent::run(&root, args.out.as_deref(), report),
        Verb::Describe(args) => describe::run(&args.dir, args.out.as_deref(), report),
        Verb::WithPg(args) => pg::with::run(&root, &args.command, report),
    }
}

#[cfg(test)]
mod tests;

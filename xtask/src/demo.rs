//! `cargo xtask demo`: the whole product on this machine, from a Git merge to confirmed hosts and drift.
//!
//! Owns: the story and what is printed. Must not: reach into the product; it uses the programs people use. Called by
//! `main`. Nothing outside the target folder is touched.

mod cut;

use crate::Outcome;
use crate::programs::{self, Profile};
use crate::report::{Report, Style};
use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::Value;
use std::io::BufRead;
use std::path::Path;
use std::time::{Duration, Instant};
use tests::lab::story::Story;
use tests::lab::{Lab, LabSettings, Limit, Programs, wait_for};

/// Longest wait for all hosts to be enrolled and observed.
const OBSERVED_LIMIT: Limit = Limit::secs(300);
/// Longest wait for a rollout.
const ROLLOUT_LIMIT: Limit = Limit::secs(600);
/// Longest wait for drift to be reported.
const DRIFT_LIMIT: Limit = Limit::secs(120);
/// Hosts that one machine is asked to simulate at most.
const HOSTS_MAX: u32 = 500;

/// Arguments of `demo`.
#[derive(Args)]
pub struct DemoArgs {
    /// Simulated hosts, each with a real agent.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(2..=i64::from(HOSTS_MAX)))]
    hosts: u32,
    /// What happens.
    #[arg(long, value_enum, default_value_t = Scenario::BackupNetwork)]
    scenario: Scenario,
    /// End when the story is told, instead of staying up to be looked at.
    #[arg(long)]
    exit: bool,
}

/// The stories that can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// A change that goes well, and drift afterwards.
    BackupNetwork,
    /// A change that cuts management off, with the author's allowance: every host it reaches goes back by itself.
    CutManagement,
}

/// What the demo did, for programs.
#[derive(Debug, Serialize)]
struct Summary {
    hosts: u32,
    committed: usize,
    rolled_back: usize,
    drift_seen: usize,
    waves: usize,
    /// From the merge to the last host committed.
    seconds: f64,
    /// From start to end, builds left out.
    seconds_total: f64,
    steps_per_host: u64,
    /// Of the host that needed most.
    esxcli_calls_per_apply: u64,
    /// Mean over all hosts.
    esxcli_calls_mean: f64,
    database: String,
}

struct Teller<'a> {
    report: &'a Report,
}

impl Teller<'_> {
    fn say(&self, text: &str) {
        self.report.note(text);
    }

    fn bar(&self, length: u64, what: &str) -> ProgressBar {
        if self.report.style() == Style::Json {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("  {msg:<28} [{bar:32}] {pos}/{len}  {elapsed}");
        let bar = ProgressBar::new(length).with_message(what.to_owned());
        style.map_or(bar.clone(), |style| bar.with_style(style.progress_chars("=> ")))
    }
}

/// Tells the story.
pub fn run(root: &Path, args: &DemoArgs, report: &Report) -> anyhow::Result<Outcome> {
    let teller = Teller { report };
    let programs = build(root, &teller)?;
    let folder = tempfile::Builder::new().prefix("demo-").tempdir_in(root.join("target"))?;
    let started = Instant::now();
    let settings =
        LabSettings { root: folder.path().join("lab"), hosts: args.hosts as usize, database_url: None };
    teller.say(&format!(
        "Starting a coordinator (SQLite), a Git repository and {} simulated hosts.",
        args.hosts
    ));
    let mut lab = Lab::start(&settings, programs)?;
    let told = match args.scenario {
        Scenario::BackupNetwork => tell(&mut lab, args.hosts, &teller, started)
            .and_then(|summary| finish(&lab, &summary, args, report)),
        Scenario::CutManagement => cut::tell(&mut lab, args.hosts, &teller, started)
            .and_then(|summary| finish(&lab, &summary, args, report)),
    };
    match told {
        Ok(()) => Ok(Outcome::Passed),
        Err(error) => {
            let kept = folder.keep();
            teller.say(&format!("The logs are kept in {}", kept.join("lab/log").display()));
            Err(error)
        }
    }
}

fn build(root: &Path, teller: &Teller) -> anyhow::Result<Programs> {
    teller.say("Building coordinator, agent and simulator (the first time takes some minutes).");
    let built = programs::build(root, Profile::Dev, teller.report)?;
    Ok(Programs { esxcli: built.esxcli, ..Programs::in_folder(&built.folder)? })
}

/// Agents enrolled, hosts read, the baseline in Git and confirmed.
fn bring_up(lab: &mut Lab, hosts: u32, teller: &Teller) -> anyhow::Result<()> {
    let bar = teller.bar(u64::from(hosts), "enrolling agents");
    lab.enrol_all(|done| bar.set_position(done as u64))?;
    bar.finish();
    lab.wait_observed(OBSERVED_LIMIT)?;
    teller.say("Every host has its own certificate, holds a mutual TLS stream and was read by its agent.");

    lab.import(ROLLOUT_LIMIT)?;
    teller.say("The live hosts were written to Git; the first plan was empty on every host; the baseline is confirmed.");
    Ok(())
}

fn tell(lab: &mut Lab, hosts: u32, teller: &Teller, started: Instant) -> anyhow::Result<Summary> {
    bring_up(lab, hosts, teller)?;
    let story = Story::backup_network();
    let merged = Instant::now();
    let commit = story.merge(lab)?;
    teller.say(&format!(
        "RFC-{} merged: {} ({})",
        story.rfc,
        story.title,
        commit.get(..10).unwrap_or(&commit)
    ));
    lab.operate(&["sync"])?;
    let change = lab.wait_accepted(&commit, ROLLOUT_LIMIT)?;
    show_plan(lab, &change, teller)?;
    let rollout = watch(lab, &change, hosts, teller)?;
    let seconds = merged.elapsed().as_secs_f64();
    let ends = ends(&rollout);
    let committed = ends.iter().filter(|(state, _)| state == "committed").count();
    let rolled_back = ends.iter().filter(|(state, _)| state.starts_with("rolled_back")).count();
    teller.say(&format!(
        "{committed} of {hosts} hosts committed {seconds:.1} s after the merge, {rolled_back} rolled back."
    ));

    let drift_seen = drift(lab, teller)?;
    let detail = lab.operate(&["changes", change["id"].as_str().unwrap_or_default()])?;
    let steps = detail["plans"][0]["steps"].as_array().map_or(0, Vec::len) as u64;
    let calls: Vec<u64> = ends.iter().filter_map(|(_, outcome)| outcome["esxcli_calls"].as_u64()).collect();
    Ok(Summary {
        hosts,
        committed,
        rolled_back,
        drift_seen,
        waves: rollout["waves"].as_array().map_or(0, Vec::len),
        seconds,
        seconds_total: started.elapsed().as_secs_f64(),
        steps_per_host: steps,
        esxcli_calls_per_apply: calls.iter().copied().max().unwrap_or(0),
        esxcli_calls_mean: calls.iter().sum::<u64>() as f64 / calls.len().max(1) as f64,
        database: lab.status()?["database"].as_str().unwrap_or_default().to_owned(),
    })
}

/// How every host of a rollout ended.
fn ends(rollout: &Value) -> Vec<(String, Value)> {
    let waves = rollout["waves"].as_array().into_iter().flatten();
    let hosts = waves.flat_map(|wave| wave["hosts"].as_array().into_iter().flatten());
    hosts
        .map(|host| (host["state"].as_str().unwrap_or_default().to_owned(), host["outcome"].clone()))
        .collect()
}

fn show_plan(lab: &Lab, change: &Value, teller: &Teller) -> anyhow::Result<()> {
    let detail = lab.operate(&["changes", change["id"].as_str().context("a change without id")?])?;
    let plan = &detail["plans"][0];
    teller.say(&format!("The plan of {} ({}):", plan["host"].as_str().unwrap_or("?"), plan["disruption"]));
    for step in plan["steps"].as_array().into_iter().flatten() {
        teller.say(&format!("    {}", step["esxcli"].as_str().unwrap_or("?")));
    }
    Ok(())
}

fn watch(lab: &Lab, change: &Value, hosts: u32, teller: &Teller) -> anyhow::Result<Value> {
    let bar = teller.bar(u64::from(hosts), "rolling out");
    let id = wait_for(ROLLOUT_LIMIT, "the rollout to begin", || lab.rollout_id(change))?;
    let rollout = wait_for(ROLLOUT_LIMIT, "the rollout to end", || {
        let rollout = lab.rollout(&id)?;
        let waves = rollout["waves"].as_array().map_or(&[][..], Vec::as_slice);
        let wave = waves.iter().rposition(|wave| !wave["started"].is_null()).map_or(0, |at| at + 1);
        let done = ends(&rollout).iter().filter(|(state, _)| state == "committed").count();
        bar.set_message(format!("wave {wave} of {}", waves.len()));
        bar.set_position(done as u64);
        let ended = ["completed", "halted", "aborted"].iter().any(|phase| rollout["phase"] == *phase);
        Ok(ended.then_some(rollout))
    })?;
    bar.finish();
    ensure!(rollout["phase"] == "completed", "the rollout ended {}: {}", rollout["phase"], rollout["reason"]);
    Ok(rollout)
}

fn drift(lab: &Lab, teller: &Teller) -> anyhow::Result<usize> {
    let name = lab.host_names()?.into_iter().next_back().context("there is no host")?;
    let typed = [
        "network",
        "vswitch",
        "standard",
        "portgroup",
        "set",
        "--portgroup-name=Backup 114",
        "--vlan-id=999",
    ];
    lab.console(&name, &typed)?;
    teller.say(&format!("Somebody types on the console of {name}: esxcli {}", typed.join(" ")));
    let seen = wait_for(DRIFT_LIMIT, "the drift to be reported", || {
        let drift = lab.list(&["drift"])?;
        Ok((!drift.is_empty()).then_some(drift))
    })?;
    for entry in &seen {
        let difference = &entry["difference"];
        teller.say(&format!(
            "Drift on {}: {} {} is {}, should be {}",
            entry["host"].as_str().unwrap_or("?"),
            difference["object"].as_str().unwrap_or("?"),
            difference["field"].as_str().unwrap_or("?"),
            difference["observed"].as_str().unwrap_or("?"),
            difference["desired"].as_str().unwrap_or("?"),
        ));
    }
    Ok(seen.len())
}

fn finish(lab: &Lab, summary: &impl Serialize, args: &DemoArgs, report: &Report) -> anyhow::Result<()> {
    if report.style() == Style::Json {
        report.object(summary)?;
    }
    if args.exit {
        return Ok(());
    }
    let pointsman = lab.programs().pointsman.display();
    let access = format!("--coordinator {} --token-file {}", lab.operator_url(), lab.token_file().display());
    report.note(format!(
        "\nEverything stays up. Try, in another terminal:\n\
         \x20 {pointsman} hosts {access}\n\
         \x20 {pointsman} rollouts {access}\n\
         \x20 {pointsman} drift {access}\n\
         \x20 {pointsman} audit verify {access}\n\
         Or edit {}, commit, push to origin main, and watch.\n\
         Press Enter to end the demo.",
        lab.config.work().join("groups/prod-a/network.yaml").display()
    ));
    let mut line = String::new();
    while std::io::stdin().lock().read_line(&mut line)? == 0 {
        std::thread::park_timeout(Duration::from_secs(3600));
    }
    Ok(())
}

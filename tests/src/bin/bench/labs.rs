//! Figures of the real programs: agent size and memory, calls per apply, and a fleet from merge to committed.

use crate::Request;
use crate::figure::Figure;
use anyhow::{Context, ensure};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tests::lab::story::Story;
use tests::lab::{Lab, LabSettings, Limit, Programs};

/// Longest wait for every host to be enrolled and read.
const OBSERVED_LIMIT: Limit = Limit::secs(300);
/// Longest wait for a rollout.
const ROLLOUT_LIMIT: Limit = Limit::secs(600);
/// Hosts where one would do; a rollout wants a second one after the canary.
const FEW: usize = 2;
/// How long an idle agent is looked at; the largest value counts.
const IDLE: Duration = Duration::from_secs(10);
/// Time between two looks at it.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The promise for the agent's file, in bytes.
const SIZE_TARGET: f64 = 5e6;
/// The promise for the agent's memory, in bytes.
const RSS_TARGET: f64 = 6e6;
/// The promise from merge to all committed, in seconds, for so many hosts.
const DEMO_TARGET: (usize, f64) = (100, 10.0);

/// A running lab whose hosts are enrolled and read; its folder goes with it.
struct Running {
    lab: Lab,
    _folder: TempDir,
}

fn start(programs: Programs, hosts: usize) -> anyhow::Result<Running> {
    let folder = tempfile::Builder::new().prefix("bench-").tempdir()?;
    let settings = LabSettings { root: folder.path().join("lab"), hosts, database_url: None };
    let mut lab = Lab::start(&settings, programs)?;
    lab.enrol_all(|_| ())?;
    lab.wait_observed(OBSERVED_LIMIT)?;
    Ok(Running { lab, _folder: folder })
}

/// The time from the merge to the end of the rollout, and how each host ended.
fn roll_out(lab: &Lab) -> anyhow::Result<(Duration, Vec<Value>)> {
    lab.import(ROLLOUT_LIMIT)?;
    let started = Instant::now();
    let commit = Story::backup_network().merge(lab)?;
    lab.operate(&["sync"])?;
    let change = lab.wait_change(&commit, ROLLOUT_LIMIT)?;
    ensure!(change["status"] == "accepted", "the change was refused: {change}");
    let rollout = lab.wait_rollout(&change, &["completed", "halted", "aborted"], ROLLOUT_LIMIT)?;
    let took = started.elapsed();
    let waves = rollout["waves"].as_array().into_iter().flatten();
    let hosts: Vec<Value> =
        waves.flat_map(|wave| wave["hosts"].as_array().into_iter().flatten()).cloned().collect();
    let committed = hosts.iter().filter(|host| host["state"] == "committed").count();
    ensure!(committed == lab.host_names()?.len(), "{committed} hosts committed only: {rollout}");
    Ok((took, hosts))
}

/// Runs one of the figures of a lab; nothing when the request lacks what it needs.
pub fn measure(request: &Request) -> Option<anyhow::Result<Vec<Figure>>> {
    let folder = request.programs.as_deref()?;
    let programs = Programs::in_folder(folder).map(|programs| match &request.esxcli {
        Some(esxcli) => Programs { esxcli: esxcli.clone(), ..programs },
        None => programs,
    });
    let programs = match programs {
        Ok(programs) => programs,
        Err(error) => return Some(Err(error)),
    };
    Some(match request.bench.as_str() {
        "apply_calls" => apply_calls(programs),
        "agent" => agent(programs, request.agent.as_deref()?),
        _ => demo(programs, request.hosts, &profile(folder)),
    })
}

fn profile(programs: &Path) -> String {
    format!("{} build", programs.file_name().unwrap_or_default().to_string_lossy())
}

/// Calls of one apply, from the agents' own count.
fn apply_calls(programs: Programs) -> anyhow::Result<Vec<Figure>> {
    let running = start(programs, FEW)?;
    let (_, hosts) = roll_out(&running.lab)?;
    let counts = |name: &str| hosts.iter().filter_map(|host| host["outcome"][name].as_u64()).max();
    let calls = counts("esxcli_calls").context("no agent told how many calls it made")?;
    let steps = counts("steps_run").context("no agent told how many steps it ran")?;
    let number = |count: u64| -> anyhow::Result<f64> { Ok(f64::from(u32::try_from(count)?)) };
    Ok(vec![
        Figure::new("calls_per_apply", number(calls)?, "calls").detail("the rollout of the demo"),
        Figure::new("steps_per_apply", number(steps)?, "calls"),
        Figure::new("reads_per_apply", number(calls.saturating_sub(steps))?, "calls"),
    ])
}

/// Resident memory of a process, in bytes.
fn resident(process: u32) -> anyhow::Result<f64> {
    let status =
        fs::read_to_string(format!("/proc/{process}/status")).context("the agent's process is gone")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).context("no VmRSS")?;
    Ok(kib * 1024.0)
}

/// Size and idle memory of the agent as it is shipped.
fn agent(programs: Programs, agent: &Path) -> anyhow::Result<Vec<Figure>> {
    let bytes = fs::metadata(agent).with_context(|| format!("{} cannot be read", agent.display()))?.len();
    let size = Figure::new("agent_size", f64::from(u32::try_from(bytes)?), "bytes").at_most(SIZE_TARGET);
    let programs = Programs { agent: agent.to_owned(), ..programs };
    let running = start(programs, FEW)?;
    let name = running.lab.host_names()?.into_iter().next().context("the lab has no host")?;
    let process = running.lab.agents.process_id(&name).context("the agent does not run")?;
    let started = Instant::now();
    let mut largest = resident(process)?;
    while started.elapsed() < IDLE {
        std::thread::sleep(LOOK_EVERY);
        largest = largest.max(resident(process)?);
    }
    let what = "connected, host read, largest within 10 s";
    Ok(vec![size, Figure::new("agent_idle_rss", largest, "bytes").at_most(RSS_TARGET).detail(what)])
}

/// A whole fleet from merge to committed.
fn demo(programs: Programs, hosts: usize, profile: &str) -> anyhow::Result<Vec<Figure>> {
    let running = start(programs, hosts)?;
    let (took, _) = roll_out(&running.lab)?;
    let what = format!("{hosts} hosts, soak 0, no esxcli latency, {profile}");
    let figure =
        Figure::new("merge_to_all_committed", (took.as_secs_f64() * 100.0).round() / 100.0, "s").detail(what);
    let (promised_for, target) = DEMO_TARGET;
    Ok(vec![if hosts == promised_for { figure.at_most(target) } else { figure }])
}

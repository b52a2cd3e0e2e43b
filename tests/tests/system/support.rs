//! What the scenarios share: a lab of their own, how a change went, and what was really called on a host.
//!
//! At most [`LABS_MAX`] labs run at a time. When a test fails, the end of every log of its lab is printed.

use anyhow::{Context, Result};
use model::{ObservedNetwork, Wall};
use serde_json::Value;
use simulator::faults::{FaultAction, FaultPlan, FaultRule};
use simulator::{AUTO_BACKUP, Host, HostDir};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use tests::lab::story::Story;
use tests::lab::{Lab, LabSettings, Limit, Programs, wait_for};

/// Longest wait for anything.
pub const LIMIT: Limit = Limit::secs(120);
/// Labs at a time: each has a coordinator and some agents.
const LABS_MAX: usize = 2;
/// Lines shown of each log.
const LOG_LINES: usize = 30;

static LABS: Mutex<usize> = Mutex::new(0);
static LAB_ENDED: Condvar = Condvar::new();

/// The right to run a lab.
struct Turn;

impl Turn {
    fn take() -> Self {
        let labs = LABS.lock().unwrap_or_else(PoisonError::into_inner);
        let mut labs =
            LAB_ENDED.wait_while(labs, |labs| *labs >= LABS_MAX).unwrap_or_else(PoisonError::into_inner);
        *labs += 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *LABS.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        LAB_ENDED.notify_one();
    }
}

/// Prints the logs when the test fails.
struct Logs(PathBuf);

impl Drop for Logs {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(&self.0).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        files.sort();
        for file in files {
            let bytes = std::fs::read(&file).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<&str> = text.lines().collect();
            println!("--- {}", file.file_name().unwrap_or_default().to_string_lossy());
            for line in &lines[lines.len().saturating_sub(LOG_LINES)..] {
                println!("{line}");
            }
        }
    }
}

/// Runs a test in a lab of its own, on SQLite. No agent runs yet.
pub fn in_lab(hosts: usize, test: impl FnOnce(&mut Lab) -> Result<()>) {
    in_lab_on(None, hosts, test);
}

/// Runs a test in a lab of its own, on this database. No agent runs yet.
pub fn in_lab_on(database_url: Option<String>, hosts: usize, test: impl FnOnce(&mut Lab) -> Result<()>) {
    let _turn = Turn::take();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("lab");
    let _logs = Logs(root.join("log"));
    let programs = Programs::beside_this_program().unwrap();
    let mut lab = Lab::start(&LabSettings { root, hosts, database_url }, programs).unwrap();
    if let Err(error) = test(&mut lab) {
        panic!("{error:?}");
    }
}

/// Enrols every host, waits for its first reading, imports all as they are.
pub fn bring_up(lab: &mut Lab) -> Result<Vec<String>> {
    lab.enrol_all(|_| {})?;
    lab.wait_observed(LIMIT)?;
    lab.import(LIMIT).context("the import")?;
    let names = lab.host_names()?;
    for name in &names {
        assert_eq!(writes(lab, name)?, Vec::<String>::new(), "an import changes nothing");
    }
    Ok(names)
}

/// One host of a simulated fleet.
pub fn host(lab: &Lab, name: &str) -> HostDir {
    HostDir::new(lab.host_dir(name))
}

/// Every changing call so far, as a person would type it.
pub fn writes(lab: &Lab, name: &str) -> Result<Vec<String>> {
    let calls = host(lab, name).calls()?;
    Ok(calls.iter().filter(|argv| Host::is_write(argv)).map(|argv| esxcli::display(argv)).collect())
}

/// How often the configuration was saved.
pub fn saves(lab: &Lab, name: &str) -> Result<usize> {
    let calls = host(lab, name).calls()?;
    Ok(calls.iter().filter(|argv| argv.first().is_some_and(|word| word == AUTO_BACKUP)).count())
}

/// The host as the simulator describes it, without a time.
pub fn image(lab: &Lab, name: &str) -> Result<ObservedNetwork> {
    Ok(host(lab, name).load()?.describe(Wall(0))?)
}

/// Every host with its image and its changing calls: what "untouched" means.
#[derive(Debug, PartialEq)]
pub struct Footprint(BTreeMap<String, (ObservedNetwork, Vec<String>)>);

/// The footprint of these hosts.
pub fn footprint(lab: &Lab, names: &[String]) -> Result<Footprint> {
    let of = |name: &String| Ok((name.clone(), (image(lab, name)?, writes(lab, name)?)));
    names.iter().map(of).collect::<Result<_>>().map(Footprint)
}

/// Replaces the faults of a host; none cures it.
pub fn set_faults(lab: &Lab, name: &str, faults: Vec<FaultRule>) -> Result<()> {
    Ok(host(lab, name).set_faults(&FaultPlan { faults })?)
}

/// A rule for the `nth` call that begins with `command`.
pub fn nth(command: &str, nth: u32, action: FaultAction) -> FaultRule {
    FaultRule { nth, ..FaultRule::first(command, action) }
}

/// A rule for every call that begins with `command`.
pub fn every(command: &str, action: FaultAction) -> FaultRule {
    FaultRule { times: 0, ..FaultRule::first(command, action) }
}

/// Writes a story with these keys in its RFC, merges it, and waits for the accepted change.
pub fn merge(lab: &Lab, story: &Story, front_matter: &[(&[&str], &str)]) -> Result<Value> {
    story.write(lab, front_matter)?;
    let commit = lab.config.merge(&format!("rfc/{:04}", story.rfc), story.title)?;
    lab.operate(&["sync"])?;
    lab.wait_accepted(&commit, LIMIT)
}

/// A change of several steps; each attempt is another RFC with another VLAN.
pub fn attempt(rfc: u32, vlan: &'static str) -> Story {
    let mut story = Story::backup_network();
    story.rfc = rfc;
    story.edits.push((vec!["port_groups", "Backup 114", "vlan"], vlan));
    story
}

/// What the documents in the work tree would do to a host now.
pub fn planned_lines(lab: &Lab, name: &str) -> Result<Vec<String>> {
    let dir = lab.config.work().to_owned();
    let planned = lab.operate(&["plan", text(&dir), "--host", name])?;
    let steps = planned["classes"][0]["steps"].as_array().context("no plan")?;
    Ok(steps.iter().map(|step| step["esxcli"].as_str().unwrap_or_default().to_owned()).collect())
}

/// The command words of an approved line.
fn command(line: &str) -> &str {
    line.trim_start_matches("esxcli ").split(" --").next().unwrap_or_default()
}

/// A rule for one step of the approved ones: the nth call of its command.
pub fn at_step(lines: &[String], step: usize, action: FaultAction) -> FaultRule {
    let words = command(&lines[step]);
    let before = lines[..=step].iter().filter(|line| command(line).starts_with(words)).count();
    nth(words, u32::try_from(before).unwrap(), action)
}

/// Whether a process is there and not dead.
pub fn runs(process: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// The full view of a change.
pub fn detail(lab: &Lab, change: &Value) -> Result<Value> {
    lab.operate(&["changes", change["id"].as_str().context("a change without id")?])
}

/// The esxcli lines that the coordinator approved for a host.
pub fn approved_lines(detail: &Value, name: &str) -> Result<Vec<String>> {
    let plans = detail["plans"].as_array().context("no plans")?;
    let plan =
        plans.iter().find(|plan| plan["host"] == name).with_context(|| format!("no plan of {name}"))?;
    let steps = plan["steps"].as_array().context("no steps")?;
    Ok(steps.iter().map(|step| step["esxcli"].as_str().unwrap_or_default().to_owned()).collect())
}

/// How a rollout stands.
#[derive(Debug)]
pub struct Ended {
    /// Its phase.
    pub phase: String,
    /// Why.
    pub reason: String,
    /// Hosts of each wave.
    pub waves: Vec<Vec<String>>,
    /// Per host: the word, and the outcome in full.
    pub hosts: BTreeMap<String, (String, Value)>,
}

impl Ended {
    /// The word of a host.
    pub fn word(&self, name: &str) -> &str {
        self.hosts.get(name).map_or("not in the rollout", |(word, _)| word)
    }

    /// The outcome of a host, as text.
    pub fn told(&self, name: &str) -> String {
        self.hosts.get(name).map(|(_, outcome)| outcome.to_string()).unwrap_or_default()
    }
}

/// Waits until the rollout of a change completed, halted or was aborted.
pub fn wait_ended(lab: &Lab, change: &Value) -> Result<Ended> {
    Ok(ended(&lab.wait_rollout(change, &["completed", "halted", "aborted"], LIMIT)?))
}

/// A rollout as it is printed.
pub fn ended(rollout: &Value) -> Ended {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of_wave = |wave: &Value| wave["hosts"].as_array().cloned().unwrap_or_default();
    let waves = rollout["waves"].as_array().cloned().unwrap_or_default();
    Ended {
        phase: text(&rollout["phase"]),
        reason: text(&rollout["reason"]),
        waves: waves
            .iter()
            .map(|wave| of_wave(wave).iter().map(|host| text(&host["host"])).collect())
            .collect(),
        hosts: waves
            .iter()
            .flat_map(of_wave)
            .map(|host| (text(&host["host"]), (text(&host["state"]), host["outcome"].clone())))
            .collect(),
    }
}

/// Waits until every host has an open stream.
pub fn wait_connected(lab: &Lab, count: usize) -> Result<()> {
    wait_for(LIMIT, &format!("{count} hosts to be connected"), || {
        Ok((lab.status()?["connected_hosts"] == count).then_some(()))
    })
}

/// Waits until a changing call that begins with `command` was made on a host after the first `known` ones.
pub fn wait_write(lab: &Lab, name: &str, command: &str, known: usize) -> Result<()> {
    let line = format!("esxcli {command}");
    wait_for(LIMIT, &format!("`{line}` on {name}"), || {
        Ok(writes(lab, name)?.iter().skip(known).any(|call| call.starts_with(&line)).then_some(()))
    })
}

/// A path as text.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

//! The story of a change that cuts management off, although somebody allowed it: nobody can help the host but itself.
//!
//! Owns: what is told and measured. Must not: help the hosts. Called by `demo`.

use super::{ROLLOUT_LIMIT, Teller, bring_up, ends, show_plan};
use anyhow::{Context, ensure};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Instant;
use tests::lab::story::Story;
use tests::lab::{Lab, Limit, wait_for};

/// A host must be back under management after this: the default window and what going back takes.
const BACK_SECS_MAX: f64 = 75.0;
/// Longest wait for the hosts to be back.
const BACK_LIMIT: Limit = Limit::secs(120);

/// What the story showed, for programs.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    scenario: &'static str,
    hosts: u32,
    /// Hosts that the change reached; all of them were cut off.
    reached: usize,
    /// Hosts that went back by themselves.
    rolled_back: usize,
    committed: usize,
    /// How the rollout ended, and why.
    rollout: String,
    reason: String,
    /// Longest time from the loss of the path to the host's new stream to the coordinator.
    back_seconds: f64,
    /// From start to end, builds left out.
    seconds_total: f64,
}

pub(super) fn tell(lab: &mut Lab, hosts: u32, teller: &Teller, started: Instant) -> anyhow::Result<Summary> {
    bring_up(lab, hosts, teller)?;
    let names = lab.host_names()?;
    let story = Story::cut_management(1);
    let window = model::CONFIRM_TIMEOUT_SECS_DEFAULT.to_string();
    let allow: &[(&[&str], &str)] =
        &[(&["risk", "allow"], "management_path"), (&["rollout", "confirm_timeout_secs"], &window)];
    story.write(lab, allow)?;
    let commit = lab.config.merge(&format!("rfc/{:04}", story.rfc), story.title)?;
    teller.say(&format!(
        "RFC-{} merged: {}. Its author allowed that the management path is touched.",
        story.rfc, story.title
    ));
    lab.operate(&["sync"])?;
    let change = lab.wait_accepted(&commit, ROLLOUT_LIMIT)?;
    show_plan(lab, &change, teller)?;

    let mut cut: BTreeMap<String, Instant> = BTreeMap::new();
    let rollout = wait_for(ROLLOUT_LIMIT, "the rollout to end", || {
        for name in &names {
            if !cut.contains_key(name) && !lab.is_reachable(name)? {
                teller.say(&format!(
                    "{name} is cut off: the coordinator cannot reach it, and nobody helps it."
                ));
                cut.insert(name.clone(), Instant::now());
            }
        }
        let Some(rollout) = lab.rollout_of(&change)? else { return Ok(None) };
        let ended = ["completed", "halted", "aborted"].iter().any(|phase| rollout["phase"] == *phase);
        Ok(ended.then_some(rollout))
    })?;
    let mut back_seconds: f64 = 0.0;
    for (name, since) in &cut {
        wait_for(BACK_LIMIT, &format!("{name} to be back"), || {
            let back = lab.is_reachable(name)? && is_connected(lab, name)?;
            Ok(back.then_some(()))
        })?;
        back_seconds = back_seconds.max(since.elapsed().as_secs_f64());
        teller.say(&format!("{name} is back under management: it rolled back by itself."));
    }
    let summary = summarise(&rollout, hosts, back_seconds, started)?;
    teller.say(&format!("The rollout {}: {}", summary.rollout, summary.reason));
    check(lab, &names, &summary)?;
    ensure!(cut.len() == summary.reached, "{} hosts were seen cut off: {cut:?}", cut.len());
    Ok(summary)
}

fn is_connected(lab: &Lab, name: &str) -> anyhow::Result<bool> {
    let hosts = lab.list(&["hosts"])?;
    Ok(hosts.iter().any(|host| host["id"] == name && host["connected"] == true))
}

fn summarise(
    rollout: &serde_json::Value,
    hosts: u32,
    back_seconds: f64,
    started: Instant,
) -> anyhow::Result<Summary> {
    let ends = ends(rollout);
    let count = |word: &str| ends.iter().filter(|(state, _)| state == word).count();
    let text = |field: &str| rollout[field].as_str().unwrap_or_default().to_owned();
    let reached = ends.iter().filter(|(_, outcome)| !outcome.is_null()).count();
    ensure!(reached > 0, "the change reached no host: {rollout}");
    Ok(Summary {
        scenario: "cut-management",
        hosts,
        reached,
        rolled_back: count("rolled_back"),
        committed: count("committed"),
        rollout: text("phase"),
        reason: text("reason"),
        back_seconds,
        seconds_total: started.elapsed().as_secs_f64(),
    })
}

/// The promise of the story, held against what was seen.
fn check(lab: &Lab, names: &[String], summary: &Summary) -> anyhow::Result<()> {
    let Summary { reached, rolled_back, committed, rollout, back_seconds, .. } = summary;
    ensure!(rollout == "halted", "the rollout is {rollout}, not halted");
    ensure!(
        *committed == 0 && rolled_back == reached,
        "{rolled_back} of {reached} hosts rolled back, {committed} committed"
    );
    ensure!(*reached == 1, "the canary alone should be reached, not {reached} hosts");
    ensure!(
        *back_seconds <= BACK_SECS_MAX,
        "a host was away for {back_seconds:.1} s, more than {BACK_SECS_MAX} s"
    );
    for name in names {
        ensure!(lab.is_reachable(name).context("a host cannot be read")?, "{name} is still cut off");
    }
    Ok(())
}

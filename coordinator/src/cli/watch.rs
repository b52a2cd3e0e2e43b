//! `pointsman rollout watch`: a rollout live, until it ends.
//!
//! Owns: asking every half second, the progress bar on terminals, one line per event elsewhere. Called by `rollout`.

use super::client::Client;
use super::failure::CliError;
use super::rollout::{get, print, why};
use super::screen::{Form, Screen, Surface};
use crate::api::views::{RolloutDetailView, WaveHostView};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use model::{HostId, RolloutId, RolloutPhase};
use std::collections::BTreeMap;
use std::time::Duration;

/// Time between questions.
const POLL: Duration = Duration::from_millis(500);
/// How the bar looks.
const BAR: &str = "{prefix} [{bar:30}] {pos}/{len} committed, {msg}, {elapsed}";

/// What was seen so far.
#[derive(Default)]
pub struct Seen {
    phase: Option<RolloutPhase>,
    hosts: BTreeMap<HostId, String>,
}

impl Seen {
    /// What is new in `detail`, as lines for people.
    pub fn news(&mut self, detail: &RolloutDetailView) -> Vec<String> {
        let mut lines = Vec::new();
        for wave in &detail.waves {
            for WaveHostView { host, state, outcome, .. } in &wave.hosts {
                let before = self.hosts.insert(host.clone(), state.clone());
                if before.as_ref() == Some(state) || (before.is_none() && state == "pending") {
                    continue;
                }
                let why = outcome.as_ref().map(|outcome| why(&outcome.kind)).unwrap_or_default();
                let why = if why.is_empty() { why } else { format!(": {why}") };
                lines.push(format!("wave {} {host} {state}{why}", wave.number));
            }
        }
        let phase = detail.rollout.phase;
        if self.phase.replace(phase) != Some(phase) {
            let reason =
                detail.rollout.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            lines.push(format!("rollout {}{reason}", phase.as_str()));
        }
        lines
    }
}

/// Whether nothing moves any more without a person.
pub fn has_ended(phase: RolloutPhase) -> bool {
    matches!(phase, RolloutPhase::Completed | RolloutPhase::Aborted | RolloutPhase::Halted)
}

/// Watches until the rollout ends, or halts; gives the phase it ended in.
pub fn run(client: &Client, id: &RolloutId, screen: &mut Screen<'_>) -> Result<RolloutPhase, CliError> {
    let shows_bar = screen.surface == Surface::Terminal && screen.form == Form::Text;
    let target = if shows_bar { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(None, target);
    if let Ok(style) = ProgressStyle::with_template(BAR) {
        bar.set_style(style);
    }
    let mut seen = Seen::default();
    loop {
        let detail = get(client, id)?;
        let news = seen.news(&detail);
        if screen.form == Form::Text {
            bar.suspend(|| news.iter().try_for_each(|line| screen.line(line)))?;
        }
        show(&bar, &detail);
        let phase = detail.rollout.phase;
        if has_ended(phase) {
            bar.finish_and_clear();
            match screen.form {
                Form::Json => screen.json(&detail)?,
                Form::Text => print(&detail, screen)?,
            }
            return Ok(phase);
        }
        std::thread::sleep(POLL);
    }
}

fn show(bar: &ProgressBar, detail: &RolloutDetailView) {
    let count = |word: &str| detail.hosts().filter(|host| host.state == word).count();
    let (committed, at_work) = (count("committed"), count("in_flight"));
    let (pending, unreachable) = (count("pending"), count("unreachable"));
    let total = detail.hosts().count();
    let failed = total.saturating_sub(committed + at_work + pending + unreachable);
    let wave = detail.waves.iter().filter(|wave| wave.started.is_some()).count();
    bar.set_length(total as u64);
    bar.set_position(committed as u64);
    bar.set_prefix(format!("{} wave {wave}/{}", detail.rollout.phase.as_str(), detail.waves.len()));
    bar.set_message(format!("{at_work} at work, {failed} failed, {unreachable} unreachable"));
}

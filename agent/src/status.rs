//! What the journal of this host says, for a person at the console; needs no network.

use crate::journal;
use crate::settings::Settings;
use serde::Serialize;
use std::fmt::Write;

/// The state of the host as its journal tells it.
#[derive(Debug, Serialize)]
pub struct Status {
    host: String,
    committed_generation: u64,
    last_order: Option<model::ApplyOutcome>,
    open_change: Option<String>,
    open_steps_run: u32,
    open_steps_total: u32,
    configuration_saved: bool,
}

/// Reads the journal without changing it.
pub fn status(settings: &Settings) -> anyhow::Result<Status> {
    let replay = journal::inspect(&settings.state_dir)?;
    let open = replay.open.as_ref();
    Ok(Status {
        host: settings.host_id.to_string(),
        committed_generation: replay.memory.committed_generation().0,
        last_order: replay.memory.held.map(|held| held.outcome),
        open_change: open.map(|open| open.order().change.to_string()),
        open_steps_run: open.map_or(0, engine::apply::Open::steps_run),
        open_steps_total: open.map_or(0, engine::apply::Open::steps_total),
        configuration_saved: !replay.memory.persist_due,
    })
}

impl Status {
    /// The status in words.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("host {}\n", self.host);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "committed generation {}", self.committed_generation);
        if let Some(outcome) = &self.last_order {
            let _ = writeln!(
                text,
                "last order: change {}, generation {}: {}",
                outcome.change,
                outcome.generation,
                outcome.kind.as_str()
            );
        }
        match &self.open_change {
            None => text.push_str("no change is open\n"),
            Some(change) => {
                let (run, total) = (self.open_steps_run, self.open_steps_total);
                let _ = writeln!(text, "change {change} is open: {run} of {total} steps begun");
            }
        }
        if !self.configuration_saved {
            text.push_str("the configuration is not saved yet\n");
        }
        text
    }
}

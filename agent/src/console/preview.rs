//! `plan`: the steps of the open change with their way back, or what would repair drift now.
//!
//! Must not: change anything; only the second one reads the host. Called by the console verbs.

use super::exit::Code;
use crate::host::boot::{Clock, boot_id};
use crate::host::observe::{Depth, Observer};
use crate::journal;
use crate::settings::Settings;
use engine::apply::{Mark, Open, Transaction};
use model::{Operation, Step};
use serde::Serialize;
use std::fmt::Write;

/// What the plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// It is the plan of the open change.
    OpenChange,
    /// It would bring the host back to the last confirmed state.
    Repair,
    /// It is the plan of the last committed change, which would be undone.
    Undo,
    /// Nothing was ever confirmed on this host.
    NothingCommitted,
}

/// One step.
#[derive(Debug, Serialize)]
pub struct Line {
    esxcli: String,
    way_back: Vec<String>,
    disruption: String,
    /// How far it is, when the change is open.
    done: Option<&'static str>,
}

/// A plan for people.
#[derive(Debug, Serialize)]
pub struct Preview {
    /// What it is for.
    pub purpose: Purpose,
    /// The open change.
    pub change: Option<String>,
    /// The generation it leads to.
    pub generation: u64,
    /// Its steps.
    pub steps: Vec<Line>,
    /// What was found while planning.
    pub findings: Vec<String>,
    /// Whether a finding forbids the plan.
    pub refused: bool,
}

/// Plans without changing anything.
pub fn preview(settings: &Settings) -> anyhow::Result<Preview> {
    let replay = journal::inspect(&settings.state_dir)?;
    if let Some(open) = &replay.open {
        return Ok(of_open(open));
    }
    let Some(committed) = &replay.memory.committed else {
        return Ok(empty(Purpose::NothingCommitted));
    };
    let clock = Clock::new();
    let boot = boot_id(settings.boot_id_file.as_deref(), &clock);
    let observed = Observer::new(settings).observe(Depth::Full, &boot, clock.now().wall).0?;
    let planned = engine::plan::plan(&committed.desired, &observed);
    Ok(Preview {
        generation: committed.generation.0,
        steps: planned.plan.steps.iter().map(|step| line(step, None)).collect(),
        findings: planned.findings.iter().map(|found| format!("{}: {}", found.rule, found.message)).collect(),
        refused: planned.is_refused(),
        ..empty(Purpose::Repair)
    })
}

/// The plan of an open change.
#[must_use]
pub fn of_open(open: &Open) -> Preview {
    let steps = open.transaction.plan.steps.iter().zip(&open.marks);
    Preview {
        change: Some(open.order().change.to_string()),
        generation: open.order().generation.0,
        steps: steps.map(|(step, mark)| line(step, Some(*mark))).collect(),
        ..empty(Purpose::OpenChange)
    }
}

/// The plan of a committed change, as it would be undone.
#[must_use]
pub fn of_committed(transaction: &Transaction) -> Preview {
    Preview {
        change: Some(transaction.order.change.to_string()),
        generation: transaction.order.generation.0,
        steps: transaction.plan.steps.iter().map(|step| line(step, None)).collect(),
        ..empty(Purpose::Undo)
    }
}

fn empty(purpose: Purpose) -> Preview {
    Preview { purpose, change: None, generation: 0, steps: Vec::new(), findings: Vec::new(), refused: false }
}

fn line(step: &Step, mark: Option<Mark>) -> Line {
    let disruption = serde_json::to_value(step.disruption).ok();
    Line {
        esxcli: call(&step.operation),
        way_back: step.inverse.iter().map(call).collect(),
        disruption: disruption.and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default(),
        done: mark.map(|mark| match mark {
            Mark::Untouched => "not begun",
            Mark::Started => "begun",
            Mark::Done => "done",
            Mark::NotDone => "not done",
        }),
    }
}

fn call(operation: &Operation) -> String {
    esxcli::argv(operation).map_or_else(|error| error.to_string(), |argv| esxcli::display(&argv))
}

impl Preview {
    /// The exit code of `plan`.
    #[must_use]
    pub fn code(&self) -> Code {
        match self.purpose {
            Purpose::OpenChange => Code::ChangeOpen,
            Purpose::Repair if self.refused => Code::Refused,
            Purpose::Repair | Purpose::Undo | Purpose::NothingCommitted => Code::Fine,
        }
    }

    /// The plan in words.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = match (self.purpose, &self.change) {
            (Purpose::NothingCommitted, _) => {
                return "no state was ever confirmed on this host: there is nothing to plan\n".to_owned();
            }
            (Purpose::OpenChange, Some(change)) => {
                format!("change {change} (generation {}) is open:\n", self.generation)
            }
            (Purpose::Undo, Some(change)) => {
                format!(
                    "change {change} (generation {}) was committed last; its steps and their way back:\n",
                    self.generation
                )
            }
            (Purpose::OpenChange | Purpose::Undo | Purpose::Repair, _)
                if self.steps.is_empty() && !self.refused =>
            {
                format!("the host is as generation {} wants it: nothing would change\n", self.generation)
            }
            (Purpose::OpenChange | Purpose::Undo | Purpose::Repair, _) => {
                format!("to bring the host back to generation {}:\n", self.generation)
            }
        };
        // Writing to a String cannot fail.
        for step in &self.steps {
            let done = step.done.map(|done| format!(" [{done}]")).unwrap_or_default();
            let _ = writeln!(text, "  {}  ({}){done}", step.esxcli, step.disruption);
            for back in &step.way_back {
                let _ = writeln!(text, "      back: {back}");
            }
        }
        for finding in &self.findings {
            let _ = writeln!(text, "  {finding}");
        }
        text
    }
}

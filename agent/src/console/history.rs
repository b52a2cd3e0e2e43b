//! `log`: what the journal still holds, in words. Must not change it.

use super::words::time;
use crate::status::{approval_words, outcome_words};
use engine::apply::{Record, StepResult};
use engine::journal::Entry;
use model::Wall;
use serde::Serialize;

/// One line of the history.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Counts up by one.
    pub sequence: u64,
    /// The boot it was written in.
    pub boot: String,
    /// When, where the record tells.
    pub at: Option<Wall>,
    /// What happened.
    pub text: String,
}

/// The entries in words, oldest first.
#[must_use]
pub fn lines(entries: &[Entry]) -> Vec<Line> {
    let mut calls: Vec<String> = Vec::new();
    let mut lines = Vec::new();
    for entry in entries {
        if let Record::Opened(transaction) = &entry.record {
            let steps = transaction.plan.steps.iter();
            let call = |operation| {
                esxcli::argv(operation).map_or_else(|error| error.to_string(), |argv| esxcli::display(&argv))
            };
            calls = steps.map(|step| call(&step.operation)).collect();
        }
        let (at, text) = words(&entry.record, &calls);
        lines.push(Line { sequence: entry.sequence, boot: entry.boot.0.clone(), at, text });
    }
    lines
}

fn words(record: &Record, calls: &[String]) -> (Option<Wall>, String) {
    let call = |index: u32| {
        usize::try_from(index).ok().and_then(|index| calls.get(index)).map_or("unknown call", String::as_str)
    };
    match record {
        Record::Refused { outcome, at } => (Some(*at), format!("refused: {}", outcome_words(outcome))),
        Record::Opened(transaction) => {
            let order = &transaction.order;
            let until = time(transaction.deadline.wall);
            let steps = transaction.plan.steps.len();
            let approval = transaction.approval.as_ref().map(approval_words).unwrap_or_default();
            let text = format!(
                "change {} (generation {}) opened: {steps} steps, rolls back by itself at {until}{approval}",
                order.change, order.generation
            );
            (Some(transaction.opened.wall), text)
        }
        Record::StepStarted { index } => (None, format!("step {} begun: {}", index + 1, call(*index))),
        Record::StepEnded { index, result } => {
            let how = match result {
                StepResult::Done => "done".to_owned(),
                StepResult::AlreadySo { detail } => format!("already so: {detail}"),
                StepResult::Failed { detail } => format!("FAILED: {detail}"),
            };
            (None, format!("step {} {how}", index + 1))
        }
        Record::Applied { deadline } => {
            let until = time(deadline.wall);
            (None, format!("all steps are done and read back; waits for the confirmation until {until}"))
        }
        Record::Confirmed => {
            (None, "confirmed over a new connection; the configuration is to be saved".to_owned())
        }
        Record::Extended { deadline } => {
            (None, format!("a person gave it another deadline: {}", time(deadline.wall)))
        }
        Record::Held { foreign } => {
            let what: Vec<String> = foreign.iter().map(ToString::to_string).collect();
            (None, format!("held, somebody else changed the host: {}", what.join("; ")))
        }
        Record::Undoing { transaction, reason } => {
            let change = &transaction.order.change;
            (Some(transaction.opened.wall), format!("change {change} is being undone: {reason}"))
        }
        Record::Local(action) => {
            (Some(action.at), format!("at the console: {}: {}", action.verb.as_str(), action.reason))
        }
        Record::LocalAcknowledged { sequence } => {
            (None, format!("the coordinator knows the actions at the console up to {sequence}"))
        }
        Record::RollbackStarted { reason } => (None, format!("rollback begun: {reason}")),
        Record::Closed(closing) => (None, format!("ended: {}", outcome_words(&closing.outcome))),
        Record::Persisted => (None, "the configuration is saved".to_owned()),
    }
}

impl Line {
    /// The line for a person.
    #[must_use]
    pub fn text(&self) -> String {
        let at = self.at.map_or_else(|| " ".repeat(20), time);
        format!("{:>6}  {at}  {}", self.sequence, self.text)
    }
}

//! The console verbs from the command line to the exit code.
//!
//! Owns: the choice between a running agent and the journal, and what is printed. Must not: decide
//! about a change. Called by `main`.

use super::client::{AskError, ask};
use super::exit::Code;
use super::holds::{self, Hold, Kind, tidy_reason};
use super::local::record_local_action;
use super::preview::preview;
use super::wire::{Answer, Request};
use super::{doctor, history};
use crate::host::boot::Clock;
use crate::journal;
use crate::settings::{Settings, environment};
use crate::status::{Source, Status};
use model::LocalVerb;
use std::io::Write;

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
}

impl Form {
    pub(super) fn print(
        self,
        value: &impl serde::Serialize,
        text: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        let text = match self {
            Self::Text => text(),
            Self::Json => serde_json::to_string_pretty(value)?,
        };
        say(text.trim_end());
        Ok(())
    }
}

/// Prints a line. A reader that is gone must not stop a rollback.
pub(super) fn say(text: impl AsRef<str>) {
    let line = format!("{}\n", text.as_ref().trim_end());
    let _ = std::io::stdout().write_all(line.as_bytes());
}

/// `status`.
pub fn status(settings: &Settings, form: Form) -> anyhow::Result<Code> {
    let status = status_of(settings);
    form.print(&status, || status.text())?;
    Ok(status.code())
}

pub(super) fn status_of(settings: &Settings) -> Status {
    let source = match ask(&settings.socket, &Request::Status) {
        Ok(Answer::Status { status }) => return *status,
        Err(AskError::NoAgent) => Source::Journal,
        Ok(Answer::Pong | Answer::Done { .. } | Answer::Refused { .. }) | Err(AskError::Silent { .. }) => {
            Source::JournalAgentSilent
        }
    };
    Status::from_journal(settings, source, Clock::new().now())
}

/// `plan`.
pub fn plan(settings: &Settings, form: Form) -> anyhow::Result<Code> {
    let preview = preview(settings)?;
    form.print(&preview, || preview.text())?;
    Ok(preview.code())
}

/// `log`.
pub fn log(settings: &Settings, form: Form) -> anyhow::Result<Code> {
    let past = journal::history(&settings.state_dir);
    let lines = history::lines(&past.entries);
    form.print(&lines, || {
        let mut text: Vec<String> = lines.iter().map(history::Line::text).collect();
        text.extend(past.notes.iter().map(|note| format!("not readable: {note}")));
        if text.is_empty() {
            text.push("nothing has happened on this host yet".to_owned());
        }
        text.join("\n")
    })?;
    Ok(Code::Fine)
}

/// `doctor`.
pub fn doctor(settings: &Settings, form: Form) -> anyhow::Result<Code> {
    let report = doctor::examine(settings);
    form.print(&report, || report.text())?;
    Ok(if report.essential_failed() { Code::DoctorFailed } else { Code::Fine })
}

/// `freeze` and `pin`.
pub fn hold(settings: &Settings, kind: Kind, reason: String) -> anyhow::Result<Code> {
    anyhow::ensure!(!tidy_reason(&reason).is_empty(), "give a reason: whoever comes next must know why");
    let by = person();
    match ask(&settings.socket, &Request::Hold { kind, reason: reason.clone(), by: by.clone() }) {
        Err(AskError::NoAgent) => {
            let hold = Hold { reason: tidy_reason(&reason), by, at: Clock::new().now().wall };
            holds::hold(&settings.state_dir, kind, &hold)?;
            say(kind.done());
            recorded(record_local_action(
                settings,
                kind.verb(),
                &format!("{}: {}", hold.by, hold.reason),
                hold.at,
            ));
            Ok(Code::Fine)
        }
        other => print_answer(other?),
    }
}

/// `release`.
pub fn release(settings: &Settings) -> anyhow::Result<Code> {
    let by = person();
    match ask(&settings.socket, &Request::Release { by: by.clone() }) {
        Err(AskError::NoAgent) => {
            holds::release(&settings.state_dir)?;
            say("the host is released: it takes orders again");
            recorded(record_local_action(settings, LocalVerb::Release, &by, Clock::new().now().wall));
            Ok(Code::Fine)
        }
        other => print_answer(other?),
    }
}

pub(super) fn recorded(result: Result<(), String>) {
    if let Err(detail) = result {
        say(format!("  it is not in the journal: {detail}"));
    }
}

pub(super) fn print_answer(answer: Answer) -> anyhow::Result<Code> {
    match answer {
        Answer::Done { text } => {
            say(&text);
            Ok(Code::Fine)
        }
        Answer::Refused { text } => {
            say(format!("refused: {text}"));
            Ok(Code::Refused)
        }
        Answer::Pong | Answer::Status { .. } => anyhow::bail!("the agent gave an answer to another question"),
    }
}

/// Who types; for the record only.
pub(super) fn person() -> String {
    environment::person().map_or_else(|| "root".to_owned(), |name| tidy_reason(&name))
}

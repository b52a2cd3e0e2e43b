//! The console verbs from the command line to the exit code.
//!
//! Owns: the choice between a running agent and the journal, and what is printed. Must not: decide
//! about a change. Called by `main`.

use super::client::{AskError, ask};
use super::driver::{DriveError, Driver};
use super::exit::Code;
use super::holds::{self, Hold, Kind, tidy_reason};
use super::local::record_local_action;
use super::preview::{of_open, preview};
use super::seat::{self, Seat};
use super::server::serve;
use super::wire::{Answer, Request};
use super::{doctor, history};
use crate::host::boot::{Clock, boot_id};
use crate::journal::Journal;
use crate::settings::Settings;
use crate::status::{Source, Status, outcome_words, phase_words};
use std::io::{BufRead, IsTerminal, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for a running agent to roll back.
const ROLLBACK_LIMIT: Duration = Duration::from_secs(900);
/// Time between two questions how far it is.
const ASK_EVERY: Duration = Duration::from_millis(300);

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
}

impl Form {
    fn print(self, value: &impl serde::Serialize, text: impl FnOnce() -> String) -> anyhow::Result<()> {
        let text = match self {
            Self::Text => text(),
            Self::Json => serde_json::to_string_pretty(value)?,
        };
        say(text.trim_end());
        Ok(())
    }
}

/// Prints a line. A reader that is gone must not stop a rollback.
fn say(text: impl AsRef<str>) {
    let line = format!("{}\n", text.as_ref().trim_end());
    let _ = std::io::stdout().write_all(line.as_bytes());
}

/// What a person consented to beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Consent {
    /// No question is asked.
    pub yes: bool,
    /// The person says that no agent runs, where it cannot be proven.
    pub agent_stopped: bool,
    /// This process is in a group of its own already: it outlives the terminal.
    pub detached: bool,
}

/// `status`.
pub fn status(settings: &Settings, form: Form) -> anyhow::Result<Code> {
    let status = status_of(settings);
    form.print(&status, || status.text())?;
    Ok(status.code())
}

fn status_of(settings: &Settings) -> Status {
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
    let entries = Journal::entries(&settings.state_dir).map_err(|error| anyhow::anyhow!(error.chain()))?;
    let lines = history::lines(&entries);
    let memory = Journal::inspect(&settings.state_dir).ok().map(|replay| replay.memory);
    form.print(&lines, || {
        let mut text: Vec<String> = lines.iter().map(history::Line::text).collect();
        if lines.is_empty() {
            text.push("the journal holds no entries of a change at work".to_owned());
            let last = memory.and_then(|memory| memory.held);
            text.extend(last.map(|held| format!("last order: {}", outcome_words(&held.outcome))));
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
            record_local_action(kind.word(), &format!("{}: {}", hold.by, hold.reason), hold.at);
            say(kind.done());
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
            record_local_action("release", &by, Clock::new().now().wall);
            say("the host is released: it takes orders again");
            Ok(Code::Fine)
        }
        other => print_answer(other?),
    }
}

fn print_answer(answer: Answer) -> anyhow::Result<Code> {
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
fn person() -> String {
    let named = ["SUDO_USER", "LOGNAME", "USER"].into_iter().filter_map(|name| std::env::var(name).ok());
    named.map(|name| tidy_reason(&name)).find(|name| !name.is_empty()).unwrap_or_else(|| "root".to_owned())
}

/// `rollback --last`.
pub fn rollback(settings: &Settings, reason: Option<String>, consent: Consent) -> anyhow::Result<Code> {
    let reason = tidy_reason(&reason.unwrap_or_else(|| format!("rolled back by {}", person())));
    let before = status_of(settings);
    if before.open_change.is_none() {
        say("refused: no change is open");
        return Ok(Code::Refused);
    }
    if let Some(open) = Journal::inspect(&settings.state_dir).ok().and_then(|replay| replay.open) {
        say(of_open(&open).text());
    }
    if !consent.yes && !asked("Undo this change now?")? {
        say("nothing was done");
        return Ok(Code::Refused);
    }
    match ask(&settings.socket, &Request::Rollback { reason: reason.clone() }) {
        Err(AskError::NoAgent) if consent.detached => rollback_alone(settings, &reason, consent),
        Err(AskError::NoAgent) => detach(consent),
        answer => match print_answer(answer?)? {
            Code::Fine => watch_rollback(settings),
            other => Ok(other),
        },
    }
}

fn asked(question: &str) -> anyhow::Result<bool> {
    let input = std::io::stdin();
    anyhow::ensure!(input.is_terminal(), "nobody can be asked here: say --yes when you are sure");
    say(format!("{question} Type yes:"));
    let mut line = String::new();
    input.lock().read_line(&mut line)?;
    Ok(line.trim() == "yes")
}

/// Waits until the running agent has nothing open any more.
fn watch_rollback(settings: &Settings) -> anyhow::Result<Code> {
    let limit = Instant::now() + ROLLBACK_LIMIT;
    let mut last = None;
    while Instant::now() < limit {
        let status = status_of(settings);
        if status.source == Source::Agent && status.open_change.is_none() {
            let Some(outcome) = &status.last_order else { return Ok(Code::Fine) };
            say(outcome_words(outcome));
            return Ok(Code::of_outcome(&outcome.kind));
        }
        if status.phase != last {
            last = status.phase;
            say(status.phase.map_or_else(|| "the agent does not answer".to_owned(), phase_words));
        }
        std::thread::sleep(ASK_EVERY);
    }
    say("the rollback goes on; see `status`");
    Ok(Code::ChangeOpen)
}

/// Does the same in a process group of its own: the rollback may cut the connection of the person
/// who asked for it, and must not be hung up with it.
fn detach(consent: Consent) -> anyhow::Result<Code> {
    let mut arguments = std::env::args_os();
    let program = arguments.next().unwrap_or_default();
    let mut command = Command::new(program);
    command.args(arguments).arg("--detached").stdin(Stdio::null()).process_group(0);
    if !consent.yes {
        command.arg("--yes");
    }
    let status = command.status()?;
    status
        .code()
        .and_then(Code::from_number)
        .ok_or_else(|| anyhow::anyhow!("the rollback ended with {status}: see `status`"))
}

/// No agent runs: this process does it on the same journal.
fn rollback_alone(settings: &Settings, reason: &str, consent: Consent) -> anyhow::Result<Code> {
    let _seat = match seat::take(&settings.socket)? {
        Seat::Taken(listener) => {
            // An agent that starts now must see that it is not alone.
            serve(listener, |_| Answer::Refused {
                text: "the console is at work on the journal".to_owned(),
            })?;
            SeatFile(settings)
        }
        Seat::Unknown { .. } if consent.agent_stopped => SeatFile(settings),
        Seat::Unknown { detail } => anyhow::bail!(
            "whether an agent runs cannot be proven ({detail}): stop it, then say --agent-stopped"
        ),
    };
    say("no agent runs: working on the journal");
    let clock = Clock::new();
    let boot = boot_id(settings.boot_id_file.as_deref(), &clock);
    let mut tell = |line: String| say(format!("  {line}"));
    let driven = Driver::begin(settings, boot, &mut tell).and_then(|(driver, effects)| driver.run(effects));
    match driven {
        Ok(Some(outcome)) => {
            record_local_action("rollback", reason, clock.now().wall);
            say(outcome_words(&outcome));
            Ok(Code::of_outcome(&outcome.kind))
        }
        Ok(None) => {
            say("nothing was open any more");
            Ok(Code::Fine)
        }
        Err(error @ DriveError::Damaged { .. }) => {
            say(error.to_string());
            Ok(Code::JournalDamaged)
        }
        Err(error) => Err(error.into()),
    }
}

/// Removes the socket of the console when it ends; a left-over one would do no harm.
struct SeatFile<'a>(&'a Settings);

impl Drop for SeatFile<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0.socket);
    }
}

//! `rollback --last`: undoes the open change, or the last committed one.
//!
//! Owns: the question, and the choice between a running agent and this process. Must not: decide
//! about a change. Called by `main`.

use super::client::{AskError, ask};
use super::driver::{DriveError, Driver};
use super::exit::Code;
use super::holds::tidy_reason;
use super::preview::{Preview, of_committed, of_open};
use super::seat::{self, Seat};
use super::server::serve;
use super::verbs::{person, print_answer, say, status_of};
use super::wire::{Answer, Request};
use crate::guard::own;
use crate::host::boot::{Clock, boot_id};
use crate::journal;
use crate::settings::Settings;
use crate::status::{Source, outcome_words, phase_words};
use model::{ApplyOutcome, LocalVerb};
use std::io::{BufRead, IsTerminal};
use std::time::{Duration, Instant};

/// Longest wait for a running agent to roll back.
const ROLLBACK_LIMIT: Duration = Duration::from_secs(900);
/// Time between two questions how far it is.
const ASK_EVERY: Duration = Duration::from_millis(300);

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

/// `rollback --last`.
pub fn rollback(settings: &Settings, reason: Option<String>, consent: Consent) -> anyhow::Result<Code> {
    let reason = tidy_reason(&reason.unwrap_or_else(|| format!("rolled back by {}", person())));
    let Some(preview) = what_is_undone(settings) else {
        say("refused: no change is open, and the history holds none that was committed");
        return Ok(Code::Refused);
    };
    if !consent.detached {
        say(preview.text());
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

/// The open change, or the last committed one.
fn what_is_undone(settings: &Settings) -> Option<Preview> {
    let open = journal::inspect(&settings.state_dir).ok().and_then(|replay| replay.open);
    match open {
        Some(open) => Some(of_open(&open)),
        None => journal::history(&settings.state_dir).last_committed().map(of_committed),
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
    let status = own::again(if consent.yes { &["--detached"] } else { &["--detached", "--yes"] })?;
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
    match drive(settings, reason) {
        Ok(Some(outcome)) => {
            say(outcome_words(&outcome));
            Ok(Code::of_outcome(&outcome.kind))
        }
        Ok(None) => {
            say("nothing was undone");
            Ok(Code::Refused)
        }
        Err(error @ DriveError::Damaged { .. }) => {
            say(error.to_string());
            Ok(Code::JournalDamaged)
        }
        Err(error) => Err(error.into()),
    }
}

fn drive(settings: &Settings, reason: &str) -> Result<Option<ApplyOutcome>, DriveError> {
    let boot = boot_id(settings.boot_id_file.as_deref(), &Clock::new());
    let mut tell = |line: String| say(format!("  {line}"));
    let (mut driver, effects) = Driver::begin(settings, boot, &mut tell)?;
    driver.note(LocalVerb::Rollback, reason);
    if driver.is_open() {
        return driver.run(effects);
    }
    // What recovery wanted to save is what is undone now: the undo saves again.
    match journal::history(&settings.state_dir).last_committed() {
        None => Ok(None),
        Some(transaction) => {
            let effects = driver.undo(transaction.clone(), format!("at the console: {reason}"));
            driver.run(effects)
        }
    }
}

/// Removes the socket of the console when it ends; a left-over one would do no harm.
struct SeatFile<'a>(&'a Settings);

impl Drop for SeatFile<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0.socket);
    }
}

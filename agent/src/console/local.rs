//! What people did at the console while no agent ran, for the record.
//!
//! A running agent records it itself, through its machine.

use super::seat::{self, Seat};
use crate::host::boot::{Clock, boot_id};
use crate::journal::{self, Opened};
use crate::settings::Settings;
use engine::apply::Record;
use model::{LocalAction, LocalVerb, Wall};

/// Writes an action into the journal; the coordinator learns of it when an agent is connected again.
///
/// # Errors
/// When the journal cannot be written, or an agent has just started; the action itself is done all the same.
pub fn record_local_action(
    settings: &Settings,
    verb: LocalVerb,
    reason: &str,
    at: Wall,
) -> Result<(), String> {
    let seat = seat::take(&settings.socket).map_err(|error| error.to_string())?;
    let boot = boot_id(settings.boot_id_file.as_deref(), &Clock::new());
    let (mut journal, Opened { replay, .. }) = journal::open(&settings.state_dir, &boot);
    let sequence = replay.memory.local_sequence.saturating_add(1);
    let action = LocalAction { sequence, verb, reason: reason.to_owned(), at };
    let written = journal.append(&Record::Local(action)).map_err(|error| error.to_string());
    if let Seat::Taken(listener) = seat {
        drop(listener);
        // A left-over socket would do no harm.
        let _ = std::fs::remove_file(&settings.socket);
    }
    written
}

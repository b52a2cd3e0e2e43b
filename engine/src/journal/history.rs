//! Journals of the past: a ring of files that nothing depends on. Reads only.
//!
//! Called for the console (`log`, undoing the last change). Damage is noted and skipped.

use super::frame::{Ending, Entry, scan};
use super::{Disk, FILE_READ_MAX, HISTORY_FILES_MAX, JOURNAL_FILE};
use crate::apply::{Record, Transaction};
use model::OutcomeKind;

/// The file that the journal becomes after so many others.
pub(super) fn history_name(rotations: u64) -> String {
    format!("history.{}", rotations % HISTORY_FILES_MAX)
}

/// What is still known of the past.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// All entries, oldest first.
    pub entries: Vec<Entry>,
    /// What could not be read.
    pub notes: Vec<String>,
}

impl History {
    /// Reads history and journal, without changing them.
    #[must_use]
    pub fn read<D: Disk>(disk: &mut D) -> Self {
        let mut history = Self::default();
        let mut files: Vec<Vec<Entry>> = Vec::new();
        let names = (0..HISTORY_FILES_MAX).map(history_name).chain([JOURNAL_FILE.to_owned()]);
        for name in names {
            let bytes = match disk.read(&name, FILE_READ_MAX) {
                Ok(None) => continue,
                Ok(Some(bytes)) => bytes,
                Err(error) => {
                    history.notes.push(error.to_string());
                    continue;
                }
            };
            let found = scan(&bytes);
            let whole = found.links.len();
            match found.ending {
                Ending::Whole => {}
                Ending::Torn => history.notes.push(format!("{name}: what follows {whole} records is torn")),
                Ending::Corrupt(problem) => history.notes.push(format!("{name}: {problem}")),
            }
            files.push(found.links.into_iter().map(|link| link.entry).collect());
        }
        files.sort_by_key(|entries| entries.first().map_or(0, |entry| entry.sequence));
        for entry in files.into_iter().flatten() {
            if history.entries.last().is_none_or(|last| last.sequence < entry.sequence) {
                history.entries.push(entry);
            }
        }
        history
    }

    /// The last change that was committed with steps and not rolled back since.
    #[must_use]
    pub fn last_committed(&self) -> Option<&Transaction> {
        let mut open: Option<&Transaction> = None;
        let mut last: Option<&Transaction> = None;
        for entry in &self.entries {
            match &entry.record {
                Record::Opened(transaction) => open = Some(transaction),
                Record::Closed(closing) => {
                    let change = &closing.outcome.change;
                    let opened = open.take().filter(|transaction| transaction.order.change == *change);
                    let undone = matches!(closing.outcome.kind, OutcomeKind::RolledBack { .. });
                    if closing.committed.is_some() {
                        last = opened.or(last);
                    } else if undone && last.is_some_and(|last| last.order.change == *change) {
                        last = None;
                    }
                }
                _ => {}
            }
        }
        last
    }
}

//! Freeze and pin: two small files by which a person keeps the host from being changed.
//!
//! Owns: `freeze.json` and `pin.json` in the state directory. Must not: decide what they forbid; the
//! apply machine does. A file that is there but cannot be read holds too: `touch freeze.json` is
//! enough. Called by the console verbs and the event loop.

use crate::journal::write_durably;
use model::{LocalVerb, Wall};
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Longest reason in bytes; longer ones are cut.
pub const REASON_BYTES_MAX: usize = 500;
/// Longest file.
const FILE_BYTES_MAX: u64 = 16 * 1024;

/// Which hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// No order is taken and no further step is started.
    Freeze,
    /// No order is taken.
    Pin,
}

impl Kind {
    /// The verb.
    #[must_use]
    pub fn verb(self) -> LocalVerb {
        match self {
            Self::Freeze => LocalVerb::Freeze,
            Self::Pin => LocalVerb::Pin,
        }
    }

    /// What holds from now on, in words.
    #[must_use]
    pub fn done(self) -> &'static str {
        match self {
            Self::Freeze => "the host is frozen: no order is taken and no further step is started",
            Self::Pin => "the host is pinned: no order is taken",
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::Freeze => "freeze.json",
            Self::Pin => "pin.json",
        }
    }
}

/// Who holds the host, why and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
    /// Since when, by the host's clock.
    pub at: Wall,
}

/// Both holds of a host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Holds {
    /// Frozen.
    pub frozen: Option<Hold>,
    /// Pinned.
    pub pinned: Option<Hold>,
}

impl Holds {
    /// What the state directory says now.
    #[must_use]
    pub fn read(dir: &Path) -> Self {
        Self { frozen: read(dir, Kind::Freeze), pinned: read(dir, Kind::Pin) }
    }
}

fn read(dir: &Path, kind: Kind) -> Option<Hold> {
    let mut text = String::new();
    let opened = std::fs::File::open(dir.join(kind.file()));
    let read = opened.and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text));
    let unreadable = |why: String| {
        let reason = format!("no reason given: {} {why}", kind.file());
        Some(Hold { reason, by: "unknown".to_owned(), at: Wall::default() })
    };
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => unreadable(format!("cannot be read: {error}")),
        Ok(_) => match serde_json::from_str(&text) {
            Ok(hold) => Some(hold),
            Err(_) if text.trim().is_empty() => unreadable("is empty".to_owned()),
            Err(error) => unreadable(format!("is not valid: {error}")),
        },
    }
}

/// A file of a hold could not be written or removed.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be changed: {source}; check space and rights of the state directory")]
pub struct HoldError {
    path: PathBuf,
    source: std::io::Error,
}

/// Holds the host; durable when it returns.
pub fn hold(dir: &Path, kind: Kind, hold: &Hold) -> Result<(), HoldError> {
    let path = dir.join(kind.file());
    let text = serde_json::to_vec(hold).map_err(std::io::Error::other);
    text.and_then(|text| write_durably(&path, &text)).map_err(|source| HoldError { path, source })
}

/// Ends both holds; durable when it returns. That there was none is fine.
pub fn release(dir: &Path) -> Result<(), HoldError> {
    for kind in [Kind::Freeze, Kind::Pin] {
        let path = dir.join(kind.file());
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(HoldError { path, source }),
        }
    }
    // Some file systems cannot sync a directory; there the removal itself is the commit point.
    let _ = std::fs::File::open(dir).and_then(|dir| dir.sync_all());
    Ok(())
}

/// A reason as it is kept: one line, not too long.
#[must_use]
pub fn tidy_reason(reason: &str) -> String {
    let line: String = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut end = line.len().min(REASON_BYTES_MAX);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line[..end].trim().to_owned()
}

#[cfg(test)]
mod tests;

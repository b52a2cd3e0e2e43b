//! The journal of this host on its real disk.
//!
//! Owns: which directory it is in, and how the standard library is asked for durability. Must not:
//! know frames or records; `engine::journal` does. Called by the event loop and the command line.

mod disk;

pub use disk::StdDisk;
pub use engine::journal::Opened;

use engine::apply::Replay;
use engine::journal::{History, JournalError};
use model::BootId;
use std::path::Path;

/// The journal on the disk of the host.
pub type Journal = engine::journal::Journal<StdDisk>;

/// Opens or makes the journal of a state directory; see [`engine::journal::Journal::open`].
#[must_use]
pub fn open(dir: &Path, boot: &BootId) -> (Journal, Opened) {
    let (journal, opened) = Journal::open(StdDisk::new(dir), boot);
    for note in &opened.notes {
        tracing::warn!(note, "journal opened");
    }
    (journal, opened)
}

/// What the files of a state directory say, without changing them.
pub fn inspect(dir: &Path) -> Result<Replay, JournalError> {
    Journal::inspect(&mut StdDisk::new(dir))
}

/// The past as far as the files of a state directory keep it, without changing them.
#[must_use]
pub fn history(dir: &Path) -> History {
    History::read(&mut StdDisk::new(dir))
}

/// Makes a small file durable: all of it is there after a crash, or the one before.
pub fn write_durably(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Err(std::io::Error::other("not the path of a file"));
    };
    engine::journal::replace_file(&mut StdDisk::new(dir), name, bytes).map_err(std::io::Error::other)
}

#[cfg(test)]
mod tests;

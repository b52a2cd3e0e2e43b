//! What a host's disk would say after a power cut, read with the product's own journal.
//!
//! Must not change the disk it is given.

use super::disk::SimDisk;
use engine::apply::{Mark, Open, Replay};
use engine::journal::Journal;
use model::{ApplyOutcome, BootId};

/// What the journal means with nothing but what is durable.
#[must_use]
pub fn replay(disk: &SimDisk) -> Replay {
    let (_, opened) = Journal::open(disk.durable(), &BootId("reader".to_owned()));
    opened.replay
}

/// The change that is durably open.
#[must_use]
pub fn open(disk: &SimDisk) -> Option<Open> {
    replay(disk).open
}

/// The last outcome on record.
#[must_use]
pub fn held(disk: &SimDisk) -> Option<ApplyOutcome> {
    replay(disk).memory.held.map(|held| held.outcome)
}

/// Whether a step is marked as begun.
#[must_use]
pub fn is_begun(open: &Open, index: u32) -> bool {
    let mark = usize::try_from(index).ok().and_then(|index| open.marks.get(index));
    mark.is_some_and(|mark| *mark != Mark::Untouched)
}

//! Drift as the host itself sees it: the last confirmed state against what is.
//!
//! Owns: when to speak. A difference must show in two readings in a row, since one reading may fall
//! into somebody's half-done work; that it is gone is told at once. Must not: compare;
//! `engine::verify` does. Called by the event loop after readings taken while nothing is open.

use engine::apply::Committed;
use engine::verify::verify;
use model::{Difference, DifferenceKind, DriftReport, HostId, ObservedNetwork, Wall};

/// What was seen so far.
#[derive(Debug, Default)]
pub struct DriftWatch {
    suspected: Option<Wall>,
    spoken: Option<DriftReport>,
}

impl DriftWatch {
    /// Takes a reading; a report is to be sent when there is one.
    pub fn look(
        &mut self,
        host: &HostId,
        committed: Option<&Committed>,
        observed: &ObservedNetwork,
    ) -> Option<DriftReport> {
        let committed = committed?;
        let differences = real(verify(&committed.desired, observed));
        let now = observed.taken_at;
        let report = |differences, first_seen| DriftReport {
            host: host.clone(),
            generation: committed.generation,
            first_seen,
            last_seen: now,
            differences,
        };
        if differences.is_empty() {
            self.suspected = None;
            let gone = self.spoken.take()?;
            return Some(report(Vec::new(), gone.first_seen));
        }
        let Some(first_seen) = self.suspected else {
            self.suspected = Some(now);
            return None;
        };
        let same = self.spoken.as_ref().is_some_and(|spoken| {
            spoken.differences == differences && spoken.generation == committed.generation
        });
        if same {
            return None;
        }
        let spoken = report(differences, first_seen);
        self.spoken = Some(spoken.clone());
        Some(spoken)
    }

    /// Whether a second look is wanted soon.
    #[must_use]
    pub fn doubtful(&self) -> bool {
        self.suspected.is_some() && self.spoken.is_none()
    }

    /// What was said last and still holds.
    #[must_use]
    pub fn current(&self) -> Option<&DriftReport> {
        self.spoken.as_ref()
    }
}

/// What could not be read is no drift.
fn real(differences: Vec<Difference>) -> Vec<Difference> {
    differences.into_iter().filter(|found| found.kind != DifferenceKind::Unreadable).collect()
}

#[cfg(test)]
mod tests;

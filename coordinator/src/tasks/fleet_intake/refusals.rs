//! Refusals in the audit trail, few enough that nobody can fill it: one entry per kind and subject and [`ENTRY_EVERY`],
//! with the number of those that came in between.
//!
//! Owns: the counts, in memory. Must not: write. Called by a lane of the intake.

use crate::fleet::Refusal;
use crate::store::audit::AuditEntry;
use model::{Millis, Wall};
use std::collections::BTreeMap;

/// Time between two entries about the same kind and subject.
pub(super) const ENTRY_EVERY: Millis = Millis(60_000);
/// Kinds and subjects remembered by one lane; more are counted under one subject.
const SUBJECTS_MAX: usize = 256;
/// The subject of refusals beyond [`SUBJECTS_MAX`].
const OTHERS: &str = "remote/others";

/// What was told last, and what was not told since.
struct Told {
    at: Wall,
    since: u64,
}

/// Refusals of one lane.
#[derive(Default)]
pub(super) struct RefusalLog {
    told: BTreeMap<(&'static str, String), Told>,
}

impl RefusalLog {
    /// The entry to write for a refusal; `None` when one like it was written a moment ago.
    pub(super) fn entry(&mut self, refusal: &Refusal, now: Wall) -> Option<AuditEntry> {
        let Refusal { kind, host, remote, detail } = refusal;
        let subject = match host {
            Some(host) => format!("host/{host}"),
            None => format!("remote/{}", remote.ip()),
        };
        if self.told.len() >= SUBJECTS_MAX {
            self.told.retain(|_, told| now.0.saturating_sub(told.at.0) < ENTRY_EVERY.0);
        }
        let full = self.told.len() >= SUBJECTS_MAX;
        let mut key = (kind.as_str(), subject);
        if full && !self.told.contains_key(&key) {
            key.1 = OTHERS.to_owned();
        }
        let subject = key.1.clone();
        let not_told = match self.told.get_mut(&key) {
            Some(told) if now.0.saturating_sub(told.at.0) < ENTRY_EVERY.0 => {
                told.since = told.since.saturating_add(1);
                return None;
            }
            Some(told) => std::mem::replace(told, Told { at: now, since: 0 }).since,
            None => {
                self.told.insert(key, Told { at: now, since: 0 });
                0
            }
        };
        let remote = remote.to_string();
        let detail = serde_json::json!({ "detail": detail, "remote": remote, "not_told_before": not_told });
        let action = format!("refused.{}", kind.as_str());
        Some(AuditEntry { at: now, actor: format!("remote:{remote}"), action, subject, detail })
    }
}

#[cfg(test)]
mod tests;

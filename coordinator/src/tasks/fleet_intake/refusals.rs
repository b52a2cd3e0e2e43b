//! Refusals in the audit trail, few enough that nobody can fill it: [`ENTRIES_MAX`] per kind and subject within [`SPAN`], and
//! ever fewer while it goes on; then the number of those that were not told.
//!
//! Owns: the counts, in memory. Must not: write. Called by a lane of the intake.

use crate::fleet::Refusal;
use crate::store::audit::AuditEntry;
use model::{Millis, Wall};
use std::collections::BTreeMap;

/// The time in which entries about the same kind and subject are counted.
pub(super) const SPAN: Millis = Millis(60_000);
/// The time grows up to this while the same goes on: a revoked host whose agent nobody stopped asks for months.
pub(super) const SPAN_MAX: Millis = Millis(60 * 60_000);
/// Entries about the same kind and subject within [`SPAN`].
pub(super) const ENTRIES_MAX: u32 = 10;
/// Kinds and subjects remembered by one lane; more are counted under one subject.
const SUBJECTS_MAX: usize = 256;
/// The subject of refusals beyond [`SUBJECTS_MAX`].
const OTHERS: &str = "remote/others";

/// What was told since, and what was not.
struct Told {
    since: Wall,
    span: Millis,
    entries: u32,
    left_out: u64,
}

impl Told {
    fn is_over(&self, now: Wall) -> bool {
        now.0.saturating_sub(self.since.0) >= self.span.0
    }
}

/// Refusals of one lane.
#[derive(Default)]
pub(super) struct RefusalLog {
    told: BTreeMap<(&'static str, String), Told>,
}

impl RefusalLog {
    /// The entry to write for a refusal; `None` when many like it were written a moment ago.
    pub(super) fn entry(&mut self, refusal: &Refusal, now: Wall) -> Option<AuditEntry> {
        let Refusal { kind, host, remote, detail } = refusal;
        let subject = match host {
            Some(host) => format!("host/{host}"),
            None => format!("remote/{}", remote.ip()),
        };
        if self.told.len() >= SUBJECTS_MAX {
            self.told.retain(|_, told| !told.is_over(now) || told.left_out > 0);
        }
        let mut key = (kind.as_str(), subject);
        if self.told.len() >= SUBJECTS_MAX && !self.told.contains_key(&key) {
            key.1 = OTHERS.to_owned();
        }
        let subject = key.1.clone();
        let fresh = |span, left_out| Told { since: now, span, entries: 0, left_out };
        let told = self.told.entry(key).or_insert_with(|| fresh(SPAN, 0));
        if told.is_over(now) {
            let goes_on = told.left_out > 0;
            let span = if goes_on { Millis(told.span.0.saturating_mul(2).min(SPAN_MAX.0)) } else { SPAN };
            *told = fresh(span, told.left_out);
        }
        if told.entries >= ENTRIES_MAX {
            told.left_out = told.left_out.saturating_add(1);
            return None;
        }
        told.entries += 1;
        let not_told = std::mem::take(&mut told.left_out);
        let remote = remote.to_string();
        let detail = serde_json::json!({ "detail": detail, "remote": remote, "left_out_before": not_told });
        let action = format!("refused.{}", kind.as_str());
        Some(AuditEntry { at: now, actor: format!("remote:{remote}"), action, subject, detail })
    }
}

#[cfg(test)]
mod tests;

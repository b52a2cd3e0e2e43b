//! What the proof of an order is worth inside the machine, and the record of refusals for want of one.
//!
//! The proof itself was judged by `proof` before. Here it meets what only the machine knows: whether the
//! order is news at all, and which generation the host has committed.

use super::{ApplyMachine, Effect, Record};
use crate::proof::{Proven, Standing};
use model::{ApplyOutcome, ApprovalNote, Unproven, UnprovenKind, Wall};

/// Refusals for want of a proof that are written down before an order is taken again: whoever sends many
/// must not fill the journal.
pub const UNPROVEN_RECORDS_MAX: u32 = 32;

/// How the proof of an order was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approval {
    /// This host looks for no proof.
    Unchecked,
    /// What is not proven is refused.
    Enforced(Result<Proven, Unproven>),
    /// What is not proven is taken, and said.
    Warned(Result<Proven, Unproven>),
}

impl ApplyMachine {
    /// Whether an order that is news may be taken, and what is to be said of it.
    pub(super) fn approve(&self, approval: Approval) -> Result<Option<ApprovalNote>, Unproven> {
        let (verdict, tolerant) = match approval {
            Approval::Unchecked => return Ok(None),
            Approval::Enforced(verdict) => (verdict, false),
            Approval::Warned(verdict) => (verdict, true),
        };
        match verdict.and_then(|proven| self.follows(proven)) {
            Ok(proven) if proven.standing == Standing::BreakGlass => {
                Ok(Some(ApprovalNote::BreakGlass { names: proven.names }))
            }
            Ok(_) => Ok(None),
            Err(unproven) if tolerant => Ok(Some(ApprovalNote::Unproven(unproven))),
            Err(unproven) => Err(unproven),
        }
    }

    /// What was approved was approved on top of a certain state of this host.
    fn follows(&self, proven: Proven) -> Result<Proven, Unproven> {
        let committed = self.memory.committed_generation();
        if proven.parent == committed {
            return Ok(proven);
        }
        let detail = format!(
            "approved on top of generation {}, the host has committed {committed}: let it be approved anew",
            proven.parent
        );
        Err(Unproven { kind: UnprovenKind::ParentDiffers, detail })
    }

    /// Writes a refusal down, so that a person at the console can see it; the same one only once in a row.
    pub fn note_refusal(&mut self, outcome: &ApplyOutcome, at: Wall) -> Vec<Effect> {
        let known = self.refused.as_ref() == Some(outcome);
        if known || self.unproven_records >= UNPROVEN_RECORDS_MAX {
            return Vec::new();
        }
        self.unproven_records += 1;
        self.refused = Some(outcome.clone());
        vec![Effect::Note(Record::Refused { outcome: Box::new(outcome.clone()), at })]
    }

    /// An order was taken: refusals are written down again.
    pub(super) fn forget_refusals(&mut self) {
        (self.refused, self.unproven_records) = (None, 0);
    }
}

//! The answer to "does my change stand?", asked by a host over a connection made after the change.
//!
//! Owns: the rule of confirmation. Must not: move a rollout. Called by the fleet, through its trait.
//!
//! Confirmed when change, generation and plan digest are those of the host's stored order, the rollout was not aborted, and
//! the connection is newer than the order. Withdrawn (the host rolls back now) when the order is not the stored one, was
//! aborted, or the host has another end on record. Undecided (the host asks again until its deadline) when the store fails,
//! the connection is older than the order (that proves nothing), or peers do not vouch for what the change touched.

use super::rollout_driver::SentLog;
use super::witness::{Case, Witnesses};
use crate::fleet::{ConfirmAttempt, ConfirmDecider, ConfirmFuture, Undecided, Verdict};
use crate::store::{Db, StoreError, outcomes, plans, rollouts};
use engine::rollout::RolloutState;
use model::{ChangeId, Generation, HostId, HostOutcome, OutcomeKind, PlanDigest, RolloutPhase, Wall};

/// What a host asks.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) host: HostId,
    pub(super) change: ChangeId,
    pub(super) generation: Generation,
    pub(super) plan_digest: PlanDigest,
    /// When the connection it asks over was opened.
    pub(super) opened_at: Wall,
}

/// Decides from what is stored.
#[derive(Clone)]
pub struct Confirmations {
    db: Db,
    sent: SentLog,
    witnesses: Witnesses,
}

impl Confirmations {
    /// A decider; `sent` is the driver's.
    #[must_use]
    pub fn new(db: Db, sent: SentLog, witnesses: Witnesses) -> Self {
        Self { db, sent, witnesses }
    }

    /// The rule.
    pub(super) async fn verdict(&self, question: Question) -> Result<Verdict, Undecided> {
        let Question { host, change, generation, plan_digest, opened_at } = question;
        let unknown = |error: StoreError| Undecided(error.to_string());
        let withdrawn = |reason: String| Ok(Verdict::Withdrawn { reason });
        let Some(plan) = plans::get(&self.db, &change, &host).await.map_err(unknown)? else {
            return withdrawn(format!("no order of change {change} was given to {host}"));
        };
        if plan.generation != generation {
            return withdrawn(format!("the order has generation {}, not {generation}", plan.generation));
        }
        if plan.plan.digest != plan_digest {
            return withdrawn("the plan that was applied is not the one that was ordered".to_owned());
        }
        let Some(record) = rollouts::of_change(&self.db, &change).await.map_err(unknown)? else {
            return withdrawn(format!("change {change} does not roll out"));
        };
        let state: RolloutState = match serde_json::from_value(record.state) {
            Ok(state) => state,
            // Nobody can drive it any more, and a person ended it.
            Err(_) if record.phase == RolloutPhase::Aborted => {
                let ends = outcomes::outcomes_of(&self.db, &change).await.map_err(unknown)?;
                let kept =
                    ends.iter().any(|end| end.host == host && end.outcome.kind == OutcomeKind::Committed);
                return if kept {
                    Ok(Verdict::Confirmed)
                } else {
                    withdrawn(record.reason.unwrap_or_default())
                };
            }
            Err(error) => return Err(Undecided(error.to_string())),
        };
        let outcome = state.outcome(&host);
        if let Some(HostOutcome::Ended(kind)) = &outcome
            && *kind != OutcomeKind::Committed
        {
            return withdrawn(format!("the order ended as {} before", kind.as_str()));
        }
        let committed = outcome == Some(HostOutcome::Ended(OutcomeKind::Committed));
        if record.phase == RolloutPhase::Aborted && !committed {
            return withdrawn(record.reason.unwrap_or_else(|| "the rollout was aborted".to_owned()));
        }
        if self.sent.sent_at(&host, &change).is_some_and(|sent| opened_at < sent) {
            return Err(Undecided("asked over a connection older than the order: open a new one".to_owned()));
        }
        if !committed {
            let case = Case { host: &host, change: &change, plan: &plan.plan, rollout: &state };
            self.witnesses.gate(case).await?;
        }
        Ok(Verdict::Confirmed)
    }
}

impl ConfirmDecider for Confirmations {
    fn decide(&self, attempt: ConfirmAttempt) -> ConfirmFuture<'_> {
        let ConfirmAttempt { host, change, generation, plan_digest, connection } = attempt;
        let opened_at = connection.opened_at;
        Box::pin(self.verdict(Question { host, change, generation, plan_digest, opened_at }))
    }
}

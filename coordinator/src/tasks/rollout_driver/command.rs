//! What a person wants of a rollout, done while nobody else moves it. Called by the driver's loop.
//!
//! Must not: decide whether a command means something where the rollout is (the machine does), but for one case: a rollout
//! whose state cannot be read any more can be aborted all the same.

use super::driver::{Driver, NotKept, Step, begun, move_rfc, read_state};
use super::{RolloutCommandError, RolloutVerb};
use crate::store::audit::{self, AuditEntry};
use crate::store::changes;
use crate::store::rollouts::{self, RolloutRecord, RolloutUpdate, SaveState};
use crate::tasks::wall_now;
use engine::rollout::Event;
use model::{RolloutId, RolloutPhase};

/// A command as it was given.
pub(super) struct Command<'a> {
    pub(super) rollout: &'a RolloutId,
    pub(super) verb: RolloutVerb,
    pub(super) actor: &'a str,
    pub(super) reason: &'a str,
}

impl Command<'_> {
    fn words(&self, verb: &str) -> String {
        match self.reason {
            "" => format!("{verb} by {}", self.actor),
            reason => format!("{verb} by {}: {reason}", self.actor),
        }
    }

    fn not_possible(&self, phase: RolloutPhase) -> RolloutCommandError {
        let (rollout, verb) = (self.rollout.clone(), self.verb.as_str());
        RolloutCommandError::NotPossible { rollout, verb, phase: phase.as_str() }
    }

    fn lost(&self) -> RolloutCommandError {
        RolloutCommandError::Lost(self.rollout.clone())
    }
}

impl Driver {
    pub(super) async fn command(
        &mut self,
        command: &Command<'_>,
    ) -> Result<RolloutPhase, RolloutCommandError> {
        self.lease.check()?;
        let id = command.rollout;
        if !self.active.contains_key(id) {
            self.reload().await;
        }
        let Some(active) = self.active.get(id) else { return self.command_stored(command).await };
        let phase = active.state.phase();
        if command.verb == RolloutVerb::Resume && !begun(&active.state) && !self.may_begin(id).await? {
            let waits_for = self.active.get(id).and_then(|active| active.waits_for.clone());
            let unapproved = |waits_for| RolloutCommandError::Unapproved { rollout: id.clone(), waits_for };
            return Err(waits_for.map_or_else(|| command.lost(), unapproved));
        }
        let event = match command.verb {
            RolloutVerb::Pause => Event::Pause { reason: command.words("paused") },
            RolloutVerb::Resume => Event::Resume,
            RolloutVerb::Abort => Event::Abort { reason: command.words("aborted") },
        };
        match self.advance(id, vec![event], command.actor).await {
            Ok(Step { rejected: 0, phase }) => Ok(phase),
            Ok(Step { .. }) => Err(command.not_possible(phase)),
            Err(NotKept::Lost) => {
                self.drop_for_now(id);
                Err(command.lost())
            }
            Err(NotKept::Store(error)) => {
                self.drop_for_now(id);
                Err(error.into())
            }
        }
    }

    /// For a rollout that is not in memory: it has ended, was just moved by another coordinator, or cannot be read.
    async fn command_stored(&self, command: &Command<'_>) -> Result<RolloutPhase, RolloutCommandError> {
        let record = rollouts::get(&self.db, command.rollout).await?;
        let record = record.ok_or_else(|| RolloutCommandError::NotFound(command.rollout.clone()))?;
        if matches!(record.phase, RolloutPhase::Aborted | RolloutPhase::Completed) {
            return Err(command.not_possible(record.phase));
        }
        match read_state(&record.id, record.state.clone()) {
            Ok(_) => Err(command.lost()),
            Err(_) if command.verb == RolloutVerb::Abort => self.abort_unread(command, record).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Ends a rollout whose state cannot be read: the state stays as it is, no order follows, hosts that wait for their
    /// confirmation roll back.
    async fn abort_unread(
        &self,
        command: &Command<'_>,
        record: RolloutRecord,
    ) -> Result<RolloutPhase, RolloutCommandError> {
        let now = wall_now();
        let reason = format!("{} (its state could not be read)", command.words("aborted"));
        let rfc = changes::get(&self.db, &record.change).await?.and_then(|change| change.rfc);
        let (id, from, phase) = (&record.id, record.phase, RolloutPhase::Aborted);
        let update = RolloutUpdate { phase, state: record.state, reason: Some(reason.clone()), now };
        let mut tx = self.db.begin().await?;
        if !self.lease.fence(&mut tx).await?
            || rollouts::save_state(&mut tx, id, record.version, &update).await? == SaveState::Lost
        {
            tx.cancel().await;
            return Err(command.lost());
        }
        move_rfc(&mut tx, rfc, phase, now).await?;
        let entry = AuditEntry {
            at: now,
            actor: command.actor.to_owned(),
            action: format!("rollout.{}", phase.as_str()),
            subject: format!("rollout/{id}"),
            detail: serde_json::json!({ "from": from.as_str(), "reason": reason, "change": record.change }),
        };
        audit::append(&mut tx, &entry).await?;
        tx.commit().await?;
        tracing::warn!(rollout = %id, reason, "a rollout was aborted whose state cannot be read");
        self.repo_nudge.notify_one();
        Ok(phase)
    }
}

//! What operators ask for through the API, handed to the task that does it.

use crate::api::{Operations, RolloutCommand, SteerError, SteerFuture};
use crate::tasks::repo_sync::RepoHandle;
use crate::tasks::rollout_driver::{RolloutCommandError, RolloutHandle, RolloutVerb};
use model::RolloutId;

/// The actions of operators.
#[derive(Clone, Debug)]
pub struct OperatorActions {
    repo: RepoHandle,
    driver: RolloutHandle,
}

impl OperatorActions {
    /// Actions through these handles.
    #[must_use]
    pub fn new(repo: RepoHandle, driver: RolloutHandle) -> Self {
        Self { repo, driver }
    }
}

impl Operations for OperatorActions {
    fn nudge_repository(&self) {
        self.repo.nudge();
    }

    fn steer(
        &self,
        rollout: RolloutId,
        command: RolloutCommand,
        actor: String,
        reason: String,
    ) -> SteerFuture<'_> {
        let verb = match command {
            RolloutCommand::Pause => RolloutVerb::Pause,
            RolloutCommand::Resume => RolloutVerb::Resume,
            RolloutCommand::Abort => RolloutVerb::Abort,
        };
        Box::pin(async move {
            let moved = self.driver.command(&rollout, verb, &actor, &reason).await;
            moved.map(|_| ()).map_err(|error| match error {
                RolloutCommandError::NotFound(_)
                | RolloutCommandError::NotPossible { .. }
                | RolloutCommandError::Lost(_) => SteerError::Conflict(error.to_string()),
                RolloutCommandError::Store(_) | RolloutCommandError::Stopped => {
                    SteerError::Unavailable(error.to_string())
                }
            })
        })
    }
}

//! What operators ask for through the API, handed to the task that does it.

use crate::api::{DoneFuture, Operations, ReviewFuture, RolloutCommand, SteerError, SteerFuture, Term};
use crate::tasks::fleet_intake::OfferApprovers;
use crate::tasks::lease::{LeaseHandle, StandsBy};
use crate::tasks::proposals::Reviewer;
use crate::tasks::pulls::PullsHandle;
use crate::tasks::repo_sync::RepoHandle;
use crate::tasks::rollout_driver::{RolloutCommandError, RolloutHandle, RolloutVerb};
use crate::tasks::window::{ExtendError, Extension, WindowExtender};
use model::{ApproverRotation, HostId, RolloutId};
use std::sync::Arc;

/// The actions of operators.
#[derive(Clone)]
pub struct OperatorActions {
    repo: RepoHandle,
    driver: RolloutHandle,
    approvers: Arc<dyn OfferApprovers>,
    reviewer: Reviewer,
    pulls: Option<PullsHandle>,
    lease: LeaseHandle,
    windows: WindowExtender,
}

impl OperatorActions {
    /// Actions through these handles.
    #[must_use]
    pub fn new(
        repo: RepoHandle,
        driver: RolloutHandle,
        approvers: Arc<dyn OfferApprovers>,
        lease: LeaseHandle,
        windows: WindowExtender,
        (reviewer, pulls): (Reviewer, Option<PullsHandle>),
    ) -> Self {
        Self { repo, driver, approvers, lease, windows, reviewer, pulls }
    }
}

impl Operations for OperatorActions {
    fn nudge_repository(&self) -> Result<(), StandsBy> {
        self.lease.check()?;
        self.repo.nudge();
        Ok(())
    }

    fn term(&self) -> Term {
        Term { coordinator: self.lease.name().to_owned(), lead: self.lease.lead() }
    }

    fn extend(&self, extension: Extension) -> SteerFuture<'_> {
        Box::pin(async move {
            self.windows.extend(&extension).await.map_err(|error| match error {
                ExtendError::OutOfBounds(_)
                | ExtendError::NoRollout(_)
                | ExtendError::NotItsHost { .. }
                | ExtendError::Ended { .. }
                | ExtendError::NotAtWork(_)
                | ExtendError::NotSent { .. } => SteerError::Conflict(error.to_string()),
                ExtendError::StandsBy(_) | ExtendError::Store(_) => {
                    SteerError::Unavailable(error.to_string())
                }
            })
        })
    }

    fn review_branch(&self, branch: String) -> ReviewFuture<'_> {
        Box::pin(async move { self.reviewer.review(&branch, format!("refs/heads/{branch}")).await })
    }

    fn resync_forge(&self) -> bool {
        self.pulls.as_ref().inspect(|pulls| pulls.resync()).is_some()
    }

    fn approvals_changed(&self) -> DoneFuture<'_> {
        Box::pin(self.driver.wake())
    }

    fn offer_approvers(&self, hosts: &[HostId], rotation: &ApproverRotation) {
        for host in hosts {
            self.approvers.offer(host, rotation.clone());
        }
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
                | RolloutCommandError::Unapproved { .. }
                | RolloutCommandError::Lost(_) => SteerError::Conflict(error.to_string()),
                RolloutCommandError::StandsBy(_)
                | RolloutCommandError::Store(_)
                | RolloutCommandError::Stopped => SteerError::Unavailable(error.to_string()),
            })
        })
    }
}

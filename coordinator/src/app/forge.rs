//! The parts that speak with a forge, when the settings name one. Must not: decide anything.

use super::Parts;
use crate::api::HookParts;
use crate::forge::{self, Forge, ForgeError, ForgeSettings, Hooks, HttpLimits};
use crate::settings::Settings;
use crate::store::Db;
use crate::tasks::lease::LeaseHandle;
use crate::tasks::proposals::Reviewer;
use crate::tasks::pulls::{self, PullsHandle, PullsParts};
use crate::tasks::repo_sync::RepoHandle;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the operators' interface may use of it.
#[derive(Clone, Default)]
pub struct ForgeSide {
    /// The task that follows pull requests.
    pub pulls: Option<PullsHandle>,
    /// The door for webhooks.
    pub hooks: Option<Arc<HookParts>>,
}

/// A forge that is set up and not asked yet.
pub(super) struct Ready {
    client: Arc<dyn Forge>,
    settings: ForgeSettings,
    branch: String,
}

/// The client of the forge in the settings. Connects to nothing.
pub(super) fn open(settings: &Settings) -> Result<Option<Ready>, ForgeError> {
    let Some(forge) = &settings.forge else { return Ok(None) };
    let client = forge::open(forge, HttpLimits::default())?;
    Ok(Some(Ready { client, settings: forge.clone(), branch: settings.repository.branch.clone() }))
}

/// Starts what speaks with the forge; without one, a task that has nothing to do.
pub(super) fn start(
    ready: Option<Ready>,
    store: (&Db, &LeaseHandle),
    reviewer: &Reviewer,
    repo: &RepoHandle,
    stop: watch::Receiver<bool>,
) -> (ForgeSide, JoinHandle<()>) {
    match ready {
        Some(ready) => ready.start(store, reviewer, repo, stop),
        None => (ForgeSide::default(), tokio::spawn(async {})),
    }
}

impl Ready {
    /// Starts the task and makes the door.
    fn start(
        self,
        (db, lease): (&Db, &LeaseHandle),
        reviewer: &Reviewer,
        repo: &RepoHandle,
        stop: watch::Receiver<bool>,
    ) -> (ForgeSide, JoinHandle<()>) {
        let Self { client, settings, branch } = self;
        let parts = PullsParts {
            forge: client,
            name: format!("{}:{}", settings.kind.as_str(), settings.repository),
            branch,
            poll: settings.poll,
            db: db.clone(),
            lease: lease.clone(),
            reviewer: reviewer.clone(),
            repo: repo.clone(),
        };
        let (handle, task) = pulls::spawn(parts, stop);
        let hooks = HookParts::new(Hooks::new(&settings), db.clone(), handle.wake());
        (ForgeSide { pulls: Some(handle), hooks: Some(Arc::new(hooks)) }, task)
    }
}

impl Parts {
    /// The task that follows pull requests, when there is a forge.
    #[must_use]
    pub fn pulls(&self) -> Option<PullsHandle> {
        self.forge.pulls.clone()
    }
}

//! The mirror on a thread of its own: its calls block, and its HTTP client must not run on an async worker.
//!
//! Must not: interpret a document. Called by `sync` and, to open it, by the composition root.

use crate::repo::{
    CommitId, FetchRepoError, FetchReport, Merge, Mirror, MirrorSettings, OpenMirrorError, ReadCommitError,
    SnapshotError,
};
use crate::tasks::review::Material;
use tokio::sync::{mpsc, oneshot};

/// Requests that may wait.
const REQUESTS_MAX: usize = 4;

/// Why there is no mirror.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The mirror itself.
    #[error(transparent)]
    Mirror(#[from] OpenMirrorError),
    /// The thread.
    #[error("the thread of the mirror cannot be started: {0}")]
    Thread(#[from] std::io::Error),
    /// It ended at once.
    #[error("the thread of the mirror ended before it was ready; see the log")]
    Ended,
}

/// Why a commit was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReadError {
    /// The commit breaks a limit: it is refused.
    #[error("{0}")]
    Refused(String),
    /// It may be readable later.
    #[error("{0}")]
    Failed(String),
}

/// A proposal, merged into the branch as it was fetched last.
#[derive(Debug)]
pub struct Proposal {
    /// Its last commit.
    pub head: CommitId,
    /// The branch's head.
    pub main: CommitId,
    /// What the branch would become.
    pub result: MergeResult,
}

/// What the branch would become.
#[derive(Debug)]
pub enum MergeResult {
    /// This, compared with the last accepted commit.
    Clean {
        /// The branch with the proposal.
        merged: Box<Material>,
        /// The branch as it is.
        branch: Box<Material>,
    },
    /// Nothing else: it has the proposal already.
    Contained,
    /// These paths were changed on both sides.
    Conflicts {
        /// At most 20 of them.
        paths: Vec<String>,
        /// How many there are.
        count: usize,
    },
}

/// Why a proposal was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposalError {
    /// The remote has no such ref.
    #[error("{0}")]
    NoRef(String),
    /// It breaks a limit.
    #[error("{0}")]
    Refused(String),
    /// It may be readable later.
    #[error("{0}")]
    Failed(String),
}

impl From<ReadError> for ProposalError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Refused(text) => Self::Refused(text),
            ReadError::Failed(text) => Self::Failed(text),
        }
    }
}

enum Request {
    Fetch {
        reply: oneshot::Sender<Result<FetchReport, FetchRepoError>>,
    },
    Read {
        commit: CommitId,
        base: Option<CommitId>,
        reply: oneshot::Sender<Result<Box<Material>, ReadError>>,
    },
    Propose {
        reference: String,
        base: Option<CommitId>,
        reply: oneshot::Sender<Result<Proposal, ProposalError>>,
    },
    Contains {
        commit: CommitId,
        part: CommitId,
        reply: oneshot::Sender<bool>,
    },
}

/// The way to the mirror. Its thread ends with the last one.
#[derive(Debug, Clone)]
pub struct MirrorThread {
    requests: mpsc::Sender<Request>,
    name: String,
}

impl MirrorThread {
    /// Opens the mirror on a new thread.
    pub async fn open(settings: MirrorSettings) -> Result<Self, OpenError> {
        let (requests, queue) = mpsc::channel(REQUESTS_MAX);
        let name = name_of(&settings.url);
        let (ready, opened) = oneshot::channel();
        std::thread::Builder::new().name("repo-mirror".to_owned()).spawn(move || {
            match Mirror::open(settings) {
                Ok(mirror) => {
                    // Nobody waits: then the queue is closed too, and the loop ends at once.
                    let _ = ready.send(Ok(()));
                    serve(mirror, queue);
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        })?;
        opened.await.map_err(|_| OpenError::Ended)??;
        Ok(Self { requests, name })
    }

    /// The repository as approvers know it: its address without a user.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Fetches the branch. `None`: the thread is gone.
    pub(super) async fn fetch(&self) -> Option<Result<FetchReport, FetchRepoError>> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request::Fetch { reply }).await.ok()?;
        answer.await.ok()
    }

    /// Reads a commit and what changed since `base`.
    pub(super) async fn read(
        &self,
        commit: CommitId,
        base: Option<CommitId>,
    ) -> Result<Box<Material>, ReadError> {
        let gone = || ReadError::Failed("the thread of the mirror has ended".to_owned());
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request::Read { commit, base, reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl MirrorThread {
    /// Fetches a proposal by its ref, merges it into the branch as it was fetched last, and reads the result. `base` is the
    /// last accepted commit.
    ///
    /// # Errors
    /// When it cannot be fetched or read.
    pub async fn propose(
        &self,
        reference: String,
        base: Option<CommitId>,
    ) -> Result<Proposal, ProposalError> {
        let gone = || ProposalError::Failed("the thread of the mirror has ended".to_owned());
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request::Propose { reference, base, reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Whether `commit` is `part` or has it in its history; no when either is not here.
    pub async fn contains(&self, commit: CommitId, part: CommitId) -> bool {
        let (reply, answer) = oneshot::channel();
        if self.requests.send(Request::Contains { commit, part, reply }).await.is_err() {
            return false;
        }
        answer.await.unwrap_or(false)
    }
}

fn name_of(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

fn serve(mut mirror: Mirror, mut queue: mpsc::Receiver<Request>) {
    while let Some(request) = queue.blocking_recv() {
        // An asker that left in between asks again.
        match request {
            Request::Fetch { reply } => {
                let _ = reply.send(mirror.fetch());
            }
            Request::Read { commit, base, reply } => {
                let _ = reply.send(read(&mirror, commit, base));
            }
            Request::Propose { reference, base, reply } => {
                let _ = reply.send(propose(&mut mirror, &reference, base));
            }
            Request::Contains { commit, part, reply } => {
                let _ = reply.send(mirror.contains(commit, part));
            }
        }
    }
}

fn propose(mirror: &mut Mirror, reference: &str, base: Option<CommitId>) -> Result<Proposal, ProposalError> {
    let head = mirror.fetch_topic(reference).map_err(|error| match error {
        FetchRepoError::BranchMissing { .. } => ProposalError::NoRef(error.to_string()),
        FetchRepoError::TooBig { .. } => ProposalError::Refused(error.to_string()),
        _ => ProposalError::Failed(error.to_string()),
    })?;
    let main = mirror.head().map_err(|error| ProposalError::Failed(error.to_string()))?;
    let main = main.ok_or_else(|| {
        ProposalError::Failed("the branch was not fetched yet, or is empty: try again".to_owned())
    })?;
    let result = match mirror.merge(main, head).map_err(of_snapshot)? {
        Merge::Clean(result) => {
            MergeResult::Clean { merged: read(mirror, result, base)?, branch: read(mirror, main, base)? }
        }
        Merge::Contained => MergeResult::Contained,
        Merge::Conflicts { paths, count } => MergeResult::Conflicts { paths, count },
    };
    Ok(Proposal { head, main, result })
}

fn read(mirror: &Mirror, commit: CommitId, base: Option<CommitId>) -> Result<Box<Material>, ReadError> {
    let snapshot = mirror.snapshot(commit).map_err(of_snapshot)?;
    let info = mirror.commit_info(commit).map_err(of_commit)?;
    let (base, changed) = match base.map(|base| mirror.changed_paths(Some(base), commit)) {
        Some(Ok(changed)) => (base, changed),
        Some(Err(error)) => {
            tracing::warn!(%error, "the last accepted commit cannot be read; the new one is compared with nothing");
            (None, mirror.changed_paths(None, commit).map_err(of_snapshot)?)
        }
        None => (None, mirror.changed_paths(None, commit).map_err(of_snapshot)?),
    };
    Ok(Box::new(Material {
        info,
        base: base.map(|base| base.to_string()),
        files: snapshot.files,
        refused: snapshot.refused,
        changed,
    }))
}

fn of_snapshot(error: SnapshotError) -> ReadError {
    let text = error.to_string();
    match error {
        SnapshotError::TooManyFiles { .. }
        | SnapshotError::TooManyBytes { .. }
        | SnapshotError::TreeTooBig { .. } => ReadError::Refused(text),
        SnapshotError::UnknownCommit { .. } | SnapshotError::Corrupt { .. } => ReadError::Failed(text),
    }
}

fn of_commit(error: ReadCommitError) -> ReadError {
    let text = error.to_string();
    match error {
        ReadCommitError::TooBig { .. } => ReadError::Refused(text),
        ReadCommitError::UnknownCommit { .. } | ReadCommitError::Corrupt { .. } => ReadError::Failed(text),
    }
}

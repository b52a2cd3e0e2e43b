//! The bare mirror: one branch of one remote, fetched into a directory of its own.
//!
//! Owns: opening, fetching, moving the branch, telling a rewritten history from a grown one.
//! Must not: check out, run hooks, fetch tags or submodules. Called by: the task that follows the branch.

use std::sync::Arc;

use git2::{
    AutotagOption, Direction, ErrorClass, ErrorCode, FetchOptions, Oid, Reference, RemoteCallbacks,
    RemoteUpdateFlags, Repository,
};

use super::error::{FetchRepoError, OpenMirrorError, printable};
use super::ident::CommitId;
use super::settings::{MirrorSettings, RepoLimits};
use super::store::{self, MirrorOrigin};
use super::transport::{self, Endpoint, Failure, INNER_URL, Session};

/// Where a fetch puts the branch before it is accepted.
const INCOMING: &str = "refs/pointsman/incoming";

/// A branch whose new head does not contain the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rewrite {
    /// The head before.
    pub old: CommitId,
    /// The head now.
    pub new: CommitId,
}

/// What a fetch found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchReport {
    /// The branch's head now; nothing when the remote is still empty.
    pub head: Option<CommitId>,
    /// The head before this fetch.
    pub previous: Option<CommitId>,
    /// The head moved.
    pub changed: bool,
    /// Set when history was rewritten (a forced push). The old commit stays readable.
    pub rewritten: Option<Rewrite>,
    /// Bytes received.
    pub bytes: u64,
}

/// An open mirror. Blocking; one owner; see the module's documentation.
pub struct Mirror {
    settings: MirrorSettings,
    reference: String,
    endpoint: Endpoint,
    client: Option<reqwest::blocking::Client>,
    repo: Repository,
    origin: MirrorOrigin,
    _lock: store::Lock,
}

impl Mirror {
    /// Opens the mirror, making or repairing its directory as needed. Connects to nothing.
    ///
    /// # Errors
    /// When the settings cannot work, the directory belongs to something else or is in use, or storage fails.
    pub fn open(settings: MirrorSettings) -> Result<Self, OpenMirrorError> {
        let endpoint = Endpoint::parse(&settings.url)?;
        endpoint.check_auth(&settings.url, &settings.auth)?;
        let reference = format!("refs/heads/{}", settings.branch);
        if !Reference::is_valid_name(&reference) {
            return Err(OpenMirrorError::BadBranch { branch: printable(&settings.branch) });
        }
        transport::register()
            .map_err(|reason| OpenMirrorError::Storage { path: settings.path.clone(), reason })?;
        let client = match endpoint {
            Endpoint::Http(_) => {
                Some(transport::http_client().map_err(|reason| OpenMirrorError::HttpClient { reason })?)
            }
            Endpoint::Local(_) | Endpoint::Ssh(_) => None,
        };
        let store = store::open(&settings.path, &reference)?;
        Ok(Self {
            settings,
            reference,
            endpoint,
            client,
            repo: store.repo,
            origin: store.origin,
            _lock: store.lock,
        })
    }

    /// How the mirror came to be when it was opened.
    #[must_use]
    pub fn origin(&self) -> MirrorOrigin {
        self.origin
    }

    /// The head of the last successful fetch.
    ///
    /// # Errors
    /// When the mirror's refs cannot be read.
    pub fn head(&self) -> Result<Option<CommitId>, FetchRepoError> {
        Ok(self.tip(&self.reference).map_err(|error| self.storage(&error))?.map(CommitId::new))
    }

    /// Throws the mirror's content away; the next fetch brings everything again. For a mirror whose objects turn out
    /// to be damaged.
    ///
    /// # Errors
    /// When the directory cannot be emptied or made again.
    pub fn rebuild(&mut self) -> Result<(), OpenMirrorError> {
        self.repo = store::remake(&self.settings.path, &self.reference)?;
        Ok(())
    }

    /// Brings the branch up to date with the remote. On an error the head stays where it was.
    ///
    /// # Errors
    /// See [`FetchRepoError`].
    pub fn fetch(&mut self) -> Result<FetchReport, FetchRepoError> {
        self.in_session(|mirror, session| mirror.fetch_within(session))
    }

    /// Brings a ref to [`INCOMING`]; gives its commit, or nothing when the remote has no such ref. The branch stays.
    pub(super) fn fetch_incoming(&mut self, reference: &str) -> Result<Option<Oid>, FetchRepoError> {
        self.in_session(|mirror, session| {
            mirror.forget(INCOMING).map_err(|error| mirror.storage(&error))?;
            mirror.transfer(session, reference)?;
            let incoming = mirror.tip(INCOMING).map_err(|error| mirror.storage(&error))?;
            if let Some(new) = incoming {
                mirror.check_commit(new, reference)?;
            }
            Ok(incoming)
        })
    }

    fn in_session<T>(
        &mut self,
        work: impl FnOnce(&Self, &Arc<Session>) -> Result<T, FetchRepoError>,
    ) -> Result<T, FetchRepoError> {
        let limits = self.settings.limits.clone();
        let session =
            Session::new(self.endpoint.clone(), self.settings.auth.clone(), self.client.clone(), limits);
        let outcome = work(self, &session);
        if outcome.is_err() {
            store::sweep(&self.settings.path);
        }
        outcome
    }

    pub(super) fn missing(&self, branch: &str) -> FetchRepoError {
        FetchRepoError::BranchMissing { url: self.settings.url.clone(), branch: printable(branch) }
    }

    pub(super) fn repo(&self) -> &Repository {
        &self.repo
    }

    pub(super) fn limits(&self) -> &RepoLimits {
        &self.settings.limits
    }

    fn fetch_within(&self, session: &Arc<Session>) -> Result<FetchReport, FetchRepoError> {
        let previous = self.tip(&self.reference).map_err(|error| self.storage(&error))?;
        self.forget(INCOMING).map_err(|error| self.storage(&error))?;
        let pack_bytes = self.transfer(session, &self.reference)?;
        let bytes = session.bytes().max(pack_bytes.unwrap_or(0));
        let incoming = self.tip(INCOMING).map_err(|error| self.storage(&error))?;
        let Some(new) = incoming else {
            if pack_bytes.is_none() && previous.is_none() {
                return Ok(FetchReport {
                    head: None,
                    previous: None,
                    changed: false,
                    rewritten: None,
                    bytes,
                });
            }
            return Err(self.missing(&self.settings.branch));
        };
        let rewritten = self.accept(previous, new)?;
        Ok(FetchReport {
            head: Some(CommitId::new(new)),
            previous: previous.map(CommitId::new),
            changed: previous != Some(new),
            rewritten,
            bytes,
        })
    }

    /// Connects and downloads; gives the pack's bytes, or nothing when the remote has no refs at all.
    fn transfer(&self, session: &Arc<Session>, reference: &str) -> Result<Option<u64>, FetchRepoError> {
        let _entered = transport::enter(session);
        let url = match &session.endpoint {
            Endpoint::Local(url) => url.as_str(),
            Endpoint::Http(_) | Endpoint::Ssh(_) => INNER_URL,
        };
        let connecting = |error: git2::Error| self.explain(session, &error, Stage::Connecting);
        let receiving = |error: git2::Error| self.explain(session, &error, Stage::Receiving);
        let mut remote = self.repo.remote_anonymous(url).map_err(connecting)?;
        let mut connection =
            remote.connect_auth(Direction::Fetch, Some(callbacks(session)), None).map_err(connecting)?;
        // Only the number is taken: libgit2's bindings panic on names that are not UTF-8.
        if connection.list().map_err(connecting)?.is_empty() {
            return Ok(None);
        }
        let mut options = FetchOptions::new();
        options.remote_callbacks(callbacks(session)).download_tags(AutotagOption::None);
        let refspec = format!("+{reference}:{INCOMING}");
        let remote = connection.remote();
        remote.download(&[refspec.as_str()], Some(&mut options)).map_err(receiving)?;
        let bytes = remote.stats().received_bytes() as u64;
        remote.update_tips(None, RemoteUpdateFlags::empty(), AutotagOption::None, None).map_err(receiving)?;
        Ok(Some(bytes))
    }

    fn check_commit(&self, new: Oid, branch: &str) -> Result<(), FetchRepoError> {
        let Err(error) = self.repo.find_commit(new) else { return Ok(()) };
        let reason = printable(error.message());
        Err(FetchRepoError::BadReply {
            url: self.settings.url.clone(),
            reason: format!("branch `{branch}` points to no readable commit: {reason}"),
        })
    }

    /// Moves the branch to `new` and drops every other ref.
    fn accept(&self, previous: Option<Oid>, new: Oid) -> Result<Option<Rewrite>, FetchRepoError> {
        self.check_commit(new, &self.settings.branch)?;
        let moved = || {
            let rewritten = match previous {
                Some(old) if old != new && !self.repo.graph_descendant_of(new, old)? => {
                    Some(Rewrite { old: CommitId::new(old), new: CommitId::new(new) })
                }
                _ => None,
            };
            if previous != Some(new) {
                self.repo.reference(&self.reference, new, true, "fetch")?;
            }
            self.prune()?;
            Ok(rewritten)
        };
        moved().map_err(|error: git2::Error| self.storage(&error))
    }

    /// Only the followed branch keeps a ref, also after the settings named another one.
    fn prune(&self) -> Result<(), git2::Error> {
        let mut stale = Vec::new();
        for reference in self.repo.references()? {
            let reference = reference?;
            if reference.name_bytes() != self.reference.as_bytes() {
                stale.push(reference);
            }
        }
        stale.into_iter().try_for_each(|mut reference| reference.delete())
    }

    fn tip(&self, reference: &str) -> Result<Option<Oid>, git2::Error> {
        match self.repo.refname_to_id(reference) {
            Ok(oid) => Ok(Some(oid)),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn forget(&self, reference: &str) -> Result<(), git2::Error> {
        match self.repo.find_reference(reference) {
            Ok(mut found) => found.delete(),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The session knows best what went wrong; else libgit2's classes and the stage decide.
    fn explain(&self, session: &Session, error: &git2::Error, stage: Stage) -> FetchRepoError {
        let reason = printable(error.message());
        let failure = session.failure().unwrap_or_else(|| match (error.class(), stage) {
            (_, Stage::Connecting) if error.code() == ErrorCode::Auth => Failure::AuthRefused(reason.clone()),
            (ErrorClass::Os | ErrorClass::Repository | ErrorClass::Config, Stage::Connecting) => {
                Failure::Unreachable(reason.clone())
            }
            (_, Stage::Connecting) => Failure::BadReply(reason.clone()),
            (ErrorClass::Net, Stage::Receiving) => Failure::Unreachable(reason.clone()),
            (_, Stage::Receiving) => Failure::BadReply(reason.clone()),
        });
        let local_storage = matches!(
            error.class(),
            ErrorClass::Os | ErrorClass::Odb | ErrorClass::Reference | ErrorClass::Filesystem
        );
        if stage == Stage::Receiving && local_storage && session.failure().is_none() {
            return self.storage(error);
        }
        let (url, limits) = (self.settings.url.clone(), &self.settings.limits);
        match failure {
            Failure::Unreachable(reason) => FetchRepoError::Unreachable { url, reason },
            Failure::AuthRefused(reason) => FetchRepoError::AuthRefused { url, reason },
            Failure::BadReply(reason) => FetchRepoError::BadReply { url, reason },
            Failure::TimedOut => FetchRepoError::TimedOut { url, seconds: limits.fetch_time.as_secs() },
            Failure::TooManyBytes => FetchRepoError::TooBig { url, limit: limits.pack_bytes, unit: "bytes" },
            Failure::TooManyObjects => {
                FetchRepoError::TooBig { url, limit: limits.pack_objects as u64, unit: "objects" }
            }
        }
    }

    fn storage(&self, error: &git2::Error) -> FetchRepoError {
        FetchRepoError::Storage { path: self.settings.path.clone(), reason: printable(error.message()) }
    }
}

/// How far a fetch came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    Receiving,
}

/// Stops libgit2 when a limit is exceeded, whichever transport runs.
fn callbacks(session: &Arc<Session>) -> RemoteCallbacks<'static> {
    let (of_pack, of_text) = (Arc::clone(session), Arc::clone(session));
    let mut callbacks = RemoteCallbacks::new();
    callbacks.transfer_progress(move |progress| {
        of_pack.allows(progress.received_bytes() as u64, progress.total_objects())
    });
    callbacks.sideband_progress(move |_| of_text.allows(0, 0));
    callbacks
}

//! How bytes reach the remote: the address, one fetch's session, and the registration with libgit2.
//!
//! libgit2 negotiates; the connection is ours, so there is one TLS stack and one place for limits and time.
//! Must not: decide what is fetched. Called by: `mirror`.

mod endpoint;
mod http;
mod ssh;

use std::cell::RefCell;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use git2::transport::{SmartSubtransportStream, Transport};
use git2::{ErrorClass, ErrorCode};

pub(super) use endpoint::Endpoint;
pub(super) use http::client as http_client;

use super::settings::{Auth, RepoLimits};

/// Our scheme inside libgit2. Not a public one, so no user-level URL rewriting applies to it.
const SCHEME: &str = "pointsman";
/// The address libgit2 sees for every remote that goes through us; the session knows the real one.
pub(super) const INNER_URL: &str = "pointsman://remote";
/// Bytes allowed on top of the pack limit: the ref advertisement and the negotiation.
const PROTOCOL_BYTES: u64 = 8 * 1024 * 1024;

/// Why a connection failed, in terms the mirror turns into its own error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    Unreachable(String),
    AuthRefused(String),
    TooManyBytes,
    TooManyObjects,
    TimedOut,
    BadReply(String),
}

/// One fetch: where to, with what, until when; and what went wrong.
pub(super) struct Session {
    pub(super) endpoint: Endpoint,
    pub(super) auth: Auth,
    pub(super) client: Option<reqwest::blocking::Client>,
    limits: RepoLimits,
    deadline: Instant,
    record: Mutex<Record>,
}

#[derive(Default)]
struct Record {
    bytes: u64,
    failure: Option<Failure>,
}

impl Session {
    pub(super) fn new(
        endpoint: Endpoint,
        auth: Auth,
        client: Option<reqwest::blocking::Client>,
        limits: RepoLimits,
    ) -> Arc<Self> {
        let deadline = Instant::now() + limits.fetch_time;
        Arc::new(Self { endpoint, auth, client, limits, deadline, record: Mutex::default() })
    }

    /// Time left; zero when the fetch is over its limit.
    pub(super) fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Bytes received through our own connections.
    pub(super) fn bytes(&self) -> u64 {
        self.record().bytes
    }

    /// The first failure: later ones only follow from it.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.record().failure.clone()
    }

    /// Records a failure and gives the error that makes libgit2 stop. Its text is fixed: foreign text may hold bytes
    /// that libgit2's bindings cannot carry.
    pub(super) fn fail(&self, failure: Failure) -> git2::Error {
        self.record().failure.get_or_insert(failure);
        git2::Error::new(ErrorCode::User, ErrorClass::Net, "the connection was given up")
    }

    fn fail_io(&self, failure: Failure) -> io::Error {
        self.record().failure.get_or_insert(failure);
        io::Error::other("the connection was given up")
    }

    /// Counts received bytes against the limits of size and time.
    fn received(&self, bytes: usize) -> io::Result<usize> {
        let total = {
            let mut record = self.record();
            record.bytes += bytes as u64;
            record.bytes
        };
        if total > self.limits.pack_bytes.saturating_add(PROTOCOL_BYTES) {
            return Err(self.fail_io(Failure::TooManyBytes));
        }
        if self.remaining().is_zero() {
            return Err(self.fail_io(Failure::TimedOut));
        }
        Ok(bytes)
    }

    /// Checks what libgit2 reports about the pack; `false` makes it stop.
    pub(super) fn allows(&self, pack_bytes: u64, pack_objects: usize) -> bool {
        let failure = if pack_bytes > self.limits.pack_bytes {
            Failure::TooManyBytes
        } else if pack_objects > self.limits.pack_objects {
            Failure::TooManyObjects
        } else if self.remaining().is_zero() {
            Failure::TimedOut
        } else {
            return true;
        };
        self.record().failure.get_or_insert(failure);
        false
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

thread_local! {
    /// The fetch that runs on this thread. libgit2 calls the factory on the thread that fetches.
    static CURRENT: RefCell<Option<Arc<Session>>> = const { RefCell::new(None) };
}

/// Makes `session` the one that connections opened by this thread belong to, until the guard is dropped.
pub(super) fn enter(session: &Arc<Session>) -> Entered {
    CURRENT.with_borrow_mut(|current| *current = Some(Arc::clone(session)));
    Entered
}

/// Ends the session's hold on the thread.
pub(super) struct Entered;

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.with_borrow_mut(|current| *current = None);
    }
}

/// Registers our transport with libgit2, once per process.
#[expect(unsafe_code, reason = "git2 offers no safe way to register a transport; see SAFETY")]
pub(super) fn register() -> Result<(), String> {
    static REGISTERED: OnceLock<Result<(), String>> = OnceLock::new();
    REGISTERED
        .get_or_init(|| {
            // SAFETY: registration must not run at the same time as the creation of another transport. Transports
            // are created by fetches, fetches need an open mirror, and every mirror passes here first: the cell
            // lets the first caller register while all others wait. Nothing else in the program registers one.
            unsafe { git2::transport::register(SCHEME, connect) }.map_err(|error| error.message().to_owned())
        })
        .clone()
}

fn connect(remote: &git2::Remote<'_>) -> Result<Transport, git2::Error> {
    let session = CURRENT
        .with_borrow(Clone::clone)
        .ok_or_else(|| git2::Error::from_str("a fetch outside of a mirror"))?;
    if matches!(session.endpoint, Endpoint::Http(_)) {
        Transport::smart(remote, true, http::HttpTransport::new(session))
    } else {
        Transport::smart(remote, false, ssh::SshTransport::new(session))
    }
}

type Stream = Box<dyn SmartSubtransportStream>;

/// Both transports only ever fetch.
fn refuse_push<T>(session: &Session) -> Result<T, git2::Error> {
    Err(session.fail(Failure::BadReply("a push was asked for, but mirrors only fetch".to_owned())))
}

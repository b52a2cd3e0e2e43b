//! The composition root: builds the parts, hands each only what it needs, and ends them in order.
//!
//! Owns: start and shutdown. Must not: decide anything. Called by `pointsman serve` and by tests that run a coordinator
//! in their own process.
//!
//! ```text
//!   repository --> repo_sync --accepts--> store <--drives-- rollout_driver --orders--> fleet --> hosts
//!                      ^                    ^                     ^                      |
//!                      +------nudges--------+----fleet_intake-----+<-----events----------+
//! ```

mod error;
mod forge;
mod name_file;
mod operations;
mod public;
mod token_file;

#[cfg(test)]
mod tests;

pub use error::ServeError;
pub use forge::ForgeSide;
pub use operations::OperatorActions;

use crate::api::TokenMaker;
use crate::fleet::{self, FleetEvent, FleetHandle, FleetParts, FleetServer, FleetSettings};
use crate::settings::Settings;
use crate::store::Db;
use crate::store::writer::{self, Writer};
use crate::tasks::confirm::Confirmations;
use crate::tasks::fleet_intake::{self, IntakeParts, ProgressBoard};
use crate::tasks::identities::{self, StoredIdentities};
use crate::tasks::lease::{LeaseHandle, LeaseTask};
use crate::tasks::proposals::Reviewer;
use crate::tasks::repo_sync::{MirrorThread, RepoHandle, RepoSignals, SyncParts};
use crate::tasks::retention;
use crate::tasks::rollout_driver::{self, DriverParts, RolloutHandle, SentLog};
use crate::tasks::wall_now;
use crate::tasks::witness::{LateFleet, Witnesses};
use crate::trust::{Authority, AuthorityFiles, OrderKey, ServerCertificate, TokenKey};
use model::{Millis, Secret};
use public::Public;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// One day, in milliseconds.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// The operator is warned so long before the authority's intermediate certificate ends.
const INTERMEDIATE_WARNING: Millis = Millis(60 * DAY_MS);
/// How long a part may take to end after it was told to.
const END_LIMIT: Duration = Duration::from_secs(10);

/// What the operators' interface and tests may use of a running coordinator.
#[derive(Clone)]
pub struct Parts {
    /// The database.
    pub db: Db,
    /// The live hosts.
    pub fleet: FleetHandle,
    /// Has the repository looked at, and tells how it stands with it.
    pub nudge_repo: RepoHandle,
    /// Pauses, resumes and aborts rollouts.
    pub driver: RolloutHandle,
    /// Whether this coordinator leads.
    pub lease: LeaseHandle,
    /// How far hosts are with their orders.
    pub progress: ProgressBoard,
    /// Reviews what is not merged yet.
    pub reviewer: Reviewer,
    /// What speaks with the forge.
    pub forge: ForgeSide,
    /// The settings.
    pub settings: Arc<Settings>,
    /// The operators' token.
    pub operator_token: Secret,
}

/// Where a running coordinator listens.
#[derive(Debug, Clone, Copy)]
struct Addresses {
    agents: SocketAddr,
    operators: SocketAddr,
    metrics: Option<SocketAddr>,
}

/// A running coordinator.
pub struct App {
    parts: Parts,
    addresses: Addresses,
    stop: watch::Sender<bool>,
    server: FleetServer,
    writer: Writer,
    tasks: Vec<(&'static str, JoinHandle<()>)>,
    intake: JoinHandle<()>,
    writing: JoinHandle<()>,
    leading: Leading,
}

/// The lease task, which ends last: what leads has ended before another coordinator may begin.
struct Leading {
    task: JoinHandle<()>,
    stop: watch::Sender<bool>,
}

impl Leading {
    async fn start(db: &Db, settings: &Settings) -> Result<(Self, LeaseHandle), ServeError> {
        let name = name_file::read_or_make(settings)?;
        let (task, lease) = LeaseTask::begin(db.clone(), &name).await;
        let (stop, stopped) = watch::channel(false);
        Ok((Self { task: task.spawn(stopped), stop }, lease))
    }
}

/// Runs a coordinator until the process is told to end (SIGTERM, or an interrupt from the keyboard).
pub async fn serve(settings: Settings) -> Result<(), ServeError> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .map_err(ServeError::System)?;
    let app = App::start(settings).await?;
    tracing::info!(agents = %app.addresses.agents, operators = %app.addresses.operators, "the coordinator is ready");
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(ServeError::System)?,
    }
    tracing::info!("the coordinator is ending");
    app.shutdown().await;
    Ok(())
}

impl App {
    /// Starts everything; when a part cannot be started, none stays behind.
    pub async fn start(settings: Settings) -> Result<Self, ServeError> {
        let settings = Arc::new(settings);
        let forge = forge::open(&settings)?;
        let ground = Ground::open(&settings).await?;
        let Ground { operator_token, authority, token_key, order_key, certificate, .. } = ground;
        let Ground { agents, public, db, mirror, .. } = ground;
        let (operators, metrics) = public.addresses()?;
        let (leading, lease) = Leading::start(&db, &settings).await?;
        let (stop, stopped) = watch::channel(false);
        let (writer, writing) = writer::spawn(db.clone());
        let sent = SentLog::default();
        let peers = Arc::new(LateFleet::default());
        let witnesses = Witnesses::new(db.clone(), Arc::<LateFleet>::clone(&peers));
        let authority_fingerprint = authority.fingerprint();
        let fleet_parts = FleetParts {
            authority,
            certificate,
            order_key: Arc::clone(&order_key),
            identities: Arc::new(StoredIdentities::new(db.clone(), token_key.clone())),
            confirm: Arc::new(Confirmations::new(db.clone(), sent.clone(), witnesses)),
            leads: lease.leads(),
        };
        let (server, fleet, events) = start_fleet(agents, &settings, fleet_parts)?;
        peers.started(fleet.clone());
        let signals = RepoSignals::default();
        let nudge_repo = signals.handle();
        let driver_parts = driver_parts(&db, &lease, &fleet, sent, order_key, &signals);
        let (driver, driving) = rollout_driver::spawn(driver_parts, stopped.clone());
        let progress = ProgressBoard::default();
        let intake_parts = intake_parts(&db, &writer, &fleet, &driver, &nudge_repo, &progress);
        let intake = tokio::spawn(fleet_intake::run(intake_parts, events));
        let poll = settings.repository.poll;
        let reviewer = Reviewer::new(db.clone(), mirror.clone());
        let sync_parts = SyncParts { db: db.clone(), lease: lease.clone(), mirror, rollouts: driver.clone() };
        let syncing = signals.spawn(sync_parts, poll, stopped.clone());
        let mut tasks = vec![("repository task", syncing), ("rollout driver", driving)];
        tasks.extend(side_tasks(&db, &fleet, &writer, &lease, &stopped));
        let (forge, following) = forge::start(forge, (&db, &lease), &reviewer, &nudge_repo, stopped.clone());
        tasks.push(("pull request task", following));
        let parts = Parts {
            db,
            fleet,
            nudge_repo,
            driver,
            lease,
            progress,
            reviewer,
            forge,
            settings,
            operator_token,
        };
        let token_maker = Arc::new(TokenMaker { key: token_key, authority_fingerprint });
        tasks.splice(0..0, public.serve(&parts, token_maker, &stopped)?);
        let addresses = Addresses { agents: server.local_address(), operators, metrics };
        Ok(Self { parts, addresses, stop, server, writer, tasks, intake, writing, leading })
    }

    /// What the operators' interface and tests may use.
    #[must_use]
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Where agents connect.
    #[must_use]
    pub fn agents_address(&self) -> SocketAddr {
        self.addresses.agents
    }

    /// Where operators connect.
    #[must_use]
    pub fn operators_address(&self) -> SocketAddr {
        self.addresses.operators
    }

    /// Where the metrics are, if they are wanted.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.addresses.metrics
    }

    /// Ends everything: first what makes work, then the agents' port, then what stores, then the database.
    pub async fn shutdown(self) {
        let Self { parts, stop, server, writer, tasks, intake, writing, leading, .. } = self;
        stop.send_replace(true);
        for (name, task) in tasks {
            end(name, task).await;
        }
        server.shutdown().await;
        end("fleet intake", intake).await;
        let Parts { db, .. } = parts;
        drop(writer);
        end("store writer", writing).await;
        leading.stop.send_replace(true);
        end("lease", leading.task).await;
        db.close().await;
    }
}

fn driver_parts(
    db: &Db,
    lease: &LeaseHandle,
    fleet: &FleetHandle,
    sent: SentLog,
    order_key: Arc<OrderKey>,
    signals: &RepoSignals,
) -> DriverParts {
    let dispatch = Arc::new(fleet.clone());
    DriverParts {
        db: db.clone(),
        lease: lease.clone(),
        dispatch,
        sent,
        order_key,
        repo_nudge: signals.nudge(),
    }
}

fn intake_parts(
    db: &Db,
    writer: &Writer,
    fleet: &FleetHandle,
    driver: &RolloutHandle,
    repo: &RepoHandle,
    progress: &ProgressBoard,
) -> IntakeParts {
    IntakeParts {
        db: db.clone(),
        writer: writer.clone(),
        fleet: Arc::new(fleet.clone()),
        rollouts: driver.clone(),
        repo: repo.clone(),
        progress: progress.clone(),
    }
}

fn start_fleet(
    agents: TcpListener,
    settings: &Settings,
    parts: FleetParts,
) -> Result<(FleetServer, FleetHandle, mpsc::Receiver<FleetEvent>), ServeError> {
    let limits = FleetSettings { heartbeat: settings.heartbeat, ..FleetSettings::default() };
    fleet::start(agents, limits, parts).map_err(|error| ServeError::Fleet(error.to_string()))
}

/// Tasks that look after what is stored, apart from changes.
fn side_tasks(
    db: &Db,
    fleet: &FleetHandle,
    writer: &Writer,
    lease: &LeaseHandle,
    stopped: &watch::Receiver<bool>,
) -> [(&'static str, JoinHandle<()>); 3] {
    let seeing = fleet_intake::flush_last_seen(fleet.clone(), writer.clone(), stopped.clone());
    let watching = identities::watch(db.clone(), fleet.clone(), stopped.clone());
    let retaining = retention::run(db.clone(), lease.clone(), stopped.clone());
    [
        ("last seen task", tokio::spawn(seeing)),
        ("identity watch", tokio::spawn(watching)),
        ("retention task", tokio::spawn(retaining)),
    ]
}

/// What a start finds or opens outside of the process.
struct Ground {
    operator_token: Secret,
    authority: Arc<Authority>,
    token_key: TokenKey,
    order_key: Arc<OrderKey>,
    certificate: ServerCertificate,
    agents: TcpListener,
    public: Public,
    db: Db,
    mirror: MirrorThread,
}

impl Ground {
    async fn open(settings: &Settings) -> Result<Self, ServeError> {
        make_state_dir(&settings.state_dir)?;
        let operator_token = token_file::read_or_make(&settings.operator_token_file())?;
        let files = settings.authority_files();
        let authority = Arc::new(open_authority(settings, &files)?);
        let token_key = files.token_key()?;
        let order_key = Arc::new(files.order_key(&settings.order_key_file())?);
        let certificate = authority.issue_server(&settings.server_names, wall_now())?;
        let agents = listen("listen_agents", settings.listen_agents).await?;
        let public = Public::listen(settings, &authority).await?;
        let db = Db::open(settings.database_url.expose()).await?;
        let mirror = MirrorThread::open(settings.mirror()).await?;
        Ok(Self { operator_token, authority, token_key, order_key, certificate, agents, public, db, mirror })
    }
}

async fn end(name: &'static str, mut task: JoinHandle<()>) {
    match tokio::time::timeout(END_LIMIT, &mut task).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(name, %error, "a part of the coordinator failed"),
        Err(_) => {
            tracing::warn!(name, "a part of the coordinator did not end in time");
            task.abort();
        }
    }
}

fn make_state_dir(dir: &Path) -> Result<(), ServeError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|source| ServeError::StateDir { path: dir.to_owned(), source })
}

/// Opens the authority; the very first start makes it.
fn open_authority(settings: &Settings, files: &AuthorityFiles) -> Result<Authority, ServeError> {
    let now = wall_now();
    if !files.exist() {
        tracing::info!("first start: making the certificate authority");
        files.create(&settings.trust_domain, None, now)?;
    }
    let authority = files.open_proven(now)?.with_host_certificate_life(settings.host_certificate_life);
    let expires = authority.intermediate_expires()?;
    if expires.0.saturating_sub(now.0) < INTERMEDIATE_WARNING.0 {
        tracing::warn!(
            until = %expires.0,
            "the certificate that signs hosts ends within {} days: run `pointsman ca renew`",
            INTERMEDIATE_WARNING.0 / DAY_MS
        );
    }
    if authority.trust_domain() != settings.trust_domain {
        return Err(ServeError::OtherDomain {
            found: authority.trust_domain().to_owned(),
            wanted: settings.trust_domain.clone(),
        });
    }
    Ok(authority)
}

async fn listen(key: &'static str, address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| ServeError::Listen { key, address, source })
}

//! Test material: a coordinator without agents. Real database, real Git repository, real tasks; hosts are played by the test.
//!
//! Must not: be used outside of tests.

use super::lease::{LeaseHandle, LeaseTask};
use super::proposals::Reviewer;
use super::repo_sync::{MirrorThread, RepoHandle, RepoSignals, SyncParts};
use super::rollout_driver::{self, Dispatch, DriverParts, RolloutHandle, SentLog};
use super::wall_now;
use crate::fleet::{OfferedOrder, SendOrderError};
use crate::repo::{Auth, MirrorSettings, RepoLimits};
use crate::store::changes::{self, ChangeRecord};
use crate::store::rollouts::{self, RolloutRecord};
use crate::store::{Db, hosts, observations, outcomes};
use crate::trust::AuthorityFiles;
use git2::{Repository, RepositoryInitOptions, Signature};
use model::{
    ApplyOutcome, BootId, HostFacts, HostId, Known, ObservedNetwork, ObservedVswitch, Order, OutcomeKind,
    RolloutPhase, VswitchName, Wall,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn id(text: &str) -> HostId {
    HostId::new(text).unwrap()
}

/// A host with one switch and nothing else.
pub fn observed() -> ObservedNetwork {
    let switch: ObservedVswitch = ObservedVswitch {
        mtu: Known::Read(model::Mtu::new(1500).unwrap()),
        cdp: Known::Read(model::CdpStatus::Listen),
        uplinks: Known::Read(BTreeSet::new()),
        teaming: Known::Read(model::TeamingPolicy {
            load_balancing: model::LoadBalancing::PortId,
            failure_detection: model::FailureDetection::Link,
            notify_switches: true,
            failback: true,
            uplinks: model::UplinkOrder::default(),
        }),
        security: Known::Read(model::SecurityPolicy {
            allow_promiscuous: false,
            allow_mac_change: false,
            allow_forged_transmits: false,
        }),
        shaping: Known::Read(model::ShapingPolicy::Off),
    };
    ObservedNetwork {
        taken_at: Wall(1),
        facts: HostFacts { boot_id: BootId("boot".to_owned()), ..HostFacts::default() },
        management_vmk: Known::Read(None),
        vswitches: Known::Read(BTreeMap::from([(VswitchName::new("vSwitch0").unwrap(), switch)])),
        port_groups: Known::Read(BTreeMap::new()),
        vmkernels: Known::Read(BTreeMap::new()),
        nics: Known::Read(BTreeMap::new()),
        netstacks: Known::Read(BTreeMap::new()),
        vms: Known::Read(Vec::new()),
        dvs: Known::Read(Vec::new()),
    }
}

/// The documents of one group with these hosts and this network.
pub fn documents(hosts: &[&str], network: &str) -> Vec<(String, String)> {
    let group = format!(
        "members: {{hosts: [{}]}}\nrollout: {{soak_secs: 0, waves: [], max_parallel: 2}}\n",
        hosts.join(", ")
    );
    vec![
        ("pointsman.yaml".to_owned(), "schema: 1\n".to_owned()),
        ("groups/g/group.yaml".to_owned(), group),
        ("groups/g/network.yaml".to_owned(), network.to_owned()),
    ]
}

/// A network with one port group on this VLAN.
pub fn web(vlan: u16) -> String {
    format!("port_groups: {{web: {{vswitch: vSwitch0, vlan: {vlan}}}}}\n")
}

/// An RFC document; `more` is added to its front matter.
pub fn rfc(number: u32, more: &str) -> (String, String) {
    let text = format!(
        "---\nrfc: {number}\ntitle: Add a port group\ntype: normal\nstatus: proposed\nauthors: [ann]\n\
         reason: The web servers of the new shop need a network of their own.\n{more}---\n# Words\n"
    );
    (format!("rfcs/{number:04}-web.md"), text)
}

/// Hosts that are connected, and the orders they get.
pub struct FakeFleet {
    connected: Mutex<BTreeSet<HostId>>,
    orders: mpsc::UnboundedSender<OfferedOrder>,
}

impl Dispatch for FakeFleet {
    fn connected(&self, host: &HostId) -> bool {
        self.connected.lock().unwrap().contains(host)
    }

    fn send_order(&self, host: &HostId, order: OfferedOrder) -> Result<(), SendOrderError> {
        if !self.connected(host) {
            return Err(SendOrderError::NotConnected);
        }
        self.orders.send(order).map_err(|_| SendOrderError::NotConnected)
    }
}

/// The repository that plays the forge.
pub struct Forge {
    dir: TempDir,
    repo: Repository,
}

impl Forge {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let mut options = RepositoryInitOptions::new();
        let repo =
            Repository::init_opts(dir.path(), options.bare(true).initial_head("refs/heads/main")).unwrap();
        Self { dir, repo }
    }

    /// Commits these files as the whole tree; gives the commit.
    pub fn commit(&self, files: &[(String, String)]) -> String {
        self.commit_on("refs/heads/main", files)
    }

    /// Commits on top of the main branch, but moves another ref there.
    pub fn commit_on(&self, reference: &str, files: &[(String, String)]) -> String {
        let mut index = git2::Index::new().unwrap();
        for (path, text) in files {
            let blob = self.repo.blob(text.as_bytes()).unwrap();
            let entry = git2::IndexEntry {
                ctime: git2::IndexTime::new(0, 0),
                mtime: git2::IndexTime::new(0, 0),
                dev: 0,
                ino: 0,
                mode: 0o100_644,
                uid: 0,
                gid: 0,
                file_size: 0,
                id: blob,
                flags: 0,
                flags_extended: 0,
                path: path.clone().into_bytes(),
            };
            index.add(&entry).unwrap();
        }
        let tree = self.repo.find_tree(index.write_tree_to(&self.repo).unwrap()).unwrap();
        let author = Signature::now("Ann", "ann@example.net").unwrap();
        let parent = self.repo.head().ok().map(|head| head.peel_to_commit().unwrap());
        let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
        let id = self.repo.commit(None, &author, &author, "Change", &tree, &parents).unwrap();
        self.repo.reference(reference, id, true, "test").unwrap();
        id.to_string()
    }
}

/// The tasks of one coordinator process.
pub struct Tasks {
    pub driver: RolloutHandle,
    pub repo: RepoHandle,
    pub sent: SentLog,
    mirror: Option<MirrorThread>,
    pub lease: LeaseHandle,
    stop: watch::Sender<bool>,
    running: Vec<JoinHandle<()>>,
}

/// Everything.
pub struct World {
    pub db: Db,
    pub forge: Forge,
    pub fleet: Arc<FakeFleet>,
    pub tasks: Tasks,
    orders: mpsc::UnboundedReceiver<OfferedOrder>,
    dir: TempDir,
}

impl World {
    /// A coordinator with an empty repository and these hosts enrolled, read and connected.
    pub async fn new(names: &[&str]) -> Self {
        let dir = TempDir::new().unwrap();
        let db = Db::open(&format!("sqlite://{}", dir.path().join("p.db").display())).await.unwrap();
        let (sender, orders) = mpsc::unbounded_channel();
        let fleet = Arc::new(FakeFleet { connected: Mutex::default(), orders: sender });
        let forge = Forge::new();
        let tasks = start(&db, &fleet, mirror_settings(&dir, &forge)).await;
        let world = Self { db, forge, fleet, tasks, orders, dir };
        for name in names {
            world.enrol(name).await;
            world.observe(name).await;
            world.connect(name).await;
        }
        world
    }

    pub fn reviewer(&self) -> Reviewer {
        Reviewer::new(self.db.clone(), self.tasks.mirror.clone().unwrap())
    }

    pub async fn enrol(&self, name: &str) {
        let mut tx = self.db.begin().await.unwrap();
        hosts::enrol(&mut tx, &id(name), None, wall_now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub async fn observe(&self, name: &str) {
        let mut tx = self.db.begin().await.unwrap();
        observations::record(&mut tx, &id(name), &observed(), "hash", wall_now()).await.unwrap();
        tx.commit().await.unwrap();
        self.tasks.repo.observed();
    }

    pub async fn connect(&self, name: &str) {
        self.fleet.connected.lock().unwrap().insert(id(name));
        self.tasks.driver.host_connected(&id(name)).await;
    }

    pub async fn disconnect(&self, name: &str) {
        self.fleet.connected.lock().unwrap().remove(&id(name));
        self.tasks.driver.host_disconnected(&id(name)).await;
    }

    /// Kills the tasks and starts them again.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.tasks = start(&self.db, &self.fleet, mirror_settings(&self.dir, &self.forge)).await;
    }

    pub async fn stop(&mut self) {
        self.tasks.mirror = None;
        self.tasks.stop.send_replace(true);
        for task in self.tasks.running.drain(..) {
            task.await.unwrap();
        }
    }

    /// Commits, and waits until the commit was dealt with.
    pub async fn push(&self, files: &[(String, String)]) -> ChangeRecord {
        let commit = self.forge.commit(files);
        self.tasks.repo.nudge();
        self.change_of(&commit).await
    }

    pub async fn change_of(&self, commit: &str) -> ChangeRecord {
        eventually("the commit is dealt with", async || changes::by_commit(&self.db, commit).await.unwrap())
            .await
    }

    /// The next order of any host.
    pub async fn order(&mut self) -> Order {
        read_order(&self.offer().await)
    }

    /// The next order of any host, with its proof.
    pub async fn offer(&mut self) -> OfferedOrder {
        tokio::time::timeout(PATIENCE, self.orders.recv()).await.expect("an order").unwrap()
    }

    /// Orders that went out and were not looked at.
    pub fn unread_orders(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.orders.try_recv().ok())
            .map(|order| read_order(&order).host.to_string())
            .collect()
    }

    /// The host ends its order.
    pub async fn end(&self, order: &Order, kind: OutcomeKind) {
        let outcome = self.record(order, kind).await;
        self.tasks.driver.host_ended(&order.host, outcome).await;
    }

    /// The outcome is stored, but nobody tells the driver.
    pub async fn record(&self, order: &Order, kind: OutcomeKind) -> ApplyOutcome {
        let outcome = ApplyOutcome {
            change: order.change.clone(),
            generation: order.generation,
            kind,
            steps_run: 1,
            esxcli_calls: 2,
            approval: None,
        };
        let mut tx = self.db.begin().await.unwrap();
        outcomes::record(&mut tx, &order.host, &outcome, wall_now()).await.unwrap();
        tx.commit().await.unwrap();
        outcome
    }

    /// Plays hosts that commit whatever they are ordered, until the rollout of the change is over.
    pub async fn commit_all(&mut self, change: &ChangeRecord) -> Vec<String> {
        let rollout = rollouts::of_change(&self.db, &change.id).await.unwrap().unwrap();
        let mut hosts = Vec::new();
        for _ in 0..rollout_hosts(&rollout) {
            let order = self.order().await;
            assert_eq!(order.change, change.id);
            hosts.push(order.host.to_string());
            self.end(&order, OutcomeKind::Committed).await;
        }
        self.phase(change, RolloutPhase::Completed).await;
        hosts
    }

    /// Waits until the rollout of the change is in this phase.
    pub async fn phase(&self, change: &ChangeRecord, phase: RolloutPhase) -> RolloutRecord {
        eventually("the rollout gets there", async || {
            let record = rollouts::of_change(&self.db, &change.id).await.unwrap();
            record.filter(|record| record.phase == phase)
        })
        .await
    }
}

pub fn read_order(offer: &OfferedOrder) -> Order {
    serde_json::from_slice(&offer.order_json).unwrap()
}

fn rollout_hosts(rollout: &RolloutRecord) -> usize {
    let state: engine::rollout::RolloutState = serde_json::from_value(rollout.state.clone()).unwrap();
    state.waves().iter().map(|wave| wave.hosts.len()).sum()
}

/// Waits for a value.
pub async fn eventually<T>(what: &str, probe: impl AsyncFn() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(Instant::now() < until, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn mirror_settings(dir: &TempDir, forge: &Forge) -> MirrorSettings {
    MirrorSettings {
        path: PathBuf::from(dir.path()).join("mirror"),
        url: format!("file://{}", forge.dir.path().display()),
        branch: "main".to_owned(),
        auth: Auth::None,
        limits: RepoLimits::default(),
    }
}

async fn start(db: &Db, fleet: &Arc<FakeFleet>, mirror: MirrorSettings) -> Tasks {
    let mirror_dir = mirror.path.parent().unwrap().to_owned();
    // The thread of the process before may hold the mirror for a moment.
    let mirror =
        eventually("the mirror is free", async || MirrorThread::open(mirror.clone()).await.ok()).await;
    let (stop, stopped) = watch::channel(false);
    let (lease_task, lease) = LeaseTask::begin(db.clone(), "test").await;
    let (signals, of_tasks) = (RepoSignals::default(), mirror.clone());
    let repo = signals.handle();
    let sent = SentLog::default();
    let dispatch: Arc<dyn Dispatch> = Arc::<FakeFleet>::clone(fleet);
    let order_key =
        Arc::new(AuthorityFiles::new(&mirror_dir, None).order_key(&mirror_dir.join("order.key")).unwrap());
    let parts = DriverParts {
        db: db.clone(),
        lease: lease.clone(),
        dispatch,
        sent: sent.clone(),
        order_key,
        repo_nudge: signals.nudge(),
    };
    let (driver, driving) = rollout_driver::spawn(parts, stopped.clone());
    let parts = SyncParts { db: db.clone(), lease: lease.clone(), mirror, rollouts: driver.clone() };
    let syncing = signals.spawn(parts, Duration::from_secs(3600), stopped.clone());
    let running = vec![driving, syncing, lease_task.spawn(stopped)];
    Tasks { driver, repo, sent, mirror: Some(of_tasks), lease, stop, running }
}

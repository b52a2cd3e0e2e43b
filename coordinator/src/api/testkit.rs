//! A router on a real database in a temporary folder, with actions that only remember. For tests of the API and verbs.

use super::{
    ApiParts, DoneFuture, Live, Operations, RolloutCommand, SteerError, SteerFuture, Tally, Term, TokenMaker,
    Transport, router,
};
use crate::fleet::LiveHost;
use crate::people::oidc::OidcProvider;
use crate::people::{People, Role, UserName, fresh_secret, hash_of};
use crate::release;
use crate::store::changes::{self, Acceptance, NewChange};
use crate::store::hosts::{self, HostStatus, KnownHost};
use crate::store::identities::{self, EnrolmentRequest, RequestSource, RequestStatus};
use crate::store::plans::NewPlan;
use crate::store::rfcs::{NewRfc, RfcState};
use crate::store::rollouts::{self, NewRollout, RolloutUpdate};
use crate::store::sessions::{self, SessionKind, SessionRecord};
use crate::store::users::{self, Account, NewUser};
use crate::store::{Db, observations, outcomes};
use crate::tasks::lease::{Lead, StandsBy};
use crate::tasks::wall_now;
use crate::tasks::window::Extension;
use crate::trust::AuthorityFiles;
use axum::Router;
use model::{
    ApplyOutcome, ApproverRotation, ApproverSet, ChangeId, DesiredNetwork, Disruption, Generation,
    HostGroupId, HostId, KeyFingerprint, Millis, ObservedNetwork, Operation, OutcomeKind, Plan, ProbePlan,
    RolloutId, RolloutPhase, RolloutSpec, Secret, Step, Wall, Wave,
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The operator's token of every rig.
pub const TOKEN: &str = "a-long-operator-token";

#[derive(Default)]
struct Remembered(Mutex<Vec<String>>);

impl Operations for Remembered {
    fn nudge_repository(&self) -> Result<(), StandsBy> {
        self.0.lock().unwrap().push("nudge".to_owned());
        Ok(())
    }

    fn term(&self) -> Term {
        Term { coordinator: "one".to_owned(), lead: Lead::Holds { epoch: 1 } }
    }

    fn extend(&self, extension: Extension) -> SteerFuture<'_> {
        let Extension { rollout, host, secs, actor, reason } = extension;
        Box::pin(async move {
            if host.as_str() == "idle" {
                return Err(SteerError::Conflict("host `idle` has no open window".to_owned()));
            }
            self.0.lock().unwrap().push(format!("extend {rollout} {host} {secs} by {actor}: {reason}"));
            Ok(())
        })
    }

    fn approvals_changed(&self) -> DoneFuture<'_> {
        Box::pin(async { self.0.lock().unwrap().push("approvals changed".to_owned()) })
    }

    fn offer_approvers(&self, hosts: &[HostId], rotation: &ApproverRotation) {
        let _ = rotation;
        self.0.lock().unwrap().push(format!("offer approvers to {}", hosts.len()));
    }

    fn steer(
        &self,
        rollout: RolloutId,
        command: RolloutCommand,
        actor: String,
        reason: String,
    ) -> SteerFuture<'_> {
        Box::pin(async move {
            if command == RolloutCommand::Resume {
                return Err(SteerError::Conflict("cannot resume: it is pending".to_owned()));
            }
            self.0.lock().unwrap().push(format!("{} {rollout} by {actor}: {reason}", command.as_str()));
            Ok(())
        })
    }
}

struct Nobody;

impl Live for Nobody {
    fn hosts(&self) -> Vec<LiveHost> {
        Vec::new()
    }
}

/// A router and what is behind it.
pub struct Rig {
    runtime: Runtime,
    dir: TempDir,
    parts: ApiParts,
    remembered: Arc<Remembered>,
    router: Router,
    url: Option<String>,
}

impl Rig {
    pub fn new() -> Self {
        Self::with(None)
    }

    /// A rig with an OIDC provider.
    pub fn with(oidc: Option<OidcProvider>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let db = runtime.block_on(Db::open(&format!("sqlite://{}/api.db", dir.path().display()))).unwrap();
        let remembered = Arc::new(Remembered::default());
        let operations: Arc<dyn Operations> = remembered.clone();
        let files = AuthorityFiles::new(&dir.path().join("ca"), None);
        let authority = files.create("pointsman.test", None, wall_now()).unwrap();
        let parts = ApiParts {
            db: db.clone(),
            live: Arc::new(Nobody),
            operations,
            people: People::new(db.clone(), Secret::new(TOKEN), oidc),
            transport: Transport::Plain,
            tally: Arc::new(Tally::default()),
            token_maker: Arc::new(TokenMaker {
                key: files.token_key().unwrap(),
                authority_fingerprint: authority.fingerprint(),
            }),
        };
        Self { runtime, dir, parts: parts.clone(), remembered, router: router(parts), url: None }
    }

    /// A rig that also listens.
    pub fn serving() -> Self {
        Self::serving_with(None)
    }

    /// A rig with an OIDC provider that also listens.
    pub fn serving_with(oidc: Option<OidcProvider>) -> Self {
        let mut rig = Self::with(oidc);
        let listener = rig.runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        rig.url = Some(format!("http://{}", listener.local_addr().unwrap()));
        let router = rig.router.clone();
        rig.runtime.spawn(async move { axum::serve(listener, router).await });
        rig
    }

    pub fn parts(&self) -> &ApiParts {
        &self.parts
    }

    /// The secret of a session of a user with this role, who is made when missing.
    pub fn session(&self, role: Role, kind: SessionKind) -> String {
        let name: UserName = format!("the-{role}").parse().unwrap();
        let secret = fresh_secret("pointsman-session-").unwrap();
        let now = wall_now();
        self.wait(async {
            let db = &self.parts.db;
            let mut tx = db.begin().await.unwrap();
            if users::get(db, &name).await.unwrap().is_none() {
                let user = NewUser {
                    name: name.clone(),
                    account: Account::Local { password: "none fits".to_owned() },
                    email: Some(format!("{role}@example.net")),
                    roles: BTreeSet::from([role]),
                    created_by: "test".to_owned(),
                    created: now,
                };
                users::create(&mut tx, &user).await.unwrap();
            }
            let session = SessionRecord {
                hash: hash_of(&secret),
                user: name,
                kind,
                source: "test".to_owned(),
                created: now,
                last_seen: now,
                expires: now.plus(Millis::from_secs(60)),
            };
            sessions::create(&mut tx, &session).await.unwrap();
            tx.commit().await.unwrap();
        });
        secret.expose().to_owned()
    }

    pub fn url(&self) -> String {
        self.url.clone().unwrap()
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn router(&self) -> Router {
        self.router.clone()
    }

    pub fn actions(&self) -> Vec<String> {
        self.remembered.0.lock().unwrap().clone()
    }

    pub fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Makes hosts known, in group `prod`.
    pub fn add_hosts(&self, names: &[&str]) {
        self.add_hosts_of("prod", names);
    }

    pub fn add_hosts_of(&self, group: &str, names: &[&str]) {
        let known: Vec<KnownHost> = names
            .iter()
            .map(|name| KnownHost {
                id: HostId::new(*name).unwrap(),
                group: HostGroupId::new(group).unwrap(),
                labels: BTreeMap::new(),
            })
            .collect();
        self.wait(async {
            let mut tx = self.parts.db.begin().await.unwrap();
            hosts::upsert_known_hosts(&mut tx, &BTreeMap::new(), &known, Wall(1)).await.unwrap();
            tx.commit().await.unwrap();
        });
    }

    /// A host asks to be let in.
    pub fn request_enrolment(&self, host: &str) {
        let now = wall_now();
        let request = EnrolmentRequest {
            host: HostId::new(host).unwrap(),
            key: KeyFingerprint::from_digest(&[3; 32]),
            source: RequestSource::Token,
            token_hash: Some("t".into()),
            system_uuid: None,
            group: None,
            remote: "192.0.2.1:7".into(),
            status: RequestStatus::Pending,
            created: now,
            expires: now.plus(model::Millis(60_000)),
        };
        self.wait(async {
            let mut tx = self.parts.db.begin().await.unwrap();
            identities::ask(&mut tx, &request).await.unwrap();
            tx.commit().await.unwrap();
        });
    }

    pub fn observe(&self, host: &str, network: &ObservedNetwork) {
        let host = HostId::new(host).unwrap();
        self.wait(async {
            let mut tx = self.parts.db.begin().await.unwrap();
            observations::record(&mut tx, &host, network, "hash-1", Wall(2)).await.unwrap();
            tx.commit().await.unwrap();
        });
    }

    /// An accepted change of RFC 7 with a rollout of one host per wave.
    pub fn add_change(&self, name: &str, on: &[&str]) {
        self.add_change_of("prod", name, on);
    }

    pub fn add_change_of(&self, group: &str, name: &str, on: &[&str]) {
        self.add_hosts_of(group, on);
        self.accept(&acceptance(name, on));
    }

    /// A change that this author committed, as `Name <e-mail>`.
    pub fn add_change_by(&self, author: &str, name: &str, on: &[&str]) {
        self.add_hosts(on);
        let mut acceptance = acceptance(name, on);
        author.clone_into(&mut acceptance.change.author);
        self.accept(&acceptance);
    }

    fn accept(&self, acceptance: &Acceptance) {
        self.wait(async {
            let mut tx = self.parts.db.begin().await.unwrap();
            changes::accept_change(&mut tx, acceptance, "task:test").await.unwrap();
            tx.commit().await.unwrap();
        });
    }

    /// Puts a host into this state, as an operator would.
    pub fn set_status(&self, host: &str, status: HostStatus) {
        let host = HostId::new(host).unwrap();
        self.wait(async {
            let mut tx = self.parts.db.begin().await.unwrap();
            identities::set_status(&mut tx, &host, status, None, Wall(9)).await.unwrap();
            tx.commit().await.unwrap();
        });
    }

    /// The host tells how it ended its order of this change, its first one.
    pub fn end_order(&self, change: &str, host: &str, kind: OutcomeKind) {
        let (host, change) = (HostId::new(host).unwrap(), ChangeId::new(change).unwrap());
        let generation = Generation(1);
        let outcome =
            ApplyOutcome { change, generation, kind, steps_run: 1, esxcli_calls: 2, approval: None };
        self.wait(async {
            let mut tx = self.parts.db.begin().await.unwrap();
            outcomes::record(&mut tx, &host, &outcome, Wall(8)).await.unwrap();
            tx.commit().await.unwrap();
        });
    }

    /// Stores an approver set as it is.
    pub fn add_approvers(&self, set: &ApproverSet) {
        self.wait(release::testkit::store(&self.parts.db, set));
    }

    pub fn end_rollout(&self, id: &str, phase: RolloutPhase) {
        let id = RolloutId::new(id).unwrap();
        let update = RolloutUpdate { phase, state: json!({}), reason: None, now: Wall(9) };
        self.wait(async {
            let mut tx = self.parts.db.begin().await.unwrap();
            rollouts::save_state(&mut tx, &id, 1, &update).await.unwrap();
            tx.commit().await.unwrap();
        });
    }
}

fn plan(host: &str) -> NewPlan {
    let set = |vlan: u64| Operation::PortGroupVlanSet {
        port_group: "VM Network".parse().unwrap(),
        vlan: model::Vlan::try_from(vlan).unwrap(),
    };
    let disruption = Disruption::TrafficLoss;
    let step = Step { operation: set(31), inverse: vec![set(30)], disruption };
    NewPlan {
        host: HostId::new(host).unwrap(),
        plan: Plan {
            digest: engine::plan::digest(std::slice::from_ref(&step)),
            steps: vec![step],
            disruption,
        },
        desired: DesiredNetwork::default(),
        esxcli_lines: vec![],
    }
}

fn acceptance(name: &str, on: &[&str]) -> Acceptance {
    let document = serde_json::from_value(json!({
        "rfc": 7, "title": "New VLAN", "type": "normal", "status": "proposed", "authors": ["a team"],
        "reason": "a new service needs a network of its own",
    }));
    Acceptance {
        change: NewChange {
            id: ChangeId::new(name).unwrap(),
            commit: format!("commit-{name}"),
            parent: None,
            author: "a team".to_owned(),
            message: "New VLAN\n\nMore.".to_owned(),
            findings: vec![],
            disruption_allowed: Disruption::TrafficLoss,
            probes: ProbePlan::default(),
            repository: "https://git.example.com/network".to_owned(),
            created: wall_now(),
        },
        rfc: Some(NewRfc {
            document: document.unwrap(),
            body: String::new(),
            state: RfcState::Merged,
            commit: format!("commit-{name}"),
            author: "a team".to_owned(),
            path: "rfcs/0007-new-vlan.md".to_owned(),
        }),
        plans: on.iter().map(|host| plan(host)).collect(),
        rollout: Some(NewRollout {
            id: RolloutId::new(format!("rollout-{name}")).unwrap(),
            spec: RolloutSpec::default(),
            phase: RolloutPhase::Pending,
            state: json!({}),
            waves: on.iter().map(|host| Wave { hosts: vec![HostId::new(*host).unwrap()] }).collect(),
        }),
    }
}

//! One look at the repository after the other: fetch, then bring the head to a decision.

use super::mirror::{MirrorThread, ReadError};
use super::{RepoStatus, SyncParts, observed_wait};
use crate::repo::{CommitId, FetchReport, Rewrite};
use crate::store::audit::{self, AuditEntry};
use crate::store::changes::{self, Acceptance, ChangeRecord, ChangeStatus, NewChange};
use crate::store::hosts::{self, HostFilter, HostStatus};
use crate::store::rfcs::{NewRfc, RfcState};
use crate::store::rollouts::{self, NewRollout, RolloutRecord};
use crate::store::{Db, StoreError, Tx, observations, witness_waivers};
use crate::tasks::lease::{LeaseHandle, StandsBy};
use crate::tasks::review::{self, HostView, Material, Review, Scope, UNREADABLE_COMMIT};
use crate::tasks::rollout_driver::{RolloutCommandError, RolloutHandle};
use crate::tasks::{PAGE_ROWS, day_of, wall_now};
use engine::rollout::RolloutState;
use model::{ChangeId, Component, Disruption, Finding, HostId, ProbePlan, RolloutId, RolloutPhase};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Who accepts and refuses.
const ACTOR: &str = "task:repo_sync";

/// Why a look did not come to its end; the next one begins again.
#[derive(Debug, thiserror::Error)]
enum SyncError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the commit cannot be read: {0}")]
    Read(#[from] ReadError),
    #[error(transparent)]
    StandsBy(#[from] StandsBy),
    #[error("the rollout before cannot be ended: {0}")]
    Supersede(#[from] RolloutCommandError),
    #[error("the review did not end: {0}")]
    Review(#[from] tokio::task::JoinError),
    #[error("an identifier cannot be made: {0}")]
    Id(#[from] model::InvalidId),
    #[error("the rollout state cannot be written: {0}")]
    State(#[from] serde_json::Error),
}

pub(super) struct Sync {
    db: Db,
    lease: LeaseHandle,
    mirror: MirrorThread,
    rollouts: RolloutHandle,
    status: watch::Sender<RepoStatus>,
    /// Head of the last fetch.
    head: Option<CommitId>,
    /// Hosts may look different since the last decision.
    hosts_changed: bool,
    /// The head was refused; another look of hosts may change that.
    refused: bool,
    /// Looks in a row that led to the same refusal.
    same_refusals: u32,
    /// No look only because of hosts before this.
    not_before: Instant,
    /// Head whose documents are without errors, while it is held.
    sound: Option<CommitId>,
}

impl Sync {
    pub(super) fn new(parts: SyncParts, status: watch::Sender<RepoStatus>) -> Self {
        let SyncParts { db, lease, mirror, rollouts } = parts;
        Self {
            db,
            lease,
            mirror,
            rollouts,
            status,
            head: None,
            hosts_changed: true,
            refused: false,
            same_refusals: 0,
            not_before: Instant::now(),
            sound: None,
        }
    }

    /// Another coordinator follows the repository.
    pub(super) fn stands_by(&self) {
        let held = "this coordinator stands by: the one that leads follows the repository".to_owned();
        self.status.send_replace(RepoStatus { held: Some(held), ..RepoStatus::default() });
    }

    /// A unit of work that nobody else's term may overtake.
    async fn begin(&self) -> Result<Tx, SyncError> {
        let mut tx = self.db.begin().await?;
        if self.lease.fence(&mut tx).await? {
            return Ok(tx);
        }
        tx.cancel().await;
        self.lease.check()?;
        Err(StandsBy { holder: None }.into())
    }

    /// Observations arrived.
    pub(super) fn hosts_changed(&mut self) {
        self.hosts_changed = true;
    }

    /// Whether an observation is worth a look before the next poll.
    pub(super) fn waits_for_hosts(&self) -> bool {
        self.refused
    }

    /// How long to wait after an observation before the next look.
    pub(super) fn observed_wait(&self) -> Duration {
        observed_wait(0).max(self.not_before.saturating_duration_since(Instant::now()))
    }

    /// Hosts look different, and it is not too early to look at that.
    fn looks_at_hosts(&self) -> bool {
        self.hosts_changed && Instant::now() >= self.not_before
    }

    /// One look.
    pub(super) async fn round(&mut self) {
        let head = match self.mirror.fetch().await {
            Some(Ok(FetchReport { head, rewritten, .. })) => {
                if let Some(rewrite) = rewritten
                    && let Err(error) = self.note_rewrite(rewrite).await
                {
                    tracing::error!(%error, "the audit entry of a rewritten branch was not stored");
                }
                self.status.send_modify(|status| {
                    status.head = head.map(|head| head.to_string());
                    status.fetched = Some(wall_now());
                    status.error = None;
                });
                head
            }
            Some(Err(error)) => {
                tracing::warn!(%error, "the configuration repository was not fetched");
                self.failed(error.to_string());
                // What was fetched before can still be held, or wait for hosts.
                self.head
            }
            None => {
                return self.failed("the thread of the mirror has ended; restart the coordinator".to_owned());
            }
        };
        if self.head != head {
            self.same_refusals = 0;
            self.not_before = Instant::now();
        }
        self.head = head;
        let Some(head) = head else { return };
        match self.consider(head).await {
            Ok(held) => self.status.send_modify(|status| status.held = held),
            Err(error) => {
                tracing::warn!(commit = %head, %error, "the head was not dealt with; trying again");
                self.failed(error.to_string());
            }
        }
    }

    /// Somebody forced the branch to another history: whatever comes of it, that it happened is on record.
    async fn note_rewrite(&self, rewrite: Rewrite) -> Result<(), StoreError> {
        let Rewrite { old, new } = rewrite;
        tracing::warn!(%old, %new, "the branch was rewritten");
        let entry = AuditEntry {
            at: wall_now(),
            actor: ACTOR.to_owned(),
            action: "repository.rewritten".to_owned(),
            subject: "repository".to_owned(),
            detail: serde_json::json!({ "old": old.to_string(), "new": new.to_string() }),
        };
        let mut tx = self.db.begin().await?;
        audit::append(&mut tx, &entry).await?;
        tx.commit().await
    }

    fn failed(&self, error: String) {
        self.status.send_modify(|status| status.error = Some(error));
    }

    /// Brings the head to a decision, or says why not yet.
    async fn consider(&mut self, head: CommitId) -> Result<Option<String>, SyncError> {
        let latest = changes::latest_accepted(&self.db).await?;
        match changes::by_commit(&self.db, &head.to_string()).await? {
            None => self.examine(head, latest).await,
            Some(known) if known.status == ChangeStatus::Refused => {
                if self.looks_at_hosts() { self.examine(head, latest).await } else { Ok(None) }
            }
            Some(_) => match latest {
                Some(latest) if commit_of(&latest) == head.to_string() => self.late_hosts(head, latest).await,
                _ => Ok(Some(
                    "the head was accepted before and another commit after it: add a new commit on top, e.g. a revert"
                        .to_owned(),
                )),
            },
        }
    }

    async fn examine(
        &mut self,
        head: CommitId,
        latest: Option<ChangeRecord>,
    ) -> Result<Option<String>, SyncError> {
        let active = rollouts::active(&self.db).await?;
        let holder = active.iter().find(|rollout| !gives_way(rollout));
        let held = holder.map(|rollout| {
            format!("rollout {} is {}; the head follows when it ends", rollout.id, rollout.phase.as_str())
        });
        if held.is_some() && self.sound == Some(head) {
            return Ok(held);
        }
        let base = latest.as_ref().and_then(base_commit);
        let material = match self.mirror.read(head, base).await {
            Ok(material) => material,
            Err(ReadError::Refused(reason)) => {
                let finding = Finding::error(UNREADABLE_COMMIT, Component::Repository, reason);
                let change = bare_change(self.mirror.name(), head, base, vec![finding])?;
                self.refuse(change, None).await?;
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        // What arrives from here on is looked at again.
        self.hosts_changed = false;
        let today = day_of(wall_now());
        let (material, documents) = tokio::task::spawn_blocking(move || {
            let documents = review::read(&material, &today);
            (material, documents)
        })
        .await?;
        if documents.findings.iter().any(Finding::is_error) {
            let change = new_change(self.mirror.name(), &material, documents.findings, &Review::nothing())?;
            self.refuse(change, None).await?;
            return Ok(None);
        }
        self.sound = Some(head);
        if held.is_some() {
            return Ok(held);
        }
        let fleet = fleet_view(&self.db).await?;
        let (material, review) = tokio::task::spawn_blocking(move || {
            let review = review::review(documents, &material, &fleet, &Scope::Commit);
            (material, review)
        })
        .await?;
        if review.is_refused() {
            let change = new_change(self.mirror.name(), &material, review.findings.clone(), &review)?;
            let rfc = review.rfc.as_ref().map(|rfc| new_rfc(rfc, &material, RfcState::Rejected));
            self.refuse(change, rfc).await?;
            return Ok(None);
        }
        let change = new_change(self.mirror.name(), &material, review.findings.clone(), &review)?;
        let rfc = review.rfc.as_ref().map(|rfc| new_rfc(rfc, &material, RfcState::Merged));
        self.accept(change, rfc, review, &active).await?;
        Ok(None)
    }

    /// Hosts that were read for the first time after the head was accepted.
    async fn late_hosts(
        &mut self,
        head: CommitId,
        latest: ChangeRecord,
    ) -> Result<Option<String>, SyncError> {
        if !self.looks_at_hosts() {
            return Ok(None);
        }
        let late = late_hosts(&self.db).await?;
        if late.is_empty() {
            self.hosts_changed = false;
            return Ok(None);
        }
        if let Some(rollout) = rollouts::active(&self.db).await?.first() {
            return Ok(Some(format!("{} new hosts wait for the end of rollout {}", late.len(), rollout.id)));
        }
        let material = self.mirror.read(head, Some(head)).await?;
        self.hosts_changed = false;
        let fleet = fleet_view(&self.db).await?;
        // The RFC of the commit itself decides who is left out; a late change before this one has none.
        let accepted = changes::by_commit(&self.db, &head.to_string()).await?;
        let number = accepted.and_then(|change| change.rfc).or(latest.rfc);
        let allowed = latest.disruption_allowed;
        let today = day_of(wall_now());
        let (material, mut review) = tokio::task::spawn_blocking(move || {
            let documents = review::read(&material, &today);
            let excluded = documents.excluded_by(number);
            let hosts = late.into_iter().filter(|host| !excluded.contains(host)).collect();
            let scope = Scope::Late { hosts, allowed };
            let review = review::review(documents, &material, &fleet, &scope);
            (material, review)
        })
        .await?;
        if review.plans.is_empty() && !review.is_refused() {
            return Ok(None);
        }
        let mut change = new_change(self.mirror.name(), &material, review.findings.clone(), &review)?;
        change.commit = self.next_name(head).await?;
        review.witnesses_waived = witness_waivers::of_change(&self.db, &latest.id).await?;
        change.probes = latest.probes;
        if review.is_refused() {
            self.refuse(change, None).await?;
        } else {
            self.accept(change, None, review, &[]).await?;
        }
        Ok(None)
    }

    /// `<commit>+2`, or the first such name that is free.
    async fn next_name(&self, head: CommitId) -> Result<String, SyncError> {
        let mut number = 2_u32;
        loop {
            let name = format!("{head}+{number}");
            match changes::by_commit(&self.db, &name).await? {
                Some(change) if change.status != ChangeStatus::Refused => number = number.saturating_add(1),
                _ => return Ok(name),
            }
        }
    }

    async fn refuse(&mut self, change: NewChange, rfc: Option<NewRfc>) -> Result<(), SyncError> {
        self.refused = true;
        let known = changes::by_commit(&self.db, &change.commit).await?;
        if known.is_some_and(|known| known.findings == change.findings) {
            self.same_refusals = self.same_refusals.saturating_add(1);
            self.not_before = Instant::now() + observed_wait(self.same_refusals);
            return Ok(());
        }
        self.same_refusals = 0;
        let errors = change.findings.iter().filter(|finding| finding.is_error()).count();
        tracing::warn!(commit = %change.commit, errors, "the commit is refused; no host is touched");
        let mut tx = self.begin().await?;
        changes::refuse_change(&mut tx, &change, rfc.as_ref(), ACTOR).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn accept(
        &mut self,
        change: NewChange,
        rfc: Option<NewRfc>,
        review: Review,
        superseded: &[RolloutRecord],
    ) -> Result<(), SyncError> {
        let commit = change.commit.clone();
        for rollout in superseded {
            let reason = format!("superseded by commit {commit}");
            match self.rollouts.abort(&rollout.id, ACTOR, &reason).await {
                Ok(_) | Err(RolloutCommandError::NotPossible { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let rollout = match review.rollout {
            Some((spec, state)) => Some(NewRollout {
                id: RolloutId::new(uuid::Uuid::now_v7().to_string())?,
                spec,
                phase: RolloutPhase::Pending,
                waves: state.waves().to_vec(),
                state: serde_json::to_value(&state)?,
            }),
            None => None,
        };
        let hosts = review.plans.len();
        let acceptance = Acceptance { change, rfc, plans: review.plans, rollout };
        let mut tx = self.begin().await?;
        hosts::upsert_known_hosts(&mut tx, &review.groups, &review.hosts, acceptance.change.created).await?;
        for rollout in superseded {
            changes::supersede(&mut tx, &rollout.change).await?;
        }
        changes::accept_change(&mut tx, &acceptance, ACTOR).await?;
        if let Some(reason) = &review.witnesses_waived {
            waive_witnesses(&mut tx, &acceptance.change, reason).await?;
        }
        tx.commit().await?;
        tracing::info!(%commit, hosts, "the commit is accepted");
        self.sound = None;
        self.refused = false;
        self.rollouts.wake().await;
        Ok(())
    }
}

/// No peer has to vouch for the change; said in the audit trail too.
async fn waive_witnesses(tx: &mut Tx, change: &NewChange, reason: &str) -> Result<(), StoreError> {
    witness_waivers::set(tx, &change.id, reason).await?;
    let entry = AuditEntry {
        at: change.created,
        actor: ACTOR.to_owned(),
        action: "change.witnesses_waived".to_owned(),
        subject: format!("change/{}", change.id),
        detail: serde_json::json!({ "author": change.author, "reason": reason }),
    };
    audit::append(tx, &entry).await.map(|_| ())
}

/// The commit of a change, also of one made later for the same commit.
fn commit_of(change: &ChangeRecord) -> &str {
    change.commit.split('+').next().unwrap_or_default()
}

/// Whether a new head may take the place of this rollout: it waits for approval, was stopped by a failure, or only waits for
/// hosts that are away, and no host is at work.
fn gives_way(rollout: &RolloutRecord) -> bool {
    if rollout.phase == RolloutPhase::Pending {
        return rollout.reason.is_some();
    }
    match serde_json::from_value::<RolloutState>(rollout.state.clone()) {
        Ok(state) => {
            let idle = state.phase() == RolloutPhase::Halted || state.is_catching_up();
            idle && state.in_flight() == 0
        }
        Err(_) => false,
    }
}

fn new_change(
    repository: &str,
    material: &Material,
    findings: Vec<Finding>,
    review: &Review,
) -> Result<NewChange, SyncError> {
    let info = &material.info;
    let author = match info.author_email.as_str() {
        "" => info.author_name.clone(),
        email => format!("{} <{email}>", info.author_name),
    };
    Ok(NewChange {
        id: ChangeId::new(uuid::Uuid::now_v7().to_string())?,
        commit: info.id.to_string(),
        parent: material.base.clone(),
        author,
        message: info.message.clone(),
        findings,
        disruption_allowed: review.disruption_allowed,
        probes: review.probes.clone(),
        repository: repository.to_owned(),
        created: wall_now(),
    })
}

/// A change for a commit of which nothing could be read.
fn bare_change(
    repository: &str,
    commit: CommitId,
    base: Option<CommitId>,
    findings: Vec<Finding>,
) -> Result<NewChange, SyncError> {
    Ok(NewChange {
        id: ChangeId::new(uuid::Uuid::now_v7().to_string())?,
        commit: commit.to_string(),
        parent: base.map(|base| base.to_string()),
        author: String::new(),
        message: String::new(),
        findings,
        disruption_allowed: Disruption::None,
        probes: ProbePlan::default(),
        repository: repository.to_owned(),
        created: wall_now(),
    })
}

fn new_rfc(rfc: &engine::documents::RfcDocument, material: &Material, state: RfcState) -> NewRfc {
    NewRfc {
        document: rfc.front.clone(),
        body: rfc.body.clone(),
        state,
        commit: material.info.id.to_string(),
        author: material.info.author_name.clone(),
        path: rfc.file.clone(),
    }
}

fn base_commit(latest: &ChangeRecord) -> Option<CommitId> {
    commit_of(latest).parse().ok()
}

/// The last accepted commit: what a new one, or a proposal, is compared with.
pub(in crate::tasks) async fn base_of(db: &Db) -> Result<Option<CommitId>, StoreError> {
    Ok(changes::latest_accepted(db).await?.as_ref().and_then(base_commit))
}

/// What is known of every host.
pub(in crate::tasks) async fn fleet_view(db: &Db) -> Result<BTreeMap<HostId, HostView>, StoreError> {
    let mut fleet = BTreeMap::new();
    let mut after = None;
    loop {
        let page = hosts::list(db, &HostFilter::default(), after.as_ref(), PAGE_ROWS).await?;
        for host in page.items {
            fleet.insert(host.id, HostView { status: host.status, committed: None, observed: None });
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    loop {
        let page = hosts::committed_page(db, after.as_ref(), PAGE_ROWS).await?;
        for committed in page.items {
            if let Some(view) = fleet.get_mut(&committed.host) {
                view.committed = Some(committed.desired);
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    loop {
        let page = observations::latest_page(db, after.as_ref(), PAGE_ROWS).await?;
        for latest in page.items {
            if let Some(view) = fleet.get_mut(&latest.host) {
                view.observed = Some(latest.network);
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(fleet);
        }
    }
}

/// Hosts that are enrolled and were read, but never got an order.
async fn late_hosts(db: &Db) -> Result<BTreeSet<HostId>, StoreError> {
    let filter = HostFilter { group: None, status: Some(HostStatus::Enrolled) };
    let mut late = BTreeSet::new();
    let mut after = None;
    loop {
        let page = hosts::list(db, &filter, after.as_ref(), PAGE_ROWS).await?;
        let is_late = |host: &hosts::HostRecord| {
            host.listed && host.observed_at.is_some() && host.generation_allocated.0 == 0
        };
        late.extend(page.items.into_iter().filter(is_late).map(|host| host.id));
        after = page.next;
        if after.is_none() {
            return Ok(late);
        }
    }
}

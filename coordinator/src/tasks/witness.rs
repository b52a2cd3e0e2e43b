//! Peer witnesses: other hosts ping the adapters that a change touched and that talk to peers.
//!
//! Owns: the question whether peers vouch for a change, its time limit, the verdicts that stand, and their record in the
//! audit trail. Must not: decide about a rollout, or which adapters matter (`choose`). Called by `confirm` when a host
//! asks for its confirmation.
//!
//! Any answer is a pass. No answer, or nobody who can tell, is no verdict: the host asks again until its deadline and then
//! rolls back. When there is no peer at all there is nothing to ask, and when the RFC of the change waives witnesses nobody is
//! asked; both are recorded.

mod choose;

#[cfg(test)]
mod tests;

use super::{PAGE_ROWS, wall_now};
use crate::fleet::{FleetHandle, PeerPing, Undecided};
use crate::store::audit::{self, AuditEntry};
use crate::store::hosts::{self, HostFilter, HostStatus};
use crate::store::{Db, StoreError, observations, witness_waivers};
use choose::{Candidate, Need, Witness};
use engine::rollout::RolloutState;
use model::{ApplyPhase, ChangeId, HostId, HostOutcome, OutcomeKind, Plan, ProbeVerdict, VmkName};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// Witnesses asked per adapter.
pub const WITNESSES_MAX: usize = 3;
/// Hosts whose networks are read while looking for witnesses; the search ends with the first ones that fit.
const CANDIDATES_MAX: usize = 1000;
/// Time for one round of pings. A ping itself has 5 s on a host; a try of the confirmation has 10 s in all.
pub const ROUND_LIMIT: Duration = Duration::from_secs(7);
/// Packets of one ping.
const PACKETS: u8 = 2;

/// The future of a ping.
pub type PingFuture<'a> = Pin<Box<dyn Future<Output = ProbeVerdict> + Send + 'a>>;

/// Hosts that can be asked to ping.
pub trait Peers: Send + Sync + 'static {
    /// Hosts with an open stream that are not at work on an order; `None` while that cannot be told.
    fn idle(&self) -> Option<BTreeSet<HostId>>;

    /// Lets a host send a ping.
    fn ping(&self, host: HostId, ping: PeerPing, limit: Duration) -> PingFuture<'_>;
}

/// The fleet, which starts after those who confirm.
#[derive(Default)]
pub struct LateFleet(OnceLock<FleetHandle>);

impl LateFleet {
    /// The fleet has started.
    pub fn started(&self, fleet: FleetHandle) {
        // Only the first one counts; there is no second.
        let _ = self.0.set(fleet);
    }
}

impl Peers for LateFleet {
    fn idle(&self) -> Option<BTreeSet<HostId>> {
        let live = self.0.get()?.snapshot().into_iter().filter(|live| live.phase == ApplyPhase::Idle);
        Some(live.map(|live| live.host).collect())
    }

    fn ping(&self, host: HostId, ping: PeerPing, limit: Duration) -> PingFuture<'_> {
        Box::pin(async move {
            match self.0.get() {
                Some(fleet) => fleet.ping(&host, ping, limit).await,
                None => ProbeVerdict::Unknown { detail: "the coordinator is starting".to_owned() },
            }
        })
    }
}

/// Whose change is judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) host: &'a HostId,
    pub(super) change: &'a ChangeId,
    pub(super) plan: &'a Plan,
    pub(super) rollout: &'a RolloutState,
}

/// What one witness said.
#[derive(Debug, Clone)]
struct Said {
    witness: Witness,
    verdict: ProbeVerdict,
}

/// What is known of one host's newest change.
#[derive(Debug, Default)]
struct Standing {
    change: Option<ChangeId>,
    /// Adapters that need no further question.
    passed: BTreeSet<VmkName>,
    /// What the last entry of the audit trail about it says.
    recorded: Option<String>,
}

/// Asks peers, and remembers who vouched.
#[derive(Clone)]
pub struct Witnesses {
    db: Db,
    peers: Arc<dyn Peers>,
    standings: Arc<Mutex<BTreeMap<HostId, Standing>>>,
}

impl Witnesses {
    /// Nobody has vouched for anything yet.
    #[must_use]
    pub fn new(db: Db, peers: Arc<dyn Peers>) -> Self {
        Self { db, peers, standings: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<HostId, Standing>> {
        self.standings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on what is known of a change; what was known of an older one of the host is forgotten.
    fn standing<T>(&self, case: Case<'_>, work: impl FnOnce(&mut Standing) -> T) -> T {
        let mut standings = self.lock();
        let standing = standings.entry(case.host.clone()).or_default();
        if standing.change.as_ref() != Some(case.change) {
            *standing = Standing { change: Some(case.change.clone()), ..Standing::default() };
        }
        work(standing)
    }

    /// Whether peers vouch for the change, or there is nobody and nothing to ask.
    pub(super) async fn gate(&self, case: Case<'_>) -> Result<(), Undecided> {
        let unread = |error: StoreError| Undecided(error.to_string());
        let Some(observed) = observations::latest(&self.db, case.host).await.map_err(unread)? else {
            return Ok(());
        };
        let mut needs = choose::needs(&observed.network, case.plan);
        let passed = self.standing(case, |standing| standing.passed.clone());
        needs.retain(|need| !passed.contains(&need.vmk));
        if needs.is_empty() {
            return Ok(());
        }
        if let Some(reason) = witness_waivers::of_change(&self.db, case.change).await.map_err(unread)? {
            return self.waive(case, needs, &reason).await.map_err(unread);
        }
        let Some(idle) = self.peers.idle() else {
            return Err(Undecided("the coordinator is starting: peers cannot be asked yet".to_owned()));
        };
        let candidates = self.candidates(case, &needs, &idle).await.map_err(unread)?;
        let asked = self.ask(&needs, &candidates).await;
        let refusal = refusal(&asked);
        self.record(case, &asked, refusal.as_deref()).await.map_err(unread)?;
        let good = asked.iter().filter(|(_, said)| said.is_empty() || vouched(said));
        let good: Vec<VmkName> = good.map(|(need, _)| need.vmk.clone()).collect();
        self.standing(case, |standing| standing.passed.extend(good));
        refusal.map_or(Ok(()), |refusal| Err(Undecided(refusal)))
    }

    /// The RFC says that no peer is asked: the adapters pass, and the audit trail says why.
    async fn waive(&self, case: Case<'_>, needs: Vec<Need>, reason: &str) -> Result<(), StoreError> {
        let adapters: Vec<&VmkName> = needs.iter().map(|need| &need.vmk).collect();
        let detail = json!({ "change": case.change, "adapters": adapters, "reason": reason });
        self.note(case, "host.witnesses_waived", detail).await?;
        tracing::warn!(host = %case.host, change = %case.change, reason, "no peer vouches: the RFC waives it");
        self.standing(case, |standing| standing.passed.extend(needs.into_iter().map(|need| need.vmk)));
        Ok(())
    }

    async fn note(&self, case: Case<'_>, action: &str, detail: serde_json::Value) -> Result<(), StoreError> {
        let entry = AuditEntry {
            at: wall_now(),
            actor: "task:witness".to_owned(),
            action: action.to_owned(),
            subject: format!("host/{}", case.host),
            detail,
        };
        let mut tx = self.db.begin().await?;
        audit::append(&mut tx, &entry).await?;
        tx.commit().await
    }

    /// Hosts with a place in one of the subnets: those that can be asked now first, of these the ones that hold the change.
    async fn candidates(
        &self,
        case: Case<'_>,
        needs: &[Need],
        idle: &BTreeSet<HostId>,
    ) -> Result<Vec<Candidate>, StoreError> {
        let filter = HostFilter { status: Some(HostStatus::Enrolled), ..HostFilter::default() };
        let known = hosts::list(&self.db, &filter, None, PAGE_ROWS).await?.items;
        let rank = |host: &HostId| match (idle.contains(host), case.rollout.outcome(host)) {
            (true, Some(HostOutcome::Ended(OutcomeKind::Committed))) => 0_u8,
            (true, Some(HostOutcome::InFlight)) | (false, Some(_)) => 3,
            (true, Some(_)) => 1,
            (true, None) => 2,
            (false, None) => 4,
        };
        let in_rollout = case.rollout.outcomes().map(|(host, _)| host.clone());
        let others = idle.iter().cloned().chain(known.into_iter().map(|known| known.id));
        let all: BTreeSet<HostId> = in_rollout.chain(others).filter(|host| host != case.host).collect();
        // Every host begins the round at its own place, so that not one peer is asked by all.
        let mut ranked: Vec<(u8, bool, HostId)> =
            all.into_iter().map(|host| (rank(&host), host < *case.host, host)).collect();
        ranked.sort();
        let mut found: Vec<Candidate> = Vec::new();
        for (rank, _, host) in ranked.into_iter().take(CANDIDATES_MAX) {
            let full = |need: &Need| found.iter().filter(|one| one.full_for(need)).count() >= WITNESSES_MAX;
            if needs.iter().all(full) {
                break;
            }
            if let Some(latest) = observations::latest(&self.db, &host).await?
                && needs.iter().any(|need| choose::place(need, &latest.network).is_some())
            {
                found.push(Candidate { host, network: latest.network, askable: rank < 3 });
            }
        }
        Ok(found)
    }

    /// One round: all witnesses of all adapters at the same time. Who does not answer in time is unknown.
    async fn ask(&self, needs: &[Need], candidates: &[Candidate]) -> Vec<(Need, Vec<Said>)> {
        let mut asked: Vec<(Need, Vec<Said>)> = Vec::new();
        let mut round = JoinSet::new();
        for (at, need) in needs.iter().enumerate() {
            let mut said = Vec::new();
            for (index, witness) in choose::witnesses(need, candidates).into_iter().enumerate() {
                let mut detail = "not connected, or at work on a change".to_owned();
                if witness.askable {
                    detail = format!("no answer within {} s, or not waited for", ROUND_LIMIT.as_secs());
                    let peers = Arc::clone(&self.peers);
                    let (host, ping) = (witness.host.clone(), witness.ping(need, PACKETS));
                    round.spawn(async move {
                        let answer = tokio::time::timeout(ROUND_LIMIT, peers.ping(host, ping, ROUND_LIMIT));
                        (at, index, answer.await.ok())
                    });
                }
                said.push(Said { witness, verdict: ProbeVerdict::Unknown { detail } });
            }
            asked.push((need.clone(), said));
        }
        while let Some(ended) = round.join_next().await {
            if let Ok((at, index, Some(verdict))) = ended
                && let Some(said) = asked.get_mut(at).and_then(|(_, said)| said.get_mut(index))
            {
                said.verdict = verdict;
            }
            // One who vouches is enough; the others need not be waited for.
            if asked.iter().all(|(_, said)| said.is_empty() || vouched(said)) {
                break;
            }
        }
        asked
    }

    /// Writes who said what; the same words of the same change only once.
    async fn record(
        &self,
        case: Case<'_>,
        asked: &[(Need, Vec<Said>)],
        refusal: Option<&str>,
    ) -> Result<(), StoreError> {
        let detail = json!({ "change": case.change, "adapters": asked.iter().map(told).collect::<Vec<_>>() });
        let words = detail.to_string();
        if self.standing(case, |standing| standing.recorded.as_deref() == Some(words.as_str())) {
            return Ok(());
        }
        let action = if refusal.is_some() { "host.not_witnessed" } else { "host.witnessed" };
        self.note(case, action, detail).await?;
        tracing::info!(host = %case.host, change = %case.change, action, refusal, "peer witnesses");
        self.standing(case, |standing| standing.recorded = Some(words));
        Ok(())
    }
}

fn vouched(said: &[Said]) -> bool {
    said.iter().any(|said| said.verdict.passed())
}

/// Why the change cannot be confirmed; `None` when somebody vouched for every adapter that somebody could vouch for.
fn refusal(asked: &[(Need, Vec<Said>)]) -> Option<String> {
    let refused = asked.iter().filter(|(_, said)| !said.is_empty() && !vouched(said));
    let words = refused.map(|(need, said)| {
        let all_failed = said.iter().all(|said| matches!(said.verdict, ProbeVerdict::Fail { .. }));
        let what = if all_failed { "cannot reach" } else { "could not vouch for" };
        let each = said.iter().map(|Said { witness, verdict }| format!("{}: {verdict}", witness.host));
        let each = each.collect::<Vec<_>>().join("; ");
        format!("peer witnesses {what} {} ({}) at {} bytes: {each}", need.vmk, need.address, need.mtu)
    });
    let words = words.collect::<Vec<_>>().join(". ");
    (!words.is_empty()).then_some(words)
}

/// One adapter in the audit trail.
fn told((need, said): &(Need, Vec<Said>)) -> serde_json::Value {
    let verdict = match said.is_empty() {
        true => "no_witness",
        false if vouched(said) => "pass",
        false => "no_pass",
    };
    let witnesses = said.iter().map(|Said { witness, verdict }| {
        json!({
            "host": witness.host, "vmk": witness.vmk, "payload_bytes": witness.size, "verdict": verdict.as_str(),
            "detail": verdict.detail(),
        })
    });
    json!({
        "vmk": need.vmk, "address": need.address, "mtu": need.mtu.get(), "verdict": verdict,
        "witnesses": witnesses.collect::<Vec<_>>(),
    })
}

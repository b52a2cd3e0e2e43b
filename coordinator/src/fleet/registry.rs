//! Who is live: one slot per host, in memory only. Heartbeats change nothing else.

use super::event::SessionId;
use super::handle::LiveHost;
use super::outgoing::{Ending, Outgoing};
use super::ping::OpenPings;
use super::wall_now;
use model::{ApplyPhase, Generation, HostId, KeyFingerprint, Wall};
use proto::convert::{AgentHello, HeartbeatReport};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tokio::sync::watch;

/// What changes while a stream is open.
#[derive(Debug, Clone)]
struct Live {
    last_seen: Wall,
    phase: ApplyPhase,
    held: Generation,
    committed: Generation,
    drift: bool,
    observation_hash: String,
    rss_bytes: u64,
}

/// One live stream.
pub(super) struct Slot {
    pub(super) host: HostId,
    pub(super) session: SessionId,
    pub(super) hello: AgentHello,
    pub(super) outgoing: Outgoing,
    /// The key of the certificate the stream was opened with.
    pub(super) key: KeyFingerprint,
    connected_since: Wall,
    live: Mutex<Live>,
    /// Counts messages: how a rival sees that the holder answers.
    signs: watch::Sender<u64>,
}

impl Slot {
    pub(super) fn new(
        (host, key): (HostId, KeyFingerprint),
        session: SessionId,
        hello: AgentHello,
        outgoing: Outgoing,
    ) -> Self {
        let now = wall_now();
        let live = Live {
            last_seen: now,
            phase: hello.phase,
            held: hello.held_generation,
            committed: hello.committed_generation,
            drift: false,
            observation_hash: String::new(),
            rss_bytes: 0,
        };
        let signs = watch::Sender::new(0);
        Self { host, session, hello, outgoing, key, connected_since: now, live: Mutex::new(live), signs }
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message arrived.
    pub(super) fn seen(&self) {
        self.live().last_seen = wall_now();
        self.signs.send_modify(|signs| *signs = signs.wrapping_add(1));
    }

    /// A heartbeat arrived.
    pub(super) fn beat(&self, report: HeartbeatReport) {
        let HeartbeatReport { sequence: _, phase, committed_generation, drift, observation_hash, rss_bytes } =
            report;
        let mut live = self.live();
        live.phase = phase;
        live.committed = committed_generation;
        live.held = live.held.max(committed_generation);
        live.drift = drift;
        live.observation_hash = observation_hash;
        live.rss_bytes = rss_bytes;
    }

    /// The agent speaks of an order of this generation.
    pub(super) fn progressed(&self, generation: Generation, phase: ApplyPhase) {
        let mut live = self.live();
        live.held = live.held.max(generation);
        live.phase = phase;
    }

    /// Signs of life from now on.
    pub(super) fn signs(&self) -> watch::Receiver<u64> {
        self.signs.subscribe()
    }

    fn to_live_host(&self) -> LiveHost {
        let live = self.live().clone();
        LiveHost {
            host: self.host.clone(),
            session: self.session,
            connected_since: self.connected_since,
            last_seen: live.last_seen,
            phase: live.phase,
            committed_generation: live.committed,
            held_generation: live.held,
            agent_version: self.hello.agent_version.clone(),
            boot_id: self.hello.boot_id.clone(),
            drift: live.drift,
            observation_hash: live.observation_hash,
            rss_bytes: live.rss_bytes,
            remote: self.outgoing.connection().facts.remote,
        }
    }
}

/// What became of a claim.
pub(super) enum Claim {
    /// The slot is the host's now.
    Granted,
    /// Another agent process holds the host.
    Held(Arc<Slot>),
}

/// All live streams.
#[derive(Default)]
pub(super) struct Registry {
    slots: RwLock<BTreeMap<HostId, Arc<Slot>>>,
    /// Pings that hosts were asked for.
    pub(super) pings: Arc<OpenPings>,
}

impl Registry {
    /// Makes `slot` the host's, unless another agent process holds the host and its stream is not
    /// `over`, the one found silent. The stream that is replaced ends.
    pub(super) fn claim(&self, slot: &Arc<Slot>, over: Option<SessionId>) -> Claim {
        let replaced = {
            let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
            match slots.get(&slot.host) {
                Some(old) if old.hello.instance_id != slot.hello.instance_id && Some(old.session) != over => {
                    return Claim::Held(Arc::clone(old));
                }
                _ => slots.insert(slot.host.clone(), Arc::clone(slot)),
            }
        };
        if let Some(old) = replaced {
            old.outgoing.end(Ending::Replaced);
            let connection = old.outgoing.connection();
            if connection.facts.id != slot.outgoing.connection().facts.id {
                connection.close();
            }
        }
        Claim::Granted
    }

    /// Frees the host's slot. `false` when another stream has it already.
    pub(super) fn release(&self, slot: &Slot) -> bool {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let ours = slots.get(&slot.host).is_some_and(|current| current.session == slot.session);
        if ours {
            slots.remove(&slot.host);
        }
        ours
    }

    /// The live stream of a host.
    pub(super) fn get(&self, host: &HostId) -> Option<Arc<Slot>> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).get(host).cloned()
    }

    /// All live hosts in order of name.
    pub(super) fn snapshot(&self) -> Vec<LiveHost> {
        let slots: Vec<_> =
            self.slots.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        slots.iter().map(|slot| slot.to_live_host()).collect()
    }
}

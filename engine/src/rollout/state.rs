//! The state of a rollout and its one transition function.

use super::wave::{self, RolloutHost};
use super::{BUSY_RETRY, Effect, Event, EventKind, NotSent, SEND_RETRY, UNREACHABLE_GRACE};
use model::{HostId, HostOutcome, Millis, OutcomeKind, RefusalReason, RolloutPhase, RolloutSpec, Wall, Wave};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// When a wave ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WaveTimes {
    /// When its first order could go out.
    pub started_at: Option<Wall>,
    /// When it was done.
    pub ended_at: Option<Wall>,
}

/// Whether a host has a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Link {
    Up,
    Down { since: Wall },
}

/// How far a host is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Progress {
    /// No order yet.
    Waiting,
    /// The order went out on a stream that is still open.
    InFlight,
    /// The order is under way or lost: the stream broke, or the coordinator restarted.
    InDoubt,
    /// Passed over before it got an order.
    Unreachable,
    /// Got an order and did not come back in time.
    Lost,
    /// Ended.
    Ended(OutcomeKind),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HostEntry {
    pub(super) wave: u32,
    pub(super) domain: Option<String>,
    pub(super) link: Link,
    pub(super) progress: Progress,
    /// Orders asked for, less those known not to have gone out.
    pub(super) sends: u32,
    /// No order before, after a full queue.
    pub(super) not_before: Option<Wall>,
}

impl HostEntry {
    pub(super) fn is_in_flight(&self) -> bool {
        matches!(self.progress, Progress::InFlight | Progress::InDoubt)
    }

    pub(super) fn is_committed(&self) -> bool {
        matches!(self.progress, Progress::Ended(OutcomeKind::Committed))
    }

    pub(super) fn is_failed(&self) -> bool {
        match &self.progress {
            Progress::Lost => true,
            Progress::Ended(kind) => *kind != OutcomeKind::Committed,
            Progress::Waiting | Progress::InFlight | Progress::InDoubt | Progress::Unreachable => false,
        }
    }

    /// Whether its wave need not wait for it.
    pub(super) fn is_settled(&self) -> bool {
        matches!(self.progress, Progress::Ended(_) | Progress::Unreachable | Progress::Lost)
    }
}

/// A rollout: what was asked, and how far it is. Stored as JSON after every transition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutState {
    pub(super) phase: RolloutPhase,
    pub(super) spec: RolloutSpec,
    pub(super) waves: Vec<Wave>,
    pub(super) times: Vec<WaveTimes>,
    /// The wave that may get orders, from 0.
    pub(super) wave: u32,
    pub(super) hosts: BTreeMap<HostId, HostEntry>,
    pub(super) soak_until: Option<Wall>,
    /// Failed hosts a person went on without.
    pub(super) forgiven: BTreeSet<HostId>,
    pub(super) reason: Option<String>,
}

impl RolloutState {
    /// Plans the waves. A host that is named twice counts once.
    #[must_use]
    pub fn new(spec: RolloutSpec, hosts: &[RolloutHost]) -> Self {
        let hosts: BTreeMap<HostId, RolloutHost> =
            hosts.iter().map(|host| (host.id.clone(), host.clone())).collect();
        let waves = wave::plan(&spec, &hosts);
        let mut entries = BTreeMap::new();
        for (number, wave) in (0..).zip(&waves) {
            for host in &wave.hosts {
                let entry = HostEntry {
                    wave: number,
                    domain: hosts.get(host).and_then(|host| host.failure_domain.clone()),
                    link: Link::Down { since: Wall(0) },
                    progress: Progress::Waiting,
                    sends: 0,
                    not_before: None,
                };
                entries.insert(host.clone(), entry);
            }
        }
        Self {
            phase: RolloutPhase::Pending,
            spec,
            times: vec![WaveTimes::default(); waves.len()],
            waves,
            wave: 0,
            hosts: entries,
            soak_until: None,
            forgiven: BTreeSet::new(),
            reason: None,
        }
    }

    /// Takes an event. The caller stores the state, then performs the effects in order.
    #[must_use = "the effects are to be performed after the state was stored"]
    pub fn handle(&mut self, event: Event, now: Wall) -> Vec<Effect> {
        use RolloutPhase as P;
        let kind = event.kind();
        let mut effects = Vec::new();
        let taken = match (self.phase, event) {
            (P::Pending, Event::Start) => {
                self.forget_links(now);
                self.start_wave(now, &mut effects);
                self.enter(P::Running, None, &mut effects);
                true
            }
            (P::Running | P::Soaking | P::Paused | P::Halted | P::Aborted | P::Completed, Event::Start) => {
                false
            }
            (_, Event::Restored) => self.restore(now),
            (_, Event::HostAvailable(host)) => self.link(&host, Link::Up),
            (_, Event::HostUnavailable(host)) => self.link(&host, Link::Down { since: now }),
            (_, Event::OrderNotSent { host, why }) => self.not_sent(&host, why, now),
            (P::Pending, Event::HostEnded { .. }) => false,
            (
                P::Running | P::Soaking | P::Paused | P::Halted | P::Aborted | P::Completed,
                Event::HostEnded { host, kind },
            ) => self.ended(&host, kind, now),
            (P::Pending | P::Running | P::Soaking, Event::Pause { reason }) => {
                self.enter(P::Paused, Some(reason), &mut effects);
                true
            }
            (P::Paused | P::Halted | P::Aborted | P::Completed, Event::Pause { .. }) => false,
            (P::Paused | P::Halted, Event::Resume) => {
                self.resume(now, &mut effects);
                true
            }
            (P::Pending | P::Running | P::Soaking | P::Aborted | P::Completed, Event::Resume) => false,
            (P::Pending | P::Running | P::Soaking | P::Paused | P::Halted, Event::Abort { reason }) => {
                self.enter(P::Aborted, Some(reason), &mut effects);
                effects.push(Effect::Finished);
                true
            }
            (P::Aborted | P::Completed, Event::Abort { .. }) => false,
            (_, Event::Tick) => true,
        };
        if !taken {
            return vec![Effect::Rejected { phase: self.phase, event: kind }];
        }
        self.settle(now, &mut effects);
        effects
    }

    /// When `Event::Tick` is due, if nothing else happens before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Wall> {
        use RolloutPhase as P;
        let running = match self.phase {
            P::Pending | P::Aborted | P::Completed => return None,
            P::Running => true,
            P::Soaking | P::Paused | P::Halted => false,
        };
        let soak = self.soak_until.filter(|_| self.phase == P::Soaking);
        let hosts = self.hosts.values().filter_map(|entry| match (&entry.progress, entry.link) {
            (Progress::Waiting, Link::Down { since }) if running && entry.wave <= self.wave => {
                Some(since.plus(UNREACHABLE_GRACE))
            }
            (Progress::Waiting | Progress::InDoubt, Link::Up) if running => entry.not_before,
            (Progress::InFlight | Progress::InDoubt, Link::Down { since }) => {
                Some(since.plus(self.lost_after()))
            }
            _ => None,
        });
        hosts.chain(soak).min()
    }

    /// Where the rollout is.
    #[must_use]
    pub fn phase(&self) -> RolloutPhase {
        self.phase
    }

    /// Why it is there, in words; `None` when there is nothing to say.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// How it was asked to go.
    #[must_use]
    pub fn spec(&self) -> &RolloutSpec {
        &self.spec
    }

    /// The waves; the first one is the canary.
    #[must_use]
    pub fn waves(&self) -> &[Wave] {
        &self.waves
    }

    /// When each wave ran, in the order of the waves.
    #[must_use]
    pub fn wave_times(&self) -> &[WaveTimes] {
        &self.times
    }

    /// The wave that is at work, or was last, from 0.
    #[must_use]
    pub fn current_wave(&self) -> u32 {
        self.wave
    }

    /// When the next wave may start, while soaking.
    #[must_use]
    pub fn soak_until(&self) -> Option<Wall> {
        self.soak_until
    }

    /// What became of each host, in order of name.
    pub fn outcomes(&self) -> impl Iterator<Item = (&HostId, HostOutcome)> {
        self.hosts.iter().map(|(host, entry)| (host, outcome_of(&entry.progress)))
    }

    /// What became of one host; `None` when it is not part of this rollout.
    #[must_use]
    pub fn outcome(&self, host: &HostId) -> Option<HostOutcome> {
        self.hosts.get(host).map(|entry| outcome_of(&entry.progress))
    }

    /// The failure domain of a host of this rollout.
    #[must_use]
    pub fn failure_domain(&self, host: &HostId) -> Option<&str> {
        self.hosts.get(host)?.domain.as_deref()
    }

    /// Hosts that got an order and have not ended.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.hosts.values().filter(|entry| entry.is_in_flight()).count()
    }

    /// Whether nothing can happen to it any more.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        matches!(self.phase, RolloutPhase::Aborted | RolloutPhase::Completed)
    }

    /// Whether all waves are done and only hosts that were not reachable are left.
    #[must_use]
    pub fn is_catching_up(&self) -> bool {
        self.phase == RolloutPhase::Running && self.times.last().is_some_and(|times| times.ended_at.is_some())
    }

    pub(super) fn lost_after(&self) -> Millis {
        Millis(self.spec.confirm_timeout.0.saturating_add(UNREACHABLE_GRACE.0))
    }

    pub(super) fn enter(&mut self, to: RolloutPhase, reason: Option<String>, effects: &mut Vec<Effect>) {
        let from = std::mem::replace(&mut self.phase, to);
        self.reason.clone_from(&reason);
        effects.push(Effect::PhaseChanged { from, to, reason });
    }

    pub(super) fn start_wave(&mut self, now: Wall, effects: &mut Vec<Effect>) {
        self.soak_until = None;
        if let Some(times) = usize::try_from(self.wave).ok().and_then(|wave| self.times.get_mut(wave)) {
            times.started_at = Some(now);
            effects.push(Effect::WaveStarted(self.wave));
        }
    }

    fn resume(&mut self, now: Wall, effects: &mut Vec<Effect>) {
        if self.phase == RolloutPhase::Halted {
            let failed = self.hosts.iter().filter(|(_, entry)| entry.is_failed());
            self.forgiven = failed.map(|(host, _)| host.clone()).collect();
        }
        if self.times.first().is_some_and(|times| times.started_at.is_none()) {
            self.forget_links(now);
            self.start_wave(now, effects);
        }
        let to = if self.soak_until.is_some() { RolloutPhase::Soaking } else { RolloutPhase::Running };
        self.enter(to, None, effects);
    }

    /// Time without a stream counts from now on.
    fn forget_links(&mut self, now: Wall) {
        for entry in self.hosts.values_mut() {
            if let Link::Down { since } = &mut entry.link {
                *since = now;
            }
        }
    }

    fn restore(&mut self, now: Wall) -> bool {
        for entry in self.hosts.values_mut() {
            entry.link = Link::Down { since: now };
            if entry.is_in_flight() {
                entry.progress = Progress::InDoubt;
            }
        }
        true
    }

    fn link(&mut self, host: &HostId, link: Link) -> bool {
        let Some(entry) = self.hosts.get_mut(host) else { return false };
        match (entry.link, link) {
            // The time without a stream counts from its loss.
            (Link::Down { .. }, Link::Down { .. }) => return true,
            (Link::Up | Link::Down { .. }, Link::Up | Link::Down { .. }) => entry.link = link,
        }
        // Also for `Up` after `Up`: a new stream replaced the old one, and what was in its queue.
        if entry.is_in_flight() {
            entry.progress = Progress::InDoubt;
        }
        true
    }

    fn not_sent(&mut self, host: &HostId, why: NotSent, now: Wall) -> bool {
        let Some(entry) = self.hosts.get_mut(host).filter(|entry| entry.is_in_flight()) else { return false };
        entry.sends = entry.sends.saturating_sub(1);
        // An earlier order of a repeat may still be under way.
        entry.progress = if entry.sends == 0 { Progress::Waiting } else { Progress::InDoubt };
        match why {
            NotSent::Busy => entry.not_before = Some(now.plus(SEND_RETRY)),
            NotSent::NotConnected if entry.link == Link::Up => entry.link = Link::Down { since: now },
            NotSent::NotConnected => {}
        }
        true
    }

    fn ended(&mut self, host: &HostId, kind: OutcomeKind, now: Wall) -> bool {
        let Some(entry) = self.hosts.get_mut(host) else { return false };
        if let OutcomeKind::Refused(RefusalReason::Busy { .. }) = &kind {
            // Still busy with an earlier change, which ends by itself: nothing was done for this one. Told again, by
            // the host or from the store, it says nothing new.
            if !entry.is_in_flight() {
                return false;
            }
            entry.sends = 0;
            entry.progress = Progress::Waiting;
            entry.not_before = Some(now.plus(BUSY_RETRY));
            return true;
        }
        // The first end counts, except that a host may take an order it refused before, and that a person at its console
        // may undo what it committed.
        let taken = match (&entry.progress, &kind) {
            (
                Progress::Ended(OutcomeKind::Committed),
                OutcomeKind::RolledBack { .. } | OutcomeKind::RolledBackUnverified { .. },
            ) => true,
            (Progress::Ended(OutcomeKind::Refused(_)), OutcomeKind::Refused(_)) => false,
            (Progress::Ended(before), _) => matches!(before, OutcomeKind::Refused(_)),
            _ => true,
        };
        if taken {
            entry.progress = Progress::Ended(kind);
        }
        taken
    }
}

fn outcome_of(progress: &Progress) -> HostOutcome {
    match progress {
        Progress::Waiting => HostOutcome::Pending,
        Progress::InFlight | Progress::InDoubt => HostOutcome::InFlight,
        Progress::Unreachable | Progress::Lost => HostOutcome::Unreachable,
        Progress::Ended(kind) => HostOutcome::Ended(kind.clone()),
    }
}

impl EventKind {
    /// Every kind of event, for tables.
    pub const ALL: [Self; 10] = [
        Self::Start,
        Self::Restored,
        Self::HostAvailable,
        Self::HostUnavailable,
        Self::OrderNotSent,
        Self::HostEnded,
        Self::Pause,
        Self::Resume,
        Self::Abort,
        Self::Tick,
    ];
}

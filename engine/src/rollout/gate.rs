//! What follows from the state: hosts given up for now, waves that are done, halts, and the next orders.
//!
//! Must not take events (that is `state`). Called by `RolloutState::handle` after every event.

use super::state::{HostEntry, Link, Progress, RolloutState};
use super::{Effect, REASON_HOSTS_MAX, UNREACHABLE_GRACE};
use model::{HostId, OutcomeKind, RolloutPhase, Wall};
use std::collections::BTreeSet;

/// Whether the running wave may be left.
enum Gate {
    /// Hosts are still at work or waited for.
    Open,
    /// No host of the canary committed.
    Hold(String),
    /// Go on.
    Done,
}

impl RolloutState {
    /// Draws every consequence of the state.
    pub(super) fn settle(&mut self, now: Wall, effects: &mut Vec<Effect>) {
        use RolloutPhase as P;
        match self.phase {
            P::Pending | P::Aborted | P::Completed => return,
            P::Running | P::Soaking | P::Paused | P::Halted => {}
        }
        self.give_up_lost(now);
        if self.hosts.values().all(HostEntry::is_committed) {
            self.end_wave(now, effects);
            self.soak_until = None;
            self.enter(P::Completed, None, effects);
            effects.push(Effect::Finished);
            return;
        }
        if self.phase != P::Halted
            && let Some(reason) = self.too_many_failures()
        {
            self.enter(P::Halted, Some(reason), effects);
            return;
        }
        if self.phase == P::Soaking && self.soak_until.is_some_and(|until| now >= until) {
            self.next_wave(now, effects);
            self.enter(P::Running, None, effects);
        }
        if self.phase == P::Running {
            self.run(now, effects);
        }
    }

    /// Hosts in flight that were away for longer than the confirm window: the change may have cut them off.
    fn give_up_lost(&mut self, now: Wall) {
        let limit = self.lost_after();
        for entry in self.hosts.values_mut().filter(|entry| entry.is_in_flight()) {
            if let Link::Down { since } = entry.link
                && now >= since.plus(limit)
            {
                entry.progress = Progress::Lost;
            }
        }
    }

    /// Why to halt, if the failures ask for it.
    fn too_many_failures(&self) -> Option<String> {
        let failed: Vec<(&HostId, &HostEntry)> = self
            .hosts
            .iter()
            .filter(|(host, entry)| entry.is_failed() && !self.forgiven.contains(*host))
            .collect();
        if let Some((host, entry)) = failed.iter().find(|(_, entry)| entry.wave == 0) {
            return Some(format!("canary {host} {}", failure(&entry.progress)));
        }
        let budget = usize::try_from(self.spec.failure_budget).unwrap_or(usize::MAX);
        let (host, entry) = failed.last().filter(|_| failed.len() > budget)?;
        let count = failed.len();
        Some(format!("{count} failed, budget {budget}: {host} {}", failure(&entry.progress)))
    }

    fn run(&mut self, now: Wall, effects: &mut Vec<Effect>) {
        loop {
            self.pass_over(now);
            match self.gate() {
                Gate::Open => self.reason = None,
                Gate::Hold(reason) => self.reason = Some(reason),
                Gate::Done => {
                    self.end_wave(now, effects);
                    if self.is_catching_up() {
                        self.finish_waves(effects);
                    } else if self.spec.soak.0 > 0 {
                        self.soak_until = Some(now.plus(self.spec.soak));
                        self.enter(RolloutPhase::Soaking, None, effects);
                        return;
                    } else {
                        self.next_wave(now, effects);
                        continue;
                    }
                }
            }
            break;
        }
        if self.phase == RolloutPhase::Running {
            self.send(effects);
        }
    }

    /// Hosts that may have an order and had no stream for too long; waits that are over.
    fn pass_over(&mut self, now: Wall) {
        let wave = self.wave;
        for entry in self.hosts.values_mut().filter(|entry| entry.wave <= wave) {
            entry.not_before = entry.not_before.filter(|not_before| now < *not_before);
            if let (Progress::Waiting, Link::Down { since }) = (&entry.progress, entry.link)
                && now >= since.plus(UNREACHABLE_GRACE)
            {
                entry.progress = Progress::Unreachable;
            }
        }
    }

    fn gate(&self) -> Gate {
        let mut wave = self.hosts.iter().filter(|(_, entry)| entry.wave == self.wave);
        // A host that can get its order now is worth waiting for, also when it was passed over before.
        let is_done =
            |entry: &HostEntry| entry.is_settled() && !(entry.is_behind() && entry.link == Link::Up);
        if !wave.clone().all(|(_, entry)| is_done(entry)) {
            return Gate::Open;
        }
        let proven = |(host, entry): (&HostId, &HostEntry)| {
            entry.is_committed() || (entry.is_failed() && self.forgiven.contains(host))
        };
        if self.wave == 0 && !wave.clone().any(proven) {
            let names = named(wave.by_ref().map(|(host, _)| host));
            return Gate::Hold(format!(
                "no host of the canary can be reached ({names}): bring one of them back, or abort the rollout"
            ));
        }
        Gate::Done
    }

    fn end_wave(&mut self, now: Wall, effects: &mut Vec<Effect>) {
        let times = usize::try_from(self.wave).ok().and_then(|wave| self.times.get_mut(wave));
        if let Some(times) = times.filter(|times| times.ended_at.is_none()) {
            times.ended_at = Some(now);
            effects.push(Effect::WaveEnded(self.wave));
        }
    }

    fn next_wave(&mut self, now: Wall, effects: &mut Vec<Effect>) {
        self.wave += 1;
        self.start_wave(now, effects);
    }

    /// All waves are done, not all hosts are committed: wait for those that were away, else say what failed.
    fn finish_waves(&mut self, effects: &mut Vec<Effect>) {
        let is_open = |entry: &HostEntry| !matches!(entry.progress, Progress::Ended(_));
        let away: Vec<&HostId> =
            self.hosts.iter().filter(|(_, entry)| is_open(entry)).map(|(host, _)| host).collect();
        if !away.is_empty() {
            let names = named(away.into_iter());
            self.reason = Some(format!("all waves are done; waiting for hosts that were away: {names}"));
            return;
        }
        let failed = self.hosts.iter().filter(|(_, entry)| entry.is_failed()).map(|(host, _)| host);
        let names = named(failed);
        let reason =
            format!("every host has ended, not all committed: {names}; merge a correction, or abort");
        self.enter(RolloutPhase::Halted, Some(reason), effects);
    }

    /// Orders for whoever may have one now: repeats first, then hosts that were away, then the running wave.
    fn send(&mut self, effects: &mut Vec<Effect>) {
        let ready = |entry: &HostEntry| entry.link == Link::Up && entry.not_before.is_none();
        for (host, entry) in &mut self.hosts {
            if entry.progress == Progress::InDoubt && ready(entry) {
                entry.order(host, effects);
            }
        }
        let limit = usize::try_from(self.spec.max_parallel.max(1)).unwrap_or(usize::MAX);
        let mut in_flight = self.in_flight();
        let mut domains: BTreeSet<String> =
            self.hosts.values().filter(|e| e.is_in_flight()).filter_map(|e| e.domain.clone()).collect();
        let wave = self.wave;
        for away in [true, false] {
            for (host, entry) in &mut self.hosts {
                if in_flight >= limit {
                    return;
                }
                let due = if away {
                    entry.is_behind()
                } else {
                    entry.progress == Progress::Waiting && entry.wave <= wave
                };
                let free = entry.domain.as_ref().is_none_or(|domain| !domains.contains(domain));
                if due && free && ready(entry) {
                    entry.order(host, effects);
                    in_flight += 1;
                    domains.extend(entry.domain.clone());
                }
            }
        }
    }
}

impl HostEntry {
    /// Whether it was passed over and is to catch up.
    pub(super) fn is_behind(&self) -> bool {
        matches!(self.progress, Progress::Unreachable | Progress::Lost)
    }

    fn order(&mut self, host: &HostId, effects: &mut Vec<Effect>) {
        self.progress = Progress::InFlight;
        self.sends = self.sends.saturating_add(1);
        self.not_before = None;
        effects.push(Effect::SendOrder(host.clone()));
    }
}

/// The failure of a host as the end of a sentence.
fn failure(progress: &Progress) -> String {
    match progress {
        Progress::Lost => "got its order and did not come back within the confirm window".to_owned(),
        Progress::Ended(kind) => {
            let detail = match kind {
                OutcomeKind::Committed => return "is committed".to_owned(),
                OutcomeKind::RolledBack { reason }
                | OutcomeKind::RolledBackUnverified { reason, .. }
                | OutcomeKind::FailedMixed { reason } => reason.clone(),
                OutcomeKind::Refused(reason) => serde_json::to_string(reason).unwrap_or_default(),
            };
            format!("ended {}: {detail}", kind.as_str())
        }
        Progress::Waiting | Progress::InFlight | Progress::InDoubt | Progress::Unreachable => {
            "has not ended".to_owned()
        }
    }
}

/// Up to [`REASON_HOSTS_MAX`] names.
fn named<'a>(hosts: impl Iterator<Item = &'a HostId>) -> String {
    let all: Vec<&str> = hosts.map(HostId::as_str).collect();
    let shown = all.iter().take(REASON_HOSTS_MAX).copied().collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(REASON_HOSTS_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

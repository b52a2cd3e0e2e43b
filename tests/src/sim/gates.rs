//! What every rollout must keep to, whoever drives it: blast radius and gates.
//!
//! Owns: invariants I5 and I6, from the stored states alone. Must not ask the rollout machine what it would allow.

use engine::rollout::RolloutState;
use model::{HostId, HostOutcome, OutcomeKind, RolloutPhase};
use std::collections::BTreeMap;

/// What was seen of rollouts.
#[derive(Debug, Default)]
pub struct Gates {
    /// When each wave of the rollout at work was first seen as current.
    waves: BTreeMap<u32, u64>,
    /// A person let it go on after a halt: what failed before is forgiven.
    resumed: bool,
    /// What was violated.
    pub violations: Vec<String>,
}

impl Gates {
    /// A new state is about to be stored over the old one; `linked` have had a stream for a good while.
    pub fn stored(&mut self, old: &RolloutState, new: &RolloutState, now: u64, linked: &[HostId]) {
        let passed_over = |host: &&HostId| {
            old.outcome(host) == Some(HostOutcome::Pending)
                && new.outcome(host) == Some(HostOutcome::Unreachable)
        };
        if let Some(host) = linked.iter().find(passed_over) {
            self.violations.push(format!("I6 {host} is passed over, and its stream is open"));
        }
        if old.phase() == RolloutPhase::Pending {
            self.waves.clear();
            self.resumed = false;
        }
        self.resumed |= old.phase() == RolloutPhase::Halted && new.phase() != RolloutPhase::Halted;
        let parallel = usize::try_from(new.spec().max_parallel).unwrap_or(usize::MAX);
        // A host that came back after it was given up may be one more.
        if new.in_flight() > parallel && new.in_flight() > old.in_flight() {
            self.violations.push(format!("I5 {} hosts at work, {parallel} are allowed", new.in_flight()));
        }
        let began = |state: &RolloutState, host: &HostId| {
            !matches!(state.outcome(host), None | Some(HostOutcome::Pending | HostOutcome::Unreachable))
        };
        for (number, wave) in (0_u32..).zip(new.waves()) {
            if number > new.current_wave()
                && let Some(host) = wave.hosts.iter().find(|host| began(new, host))
            {
                self.violations
                    .push(format!("I6 {host} of wave {number} has begun in wave {}", new.current_wave()));
            }
        }
        if new.current_wave() > old.current_wave() {
            self.advanced(old, new, now);
        }
        self.waves.entry(new.current_wave()).or_insert(now);
    }

    fn advanced(&mut self, old: &RolloutState, new: &RolloutState, now: u64) {
        let committed =
            |host: &&HostId| new.outcome(host) == Some(HostOutcome::Ended(OutcomeKind::Committed));
        for number in old.current_wave()..new.current_wave() {
            let Some(wave) = usize::try_from(number).ok().and_then(|number| new.waves().get(number)) else {
                continue;
            };
            let is_open = |state: &RolloutState, host: &HostId| {
                matches!(state.outcome(host), Some(HostOutcome::Pending | HostOutcome::InFlight))
            };
            // Who was passed over may get its order as soon as the next wave begins.
            let open = wave.hosts.iter().find(|host| is_open(old, host) && is_open(new, host));
            if let Some(host) = open {
                self.violations.push(format!("I6 wave {number} is left, and {host} has not ended"));
            }
            let any = wave.hosts.iter().any(|host| committed(&host));
            let failed =
                wave.hosts.iter().any(|host| matches!(new.outcome(host), Some(HostOutcome::Ended(_))));
            if number == 0 && !any && !failed && !self.resumed {
                self.violations.push("I6 the canary is left, and none of it has ended".to_owned());
            }
        }
        let soak = new.spec().soak.0;
        let began = self.waves.get(&old.current_wave()).copied();
        if began.is_some_and(|began| now < began + soak) {
            self.violations.push("I6 a wave begins before the one before has soaked".to_owned());
        }
    }

    /// An order goes out: it must be stored before that it does.
    pub fn sent(&mut self, stored: &RolloutState, host: &HostId) {
        if !matches!(stored.outcome(host), Some(HostOutcome::InFlight)) {
            self.violations.push(format!("I5 an order goes to {host}, and the stored rollout does not know"));
        }
    }
}

//! Tests of the rollout machine: waves, scenarios, the table of all pairs, random runs.

mod random;
mod scenarios;
mod table;
mod waves;

use super::*;
use model::{HostId, HostOutcome, OutcomeKind, RolloutPhase, RolloutSpec, Wall, WaveSize};

pub(super) fn id(text: &str) -> HostId {
    HostId::new(text).unwrap()
}

/// Hosts `h01`, `h02`, ... without failure domains.
pub(super) fn hosts(count: usize) -> Vec<RolloutHost> {
    (1..=count)
        .map(|n| RolloutHost { id: id(&format!("h{n:02}")), failure_domain: None, work: Work::Steps })
        .collect()
}

pub(super) fn in_domains(names: &[(&str, &str)]) -> Vec<RolloutHost> {
    names
        .iter()
        .map(|(host, domain)| RolloutHost {
            id: id(host),
            failure_domain: Some((*domain).to_owned()),
            work: Work::Steps,
        })
        .collect()
}

/// One canary, one wave of the rest, no soak, budget 0.
pub(super) fn quick() -> RolloutSpec {
    RolloutSpec { waves: Vec::new(), soak: Millis(0), ..RolloutSpec::default() }
}

pub(super) fn rolled_back() -> OutcomeKind {
    OutcomeKind::RolledBack { reason: "probe failed".to_owned() }
}

/// The hosts that get an order by these effects.
pub(super) fn sent(effects: &[Effect]) -> Vec<&str> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::SendOrder(host) => Some(host.as_str()),
            _ => None,
        })
        .collect()
}

/// A machine with a clock.
pub(super) struct Run {
    pub state: RolloutState,
    pub now: u64,
}

impl Run {
    /// Started, every host connected.
    pub fn started(spec: RolloutSpec, hosts: &[RolloutHost]) -> (Self, Vec<Effect>) {
        let mut run = Self { state: RolloutState::new(spec, hosts), now: 1_000 };
        let mut effects = Vec::new();
        for host in hosts {
            effects.extend(run.send(Event::HostAvailable(host.id.clone())));
        }
        effects.extend(run.send(Event::Start));
        (run, effects)
    }

    pub fn send(&mut self, event: Event) -> Vec<Effect> {
        self.state.handle(event, Wall(self.now))
    }

    pub fn up(&mut self, host: &str) -> Vec<Effect> {
        self.send(Event::HostAvailable(id(host)))
    }

    pub fn down(&mut self, host: &str) -> Vec<Effect> {
        self.send(Event::HostUnavailable(id(host)))
    }

    pub fn end(&mut self, host: &str, kind: OutcomeKind) -> Vec<Effect> {
        self.send(Event::HostEnded { host: id(host), kind })
    }

    pub fn commit(&mut self, host: &str) -> Vec<Effect> {
        self.end(host, OutcomeKind::Committed)
    }

    /// Lets the time pass to the next deadline.
    pub fn tick(&mut self) -> Vec<Effect> {
        self.now = self.state.next_deadline().expect("a deadline").0;
        self.send(Event::Tick)
    }

    pub fn phase(&self) -> RolloutPhase {
        self.state.phase()
    }

    pub fn outcome(&self, host: &str) -> HostOutcome {
        self.state.outcome(&id(host)).unwrap()
    }
}

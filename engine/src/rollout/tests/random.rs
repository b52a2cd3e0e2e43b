//! Random runs against a naive reference: who may be in flight, who got an order, how it ends.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What happens; numbers choose a host.
#[derive(Debug, Clone)]
enum Move {
    Up(usize),
    Down(usize),
    NotSent(usize, NotSent),
    End(usize, OutcomeKind),
    Pause,
    Resume,
    Abort,
    Tick,
    Crash,
}

fn moves() -> impl Strategy<Value = Move> {
    prop_oneof![
        6 => any::<usize>().prop_map(Move::Up),
        3 => any::<usize>().prop_map(Move::Down),
        1 => any::<usize>().prop_map(|n| Move::NotSent(n, NotSent::NotConnected)),
        1 => any::<usize>().prop_map(|n| Move::NotSent(n, NotSent::Busy)),
        10 => any::<usize>().prop_map(|n| Move::End(n, OutcomeKind::Committed)),
        2 => any::<usize>().prop_map(|n| Move::End(n, rolled_back())),
        1 => Just(Move::Pause),
        3 => Just(Move::Resume),
        1 => Just(Move::Abort),
        4 => Just(Move::Tick),
        1 => Just(Move::Crash),
    ]
}

/// The world beside the machine.
struct Reference {
    run: Run,
    spec: RolloutSpec,
    domains: BTreeMap<HostId, Option<String>>,
    /// Orders that went out and have no outcome.
    open: BTreeSet<HostId>,
    /// Hosts whose order may be repeated: their stream broke, or it did not go out.
    repeatable: BTreeSet<HostId>,
    ended: BTreeSet<HostId>,
}

impl Reference {
    fn perform(&mut self, event: Event) {
        let crashed = event == Event::Restored;
        let effects = self.run.send(event);
        if crashed {
            self.repeatable.extend(self.open.iter().cloned());
        }
        for effect in effects {
            let Effect::SendOrder(host) = effect else { continue };
            assert!(!self.ended.contains(&host), "{host} has an outcome and got an order");
            if self.open.contains(&host) {
                assert!(self.repeatable.remove(&host), "{host} got its order twice without a reason");
            }
            self.open.insert(host);
        }
        let phase = self.run.phase();
        let in_flight: Vec<HostId> = self
            .run
            .state
            .outcomes()
            .filter(|(_, outcome)| *outcome == HostOutcome::InFlight)
            .map(|(host, _)| host.clone())
            .collect();
        assert!(in_flight.len() <= self.spec.max_parallel.max(1) as usize);
        let domains: Vec<&String> = in_flight.iter().filter_map(|host| self.domains[host].as_ref()).collect();
        let distinct: BTreeSet<&&String> = domains.iter().collect();
        assert_eq!(distinct.len(), domains.len(), "two of one failure domain");
        let all_committed = self
            .run
            .state
            .outcomes()
            .all(|(_, outcome)| outcome == HostOutcome::Ended(OutcomeKind::Committed));
        if all_committed && phase != RolloutPhase::Aborted {
            assert_eq!(phase, RolloutPhase::Completed);
        }
        if phase == RolloutPhase::Completed {
            assert!(all_committed);
        }
        if phase == RolloutPhase::Halted {
            assert!(self.run.state.reason().is_some_and(|reason| !reason.is_empty()));
        }
        if let Some(deadline) = self.run.state.next_deadline() {
            assert!(deadline.0 > self.run.now, "a deadline in the past would spin");
        }
    }

    fn host(&self, number: usize) -> HostId {
        let all: Vec<&HostId> = self.domains.keys().collect();
        all[number % all.len()].clone()
    }

    fn step(&mut self, step: Move) {
        let stopped_before = !matches!(self.run.phase(), RolloutPhase::Running | RolloutPhase::Soaking);
        let open_before = self.open.clone();
        let repeatable_before = self.repeatable.clone();
        let resumes = matches!(step, Move::Resume);
        match step {
            Move::Up(n) => {
                let host = self.host(n);
                self.repeatable.insert(host.clone());
                self.perform(Event::HostAvailable(host));
            }
            Move::Down(n) => {
                let host = self.host(n);
                self.repeatable.insert(host.clone());
                self.perform(Event::HostUnavailable(host));
            }
            Move::NotSent(n, why) => {
                let host = self.host(n);
                self.repeatable.insert(host.clone());
                self.perform(Event::OrderNotSent { host, why });
            }
            Move::End(n, kind) => {
                // Only what was sent can end.
                let host = self.host(n);
                if self.open.remove(&host) {
                    self.ended.insert(host.clone());
                    self.perform(Event::HostEnded { host, kind });
                }
            }
            Move::Pause => self.perform(Event::Pause { reason: "test".to_owned() }),
            Move::Resume => self.perform(Event::Resume),
            Move::Abort => self.perform(Event::Abort { reason: "test".to_owned() }),
            Move::Tick => {
                self.run.now =
                    self.run.state.next_deadline().map_or(self.run.now + 1_000, |deadline| deadline.0);
                self.perform(Event::Tick);
            }
            Move::Crash => {
                let stored = serde_json::to_string(&self.run.state).unwrap();
                self.run.state = serde_json::from_str(&stored).unwrap();
                self.perform(Event::Restored);
            }
        }
        if stopped_before && !resumes {
            assert!(self.open.is_subset(&open_before), "an order went out while stopped");
            let repeated = repeatable_before.difference(&self.repeatable).next();
            assert!(repeated.is_none(), "an order was repeated while stopped");
        }
    }

    /// When nothing fails any more and a person is there, it ends.
    fn converge(&mut self) {
        let hosts: Vec<HostId> = self.domains.keys().cloned().collect();
        for _ in 0..10 * hosts.len() + 10 {
            if self.run.state.is_ended() {
                return;
            }
            for host in &hosts {
                self.repeatable.insert(host.clone());
                self.perform(Event::HostAvailable(host.clone()));
            }
            for host in &hosts {
                if self.open.remove(host) {
                    self.ended.insert(host.clone());
                    self.perform(Event::HostEnded { host: host.clone(), kind: OutcomeKind::Committed });
                }
            }
            match self.run.phase() {
                RolloutPhase::Paused | RolloutPhase::Halted => self.perform(Event::Resume),
                _ => {
                    self.run.now += 100_000;
                    self.perform(Event::Tick);
                }
            }
            if self.ended.len() == hosts.len() {
                return;
            }
        }
        panic!("no end in sight: {:?}", self.run.state);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]
    #[test]
    fn the_laws_hold_whatever_happens(
        racks in proptest::collection::vec(proptest::option::of(0_u8..4), 1..12),
        canary in 1_u32..3,
        max_parallel in 0_u32..5,
        failure_budget in 0_u32..3,
        soak in 0_u64..2,
        steps in proptest::collection::vec(moves(), 0..60),
    ) {
        let spec = RolloutSpec {
            canary, max_parallel, failure_budget,
            soak: Millis(soak * 5_000),
            ..RolloutSpec::default()
        };
        let fleet: Vec<RolloutHost> = racks.iter().enumerate()
            .map(|(n, rack)| RolloutHost { id: id(&format!("h{n:02}")), failure_domain: rack.map(|r| format!("r{r}")), work: Work::Steps })
            .collect();
        let mut world = Reference {
            run: Run { state: RolloutState::new(spec.clone(), &fleet), now: 1_000 },
            spec,
            domains: fleet.iter().map(|host| (host.id.clone(), host.failure_domain.clone())).collect(),
            open: BTreeSet::new(),
            repeatable: BTreeSet::new(),
            ended: BTreeSet::new(),
        };
        world.perform(Event::Start);
        for step in steps {
            world.step(step);
        }
        world.converge();
    }
}

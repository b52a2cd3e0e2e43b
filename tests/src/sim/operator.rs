//! The people: they make one change after the other, and look after rollouts that stopped.
//!
//! Owns: changes, orders and rollout specs of a run. Must not check anything. Called by `world` every 20 s.

use super::golden;
use super::world::{Event, World};
use engine::plan::plan;
use engine::rollout::{Event as Machine, RolloutHost, RolloutState, Work};
use model::{ChangeId, Generation, Millis, Order, ProbePlan, RolloutPhase, RolloutSpec, WaveSize};
use std::collections::BTreeMap;

/// Between two looks.
const LOOK_MS: u64 = 20_000;
/// Looks at a rollout that waits for hosts before it is aborted.
const PATIENCE: u32 = 60;

impl World {
    /// The people look.
    pub fn operator(&mut self) {
        let phase = self.db.rollouts.last().map(|row| row.state.phase());
        match phase {
            None | Some(RolloutPhase::Aborted | RolloutPhase::Completed) => {
                self.halted_for = 0;
                if self.changes_made < self.settings.changes {
                    self.make_change();
                } else if self.now > self.faults_end && self.unrest_of_hosts().is_none() {
                    self.is_done = true;
                    return;
                }
            }
            Some(RolloutPhase::Paused) => self.command(Machine::Resume),
            Some(RolloutPhase::Halted) => {
                self.halted_for += 1;
                if self.halted_for >= 2 {
                    self.halted_for = 0;
                    let ended = self.db.rollouts.last().is_some_and(|row| row.state.in_flight() == 0);
                    let event = if ended && self.rng.chance(300) {
                        Machine::Resume
                    } else {
                        Machine::Abort { reason: "a correction follows".to_owned() }
                    };
                    self.command(event);
                }
            }
            Some(RolloutPhase::Pending | RolloutPhase::Running | RolloutPhase::Soaking) => {
                self.halted_for += 1;
                let waits = self.db.rollouts.last().is_some_and(|row| row.state.reason().is_some());
                if waits && self.halted_for > PATIENCE {
                    self.command(Machine::Abort { reason: "it waits for too long".to_owned() });
                }
            }
        }
        self.after(LOOK_MS, Event::Operator);
    }

    /// Orders for every host, planned from what the database knows of it.
    fn make_change(&mut self) {
        self.changes_made += 1;
        let number = u64::from(self.changes_made);
        let Ok(change) = ChangeId::new(format!("change-{number}")) else { return };
        let spec = self.spec();
        let mut generations = BTreeMap::new();
        let mut hosts = Vec::new();
        let seed = self.rng.bits();
        for (index, station) in self.stations.iter().enumerate() {
            let Some(observed) = self.db.observations.get(&index) else { continue };
            // The same kind of change for all hosts, with values of their own.
            let mut rng = super::rng::Rng::new(seed);
            let Some(golden) = golden::any(&station.host, &mut rng) else { continue };
            let planned = plan(&golden.desired, observed);
            if planned.findings.iter().any(model::Finding::is_error) {
                continue;
            }
            let generation = Generation(number);
            let order = Order {
                host: station.id.clone(),
                change: change.clone(),
                generation,
                commit: format!("commit-{number}"),
                desired: golden.desired,
                plan_digest: planned.plan.digest.clone(),
                disruption_allowed: golden.allowed,
                confirm_timeout: spec.confirm_timeout,
                probes: ProbePlan::default(),
            };
            let work = if planned.plan.is_empty() { Work::Nothing } else { Work::Steps };
            let failure_domain = (index % 3 == 0).then(|| station.host.facts.rack.clone());
            hosts.push(RolloutHost { id: station.id.clone(), failure_domain, work });
            generations.insert(station.id.clone(), generation);
            self.db.orders.insert((change.clone(), station.id.clone()), order);
        }
        if hosts.is_empty() {
            return;
        }
        self.trace.note(self.now, "change", || format!("{change} for {} hosts", hosts.len()));
        self.insert_rollout(change, RolloutState::new(spec, &hosts), generations);
    }

    fn spec(&mut self) -> RolloutSpec {
        let rng = &mut self.rng;
        let waves = if rng.chance(500) { vec![WaveSize::Hosts(2)] } else { vec![WaveSize::Percent(25)] };
        RolloutSpec {
            canary: u32::try_from(rng.between(1, 2)).unwrap_or(1),
            waves,
            max_parallel: u32::try_from(rng.between(1, 8)).unwrap_or(4),
            soak: Millis(rng.between(0, 2) * 20_000),
            failure_budget: u32::try_from(rng.below(3)).unwrap_or(0),
            confirm_timeout: Millis::from_secs([30, 60, 60, 120][rng.index(4)]),
        }
    }

    fn unrest_of_hosts(&self) -> Option<String> {
        self.stations.iter().find_map(|station| station.unrest().map(|why| format!("{}: {why}", station.id)))
    }

    /// Why the run does not come to rest.
    #[must_use]
    pub fn unrest(&self) -> String {
        let rollout =
            self.db.rollouts.last().map(|row| (row.state.phase(), row.state.reason().map(str::to_owned)));
        let host = self.unrest_of_hosts().unwrap_or_else(|| "all hosts rest".to_owned());
        format!(
            "no rest: {} of {} changes, rollout {rollout:?}, {host}",
            self.changes_made, self.settings.changes
        )
    }
}

//! What an agent's calls do to its host, one after the other, and what goes wrong with them.
//!
//! Owns: how long a call takes and how it fails. Must not know why it is made. Part of `station`.

use super::Job;
use crate::sim::coordinator::Note;
use crate::sim::host::{self, CallFault, Reading, is_reachable};
use crate::sim::rng::Rng;
use crate::sim::station::Task;
use crate::sim::world::{Event, World};
use engine::apply::{Event as Machine, Seen};
use model::{ApplyPhase, Operation};

/// Longest time of one call.
const CALL_LIMIT_MS: u64 = 60_000;
/// In a thousand readings that go through command lines and parsers.
const GRAMMAR_PER_MILLE: u64 = 20;

impl World {
    pub(super) fn next_job(&mut self, host: usize) {
        let bad_calls = self.bad_calls;
        let (hostd_down, hung) = self.stations.get(host).map_or((false, false), |s| (s.hostd_down, s.hung));
        let Some(process) = self.process(host) else { return };
        if process.running.is_some() || process.stopped.is_some() {
            return;
        }
        let Some(job) = process.jobs.pop_front() else { return };
        let run = process.run;
        let writes = !matches!(job, Job::Observe(_) | Job::Probe(..));
        let mut fault = None;
        if hostd_down {
            fault = Some(CallFault::FailBefore);
        } else if hung {
            fault = Some(CallFault::HangBefore);
        } else if self.rng.chance(bad_calls) {
            fault = self.rng.pick(&CallFault::ALL).copied();
        }
        let mut took = self.rng.between(100, if writes { 700 } else { 1_500 });
        if fault.is_some_and(CallFault::hangs) {
            took = if writes { CALL_LIMIT_MS } else { CALL_LIMIT_MS / 2 };
        }
        if let (Some(_), Some(watch)) = (fault, self.watches.get_mut(host)) {
            watch.trouble(took);
        }
        if let Some(process) = self.process(host) {
            process.running = Some((job, fault));
        }
        self.after(took, Event::Agent { host, run, task: Task::JobDone });
    }

    /// The running job has its effect; gives what the machine hears of it.
    pub(super) fn end_job(&mut self, host: usize) -> Option<Machine> {
        let process = self.process(host)?;
        let run = process.run;
        let (job, fault) = process.running.take()?;
        self.trace.note(self.now, "job", || format!("host {host}: {job:?} {fault:?}"));
        match job {
            Job::Observe(token) => self.observed(host, token, fault),
            Job::Step(index, operation) => {
                let result = self.call(host, &operation, fault, Some(Some(index)), run);
                Some(Machine::StepDone { index, result })
            }
            Job::Inverse(position, operation) => {
                let result = self.call(host, &operation, fault, Some(None), run);
                Some(Machine::InverseDone { position, result })
            }
            Job::Blind(operation) => {
                self.call(host, &operation, fault, Some(Some(0)), run);
                None
            }
            Job::Probe(token, probes) => {
                let station = self.station(host)?;
                let results = if fault.is_some() { Vec::new() } else { host::probe(&station.host, probes) };
                Some(Machine::Probed { token, results })
            }
            Job::Persist => Some(Machine::Persisted(self.persist(host, fault))),
        }
    }

    fn observed(&mut self, host: usize, token: Option<u32>, fault: Option<CallFault>) -> Option<Machine> {
        let reading = if self.rng.chance(GRAMMAR_PER_MILLE) { Reading::Grammar } else { Reading::Direct };
        let partial = self.rng.chance(self.partial_reads).then(|| self.rng.bits());
        let now = self.now;
        let station = self.station(host)?;
        let wall = station.clock(now).wall;
        let mut result = match fault {
            None => host::read(&mut station.host, reading, wall).map(Box::new),
            Some(_) => Err("the host cannot be read".to_owned()),
        };
        if let (Some(bits), Ok(observed)) = (partial, &mut result) {
            host::spoil(observed, &mut Rng::new(bits));
            self.watches.get_mut(host)?.trouble(0);
        }
        let proves = self.process(host).is_some_and(|process| {
            matches!(process.agent.machine().phase(), ApplyPhase::Verifying | ApplyPhase::AwaitingConfirm)
        });
        if proves && token.is_some() && partial.is_none() && result.is_ok() {
            self.watches.get_mut(host)?.reads_to_prove();
        }
        if let Err(detail) = &result
            && detail.starts_with("READINGS")
        {
            self.fail(format!("I8 {detail}"));
        }
        if let (Ok(observed), Some(process)) = (&result, self.process(host)) {
            process.last_seen = Some(observed.clone());
            let link = process.link;
            if let Some(link) = link {
                let observed = observed.clone();
                self.send_up(host, link.coordinator, Note::Observed { host, observed });
            }
        }
        let token = token?;
        Some(Machine::Observed(Seen { token, result, calls: 8 }))
    }

    /// One changing call; `step` tells for what it is, none when nobody waits for it.
    pub(super) fn call(
        &mut self,
        host: usize,
        operation: &Operation,
        fault: Option<CallFault>,
        step: Option<Option<u32>>,
        run: u32,
    ) -> engine::apply::StepResult {
        let now = self.now;
        let failed = engine::apply::StepResult::Failed { detail: "no host".to_owned() };
        let (Some(station), Some(watch)) = (self.stations.get_mut(host), self.watches.get_mut(host)) else {
            return failed;
        };
        if let Some(step) = step {
            watch.writes(&station.disk, step, run);
        }
        let result = host::run(&mut station.host, operation, fault);
        station.reachable = is_reachable(&station.host);
        let again = watch.changed(&station.host, now);
        self.trace.note(now, "call", || format!("host {host}: {operation:?} {fault:?} {result:?}"));
        if let Some(at) = again {
            self.at(at, Event::CheckCut { host });
        }
        result
    }

    fn persist(&mut self, host: usize, fault: Option<CallFault>) -> Result<(), String> {
        let (Some(station), Some(watch)) = (self.stations.get_mut(host), self.watches.get_mut(host)) else {
            return Err("no host".to_owned());
        };
        if !matches!(fault, None | Some(CallFault::FailAfter | CallFault::HangAfter)) {
            return Err("the simulation says so".to_owned());
        }
        watch.saves(&station.host, &station.disk);
        station.host.auto_backup();
        if fault.is_some() { Err("the simulation says so".to_owned()) } else { Ok(()) }
    }
}

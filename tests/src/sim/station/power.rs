//! How a host and its agent end and begin again: kills, stops, power, and what the guard does about it.
//!
//! Must not know what the agent was at. Part of `station`.

use super::{ALIVE_LIMIT_MS, GRACE_MS, Job, RESTART_MS};
use crate::sim::host::is_reachable;
use crate::sim::mutants::Mutant;
use crate::sim::station::Task;
use crate::sim::world::{Event, World};
use model::Operation;

impl World {
    /// A call that an agent left behind when it ended.
    pub fn late_call(&mut self, host: usize, boot: u32, operation: &Operation) {
        if self.stations.get(host).is_some_and(|station| station.up && station.boot == boot) {
            self.call(host, operation, None, None, 0);
        }
    }

    /// The process ends without a word. A call under way may have had its effect.
    pub fn kill(&mut self, host: usize) {
        let done = self.rng.chance(500);
        let Some(station) = self.station(host) else { return };
        let boot = station.boot;
        let Some(process) = station.process.take() else { return };
        self.trace.note(self.now, "killed", || format!("host {host}"));
        if let Some(watch) = self.watches.get_mut(host) {
            watch.trouble(RESTART_MS);
        }
        if let (true, Some((Job::Step(_, operation) | Job::Inverse(_, operation), _))) =
            (done, process.running)
        {
            self.call(host, &operation, None, None, process.run);
        }
        if let Some(link) = process.link {
            self.dropped(host, link);
        }
        self.after(RESTART_MS, Event::StartAgent { host, boot });
    }

    /// The process is stopped; the guard will notice.
    pub fn stop(&mut self, host: usize, length: u64) {
        let (now, watched) = (self.now, self.settings.mutant != Some(Mutant::NoWatchdog));
        let Some(station) = self.station(host) else { return };
        let clock = station.clock(now);
        let Some(process) = station.process.as_mut().filter(|process| process.stopped.is_none()) else {
            return;
        };
        process.stopped = Some(now);
        let (run, rolling) = (process.run, process.rolling);
        let deadline = process.agent.machine().state().open().filter(|_| !rolling).map(|open| open.deadline);
        let until_deadline = deadline.map(|d| d.uptime.0.saturating_sub(clock.uptime.0) + GRACE_MS);
        let wait = until_deadline.map_or(ALIVE_LIMIT_MS, |left| left.min(ALIVE_LIMIT_MS));
        if watched {
            self.after(wait, Event::Guard { host, run });
        }
        if let Some(watch) = self.watches.get_mut(host) {
            watch.trouble(ALIVE_LIMIT_MS);
        }
        self.after(length, Event::Agent { host, run, task: Task::Continue });
    }

    /// The guard finds that the agent is silent.
    pub fn guard_looks(&mut self, host: usize, run: u32) {
        let silent =
            |process: &mut super::Process| process.run == run && process.guarded && process.stopped.is_some();
        if self.process(host).is_some_and(silent) {
            self.trace.note(self.now, "guard", || format!("host {host}: ends a silent agent"));
            self.kill(host);
        }
    }

    /// The power goes; what was not synced is in danger.
    pub fn power_off(&mut self, host: usize, length: u64) {
        let done = self.rng.chance(500);
        let Some(station) = self.stations.get_mut(host).filter(|station| station.up) else { return };
        station.up = false;
        let process = station.process.take();
        let link = process.as_ref().and_then(|process| process.link);
        let running = process.and_then(|process| process.running.map(|(job, _)| (job, process.run)));
        station.disk.cut_by_chance(&mut self.rng);
        if let (true, Some((Job::Step(_, operation) | Job::Inverse(_, operation), run))) = (done, running) {
            self.call(host, &operation, None, None, run);
        }
        if let Some(watch) = self.watches.get_mut(host) {
            watch.trouble(length);
        }
        if let Some(link) = link {
            self.dropped(host, link);
        }
        self.after(length, Event::PowerOn { host });
    }

    /// The host boots with its saved configuration.
    pub fn power_on(&mut self, host: usize) {
        let now = self.now;
        let (Some(station), Some(watch)) = (self.stations.get_mut(host), self.watches.get_mut(host)) else {
            return;
        };
        station.host.reboot();
        station.up = true;
        station.boot += 1;
        station.booted = now;
        station.reachable = is_reachable(&station.host);
        watch.booted(&station.host);
        let boot = station.boot;
        self.trace.note(now, "boot", || format!("host {host}"));
        self.after(20_000, Event::StartAgent { host, boot });
    }
}

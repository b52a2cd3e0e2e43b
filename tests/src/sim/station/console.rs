//! What people do to one host: freeze, pin, release, roll back, undo, extend. And what happens without a guard.
//!
//! Owns: the agent's answers to its console, re-done. Must not decide about a change. Part of `station`.

use super::{ALIVE_LIMIT_MS, Task};
use crate::sim::world::{Event, World};
use engine::apply::{Event as Machine, LocalGuards};
use model::{ApplyPhase, CONFIRM_TIMEOUT_SECS_MAX, ChangeId, LocalVerb, Millis};

/// The host's own watchdog starts a guard again after this.
const HOST_WATCHDOG_MS: u64 = 10_000;
/// A new guard asks the agent that is still there so often.
const SEAT_ASKED_MS: u64 = 5_000;
/// Windows that people ask for, seconds; some are not allowed.
const WINDOWS_SECS: [u64; 5] = [5, 30, 120, 600, 900];
/// What the steps may add to the longest window.
const STEPS_ADD_MS: u64 = 120_000;

/// What a person forbids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// No order and no further step.
    Freeze,
    /// No order.
    Pin,
}

impl World {
    /// One of the verbs, by chance; a hold lasts until [`World::release`].
    pub fn console(&mut self, host: usize) {
        match self.rng.below(10) {
            0..2 => self.hold(host, Hold::Freeze),
            2..4 => self.hold(host, Hold::Pin),
            4..6 => self.release(host),
            _ => self.roll_back_last(host),
        }
    }

    /// Whether somebody answers at the console.
    fn answers(&mut self, host: usize) -> bool {
        self.process(host).is_some_and(|process| process.stopped.is_none())
    }

    /// The agent reads what is forbidden.
    pub(super) fn take_holds(&mut self, host: usize) {
        let Some(station) = self.station(host) else { return };
        let reason = |on: bool| on.then(|| "the simulation".to_owned());
        let guards = LocalGuards { frozen: reason(station.frozen), pinned: reason(station.pinned) };
        if let Some(process) = &mut station.process {
            process.agent.guards(guards);
        }
    }

    fn note_local(&mut self, host: usize, verb: LocalVerb) {
        let now = self.now;
        let Some(station) = self.station(host) else { return };
        let clock = station.clock(now);
        let Some(process) = &mut station.process else { return };
        let asks = process.agent.note_local(verb, clock);
        self.perform(host, asks);
    }

    fn open_change(&mut self, host: usize) -> Option<(ChangeId, ApplyPhase)> {
        let machine = self.process(host)?.agent.machine();
        Some((machine.state().order()?.change.clone(), machine.phase()))
    }

    /// The file is written whether an agent runs or not.
    fn hold(&mut self, host: usize, hold: Hold) {
        let Some(station) = self.station(host).filter(|station| station.up) else { return };
        match hold {
            Hold::Freeze => station.frozen = true,
            Hold::Pin => station.pinned = true,
        }
        self.trouble(host, 0);
        if !self.answers(host) {
            return;
        }
        self.note_local(host, if hold == Hold::Freeze { LocalVerb::Freeze } else { LocalVerb::Pin });
        self.take_holds(host);
        if let (Hold::Freeze, Some((change, _))) = (hold, self.open_change(host)) {
            self.machine(host, Machine::CancelRequested { change, reason: "frozen".to_owned() });
        }
    }

    /// Nothing is forbidden any more, and a change that waits goes on.
    pub fn release(&mut self, host: usize) {
        let Some(station) = self.station(host) else { return };
        (station.frozen, station.pinned) = (false, false);
        if !self.answers(host) {
            return;
        }
        self.note_local(host, LocalVerb::Release);
        self.take_holds(host);
        if let Some((change, ApplyPhase::Holding)) = self.open_change(host) {
            if let Some(watch) = self.watches.get_mut(host) {
                watch.released();
            }
            self.machine(host, Machine::HoldReleased { change });
        }
    }

    /// The open change, else the last committed one.
    fn roll_back_last(&mut self, host: usize) {
        if !self.answers(host) {
            return;
        }
        self.trouble(host, 0);
        self.note_local(host, LocalVerb::Rollback);
        if let Some((change, _)) = self.open_change(host) {
            return self
                .machine(host, Machine::CancelRequested { change, reason: "at the console".to_owned() });
        }
        let now = self.now;
        let Some(station) = self.station(host) else { return };
        let clock = station.clock(now);
        let Some(process) = &mut station.process else { return };
        let asks = process.agent.undo_last(clock);
        self.perform(host, asks);
    }

    /// A person extends the window of the open change, over the stream.
    pub fn extend(&mut self, host: usize) {
        let secs = self.rng.pick(&WINDOWS_SECS).copied().unwrap_or(60);
        let wrong = self.rng.chance(100);
        let link = self.process(host).and_then(|process| process.link);
        let (Some(link), Some((change, _))) = (link, self.open_change(host)) else { return };
        let change = if wrong { ChangeId::new("another").unwrap_or(change) } else { change };
        self.send_down(host, link.coordinator, Task::Extend(change, Millis::from_secs(secs)));
    }

    /// The deadline of the open change, on the host's clock.
    pub(super) fn deadline(&self, host: usize) -> Option<u64> {
        let process = self.stations.get(host)?.process.as_ref()?;
        process.agent.machine().state().open().map(|open| open.deadline.uptime.0)
    }

    /// I1: a window grows by a person's word only, and within bounds.
    pub(super) fn check_window(&mut self, host: usize, before: Option<u64>, extends: bool) {
        let (Some(before), Some(after)) = (before, self.deadline(host)) else { return };
        if after <= before {
            return;
        }
        let now = self.now;
        let left = self.stations.get(host).map_or(0, |s| after.saturating_sub(s.clock(now).uptime.0));
        if !extends {
            self.fail(format!("I1 host {host}: the window of a change grows by itself"));
        } else if left > CONFIRM_TIMEOUT_SECS_MAX * 1_000 + STEPS_ADD_MS {
            self.fail(format!("I1 host {host}: a window of {left} ms"));
        }
        if let Some(watch) = self.watches.get_mut(host) {
            watch.extended(after - before);
        }
    }

    fn trouble(&mut self, host: usize, extra_ms: u64) {
        if let Some(watch) = self.watches.get_mut(host) {
            watch.trouble(extra_ms);
        }
    }

    /// The guard is gone; the agent ends as soon as nothing is open.
    pub fn kill_guard(&mut self, host: usize) {
        let Some(process) = self.process(host) else { return };
        process.guarded = false;
        let run = process.run;
        self.trouble(host, ALIVE_LIMIT_MS + HOST_WATCHDOG_MS);
        self.after(HOST_WATCHDOG_MS, Event::NewGuard { host, run, silent_ms: 0 });
        self.end_unguarded(host);
    }

    pub(super) fn end_unguarded(&mut self, host: usize) {
        let ends = self.process(host).is_some_and(|process| {
            !process.guarded
                && process.stopped.is_none()
                && process.agent.machine().phase() == ApplyPhase::Idle
        });
        if ends {
            self.kill(host);
        }
    }

    /// A new guard waits for the agent that is still there, and ends it when it does not answer.
    pub fn new_guard(&mut self, host: usize, run: u32, silent_ms: u64) {
        let Some(process) = self.process(host).filter(|process| process.run == run) else { return };
        let silent_ms = if process.stopped.is_some() { silent_ms + SEAT_ASKED_MS } else { 0 };
        if silent_ms > ALIVE_LIMIT_MS {
            self.trace.note(self.now, "guard", || format!("host {host}: a new one ends a silent agent"));
            return self.kill(host);
        }
        self.after(SEAT_ASKED_MS, Event::NewGuard { host, run, silent_ms });
    }
}

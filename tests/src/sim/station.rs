//! A host with its guard and its agent, on virtual time.
//!
//! Owns: boots, runs of the agent's program, its calls, its stream and its questions to the coordinators; the re-done
//! event loop of the agent. Must not decide about a change (the machine does). Called by `world`.

use super::agent::{Agent, Ask, Start, disk};
use super::disk::SimDisk;
use super::host::{CallFault, is_reachable};
use super::rng::Rng;
use super::settings::Settings;
use super::world::{Event, WALL_START, World};
use engine::apply::{ConfirmVerdict, Event as Machine};
use model::{
    ApplyOutcome, ApplyPhase, BootId, ChangeId, Generation, HostId, Millis, Now, ObservedNetwork, Operation,
    Order, Probe, Uptime, Wall,
};
use simulator::Host;
use std::collections::{BTreeSet, VecDeque};

mod console;
mod jobs;
mod link;
mod power;

/// Longest time of one question to a coordinator.
const CONFIRM_TRY_MS: u64 = 10_000;
/// Between two heartbeats.
const BEAT_MS: u64 = 10_000;
/// Heartbeats between two looks at the host.
const BEATS_PER_LOOK: u32 = 12;
/// A stream over a path that is cut is given up after this.
const KEEP_ALIVE_MS: u64 = 20_000;
/// A stream that is open for this long is known to everybody.
const LINKED_MS: u64 = 90_000;
/// The guard ends an agent that says nothing for this long.
pub const ALIVE_LIMIT_MS: u64 = 30_000;
/// The guard ends an agent that does not roll back after its deadline.
const GRACE_MS: u64 = 5_000;
/// The guard waits this long before it starts the agent again.
const RESTART_MS: u64 = 1_000;

/// In a thousand hosts whose gateway answers no ping: only a new connection tells that they are cut off.
const SILENT_GATEWAY_PER_MILLE: u64 = 400;

/// What an agent's event loop hears.
#[derive(Debug, Clone)]
pub enum Task {
    /// The running job ends.
    JobDone,
    /// An answer that came while the process was stopped.
    Answer(Box<Machine>),
    /// A deadline of the machine.
    Due,
    /// A heartbeat.
    Beat,
    /// A try to open a stream.
    Connect,
    /// The stream is open.
    Welcome {
        /// The coordinator.
        coordinator: usize,
        /// The stream.
        session: u64,
    },
    /// An order.
    Order(Box<Order>),
    /// An outcome was stored.
    Ack(ChangeId, Generation),
    /// Another window for the open change.
    Extend(ChangeId, Millis),
    /// The answer to a question, or none.
    Confirm {
        /// The change.
        change: ChangeId,
        /// Its generation.
        generation: Generation,
        /// When the connection was opened, on the host's clock.
        connected_at: Uptime,
        /// The answer.
        verdict: Result<ConfirmVerdict, String>,
    },
    /// A stopped process goes on.
    Continue,
}

#[derive(Debug, Clone)]
enum Job {
    Observe(Option<u32>),
    Step(u32, Operation),
    Inverse(u32, Operation),
    Blind(Operation),
    Probe(u32, Vec<Probe>),
    Persist,
}

#[derive(Debug, Clone, Copy)]
struct Link {
    coordinator: usize,
    session: u64,
    /// Since when nothing passes.
    silent: Option<u64>,
    since: u64,
}

/// One run of the agent's program.
#[derive(Debug)]
pub struct Process {
    /// The agent.
    pub agent: Agent,
    run: u32,
    jobs: VecDeque<Job>,
    running: Option<(Job, Option<CallFault>)>,
    due_at: Option<u64>,
    stopped: Option<u64>,
    held: Vec<Task>,
    link: Option<Link>,
    connecting: bool,
    outcomes: VecDeque<ApplyOutcome>,
    last_seen: Option<Box<ObservedNetwork>>,
    beats: u32,
    rolling: bool,
    /// Whether its guard lives.
    guarded: bool,
}

impl Process {
    /// Whether it answers at all.
    #[must_use]
    pub fn answers(&self) -> bool {
        self.stopped.is_none()
    }
}

/// A host and everything in it.
#[derive(Debug)]
pub struct Station {
    /// Its name.
    pub id: HostId,
    /// The machine.
    pub host: Host,
    /// Its state directory.
    pub disk: SimDisk,
    /// Whether it has power.
    pub up: bool,
    boot: u32,
    booted: u64,
    /// What its wall clock is ahead, milliseconds.
    pub wall_skew: i64,
    /// Whether its way to the network works.
    pub reachable: bool,
    /// Coordinators it does not reach.
    pub apart: BTreeSet<usize>,
    /// Whether `hostd` answers.
    pub hostd_down: bool,
    /// Whether no call comes to an end.
    pub hung: bool,
    /// A person keeps it as it is: no order, no further step.
    pub frozen: bool,
    /// A person keeps it as it is: no order.
    pub pinned: bool,
    /// Where its journal is not what was written.
    pub turned: Option<usize>,
    /// The agent.
    pub process: Option<Process>,
    runs: u32,
    sessions: u64,
}

impl Station {
    /// A host with power and nothing running.
    pub fn new(mut host: Host, settings: &Settings, rng: &mut Rng) -> Option<Self> {
        if rng.chance(SILENT_GATEWAY_PER_MILLE) {
            host.fabric.silent.insert(simulator::fleet::GATEWAY);
        }
        let reachable = is_reachable(&host);
        Some(Self {
            id: HostId::new(host.running.hostname.clone()).ok()?,
            host,
            disk: disk(settings.mutant),
            up: true,
            boot: 0,
            booted: 0,
            wall_skew: 0,
            reachable,
            apart: BTreeSet::new(),
            hostd_down: false,
            hung: false,
            frozen: false,
            pinned: false,
            turned: None,
            process: None,
            runs: 0,
            sessions: rng.below(1000),
        })
    }

    fn clock(&self, now: u64) -> Now {
        let wall = (WALL_START + now).saturating_add_signed(self.wall_skew);
        Now { wall: Wall(wall), uptime: Uptime(now.saturating_sub(self.booted) + 20_000) }
    }

    /// Whether a change is at work here.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.agent.machine().phase() != ApplyPhase::Idle)
    }

    /// Why this host is not at rest.
    #[must_use]
    pub fn unrest(&self) -> Option<String> {
        let Some(process) = &self.process else { return Some("no agent runs".to_owned()) };
        let machine = process.agent.machine();
        if machine.phase() != ApplyPhase::Idle {
            return Some(format!("still {:?}", machine.phase()));
        }
        if !self.reachable {
            return Some("cut off".to_owned());
        }
        (!process.outcomes.is_empty()).then(|| "an outcome was not stored".to_owned())
    }
}

impl World {
    fn station(&mut self, host: usize) -> Option<&mut Station> {
        self.stations.get_mut(host)
    }

    fn process(&mut self, host: usize) -> Option<&mut Process> {
        self.stations.get_mut(host)?.process.as_mut()
    }

    /// Whether packets pass between a host and a coordinator.
    #[must_use]
    pub fn path_open(&self, host: usize, coordinator: usize) -> bool {
        let there = self.coordinators.get(coordinator).is_some_and(|coordinator| coordinator.up);
        there
            && self.stations.get(host).is_some_and(|s| s.up && s.reachable && !s.apart.contains(&coordinator))
    }

    /// The guard starts the agent, or the host's own watchdog starts both.
    pub fn start_agent(&mut self, host: usize, boot: u32) {
        let (now, mutant) = (self.now, self.settings.mutant);
        let Some(station) = self.station(host) else { return };
        if !station.up || station.boot != boot || station.process.is_some() {
            return;
        }
        station.runs += 1;
        let run = station.runs;
        station.disk.revive();
        let start = Start {
            host: station.id.clone(),
            boot: BootId(station.host.boot.id.clone()),
            disk: station.disk.clone(),
            mutant,
        };
        let (agent, asks, last) = Agent::start(start, station.clock(now));
        station.process = Some(Process {
            agent,
            run,
            jobs: VecDeque::new(),
            running: None,
            due_at: None,
            stopped: None,
            held: Vec::new(),
            link: None,
            connecting: false,
            outcomes: last.clone().into_iter().collect(),
            last_seen: None,
            beats: 0,
            rolling: false,
            guarded: true,
        });
        self.take_holds(host);
        if let Some(outcome) = last {
            self.hear(host, &outcome);
        }
        self.perform(host, asks);
        self.give(host, Job::Observe(None));
        self.tell_later(host, 200, Task::Connect);
        let pause = 1 + self.rng.below(BEAT_MS);
        self.tell_later(host, pause, Task::Beat);
    }

    fn tell_later(&mut self, host: usize, pause: u64, task: Task) {
        if let Some(run) = self.process(host).map(|process| process.run) {
            self.after(pause, Event::Agent { host, run, task });
        }
    }

    /// One event of an agent's loop.
    pub fn agent_task(&mut self, host: usize, run: u32, task: Task) {
        let Some(process) = self.process(host).filter(|process| process.run == run) else { return };
        if process.stopped.is_some() {
            match task {
                Task::Continue => return self.go_on(host),
                Task::JobDone => {
                    if let Some(answer) = self.end_job(host)
                        && let Some(process) = self.process(host)
                    {
                        process.held.push(Task::Answer(Box::new(answer)));
                    }
                }
                other => process.held.push(other),
            }
            return;
        }
        match task {
            Task::JobDone => {
                if let Some(answer) = self.end_job(host) {
                    self.machine(host, answer);
                }
                self.next_job(host);
            }
            Task::Answer(answer) => {
                self.machine(host, *answer);
                self.next_job(host);
            }
            Task::Due => self.due(host),
            Task::Beat => self.beat(host),
            Task::Connect => self.connect(host),
            Task::Welcome { coordinator, session } => self.welcome(host, coordinator, session),
            Task::Order(order) => self.machine(host, Machine::order(order)),
            Task::Extend(change, window) => {
                let before = self.deadline(host);
                self.machine_with(host, Machine::ExtendRequested { change, window });
                self.check_window(host, before, true);
            }
            Task::Ack(change, generation) => {
                process.outcomes.retain(|kept| kept.change != change || kept.generation != generation);
            }
            Task::Confirm { change, generation, connected_at, verdict: Ok(verdict) } => {
                self.machine(host, Machine::ConfirmAnswered { change, generation, connected_at, verdict });
            }
            Task::Confirm { change, verdict: Err(detail), .. } => {
                self.machine(host, Machine::ConfirmUnavailable { change, detail });
            }
            Task::Continue => {}
        }
    }

    fn go_on(&mut self, host: usize) {
        let Some(process) = self.process(host) else { return };
        process.stopped = None;
        let (run, held) = (process.run, std::mem::take(&mut process.held));
        for task in held {
            self.after(0, Event::Agent { host, run, task });
        }
        self.next_job(host);
    }

    /// One event for the machine, and all that follows from it.
    fn machine(&mut self, host: usize, event: Machine) {
        let before = self.deadline(host);
        self.machine_with(host, event);
        self.check_window(host, before, false);
    }

    fn machine_with(&mut self, host: usize, event: Machine) {
        let now = self.now;
        let Some(station) = self.station(host) else { return };
        let clock = station.clock(now);
        let Some(process) = &mut station.process else { return };
        let before = process.agent.machine().phase();
        let asks = process.agent.take(event, clock);
        let after = process.agent.machine().phase();
        let overdue = process.agent.machine().state().open().is_some_and(|open| {
            let ends = matches!(after, ApplyPhase::RollingBack | ApplyPhase::Saving);
            open.deadline.uptime.0 + GRACE_MS < clock.uptime.0 && !ends
        });
        if before != after {
            let id = station.id.clone();
            self.trace.note(now, "phase", || format!("{id} {before:?} -> {after:?}"));
        }
        self.perform(host, asks);
        if overdue && after != ApplyPhase::Applying {
            self.fail(format!("I1 host {host}: the deadline has passed and the agent does not go back"));
        }
        self.end_unguarded(host);
    }

    fn due(&mut self, host: usize) {
        let now = self.now;
        let Some(station) = self.station(host) else { return };
        let uptime = station.clock(now).uptime;
        let Some(process) = &mut station.process else { return };
        process.due_at = None;
        if process.agent.due().is_some_and(|due| due <= uptime) {
            self.machine(host, Machine::Tick);
        } else {
            self.plan_tick(host);
        }
    }

    fn plan_tick(&mut self, host: usize) {
        let now = self.now;
        let Some(station) = self.station(host) else { return };
        let uptime = station.clock(now).uptime.0;
        let Some(process) = &mut station.process else { return };
        let Some(due) = process.agent.due() else { return };
        // A deadline that stays after its tick is asked about again, not at once.
        let at = if due.0 > uptime { now + (due.0 - uptime) } else { now + 500 };
        if process.due_at.is_none_or(|planned| at < planned) {
            process.due_at = Some(at);
            let run = process.run;
            self.at(at, Event::Agent { host, run, task: Task::Due });
        }
    }

    fn perform(&mut self, host: usize, asks: Vec<Ask>) {
        for ask in asks {
            match ask {
                Ask::Observe { token } => self.give(host, Job::Observe(Some(token))),
                Ask::Step { index, operation } => {
                    if self.stations.get(host).is_some_and(|station| station.frozen) {
                        self.fail(format!("I7 host {host}: a step of a frozen host begins"));
                    }
                    self.give(host, Job::Step(index, operation));
                }
                Ask::Inverse { position, operation } => self.give(host, Job::Inverse(position, operation)),
                Ask::Blind(operation) => self.give(host, Job::Blind(operation)),
                Ask::Probe { token, probes } => self.give(host, Job::Probe(token, probes)),
                Ask::Persist => self.give(host, Job::Persist),
                Ask::Confirm { change, generation, digest } => {
                    self.question(host, change, generation, digest)
                }
                Ask::Report(outcome) => {
                    self.hear(host, &outcome);
                    if let Some(process) = self.process(host) {
                        process.outcomes.retain(|kept| *kept != outcome);
                        process.outcomes.push_back(outcome.clone());
                    }
                    self.send_outcome(host, outcome);
                }
                Ask::Opened(transaction) => {
                    let run = self.process(host).map_or(0, |process| process.run);
                    let Some(station) = self.stations.get(host) else { continue };
                    if let Some(watch) = self.watches.get_mut(host) {
                        watch.opened(&station.host, &transaction, run);
                    }
                    if let Some(process) = self.process(host) {
                        process.rolling = false;
                    }
                }
                Ask::Undoing(transaction) => {
                    if let Some(watch) = self.watches.get_mut(host) {
                        watch.undoes(&transaction);
                    }
                    if let Some(process) = self.process(host) {
                        process.rolling = true;
                    }
                }
                Ask::Rolling(reason) => {
                    self.trace.note(self.now, "rolling", || format!("host {host}: {reason}"));
                    if let Some(process) = self.process(host) {
                        process.rolling = true;
                    }
                }
            }
        }
        if self.stations.get(host).is_some_and(|station| station.disk.is_dead()) {
            return self.kill(host);
        }
        self.plan_tick(host);
    }

    /// An outcome is told: it must be true.
    fn hear(&mut self, host: usize, outcome: &ApplyOutcome) {
        let (Some(station), Some(watch)) = (self.stations.get(host), self.watches.get_mut(host)) else {
            return;
        };
        let needs_person = watch.heard(&station.host, &station.disk, outcome);
        self.trace.note(self.now, "outcome", || {
            format!("{} {} {:?}", station.id, outcome.generation, outcome.kind)
        });
        if needs_person {
            // A person looks at the host: power off, power on, the saved configuration.
            let pause = self.rng.between(60_000, 180_000);
            self.after(pause, Event::Begin(Box::new(super::faults::Fault::repair(host))));
        }
    }

    fn give(&mut self, host: usize, job: Job) {
        if let Some(process) = self.process(host) {
            process.jobs.push_back(job);
        }
        self.next_job(host);
    }
}

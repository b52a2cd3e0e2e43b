//! Virtual time and its queue: what happens next, to whom.
//!
//! Owns: the clock, the queue ordered by time and number, and the delivery of every event to the part it is for. Must
//! not know what a part does. `run` starts it; `station`, `coordinator`, `faults` and `operator` are its parts.

use super::coordinator::{Coordinator, Db, Note};
use super::faults::Fault;
use super::gates::Gates;
use super::golden;
use super::rng::Rng;
use super::settings::Settings;
use super::station::{Station, Task};
use super::trace::Trace;
use super::watch::Watch;
use model::Operation;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// Wall clock at the start of every run, milliseconds.
pub const WALL_START: u64 = 1_790_000_000_000;
/// When troubles begin.
pub const QUIET_START_MS: u64 = 30_000;
/// Time after which a run must have come to rest once troubles have ended.
pub const REST_MS: u64 = 3 * 3_600_000;

/// Something that is to happen.
#[derive(Debug, Clone)]
pub enum Event {
    /// To one run of an agent.
    Agent {
        /// The host.
        host: usize,
        /// The run; another one does not hear it.
        run: u32,
        /// What.
        task: Task,
    },
    /// The guard of a host looks at this run of the agent.
    Guard {
        /// The host.
        host: usize,
        /// The run.
        run: u32,
    },
    /// A new guard looks whether an agent without one is still there.
    NewGuard {
        /// The host.
        host: usize,
        /// The run.
        run: u32,
        /// For how long it has not answered.
        silent_ms: u64,
    },
    /// The guard starts the agent.
    StartAgent {
        /// The host.
        host: usize,
        /// The boot it belongs to.
        boot: u32,
    },
    /// The host has power again.
    PowerOn {
        /// The host.
        host: usize,
    },
    /// A call of an agent that is gone has its effect.
    LateCall {
        /// The host.
        host: usize,
        /// The boot it belongs to.
        boot: u32,
        /// The call.
        operation: Box<Operation>,
    },
    /// Look whether a host that was cut off is back.
    CheckCut {
        /// The host.
        host: usize,
    },
    /// To one run of a coordinator.
    Coordinator {
        /// Which one.
        coordinator: usize,
        /// The run; another one does not hear it.
        run: u32,
        /// What.
        note: Note,
    },
    /// A coordinator is started.
    StartCoordinator {
        /// Which one.
        coordinator: usize,
    },
    /// A trouble begins.
    Begin(Box<Fault>),
    /// A trouble ends.
    End(Box<Fault>),
    /// The people who make changes look at the rollout.
    Operator,
}

#[derive(Debug)]
struct Item {
    at: u64,
    number: u64,
    event: Event,
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Item {}
impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Item {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// A fleet with everything around it.
#[derive(Debug)]
pub struct World {
    /// Milliseconds since the start.
    pub now: u64,
    queue: BinaryHeap<Reverse<Item>>,
    number: u64,
    /// Chance.
    pub rng: Rng,
    /// What this run is made of.
    pub settings: Settings,
    /// The hosts.
    pub stations: Vec<Station>,
    /// What each host should be like.
    pub watches: Vec<Watch>,
    /// The coordinators.
    pub coordinators: Vec<Coordinator>,
    /// Their database.
    pub db: Db,
    /// What rollouts must keep to.
    pub gates: Gates,
    /// What happened.
    pub trace: Trace,
    /// When troubles end.
    pub faults_end: u64,
    /// In a thousand calls that go wrong.
    pub bad_calls: u64,
    /// In a thousand messages that go wrong.
    pub bad_messages: u64,
    /// In a thousand readings in which a part is missing.
    pub partial_reads: u64,
    /// Changes that were made.
    pub changes_made: u32,
    /// The last wait of the people who make changes.
    pub halted_for: u32,
    /// What was violated, and when.
    pub violations: Vec<(u64, String)>,
    /// Set when everything has come to rest.
    pub is_done: bool,
}

impl World {
    /// A fleet on which nothing has happened.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let mut rng = Rng::new(settings.seed);
        let stations: Vec<Station> = (1..=settings.hosts)
            .filter_map(|number| Station::new(golden::host(number), &settings, &mut rng))
            .collect();
        let watches = stations.iter().map(|station| Watch::new(&station.host)).collect();
        let coordinators = (0..settings.coordinators).map(|_| Coordinator::default()).collect();
        let mut world = Self {
            now: 0,
            queue: BinaryHeap::new(),
            number: 0,
            trace: Trace::new(settings.verbose),
            rng,
            stations,
            watches,
            coordinators,
            db: Db::default(),
            gates: Gates::default(),
            faults_end: 0,
            bad_calls: 0,
            bad_messages: 0,
            partial_reads: 0,
            changes_made: 0,
            halted_for: 0,
            violations: Vec::new(),
            is_done: false,
            settings,
        };
        world.plan_faults();
        for coordinator in 0..world.coordinators.len() {
            world.after(0, Event::StartCoordinator { coordinator });
        }
        for host in 0..world.stations.len() {
            let pause = world.rng.below(5_000);
            world.after(pause, Event::StartAgent { host, boot: 0 });
        }
        world.after(15_000, Event::Operator);
        world
    }

    /// Puts an event into the queue.
    pub fn at(&mut self, at: u64, event: Event) {
        self.number += 1;
        self.queue.push(Reverse(Item { at: at.max(self.now), number: self.number, event }));
    }

    /// Puts an event into the queue, so many milliseconds from now.
    pub fn after(&mut self, pause: u64, event: Event) {
        self.at(self.now.saturating_add(pause), event);
    }

    /// Notes a violation.
    pub fn fail(&mut self, what: impl Into<String>) {
        let what = what.into();
        self.trace.note(self.now, "VIOLATION", || what.clone());
        self.violations.push((self.now, what));
    }

    /// Runs until everything is at rest, or something is violated. Gives the number of events.
    pub fn run(&mut self) -> u64 {
        while let Some(Reverse(Item { at, event, .. })) = self.queue.pop() {
            self.now = at;
            self.deliver(event);
            self.collect();
            if !self.violations.is_empty() || self.is_done {
                break;
            }
            if self.now > self.faults_end + REST_MS {
                let why = self.unrest();
                self.fail(format!("I9 {why}"));
            }
        }
        self.trace.events()
    }

    fn deliver(&mut self, event: Event) {
        match event {
            Event::Agent { host, run, task } => {
                self.trace.event(self.now, [1, host as u64, u64::from(run)]);
                self.agent_task(host, run, task);
            }
            Event::Guard { host, run } => self.guard_looks(host, run),
            Event::NewGuard { host, run, silent_ms } => self.new_guard(host, run, silent_ms),
            Event::StartAgent { host, boot } => {
                self.trace.event(self.now, [2, host as u64, u64::from(boot)]);
                self.start_agent(host, boot);
            }
            Event::PowerOn { host } => self.power_on(host),
            Event::LateCall { host, boot, operation } => self.late_call(host, boot, &operation),
            Event::CheckCut { host } => {
                let now = self.now;
                if let Some(again) = self.watches.get_mut(host).and_then(|watch| watch.check_cut(now)) {
                    self.at(again, Event::CheckCut { host });
                }
            }
            Event::Coordinator { coordinator, run, note } => {
                self.trace.event(self.now, [3, coordinator as u64, u64::from(run)]);
                self.coordinator_note(coordinator, run, note);
            }
            Event::StartCoordinator { coordinator } => self.start_coordinator(coordinator),
            Event::Begin(fault) => self.begin(&fault),
            Event::End(fault) => self.end(&fault),
            Event::Operator => self.operator(),
        }
    }

    /// Violations that were noted by the parts during the last event.
    fn collect(&mut self) {
        let mut found: Vec<String> = self.gates.violations.drain(..).collect();
        for (watch, station) in self.watches.iter_mut().zip(&self.stations) {
            found.extend(watch.violations.drain(..).map(|what| format!("{}: {what}", station.id)));
        }
        for what in found {
            self.fail(what);
        }
    }
}

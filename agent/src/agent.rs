//! The event loop: what happens goes in, the apply machine decides, effects go out.
//!
//! Owns: the machine, the journal, and what is to be sent again until acknowledged. Must not: block
//! (the host's programs run on the worker's thread) or decide about a change. Called by `main`.

mod effects;
mod report;
pub mod shell;

use crate::approval::Gatekeeper;
use crate::console::server::Local;
use crate::drift::DriftWatch;
use crate::host::boot::Clock;
use crate::host::observe::Depth;
use crate::host::worker::{Answer, CallOf, Job, Purpose, Worker};
use crate::journal::{self, Journal, Opened};
use crate::link::backoff::{Backoff, seed};
use crate::link::renew::Keeper;
use crate::link::stream::{Link, LinkEvent};
use crate::settings::Settings;
use engine::apply::{
    ApplyMachine, Approval, Effect, Event as ApplyEvent, JournalHealth, Seen, UnreadableOrder,
};
use engine::proof::Standing;
use engine::safety::SafetyLimits;
use model::{ApplyPhase, BootId, Order};
use proto::convert::{AgentHello, FromAgent, FromCoordinator, OfferedOrder};
use report::Reports;
use shell::{Shell, Surroundings};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

/// Messages between the loop and its helpers: one of each kind, and room for repeats.
const CHANNEL_MAX: usize = 32;
/// Time between heartbeats until the coordinator says another one.
const HEARTBEAT_DEFAULT: Duration = Duration::from_secs(10);
/// A suspected drift is looked at again after this.
const SECOND_LOOK: Duration = Duration::from_secs(2);

/// Everything that can happen to the agent.
enum Event {
    /// From the stream.
    Link(LinkEvent),
    /// From the host.
    Host(Answer),
    /// From a confirmation that was asked for.
    Confirm(ApplyEvent),
    /// From this host: the console or the guard.
    Local(Local),
    /// A deadline of the machine, a heartbeat or a look at the host is due.
    Due,
}

/// The agent.
pub struct Agent {
    settings: Arc<Settings>,
    clock: Clock,
    boot: BootId,
    instance: String,
    /// As last read.
    system_uuid: String,
    machine: ApplyMachine,
    journal: Journal,
    worker: Worker,
    drift: DriftWatch,
    shell: Shell,
    gatekeeper: Gatekeeper,
    reports: Reports,
    hello: watch::Sender<AgentHello>,
    hurry: Arc<Notify>,
    confirms: mpsc::Sender<ApplyEvent>,
    connected: bool,
    heartbeat: Duration,
    next_heartbeat: Instant,
    next_look: Instant,
    looking: bool,
    /// The next look reads everything.
    look_full: bool,
}

/// What the loop listens to.
struct Ears {
    link: mpsc::Receiver<LinkEvent>,
    host: mpsc::Receiver<Answer>,
    confirms: mpsc::Receiver<ApplyEvent>,
    local: mpsc::Receiver<Local>,
}

/// Runs the agent; returns when its guard is gone and nothing is open, and fails when a helper it
/// cannot live without is gone.
pub async fn run(
    settings: Settings,
    clock: Clock,
    boot: BootId,
    surroundings: Surroundings,
) -> anyhow::Result<()> {
    let settings = Arc::new(settings);
    let (journal, Opened { replay, health, .. }) = journal::open(&settings.state_dir, &boot);
    if let JournalHealth::Damaged { detail } = &health {
        tracing::error!(detail, "the journal cannot be trusted: no order is taken");
    }
    let (shell, local) = surroundings.begin(&health);
    let gatekeeper = Gatekeeper::begin(&settings);
    let last_outcome = replay.memory.held.as_ref().map(|held| held.outcome.clone());
    let (machine, effects) =
        ApplyMachine::restore(settings.host_id.clone(), boot.clone(), replay, health, clock.now());

    let (answers, host) = mpsc::channel(CHANNEL_MAX);
    let worker = Worker::start(&settings, boot.clone(), answers)?;
    let (outgoing, to_link) = mpsc::channel(CHANNEL_MAX);
    let (link_events, link) = mpsc::channel(CHANNEL_MAX);
    let (confirms, confirm_answers) = mpsc::channel(CHANNEL_MAX);
    let hurry = Arc::new(Notify::new());
    let process = clock.now().wall.0 ^ (u64::from(std::process::id()) << 32);
    let instance = format!("{}-{process:x}", std::process::id());
    let (hello, hello_seen) = watch::channel(hello(&machine, &gatekeeper, &boot, &instance, ""));
    let helper = Link {
        settings: Arc::clone(&settings),
        hello: hello_seen,
        outgoing: to_link,
        events: link_events,
        hurry: Arc::clone(&hurry),
        backoff: Backoff::new(seed(settings.host_id.as_str(), process), settings.reconnect_max),
    };
    let keeper = Keeper {
        settings: Arc::clone(&settings),
        hello: hello.subscribe(),
        hurry: Arc::clone(&hurry),
        backoff: helper.backoff.clone(),
    };
    tokio::spawn(keeper.run());
    tokio::spawn(helper.run());

    let now = Instant::now();
    let mut agent = Agent {
        reports: Reports::new(outgoing, last_outcome),
        settings,
        clock,
        boot,
        instance,
        system_uuid: String::new(),
        machine,
        journal,
        worker,
        drift: DriftWatch::default(),
        shell,
        gatekeeper,
        hello,
        hurry,
        confirms,
        connected: false,
        heartbeat: HEARTBEAT_DEFAULT,
        next_heartbeat: now + HEARTBEAT_DEFAULT,
        next_look: now,
        looking: false,
        look_full: true,
    };
    tracing::info!(host = %agent.settings.host_id, boot = agent.boot.0, "agent started");
    let storage_vmks = agent.settings.storage_vmks.clone();
    agent.machine.set_limits(SafetyLimits { storage_vmks });
    agent.take_holds();
    agent.perform(effects);
    agent.tell_guard();
    agent.listen(Ears { link, host, confirms: confirm_answers, local }).await
}

fn hello(
    machine: &ApplyMachine,
    gatekeeper: &Gatekeeper,
    boot: &BootId,
    instance: &str,
    system_uuid: &str,
) -> AgentHello {
    AgentHello {
        protocol_min: proto::PROTOCOL_MIN,
        protocol_max: proto::PROTOCOL_MAX,
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        boot_id: boot.clone(),
        instance_id: instance.to_owned(),
        held_generation: machine.held_generation(),
        committed_generation: machine.memory().committed_generation(),
        open_change: machine.state().order().map(|order| order.change.clone()),
        phase: machine.phase(),
        system_uuid: system_uuid.to_owned(),
        approver_set_version: gatekeeper.set_version(),
        approval_mode: gatekeeper.mode(),
    }
}

/// What a person should know of the approval, whatever the machine makes of the order.
fn tell_approval(order: &Order, approval: &Approval) {
    let change = &order.change;
    match approval {
        Approval::Unchecked => {}
        Approval::Enforced(Ok(proven)) | Approval::Warned(Ok(proven)) => {
            let names = proven.names.join(", ");
            if proven.standing == Standing::BreakGlass {
                tracing::warn!(%change, names, "approved in an emergency");
            } else {
                tracing::info!(%change, names, "approved");
            }
        }
        Approval::Enforced(Err(unproven)) | Approval::Warned(Err(unproven)) => {
            tracing::warn!(%change, kind = unproven.kind.as_str(), detail = unproven.detail, "order not proven");
        }
    }
}

impl Agent {
    async fn listen(mut self, mut ears: Ears) -> anyhow::Result<()> {
        loop {
            let due = self.next_due();
            // The host first: what it says belongs to a change that is already under way.
            let event = tokio::select! {
                biased;
                answer = ears.host.recv() => answer.map(Event::Host),
                confirm = ears.confirms.recv() => confirm.map(Event::Confirm),
                local = ears.local.recv() => local.map(Event::Local),
                event = ears.link.recv() => event.map(Event::Link),
                () = tokio::time::sleep_until(due) => Some(Event::Due),
            };
            match event {
                Some(event) => self.take(event),
                None => anyhow::bail!("a helper of the agent has ended: it must be started again"),
            }
            self.beat(Instant::now());
            let hello = hello(&self.machine, &self.gatekeeper, &self.boot, &self.instance, &self.system_uuid);
            self.hello.send_replace(hello);
            if self.may_end() {
                return Ok(());
            }
        }
    }

    /// The earliest of: machine deadline, heartbeat, sign of life, look at the host.
    fn next_due(&self) -> Instant {
        let mut due = self.next_heartbeat.min(self.shell.next_beat());
        if !self.looking && self.machine.phase() == ApplyPhase::Idle {
            due = due.min(self.next_look);
        }
        if let Some(deadline) = self.machine.next_deadline() {
            let left = deadline.0.saturating_sub(self.clock.now().uptime.0);
            due = due.min(Instant::now() + Duration::from_millis(left));
        }
        due
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Link(event) => self.on_link(event),
            Event::Host(answer) => self.on_host(answer),
            Event::Local(local) => self.on_local(local),
            Event::Confirm(answer) => {
                if let ApplyEvent::ConfirmUnavailable { change, detail } = &answer {
                    tracing::warn!(%change, detail, "no confirmation yet");
                } else if !self.connected {
                    // The coordinator was reached: the stream need not wait any longer.
                    self.hurry.notify_one();
                }
                self.step(answer);
            }
            Event::Due => self.due(),
        }
    }

    fn due(&mut self) {
        let uptime = self.clock.now().uptime;
        if self.machine.next_deadline().is_some_and(|deadline| deadline <= uptime) {
            self.step(ApplyEvent::Tick);
        }
        let now = Instant::now();
        if now >= self.next_heartbeat {
            self.send_heartbeat();
        }
        if now >= self.next_look && !self.looking && self.machine.phase() == ApplyPhase::Idle {
            self.look();
        }
    }

    fn look(&mut self) {
        let depth = if self.look_full { Depth::Full } else { Depth::WhenChanged };
        let wall = self.clock.now().wall;
        self.next_look = Instant::now() + self.settings.observe_period;
        self.gatekeeper.read_again();
        match self.worker.give(Job::Observe { purpose: Purpose::Periodic, depth, wall }) {
            Ok(()) => (self.looking, self.look_full) = (true, false),
            Err(_) => tracing::warn!("the host thread is busy: looking at the host later"),
        }
        // A save that failed is tried again with every look.
        if self.machine.memory().persist_due && self.worker.give(Job::Persist).is_err() {
            tracing::warn!("the host thread is busy: saving the configuration later");
        }
    }

    fn look_soon(&mut self, after: Duration) {
        self.look_full = true;
        self.next_look = self.next_look.min(Instant::now() + after);
    }

    fn on_link(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Connected { heartbeat } => {
                self.connected = true;
                self.heartbeat = heartbeat;
                self.reports.connected();
                self.send_heartbeat();
                if let Some(report) = self.drift.current() {
                    self.reports.send(FromAgent::Drift(Box::new(report.clone())));
                }
            }
            LinkEvent::Disconnected => {
                self.connected = false;
                self.reports.disconnected();
            }
            LinkEvent::Order(Ok(offered)) => self.on_offer(&offered),
            LinkEvent::Order(Err(error)) => self.refuse_unread(&error),
            LinkEvent::Message(message) => self.on_coordinator(message),
        }
    }

    /// Verified first, then read, then given to the machine.
    fn on_offer(&mut self, offered: &OfferedOrder) {
        self.gatekeeper.read_again();
        let (order, approval) = match self.gatekeeper.judge(offered, self.clock.now().wall) {
            Ok(judged) => judged,
            Err(error) => return self.refuse_unread(&error),
        };
        tracing::info!(change = %order.change, generation = order.generation.0, "order received");
        tell_approval(&order, &approval);
        let health = match self.journal.writable() {
            Ok(()) => JournalHealth::Sound,
            Err(error) => JournalHealth::Damaged { detail: error.to_string() },
        };
        self.machine.set_journal_health(health);
        self.take_holds();
        self.step(ApplyEvent::OrderReceived { order, approval });
    }

    fn refuse_unread(&mut self, error: &UnreadableOrder) {
        tracing::error!(%error, "order refused");
        if let Some(outcome) = error.refusal() {
            let effects = self.machine.note_refusal(&outcome, self.clock.now().wall);
            self.perform(effects);
            self.reports.outcome(outcome);
        }
    }

    fn on_coordinator(&mut self, message: FromCoordinator) {
        match message {
            FromCoordinator::OutcomeAck { change, generation } => {
                self.reports.outcome_acknowledged(&change, generation);
            }
            FromCoordinator::ObservationAck { hash } => self.reports.observation_acknowledged(hash),
            FromCoordinator::ObserveNow => {
                self.reports.want_observation();
                self.look_soon(Duration::ZERO);
            }
            FromCoordinator::AreYouThere => self.send_heartbeat(),
            FromCoordinator::ApproverSet(rotation) => {
                let answer = self.gatekeeper.rotate(&rotation, self.clock.now().wall);
                self.reports.send(FromAgent::ApproverSetAck(answer));
            }
            FromCoordinator::LocalAck { sequence } => {
                let effects = self.machine.local_acknowledged(sequence);
                self.perform(effects);
            }
            FromCoordinator::Extend { change, window } => {
                tracing::info!(%change, window_ms = window.0, "another window for the open change");
                self.step(ApplyEvent::ExtendRequested { change, window });
            }
            // The stream answers pings itself.
            FromCoordinator::Welcome { .. }
            | FromCoordinator::Order(_)
            | FromCoordinator::Goodbye { .. }
            | FromCoordinator::Ping(_) => {
                tracing::warn!("message of the coordinator out of turn");
            }
        }
    }

    fn on_host(&mut self, answer: Answer) {
        match answer {
            Answer::Observed { purpose: Purpose::Periodic, result, calls } => {
                self.looking = false;
                match result {
                    Err(error) => tracing::warn!(error, "the host cannot be read"),
                    Ok(observed) => {
                        self.system_uuid.clone_from(&observed.facts.uuid);
                        if self.machine.phase() == ApplyPhase::Idle {
                            self.watch_drift(&observed);
                        }
                        self.reports.observation(*observed, calls);
                    }
                }
            }
            Answer::Observed { purpose: Purpose::Machine(token), result, calls } => {
                let seen = result.clone().ok();
                // The machine has just looked: the next look of our own has time.
                self.next_look = self.next_look.max(Instant::now() + self.settings.observe_period);
                self.step(ApplyEvent::Observed(Seen { token, result, calls }));
                if let Some(observed) = seen {
                    self.reports.observation(*observed, calls);
                }
            }
            Answer::Ran { call: CallOf::Step(index), result } => {
                tracing::info!(step = index, result = ?result, "step done");
                self.step(ApplyEvent::StepDone { index, result });
            }
            Answer::Ran { call: CallOf::Inverse(position), result } => {
                tracing::info!(inverse = position, result = ?result, "inverse done");
                self.step(ApplyEvent::InverseDone { position, result });
            }
            // The machine asks for no probes yet.
            Answer::Probed { token, results } => self.step(ApplyEvent::Probed { token, results }),
            Answer::Persisted(result) => {
                if let Err(error) = &result {
                    tracing::error!(
                        error,
                        "the host's configuration is not saved: it would be lost at a reboot"
                    );
                }
                self.step(ApplyEvent::Persisted(result));
            }
        }
    }

    fn watch_drift(&mut self, observed: &model::ObservedNetwork) {
        let committed = self.machine.memory().committed.as_ref();
        if let Some(report) = self.drift.look(&self.settings.host_id, committed, observed) {
            tracing::warn!(differences = report.differences.len(), "drift");
            self.reports.send(FromAgent::Drift(Box::new(report)));
        }
        if self.drift.doubtful() {
            self.look_soon(SECOND_LOOK);
        }
    }

    fn send_heartbeat(&mut self) {
        self.next_heartbeat = Instant::now() + self.heartbeat;
        if self.connected {
            let drift = self.drift.current().is_some();
            let committed = self.machine.memory().committed_generation();
            self.reports.heartbeat(self.machine.phase(), committed, drift);
            for action in &self.machine.memory().local {
                self.reports.send(FromAgent::Local(action.clone()));
            }
        }
    }

    /// One event for the machine, and all that follows from it.
    fn step(&mut self, event: ApplyEvent) {
        let before = self.machine.phase();
        let effects = self.machine.handle(event, self.clock.now());
        self.perform(effects);
        self.tell_guard();
        let after = self.machine.phase();
        if before != after {
            tracing::info!(?before, ?after, "apply state changed");
        }
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        effects::perform(self, effects);
    }
}

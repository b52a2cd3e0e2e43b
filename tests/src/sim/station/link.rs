//! An agent's way to its coordinators: the stream, the heartbeat, and questions over connections of their own.
//!
//! Owns: what is sent when, and what gets lost with a stream. Must not know what a message means. Part of `station`.

use super::{BEAT_MS, BEATS_PER_LOOK, CONFIRM_TRY_MS, Job, KEEP_ALIVE_MS, LINKED_MS, Link, Station, Task};
use crate::sim::coordinator::{Coordinator, Note, Question};
use crate::sim::mutants::Mutant;
use crate::sim::world::{Event, World};
use engine::apply::ConfirmVerdict;
use model::{ApplyOutcome, ApplyPhase, ChangeId, Generation, HostId, PlanDigest};

impl World {
    pub(super) fn connect(&mut self, host: usize) {
        let open: Vec<usize> =
            (0..self.coordinators.len()).filter(|c| self.path_open(host, *c) && self.leads(*c)).collect();
        let Some(station) = self.station(host) else { return };
        let session = station.sessions + 1;
        let Some(process) = station.process.as_mut().filter(|process| process.link.is_none()) else { return };
        process.connecting = true;
        let Some(coordinator) = open.first().copied() else {
            let pause = 2_000 + self.rng.below(3_000);
            return self.tell_later(host, pause, Task::Connect);
        };
        if let Some(station) = self.station(host) {
            station.sessions = session;
        }
        self.tell_later(host, 100, Task::Welcome { coordinator, session });
    }

    pub(super) fn welcome(&mut self, host: usize, coordinator: usize, session: u64) {
        let now = self.now;
        let open = self.path_open(host, coordinator);
        let Some(process) = self.process(host).filter(|process| process.link.is_none()) else { return };
        process.connecting = false;
        if !open {
            return self.tell_later(host, 2_000, Task::Connect);
        }
        process.link = Some(Link { coordinator, session, silent: None, since: now });
        let seen = process.last_seen.clone();
        self.send_up(host, coordinator, Note::Connected { host, session });
        if let Some(observed) = seen {
            self.send_up(host, coordinator, Note::Observed { host, observed });
        }
        self.again(host);
    }

    pub(super) fn again(&mut self, host: usize) {
        let outcomes: Vec<ApplyOutcome> =
            self.process(host).map(|process| process.outcomes.iter().cloned().collect()).unwrap_or_default();
        for outcome in outcomes {
            self.send_outcome(host, outcome);
        }
    }

    pub(super) fn send_outcome(&mut self, host: usize, outcome: ApplyOutcome) {
        if let Some(link) = self.process(host).and_then(|process| process.link) {
            self.send_up(host, link.coordinator, Note::Outcome { host, outcome: Box::new(outcome) });
        }
    }

    pub(super) fn beat(&mut self, host: usize) {
        let now = self.now;
        let link = self.process(host).and_then(|process| process.link);
        let open = link.is_some_and(|link| self.path_open(host, link.coordinator));
        let coordinator_knows = link
            .is_some_and(|l| self.coordinators.get(l.coordinator).is_some_and(|c| c.knows(host, l.session)));
        let coordinator_knows = coordinator_knows && link.is_some_and(|link| self.leads(link.coordinator));
        let Some(process) = self.process(host) else { return };
        process.beats += 1;
        let idle = process.agent.machine().phase() == ApplyPhase::Idle;
        let looks = process.beats.is_multiple_of(BEATS_PER_LOOK) && idle && process.jobs.is_empty();
        let persist = looks && process.agent.machine().memory().persist_due;
        let mut gone = None;
        if let Some(link) = &mut process.link {
            link.silent = if open { None } else { Some(link.silent.unwrap_or(now)) };
            let silent = link.silent.is_some_and(|since| now - since >= KEEP_ALIVE_MS);
            // A coordinator that was started again closes a stream that it does not know.
            if silent || (open && !coordinator_knows && process.beats.is_multiple_of(2)) {
                gone = process.link.take();
            }
        } else if !process.connecting {
            self.tell_later(host, 500, Task::Connect);
        }
        if let Some(link) = gone {
            self.dropped(host, link);
            self.tell_later(host, 1_000, Task::Connect);
        } else if open {
            self.again(host);
        }
        if looks {
            self.give(host, Job::Observe(None));
        }
        if persist {
            self.give(host, Job::Persist);
        }
        self.tell_later(host, BEAT_MS, Task::Beat);
    }

    pub(super) fn dropped(&mut self, host: usize, link: Link) {
        let Link { coordinator, session, .. } = link;
        let pause = if self.path_open(host, coordinator) { 50 } else { self.rng.between(5_000, 30_000) };
        let Some(run) = self.coordinators.get(coordinator).map(Coordinator::run_of) else { return };
        let note = Note::Disconnected { host, session };
        self.after(pause, Event::Coordinator { coordinator, run, note });
    }

    /// Hosts whose stream has been open and alive for a good while.
    pub(in crate::sim) fn linked(&self) -> Vec<HostId> {
        let long = |(host, station): &(usize, &Station)| {
            let link =
                station.process.as_ref().filter(|process| process.stopped.is_none()).and_then(|p| p.link);
            link.is_some_and(|link| {
                self.now - link.since > LINKED_MS
                    && self.path_open(*host, link.coordinator)
                    && self.coordinators.get(link.coordinator).is_some_and(|c| c.knows(*host, link.session))
            })
        };
        self.stations.iter().enumerate().filter(long).map(|(_, station)| station.id.clone()).collect()
    }

    /// A stream does not lose single messages: it breaks.
    fn break_stream(&mut self, host: usize) {
        if let Some(link) = self.process(host).and_then(|process| process.link.take()) {
            self.dropped(host, link);
            self.tell_later(host, 1_000, Task::Connect);
        }
    }

    /// A question over a connection of its own, opened now.
    pub(super) fn question(
        &mut self,
        host: usize,
        change: ChangeId,
        generation: Generation,
        digest: PlanDigest,
    ) {
        let old_flow = self.settings.mutant == Some(Mutant::OldConnection);
        let open: Vec<usize> =
            (0..self.coordinators.len()).filter(|c| old_flow || self.path_open(host, *c)).collect();
        let lost = self.rng.chance(self.bad_messages);
        let now = self.now;
        let Some(connected_at) = self.stations.get(host).map(|station| station.clock(now).uptime) else {
            return;
        };
        let target = self.rng.pick(&open).copied();
        let (Some(coordinator), false) = (target, lost) else {
            let verdict = Err("no way to a coordinator".to_owned());
            let answer = Task::Confirm { change, generation, connected_at, verdict };
            return self.tell_later(host, CONFIRM_TRY_MS, answer);
        };
        let Some(agent_run) = self.process(host).map(|process| process.run) else { return };
        let Some(run) = self.coordinators.get(coordinator).map(Coordinator::run_of) else { return };
        let question =
            Question { host, run: agent_run, change, generation, digest, opened_at: now, connected_at };
        let note = Note::Question(Box::new(question));
        let pause = self.rng.between(20, 400);
        self.after(pause, Event::Coordinator { coordinator, run, note });
    }

    /// The answer to a question; it comes only when the path still works.
    pub fn answer(&mut self, question: &Question, verdict: Result<ConfirmVerdict, String>) {
        let Question { host, run, generation, connected_at, .. } = *question;
        let change = question.change.clone();
        let old_flow = self.settings.mutant == Some(Mutant::OldConnection);
        let coordinators = 0..self.coordinators.len();
        let open = old_flow || coordinators.into_iter().any(|coordinator| self.path_open(host, coordinator));
        let verdict = match verdict {
            // The answer is lost although it was given.
            Ok(_) if self.rng.chance(self.bad_messages) => Err("no answer".to_owned()),
            Ok(_) if !open => Err("no answer".to_owned()),
            other => other,
        };
        let pause = if verdict.is_err() { CONFIRM_TRY_MS } else { self.rng.between(20, 400) };
        self.after(
            pause,
            Event::Agent { host, run, task: Task::Confirm { change, generation, connected_at, verdict } },
        );
    }

    /// A message over the stream to a coordinator: late, lost or twice when messages go wrong.
    pub(super) fn send_up(&mut self, host: usize, coordinator: usize, note: Note) {
        let Some(run) = self.coordinators.get(coordinator).map(Coordinator::run_of) else { return };
        if !self.path_open(host, coordinator) || self.rng.chance(self.bad_messages / 4) {
            return self.break_stream(host);
        }
        let pause = self.rng.between(5, 60);
        if self.rng.chance(self.bad_messages / 2) {
            let late = self.rng.between(1_000, 120_000);
            self.after(late, Event::Coordinator { coordinator, run, note: note.clone() });
        }
        self.after(pause, Event::Coordinator { coordinator, run, note });
    }

    /// A message over the stream to an agent.
    pub fn send_down(&mut self, host: usize, coordinator: usize, task: Task) {
        let Some(run) = self.process(host).map(|process| process.run) else { return };
        if !self.path_open(host, coordinator) || self.rng.chance(self.bad_messages / 4) {
            return self.break_stream(host);
        }
        let pause = self.rng.between(5, 60);
        if self.rng.chance(self.bad_messages) {
            let late = self.rng.between(1_000, 300_000);
            self.after(late, Event::Agent { host, run, task: task.clone() });
        }
        self.after(pause, Event::Agent { host, run, task });
    }
}

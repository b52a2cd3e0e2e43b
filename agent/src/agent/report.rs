//! What the coordinator is told, again and again until it says that it knows.
//!
//! Owns: outcomes and the newest observation that were not acknowledged. Must not: decide what is
//! true. Called by the event loop.

use model::{ApplyOutcome, ApplyPhase, ChangeId, Generation, ObservedNetwork};
use proto::convert::{FromAgent, HeartbeatReport, ObservationReport, OutcomeReport};
use std::collections::VecDeque;
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, get_current_pid};
use tokio::sync::mpsc;

/// Outcomes kept for an unreachable coordinator; the oldest goes first. The last one that was
/// acted on is in the journal anyway.
const OUTCOMES_MAX: usize = 16;

/// The outgoing side.
pub(super) struct Reports {
    outgoing: mpsc::Sender<FromAgent>,
    connected: bool,
    outcomes: VecDeque<ApplyOutcome>,
    latest: Option<ObservationReport>,
    acknowledged: String,
    sequence: u64,
    memory: Memory,
}

/// Own memory use, where the system tells it.
enum Memory {
    Known(Box<System>),
    Unknown,
}

impl Reports {
    /// Begins with the last outcome of the journal: it may never have arrived.
    pub(super) fn new(outgoing: mpsc::Sender<FromAgent>, last: Option<ApplyOutcome>) -> Self {
        Self {
            outgoing,
            connected: false,
            outcomes: last.into_iter().collect(),
            latest: None,
            acknowledged: String::new(),
            sequence: 0,
            memory: System::new().map_or(Memory::Unknown, |system| Memory::Known(Box::new(system))),
        }
    }

    /// Sends when there is a stream; what gets lost is sent again later or was not worth keeping.
    pub(super) fn send(&self, message: FromAgent) {
        if self.connected && self.outgoing.try_send(message).is_err() {
            tracing::debug!("message for the coordinator dropped: the queue is full");
        }
    }

    /// The stream stands; the heartbeat that follows brings along what was not acknowledged.
    pub(super) fn connected(&mut self) {
        self.connected = true;
        self.acknowledged.clear();
    }

    pub(super) fn disconnected(&mut self) {
        self.connected = false;
    }

    fn again(&self) {
        for outcome in &self.outcomes {
            self.send_outcome(outcome.clone());
        }
        if let Some(report) = self.latest.as_ref().filter(|report| report.hash != self.acknowledged) {
            self.send(FromAgent::Observation(Box::new(report.clone())));
        }
    }

    /// The link signs it: the key belongs to the connection.
    fn send_outcome(&self, outcome: ApplyOutcome) {
        match OutcomeReport::new(outcome) {
            Ok(report) => self.send(FromAgent::Outcome(Box::new(report))),
            Err(error) => tracing::error!(%error, "the end of an order cannot be sent"),
        }
    }

    pub(super) fn outcome(&mut self, outcome: ApplyOutcome) {
        self.outcomes.retain(|kept| *kept != outcome);
        if self.outcomes.len() >= OUTCOMES_MAX {
            self.outcomes.pop_front();
        }
        self.send_outcome(outcome.clone());
        self.outcomes.push_back(outcome);
    }

    pub(super) fn outcome_acknowledged(&mut self, change: &ChangeId, generation: Generation) {
        self.outcomes.retain(|kept| kept.change != *change || kept.generation != generation);
    }

    pub(super) fn observation(&mut self, observed: ObservedNetwork, calls: u32) {
        match ObservationReport::new(observed, calls) {
            Err(error) => tracing::error!(%error, "observation cannot be sent"),
            Ok(report) => {
                let news = report.hash != self.acknowledged
                    && self.latest.as_ref().is_none_or(|latest| latest.hash != report.hash);
                self.latest = Some(report.clone());
                if news {
                    self.send(FromAgent::Observation(Box::new(report)));
                }
            }
        }
    }

    pub(super) fn observation_acknowledged(&mut self, hash: String) {
        self.acknowledged = hash;
    }

    /// The coordinator asked: the next observation is sent even when nothing changed.
    pub(super) fn want_observation(&mut self) {
        self.acknowledged.clear();
        self.latest = None;
    }

    /// A heartbeat, and with it all that was not acknowledged.
    pub(super) fn heartbeat(&mut self, phase: ApplyPhase, committed: Generation, drift: bool) {
        self.sequence = self.sequence.saturating_add(1);
        let report = HeartbeatReport {
            sequence: self.sequence,
            phase,
            committed_generation: committed,
            drift,
            observation_hash: self.latest.as_ref().map(|report| report.hash.clone()).unwrap_or_default(),
            rss_bytes: self.rss(),
        };
        self.send(FromAgent::Heartbeat(report));
        self.again();
    }

    fn rss(&mut self) -> u64 {
        let (Memory::Known(system), Ok(pid)) = (&mut self.memory, get_current_pid()) else { return 0 };
        let what = ProcessRefreshKind::nothing().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, what);
        system.process(pid).map_or(0, sysinfo::Process::memory)
    }
}

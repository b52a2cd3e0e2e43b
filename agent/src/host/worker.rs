//! The thread that works on the host, one job after the other, so that the event loop never waits.
//!
//! Owns: the observer and the two runners. Must not: decide what to do. Called by the event loop:
//! jobs go in by a bounded queue, answers come back by a bounded channel.

use super::apply::{run_operation, save};
use super::observe::{Depth, Observer};
use super::ping::run_probes;
use super::runner::Runner;
use crate::settings::Settings;
use engine::apply::StepResult;
use model::{BootId, ObservedNetwork, Operation, Probe, ProbeResult, Wall};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;
use tokio::sync::mpsc;

/// Jobs that may wait: one of the machine, one periodic, one saving, and room for repeats.
const JOBS_MAX: usize = 8;
/// Stack of the thread.
const STACK_BYTES: usize = 512 * 1024;

/// For whom the host is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// For the apply machine, which wants this token back.
    Machine(u32),
    /// Because it is time, or somebody asked.
    Periodic,
}

/// Which call of the apply machine it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOf {
    /// A step.
    Step(u32),
    /// An inverse.
    Inverse(u32),
}

/// Something to do on the host.
#[derive(Debug)]
pub enum Job {
    /// Read it.
    Observe {
        /// For whom.
        purpose: Purpose,
        /// How much.
        depth: Depth,
        /// The time to write on it.
        wall: Wall,
    },
    /// Change it.
    Run {
        /// Which call.
        call: CallOf,
        /// What.
        operation: Operation,
    },
    /// Save its configuration.
    Persist,
    /// Send pings from it.
    Probe {
        /// The machine wants this back.
        token: u32,
        /// Which.
        probes: Vec<Probe>,
    },
}

/// What came of a job.
#[derive(Debug)]
pub enum Answer {
    /// It was read, or not.
    Observed {
        /// For whom.
        purpose: Purpose,
        /// The host, or why not.
        result: Result<Box<ObservedNetwork>, String>,
        /// esxcli calls it took.
        calls: u32,
    },
    /// It was changed, or not.
    Ran {
        /// Which call.
        call: CallOf,
        /// How it ended.
        result: StepResult,
    },
    /// It was saved, or not.
    Persisted(Result<(), String>),
    /// Pings were sent.
    Probed {
        /// As in the job.
        token: u32,
        /// One result per probe, in their order.
        results: Vec<ProbeResult>,
    },
}

/// The way to the thread.
#[derive(Debug, Clone)]
pub struct Worker {
    jobs: SyncSender<Job>,
}

impl Worker {
    /// Starts the thread; answers go to `answers`.
    pub fn start(settings: &Settings, boot: BootId, answers: mpsc::Sender<Answer>) -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel(JOBS_MAX);
        let hands = Hands {
            observer: Observer::new(settings),
            esxcli: Runner::new(&settings.esxcli, &settings.extra_env),
            auto_backup: Runner::new(&settings.auto_backup, &settings.extra_env),
            step_timeout: settings.step_timeout,
            boot,
        };
        std::thread::Builder::new()
            .name("host".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || hands.work(&queue, &answers))?;
        Ok(Self { jobs })
    }

    /// Hands a job over; gives it back when the queue is full or the thread is gone.
    pub fn give(&self, job: Job) -> Result<(), Job> {
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(job) | TrySendError::Disconnected(job) => job,
        })
    }
}

struct Hands {
    observer: Observer,
    esxcli: Runner,
    auto_backup: Runner,
    step_timeout: Duration,
    boot: BootId,
}

impl Hands {
    /// Ends when the event loop is gone.
    fn work(mut self, queue: &Receiver<Job>, answers: &mpsc::Sender<Answer>) {
        while let Ok(job) = queue.recv() {
            let answer = self.perform(job);
            if answers.blocking_send(answer).is_err() {
                return;
            }
        }
    }

    fn perform(&mut self, job: Job) -> Answer {
        match job {
            Job::Observe { purpose, depth, wall } => {
                let (result, calls) = self.observer.observe(depth, &self.boot, wall);
                let result = result.map(Box::new).map_err(|error| error.to_string());
                Answer::Observed { purpose, result, calls }
            }
            Job::Run { call, operation } => {
                let result = run_operation(&self.esxcli, &operation, self.step_timeout);
                Answer::Ran { call, result }
            }
            Job::Persist => Answer::Persisted(self.persist()),
            Job::Probe { token, probes } => {
                Answer::Probed { token, results: run_probes(&self.esxcli, probes) }
            }
        }
    }

    fn persist(&self) -> Result<(), String> {
        save(&self.auto_backup, self.step_timeout)
    }
}

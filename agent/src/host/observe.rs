//! Reading the host: lists first, all of it when something changed, when it is time, or when asked.
//!
//! Around a change only what its plan touches is read again; the rest is carried from the last full reading of this
//! process, at most [`Settings::full_read_period`] old. In doubt everything is read.
//!
//! Owns: the choice of the output format, the parallel calls and their count. Must not: interpret
//! answers; `esxcli` does. Called by `worker` and the command line, never on the event loop's thread.

use super::planning;
use super::runner::{RunError, Runner};
use crate::settings::Settings;
use esxcli::formatter::{self, ProbeOutput};
use esxcli::observe::{
    Answers, Touched, assemble, carry, detail_queries, fingerprint, fingerprint_queries, management_vmk,
};
use esxcli::{FailureKind, Formatter, Query, QueryError, Value};
use model::{BootId, ObservedNetwork, Order, Wall};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Rounds of questions that follow from answers; two are usual.
const ROUNDS_MAX: usize = 8;
/// Stack of a thread that reads.
const READ_STACK_BYTES: usize = 256 * 1024;

/// Why the host could not be read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObserveError {
    /// No output format works.
    #[error("esxcli gives no usable answer in any format: {detail}")]
    NoFormatter {
        /// What the last trial said.
        detail: String,
    },
    /// Not one list could be read.
    #[error("the host cannot be read: {detail}")]
    NothingRead {
        /// What the first list said.
        detail: String,
    },
}

/// How much is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Depth {
    /// The lists; the rest only when they changed or it is time.
    WhenChanged,
    /// Everything.
    Full,
    /// The lists, and of the rest what these calls touch or what the lists show as changed.
    Touched(Touched),
    /// What this order is judged from: the lists and what its plan touches, if that is enough, else everything.
    Order(Box<Order>),
}

/// The last reading; what was carried into it is as old as `full_at`.
struct Last {
    fingerprint: String,
    answers: Answers,
    observed: ObservedNetwork,
    full_at: Instant,
}

/// Where a reading stands: its lists, where it goes, and its stamp.
struct Reading<'a> {
    formatter: Formatter,
    lists: Answers,
    boot: &'a BootId,
    wall: Wall,
}

/// Reads one host.
pub struct Observer {
    runner: Runner,
    timeout: Duration,
    parallel: usize,
    full_period: Duration,
    coordinator: Option<Ipv4Addr>,
    formatter: Option<Formatter>,
    last: Option<Last>,
    calls: AtomicUsize,
}

impl Observer {
    /// An observer that knows nothing yet.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            runner: Runner::new(&settings.esxcli, &settings.extra_env),
            timeout: settings.read_timeout,
            parallel: settings.max_parallel_reads,
            full_period: settings.full_read_period,
            coordinator: settings.coordinator_address,
            formatter: None,
            last: None,
            calls: AtomicUsize::new(0),
        }
    }

    /// The output format in use, once one was found.
    #[must_use]
    pub fn chosen_formatter(&self) -> Option<Formatter> {
        self.formatter
    }

    /// Reads the host; blocks. The count of calls is valid even when it fails.
    pub fn observe(
        &mut self,
        depth: Depth,
        boot: &BootId,
        wall: Wall,
    ) -> (Result<ObservedNetwork, ObserveError>, u32) {
        self.calls.store(0, Ordering::Relaxed);
        let result = self.read(depth, boot, wall);
        let calls = u32::try_from(self.calls.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
        if result.is_err() {
            // The host may come back with another release: choose the format anew, carry nothing over.
            self.formatter = None;
            self.last = None;
        }
        (result, calls)
    }

    fn read(&mut self, depth: Depth, boot: &BootId, wall: Wall) -> Result<ObservedNetwork, ObserveError> {
        let formatter = self.formatter()?;
        let mut lists = Answers::new();
        self.ask(formatter, fingerprint_queries(), &mut lists);
        nothing_read(&lists)?;
        let reading = Reading { formatter, lists, boot, wall };
        let last = self.last.take().filter(|last| last.full_at.elapsed() < self.full_period);
        let next = match (last, depth) {
            (None, _) | (_, Depth::Full) => self.read_all(reading),
            (Some(last), Depth::WhenChanged) => {
                if fingerprint(&reading.lists) == last.fingerprint {
                    let observed = ObservedNetwork { taken_at: wall, ..last.observed };
                    Last { observed, ..last }
                } else {
                    self.read_all(reading)
                }
            }
            (Some(last), Depth::Touched(touched)) => {
                let carried = carry(&last.answers, &reading.lists, &touched);
                self.read_rest(&reading, carried, last.full_at)
            }
            (Some(last), Depth::Order(order)) => self.read_for_order(reading, &last, &order),
        };
        Ok(self.last.insert(next).observed.clone())
    }

    fn read_all(&self, reading: Reading<'_>) -> Last {
        self.read_rest(&reading, Answers::new(), Instant::now())
    }

    /// Asks what the lists name and was not carried.
    fn read_rest(&self, reading: &Reading<'_>, carried: Answers, full_at: Instant) -> Last {
        let mut answers = carried;
        answers.extend(reading.lists.clone());
        for _ in 0..ROUNDS_MAX {
            let queries = detail_queries(&answers);
            if queries.is_empty() {
                break;
            }
            self.ask(reading.formatter, queries, &mut answers);
        }
        let mut observed = assemble(&answers, reading.wall);
        observed.facts.boot_id = reading.boot.clone();
        observed.management_vmk = management_vmk(&observed, self.coordinator);
        Last { fingerprint: fingerprint(&reading.lists), answers, observed, full_at }
    }

    fn read_for_order(&self, reading: Reading<'_>, last: &Last, order: &Order) -> Last {
        let unchanged = fingerprint(&reading.lists) == last.fingerprint;
        let touched = planning::touched_by_order(order, &last.observed).filter(|_| unchanged);
        let Some(touched) = touched else { return self.read_all(reading) };
        let carried = carry(&last.answers, &reading.lists, &touched);
        let next = self.read_rest(&reading, carried.clone(), last.full_at);
        if planning::is_enough(order, &next.observed, &carried) { next } else { self.read_all(reading) }
    }

    /// The best format this host offers; found once.
    fn formatter(&mut self) -> Result<Formatter, ObserveError> {
        if let Some(formatter) = self.formatter {
            return Ok(formatter);
        }
        let mut detail = "esxcli was not tried".to_owned();
        for probe in formatter::probes() {
            self.calls.fetch_add(1, Ordering::Relaxed);
            match self.runner.run(&probe.argv, self.timeout) {
                Ok(finished) => {
                    let failure = esxcli::classify(finished.exit_code, &finished.stdout, &finished.stderr);
                    detail =
                        failure.map_or_else(|| "its output cannot be read".to_owned(), |f| f.to_string());
                    let trial = ProbeOutput {
                        formatter: probe.formatter,
                        exit_code: finished.exit_code,
                        stdout: finished.stdout,
                        stderr: finished.stderr,
                    };
                    if formatter::accepts(&trial) {
                        tracing::info!(formatter = probe.formatter.as_str(), "output format chosen");
                        self.formatter = Some(probe.formatter);
                        return Ok(probe.formatter);
                    }
                }
                Err(error) => return Err(ObserveError::NoFormatter { detail: error.chain() }),
            }
        }
        Err(ObserveError::NoFormatter { detail })
    }

    /// Asks all queries, some at the same time; after one that hangs the rest is not asked.
    fn ask(&self, formatter: Formatter, queries: Vec<Query>, answers: &mut Answers) {
        let next = AtomicUsize::new(0);
        let hangs = AtomicBool::new(false);
        let work = || {
            let mut found = Vec::new();
            while let Some(query) = queries.get(next.fetch_add(1, Ordering::Relaxed)) {
                let answer = if hangs.load(Ordering::Relaxed) {
                    Err(QueryError::NotRun { reason: "left out: esxcli hangs".to_owned() })
                } else {
                    self.ask_one(formatter, query, &hangs)
                };
                found.push((query.clone(), answer));
            }
            found
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (1..self.parallel.min(queries.len()))
                .filter_map(|_| {
                    let builder = std::thread::Builder::new().name("read".to_owned());
                    builder.stack_size(READ_STACK_BYTES).spawn_scoped(scope, work).ok()
                })
                .collect();
            answers.extend(work());
            for thread in threads {
                answers.extend(thread.join().unwrap_or_default());
            }
        });
        // Only a thread that died left something open.
        for query in queries {
            let reason = "the reading thread died".to_owned();
            answers.entry(query).or_insert(Err(QueryError::NotRun { reason }));
        }
    }

    fn ask_one(&self, formatter: Formatter, query: &Query, hangs: &AtomicBool) -> Result<Value, QueryError> {
        let argv = query.argv(formatter).map_err(|error| QueryError::NotRun { reason: error.to_string() })?;
        self.calls.fetch_add(1, Ordering::Relaxed);
        tracing::trace!(call = esxcli::display(&argv), "esxcli");
        match self.runner.run(&argv, self.timeout) {
            Ok(finished) => query.read(formatter, finished.exit_code, &finished.stdout, &finished.stderr),
            Err(error) => {
                if matches!(error, RunError::TimedOut { .. }) {
                    hangs.store(true, Ordering::Relaxed);
                }
                Err(QueryError::NotRun { reason: error.chain() })
            }
        }
    }
}

/// A host of which not one list can be read is unreadable as a whole.
fn nothing_read(answers: &Answers) -> Result<(), ObserveError> {
    let hostd_down = |error: &QueryError| match error {
        QueryError::Failed(failure) => failure.kind == FailureKind::HostdDown,
        QueryError::Output(_) | QueryError::NotRun { .. } => false,
    };
    let failed: Vec<&QueryError> = answers.values().filter_map(|answer| answer.as_ref().err()).collect();
    let worst = failed.iter().find(|error| hostd_down(error)).or(failed.first());
    match worst {
        Some(error) if failed.len() == answers.len() || hostd_down(error) => {
            Err(ObserveError::NothingRead { detail: error.to_string() })
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests;

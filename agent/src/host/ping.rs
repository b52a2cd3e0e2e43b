//! Pings from this host: the probes of its own change, and those that other hosts' changes ask for.
//!
//! Owns: the call, its time limit, and how many run at once. Must not: decide what a verdict means.
//! Called by `worker` for own probes and by `link::stream` for the coordinator's requests; those run
//! beside the worker, so that a witness never waits behind, or holds up, a change of its own host.

use super::runner::Runner;
use esxcli::diag::{self, DiagPing, PingError, WAIT_SECS};
use esxcli::{FailureKind, Formatter};
use model::{Probe, ProbeResult, ProbeVerdict};
use proto::convert::{PingQuestion, PingReport};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};

/// Longest time of one ping, the start of esxcli included.
pub const PING_LIMIT: Duration = Duration::from_secs(5);
/// Own probes at the same time.
pub const PROBES_PARALLEL: usize = 4;
/// Pings for other hosts at the same time; more are answered as unknown.
pub const PEER_PINGS_MAX: usize = 4;
/// Stack of a thread that pings.
const PING_STACK_BYTES: usize = 256 * 1024;

/// Runs probes, some at the same time; blocks for at most [`PING_LIMIT`] per round of
/// [`PROBES_PARALLEL`] (twice that on a host without xml). Every probe has a result.
#[must_use]
pub fn run_probes(runner: &Runner, probes: Vec<Probe>) -> Vec<ProbeResult> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(probe) = probes.get(index) else { return found };
            found.push((index, ping(runner, &probe.into())));
        }
    };
    let mut verdicts = Vec::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (1..PROBES_PARALLEL.min(probes.len()))
            .filter_map(|_| {
                let builder = std::thread::Builder::new().name("probe".to_owned());
                builder.stack_size(PING_STACK_BYTES).spawn_scoped(scope, work).ok()
            })
            .collect();
        verdicts.extend(work());
        for thread in threads {
            verdicts.extend(thread.join().unwrap_or_default());
        }
    });
    let mut verdicts: std::collections::BTreeMap<usize, ProbeVerdict> = verdicts.into_iter().collect();
    let died = || ProbeVerdict::Unknown { detail: "the thread of the ping died".to_owned() };
    let result =
        |(index, probe)| ProbeResult { probe, verdict: verdicts.remove(&index).unwrap_or_else(died) };
    probes.into_iter().enumerate().map(result).collect()
}

/// Sends one ping; blocks.
fn ping(runner: &Runner, ping: &DiagPing) -> ProbeVerdict {
    // xml is official on every release; the text for people stands in where it is missing.
    let mut result = call(runner, ping, Formatter::Xml);
    if matches!(&result, Err(PingError::Failed(failure)) if failure.kind == FailureKind::UnknownFormat) {
        result = call(runner, ping, Formatter::Text);
    }
    diag::verdict(&result)
}

fn call(runner: &Runner, ping: &DiagPing, formatter: Formatter) -> Result<diag::PingSummary, PingError> {
    let argv = ping.argv(formatter)?;
    tracing::debug!(call = esxcli::display(&argv), "esxcli");
    let finished =
        runner.run(&argv, PING_LIMIT).map_err(|error| PingError::NotRun { reason: error.chain() })?;
    diag::read(formatter, finished.exit_code, &finished.stdout, &finished.stderr)
}

/// Answers the coordinator's requests for pings.
#[derive(Debug, Clone)]
pub struct PeerPinger {
    runner: Runner,
    room: Arc<Semaphore>,
    reports: mpsc::Sender<PingReport>,
}

impl PeerPinger {
    /// A pinger that reports to `reports`.
    #[must_use]
    pub fn new(runner: Runner, reports: mpsc::Sender<PingReport>) -> Self {
        Self { runner, room: Arc::new(Semaphore::new(PEER_PINGS_MAX)), reports }
    }

    /// Begins a ping; its report comes later. `Some` is the report at once, when it cannot begin.
    #[must_use]
    pub fn begin(&self, question: PingQuestion) -> Option<PingReport> {
        let PingQuestion { request, vmk, netstack, target, size, count } = question;
        let unknown =
            |detail: String| Some(PingReport { request, verdict: ProbeVerdict::Unknown { detail } });
        let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else {
            return unknown(format!("this host sends {PEER_PINGS_MAX} pings already"));
        };
        let order = DiagPing {
            host: target,
            interface: vmk,
            netstack,
            count,
            size,
            df: size.is_some(),
            wait: WAIT_SECS,
        };
        let (runner, reports) = (self.runner.clone(), self.reports.clone());
        let work = move || {
            let verdict = ping(&runner, &order);
            tracing::info!(target = %order.host, vmk = %order.interface, %verdict, "pinged for another host");
            drop(permit);
            // The stream may have ended: then nobody waits for it.
            let _ = reports.try_send(PingReport { request, verdict });
        };
        let builder = std::thread::Builder::new().name("peer ping".to_owned());
        match builder.stack_size(PING_STACK_BYTES).spawn(work) {
            Ok(_) => None,
            Err(error) => unknown(format!("the ping could not be started: {error}")),
        }
    }
}

#[cfg(test)]
mod tests;

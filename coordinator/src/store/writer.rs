//! Group commit: reports of many hosts share one transaction and one flush to disk.
//!
//! Owns: a task with a bounded queue. It takes what has arrived (at most [`GROUP_ROWS`] reports, waiting at most
//! [`GROUP_WAIT`] for more), writes it in one unit of work, and answers each sender after the commit. When a group fails,
//! each report is tried alone, so that one bad report harms nobody else. Must not drop a report silently. Called by the fleet
//! service; other writers use [`Db::begin`] directly.

use super::drift::{self, DriftChange};
use super::hosts;
use super::observations::{self, RecordedObservation};
use super::outcomes::{self, RecordedOutcome};
use super::{Db, StoreError, Tx};
use crate::trust::Receipt;
use model::{ApplyOutcome, DriftReport, HostId, ObservedNetwork, Wall};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// Most reports in one unit of work.
pub const GROUP_ROWS: usize = 200;
/// Longest wait for more reports before a group is written.
pub const GROUP_WAIT: Duration = Duration::from_millis(10);
/// Reports that may wait; senders wait when it is full.
const QUEUE_REPORTS: usize = 1024;

enum Report {
    Observation { host: HostId, network: Box<ObservedNetwork>, hash: String, now: Wall },
    Outcome { host: HostId, outcome: Box<ApplyOutcome>, receipt: Box<Receipt>, now: Wall },
    Drift { report: Box<DriftReport>, now: Wall },
    LastSeen(BTreeMap<HostId, Wall>),
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    Observation(RecordedObservation),
    Outcome(RecordedOutcome),
    Drift(DriftChange),
    LastSeen,
}

struct Job {
    report: Report,
    reply: oneshot::Sender<Result<Answer, StoreError>>,
}

/// Sends reports to the task; cheap to clone.
#[derive(Clone, Debug)]
pub struct Writer {
    queue: mpsc::Sender<Job>,
}

/// Starts the task. It ends when every [`Writer`] is gone and what was queued is written.
#[must_use]
pub fn spawn(db: Db) -> (Writer, JoinHandle<()>) {
    let (queue, jobs) = mpsc::channel(QUEUE_REPORTS);
    (Writer { queue }, tokio::spawn(run(db, jobs)))
}

impl Writer {
    /// Records an observation; returns after it is on disk.
    pub async fn observation(
        &self,
        host: HostId,
        network: ObservedNetwork,
        hash: String,
        now: Wall,
    ) -> Result<RecordedObservation, StoreError> {
        match self.send(Report::Observation { host, network: Box::new(network), hash, now }).await? {
            Answer::Observation(recorded) => Ok(recorded),
            other => Err(mixed_up(other)),
        }
    }

    /// Records how a host ended an order, with its receipt; returns after it is on disk.
    pub async fn outcome(
        &self,
        host: HostId,
        outcome: ApplyOutcome,
        receipt: Receipt,
        now: Wall,
    ) -> Result<RecordedOutcome, StoreError> {
        let (outcome, receipt) = (Box::new(outcome), Box::new(receipt));
        match self.send(Report::Outcome { host, outcome, receipt, now }).await? {
            Answer::Outcome(recorded) => Ok(recorded),
            other => Err(mixed_up(other)),
        }
    }

    /// Records a drift report; returns after it is on disk.
    pub async fn drift(&self, report: DriftReport, now: Wall) -> Result<DriftChange, StoreError> {
        match self.send(Report::Drift { report: Box::new(report), now }).await? {
            Answer::Drift(change) => Ok(change),
            other => Err(mixed_up(other)),
        }
    }

    /// Writes when hosts were last heard of, many at once.
    pub async fn last_seen(&self, seen: BTreeMap<HostId, Wall>) -> Result<(), StoreError> {
        match self.send(Report::LastSeen(seen)).await? {
            Answer::LastSeen => Ok(()),
            other => Err(mixed_up(other)),
        }
    }

    async fn send(&self, report: Report) -> Result<Answer, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(Job { report, reply }).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

fn mixed_up(answer: Answer) -> StoreError {
    StoreError::Unfit { what: "answer of the writer", detail: format!("{answer:?} answers another question") }
}

async fn run(db: Db, mut jobs: mpsc::Receiver<Job>) {
    while let Some(first) = jobs.recv().await {
        let mut group = vec![first];
        let until = Instant::now() + GROUP_WAIT;
        while group.len() < GROUP_ROWS {
            match timeout_at(until, jobs.recv()).await {
                Ok(Some(job)) => group.push(job),
                Ok(None) | Err(_) => break,
            }
        }
        write_group(&db, group).await;
    }
}

async fn write_group(db: &Db, mut group: Vec<Job>) {
    // Rows are locked in order of host, so that two coordinators do not wait for each other. The sort is stable: reports of
    // one host stay in order.
    group.sort_by(|a, b| host_of(&a.report).cmp(&host_of(&b.report)));
    match write_all(db, &group).await {
        Ok(answers) => {
            for (job, answer) in group.into_iter().zip(answers) {
                reply(job, Ok(answer));
            }
        }
        Err(error) if error.is_passing() => {
            tracing::warn!(%error, reports = group.len(), "reports were not stored");
            for job in group {
                reply(job, Err(error.clone()));
            }
        }
        Err(error) => {
            tracing::debug!(%error, reports = group.len(), "a group failed: each report is tried alone");
            for job in group {
                let alone = write_all(db, std::slice::from_ref(&job)).await;
                let answer = alone.and_then(|answers| answers.into_iter().next().ok_or(StoreError::Closed));
                reply(job, answer);
            }
        }
    }
}

fn reply(job: Job, answer: Result<Answer, StoreError>) {
    if job.reply.send(answer).is_err() {
        tracing::debug!("a report was dealt with after its sender had left");
    }
}

fn host_of(report: &Report) -> Option<&HostId> {
    match report {
        Report::Observation { host, .. } | Report::Outcome { host, .. } => Some(host),
        Report::Drift { report, .. } => Some(&report.host),
        Report::LastSeen(_) => None,
    }
}

async fn write_all(db: &Db, group: &[Job]) -> Result<Vec<Answer>, StoreError> {
    let mut tx = db.begin().await?;
    let mut answers = Vec::with_capacity(group.len());
    for job in group {
        answers.push(write_one(&mut tx, &job.report).await?);
    }
    tx.commit().await?;
    Ok(answers)
}

async fn write_one(tx: &mut Tx, report: &Report) -> Result<Answer, StoreError> {
    match report {
        Report::Observation { host, network, hash, now } => {
            observations::record(tx, host, network, hash, *now).await.map(Answer::Observation)
        }
        Report::Outcome { host, outcome, receipt, now } => {
            let recorded = outcomes::record(tx, host, outcome, *now).await?;
            if recorded != RecordedOutcome::Repeat {
                outcomes::keep_receipt(tx, host, outcome, receipt).await?;
            }
            Ok(Answer::Outcome(recorded))
        }
        Report::Drift { report, now } => drift::replace_report(tx, report, *now).await.map(Answer::Drift),
        Report::LastSeen(seen) => hosts::touch_last_seen_bulk(tx, seen).await.map(|()| Answer::LastSeen),
    }
}

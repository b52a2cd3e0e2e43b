//! What the apply machine asks for, done. Must not decide; the order of effects is kept.

use super::Agent;
use crate::host::observe::Depth;
use crate::host::planning::touched_by_plan;
use crate::host::worker::{CallOf, Job, Purpose};
use crate::link::confirm::confirm;
use engine::apply::{ConfirmVerdict, Effect, Event, EventKind, Open, Record, State, StepResult};
use model::{ApplyPhase, ChangeId, Generation, PlanDigest, ProbeResult, ProbeVerdict};
use proto::convert::{ConfirmQuestion, FromAgent, StepProgress, Verdict};
use std::collections::VecDeque;
use std::sync::Arc;

/// Performs effects; journal answers go straight back into the machine.
pub(super) fn perform(agent: &mut Agent, effects: Vec<Effect>) {
    let mut queue = VecDeque::from(effects);
    let mut closed = false;
    while let Some(effect) = queue.pop_front() {
        let answer = match effect {
            Effect::Journal(record) => {
                closed |= ends_something(&record);
                Some(match agent.journal.append(&record) {
                    Ok(()) => Event::JournalWritten,
                    Err(error) => {
                        tracing::error!(%error, "journal not written");
                        Event::JournalFailed { detail: error.to_string() }
                    }
                })
            }
            Effect::Note(record) => {
                closed |= ends_something(&record);
                if let Err(error) = agent.journal.append(&record) {
                    tracing::error!(%error, "journal not written");
                }
                None
            }
            other => on_host_or_link(agent, other),
        };
        if let Some(event) = answer {
            let more = agent.machine.handle(event, agent.clock.now());
            queue.extend(more);
        }
    }
    if closed
        && agent.machine.phase() == ApplyPhase::Idle
        && let Err(error) = agent.journal.checkpoint(agent.machine.memory())
    {
        tracing::error!(%error, "state file not written");
    }
}

fn ends_something(record: &Record) -> bool {
    matches!(record, Record::Closed(_) | Record::Persisted)
}

/// How much the machine needs to see: what the change touches while it goes forth, everything once there is doubt.
fn depth(state: &State) -> Depth {
    let around = |open: &Open| {
        let transaction = &open.transaction;
        Depth::Touched(touched_by_plan(&transaction.plan, &transaction.pre_image))
    };
    match state {
        State::Planning(at) => Depth::Order(at.order.clone()),
        State::Applying(at) => around(&at.open),
        State::Verifying(at) if at.attempt == 1 => around(&at.open),
        State::Verifying(_)
        | State::RollingBack(_)
        | State::Saving(_)
        | State::Idle
        | State::Probing(_)
        | State::AwaitingConfirm(_)
        | State::Holding(_) => Depth::Full,
    }
}

fn on_host_or_link(agent: &mut Agent, effect: Effect) -> Option<Event> {
    match effect {
        Effect::Observe { token } => {
            let (depth, wall) = (depth(agent.machine.state()), agent.clock.now().wall);
            give(agent, Job::Observe { purpose: Purpose::Machine(token), depth, wall })
        }
        Effect::RunStep { index, operation } => {
            tracing::info!(step = index, operation = ?operation, "step begins");
            give(agent, Job::Run { call: CallOf::Step(index), operation })
        }
        Effect::RunInverse { position, operation } => {
            tracing::info!(inverse = position, operation = ?operation, "inverse begins");
            give(agent, Job::Run { call: CallOf::Inverse(position), operation })
        }
        Effect::Persist => give(agent, Job::Persist),
        Effect::Probe { token, probes } => give(agent, Job::Probe { token, probes }),
        Effect::TryConfirm { change, generation, digest } => {
            ask(agent, change, generation, digest);
            None
        }
        Effect::Report(outcome) => {
            tracing::info!(
                change = %outcome.change,
                generation = outcome.generation.0,
                outcome = outcome.kind.as_str(),
                detail = ?outcome.kind,
                "order ended"
            );
            agent.reports.outcome(outcome);
            None
        }
        Effect::Progress { change, generation, phase, step, steps_total } => {
            let progress = StepProgress { change, generation, phase, step, steps_total };
            agent.reports.send(FromAgent::Progress(progress));
            None
        }
        Effect::Rejected { state, event } => {
            if event == EventKind::Observed {
                tracing::debug!(?state, ?event, "stale event");
            } else {
                tracing::warn!(?state, ?event, "event without meaning in this state");
            }
            None
        }
        Effect::Journal(_) | Effect::Note(_) => None,
    }
}

/// The queue is longer than what the machine can ask for at once; if it is full all the same, the
/// machine is told that the job failed.
fn give(agent: &Agent, job: Job) -> Option<Event> {
    let refused = agent.worker.give(job).err()?;
    tracing::error!("the host thread takes no more jobs");
    let detail = "the host thread takes no more jobs".to_owned();
    match refused {
        Job::Observe { purpose: Purpose::Machine(token), .. } => {
            Some(Event::Observed(engine::apply::Seen { token, result: Err(detail), calls: 0 }))
        }
        Job::Observe { purpose: Purpose::Periodic, .. } => None,
        Job::Run { call: CallOf::Step(index), .. } => {
            Some(Event::StepDone { index, result: StepResult::Failed { detail } })
        }
        Job::Run { call: CallOf::Inverse(position), .. } => {
            Some(Event::InverseDone { position, result: StepResult::Failed { detail } })
        }
        Job::Persist => Some(Event::Persisted(Err(detail))),
        // The machine asks for no probes yet.
        Job::Probe { token, probes } => {
            let unasked = |probe| {
                let detail = detail.clone();
                ProbeResult { probe, verdict: ProbeVerdict::Unknown { detail } }
            };
            Some(Event::Probed { token, results: probes.into_iter().map(unasked).collect() })
        }
    }
}

fn ask(agent: &Agent, change: ChangeId, generation: Generation, plan_digest: PlanDigest) {
    let settings = Arc::clone(&agent.settings);
    let answers = agent.confirms.clone();
    let connected_at = agent.clock.now().uptime;
    tokio::spawn(async move {
        let question = ConfirmQuestion { change: change.clone(), generation, plan_digest };
        let answer = match confirm(&settings, &question).await {
            Ok(Verdict::Confirmed) => Ok(ConfirmVerdict::Confirmed),
            Ok(Verdict::Withdrawn { reason }) => Ok(ConfirmVerdict::Withdrawn { reason }),
            Err(error) => Err(error.chain()),
        };
        // When nobody listens any more the agent is ending.
        let event = match answer {
            Ok(verdict) => Event::ConfirmAnswered { change, generation, connected_at, verdict },
            Err(detail) => Event::ConfirmUnavailable { change, detail },
        };
        let _ = answers.send(event).await;
    });
}

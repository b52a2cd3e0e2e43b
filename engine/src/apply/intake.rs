//! From an order to an open change: `Idle` and `Planning`. Nothing on the host is touched here.

use super::event::Seen;
use super::probing::passed;
use super::state::{Planning, PlanningStage};
use super::{
    ApplyMachine, Approval, Closing, Committed, Deadline, Effect, Event, EventKind, JournalHealth, Open,
    Record, State, Transaction, Turn, content_hash, outcome_without_steps, reject,
};
use crate::plan::{Planned, plan};
use crate::probe::probes;
use crate::safety::check_plan;
use crate::verify::verify_applied;
use model::{
    ApplyOutcome, CONFIRM_TIMEOUT_SECS_MAX, CONFIRM_TIMEOUT_SECS_MIN, ChangeId, Finding, GenerationCheck,
    Millis, Now, ObservedNetwork, Order, OutcomeKind, ProbeResult, RefusalReason,
};

impl ApplyMachine {
    /// `Idle`: the rule of generations, then read the host.
    pub(super) fn take_order(&mut self, order: Box<Order>, approval: Approval, now: Now) -> Turn {
        if let Some(reason) = self.unfit(&order) {
            return refuse(&order, reason, 0);
        }
        let content = content_hash(&order);
        if let Some(held) = &self.memory.held {
            match held.outcome.generation.check(order.generation) {
                GenerationCheck::Older => {
                    let held = held.outcome.generation;
                    return refuse(&order, RefusalReason::OlderGeneration { held }, 0);
                }
                GenerationCheck::Same if held.content == content => {
                    return (State::Idle, vec![Effect::Report(held.outcome.clone())]);
                }
                GenerationCheck::Same => return refuse(&order, RefusalReason::ContentDiffers, 0),
                GenerationCheck::Newer => {}
            }
        }
        let approval = match self.approve(approval) {
            Ok(note) => note,
            Err(unproven) => {
                let kind = OutcomeKind::Refused(RefusalReason::Unproven(unproven));
                let outcome = outcome_without_steps(&order, kind, 0);
                let mut effects = self.note_refusal(&outcome, now.wall);
                effects.push(Effect::Report(outcome));
                return (State::Idle, effects);
            }
        };
        if let Some(reason) = self.barred() {
            return refuse(&order, reason, 0);
        }
        self.forget_refusals();
        let token = self.token();
        let planning = Planning { order, content, approval, stage: PlanningStage::Reading { token } };
        (State::Planning(planning), vec![Effect::Observe { token }])
    }

    /// What a person at the console, or the disk, says about any order.
    fn barred(&self) -> Option<RefusalReason> {
        if let JournalHealth::Damaged { detail } = &self.journal {
            return Some(RefusalReason::JournalUnavailable { detail: detail.clone() });
        }
        if let Some(reason) = &self.guards.frozen {
            return Some(RefusalReason::Frozen { reason: reason.clone() });
        }
        self.guards.pinned.as_ref().map(|reason| RefusalReason::Pinned { reason: reason.clone() })
    }

    fn unfit(&self, order: &Order) -> Option<RefusalReason> {
        if order.host != self.host {
            return Some(RefusalReason::WrongHost);
        }
        let allowed =
            Millis::from_secs(CONFIRM_TIMEOUT_SECS_MIN)..=Millis::from_secs(CONFIRM_TIMEOUT_SECS_MAX);
        if !allowed.contains(&order.confirm_timeout) {
            let detail = format!(
                "confirm_timeout is {} ms: use {CONFIRM_TIMEOUT_SECS_MIN} to {CONFIRM_TIMEOUT_SECS_MAX} s",
                order.confirm_timeout.0
            );
            return Some(RefusalReason::Malformed { detail });
        }
        None
    }

    /// Any busy state: a repeat of the order at work is harmless, all else is refused.
    pub(super) fn order_while_busy(&mut self, busy: State, order: &Order) -> Turn {
        let Some(current) = busy.order() else { return reject(busy, EventKind::OrderReceived) };
        let reason = match self.held_generation().max(current.generation).check(order.generation) {
            _ if order.host != self.host => Some(RefusalReason::WrongHost),
            GenerationCheck::Same if order == current => None,
            GenerationCheck::Same => Some(RefusalReason::ContentDiffers),
            GenerationCheck::Older => Some(RefusalReason::OlderGeneration { held: current.generation }),
            GenerationCheck::Newer => Some(RefusalReason::Busy { change: current.change.clone() }),
        };
        let effects = match reason {
            None => super::progress(&busy).into_iter().collect(),
            Some(reason) => refuse(order, reason, 0).1,
        };
        (busy, effects)
    }

    /// `Planning`: plan again from what is seen now, and compare with what was approved.
    pub(super) fn plan_from(&mut self, at: Planning, seen: Seen, now: Now) -> Turn {
        let PlanningStage::Reading { token } = at.stage else {
            return reject(State::Planning(at), EventKind::Observed);
        };
        if token != seen.token {
            return reject(State::Planning(at), EventKind::Observed);
        }
        match seen.result {
            Err(detail) => refuse(&at.order, RefusalReason::Unreadable { detail }, seen.calls),
            Ok(observed) => self.decide(at, *observed, seen.calls, now),
        }
    }

    fn decide(&mut self, at: Planning, observed: ObservedNetwork, calls: u32, now: Now) -> Turn {
        let Planned { plan, findings } = plan(&at.order.desired, &observed);
        let errors: Vec<String> =
            findings.iter().filter(|finding| finding.is_error()).map(Finding::to_string).collect();
        if !errors.is_empty() {
            return self.refuse_for_good(&at, RefusalReason::NotPlannable { findings: errors }, calls);
        }
        if plan.is_empty() {
            let differences = verify_applied(&at.order.desired, &observed, &observed);
            if differences.is_empty() {
                return commit_at_once(at, calls);
            }
            let findings = differences.iter().map(ToString::to_string).collect();
            return self.refuse_for_good(&at, RefusalReason::NotPlannable { findings }, calls);
        }
        if plan.digest != at.order.plan_digest {
            return self.refuse_for_good(&at, RefusalReason::PlanChanged { found: plan.digest }, calls);
        }
        if plan.disruption > at.order.disruption_allowed {
            let found = plan.disruption;
            return self.refuse_for_good(&at, RefusalReason::TooDisruptive { found }, calls);
        }
        if let Err(violation) = check_plan(&plan, &observed, &self.limits) {
            let detail = violation.to_string();
            return self.refuse_for_good(&at, RefusalReason::Unsafe { detail }, calls);
        }
        let span = window(&at.order, plan.steps.len());
        let transaction = Transaction {
            order: (*at.order).clone(),
            content: at.content.clone(),
            plan,
            pre_image: observed,
            boot: self.boot.clone(),
            opened: now,
            deadline: Deadline::after(now, span),
            previous: self.memory.held.clone(),
            probes: Vec::new(),
            approval: at.approval.clone(),
        };
        let probes = probes(&transaction.pre_image, &transaction.plan);
        let mut open = Box::new(Open::new(transaction));
        open.calls = calls;
        if probes.is_empty() {
            return write_open(at, open);
        }
        let token = self.token();
        let stage = PlanningStage::Baseline { token, open };
        (State::Planning(Planning { stage, ..at }), vec![Effect::Probe { token, probes }])
    }

    /// `Planning`: what answers before the change must answer after it.
    pub(super) fn baseline(
        &mut self,
        mut at: Planning,
        token: u32,
        results: Vec<ProbeResult>,
        now: Now,
    ) -> Turn {
        match at.stage {
            PlanningStage::Baseline { token: asked, mut open } if asked == token => {
                open.calls = open.calls.saturating_add(u32::try_from(results.len()).unwrap_or(u32::MAX));
                open.transaction.probes = passed(results);
                // The window begins with the change, not with the questions before it.
                let span = window(&at.order, open.transaction.plan.steps.len());
                open.transaction.opened = now;
                open.transaction.deadline = Deadline::after(now, span);
                open.deadline = open.transaction.deadline;
                at.stage = PlanningStage::Reading { token };
                write_open(at, open)
            }
            PlanningStage::Baseline { .. }
            | PlanningStage::Reading { .. }
            | PlanningStage::Opening(_)
            | PlanningStage::Closing(_) => reject(State::Planning(at), EventKind::Probed),
        }
    }

    /// `Planning`: the record is durable; go.
    pub(super) fn opened(&mut self, at: Planning, now: Now) -> Turn {
        match at.stage {
            PlanningStage::Opening(open) => self.start_step(open, 0, now),
            PlanningStage::Closing(closing) => (State::Idle, self.close(*closing)),
            PlanningStage::Reading { .. } | PlanningStage::Baseline { .. } => {
                reject(State::Planning(at), EventKind::JournalWritten)
            }
        }
    }

    /// `Planning`: nothing was touched, and nothing will be.
    pub(super) fn open_failed(&mut self, at: Planning, detail: String) -> Turn {
        let calls = match &at.stage {
            PlanningStage::Opening(open) => open.calls,
            PlanningStage::Closing(closing) => closing.outcome.esxcli_calls,
            PlanningStage::Reading { .. } | PlanningStage::Baseline { .. } => {
                return reject(State::Planning(at), EventKind::JournalFailed);
            }
        };
        refuse(&at.order, RefusalReason::JournalUnavailable { detail }, calls)
    }

    /// `Planning`: nothing was touched yet.
    pub(super) fn cancel_planning(&mut self, mut at: Planning, change: &ChangeId, reason: String) -> Turn {
        let kind = Event::CancelRequested { change: change.clone(), reason: String::new() }.kind();
        if at.order.change != *change {
            return reject(State::Planning(at), kind);
        }
        match &mut at.stage {
            PlanningStage::Reading { .. } | PlanningStage::Baseline { .. } => {
                let outcome = ApplyOutcome {
                    approval: at.approval.clone(),
                    ..outcome_without_steps(&at.order, OutcomeKind::RolledBack { reason }, 0)
                };
                let content = at.content.clone();
                let closing =
                    Closing { content, outcome, committed: None, persist_due: false, undone: false };
                close_planning(at, closing)
            }
            PlanningStage::Opening(open) => {
                open.abort(reason);
                (State::Planning(at), Vec::new())
            }
            PlanningStage::Closing(_) => reject(State::Planning(at), kind),
        }
    }

    /// A refusal that stays the answer to this generation.
    fn refuse_for_good(&mut self, at: &Planning, reason: RefusalReason, calls: u32) -> Turn {
        let outcome = ApplyOutcome {
            approval: at.approval.clone(),
            ..outcome_without_steps(&at.order, OutcomeKind::Refused(reason), calls)
        };
        let content = at.content.clone();
        let closing = Closing { content, outcome, committed: None, persist_due: false, undone: false };
        let mut effects = vec![Effect::Note(Record::Closed(Box::new(closing.clone())))];
        effects.extend(self.close(closing));
        (State::Idle, effects)
    }
}

/// The host is as desired already: there is nothing that a lost connection could break.
fn commit_at_once(at: Planning, calls: u32) -> Turn {
    let committed = Committed { generation: at.order.generation, desired: at.order.desired.clone() };
    let closing = Closing {
        content: at.content.clone(),
        outcome: ApplyOutcome {
            approval: at.approval.clone(),
            ..outcome_without_steps(&at.order, OutcomeKind::Committed, calls)
        },
        committed: Some(committed),
        persist_due: false,
        undone: false,
    };
    close_planning(at, closing)
}

/// An end that is told once it is on record.
fn close_planning(at: Planning, closing: Closing) -> Turn {
    let record = Record::Closed(Box::new(closing.clone()));
    let stage = PlanningStage::Closing(Box::new(closing));
    (State::Planning(Planning { stage, ..at }), vec![Effect::Journal(record)])
}

/// All that is needed to go back is written before the first step.
fn write_open(at: Planning, open: Box<Open>) -> Turn {
    let record = Record::Opened(Box::new(open.transaction.clone()));
    let stage = PlanningStage::Opening(open);
    (State::Planning(Planning { stage, ..at }), vec![Effect::Journal(record)])
}

/// A refusal that leaves no trace: the same order may be tried again.
fn refuse(order: &Order, reason: RefusalReason, calls: u32) -> Turn {
    let outcome = outcome_without_steps(order, OutcomeKind::Refused(reason), calls);
    (State::Idle, vec![Effect::Report(outcome)])
}

/// The longest an order may be open: its window, and time to run its steps.
fn window(order: &Order, steps: usize) -> Millis {
    let steps = u64::try_from(steps).unwrap_or(u64::MAX);
    let running = super::STEP_ALLOWANCE.0.saturating_mul(steps);
    Millis(order.confirm_timeout.0.saturating_add(running))
}

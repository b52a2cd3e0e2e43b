//! The states of the apply machine with their data. Must not decide; the files beside it do.

use super::{ContentHash, Deadline, StepResult, Transaction};
use model::{
    ApplyOutcome, ApplyPhase, ApprovalNote, Difference, Millis, Now, Operation, Order, OutcomeKind, Step,
    Uptime,
};
use std::collections::BTreeSet;

/// How far one step is, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Never begun.
    Untouched,
    /// Begun; whether the host changed is not known.
    Started,
    /// The host changed.
    Done,
    /// Begun, and the host did not change: read back.
    NotDone,
}

impl Mark {
    /// The mark after a step ended, before anything was read back.
    #[must_use]
    pub fn after(result: &StepResult) -> Self {
        match result {
            StepResult::Done => Self::Done,
            StepResult::AlreadySo { .. } | StepResult::Failed { .. } => Self::Started,
        }
    }
}

/// An open change: the transaction and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// What was written before the first step.
    pub transaction: Transaction,
    /// One mark per step.
    pub marks: Vec<Mark>,
    /// esxcli calls so far.
    pub calls: u32,
    /// Why it must be rolled back, once that is clear.
    pub abort: Option<String>,
    /// The deadline; shortened once all steps are done, unless a person has set it.
    pub deadline: Deadline,
    /// Whether a person has set the deadline.
    pub extended: bool,
    /// When the last call that may have changed the host ended; a proof must be newer.
    pub touched: Uptime,
    /// Foreign changes that a person has accepted: object and field.
    pub accepted: BTreeSet<(String, String)>,
    /// Whether it is a committed change that is being undone.
    pub undo: bool,
    /// The coordinator's word is on record: it stands as soon as it is saved.
    pub confirmed: bool,
}

impl Open {
    /// A change of which no step was begun.
    #[must_use]
    pub fn new(transaction: Transaction) -> Self {
        let marks = vec![Mark::Untouched; transaction.plan.steps.len()];
        let deadline = transaction.deadline;
        let touched = transaction.opened.uptime;
        Self {
            transaction,
            marks,
            calls: 0,
            abort: None,
            deadline,
            extended: false,
            touched,
            accepted: BTreeSet::new(),
            undo: false,
            confirmed: false,
        }
    }

    /// A committed change that is to be undone: every step was done.
    #[must_use]
    pub fn undoing(transaction: Transaction, reason: String) -> Self {
        let mut open = Self::new(transaction);
        open.marks.fill(Mark::Done);
        open.abort = Some(reason);
        open.undo = true;
        open
    }

    /// The order.
    #[must_use]
    pub fn order(&self) -> &Order {
        &self.transaction.order
    }

    /// Steps that were begun.
    #[must_use]
    pub fn steps_run(&self) -> u32 {
        let begun = self.marks.iter().filter(|mark| **mark != Mark::Untouched).count();
        u32::try_from(begun).unwrap_or(u32::MAX)
    }

    /// Steps of the plan.
    #[must_use]
    pub fn steps_total(&self) -> u32 {
        u32::try_from(self.marks.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn step(&self, index: u32) -> Option<&Step> {
        self.transaction.plan.steps.get(usize::try_from(index).ok()?)
    }

    pub(super) fn mark_mut(&mut self, index: u32) -> Option<&mut Mark> {
        self.marks.get_mut(usize::try_from(index).ok()?)
    }

    pub(super) fn set_mark(&mut self, index: u32, value: Mark) {
        if let Some(mark) = self.mark_mut(index) {
            *mark = value;
        }
    }

    /// The reason counts once: the first one is the cause.
    pub(super) fn abort(&mut self, reason: impl Into<String>) {
        self.abort.get_or_insert_with(|| reason.into());
    }

    pub(super) fn abort_when_late(&mut self, now: Now) {
        if self.deadline.passed(now) {
            let secs = self.order().confirm_timeout.0.div_ceil(1000);
            self.abort(format!("not confirmed within the window of {secs} s"));
        }
    }

    /// A person sets the deadline anew.
    pub(super) fn extend(&mut self, deadline: Deadline) {
        self.deadline = deadline;
        self.extended = true;
    }

    pub(super) fn outcome(&self, kind: OutcomeKind) -> ApplyOutcome {
        ApplyOutcome {
            change: self.order().change.clone(),
            generation: self.order().generation,
            kind,
            steps_run: self.steps_run(),
            esxcli_calls: self.calls,
            approval: self.transaction.approval.clone(),
        }
    }
}

/// What `Planning` waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanningStage {
    /// The observation to plan from.
    Reading {
        /// Its token.
        token: u32,
    },
    /// What the network answers before the change.
    Baseline {
        /// Token of the probes.
        token: u32,
        /// The change.
        open: Box<Open>,
    },
    /// The record that opens the change.
    Opening(Box<Open>),
    /// The record that closes an order that was fulfilled without a step.
    Closing(Box<super::Closing>),
}

/// Data of `Planning`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planning {
    /// The order.
    pub order: Box<Order>,
    /// Its content hash.
    pub content: ContentHash,
    /// What is to be said of its approval.
    pub approval: Option<ApprovalNote>,
    /// What it waits for.
    pub stage: PlanningStage,
}

/// What `Applying` waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApplyingStage {
    /// The record before the step.
    Starting,
    /// The step.
    Running,
    /// The observation that tells what a step that did not simply succeed has done.
    Judging {
        /// Token of the observation.
        token: u32,
        /// How the step ended.
        result: StepResult,
    },
}

/// Data of `Applying`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applying {
    /// The change.
    pub open: Box<Open>,
    /// The step.
    pub index: u32,
    /// What it waits for.
    pub stage: ApplyingStage,
}

/// What `Verifying` waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerifyingStage {
    /// The observation.
    Reading {
        /// Its token.
        token: u32,
    },
    /// The next try.
    Waiting {
        /// When.
        until: Uptime,
    },
    /// The record that says so.
    Recording,
}

/// Data of `Verifying`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verifying {
    /// The change.
    pub open: Box<Open>,
    /// Which try, from 1.
    pub attempt: u32,
    /// Uplinks that lost their link, in words; empty when there is none.
    pub lacking: String,
    /// What it waits for.
    pub stage: VerifyingStage,
}

/// What `Probing` waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbingStage {
    /// The verdicts.
    Asking {
        /// Their token.
        token: u32,
    },
    /// The next try.
    Waiting {
        /// When.
        until: Uptime,
    },
}

/// Data of `Probing`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probing {
    /// The change.
    pub open: Box<Open>,
    /// What the last round lacked, in words.
    pub lacking: String,
    /// What it waits for.
    pub stage: ProbingStage,
}

/// What `AwaitingConfirm` waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AwaitingStage {
    /// The observation before the next try: is it still the host that was verified?
    Looking {
        /// Its token.
        token: u32,
    },
    /// The verdict.
    Asking,
    /// The next try.
    Waiting {
        /// When.
        until: Uptime,
    },
    /// The record that says that it is confirmed.
    Confirming,
}

/// Data of `AwaitingConfirm`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaiting {
    /// The change.
    pub open: Box<Open>,
    /// Which try, from 1.
    pub attempt: u32,
    /// What it waits for.
    pub stage: AwaitingStage,
}

/// Data of `Holding`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// The change.
    pub open: Box<Open>,
    /// What somebody else changed: as it should be (`desired`) and as it is (`observed`).
    pub foreign: Vec<Difference>,
}

/// What `RollingBack` does when its waiting is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Read the host to see what was done at all.
    Read,
    /// Run the inverses once more.
    Invert,
    /// Read the host once more to prove that all is as before.
    Prove,
}

/// What `RollingBack` waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RollingStage {
    /// The record that says that a committed change is being undone.
    Recording,
    /// The observation that tells what was done at all.
    Reading {
        /// Its token.
        token: u32,
    },
    /// An inverse.
    Inverting {
        /// All inverses of this attempt in order.
        queue: Vec<Operation>,
        /// The one that runs.
        position: u32,
    },
    /// The observation that is compared with the state before.
    Proving {
        /// Its token.
        token: u32,
    },
    /// The next try.
    Waiting {
        /// When.
        until: Uptime,
        /// What then.
        again: Again,
    },
}

/// Data of `RollingBack`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollingBack {
    /// The change.
    pub open: Box<Open>,
    /// Why.
    pub reason: String,
    /// Which try, from 1.
    pub attempt: u32,
    /// What the inverses of this attempt that failed said.
    pub failures: Vec<String>,
    /// What it waits for.
    pub stage: RollingStage,
}

/// What `Saving` does when its waiting is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaveNext {
    /// Read the host once more.
    Read,
    /// Save once more.
    Save,
    /// Write the end down once more.
    Record,
}

/// What `Saving` waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SavingStage {
    /// After a restart: the observation that tells whether a confirmed change is still there.
    Reading {
        /// Its token.
        token: u32,
    },
    /// The saving.
    Persisting,
    /// The next try.
    Waiting {
        /// When.
        until: Uptime,
        /// What then.
        next: SaveNext,
    },
    /// The record of the end.
    Recording(Box<super::Closing>),
}

/// Data of `Saving`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saving {
    /// The change.
    pub open: Box<Open>,
    /// How it ends.
    pub kind: OutcomeKind,
    /// Which try, from 1.
    pub attempt: u32,
    /// The configuration could not be saved.
    pub unsaved: bool,
    /// What it waits for.
    pub stage: SavingStage,
}

/// Where the machine is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum State {
    /// Nothing is open.
    #[default]
    Idle,
    /// Reading the host and planning.
    Planning(Planning),
    /// Running steps.
    Applying(Applying),
    /// Reading back and comparing.
    Verifying(Verifying),
    /// Asking the network around the host.
    Probing(Probing),
    /// Applied; waiting for the coordinator over a new connection.
    AwaitingConfirm(Awaiting),
    /// Somebody else changed the host; waiting for a person or the deadline.
    Holding(Holding),
    /// Running inverses.
    RollingBack(RollingBack),
    /// How the change ends is decided: saving the configuration, writing it down.
    Saving(Saving),
}

impl State {
    /// The state without its data.
    #[must_use]
    pub fn phase(&self) -> ApplyPhase {
        match self {
            Self::Idle => ApplyPhase::Idle,
            Self::Planning(_) => ApplyPhase::Planning,
            Self::Applying(_) => ApplyPhase::Applying,
            Self::Verifying(_) => ApplyPhase::Verifying,
            Self::Probing(_) => ApplyPhase::Probing,
            Self::AwaitingConfirm(_) => ApplyPhase::AwaitingConfirm,
            Self::Holding(_) => ApplyPhase::Holding,
            Self::RollingBack(_) => ApplyPhase::RollingBack,
            Self::Saving(_) => ApplyPhase::Saving,
        }
    }

    /// The order at work.
    #[must_use]
    pub fn order(&self) -> Option<&Order> {
        match self {
            Self::Planning(planning) => Some(&planning.order),
            Self::Idle
            | Self::Applying(_)
            | Self::Verifying(_)
            | Self::Probing(_)
            | Self::AwaitingConfirm(_)
            | Self::Holding(_)
            | Self::RollingBack(_)
            | Self::Saving(_) => self.open().map(Open::order),
        }
    }

    /// The open change.
    #[must_use]
    pub fn open(&self) -> Option<&Open> {
        match self {
            Self::Idle | Self::Planning(_) => None,
            Self::Applying(at) => Some(&at.open),
            Self::Verifying(at) => Some(&at.open),
            Self::Probing(at) => Some(&at.open),
            Self::AwaitingConfirm(at) => Some(&at.open),
            Self::Holding(at) => Some(&at.open),
            Self::RollingBack(at) => Some(&at.open),
            Self::Saving(at) => Some(&at.open),
        }
    }

    pub(super) fn open_mut(&mut self) -> Option<&mut Open> {
        match self {
            Self::Idle | Self::Planning(_) | Self::RollingBack(_) | Self::Saving(_) => None,
            Self::Applying(at) => Some(&mut at.open),
            Self::Verifying(at) => Some(&mut at.open),
            Self::Probing(at) => Some(&mut at.open),
            Self::AwaitingConfirm(at) => match at.stage {
                AwaitingStage::Confirming => None,
                AwaitingStage::Looking { .. } | AwaitingStage::Asking | AwaitingStage::Waiting { .. } => {
                    Some(&mut at.open)
                }
            },
            Self::Holding(at) => Some(&mut at.open),
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Uptime> {
        match self {
            Self::Idle | Self::Planning(_) => None,
            Self::Applying(at) => at.open.abort.is_none().then_some(at.open.deadline.uptime),
            Self::Verifying(at) => match at.stage {
                VerifyingStage::Waiting { until } => Some(until.min(at.open.deadline.uptime)),
                VerifyingStage::Reading { .. } => Some(at.open.deadline.uptime),
                VerifyingStage::Recording => None,
            },
            Self::Probing(at) => match at.stage {
                ProbingStage::Waiting { until } => Some(until.min(at.open.deadline.uptime)),
                ProbingStage::Asking { .. } => Some(at.open.deadline.uptime),
            },
            Self::Holding(at) => Some(at.open.deadline.uptime),
            Self::AwaitingConfirm(at) => match at.stage {
                AwaitingStage::Waiting { until } => Some(until.min(at.open.deadline.uptime)),
                AwaitingStage::Asking | AwaitingStage::Looking { .. } => Some(at.open.deadline.uptime),
                AwaitingStage::Confirming => None,
            },
            Self::RollingBack(at) => match at.stage {
                RollingStage::Waiting { until, .. } => Some(until),
                RollingStage::Recording
                | RollingStage::Reading { .. }
                | RollingStage::Inverting { .. }
                | RollingStage::Proving { .. } => None,
            },
            Self::Saving(at) => match at.stage {
                SavingStage::Waiting { until, .. } => Some(until),
                SavingStage::Reading { .. } | SavingStage::Persisting | SavingStage::Recording(_) => None,
            },
        }
    }
}

/// A time from now on the monotonic clock.
pub(super) fn after(now: Now, span: Millis) -> Uptime {
    now.uptime.plus(span)
}

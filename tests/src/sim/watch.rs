//! The naive reference: what each host should be like, told by the simulator's own state, and whether it is.
//!
//! Owns: invariants I1, I2, I3, I4, I7 and I8. Must not use `engine::verify` or `engine::plan`. Told by `station` and
//! `world` of everything that touches a host. The rollout's invariants are in `gates`.

use super::disk::SimDisk;
use super::host::{after, is_reachable};
use super::image::Image;
use super::record;
use engine::apply::Transaction;
use model::{ApplyOutcome, ChangeId, Generation, OutcomeKind};
use simulator::Host;
use std::collections::{BTreeMap, BTreeSet};

/// Time one step may add to a window.
const STEP_MS: u64 = 2_000;
/// From the deadline to the end of a way back without trouble: the last question may still be open, every inverse, the
/// readings, and the pause after a try that met a late effect.
const WAY_BACK_MS: u64 = 45_000;
/// What one trouble may add: the longest pause of the way back, a call that hangs, a new process.
pub const TROUBLE_MS: u64 = 100_000;

/// Whether an agent works on an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Busy {
    /// It does.
    Yes,
    /// It does not.
    No,
}

/// One host as it should be.
#[derive(Debug)]
pub struct Watch {
    /// The last state that was settled.
    old: Image,
    new: Option<Image>,
    open: Option<(ChangeId, Generation)>,
    opened_by: u32,
    /// Somebody else changed the host while a change was open.
    foreign: bool,
    /// The same between the reading that a plan was made from and its opening.
    foreign_while_planning: bool,
    /// Troubles while a change was open.
    troubles: u32,
    /// From opening to the end, without trouble.
    limit_ms: u64,
    held: Generation,
    told: BTreeMap<(ChangeId, Generation), OutcomeKind>,
    confirmed: BTreeSet<(ChangeId, Generation)>,
    /// Since when our change cut the host off, and what was added for troubles.
    cut: Option<(u64, u64)>,
    /// The last committed change and the state before it, which an undo brings back.
    last: Option<((ChangeId, Generation), Image)>,
    /// The open change is a committed one that is being undone.
    undoing: bool,
    /// Somebody else's change was read inside the window, and nobody has released the change.
    unreleased: bool,
    /// Somebody else changed the host since the last release.
    unseen: bool,
    /// The journal is not what was written: nothing may be changed.
    damaged: bool,
    /// Adapters that talk to peers were cut by the open change, and a peer could have told.
    pub unwitnessed: bool,
    /// What was violated.
    pub violations: Vec<String>,
}

impl Watch {
    /// A host on which nothing has happened.
    #[must_use]
    pub fn new(host: &Host) -> Self {
        Self {
            old: Image::running(host),
            new: None,
            open: None,
            opened_by: 0,
            foreign: false,
            foreign_while_planning: false,
            troubles: 0,
            limit_ms: 0,
            held: Generation(0),
            told: BTreeMap::new(),
            confirmed: BTreeSet::new(),
            cut: None,
            last: None,
            undoing: false,
            unreleased: false,
            unseen: false,
            damaged: false,
            unwitnessed: false,
            violations: Vec::new(),
        }
    }

    fn fail(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }

    /// A change is durably open; nothing was touched yet.
    pub fn opened(&mut self, host: &Host, transaction: &Transaction, run: u32) {
        let order = &transaction.order;
        let key = (order.change.clone(), order.generation);
        if self.open.is_some() {
            self.fail("I4 a second change is opened");
        }
        if order.generation <= self.held {
            self.fail(format!("I3 generation {} after {}", order.generation, self.held));
        }
        self.held = self.held.max(order.generation);
        let image = Image::running(host);
        if image != self.old && !self.foreign {
            self.fail(format!("I2 changed while nothing was open: {}", image.difference(&self.old)));
        }
        self.old = image;
        self.new = Some(after(host, transaction.plan.steps.iter().map(|step| &step.operation)));
        self.open = Some(key);
        self.opened_by = run;
        self.foreign = std::mem::take(&mut self.foreign_while_planning);
        self.begin(transaction);
    }

    /// A committed change is durably being undone; nothing was touched yet.
    pub fn undoes(&mut self, transaction: &Transaction) {
        let key = (transaction.order.change.clone(), transaction.order.generation);
        match self.last.take().filter(|(last, _)| *last == key) {
            None => self.fail(format!("I8 generation {} is undone, and it is not the last one", key.1)),
            Some((_, image)) => self.old = image,
        }
        self.new = None;
        self.open = Some(key);
        self.undoing = true;
        self.begin(transaction);
    }

    fn begin(&mut self, transaction: &Transaction) {
        let order = &transaction.order;
        self.troubles = 0;
        (self.unreleased, self.unseen) = (false, false);
        self.unwitnessed = false;
        let steps = u64::try_from(transaction.plan.steps.len()).unwrap_or(u64::MAX);
        self.limit_ms = order.confirm_timeout.0 + steps * (STEP_MS + 1_000) + WAY_BACK_MS;
    }

    /// A call is about to be made for the open change: a step of this number, or one of the way back.
    pub fn writes(&mut self, disk: &SimDisk, step: Option<u32>, run: u32) {
        if self.damaged {
            self.fail("I7 a call with a journal that cannot be trusted");
        }
        let Some(open) = record::open(disk) else { return self.fail("I7 a call without a durable change") };
        match step {
            Some(_) if run != self.opened_by => self.fail("I7 a step was run again after a restart"),
            Some(index) if !record::is_begun(&open, index) => self.fail("I7 a step without a durable intent"),
            Some(_) | None => {}
        }
    }

    /// The host's configuration changed by our call. Gives when to look whether the host is back, when that is new.
    pub fn changed(&mut self, host: &Host, now: u64) -> Option<u64> {
        if is_reachable(host) {
            self.cut = None;
            return None;
        }
        if self.cut.is_some() || self.foreign {
            return None;
        }
        self.cut = Some((now, 0));
        Some(now + self.limit_ms)
    }

    /// A trouble of this host that was made by the simulation.
    pub fn trouble(&mut self, extra_ms: u64) {
        self.troubles += 1;
        if let Some((_, extra)) = &mut self.cut {
            *extra += extra_ms + TROUBLE_MS;
        }
    }

    /// I1: whether a host that was cut off by our change is back; gives when to look again.
    pub fn check_cut(&mut self, now: u64) -> Option<u64> {
        let (since, extra) = self.cut?;
        let until = since + self.limit_ms + extra;
        if now < until {
            return Some(until);
        }
        self.fail(format!("I1 cut off for {} s by our change", (now - since) / 1000));
        self.cut = None;
        None
    }

    /// Somebody else changes the host.
    pub fn foreign(&mut self, host: &Host, busy: Busy) {
        self.foreign = true;
        self.unseen = true;
        self.foreign_while_planning |= busy == Busy::Yes && self.open.is_none();
        if self.open.is_none() {
            self.old = Image::running(host);
        }
    }

    /// The agent saves the configuration: while a change is open only the confirmed state, or the one before.
    pub fn saves(&mut self, host: &Host, disk: &SimDisk) {
        let Some(open) = record::open(disk).filter(|_| !self.foreign) else { return };
        let image = Image::running(host);
        let confirmed = open.confirmed && Some(&image) == self.new.as_ref();
        if !confirmed && image != self.old {
            self.fail("I2 the configuration was saved while a change was open");
        }
    }

    /// The host boots with what was saved: what was told last, unless somebody else changed it without saving.
    pub fn booted(&mut self, host: &Host) {
        self.cut = None;
        let image = Image::running(host);
        if self.open.is_none() {
            if image != self.old && !self.foreign {
                self.fail(format!("I2 a boot brings back another state: {}", image.difference(&self.old)));
            }
            self.foreign = false;
            self.old = image;
        }
    }

    /// The agent reads the host to prove the open change.
    pub fn reads_to_prove(&mut self) {
        self.unreleased |= self.unseen && self.open.is_some() && !self.undoing;
    }

    /// A person releases a change that waits.
    pub fn released(&mut self) {
        (self.unreleased, self.unseen) = (false, false);
    }

    /// The window of the open change is longer by so much.
    pub fn extended(&mut self, more_ms: u64) {
        self.limit_ms += more_ms;
        if let Some((_, extra)) = &mut self.cut {
            *extra += more_ms;
        }
    }

    /// The journal is damaged, or in order again.
    pub fn damaged(&mut self, damaged: bool) {
        self.damaged = damaged;
    }

    /// A coordinator says yes.
    pub fn confirmed(&mut self, change: &ChangeId, generation: Generation) {
        self.confirmed.insert((change.clone(), generation));
    }

    /// I8: an outcome is true when it is told, and stays the same. True when a person has to look at the host.
    pub fn heard(&mut self, host: &Host, disk: &SimDisk, outcome: &ApplyOutcome) -> bool {
        let key = (outcome.change.clone(), outcome.generation);
        let is_open = self.open.as_ref() == Some(&key);
        if self.damaged && matches!(outcome.kind, OutcomeKind::Refused(_)) {
            // What an earlier, interrupted run did of it is not known while the journal is damaged.
            return false;
        }
        if let Some(before) = self.told.get(&key).filter(|_| !(is_open && self.undoing)) {
            let free = matches!(before, OutcomeKind::Refused(_));
            if !free && matches!(outcome.kind, OutcomeKind::Refused(_)) {
                // A late repeat of an order that has ended long ago is refused; that is no second end.
                return false;
            }
            if *before != outcome.kind && !free {
                let (before, now) = (before.as_str(), outcome.kind.as_str());
                self.fail(format!("I8 two outcomes of {}: {before}, then {now}", key.1));
            }
            if !free && !is_open {
                return false;
            }
        }
        let refused = matches!(outcome.kind, OutcomeKind::Refused(_));
        if !refused && record::held(disk).is_none_or(|held| held.kind != outcome.kind) {
            self.fail(format!("I8 {} is told and not on record", outcome.kind.as_str()));
        }
        if is_open && self.undoing && outcome.kind == OutcomeKind::Committed {
            // The commit is told once more before the undo has ended.
            return false;
        }
        self.told.insert(key.clone(), outcome.kind.clone());
        if !is_open {
            if outcome.kind == OutcomeKind::Committed {
                // As desired already: no step, no question.
                self.held = self.held.max(outcome.generation);
                self.last = None;
            }
            return false;
        }
        let image = Image::running(host);
        let new = self.new.take().unwrap_or_else(|| self.old.clone());
        let needs_person = self.judge(&key, outcome, &image, &new, is_reachable(host));
        if outcome.kind == OutcomeKind::Committed {
            self.last = Some((key, self.old.clone()));
        }
        self.open = None;
        self.undoing = false;
        self.foreign |= needs_person;
        self.old = image;
        needs_person
    }

    fn judge(
        &mut self,
        key: &(ChangeId, Generation),
        outcome: &ApplyOutcome,
        image: &Image,
        new: &Image,
        reachable: bool,
    ) -> bool {
        let what = outcome.kind.as_str();
        match &outcome.kind {
            OutcomeKind::Committed => {
                if !self.confirmed.contains(key) {
                    self.fail("I8 committed, and no coordinator confirmed it");
                }
                if image != new && !self.foreign {
                    self.fail(format!("I8 {what}, but: {}", image.difference(new)));
                }
                if self.unreleased {
                    self.fail("I8 committed beside a foreign change that nobody has released");
                }
                if self.unwitnessed && !self.foreign {
                    self.fail("I8 committed, and peers cannot reach the host");
                }
                if !reachable && !self.foreign {
                    self.fail("I1 committed, and the host is cut off");
                }
                false
            }
            OutcomeKind::RolledBack { .. } => {
                if *image != self.old && !self.foreign {
                    self.fail(format!("I8 {what}, but: {}", image.difference(&self.old)));
                }
                false
            }
            OutcomeKind::RolledBackUnverified { .. } | OutcomeKind::FailedMixed { .. } => {
                if !self.foreign && self.troubles == 0 {
                    self.fail(format!("I2 {what} without any trouble: {:?}", outcome.kind));
                }
                true
            }
            OutcomeKind::Refused(_) => {
                if *image != self.old && !self.foreign {
                    self.fail("I8 refused, and the host was changed");
                }
                false
            }
        }
    }

    /// Whether a change is open here as far as the simulation knows.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }
}

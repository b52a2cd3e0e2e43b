//! The unordered operations of a plan in the making, and the findings on the way.

use model::{Component, Finding, Known, ObservedNetwork, Operation, VmkName, VswitchName};
use std::collections::BTreeSet;

/// One operation that is needed, before it has its place.
#[derive(Debug, Clone)]
pub(super) struct Action {
    /// The call.
    pub operation: Operation,
    /// The standard switch its object sits on afterwards, when it sits on one.
    pub vswitch: Option<VswitchName>,
    /// Whether it belongs to an object that is removed and made anew.
    pub replaces: bool,
}

/// The plan in the making.
pub(super) struct Draft<'a> {
    /// What is.
    pub observed: &'a ObservedNetwork,
    /// What is needed, in no order yet.
    pub actions: Vec<Action>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// Adapters that are removed and made anew.
    pub replaced_vmks: BTreeSet<VmkName>,
    /// Adapters that are removed for good.
    pub removed_vmks: BTreeSet<VmkName>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(observed: &'a ObservedNetwork, findings: Vec<Finding>) -> Self {
        Self {
            observed,
            actions: Vec::new(),
            findings,
            replaced_vmks: BTreeSet::new(),
            removed_vmks: BTreeSet::new(),
        }
    }

    pub(super) fn push(&mut self, operation: Operation, vswitch: Option<&VswitchName>) {
        self.actions.push(Action { operation, vswitch: vswitch.cloned(), replaces: false });
    }

    pub(super) fn push_replacing(&mut self, operation: Operation, vswitch: Option<&VswitchName>) {
        self.actions.push(Action { operation, vswitch: vswitch.cloned(), replaces: true });
    }

    pub(super) fn error(&mut self, rule: &str, component: Component, message: String, hint: &str) {
        self.findings.push(Finding::error(rule, component, message).hint(hint));
    }

    pub(super) fn warning(&mut self, rule: &str, component: Component, message: String, hint: &str) {
        self.findings.push(Finding::warning(rule, component, message).hint(hint));
    }

    /// The fact, or a finding that it could not be read.
    pub(super) fn need<'k, T>(
        &mut self,
        fact: &'k Known<T>,
        component: Component,
        what: impl std::fmt::Display,
    ) -> Option<&'k T> {
        match fact {
            Known::Read(value) => Some(value),
            Known::Unreadable { reason } => {
                let message = format!("{what} could not be read: {reason}");
                self.error(
                    "PLAN-001",
                    component,
                    message,
                    "nothing is changed on unknown ground: read the host again",
                );
                None
            }
        }
    }
}

//! What a rule answers: findings, or the fact it lacks. Must not decide.

use super::Rule;
use model::{Component, Finding, HostId, Known, Severity};

/// A finding with the path of what it stands on, e.g. `port_groups`, `VM Network`, `vlan`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The finding, without a place in a file.
    pub finding: Finding,
    /// Where in a network document; empty when it is about the host as a whole.
    pub path: Vec<String>,
}

impl Found {
    /// What tells an old finding from a new one.
    pub(super) fn fingerprint(&self) -> (&str, &str, &str) {
        (&self.finding.rule, &self.finding.object, &self.finding.value)
    }
}

/// The object and the field a finding is about.
#[derive(Debug, Clone)]
pub(super) struct At {
    component: Component,
    path: Vec<String>,
}

impl At {
    pub(super) fn new(component: Component, path: &[&str]) -> Self {
        Self { component, path: path.iter().map(|part| (*part).to_owned()).collect() }
    }

    /// The host as a whole.
    pub(super) fn host() -> Self {
        Self { component: Component::Host, path: Vec::new() }
    }

    fn object(&self) -> String {
        self.path.iter().take(2).map(String::as_str).collect::<Vec<_>>().join("/")
    }
}

/// The answers of one rule.
pub struct Answers {
    rule: &'static Rule,
    host: Option<HostId>,
    pub(super) found: Vec<Found>,
    pub(super) missing: Option<&'static str>,
}

impl Answers {
    pub(super) fn new(rule: &'static Rule, host: Option<&HostId>) -> Self {
        Self { rule, host: host.cloned(), found: Vec::new(), missing: None }
    }

    /// Found, with the weight of the rule.
    pub(super) fn found(&mut self, at: At, value: impl ToString, message: impl Into<String>) {
        self.found_as(self.rule.severity, at, value, message);
    }

    /// Found, with a weight of its own.
    pub(super) fn found_as(
        &mut self,
        severity: Severity,
        at: At,
        value: impl ToString,
        message: impl Into<String>,
    ) {
        let object = at.object();
        let mut finding = Finding::new(self.rule.id, severity, at.component, message)
            .about(object, value.to_string())
            .hint(self.rule.fix);
        finding.host.clone_from(&self.host);
        self.found.push(Found { finding, path: at.path });
    }

    /// Found on this host of a group.
    pub(super) fn found_on(
        &mut self,
        host: &HostId,
        at: At,
        value: impl ToString,
        message: impl Into<String>,
    ) {
        self.found(at, value, message);
        if let Some(last) = self.found.last_mut() {
            last.finding.host = Some(host.clone());
        }
    }

    /// A fact that is not known.
    pub(super) fn missing(&mut self, fact: &'static str) {
        self.missing.get_or_insert(fact);
    }

    /// The fact, or the note that it is not known.
    pub(super) fn need<'k, T>(&mut self, fact: &'k Known<T>, what: &'static str) -> Option<&'k T> {
        self.want(fact.read(), what)
    }

    /// The fact, or the note that it is not known.
    pub(super) fn want<T>(&mut self, fact: Option<T>, what: &'static str) -> Option<T> {
        if fact.is_none() {
            self.missing(what);
        }
        fact
    }
}

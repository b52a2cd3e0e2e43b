//! Findings: everything that is wrong with a proposal, as data, all at once.

use serde::{Deserialize, Serialize};

/// How much a finding weighs; only this decides whether a change may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth a second look.
    Warning,
    /// Stops the change.
    Error,
    /// Stops the change, and no waiver lets it through: the host would refuse it, or be cut off.
    Blocker,
}

impl Severity {
    /// The word used in documents and on screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Blocker => "blocker",
        }
    }
}

/// What a finding speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Component {
    /// The repository itself: entries, modes, sizes.
    Repository,
    /// `pointsman.yaml`.
    Site,
    /// `group.yaml`.
    Group,
    /// A host document.
    Host,
    /// An RFC document.
    Rfc,
    /// A standard switch.
    Vswitch,
    /// A port group.
    PortGroup,
    /// A VMkernel adapter.
    Vmk,
    /// A physical NIC.
    Vmnic,
    /// A netstack.
    Netstack,
    /// The steps to get there.
    Plan,
}

/// A place in a file of the repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// Path in the repository.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One thing that is wrong or worth knowing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable id of the rule, e.g. `DOC-003`.
    pub rule: String,
    /// Weight.
    pub severity: Severity,
    /// What it speaks of.
    pub component: Component,
    /// Where in the documents, when there is such a place.
    pub span: Option<Span>,
    /// Host it was found on, when it is about one host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<crate::HostId>,
    /// The object as the documents have it, e.g. `port_groups/VM Network`; empty when it is about no single one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub object: String,
    /// The offending value; with rule and object it tells an old finding from a new one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// What is wrong, naming the object.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Finding {
    /// An error without a place yet.
    pub fn error(rule: &str, component: Component, message: impl Into<String>) -> Self {
        Self::new(rule, Severity::Error, component, message)
    }

    /// A warning without a place yet.
    pub fn warning(rule: &str, component: Component, message: impl Into<String>) -> Self {
        Self::new(rule, Severity::Warning, component, message)
    }

    /// A finding of any weight without a place yet.
    pub fn new(rule: &str, severity: Severity, component: Component, message: impl Into<String>) -> Self {
        Self {
            rule: rule.to_owned(),
            severity,
            component,
            span: None,
            host: None,
            object: String::new(),
            value: String::new(),
            message: message.into(),
            hint: None,
        }
    }

    /// Adds the place.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the host.
    #[must_use]
    pub fn on_host(mut self, host: &crate::HostId) -> Self {
        self.host = Some(host.clone());
        self
    }

    /// Adds the object and the offending value.
    #[must_use]
    pub fn about(mut self, object: impl Into<String>, value: impl Into<String>) -> Self {
        self.object = object.into();
        self.value = value.into();
        self
    }

    /// Whether it stops the change.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity >= Severity::Error
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(span) = &self.span {
            write!(f, "{span}: ")?;
        }
        write!(f, "{}[{}]: ", self.severity.as_str(), self.rule)?;
        if let Some(host) = &self.host {
            write!(f, "{host}: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}

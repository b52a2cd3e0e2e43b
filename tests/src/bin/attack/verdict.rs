//! What came of each attack, one JSON line each, and the summary. Must not attack anything itself.

use serde_json::{Value, json};

/// Who attacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evil {
    /// Whoever holds the coordinator's machine: authority, certificates, order key.
    Coordinator,
    /// Whoever can reach the agents' port, with or without the identity of a host.
    Agent,
    /// Whoever can write to the configuration repository.
    Forge,
}

impl Evil {
    fn as_str(self) -> &'static str {
        match self {
            Self::Coordinator => "coordinator",
            Self::Agent => "agent",
            Self::Forge => "forge",
        }
    }
}

/// What the attacked side did.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// The kind of its refusal; `None` when it did not refuse.
    pub refused: Option<String>,
    /// Where that can be read afterwards; `None` when nowhere.
    pub audited: Option<String>,
}

impl Told {
    /// A refusal that is on record.
    pub fn refused(kind: impl Into<String>, audited: impl Into<String>) -> Self {
        Self { refused: Some(kind.into()), audited: Some(audited.into()) }
    }
}

/// One attack and what came of it.
#[derive(Debug)]
pub struct Verdict {
    name: &'static str,
    by: Evil,
    expected: &'static [&'static str],
    told: Result<Told, String>,
    mutations: usize,
    millis: u128,
}

impl Verdict {
    /// What came of an attack that should be refused as one of these kinds.
    pub fn new(
        (name, by, expected): (&'static str, Evil, &'static [&'static str]),
        told: anyhow::Result<Told>,
        mutations: usize,
        millis: u128,
    ) -> Self {
        Self { name, by, expected, told: told.map_err(|error| format!("{error:#}")), mutations, millis }
    }

    fn refusal(&self) -> Option<&str> {
        self.told.as_ref().ok().and_then(|told| told.refused.as_deref())
    }

    fn is_refused(&self) -> bool {
        self.refusal().is_some_and(|kind| self.expected.contains(&kind))
    }

    fn is_audited(&self) -> bool {
        self.told.as_ref().is_ok_and(|told| told.audited.is_some())
    }

    /// Refused as expected, on record, and no host was changed.
    pub fn is_good(&self) -> bool {
        self.is_refused() && self.is_audited() && self.mutations == 0
    }

    /// The line for programs.
    pub fn line(&self) -> Value {
        let told = self.told.as_ref().ok();
        json!({
            "attack": self.name,
            "by": self.by.as_str(),
            "expected": self.expected,
            "refused": told.and_then(|told| told.refused.clone()),
            "audited": told.and_then(|told| told.audited.clone()),
            "mutations": self.mutations,
            "ms": self.millis,
            "good": self.is_good(),
            "error": self.told.as_ref().err(),
        })
    }
}

/// The figures of a run.
pub fn summary(verdicts: &[Verdict], controls: &[(&'static str, bool)], commit: &str) -> Value {
    let count = |test: fn(&Verdict) -> bool| verdicts.iter().filter(|verdict| test(verdict)).count();
    let failed: Vec<&str> =
        verdicts.iter().filter(|verdict| !verdict.is_good()).map(|verdict| verdict.name).collect();
    json!({
        "summary": "attack",
        "attacks": verdicts.len(),
        "refused": count(Verdict::is_refused),
        "mutations": verdicts.iter().map(|verdict| verdict.mutations).sum::<usize>(),
        "unaudited": count(|verdict| !verdict.is_audited()),
        "failed": failed,
        "controls": controls.iter().map(|(name, good)| json!({ "control": name, "good": good })).collect::<Vec<_>>(),
        "commit": commit,
    })
}

//! `doctor`: everything the agent relies on, tried for real on this host.
//!
//! Owns: the table of checks and what a failure of each means. Must not: change the host; it writes
//! only a probe file and a probe socket, and removes both. Called by the console verbs.

mod approval;
mod host;
mod network;
mod store;
mod system;

use crate::settings::Settings;
use serde::Serialize;
use std::fmt::Write;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It works.
    Pass,
    /// It does not work.
    Fail,
    /// It could not be tried.
    Unknown,
}

/// Whether the agent can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// It cannot.
    Essential,
    /// It can, with a loss.
    Useful,
    /// For people who look for a cause.
    Information,
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Stable name.
    pub id: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// Whether the agent can do without.
    pub weight: Weight,
    /// What was found.
    pub detail: String,
    /// What a failure means and what to do.
    pub meaning: &'static str,
}

impl Check {
    fn essential(id: &'static str, meaning: &'static str, result: Result<String, String>) -> Self {
        Self::new(id, Weight::Essential, meaning, result)
    }

    fn useful(id: &'static str, meaning: &'static str, result: Result<String, String>) -> Self {
        Self::new(id, Weight::Useful, meaning, result)
    }

    fn information(id: &'static str, detail: String) -> Self {
        Self { id, verdict: Verdict::Pass, weight: Weight::Information, detail, meaning: "" }
    }

    fn unknown(id: &'static str, weight: Weight, meaning: &'static str, detail: String) -> Self {
        Self { id, verdict: Verdict::Unknown, weight, detail, meaning }
    }

    fn new(id: &'static str, weight: Weight, meaning: &'static str, result: Result<String, String>) -> Self {
        let (verdict, detail) = match result {
            Ok(detail) => (Verdict::Pass, detail),
            Err(detail) => (Verdict::Fail, detail),
        };
        Self { id, verdict, weight, detail, meaning }
    }
}

/// The whole table.
#[derive(Debug, Serialize)]
pub struct Report {
    version: &'static str,
    checks: Vec<Check>,
}

/// Tries everything; takes seconds, longer when the network is down.
#[must_use]
pub fn examine(settings: &Settings) -> Report {
    let mut checks = system::checks(settings);
    checks.extend(store::checks(&settings.state_dir));
    checks.extend(approval::checks(settings));
    checks.extend(host::checks(settings));
    checks.extend(network::checks(settings));
    Report { version: env!("CARGO_PKG_VERSION"), checks }
}

impl Report {
    /// Whether something the agent cannot do without failed.
    #[must_use]
    pub fn essential_failed(&self) -> bool {
        self.checks.iter().any(|check| check.weight == Weight::Essential && check.verdict == Verdict::Fail)
    }

    /// The table for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let count = |verdict| self.checks.iter().filter(|check| check.verdict == verdict).count();
        // Writing to a String cannot fail.
        for check in &self.checks {
            let word = match (check.verdict, check.weight) {
                (Verdict::Pass, _) => "pass",
                (Verdict::Fail, Weight::Essential) => "FAIL",
                (Verdict::Fail, Weight::Useful | Weight::Information) => "fail",
                (Verdict::Unknown, _) => "unknown",
            };
            let _ = writeln!(text, "{word:8}{:24}{}", check.id, check.detail);
            if check.verdict != Verdict::Pass {
                let _ = writeln!(text, "{:32}{}", "", check.meaning);
            }
        }
        let (passed, failed, unknown) = (count(Verdict::Pass), count(Verdict::Fail), count(Verdict::Unknown));
        let essential =
            if self.essential_failed() { "something essential failed" } else { "nothing essential failed" };
        let _ = writeln!(text, "{passed} passed, {failed} failed, {unknown} unknown: {essential}");
        text
    }
}

#[cfg(test)]
mod tests;

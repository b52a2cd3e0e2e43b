//! What there is to say about a proposal, as facts, and how it is said: Markdown for a forge, text for a terminal.
//!
//! Owns: [`ReviewFacts`], made from the decision of `tasks::review` and what is known of the hosts. Must not: decide about the
//! proposal, do I/O or read a clock. Called by the task that reviews proposals, and by `pointsman review`, which gets the
//! facts as JSON.
//!
//! Findings of the best-practice rules take the same way as all others ([`ReviewFacts::findings`]); a rule that could not be
//! decided belongs into [`ReviewFacts::unknown`].

mod blast;
mod gather;
pub mod render;

#[cfg(test)]
pub(crate) mod tests;

pub use gather::gather;

use model::{Disruption, Finding, HostId, PlanDigest};
use serde::{Deserialize, Serialize};

/// What became of the review.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It can be merged.
    Ready,
    /// It can be merged, and no host would change.
    NoSteps,
    /// The branch has it already.
    Contained,
    /// Errors: merged like this it would be refused.
    Refused,
    /// It does not merge with the branch.
    Conflict,
    /// It cannot be read.
    Unreadable,
}

impl Verdict {
    /// Whether a merge would be accepted.
    #[must_use]
    pub fn is_good(self) -> bool {
        matches!(self, Self::Ready | Self::NoSteps | Self::Contained)
    }
}

/// What is reviewed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Pull request or branch, as people name it.
    pub name: String,
    /// Its last commit; nothing when it could not be read.
    pub head: Option<String>,
    /// The branch's head it was merged with.
    pub main: Option<String>,
}

/// A finding and the hosts it was made on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoldedFinding {
    /// The finding, without a host.
    pub finding: Finding,
    /// Hosts it is about; none when it is about no host.
    pub hosts: Vec<HostId>,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepLine {
    /// The call.
    pub esxcli: String,
    /// Effect on traffic.
    pub disruption: Disruption,
}

/// Hosts with the same plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanClass {
    /// The hosts, in order of name.
    pub hosts: Vec<HostId>,
    /// Worst effect.
    pub disruption: Disruption,
    /// Digest of the plan.
    pub digest: PlanDigest,
    /// Its calls.
    pub steps: Vec<StepLine>,
}

/// How it would roll out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Hosts of each wave.
    pub waves: Vec<Vec<HostId>>,
    /// Hosts at work at once.
    pub max_parallel: u32,
    /// Wait between waves.
    pub soak_secs: u64,
    /// Failed hosts tolerated after the first wave.
    pub failure_budget: u32,
    /// Time for a host to be confirmed.
    pub confirm_secs: u64,
}

/// An object that the plans touch, over all hosts, and what uses it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touched {
    /// `vswitch`, `port_group`, `vmk`, `vmnic`, `netstack`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Hosts it is touched on.
    pub hosts: usize,
    /// Worst effect of a step on it.
    pub disruption: Disruption,
    /// Virtual machines that use it, over these hosts.
    pub vms: usize,
    /// Adapters that use it, with their services.
    pub vmks: Vec<String>,
}

/// Everything there is to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewFacts {
    /// What was reviewed.
    pub subject: Subject,
    /// What became of it.
    pub verdict: Verdict,
    /// The RFC it brings: number and title.
    pub rfc: Option<String>,
    /// Worst effect of all plans.
    pub disruption: Disruption,
    /// Worst effect that is allowed.
    pub disruption_allowed: Disruption,
    /// Hosts the documents name.
    pub hosts_named: usize,
    /// Hosts with steps.
    pub hosts_changed: usize,
    /// Those of them for which the proposal says nothing new: drift, or a rollout that is not done.
    pub hosts_carried: usize,
    /// Paths changed on both sides, some of them.
    pub conflicts: Vec<String>,
    /// How many paths were changed on both sides.
    pub conflict_count: usize,
    /// Everything found, worst first.
    pub findings: Vec<FoldedFinding>,
    /// Plans with steps, by worst effect, then by number of hosts.
    pub classes: Vec<PlanClass>,
    /// How it would roll out; nothing when no host is touched.
    pub schedule: Option<Schedule>,
    /// What the plans touch.
    pub touched: Vec<Touched>,
    /// What was not known, in sentences.
    pub unknown: Vec<String>,
}

impl ReviewFacts {
    /// Facts of a proposal of which nothing was planned.
    #[must_use]
    pub fn bare(subject: Subject, verdict: Verdict) -> Self {
        Self {
            subject,
            verdict,
            rfc: None,
            disruption: Disruption::None,
            disruption_allowed: Disruption::None,
            hosts_named: 0,
            hosts_changed: 0,
            hosts_carried: 0,
            conflicts: Vec::new(),
            conflict_count: 0,
            findings: Vec::new(),
            classes: Vec::new(),
            schedule: None,
            touched: Vec::new(),
            unknown: Vec::new(),
        }
    }

    /// How many findings are errors, and how many warnings.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let of = |severity| self.findings.iter().filter(|found| found.finding.severity == severity).count();
        (of(model::Severity::Error), of(model::Severity::Warning))
    }

    /// The verdict with its reason, one line for a commit status.
    #[must_use]
    pub fn headline(&self) -> String {
        let hosts = plural(self.hosts_changed, "host");
        let (errors, warnings) = self.counts();
        let and_warnings =
            if warnings > 0 { format!("; {}", plural(warnings, "warning")) } else { String::new() };
        match self.verdict {
            Verdict::Ready => {
                format!(
                    "can be merged: {hosts} would change, worst disruption {}{and_warnings}",
                    self.disruption
                )
            }
            Verdict::NoSteps => format!("can be merged: no host would change{and_warnings}"),
            Verdict::Contained => "already on the branch".to_owned(),
            Verdict::Refused => format!(
                "refused: {}; {hosts} would change, worst disruption {}",
                plural(errors, "error"),
                self.disruption
            ),
            Verdict::Conflict => {
                format!("does not merge: {} changed on both sides", plural(self.conflict_count, "file"))
            }
            Verdict::Unreadable => format!("cannot be read: {}", plural(errors, "error")),
        }
    }
}

impl ReviewFacts {
    /// What is to be said when hosts change for which the proposal says nothing new.
    fn carried(&self) -> Option<String> {
        (self.hosts_carried > 0).then(|| {
            let hosts = plural(self.hosts_carried, "host");
            format!("{hosts} of these differ from the branch as it is now (drift, or a rollout that is not done): the merge would bring them along")
        })
    }
}

/// `1 host`, `2 hosts`.
fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

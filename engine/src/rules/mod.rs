//! Best-practice rules: what a state, a change or a group of hosts should look like, one small function per rule.
//!
//! Owns: the table of every rule id there is (`table`), the rules that are decided here (one file per family), how
//! old and new findings are told apart (`judge`), waivers and severities of the site. Must not: read text, plan, or
//! repeat a check that the documents or the planner already make. Called by the command line, the review, and tests.

mod answers;
mod between;
mod drawn;
mod fleet;
mod ip;
mod judge;
mod management;
mod misc;
mod mtu;
mod nic;
mod pattern;
mod plan;
mod repository;
mod security;
mod storage;
mod structure;
mod table;
mod teaming;
mod traffic;
mod view;
mod vlan;
mod vmk;

pub use answers::Found;
pub use drawn::{drawn, mentions};
pub use judge::{GroupInput, HostInput, Verdict, Waived, group, host};
pub use pattern::matches as pattern_matches;
pub use repository::{Asking, Judged, Planned, of_documents, of_hosts};
pub use table::{Foreign, RULES, foreign, known_ids, rule};

use answers::Answers;
use fleet::Fleet;
use model::Severity;
use view::{Delta, View};

/// What a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One state of a host; also asked of the states between.
    State,
    /// The way from one state to the next.
    Change,
    /// The hosts of a group side by side.
    Fleet,
    /// The steps and waves.
    Plan,
}

impl Kind {
    /// The word on screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Change => "change",
            Self::Fleet => "fleet",
            Self::Plan => "plan",
        }
    }
}

/// Who decides a rule.
#[derive(Clone, Copy)]
pub enum By {
    /// Here, for one state of one host.
    Host(fn(&View<'_>, &mut Answers)),
    /// Here, for the change of one host.
    Change(fn(&Delta<'_>, &mut Answers)),
    /// Here, for the hosts of a group.
    Group(fn(&Fleet<'_>, &mut Answers)),
    /// Somebody else already does; the text names who, and the id the finding has there.
    Elsewhere(&'static str),
    /// Nobody yet: this fact is not read.
    Unread(&'static str),
}

/// One rule.
#[derive(Clone, Copy)]
pub struct Rule {
    /// Stable id.
    pub id: &'static str,
    /// Weight, unless a case is worse or the site says otherwise.
    pub severity: Severity,
    /// What it looks at.
    pub kind: Kind,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// Why that is bad.
    pub why: &'static str,
    /// What to do.
    pub fix: &'static str,
    /// Where it comes from.
    pub sources: &'static str,
    /// The facts it needs.
    pub facts: &'static str,
    /// Who decides it.
    pub by: By,
    /// Whether it is asked of every state between too.
    pub between: bool,
}

/// Title, why, fix, sources, facts.
type Words = [&'static str; 5];

impl Rule {
    const fn new(id: &'static str, severity: Severity, kind: Kind, words: Words, by: By) -> Self {
        let [title, why, fix, sources, facts] = words;
        Self { id, severity, kind, title, why, fix, sources, facts, by, between: false }
    }

    const fn host(
        id: &'static str,
        severity: Severity,
        words: Words,
        by: fn(&View<'_>, &mut Answers),
    ) -> Self {
        Self::new(id, severity, Kind::State, words, By::Host(by))
    }

    const fn change(
        id: &'static str,
        severity: Severity,
        words: Words,
        by: fn(&Delta<'_>, &mut Answers),
    ) -> Self {
        Self::new(id, severity, Kind::Change, words, By::Change(by))
    }

    const fn group(
        id: &'static str,
        severity: Severity,
        words: Words,
        by: fn(&Fleet<'_>, &mut Answers),
    ) -> Self {
        Self::new(id, severity, Kind::Fleet, words, By::Group(by))
    }

    const fn elsewhere(
        id: &'static str,
        severity: Severity,
        kind: Kind,
        words: Words,
        who: &'static str,
    ) -> Self {
        Self::new(id, severity, kind, words, By::Elsewhere(who))
    }

    const fn unread(
        id: &'static str,
        severity: Severity,
        kind: Kind,
        words: [&'static str; 4],
        fact: &'static str,
    ) -> Self {
        let [title, why, fix, sources] = words;
        Self::new(id, severity, kind, [title, why, fix, sources, fact], By::Unread(fact))
    }

    const fn planned(mut self) -> Self {
        self.kind = Kind::Plan;
        self
    }

    const fn between(mut self) -> Self {
        self.between = true;
        self
    }
}

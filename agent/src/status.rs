//! How this host stands, for a person at the console; needs no network.
//!
//! Owns: the facts and their wording. Must not: change anything. Filled by the event loop from its
//! machine, or by the console from the journal when no agent runs.

use crate::approval::pins::read_set;
use crate::approval::{HOW_TO_PIN, chain};
use crate::console::exit::Code;
use crate::console::holds::{Hold, Holds};
use crate::console::words::{span, time};
use crate::journal;
use crate::settings::Settings;
use engine::apply::{Memory, Open};
use model::{ApplyOutcome, ApplyPhase, ApprovalMode, ApprovalNote, Millis, Now, OutcomeKind, RefusalReason};
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// Who knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The running agent.
    Agent,
    /// The journal: no agent runs.
    Journal,
    /// The journal: an agent is there but does not answer.
    JournalAgentSilent,
}

/// The state of the host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The host.
    pub host: String,
    /// Who told.
    pub source: Source,
    /// Process id of the agent.
    pub agent_pid: Option<u32>,
    /// Whether a guard watches the agent.
    pub guarded: Option<bool>,
    /// Whether the coordinator is connected.
    pub connected: Option<bool>,
    /// What the agent is doing.
    pub phase: Option<ApplyPhase>,
    /// Generation of the last confirmed state.
    pub committed_generation: u64,
    /// How the last order ended.
    pub last_order: Option<ApplyOutcome>,
    /// The open change.
    pub open_change: Option<String>,
    /// Its steps that were begun.
    pub open_steps_run: u32,
    /// Its steps.
    pub open_steps_total: u32,
    /// Time left until it rolls back by itself.
    pub open_left_ms: Option<u64>,
    /// Why it rolls back.
    pub open_abort: Option<String>,
    /// Whether the coordinator has confirmed it: it stands once the configuration is saved.
    #[serde(default)]
    pub open_confirmed: bool,
    /// Whether the confirmed configuration survives a reboot.
    pub configuration_saved: bool,
    /// What is wrong with the journal.
    pub journal_damage: Option<String>,
    /// What is done with an order that is not proven.
    pub approval: ApprovalMode,
    /// Version of the pinned approver set; 0 for none.
    pub approver_set_version: u64,
    /// Why the pinned set cannot be used.
    pub approver_set_problem: Option<String>,
    /// Freeze and pin.
    #[serde(flatten)]
    pub holds: Holds,
}

impl Status {
    /// The facts that journal and machine have in common.
    #[must_use]
    pub fn new(settings: &Settings, source: Source, memory: &Memory, open: Option<&Open>, now: Now) -> Self {
        let set = read_set(&settings.state_dir);
        let left = |open: &Open| open.deadline.uptime.0.saturating_sub(now.uptime.0);
        Self {
            host: settings.host_id.to_string(),
            source,
            agent_pid: None,
            guarded: None,
            connected: None,
            phase: None,
            committed_generation: memory.committed_generation().0,
            last_order: memory.held.as_ref().map(|held| held.outcome.clone()),
            open_change: open.map(|open| open.order().change.to_string()),
            open_steps_run: open.map_or(0, Open::steps_run),
            open_steps_total: open.map_or(0, Open::steps_total),
            open_left_ms: open.filter(|open| open.abort.is_none() && !open.confirmed).map(left),
            open_abort: open.and_then(|open| open.abort.clone()),
            open_confirmed: open.is_some_and(|open| open.confirmed),
            configuration_saved: !memory.persist_due,
            journal_damage: None,
            approval: settings.approval,
            approver_set_version: set
                .as_ref()
                .ok()
                .and_then(Option::as_ref)
                .map_or(0, |set| set.set().version),
            approver_set_problem: set.err().map(|error| chain(&error)),
            holds: Holds::read(&settings.state_dir),
        }
    }

    /// Reads the journal without changing it.
    #[must_use]
    pub fn from_journal(settings: &Settings, source: Source, now: Now) -> Self {
        match journal::inspect(&settings.state_dir) {
            Ok(replay) => Self::new(settings, source, &replay.memory, replay.open.as_ref(), now),
            Err(error) => Self {
                journal_damage: Some(error.to_string()),
                ..Self::new(settings, source, &Memory::default(), None, now)
            },
        }
    }

    /// The worst that is to be said, as an exit code.
    #[must_use]
    pub fn code(&self) -> Code {
        let last = self.last_order.as_ref().map(|outcome| &outcome.kind);
        if self.journal_damage.is_some() {
            Code::JournalDamaged
        } else if self.open_change.is_some() {
            Code::ChangeOpen
        } else if let Some(kind) = last
            && Code::of_outcome(kind) == Code::NotAsBefore
        {
            Code::NotAsBefore
        } else if self.holds.frozen.is_some() || self.holds.pinned.is_some() {
            Code::Held
        } else {
            Code::Fine
        }
    }

    /// The status in words.
    #[must_use]
    pub fn text(&self) -> String {
        // Writing to a String cannot fail.
        let mut text = String::new();
        let _ = writeln!(text, "host {}", self.host);
        let _ = writeln!(text, "{}", self.agent_words());
        if let Some(detail) = &self.journal_damage {
            let _ = writeln!(text, "THE JOURNAL CANNOT BE TRUSTED: {detail}");
            let _ = writeln!(text, "  no order is taken and nothing is changed until a person has looked");
        }
        for (word, hold) in [("FROZEN", &self.holds.frozen), ("PINNED", &self.holds.pinned)] {
            if let Some(Hold { reason, by, at }) = hold {
                let _ = writeln!(text, "{word} by {by} since {}: {reason}", time(*at));
            }
        }
        text.push_str(&self.approval_words());
        let _ = writeln!(text, "committed generation {}", self.committed_generation);
        if let Some(outcome) = &self.last_order {
            let _ = writeln!(text, "last order: {}", outcome_words(outcome));
        }
        text.push_str(&self.open_words());
        if !self.configuration_saved {
            text.push_str("the confirmed configuration is not saved yet: a power cycle would lose it\n");
        }
        text
    }

    fn agent_words(&self) -> String {
        match self.source {
            Source::Journal => "no agent runs: this is what the journal says".to_owned(),
            Source::JournalAgentSilent => {
                "an agent is there but does not answer: this is what the journal says".to_owned()
            }
            Source::Agent => {
                let pid = self.agent_pid.map(|pid| format!(" (process {pid})")).unwrap_or_default();
                let guard = if self.guarded == Some(true) { "" } else { ", WITHOUT A GUARD" };
                let link = if self.connected == Some(true) {
                    "connected"
                } else {
                    "not connected to the coordinator"
                };
                format!("agent runs{pid}{guard}, {link}")
            }
        }
    }

    fn approval_words(&self) -> String {
        let mode = self.approval.as_str();
        let refused = match self.approval {
            ApprovalMode::Enforce => "EVERY ORDER IS REFUSED; ",
            ApprovalMode::Warn | ApprovalMode::Off => "",
        };
        match (&self.approver_set_problem, self.approver_set_version, self.approval) {
            (_, _, ApprovalMode::Off) => "approval off: orders need no proof on this host\n".to_owned(),
            (Some(problem), _, _) => format!("approval {mode}: {refused}{problem}\n"),
            (None, 0, _) => format!("approval {mode}: {refused}no approver set is pinned: {HOW_TO_PIN}\n"),
            (None, version, _) => format!("approval {mode}, approver set version {version}\n"),
        }
    }

    fn open_words(&self) -> String {
        let Some(change) = &self.open_change else { return "no change is open\n".to_owned() };
        let (run, total) = (self.open_steps_run, self.open_steps_total);
        let mut text = format!("change {change} is open: {run} of {total} steps begun");
        if let Some(phase) = self.phase {
            let _ = write!(text, ", {}", phase_words(phase));
        }
        text.push('\n');
        match (self.source, &self.open_abort, self.open_left_ms) {
            (_, Some(reason), _) if self.phase == Some(ApplyPhase::Saving) => {
                let _ = writeln!(
                    text,
                    "  it was rolled back, the end is still to be saved and written down: {reason}"
                );
            }
            (_, None, _) if self.open_confirmed => {
                text.push_str("  it is confirmed; the configuration is still to be saved\n");
            }
            (_, Some(reason), _) => {
                let _ = writeln!(text, "  it rolls back: {reason}");
            }
            (Source::Journal, None, _) => {
                text.push_str("  it rolls back as soon as an agent starts, or now with `rollback --last`\n");
            }
            (_, None, Some(left)) => {
                let _ = writeln!(text, "  it rolls back by itself in {}", span(Millis(left)));
            }
            (_, None, None) => {}
        }
        text
    }
}

/// A phase in words; its name where this program has none.
#[must_use]
pub fn phase_words(phase: ApplyPhase) -> String {
    serde_json::to_value(phase)
        .ok()
        .and_then(|value| value.as_str().map(|name| name.replace('_', " ")))
        .unwrap_or_default()
}

/// How an order ended, in one line.
#[must_use]
pub fn outcome_words(outcome: &ApplyOutcome) -> String {
    let detail = match &outcome.kind {
        OutcomeKind::Committed => String::new(),
        OutcomeKind::RolledBack { reason } => format!(": {reason}"),
        OutcomeKind::RolledBackUnverified { reason, differences } => {
            format!(": {reason}; {} differences from the state before", differences.len())
        }
        OutcomeKind::FailedMixed { reason } => format!(": {reason}; a person must look"),
        OutcomeKind::Refused(RefusalReason::Unproven(unproven)) => format!(": {unproven}"),
        OutcomeKind::Refused(reason) => format!(": {reason:?}"),
    };
    let approval = outcome.approval.as_ref().map(approval_words).unwrap_or_default();
    let kind = outcome.kind.as_str().replace('_', " ");
    format!("change {}, generation {}: {kind}{detail}{approval}", outcome.change, outcome.generation)
}

/// What is to be said of the approval of an order, to stand at the end of a line.
#[must_use]
pub fn approval_words(note: &ApprovalNote) -> String {
    match note {
        ApprovalNote::BreakGlass { names } => {
            format!("; APPROVED IN AN EMERGENCY with the keys of {}", names.join(", "))
        }
        ApprovalNote::Unproven(unproven) => format!("; {unproven}; this host only warns"),
    }
}

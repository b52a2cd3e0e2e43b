//! Scripted faults of the `esxcli` program: `<host dir>/faults.json`.
//!
//! Owns: which call goes wrong and how. Must not: change a host. Written by tests, read by `store`.

use serde::{Deserialize, Serialize};

/// All rules of one host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultPlan {
    /// Rules, first match that is due wins; all that match count the call.
    pub faults: Vec<FaultRule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Beginning of the command words joined by blanks, e.g. `network nic`; empty matches every call.
    pub command: String,
    /// Also needs this text somewhere in the command words.
    #[serde(default)]
    pub containing: String,
    /// First matching call that goes wrong, from 1.
    #[serde(default = "one")]
    pub nth: u32,
    /// How many matching calls go wrong from then on; 0 is all of them.
    #[serde(default = "one")]
    pub times: u32,
    /// Matching calls so far; kept by the program.
    #[serde(default)]
    pub seen: u32,
    /// What goes wrong.
    pub action: FaultAction,
}

fn one() -> u32 {
    1
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultAction {
    /// Prints the message, exit status 1, nothing changed.
    FailBefore {
        /// Text on standard output.
        message: String,
    },
    /// Does the change, then prints the message with exit status 1.
    FailAfterChange {
        /// Text on standard output.
        message: String,
    },
    /// Never answers within this time; nothing changed.
    Hang {
        /// Milliseconds until the process ends by itself.
        ms: u64,
    },
    /// Answers later.
    Slow {
        /// Extra milliseconds.
        ms: u64,
    },
    /// Exit status 0 with bytes that are no answer; nothing changed.
    Garbage,
    /// Does the work, prints only the beginning of the answer.
    Truncated {
        /// Bytes that are printed.
        bytes: usize,
    },
    /// Kills the process that called (SIGKILL) before anything changed.
    KillCallerBefore,
    /// Does the change, then kills the process that called.
    KillCallerAfterChange,
}

impl FaultRule {
    /// A rule for the first call that begins with `command`.
    #[must_use]
    pub fn first(command: &str, action: FaultAction) -> Self {
        Self { command: command.to_owned(), containing: String::new(), nth: 1, times: 1, seen: 0, action }
    }

    fn matches(&self, words: &str) -> bool {
        words.starts_with(&self.command) && words.contains(&self.containing)
    }

    fn due(&self) -> bool {
        let last = self.nth.saturating_add(self.times);
        self.seen >= self.nth && (self.times == 0 || self.seen < last)
    }
}

impl FaultPlan {
    /// Whether some rule is about this call.
    #[must_use]
    pub fn concerns(&self, words: &str) -> bool {
        self.faults.iter().any(|rule| rule.matches(words))
    }

    /// Counts the call and answers what goes wrong with it.
    pub fn take(&mut self, words: &str) -> Option<FaultAction> {
        let mut action = None;
        for rule in self.faults.iter_mut().filter(|rule| rule.matches(words)) {
            rule.seen = rule.seen.saturating_add(1);
            if action.is_none() && rule.due() {
                action = Some(rule.action.clone());
            }
        }
        action
    }
}

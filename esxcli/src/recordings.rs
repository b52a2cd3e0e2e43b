//! Folders of recorded outputs: what a file name says, and a host description out of a folder.
//!
//! Owns: the naming of recorded files and [`assemble_from_recordings`]. Must not touch the file
//! system: callers hand names and texts.
//!
//! A file is `COMMAND[@SUBJECT].FORMAT[.N]`: the command's words joined by `-`; the object it was
//! asked about, `%XX`-encoded (see [`Query::key`]); `txt`, `xml`, `json`, `keyvalue`, `csv`, or `err`
//! for a failing call's output; `.2`, `.3` ... for further recordings of the same call. Examples:
//! `network-nic-list.xml`, `network-vswitch-standard-policy-failover-get@vSwitch0.txt`,
//! `network-ip-interface-tag-get@vmk0.json`.

use crate::error::{EsxcliFailure, classify};
use crate::formatter::Formatter;
use crate::observe::{Answers, assemble};
use crate::output::Value;
use crate::query::{Query, ReadCommand, Subject};
use model::{ObservedNetwork, Wall};

/// Top namespaces of esxcli whose outputs are read generically when no typed command claims them.
const NAMESPACES: [&str; 19] = [
    "daemon", "device", "elxnet", "esxcli", "fcoe", "graphics", "hardware", "intnet", "iscsi", "network",
    "nvme", "rdma", "sched", "software", "storage", "system", "vm", "vsan", "vvol",
];

/// Exit status of a failing call (the recordings hold only its text).
const FAILED_EXIT_CODE: i32 = 1;

/// What a file name says about its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The output of a read command with a typed record (or a known generic one).
    Read {
        /// The query.
        query: Query,
        /// Its format.
        formatter: Formatter,
        /// 1, or the `.N` of a further recording.
        variant: u32,
    },
    /// The output of some other esxcli command, read as plain records.
    Generic {
        /// The name without format, e.g. `hardware-cpu-list`.
        command: String,
        /// Its format.
        formatter: Formatter,
    },
    /// The text of a failing call.
    Failure {
        /// The name without format.
        command: String,
        /// The query, when it is a read command.
        query: Option<Query>,
    },
    /// No command claims it.
    Unclaimed {
        /// Why.
        reason: &'static str,
    },
}

/// What the file name says.
#[must_use]
pub fn claim(file_name: &str) -> Claim {
    let (stem, variant) = split_variant(file_name);
    let Some((base, format)) = stem.rsplit_once('.') else {
        return Claim::Unclaimed { reason: "the name has no format" };
    };
    if format == "err" {
        return Claim::Failure { command: base.to_owned(), query: Query::from_key(base) };
    }
    let Some(formatter) = Formatter::from_name(format) else {
        return Claim::Unclaimed { reason: "not one of esxcli's formats" };
    };
    if let Some(query) = Query::from_key(base) {
        return Claim::Read { query, formatter, variant };
    }
    let namespace = base.split('-').next().unwrap_or_default();
    let several_words = base.contains('-') && !base.contains('.');
    if several_words && NAMESPACES.contains(&namespace) {
        return Claim::Generic { command: base.replace('-', " "), formatter };
    }
    Claim::Unclaimed { reason: "not the output of an esxcli command" }
}

fn split_variant(file_name: &str) -> (&str, u32) {
    match file_name.rsplit_once('.') {
        Some((stem, digits)) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            (stem, digits.parse().unwrap_or(u32::MAX))
        }
        _ => (file_name, 1),
    }
}

/// The failure a recorded `.err` text tells.
#[must_use]
pub fn recorded_failure(text: &str) -> EsxcliFailure {
    classify(Some(FAILED_EXIT_CODE), text, "").unwrap_or(EsxcliFailure {
        kind: crate::error::FailureKind::Unknown,
        exit_code: Some(FAILED_EXIT_CODE),
        stdout: text.to_owned(),
        stderr: String::new(),
    })
}

/// A recorded file that says nothing about the host, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct RecordingProblem {
    /// The file.
    pub file: String,
    /// What is wrong.
    pub problem: String,
}

/// How much an output tells: smaller is better; csv and text lose names with commas.
fn rank(formatter: Formatter) -> u32 {
    match formatter {
        Formatter::Json => 0,
        Formatter::Xml => 1,
        Formatter::KeyValue => 2,
        Formatter::Text => 3,
        Formatter::Csv => 4,
    }
}

/// A recording that may answer a query.
struct Candidate<'a> {
    query: Query,
    /// Format and number; the smallest counts.
    rank: (u32, u32),
    /// `None` for the text of a failing call.
    formatter: Option<Formatter>,
    file: &'a str,
    text: &'a str,
}

/// Puts a host together from recorded files given as (name, text).
///
/// Of several recordings of the same call the most telling format and then the lowest number
/// counts. What was not recorded is unreadable in the result. The recordings carry no time:
/// `taken_at` is 0.
#[must_use]
pub fn assemble_from_recordings(files: &[(String, String)]) -> (ObservedNetwork, Vec<RecordingProblem>) {
    let mut problems = Vec::new();
    let mut candidates: Vec<Candidate<'_>> = Vec::new();
    for file in files {
        match claim(&file.0) {
            Claim::Read { query, formatter, variant } => {
                let rank = (rank(formatter), variant);
                candidates.push(Candidate {
                    query,
                    rank,
                    formatter: Some(formatter),
                    file: &file.0,
                    text: &file.1,
                });
            }
            Claim::Failure { query: Some(query), .. } => {
                let rank = (u32::MAX, 1);
                candidates.push(Candidate { query, rank, formatter: None, file: &file.0, text: &file.1 });
            }
            Claim::Generic { .. } | Claim::Failure { query: None, .. } => {}
            Claim::Unclaimed { reason } => {
                problems.push(RecordingProblem { file: file.0.clone(), problem: reason.to_owned() });
            }
        }
    }
    candidates.sort_by(|a, b| (&a.query, a.rank, a.file).cmp(&(&b.query, b.rank, b.file)));
    let mut answers = Answers::new();
    for Candidate { query, formatter, file, text, .. } in candidates {
        let problem = |text: String| RecordingProblem { file: file.to_owned(), problem: text };
        let answer = match formatter {
            Some(formatter) => query.read(formatter, Some(0), text, ""),
            None => Err(recorded_failure(text).into()),
        };
        match named(&query, answer.as_ref().ok()) {
            Some(named) if !answers.contains_key(&named) => {
                if let (Err(error), Some(_)) = (&answer, formatter) {
                    problems.push(problem(error.to_string()));
                }
                answers.insert(named, answer);
            }
            Some(_) => {}
            None => problems
                .push(problem("the name does not say which object it is about: add `@NAME`".to_owned())),
        }
    }
    (assemble(&answers, Wall(0)), problems)
}

/// The query with its object; a `nic get` says itself which NIC it is about.
fn named(query: &Query, answer: Option<&Value>) -> Option<Query> {
    match (query.command.subject(), &query.subject) {
        (Subject::Required(_), None) => {
            let records = answer?.to_records()?;
            let name = records.first()?.get("Name")?.to_text()?;
            (query.command == ReadCommand::NicGet).then(|| Query::about(query.command, name))
        }
        _ => Some(query.clone()),
    }
}

#[cfg(test)]
mod tests;

//! The verb `tidy`: the house rules that neither the compiler nor clippy knows.
//!
//! Owns the list of problems and its order. The rules themselves are in `rules` (text of one file) and `edges` (crate graph). Reads the
//! workspace, changes nothing. Called by the command line and by `test`.

mod edges;
mod files;
mod mask;
mod rules;

use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::Outcome;
use crate::process::{cargo, output_of};
use crate::report::Report;

/// One broken rule at one place, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// Path from the workspace root, with `/`.
    pub file: String,
    /// Line from 1.
    pub line: usize,
    /// Stable name of the rule.
    pub rule: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: [{}] {}: {}", self.file, self.line, self.rule, self.message, self.hint)
    }
}

/// Prints every problem and one closing line.
pub fn run(root: &Path, report: &Report) -> anyhow::Result<Outcome> {
    let problems = check(root)?;
    for problem in &problems {
        report.line(problem);
        report.object(problem)?;
    }
    report.line(format_args!("tidy: {} problems", problems.len()));
    Ok(if problems.is_empty() { Outcome::Passed } else { Outcome::Failed })
}

/// Every problem of the workspace, by file and line.
pub fn check(root: &Path) -> anyhow::Result<Vec<Problem>> {
    let files = files::read_all(root)?;
    let mut problems = rules::check(&files);
    let metadata = output_of(cargo(root).args(["metadata", "--no-deps", "--format-version", "1"]))?;
    problems.extend(edges::check(root, &metadata)?);
    problems.sort();
    Ok(problems)
}

#[cfg(test)]
mod tests;

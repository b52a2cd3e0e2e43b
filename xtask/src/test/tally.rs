//! Counting: what the test programs said, added up.
//!
//! Owns the reading of libtest's closing lines and the wording of our own. Called by the parent module only.

use std::fmt;

use serde::Serialize;

use crate::report::StageEnd;

/// Numbers of tests. A stage that failed or was skipped counts as one of its kind; a passed stage is no test.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
}

impl Tally {
    /// Adds the numbers of a line `test result: ok. 5 passed; 0 failed; 1 ignored; ...`; other lines add nothing.
    pub fn add_line(&mut self, line: &str) {
        let Some(rest) = line.trim().strip_prefix("test result:") else { return };
        let Some((_, counts)) = rest.split_once(". ") else { return };
        for part in counts.split(';') {
            let mut words = part.split_whitespace();
            let (Some(number), Some(kind)) = (words.next(), words.next()) else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match kind {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }

    /// Counts a stage that is not itself a test program.
    pub fn add_stage(&mut self, end: StageEnd) {
        match end {
            StageEnd::Passed => {}
            StageEnd::Failed => self.failed += 1,
            StageEnd::Skipped => self.skipped += 1,
        }
    }

    /// Adds another count.
    pub fn add(&mut self, other: &Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests;

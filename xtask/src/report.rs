//! What `xtask` prints: lines for people, or one JSON object per line for programs.
//!
//! The only module of this crate that writes to the terminal. It must not decide anything; verbs tell it what happened.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is what this module is for")]

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// For whom the output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A terminal.
    People,
    /// A program: every line of standard output is one JSON object.
    Json,
}

/// How one stage of a verb ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StageEnd {
    /// It passed.
    Passed,
    /// It failed.
    Failed,
    /// It could not be run here; the detail names what is missing and how to get it.
    Skipped,
}

impl fmt::Display for StageEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            StageEnd::Passed => "ok",
            StageEnd::Failed => "FAILED",
            StageEnd::Skipped => "skipped",
        })
    }
}

#[derive(Serialize)]
struct StageLine<'a> {
    stage: &'a str,
    end: StageEnd,
    seconds: f64,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'a str,
}

/// The printer handed to every verb.
pub struct Report {
    style: Style,
}

impl Report {
    /// A printer of this style.
    pub fn new(style: Style) -> Self {
        Report { style }
    }

    /// The style, for a verb whose children write to standard output.
    pub fn style(&self) -> Style {
        self.style
    }

    /// One line for people on standard output; nothing for programs.
    pub fn line(&self, text: impl fmt::Display) {
        if self.style == Style::People {
            println!("{text}");
        }
    }

    /// A verb's result as it is, on standard output in both styles; the verb has it in the right form.
    pub fn result(&self, text: &str) {
        println!("{text}");
    }

    /// One line on standard error in both styles: progress and advice, never a result.
    pub fn note(&self, text: impl fmt::Display) {
        eprintln!("xtask: {text}");
    }

    /// One JSON object on standard output for programs; nothing for people.
    pub fn object(&self, value: &impl Serialize) -> anyhow::Result<()> {
        if self.style == Style::Json {
            println!("{}", serde_json::to_string(value)?);
        }
        Ok(())
    }

    /// Passes on one line of a child program: to standard output for people, to standard error for programs.
    pub fn child_line(&self, text: &str) {
        match self.style {
            Style::People => println!("{text}"),
            Style::Json => eprintln!("{text}"),
        }
    }

    /// The line that closes a stage.
    pub fn stage(&self, stage: &str, end: StageEnd, took: Duration, detail: &str) -> anyhow::Result<()> {
        let seconds = (took.as_secs_f64() * 10.0).round() / 10.0;
        let gap = if detail.is_empty() { "" } else { "  " };
        self.line(format_args!("xtask: {stage:<12} {end:<8} {seconds:>6.1} s{gap}{detail}"));
        self.object(&StageLine { stage, end, seconds, detail })
    }

    /// The verb could not do its work: the whole chain of causes.
    pub fn error(&self, error: &anyhow::Error) {
        eprintln!("xtask: {error:#}");
    }
}

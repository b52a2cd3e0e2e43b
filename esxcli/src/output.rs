//! The documents esxcli prints, in five formats, read into one form: [`Value`] and [`Record`].
//!
//! Owns: the common form, the limits, and [`parse`]. Must not know what any command means; the
//! family files (`vswitch`, `nic`, ...) do. Called by `observe`, by the probe and by the tests.
//!
//! Field names are the machine names of every format: the label without blanks and punctuation
//! (`VLAN ID` is `VLANID`), so text and machine output read alike.

mod csv;
mod json;
mod keyvalue;
mod text;
mod value;
mod xml;

pub use value::{Record, Value};

use crate::formatter::Formatter;

/// Largest document we read, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Deepest nesting of structures and lists we read, in levels.
pub const NESTING_MAX: usize = 24;

/// Why an output is not a document of its format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("output of `esxcli {command}` is not readable as {format}, line {line}: {problem}")]
pub struct ParseOutputError {
    /// The command whose output it was, without `esxcli`.
    pub command: String,
    /// The format it was read as.
    pub format: Formatter,
    /// Line of the trouble, from 1; 0 when the document as a whole is meant.
    pub line: usize,
    /// What is wrong, in words.
    pub problem: String,
}

/// Where and what, before the command is known.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Trouble {
    line: usize,
    problem: String,
}

impl Trouble {
    fn at(line: usize, problem: impl Into<String>) -> Self {
        Self { line, problem: problem.into() }
    }
}

/// Reads `text`, the output of `command`, as a document of `format`.
///
/// Nothing printed is an empty list, except for json and xml, which have a form for that.
pub fn parse(command: &str, format: Formatter, text: &str) -> Result<Value, ParseOutputError> {
    let fail = |trouble: Trouble| ParseOutputError {
        command: command.to_owned(),
        format,
        line: trouble.line,
        problem: trouble.problem,
    };
    if text.len() > DOCUMENT_BYTES_MAX {
        let problem = format!("{} bytes, more than the {DOCUMENT_BYTES_MAX} we read", text.len());
        return Err(fail(Trouble::at(0, problem)));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return match format {
            Formatter::Json | Formatter::Xml => Err(fail(Trouble::at(0, "nothing was printed"))),
            Formatter::KeyValue | Formatter::Csv | Formatter::Text => Ok(Value::List(Vec::new())),
        };
    }
    match format {
        Formatter::Json => json::parse(text),
        Formatter::Xml => xml::parse(text),
        Formatter::KeyValue => keyvalue::parse(text),
        Formatter::Csv => csv::parse(text),
        Formatter::Text => text::parse(text),
    }
    .map_err(fail)
}

/// The machine name of a display label: letters and digits only.
fn machine_name(label: &str) -> String {
    label.chars().filter(|c| c.is_alphanumeric()).collect()
}

fn check_nesting(depth: usize, line: usize) -> Result<(), Trouble> {
    if depth > NESTING_MAX {
        return Err(Trouble::at(line, format!("nested deeper than {NESTING_MAX} levels")));
    }
    Ok(())
}

#[cfg(test)]
mod tests;

//! Output formats, and which of them a host offers.
//!
//! Owns: the global options that select a format, and the start-up probe's choice. Must not run
//! anything: the agent runs each [`Probe`] and hands the outputs to [`choose`].

use crate::error::classify;
use crate::output;
use crate::query::ReadCommand;
use crate::records::read_one;
use crate::system::SystemVersion;

/// An output format of esxcli.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Formatter {
    /// json, an internal format: needs `--debug` on releases we know.
    Json,
    /// xml, official and typed.
    Xml,
    /// keyvalue, official and typed.
    KeyValue,
    /// csv, official; a name with a comma cannot be told from two names in a list.
    Csv,
    /// The text for people, the last resort.
    Text,
}

impl Formatter {
    /// The formats in the order the probe tries them; csv says no more than text and is left out.
    pub const PROBED: [Self; 4] = [Self::Json, Self::Xml, Self::KeyValue, Self::Text];

    /// The global options that select this format; they must come first on the command line.
    #[must_use]
    pub fn options(self) -> &'static [&'static str] {
        match self {
            Self::Json => &["--debug", "--formatter=json"],
            Self::Xml => &["--formatter=xml"],
            Self::KeyValue => &["--formatter=keyvalue"],
            Self::Csv => &["--formatter=csv"],
            Self::Text => &[],
        }
    }

    /// Name as esxcli and recorded files spell it; plain text is `txt`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Xml => "xml",
            Self::KeyValue => "keyvalue",
            Self::Csv => "csv",
            Self::Text => "txt",
        }
    }

    /// The format of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Json, Self::Xml, Self::KeyValue, Self::Csv, Self::Text]
            .into_iter()
            .find(|f| f.as_str() == name)
    }
}

impl std::fmt::Display for Formatter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One trial of the start-up probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The format under trial.
    pub formatter: Formatter,
    /// Arguments to run esxcli with.
    pub argv: Vec<String>,
}

/// The trials of the start-up probe, best format first; stop at the first that [`accepts`].
#[must_use]
pub fn probes() -> Vec<Probe> {
    let argv = |f: Formatter| {
        let options = f.options().iter().copied();
        options.chain(ReadCommand::SystemVersionGet.words()).map(str::to_owned).collect()
    };
    Formatter::PROBED.into_iter().map(|formatter| Probe { formatter, argv: argv(formatter) }).collect()
}

/// What a trial gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeOutput {
    /// The format under trial.
    pub formatter: Formatter,
    /// Exit status; `None` when it was killed.
    pub exit_code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it printed on the error stream.
    pub stderr: String,
}

/// Whether this trial proves its format: exit 0 and a version that can be read.
#[must_use]
pub fn accepts(trial: &ProbeOutput) -> bool {
    let command = ReadCommand::SystemVersionGet.path_str();
    classify(trial.exit_code, &trial.stdout, &trial.stderr).is_none()
        && output::parse(command, trial.formatter, &trial.stdout)
            .is_ok_and(|value| read_one::<SystemVersion>(command, &value).is_ok())
}

/// The best proven format, or `None` when no trial worked (esxcli or hostd is not there).
#[must_use]
pub fn choose(trials: &[ProbeOutput]) -> Option<Formatter> {
    let proven = |formatter: &Formatter| trials.iter().any(|t| t.formatter == *formatter && accepts(t));
    Formatter::PROBED.into_iter().find(proven)
}

#[cfg(test)]
mod tests;

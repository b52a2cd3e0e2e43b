//! How a verb ends: exit codes and errors. Must not: print. Called by every verb.

use std::io;
use std::path::PathBuf;

/// All is well.
pub const OK: u8 = 0;
/// Problems were found, or something failed.
pub const PROBLEMS: u8 = 1;
/// Wrong usage.
pub const USAGE: u8 = 2;
/// The coordinator cannot be reached.
pub const UNREACHABLE: u8 = 3;

/// How a verb that did its work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Clean,
    /// It found problems, and said so.
    Problems,
}

impl Outcome {
    /// Problems when there are any.
    pub fn of_errors(errors: usize) -> Self {
        if errors == 0 { Self::Clean } else { Self::Problems }
    }
}

/// Why a verb could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The arguments make no sense.
    #[error("{0}")]
    Usage(String),
    /// Something failed.
    #[error("{0}")]
    Failed(String),
    /// A file or folder.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The output.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
    /// The output has no JSON form.
    #[error("cannot write the output as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The coordinator does not answer.
    #[error(
        "cannot reach the coordinator at {url}: {reason}; is `pointsman serve` running, and is --coordinator right?"
    )]
    Unreachable {
        /// Its address.
        url: String,
        /// Why not.
        reason: String,
    },
    /// The coordinator refused.
    #[error("{message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What it said.
        message: String,
    },
}

impl CliError {
    /// A file or folder that cannot be used.
    pub fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }

    /// Anything that says itself what is wrong.
    pub fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }

    /// The exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => USAGE,
            Self::Unreachable { .. } => UNREACHABLE,
            Self::Failed(_) | Self::File { .. } | Self::Output(_) | Self::Json(_) | Self::Refused { .. } => {
                PROBLEMS
            }
        }
    }

    /// Whether the reader of our output went away, which is no news to anybody.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

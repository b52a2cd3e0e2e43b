//! Failures of esxcli as types: exit status and text in, [`FailureKind`] out, nothing lost.
//!
//! Owns: the table of messages. esxcli prints errors on standard output with exit status 1 and
//! without structure, whatever format was asked for. Must not decide what a failure means for a
//! step: `AlreadySo` says only that the host refused because something is there already; whether
//! it is the wanted thing is found by reading. Called by the agent for every call.

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// The object or value is there already.
    AlreadySo,
    /// The object is in use.
    InUse,
    /// The object is not there.
    NotFound,
    /// Our command line is wrong: a fault of this program or of a name.
    Usage,
    /// This release has no such command or namespace.
    UnknownCommand,
    /// This release has no such output format (without `--debug`).
    UnknownFormat,
    /// hostd does not answer, so esxcli cannot work.
    HostdDown,
    /// The driver or device lacks the function.
    Unsupported,
    /// The host refuses the value, or has no room for it.
    Refused,
    /// The caller has no permission.
    Denied,
    /// Killed before it ended.
    Killed,
    /// None of the above; read the text.
    Unknown,
}

impl FailureKind {
    /// The kind in words for an operator.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AlreadySo => "already so",
            Self::InUse => "in use",
            Self::NotFound => "not found",
            Self::Usage => "usage error",
            Self::UnknownCommand => "command not in this release",
            Self::UnknownFormat => "output format not in this release",
            Self::HostdDown => "hostd is down",
            Self::Unsupported => "not supported by the driver",
            Self::Refused => "value refused",
            Self::Denied => "no permission",
            Self::Killed => "killed before it ended",
            Self::Unknown => "failed",
        }
    }
}

impl std::fmt::Display for FailureKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failed esxcli call: its kind, and all it said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("esxcli: {kind}: {}", self.message())]
pub struct EsxcliFailure {
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// Exit status; `None` when it was killed.
    pub exit_code: Option<i32>,
    /// Standard output as printed.
    pub stdout: String,
    /// Standard error as printed.
    pub stderr: String,
}

impl EsxcliFailure {
    /// The message itself: without `Error:`, usage text and help, on one line.
    #[must_use]
    pub fn message(&self) -> String {
        let source = if self.stdout.trim().is_empty() { &self.stderr } else { &self.stdout };
        let lines = source.lines().map(str::trim).skip_while(|l| l.is_empty()).take_while(|l| !l.is_empty());
        let joined = lines.collect::<Vec<_>>().join("; ");
        let text = joined.strip_prefix(USAGE_PREFIX).unwrap_or(&joined).trim();
        match (text.is_empty(), self.exit_code) {
            (false, _) => text.to_owned(),
            (true, Some(code)) => format!("exit status {code} without a message"),
            (true, None) => "no exit status and no message".to_owned(),
        }
    }
}

/// What the client side of esxcli puts before its own errors.
const USAGE_PREFIX: &str = "Error:";

/// Parts of messages in lower case and what they mean; the first match counts.
///
/// Refusals that mention "not found" or "exist" inside other messages stand before them.
const MESSAGES: &[(&str, FailureKind)] = &[
    ("unknown command or namespace", FailureKind::UnknownCommand),
    ("unable to find requested formatter", FailureKind::UnknownFormat),
    ("no permission to execute", FailureKind::Denied),
    ("connect to localhost failed", FailureKind::HostdDown),
    ("connection failure", FailureKind::HostdDown),
    ("connection refused", FailureKind::HostdDown),
    ("connection reset", FailureKind::HostdDown),
    ("connection error", FailureKind::HostdDown),
    ("could not connect", FailureKind::HostdDown),
    ("unable to connect", FailureKind::HostdDown),
    ("failed to connect", FailureKind::HostdDown),
    ("hostd is not", FailureKind::HostdDown),
    ("503 service unavailable", FailureKind::HostdDown),
    ("service unavailable", FailureKind::HostdDown),
    ("not supported", FailureKind::Unsupported),
    ("operation not permitted on this device", FailureKind::Unsupported),
    ("[nomatcherror]", FailureKind::NotFound),
    ("[dependencyerror]", FailureKind::Refused),
    ("bad parameter", FailureKind::Refused),
    ("invalid data constraint", FailureKind::Refused),
    ("invalid parameter", FailureKind::Refused),
    ("out of resources", FailureKind::Refused),
    ("vsi_node_net_create", FailureKind::Refused),
    ("when allowed-all flag is true", FailureKind::Refused),
    ("does not exist", FailureKind::NotFound),
    ("already in use", FailureKind::InUse),
    ("is in use", FailureKind::InUse),
    ("in use by", FailureKind::InUse),
    ("resource in use", FailureKind::InUse),
    ("resourceinuse", FailureKind::InUse),
    ("sysinfo error: busy", FailureKind::InUse),
    ("busy", FailureKind::InUse),
    ("is not tagged", FailureKind::NotFound),
    ("already", FailureKind::AlreadySo),
    ("not found", FailureKind::NotFound),
    ("no such", FailureKind::NotFound),
    ("not a valid pnic", FailureKind::NotFound),
    ("there is no", FailureKind::NotFound),
    ("unable to find", FailureKind::NotFound),
    ("cannot find", FailureKind::NotFound),
];

/// Client-side messages that may come without the `Error:` prefix in a cut recording.
const USAGE_PARTS: &[&str] = &[
    "missing required parameter",
    "invalid option",
    "duplicated option",
    "must have value",
    "while processing '",
    "is a flag and cannot accept",
    "invalid screen width",
];

/// Judges a finished call: `None` when it succeeded, else the failure with its kind.
///
/// Exit status 0 with `Error:` at the start of standard output is a failure too.
#[must_use]
pub fn classify(exit_code: Option<i32>, stdout: &str, stderr: &str) -> Option<EsxcliFailure> {
    let prefixed = stdout.trim_start().starts_with(USAGE_PREFIX);
    if exit_code == Some(0) && !prefixed {
        return None;
    }
    let fail =
        |kind| Some(EsxcliFailure { kind, exit_code, stdout: stdout.to_owned(), stderr: stderr.to_owned() });
    let said = message_part(stdout);
    let kind = match kind_of(&said, prefixed) {
        FailureKind::Unknown => kind_of(&message_part(stderr), false),
        known => known,
    };
    match (kind, exit_code) {
        (FailureKind::Unknown, None) => fail(FailureKind::Killed),
        (kind, _) => fail(kind),
    }
}

/// The message without the help text that follows a usage error, in lower case.
fn message_part(text: &str) -> String {
    let lower = text.to_lowercase();
    match lower.split_once("usage: esxcli") {
        Some((before, _)) if !before.trim().is_empty() => before.to_owned(),
        _ => lower,
    }
}

fn kind_of(lower: &str, prefixed: bool) -> FailureKind {
    let client_side = [
        FailureKind::UnknownCommand,
        FailureKind::UnknownFormat,
        FailureKind::Denied,
        FailureKind::HostdDown,
    ];
    let found = MESSAGES.iter().find(|(part, _)| lower.contains(part)).map(|(_, kind)| *kind);
    let usage = prefixed || USAGE_PARTS.iter().any(|part| lower.contains(part));
    match found {
        Some(kind) if !usage || client_side.contains(&kind) => kind,
        _ if usage => FailureKind::Usage,
        _ => FailureKind::Unknown,
    }
}

#[cfg(test)]
mod tests;

//! The exit codes of the console verbs, for scripts. Must not decide which one applies.

use model::OutcomeKind;
use std::process::ExitCode;

/// One exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// Nothing to say.
    Fine,
    /// The verb failed.
    Error,
    /// A change is open.
    ChangeOpen,
    /// The last order ended neither as the old nor surely as the new state: a person must look.
    NotAsBefore,
    /// Frozen or pinned.
    Held,
    /// The journal cannot be trusted.
    JournalDamaged,
    /// Something the agent cannot do without does not work here.
    DoctorFailed,
    /// The agent, or the state of the host, forbids it; nothing was done.
    Refused,
}

/// The table printed by `--help`; docs/how-to/console.md says the same.
pub const HELP: &str = "Exit codes: 0 fine; 1 the verb failed; 2 wrong arguments; 3 a change is open; \
4 rolled back unverified or failed mixed: a person must look; 5 frozen or pinned; \
6 the journal cannot be trusted; 7 doctor: something essential does not work; 8 refused, nothing was done";

impl Code {
    /// The number.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Error => 1,
            // 2 is the command line's.
            Self::ChangeOpen => 3,
            Self::NotAsBefore => 4,
            Self::Held => 5,
            Self::JournalDamaged => 6,
            Self::DoctorFailed => 7,
            Self::Refused => 8,
        }
    }

    /// The code of a number that one of ours ended with.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        let all = [
            Self::Fine,
            Self::Error,
            Self::ChangeOpen,
            Self::NotAsBefore,
            Self::Held,
            Self::JournalDamaged,
            Self::DoctorFailed,
            Self::Refused,
        ];
        all.into_iter().find(|code| i32::from(code.number()) == number)
    }

    /// What an outcome means for the host.
    #[must_use]
    pub fn of_outcome(kind: &OutcomeKind) -> Self {
        match kind {
            OutcomeKind::Committed | OutcomeKind::RolledBack { .. } | OutcomeKind::Refused(_) => Self::Fine,
            OutcomeKind::RolledBackUnverified { .. } | OutcomeKind::FailedMixed { .. } => Self::NotAsBefore,
        }
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code.number())
    }
}

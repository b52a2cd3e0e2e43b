//! Planted bugs: what the simulator must catch, or it proves nothing.
//!
//! Owns: their names. They are switched on around the real machines (`agent`, `coordinator`, `disk`, `guard`), never in
//! the product. Must not be on in an ordinary run.

use super::settings::{Settings, Trouble};

/// A planted bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// No file is ever synced.
    SkipSync,
    /// A file that replaces another one is not synced before.
    SkipReplacementSync,
    /// Neither the opened change nor the first intent is synced.
    SkipOpenedSync,
    /// The intent of a step is written, not synced.
    SkipIntentSync,
    /// The intent of a step is not written at all.
    DropStepStarted,
    /// The confirmation is asked over the stream that was open before the change.
    OldConnection,
    /// The first call of the way back is left out.
    ForgetInverse,
    /// The way back is run in the order of the way there.
    InverseOrder,
    /// A restart goes on waiting for the confirmation, whatever boot it is.
    IgnoreBootId,
    /// A restart runs the steps again.
    ReplaySteps,
    /// A restart forgets the open change.
    ForgetOpen,
    /// A restart forgets the last outcome and generation.
    ForgetMemory,
    /// The configuration is saved before it is confirmed.
    PersistEarly,
    /// A call that failed counts as done.
    FailedAsDone,
    /// What was ordered counts as what is there.
    TrustExitCode,
    /// A withdrawn change is committed.
    CommitOnWithdrawn,
    /// The deadline never passes.
    IgnoreDeadline,
    /// Outcomes are not told.
    LoseOutcome,
    /// Orders go out before the rollout is stored.
    SendBeforeStore,
    /// Every host gets its order at once.
    SkipCanaryGate,
    /// Nobody watches the agent.
    NoWatchdog,
    /// Every coordinator drives rollouts, also one without streams.
    NoLease,
    /// A commit is told as soon as it is confirmed, before it is saved.
    ReportBeforeSave,
    /// An end is told before it is on record.
    ReportBeforeRecord,
    /// A way back is not saved.
    SkipRollbackSave,
    /// A restart does not look whether what was confirmed is there.
    TrustConfirmed,
    /// That a committed change is being undone is not written down.
    SkipUndoRecord,
    /// Freeze and pin are not heeded.
    IgnoreFreeze,
    /// The window of an open change is set anew without end.
    ExtendByItself,
    /// What somebody else changed inside the window is not seen.
    IgnoreForeign,
    /// A journal that is damaged is begun anew.
    IgnoreDamage,
    /// A change is confirmed without a witness for the adapters that talk to peers.
    NoWitness,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 32] = [
        Self::SkipSync,
        Self::SkipReplacementSync,
        Self::SkipOpenedSync,
        Self::SkipIntentSync,
        Self::DropStepStarted,
        Self::OldConnection,
        Self::ForgetInverse,
        Self::InverseOrder,
        Self::IgnoreBootId,
        Self::ReplaySteps,
        Self::ForgetOpen,
        Self::ForgetMemory,
        Self::PersistEarly,
        Self::FailedAsDone,
        Self::TrustExitCode,
        Self::CommitOnWithdrawn,
        Self::IgnoreDeadline,
        Self::LoseOutcome,
        Self::SendBeforeStore,
        Self::SkipCanaryGate,
        Self::NoWatchdog,
        Self::NoLease,
        Self::ReportBeforeSave,
        Self::ReportBeforeRecord,
        Self::SkipRollbackSave,
        Self::TrustConfirmed,
        Self::SkipUndoRecord,
        Self::IgnoreFreeze,
        Self::ExtendByItself,
        Self::IgnoreForeign,
        Self::IgnoreDamage,
        Self::NoWitness,
    ];

    /// Its name on the command line and in seed files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SkipSync => "skip_sync",
            Self::SkipReplacementSync => "skip_replacement_sync",
            Self::SkipOpenedSync => "skip_opened_sync",
            Self::SkipIntentSync => "skip_intent_sync",
            Self::DropStepStarted => "drop_step_started",
            Self::OldConnection => "old_connection",
            Self::ForgetInverse => "forget_inverse",
            Self::InverseOrder => "inverse_order",
            Self::IgnoreBootId => "ignore_boot_id",
            Self::ReplaySteps => "replay_steps",
            Self::ForgetOpen => "forget_open",
            Self::ForgetMemory => "forget_memory",
            Self::PersistEarly => "persist_early",
            Self::FailedAsDone => "failed_as_done",
            Self::TrustExitCode => "trust_exit_code",
            Self::CommitOnWithdrawn => "commit_on_withdrawn",
            Self::IgnoreDeadline => "ignore_deadline",
            Self::LoseOutcome => "lose_outcome",
            Self::SendBeforeStore => "send_before_store",
            Self::SkipCanaryGate => "skip_canary_gate",
            Self::NoWatchdog => "no_watchdog",
            Self::NoLease => "no_lease",
            Self::ReportBeforeSave => "report_before_save",
            Self::ReportBeforeRecord => "report_before_record",
            Self::SkipRollbackSave => "skip_rollback_save",
            Self::TrustConfirmed => "trust_confirmed",
            Self::SkipUndoRecord => "skip_undo_record",
            Self::IgnoreFreeze => "ignore_freeze",
            Self::ExtendByItself => "extend_by_itself",
            Self::IgnoreForeign => "ignore_foreign",
            Self::IgnoreDamage => "ignore_damage",
            Self::NoWitness => "no_witness",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mutant| mutant.name() == name)
    }

    /// A run of this seed in which it shows itself sooner than in the usual one: more of what it takes, nothing that the
    /// usual run could not draw.
    #[must_use]
    pub fn run_of(self, seed: u64) -> Settings {
        let usual = Settings { mutant: Some(self), ..Settings::of(seed, None) };
        match self {
            // Few of the changes cut an adapter that talks to peers, and most troubles end such a change before its confirmation.
            Self::NoWitness => Settings { hosts: 4, changes: 30, faults: 0, ..usual },
            // An end meets a disk that takes no record, or is the last word of its process.
            Self::ReportBeforeRecord => Settings {
                faults: 40,
                kinds: [Trouble::ReadOnly, Trouble::DiskFull, Trouble::DieAtDisk, Trouble::Kill].into(),
                ..usual
            },
            // Few of the foreign changes fall into an open window of the very host and touch what the plan does not.
            Self::IgnoreForeign => {
                Settings { hosts: 4, changes: 12, faults: 40, kinds: [Trouble::Foreign].into(), ..usual }
            }
            _ => usual,
        }
    }

    /// Whether it is in the coordinator or in what joins hosts, so that only the fleet simulation can show it.
    #[must_use]
    pub fn needs_fleet(self) -> bool {
        matches!(
            self,
            Self::SendBeforeStore
                | Self::SkipCanaryGate
                | Self::NoWatchdog
                | Self::NoLease
                | Self::LoseOutcome
                | Self::SkipUndoRecord
                | Self::IgnoreFreeze
                | Self::IgnoreForeign
                | Self::IgnoreDamage
                | Self::NoWitness
        )
    }
}

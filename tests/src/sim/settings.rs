//! What one simulated run is made of. Everything else follows from the seed.

use super::mutants::Mutant;
use std::collections::BTreeSet;

/// The troubles of a run, by the hazards of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// The agent is killed.
    Kill,
    /// The agent dies in one of its next disk operations.
    DieAtDisk,
    /// The agent is stopped, longer than a window.
    Stop,
    /// The power of a host is cut.
    PowerCut,
    /// Calls go wrong.
    Calls,
    /// Nothing of the host can be read or changed for a while.
    HostdDown,
    /// Somebody else changes the host.
    Foreign,
    /// The disk is full for a while.
    DiskFull,
    /// The disk cannot be written for a while.
    ReadOnly,
    /// A host and a coordinator do not reach each other.
    Partition,
    /// Messages are delayed, lost, repeated and overtaken.
    Messages,
    /// A coordinator is killed.
    CoordinatorKill,
    /// A coordinator does not reach the database, and goes on with what it knows.
    StaleCoordinator,
    /// A host's wall clock jumps.
    WallJump,
    /// A person pauses or aborts.
    Person,
    /// The guard is killed.
    GuardKill,
    /// A person at the console freezes, pins, releases, rolls back or undoes.
    Console,
    /// A person extends the window of an open change.
    Extend,
    /// Parts of a host cannot be read for a while.
    PartialReads,
    /// A byte of a journal is not what was written, for a while.
    Corrupt,
    /// A write that was cut off stands behind the end of a journal.
    Torn,
    /// No call of a host answers for a while.
    Hang,
    /// ESXi saves its configuration by itself.
    HourlyBackup,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Self; 23] = [
        Self::Kill,
        Self::DieAtDisk,
        Self::Stop,
        Self::PowerCut,
        Self::Calls,
        Self::HostdDown,
        Self::Foreign,
        Self::DiskFull,
        Self::ReadOnly,
        Self::Partition,
        Self::Messages,
        Self::CoordinatorKill,
        Self::StaleCoordinator,
        Self::WallJump,
        Self::Person,
        Self::GuardKill,
        Self::Console,
        Self::Extend,
        Self::PartialReads,
        Self::Corrupt,
        Self::Torn,
        Self::Hang,
        Self::HourlyBackup,
    ];

    /// Its name in seed files.
    #[must_use]
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where chance begins.
    pub seed: u64,
    /// Simulated hosts.
    pub hosts: u32,
    /// Coordinators over the one database, 1 to 3.
    pub coordinators: usize,
    /// Changes, one after the other.
    pub changes: u32,
    /// Troubles that happen.
    pub faults: u32,
    /// Which troubles may happen.
    pub kinds: BTreeSet<Trouble>,
    /// A planted bug.
    pub mutant: Option<Mutant>,
    /// Keep every event as text.
    pub verbose: bool,
}

impl Settings {
    /// The usual run of a seed.
    #[must_use]
    pub fn of(seed: u64, hosts: Option<u32>) -> Self {
        let mut rng = super::rng::Rng::new(seed ^ 0x00C0_FFEE);
        let drawn = u32::try_from(rng.between(2, 9)).unwrap_or(5);
        let hosts = hosts.unwrap_or(drawn);
        Self {
            seed,
            hosts,
            coordinators: 1 + rng.index(3),
            changes: u32::try_from(rng.between(3, 6)).unwrap_or(4),
            faults: u32::try_from(rng.between(4, 12)).unwrap_or(8) * (1 + hosts / 10),
            kinds: Trouble::ALL.into_iter().collect(),
            mutant: None,
            verbose: false,
        }
    }

    /// As text for a seed file and for people.
    #[must_use]
    pub fn words(&self) -> String {
        let kinds: Vec<String> = self.kinds.iter().map(|kind| kind.name()).collect();
        let kinds = if kinds.len() == Trouble::ALL.len() { "all".to_owned() } else { kinds.join(",") };
        let mutant = self.mutant.map(|mutant| format!(" mutant={}", mutant.name())).unwrap_or_default();
        format!(
            "seed={} hosts={} coordinators={} changes={} faults={} kinds={kinds}{mutant}",
            self.seed, self.hosts, self.coordinators, self.changes, self.faults
        )
    }

    /// The opposite of [`Settings::words`].
    ///
    /// # Errors
    /// When a word is not known.
    pub fn parse(text: &str) -> Result<Self, String> {
        let pairs: Vec<(&str, &str)> =
            text.split_whitespace().filter_map(|word| word.split_once('=')).collect();
        let number = |value: &str| value.parse::<u64>().map_err(|error| format!("{value}: {error}"));
        let seed = pairs.iter().find(|(key, _)| *key == "seed").ok_or("no seed=")?;
        let mut settings = Self::of(number(seed.1)?, None);
        let small = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        for (key, value) in pairs {
            match key {
                "seed" => {}
                "hosts" => settings.hosts = small(number(value)?).max(1),
                "coordinators" => {
                    settings.coordinators = usize::try_from(number(value)?.clamp(1, 3)).unwrap_or(1)
                }
                "changes" => settings.changes = small(number(value)?),
                "faults" => settings.faults = small(number(value)?),
                "mutant" => settings.mutant = Some(Mutant::named(value).ok_or(format!("no mutant {value}"))?),
                "kinds" if value == "all" => settings.kinds = Trouble::ALL.into_iter().collect(),
                "kinds" => {
                    let known = |name: &str| {
                        Trouble::ALL
                            .into_iter()
                            .find(|kind| kind.name() == name)
                            .ok_or(format!("no trouble {name}"))
                    };
                    let names = value.split(',').filter(|name| !name.is_empty());
                    settings.kinds = names.map(known).collect::<Result<_, _>>()?;
                }
                other => return Err(format!("`{other}` is not known")),
            }
        }
        Ok(settings)
    }
}

//! A staged push and how far it is. Data only; `engine::rollout` decides.

use crate::{HostId, Millis};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Size of a wave: a number of hosts, or a share of all hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WaveSize {
    /// So many hosts.
    Hosts(u32),
    /// So many percent of all hosts of the rollout, rounded up.
    Percent(u8),
}

impl Serialize for WaveSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Hosts(hosts) => serializer.serialize_u32(*hosts),
            Self::Percent(percent) => serializer.serialize_str(&format!("{percent}%")),
        }
    }
}

struct WaveSizeVisitor;

impl de::Visitor<'_> for WaveSizeVisitor {
    type Value = WaveSize;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a wave: a number of hosts (1 or more) or a share like `5%` (1% to 100%)")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<WaveSize, E> {
        match u32::try_from(number) {
            Ok(hosts) if hosts > 0 => Ok(WaveSize::Hosts(hosts)),
            _ => Err(E::invalid_value(de::Unexpected::Unsigned(number), &self)),
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<WaveSize, E> {
        match text.strip_suffix('%').and_then(|n| n.parse::<u8>().ok()) {
            Some(percent) if (1..=100).contains(&percent) => Ok(WaveSize::Percent(percent)),
            _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
        }
    }
}

impl<'de> Deserialize<'de> for WaveSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WaveSizeVisitor)
    }
}

/// How a rollout is staged, with every question answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolloutSpec {
    /// Hosts of the first wave.
    pub canary: u32,
    /// Later waves, cumulative is not meant: each is a size of its own; the rest is the last wave.
    pub waves: Vec<WaveSize>,
    /// Hosts at work at once.
    pub max_parallel: u32,
    /// Wait between waves.
    pub soak: Millis,
    /// Failed hosts tolerated after the canary.
    pub failure_budget: u32,
    /// Confirm window.
    pub confirm_timeout: Millis,
}

impl Default for RolloutSpec {
    /// 1 host, 5 %, 25 %, the rest; 8 at once; soak 60 s; budget 0; confirm window 60 s.
    fn default() -> Self {
        Self {
            canary: 1,
            waves: vec![WaveSize::Percent(5), WaveSize::Percent(25)],
            max_parallel: 8,
            soak: Millis::from_secs(60),
            failure_budget: 0,
            confirm_timeout: Millis::from_secs(crate::CONFIRM_TIMEOUT_SECS_DEFAULT),
        }
    }
}

/// The hosts of one wave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wave {
    /// Hosts in order of name.
    pub hosts: Vec<HostId>,
}

/// Where a rollout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutPhase {
    /// Accepted, nothing sent yet.
    Pending,
    /// Hosts are at work.
    Running,
    /// A wave is done; waiting before the next.
    Soaking,
    /// Stopped by a person; can go on.
    Paused,
    /// Stopped by a failure; a person decides.
    Halted,
    /// Ended by a person; hosts keep what they have.
    Aborted,
    /// Every host is committed.
    Completed,
}

impl RolloutPhase {
    /// The word used in SQL, JSON and on screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Soaking => "soaking",
            Self::Paused => "paused",
            Self::Halted => "halted",
            Self::Aborted => "aborted",
            Self::Completed => "completed",
        }
    }
}

/// What became of one host in a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostOutcome {
    /// Not sent yet.
    Pending,
    /// Sent, not ended yet.
    InFlight,
    /// Ended.
    Ended(crate::OutcomeKind),
    /// Was not reachable in its wave; catches up later.
    Unreachable,
}

//! Every limit of the agents' port, with its default.

use model::Millis;
use std::time::Duration;

/// Limits of the agents' port.
#[derive(Debug, Clone)]
pub struct FleetSettings {
    /// Time between heartbeats, told to agents in the welcome.
    pub heartbeat: Duration,
    /// A stream is dead after so many heartbeat times of silence.
    pub missed_heartbeats_max: u32,
    /// TLS handshakes at once.
    pub handshakes_max: usize,
    /// Longest TLS handshake.
    pub handshake_timeout: Duration,
    /// Longest life of a connection without a host certificate.
    pub anonymous_max: Duration,
    /// How long a new stream may take to say hello.
    pub hello_timeout: Duration,
    /// How long the holder of an identity may take to answer when another agent claims it.
    pub rival_wait: Duration,
    /// How long a verdict on a confirm request may take.
    pub confirm_timeout: Duration,
    /// Messages that wait for one host; more cut its stream.
    pub outgoing_max: usize,
    /// Events that wait for the consumer; more slow the streams down.
    pub events_max: usize,
    /// Enrolments at once.
    pub enrolments_max: usize,
    /// At shutdown agents come back within this span.
    pub goodbye_spread: Millis,
    /// How long streams may take to end at shutdown.
    pub shutdown_grace: Duration,
}

impl Default for FleetSettings {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(10),
            missed_heartbeats_max: 3,
            handshakes_max: 64,
            handshake_timeout: Duration::from_secs(10),
            anonymous_max: Duration::from_secs(30),
            hello_timeout: Duration::from_secs(10),
            rival_wait: Duration::from_secs(5),
            confirm_timeout: Duration::from_secs(10),
            outgoing_max: 8,
            events_max: 1024,
            enrolments_max: 8,
            goodbye_spread: Millis(30_000),
            shutdown_grace: Duration::from_secs(5),
        }
    }
}

impl FleetSettings {
    /// Silence after which a stream is dead.
    pub(super) fn silence_max(&self) -> Duration {
        self.heartbeat.saturating_mul(self.missed_heartbeats_max.max(1))
    }

    /// The heartbeat time as told to agents.
    pub(super) fn heartbeat_millis(&self) -> Millis {
        Millis(u64::try_from(self.heartbeat.as_millis()).unwrap_or(u64::MAX))
    }
}

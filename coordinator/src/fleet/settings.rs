//! Every limit of the agents' port, with its default.

use model::Millis;
use std::time::Duration;

/// A message counts once more for every so many bytes of it.
pub const MESSAGE_UNIT_BYTES: usize = 32 * 1024;

/// Limits of the agents' port.
#[derive(Debug, Clone)]
pub struct FleetSettings {
    /// Time between heartbeats, told to agents in the welcome.
    pub heartbeat: Duration,
    /// A stream is dead after so many heartbeat times of silence.
    pub missed_heartbeats_max: u32,
    /// Connections that wait for their handshake; more wait in the kernel's queue.
    pub arrivals_max: usize,
    /// Of those from one address; more are dropped.
    pub arrivals_per_source_max: usize,
    /// TLS handshakes at once.
    pub handshakes_max: usize,
    /// Of those from one address; more wait.
    pub handshakes_per_source_max: usize,
    /// Longest TLS handshake.
    pub handshake_timeout: Duration,
    /// Longest life of a connection without a host certificate.
    pub anonymous_max: Duration,
    /// Connections without a host certificate at once; more are dropped.
    pub anonymous_connections_max: usize,
    /// How long a new stream may take to say hello.
    pub hello_timeout: Duration,
    /// How long the holder of an identity may take to answer when another agent claims it.
    pub rival_wait: Duration,
    /// How long a verdict on a confirm request may take.
    pub confirm_timeout: Duration,
    /// Messages that wait for one host; more cut its stream.
    pub outgoing_max: usize,
    /// How long a message may wait before its host's stream is cut.
    pub write_timeout: Duration,
    /// Messages one host may send a second. Large ones count more, see [`MESSAGE_UNIT_BYTES`].
    pub messages_per_sec: u32,
    /// Messages one host may send at once after it was quiet.
    pub messages_burst: u32,
    /// Events that wait for the consumer; more slow the streams down.
    pub events_max: usize,
    /// Enrolments at once.
    pub enrolments_max: usize,
    /// Enrolments and recoveries a second.
    pub enrolments_per_sec: u32,
    /// Enrolments and recoveries at once after a quiet time.
    pub enrolments_burst: u32,
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
            arrivals_max: 256,
            arrivals_per_source_max: 128,
            handshakes_max: 64,
            handshakes_per_source_max: 32,
            handshake_timeout: Duration::from_secs(10),
            anonymous_max: Duration::from_secs(30),
            anonymous_connections_max: 256,
            hello_timeout: Duration::from_secs(10),
            rival_wait: Duration::from_secs(5),
            confirm_timeout: Duration::from_secs(10),
            outgoing_max: 8,
            write_timeout: Duration::from_secs(10),
            messages_per_sec: 50,
            messages_burst: 500,
            events_max: 1024,
            enrolments_max: 8,
            enrolments_per_sec: 20,
            enrolments_burst: 100,
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

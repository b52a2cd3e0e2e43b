//! What an agent says on its stream.

use super::document::{content_hash, from_json, to_json};
use super::error::{WireError, bounded, check_size, short_text};
use super::ping::PingReport;
use super::proof::SetAck;
use super::{phase_from_text, phase_to_text};
use crate::{RECEIPT_BYTES_MAX, v1};
use model::{
    ApplyOutcome, ApplyPhase, ApprovalMode, BootId, ChangeId, DriftReport, Generation, LocalAction,
    ObservedNetwork,
};

/// First message of a stream: who speaks and how far the host is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentHello {
    /// Oldest protocol version the agent speaks.
    pub protocol_min: u32,
    /// Newest protocol version the agent speaks.
    pub protocol_max: u32,
    /// Release of the agent.
    pub agent_version: String,
    /// This boot of the host.
    pub boot_id: BootId,
    /// This process of the agent.
    pub instance_id: String,
    /// Highest generation the host ever took.
    pub held_generation: Generation,
    /// Last generation the host committed.
    pub committed_generation: Generation,
    /// Change at work; `None` when idle.
    pub open_change: Option<ChangeId>,
    /// Where the host is with it.
    pub phase: ApplyPhase,
    /// System UUID as the host tells it; empty before the first reading.
    pub system_uuid: String,
    /// Version of the approver set the host has pinned; 0 for none.
    pub approver_set_version: u64,
    /// What the host does with an order that is not proven.
    pub approval_mode: ApprovalMode,
}

/// A sign of life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatReport {
    /// Counts up within a stream.
    pub sequence: u64,
    /// Where the host is with its order.
    pub phase: ApplyPhase,
    /// Last generation the host committed.
    pub committed_generation: Generation,
    /// Whether the agent sees drift.
    pub drift: bool,
    /// Hash of the newest observation; empty before the first.
    pub observation_hash: String,
    /// Resident memory of the agent in bytes; 0 when unknown.
    pub rss_bytes: u64,
}

/// A full reading of the host; its hash is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservationReport {
    /// The reading.
    pub observed: ObservedNetwork,
    /// Its content hash.
    pub hash: String,
    /// esxcli calls it took.
    pub esxcli_calls: u32,
}

impl ObservationReport {
    /// A report with the hash of `observed`.
    pub fn new(observed: ObservedNetwork, esxcli_calls: u32) -> Result<Self, WireError> {
        let hash = content_hash(&observed)?;
        Ok(Self { observed, hash, esxcli_calls })
    }
}

/// The end of an order, with the bytes it travels in: those are what the host signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomeReport {
    /// The end.
    pub outcome: ApplyOutcome,
    /// The end as JSON.
    pub json: Vec<u8>,
    /// Signature over `json`; empty until the link to the coordinator signs it.
    pub receipt: Vec<u8>,
}

impl OutcomeReport {
    /// A report that is not signed yet.
    pub fn new(outcome: ApplyOutcome) -> Result<Self, WireError> {
        let json = to_json("outcome_json", &outcome)?;
        Ok(Self { outcome, json, receipt: Vec::new() })
    }
}

/// How far a host is with an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepProgress {
    /// The change.
    pub change: ChangeId,
    /// The generation of the order.
    pub generation: Generation,
    /// The phase.
    pub phase: ApplyPhase,
    /// Steps done.
    pub step: u32,
    /// Steps in all.
    pub steps_total: u32,
}

/// Any message of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromAgent {
    /// First message.
    Hello(AgentHello),
    /// Sign of life.
    Heartbeat(HeartbeatReport),
    /// Full reading.
    Observation(Box<ObservationReport>),
    /// Step done.
    Progress(StepProgress),
    /// End of an order.
    Outcome(Box<OutcomeReport>),
    /// Differences from the confirmed state.
    Drift(Box<DriftReport>),
    /// What a person did at the console.
    Local(LocalAction),
    /// What a ping found.
    Ping(PingReport),
    /// What became of an offered approver set.
    ApproverSetAck(SetAck),
}

/// A change id that may be empty on the wire.
fn optional_change(field: &'static str, text: String) -> Result<Option<ChangeId>, WireError> {
    if text.is_empty() {
        return Ok(None);
    }
    change(field, text).map(Some)
}

pub(super) fn change(field: &'static str, text: String) -> Result<ChangeId, WireError> {
    let text = short_text(field, text)?;
    ChangeId::new(text).map_err(|source| WireError::Id { field, source })
}

/// First generation that is refused: far beyond the changes of any host's life.
const GENERATION_LIMIT: u64 = 1 << 53;

/// A generation from the wire; one that no coordinator can have given out would block every later one.
fn generation(field: &'static str, number: u64) -> Result<Generation, WireError> {
    if number >= GENERATION_LIMIT {
        return Err(WireError::Implausible { field, number });
    }
    Ok(Generation(number))
}

impl TryFrom<v1::Hello> for AgentHello {
    type Error = WireError;

    fn try_from(wire: v1::Hello) -> Result<Self, WireError> {
        let v1::Hello {
            protocol_min,
            protocol_max,
            agent_version,
            boot_id,
            instance_id,
            held_generation,
            committed_generation,
            open_change_id,
            phase,
            system_uuid,
            approver_set_version,
            approval_mode,
        } = wire;
        let not_a_mode = || WireError::NotThat {
            field: "approval_mode",
            text: bounded(&approval_mode),
            what: "mode of approval",
        };
        if instance_id.is_empty() {
            return Err(WireError::Missing { field: "instance_id" });
        }
        Ok(Self {
            protocol_min,
            protocol_max,
            agent_version: short_text("agent_version", agent_version)?,
            boot_id: BootId(short_text("boot_id", boot_id)?),
            instance_id: short_text("instance_id", instance_id)?,
            held_generation: generation("held_generation", held_generation)?,
            committed_generation: generation("committed_generation", committed_generation)?,
            open_change: optional_change("open_change_id", open_change_id)?,
            phase: phase_from_text(&phase)?,
            system_uuid: short_text("system_uuid", system_uuid)?,
            approver_set_version,
            approval_mode: ApprovalMode::from_word(&approval_mode).ok_or_else(not_a_mode)?,
        })
    }
}

impl From<AgentHello> for v1::Hello {
    fn from(hello: AgentHello) -> Self {
        let AgentHello {
            protocol_min,
            protocol_max,
            agent_version,
            boot_id,
            instance_id,
            held_generation,
            committed_generation,
            open_change,
            phase,
            system_uuid,
            approver_set_version,
            approval_mode,
        } = hello;
        Self {
            protocol_min,
            protocol_max,
            agent_version,
            boot_id: boot_id.0,
            instance_id,
            held_generation: held_generation.0,
            committed_generation: committed_generation.0,
            open_change_id: open_change.map(String::from).unwrap_or_default(),
            phase: phase_to_text(phase).to_owned(),
            system_uuid,
            approver_set_version,
            approval_mode: approval_mode.as_str().to_owned(),
        }
    }
}

impl TryFrom<v1::Heartbeat> for HeartbeatReport {
    type Error = WireError;

    fn try_from(wire: v1::Heartbeat) -> Result<Self, WireError> {
        let v1::Heartbeat { sequence, phase, committed_generation, drift, observation_hash, rss_bytes } =
            wire;
        Ok(Self {
            sequence,
            phase: phase_from_text(&phase)?,
            committed_generation: Generation(committed_generation),
            drift,
            observation_hash: short_text("observation_hash", observation_hash)?,
            rss_bytes,
        })
    }
}

impl From<HeartbeatReport> for v1::Heartbeat {
    fn from(report: HeartbeatReport) -> Self {
        let HeartbeatReport { sequence, phase, committed_generation, drift, observation_hash, rss_bytes } =
            report;
        Self {
            sequence,
            phase: phase_to_text(phase).to_owned(),
            committed_generation: committed_generation.0,
            drift,
            observation_hash,
            rss_bytes,
        }
    }
}

impl TryFrom<v1::Observation> for ObservationReport {
    type Error = WireError;

    fn try_from(wire: v1::Observation) -> Result<Self, WireError> {
        let v1::Observation { content_hash: told, network_json, esxcli_calls } = wire;
        let report = Self::new(from_json("network_json", &network_json)?, esxcli_calls)?;
        if report.hash != told {
            return Err(WireError::HashDiffers { told: bounded(&told), found: report.hash });
        }
        Ok(report)
    }
}

impl TryFrom<&ObservationReport> for v1::Observation {
    type Error = WireError;

    fn try_from(report: &ObservationReport) -> Result<Self, WireError> {
        let ObservationReport { observed, hash, esxcli_calls } = report;
        Ok(Self {
            content_hash: hash.clone(),
            network_json: to_json("network_json", observed)?,
            esxcli_calls: *esxcli_calls,
        })
    }
}

impl TryFrom<v1::Progress> for StepProgress {
    type Error = WireError;

    fn try_from(wire: v1::Progress) -> Result<Self, WireError> {
        let v1::Progress { change_id, generation, phase, step, steps_total } = wire;
        Ok(Self {
            change: change("change_id", change_id)?,
            generation: Generation(generation),
            phase: phase_from_text(&phase)?,
            step,
            steps_total,
        })
    }
}

impl From<StepProgress> for v1::Progress {
    fn from(progress: StepProgress) -> Self {
        let StepProgress { change, generation, phase, step, steps_total } = progress;
        Self {
            change_id: change.into(),
            generation: generation.0,
            phase: phase_to_text(phase).to_owned(),
            step,
            steps_total,
        }
    }
}

impl TryFrom<v1::Outcome> for OutcomeReport {
    type Error = WireError;

    fn try_from(wire: v1::Outcome) -> Result<Self, WireError> {
        let v1::Outcome { outcome_json, receipt } = wire;
        check_size("receipt", receipt.len(), RECEIPT_BYTES_MAX)?;
        Ok(Self { outcome: from_json("outcome_json", &outcome_json)?, json: outcome_json, receipt })
    }
}

impl From<&OutcomeReport> for v1::Outcome {
    fn from(report: &OutcomeReport) -> Self {
        let OutcomeReport { outcome: _, json, receipt } = report;
        Self { outcome_json: json.clone(), receipt: receipt.clone() }
    }
}

impl TryFrom<v1::Drift> for DriftReport {
    type Error = WireError;

    fn try_from(wire: v1::Drift) -> Result<Self, WireError> {
        let v1::Drift { report_json } = wire;
        from_json("report_json", &report_json)
    }
}

impl TryFrom<&DriftReport> for v1::Drift {
    type Error = WireError;

    fn try_from(report: &DriftReport) -> Result<Self, WireError> {
        Ok(Self { report_json: to_json("report_json", report)? })
    }
}

impl TryFrom<v1::AgentMessage> for FromAgent {
    type Error = WireError;

    fn try_from(wire: v1::AgentMessage) -> Result<Self, WireError> {
        use v1::agent_message::Message;
        let v1::AgentMessage { message } = wire;
        Ok(match message.ok_or(WireError::Missing { field: "message" })? {
            Message::Hello(hello) => Self::Hello(hello.try_into()?),
            Message::Heartbeat(report) => Self::Heartbeat(report.try_into()?),
            Message::Observation(report) => Self::Observation(Box::new(report.try_into()?)),
            Message::Progress(progress) => Self::Progress(progress.try_into()?),
            Message::Outcome(outcome) => Self::Outcome(Box::new(outcome.try_into()?)),
            Message::Drift(report) => Self::Drift(Box::new(report.try_into()?)),
            Message::LocalAction(v1::LocalAction { action_json }) => {
                Self::Local(from_json("action_json", &action_json)?)
            }
            Message::PingResult(result) => Self::Ping(result.try_into()?),
            Message::ApproverSetAck(ack) => Self::ApproverSetAck(ack.try_into()?),
        })
    }
}

impl TryFrom<FromAgent> for v1::AgentMessage {
    type Error = WireError;

    fn try_from(message: FromAgent) -> Result<Self, WireError> {
        use v1::agent_message::Message;
        let message = match message {
            FromAgent::Hello(hello) => Message::Hello(hello.into()),
            FromAgent::Heartbeat(report) => Message::Heartbeat(report.into()),
            FromAgent::Observation(report) => Message::Observation(report.as_ref().try_into()?),
            FromAgent::Progress(progress) => Message::Progress(progress.into()),
            FromAgent::Outcome(report) => Message::Outcome(report.as_ref().into()),
            FromAgent::Drift(report) => Message::Drift(report.as_ref().try_into()?),
            FromAgent::Local(action) => {
                Message::LocalAction(v1::LocalAction { action_json: to_json("action_json", &action)? })
            }
            FromAgent::Ping(report) => Message::PingResult(report.into()),
            FromAgent::ApproverSetAck(ack) => Message::ApproverSetAck(ack.into()),
        };
        Ok(Self { message: Some(message) })
    }
}

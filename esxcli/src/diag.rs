//! `network diag ping`: its arguments, its summary, and what the summary proves.
//!
//! Owns: [`DiagPing`] (the call), [`PingSummary`] (what it printed) and [`verdict`] (what that
//! means). Must not run anything. Called by the agent, for its own probes and for other hosts.
//!
//! The exit status says little: a ping without an answer may end with 0 or with 1. What counts is
//! the `Summary` record, whose label `Recieved` is misspelt on every release we know.

use crate::argv::{ArgvError, option};
use crate::error::{EsxcliFailure, FailureKind, classify};
use crate::formatter::Formatter;
use crate::output::{ParseOutputError, Value, parse};
use crate::records::{Fields, FromRecord, RecordError, read_one};
use model::{NetstackName, Probe, ProbeVerdict, VmkName};
use std::net::Ipv4Addr;

/// The command, without `esxcli`.
const COMMAND: &str = "network diag ping";
/// Packets of one probe: a first one may be lost while the address is resolved.
pub const PROBE_PACKETS: u8 = 2;
/// Most packets one call may send.
pub const PACKETS_MAX: u8 = 10;
/// How long one answer is waited for, in seconds.
pub const WAIT_SECS: u8 = 1;
/// Headers around the payload of a ping (IPv4 and ICMP), in bytes.
pub const HEADER_BYTES: u16 = 28;
/// Most text of a failure that goes into a verdict, in characters.
const DETAIL_CHARS_MAX: usize = 300;

/// A ping to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiagPing {
    /// Where to.
    pub host: Ipv4Addr,
    /// Adapter it leaves by.
    pub interface: VmkName,
    /// Netstack of the adapter.
    pub netstack: NetstackName,
    /// Packets, 1 to [`PACKETS_MAX`]; other numbers become the nearest of these.
    pub count: u8,
    /// Payload in bytes; `None` leaves it to the host.
    pub size: Option<u16>,
    /// Whether no router may cut the packets.
    pub df: bool,
    /// How long an answer is waited for, in seconds.
    pub wait: u8,
}

impl From<&Probe> for DiagPing {
    fn from(probe: &Probe) -> Self {
        Self {
            host: probe.target,
            interface: probe.vmk.clone(),
            netstack: probe.netstack.clone(),
            count: PROBE_PACKETS,
            size: probe.size,
            df: probe.size.is_some(),
            wait: WAIT_SECS,
        }
    }
}

impl DiagPing {
    /// The arguments to run esxcli with, global options first.
    pub fn argv(&self, formatter: Formatter) -> Result<Vec<String>, ArgvError> {
        let Self { host, interface, netstack, count, size, df, wait } = self;
        let mut argv: Vec<String> = formatter.options().iter().map(|o| (*o).to_owned()).collect();
        argv.extend(COMMAND.split(' ').map(str::to_owned));
        argv.extend(option("--host", &host.to_string())?);
        argv.extend(option("--interface", interface.as_str())?);
        argv.extend(option("--netstack", netstack.as_str())?);
        argv.extend(option("--count", &(*count).clamp(1, PACKETS_MAX).to_string())?);
        if let Some(size) = size {
            argv.extend(option("--size", &size.to_string())?);
        }
        if *df {
            argv.push("--df".to_owned());
        }
        argv.extend(option("--wait", &(*wait).max(1).to_string())?);
        Ok(argv)
    }
}

/// What a ping printed at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PingSummary {
    /// Packets that left.
    pub transmitted: u32,
    /// Packets that were answered.
    pub received: u32,
    /// Lost packets in percent, when it was printed.
    pub lost_percent: Option<u32>,
    /// What the first unlucky packet says, e.g. that it was too long to be sent.
    pub remark: Option<String>,
}

/// Why there is no summary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PingError {
    /// The call cannot be spelled.
    #[error(transparent)]
    Argv(#[from] ArgvError),
    /// It was not run, or did not end in time.
    #[error("the ping was not run: {reason}")]
    NotRun {
        /// Why.
        reason: String,
    },
    /// esxcli refused it.
    #[error(transparent)]
    Failed(#[from] EsxcliFailure),
    /// Its output is not a document.
    #[error(transparent)]
    Output(#[from] ParseOutputError),
    /// Its output holds no readable summary.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Its numbers contradict each other.
    #[error(
        "the ping's summary contradicts itself: {received} of {transmitted} answered, {lost_percent} % lost"
    )]
    Contradiction {
        /// Packets that left.
        transmitted: u32,
        /// Packets that were answered.
        received: u32,
        /// Lost packets in percent.
        lost_percent: u32,
    },
}

/// Judges a finished call and reads its summary, whatever its exit status.
pub fn read(
    formatter: Formatter,
    exit_code: Option<i32>,
    stdout: &str,
    stderr: &str,
) -> Result<PingSummary, PingError> {
    let failure = classify(exit_code, stdout, stderr);
    if let Some(failure) = &failure
        && (exit_code.is_none() || failure.kind == FailureKind::Usage)
    {
        return Err(failure.clone().into());
    }
    match (parse_summary(formatter, stdout), failure) {
        (Ok(summary), _) => Ok(summary),
        (Err(error @ PingError::Contradiction { .. }), _) => Err(error),
        (Err(_), Some(failure)) => Err(failure.into()),
        (Err(error), None) => Err(error),
    }
}

fn parse_summary(formatter: Formatter, stdout: &str) -> Result<PingSummary, PingError> {
    let value: Value = parse(COMMAND, formatter, stdout)?;
    let summary: PingSummary = read_one(COMMAND, &value)?;
    let PingSummary { transmitted, received, lost_percent, remark: _ } = summary;
    let answered = received > 0;
    match lost_percent {
        Some(lost_percent) if transmitted > 0 && answered == (lost_percent >= 100) => {
            Err(PingError::Contradiction { transmitted, received, lost_percent })
        }
        _ if transmitted == 0 && answered => {
            let lost_percent = lost_percent.unwrap_or_default();
            Err(PingError::Contradiction { transmitted, received, lost_percent })
        }
        _ => Ok(summary),
    }
}

impl FromRecord for PingSummary {
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError> {
        let mut found = fields.nested("Summary");
        let summary = match (found.len(), found.pop()) {
            (1, Some(summary)) => summary,
            _ => return Err(fields.missing("Summary")),
        };
        let received = match summary.int_opt("Recieved")? {
            Some(received) => received,
            None => summary.int("Received")?,
        };
        let mut remark = None;
        for packet in fields.nested("Trace") {
            if remark.is_none() {
                remark = packet.text_opt("Detail")?;
            }
        }
        Ok(Self {
            transmitted: summary.int("Transmitted")?,
            received,
            lost_percent: summary.int_opt("PacketLost")?,
            remark,
        })
    }
}

/// What a ping proves: any answer is a pass, none is a fail, and whatever cannot be told is unknown.
#[must_use]
pub fn verdict(result: &Result<PingSummary, PingError>) -> ProbeVerdict {
    match result {
        Err(error) => ProbeVerdict::Unknown { detail: short(&error.to_string()) },
        Ok(PingSummary { received, .. }) if *received > 0 => ProbeVerdict::Pass,
        Ok(PingSummary { transmitted, remark, .. }) => {
            let remark = remark.as_deref().map(|remark| format!(": {remark}")).unwrap_or_default();
            ProbeVerdict::Fail { detail: short(&format!("0 of {transmitted} packets answered{remark}")) }
        }
    }
}

fn short(text: &str) -> String {
    text.chars().take(DETAIL_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests;

//! A ping that one host sends for another: question and answer of a peer witness.

use super::error::{WireError, bounded, cut_text, short_text};
use crate::v1;
use model::{NetstackName, ProbeVerdict, VmkName};
use std::net::Ipv4Addr;

/// Most packets one question may ask for.
pub const PING_COUNT_MAX: u8 = 10;

/// Send this ping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PingQuestion {
    /// Number of the question; the answer repeats it.
    pub request: u64,
    /// Adapter it leaves by.
    pub vmk: VmkName,
    /// Netstack of the adapter.
    pub netstack: NetstackName,
    /// Where to.
    pub target: Ipv4Addr,
    /// Payload in bytes, sent with do-not-fragment; `None` is a small packet.
    pub size: Option<u16>,
    /// Packets, 1 to [`PING_COUNT_MAX`].
    pub count: u8,
}

/// What a ping found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PingReport {
    /// Number of the question.
    pub request: u64,
    /// The verdict.
    pub verdict: ProbeVerdict,
}

impl TryFrom<v1::PingRequest> for PingQuestion {
    type Error = WireError;

    fn try_from(wire: v1::PingRequest) -> Result<Self, WireError> {
        let v1::PingRequest { request_id, vmk, netstack, target, size, count } = wire;
        let not = |field, text: &str, what| WireError::NotThat { field, text: bounded(text), what };
        let vmk = short_text("vmk", vmk)?;
        let netstack = short_text("netstack", netstack)?;
        let target = short_text("target", target)?;
        let size = u16::try_from(size).map_err(|_| WireError::OutOfRange {
            field: "size",
            number: size,
            limit: u32::from(u16::MAX),
        })?;
        let packets = u8::try_from(count).ok().filter(|count| (1..=PING_COUNT_MAX).contains(count));
        let limit = u32::from(PING_COUNT_MAX);
        Ok(Self {
            request: request_id,
            vmk: VmkName::new(vmk.as_str()).map_err(|_| not("vmk", &vmk, "adapter name"))?,
            netstack: NetstackName::new(netstack.as_str())
                .map_err(|_| not("netstack", &netstack, "netstack name"))?,
            target: target.parse().map_err(|_| not("target", &target, "IPv4 address"))?,
            size: (size > 0).then_some(size),
            count: packets.ok_or(WireError::OutOfRange { field: "count", number: count, limit })?,
        })
    }
}

impl From<PingQuestion> for v1::PingRequest {
    fn from(question: PingQuestion) -> Self {
        let PingQuestion { request, vmk, netstack, target, size, count } = question;
        Self {
            request_id: request,
            vmk: vmk.to_string(),
            netstack: netstack.to_string(),
            target: target.to_string(),
            size: size.map(u32::from).unwrap_or_default(),
            count: u32::from(count.clamp(1, PING_COUNT_MAX)),
        }
    }
}

impl TryFrom<v1::PingResult> for PingReport {
    type Error = WireError;

    fn try_from(wire: v1::PingResult) -> Result<Self, WireError> {
        let v1::PingResult { request_id, verdict, detail } = wire;
        let detail = short_text("detail", detail)?;
        let verdict = match verdict.as_str() {
            "pass" => ProbeVerdict::Pass,
            "fail" => ProbeVerdict::Fail { detail },
            "unknown" => ProbeVerdict::Unknown { detail },
            _ => {
                let text = bounded(&verdict);
                return Err(WireError::NotThat { field: "verdict", text, what: "verdict of a ping" });
            }
        };
        Ok(Self { request: request_id, verdict })
    }
}

impl From<PingReport> for v1::PingResult {
    fn from(report: PingReport) -> Self {
        let PingReport { request, verdict } = report;
        let detail = cut_text(verdict.detail().to_owned());
        Self { request_id: request, verdict: verdict.as_str().to_owned(), detail }
    }
}

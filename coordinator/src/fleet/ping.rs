//! Pings that a live host sends on request, each matched to who waits for it.
//!
//! Owns: the numbers of open requests. Must not: decide what a verdict means. Called by the handle
//! (to ask) and by streams (to answer); an answer counts only from the host that was asked.

use super::handle::FleetHandle;
use model::{HostId, NetstackName, ProbeVerdict, VmkName};
use proto::convert::{FromCoordinator, PingQuestion, PingReport};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Most requests open at once; more are answered as unknown.
const OPEN_MAX: usize = 1024;

/// A ping for a host to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerPing {
    /// Adapter it leaves by.
    pub vmk: VmkName,
    /// Netstack of the adapter.
    pub netstack: NetstackName,
    /// Where to.
    pub target: Ipv4Addr,
    /// Payload in bytes, sent with do-not-fragment; `None` is a small packet.
    pub size: Option<u16>,
    /// Packets.
    pub count: u8,
}

struct Waiting {
    host: HostId,
    answer: oneshot::Sender<ProbeVerdict>,
}

#[derive(Default)]
struct Inner {
    last: u64,
    waiting: BTreeMap<u64, Waiting>,
}

/// Requests without an answer.
#[derive(Default)]
pub(super) struct OpenPings(Mutex<Inner>);

/// Frees the number of a request, however its wait ends.
struct Ticket {
    pings: Arc<OpenPings>,
    request: u64,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.pings.lock().waiting.remove(&self.request);
    }
}

impl OpenPings {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new number, and the end where its answer comes; `None` when too many are open.
    fn open(self: &Arc<Self>, host: &HostId) -> Option<(Ticket, oneshot::Receiver<ProbeVerdict>)> {
        let (answer, receiver) = oneshot::channel();
        let mut inner = self.lock();
        if inner.waiting.len() >= OPEN_MAX {
            return None;
        }
        inner.last = inner.last.wrapping_add(1);
        let request = inner.last;
        inner.waiting.insert(request, Waiting { host: host.clone(), answer });
        Some((Ticket { pings: Arc::clone(self), request }, receiver))
    }

    /// A host answered.
    pub(super) fn answered(&self, host: &HostId, report: PingReport) {
        let PingReport { request, verdict } = report;
        let mut inner = self.lock();
        if inner.waiting.get(&request).is_none_or(|waiting| waiting.host != *host) {
            tracing::debug!(%host, request, "a ping was answered that nobody waits for");
            return;
        }
        if let Some(waiting) = inner.waiting.remove(&request) {
            // Fails when the wait ended at this moment.
            let _ = waiting.answer.send(verdict);
        }
    }
}

impl FleetHandle {
    /// Lets a host send a ping and waits for its verdict, no longer than `limit`. Whatever goes wrong is unknown.
    pub async fn ping(&self, host: &HostId, ping: PeerPing, limit: Duration) -> ProbeVerdict {
        let unknown = |detail: String| ProbeVerdict::Unknown { detail };
        let Some((ticket, answer)) = self.pings().open(host) else {
            return unknown(format!("{OPEN_MAX} pings are under way"));
        };
        let PeerPing { vmk, netstack, target, size, count } = ping;
        let question = PingQuestion { request: ticket.request, vmk, netstack, target, size, count };
        if let Err(error) = self.offer(host, FromCoordinator::Ping(question)) {
            return unknown(error.to_string());
        }
        match tokio::time::timeout(limit, answer).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(_)) => unknown("the request was dropped".to_owned()),
            Err(_) => unknown(format!("no answer within {} s", limit.as_secs_f32())),
        }
    }
}

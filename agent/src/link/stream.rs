//! The long stream: connect, say hello, pass messages both ways, and come back after a random wait.
//!
//! Owns: the task and its connection. Must not: keep anything worth keeping; the event loop sends
//! again what was not acknowledged. Called by the event loop by two bounded channels.

use super::backoff::Backoff;
use super::connect::{LinkError, connect};
use super::receipt::ReceiptSigner;
use super::tls::Identity;
use crate::host::ping::PeerPinger;
use crate::host::runner::Runner;
use crate::settings::Settings;
use engine::apply::UnreadableOrder;
use model::{RefusalReason, Unproven, UnprovenKind};
use proto::convert::{AgentHello, FromAgent, FromCoordinator, OfferedOrder, PingReport, WireError};
use proto::v1;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

/// Messages that may wait for the connection: one of each kind, and progress.
const OUTGOING_MAX: usize = 32;
/// Reports of pings that may wait for the stream: all that may run at once, and those of a stream before.
const PING_REPORTS_MAX: usize = 16;
/// A stream that lived this long was a good one.
const GOOD_STREAM: Duration = Duration::from_secs(30);
/// Longest wait for the first message.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(15);

/// What the stream tells the event loop.
#[derive(Debug)]
pub enum LinkEvent {
    /// The stream stands.
    Connected {
        /// Time between heartbeats.
        heartbeat: Duration,
    },
    /// The stream is gone.
    Disconnected,
    /// An order, not read yet, or something that should have been one.
    Order(Result<Box<OfferedOrder>, UnreadableOrder>),
    /// Any other message.
    Message(FromCoordinator),
}

/// What the task needs.
pub struct Link {
    /// The settings.
    pub settings: Arc<Settings>,
    /// What to say first, always as new as can be.
    pub hello: watch::Receiver<AgentHello>,
    /// What to send.
    pub outgoing: mpsc::Receiver<FromAgent>,
    /// Where to tell.
    pub events: mpsc::Sender<LinkEvent>,
    /// Ends a wait early: the coordinator was just reached otherwise.
    pub hurry: Arc<Notify>,
    /// How long to wait between tries.
    pub backoff: Backoff,
}

/// Pings for other hosts.
struct Pings<'a> {
    pinger: &'a PeerPinger,
    reports: &'a mut mpsc::Receiver<PingReport>,
}

/// The way out of one stream.
struct Sender {
    queue: mpsc::Sender<v1::AgentMessage>,
    receipts: ReceiptSigner,
}

/// Why a stream ended.
enum End {
    /// The coordinator asked to come back within this time.
    Goodbye(Duration),
    /// The event loop is gone.
    Over,
}

impl Link {
    /// Connects again and again until the event loop is gone.
    pub async fn run(mut self) {
        let mut next = 0usize;
        let (reports, mut ping_reports) = mpsc::channel(PING_REPORTS_MAX);
        let runner = Runner::new(&self.settings.esxcli, &self.settings.extra_env);
        let pinger = PeerPinger::new(runner, reports);
        loop {
            let count = self.settings.coordinators.len().max(1);
            let address = self.settings.coordinators.get(next % count).cloned().unwrap_or_default();
            let started = Instant::now();
            let wait = match self.session(&address, &pinger, &mut ping_reports).await {
                Ok(End::Over) => return,
                Ok(End::Goodbye(spread)) => self.backoff.within(spread),
                Err(error) => {
                    tracing::warn!(error = error.chain(), "no stream to the coordinator");
                    next = next.wrapping_add(1);
                    if started.elapsed() >= GOOD_STREAM {
                        self.backoff.reset();
                    }
                    self.backoff.next_wait()
                }
            };
            if self.events.send(LinkEvent::Disconnected).await.is_err() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.hurry.notified() => self.backoff.reset(),
            }
        }
    }

    async fn session(
        &mut self,
        address: &str,
        pinger: &PeerPinger,
        ping_reports: &mut mpsc::Receiver<PingReport>,
    ) -> Result<End, LinkError> {
        let refused = |status: tonic::Status| LinkError::Refused {
            address: address.to_owned(),
            status: Box::new(status),
        };
        let silent = || LinkError::Silent { address: address.to_owned(), after: WELCOME_TIMEOUT };
        let receipts = ReceiptSigner::load(&self.settings)?;
        let mut client = connect(&self.settings, address, Identity::Host).await?;
        // What was left from a stream before is stale.
        while self.outgoing.try_recv().is_ok() {}
        while ping_reports.try_recv().is_ok() {}
        let (queue, receiver) = mpsc::channel(OUTGOING_MAX);
        let sender = Sender { queue, receipts };
        let hello = FromAgent::Hello(self.hello.borrow().clone());
        self.pass_on(address, &sender, hello).await?;
        let opened =
            tokio::time::timeout(WELCOME_TIMEOUT, client.session(ReceiverStream::new(receiver))).await;
        let mut incoming = opened.map_err(|_| silent())?.map_err(refused)?.into_inner();
        let first = tokio::time::timeout(WELCOME_TIMEOUT, incoming.message()).await;
        let first = first.map_err(|_| silent())?.map_err(refused)?;
        let first = first.ok_or_else(|| LinkError::Ended { address: address.to_owned() })?;
        let wire = |source| LinkError::Wire { address: address.to_owned(), source };
        match FromCoordinator::try_from(first).map_err(wire)? {
            FromCoordinator::Welcome { protocol, heartbeat } => {
                tracing::info!(address, protocol, "stream to the coordinator stands");
                let heartbeat = Duration::from_millis(heartbeat.0.max(100));
                if self.events.send(LinkEvent::Connected { heartbeat }).await.is_err() {
                    return Ok(End::Over);
                }
            }
            FromCoordinator::Goodbye { spread } => return Ok(End::Goodbye(Duration::from_millis(spread.0))),
            other => {
                tracing::warn!(message = ?other, "the coordinator did not begin with a welcome");
                return Err(LinkError::Ended { address: address.to_owned() });
            }
        }
        let pings = Pings { pinger, reports: ping_reports };
        self.pump(address, sender, incoming, pings).await
    }

    async fn pump(
        &mut self,
        address: &str,
        sender: Sender,
        mut incoming: Streaming<v1::CoordinatorMessage>,
        pings: Pings<'_>,
    ) -> Result<End, LinkError> {
        loop {
            tokio::select! {
                message = incoming.message() => {
                    let message = message.map_err(|status| LinkError::Refused {
                        address: address.to_owned(),
                        status: Box::new(status),
                    })?;
                    let Some(message) = message else {
                        return Err(LinkError::Ended { address: address.to_owned() });
                    };
                    let event = match understand(message) {
                        Ok(LinkEvent::Message(FromCoordinator::Goodbye { spread })) => {
                            return Ok(End::Goodbye(Duration::from_millis(spread.0)));
                        }
                        Ok(LinkEvent::Message(FromCoordinator::Ping(question))) => {
                            if let Some(report) = pings.pinger.begin(question) {
                                self.pass_on(address, &sender, FromAgent::Ping(report)).await?;
                            }
                            continue;
                        }
                        Ok(event) => event,
                        Err(error) => {
                            tracing::warn!(%error, "message of the coordinator left out");
                            continue;
                        }
                    };
                    if self.events.send(event).await.is_err() {
                        return Ok(End::Over);
                    }
                }
                Some(report) = pings.reports.recv() => {
                    self.pass_on(address, &sender, FromAgent::Ping(report)).await?;
                }
                message = self.outgoing.recv() => {
                    let Some(message) = message else { return Ok(End::Over) };
                    self.pass_on(address, &sender, message).await?;
                }
            }
        }
    }

    /// A message that cannot be put on the wire is told and left out; the stream goes on.
    async fn pass_on(&self, address: &str, sender: &Sender, message: FromAgent) -> Result<(), LinkError> {
        let mut message = match v1::AgentMessage::try_from(message) {
            Ok(message) => message,
            Err(error) => {
                tracing::error!(%error, "message for the coordinator cannot be sent");
                return Ok(());
            }
        };
        if let Err(error) = sender.receipts.sign(&mut message) {
            tracing::error!(%error, "the end of an order cannot be signed");
            return Ok(());
        }
        sender.queue.send(message).await.map_err(|_| LinkError::Ended { address: address.to_owned() })
    }
}

/// An offer that is not acceptable as a message is still answered; what it says is read after it was verified.
fn understand(message: v1::CoordinatorMessage) -> Result<LinkEvent, WireError> {
    let Some(v1::coordinator_message::Message::Order(offer)) = message.message else {
        return Ok(LinkEvent::Message(FromCoordinator::try_from(message)?));
    };
    let bytes = offer.order_json.clone();
    let offered = OfferedOrder::try_from(offer).map(Box::new);
    Ok(LinkEvent::Order(offered.map_err(|error| not_an_offer(&bytes, &error))))
}

fn not_an_offer(order_json: &[u8], error: &WireError) -> UnreadableOrder {
    let detail = error.to_string();
    let reason = match error {
        WireError::TooLarge { field, .. } | WireError::OutOfRange { field, .. } if *field != "order_json" => {
            let kind = UnprovenKind::ProofTooLarge;
            RefusalReason::Unproven(Unproven { kind, detail: detail.clone() })
        }
        _ => RefusalReason::Malformed { detail: detail.clone() },
    };
    UnreadableOrder::refused(order_json, detail, reason)
}

#[cfg(test)]
mod tests;

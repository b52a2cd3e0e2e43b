//! One stream of one host: hello, the claim of the identity, then messages until it ends.
//! Any message is a sign of life; silence ends the stream. Started by the service, one task each.

use super::connection::ConnectionState;
use super::event::{Ack, FleetEvent, SessionId};
use super::outgoing::{Ending, Inlet, Outgoing};
use super::pace::Bucket;
use super::refusal::Refusal;
use super::registry::{Claim, Slot};
use super::service::Shared;
use super::settings::MESSAGE_UNIT_BYTES;
use super::wall_now;
use crate::trust::{HostChain, PeerId, Receipt, ReceiptError, usable_uuid};
use model::{HostId, KeyFingerprint};
use proto::convert::{AgentHello, FromAgent, FromCoordinator, OutcomeReport};
use proto::v1::AgentMessage;
use proto::v1::agent_message::Message;
use proto::{PROTOCOL_MAX, PROTOCOL_MIN, agree_protocol};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tonic::{Code, Status, Streaming};

/// How often a claim is tried again because the holder changed meanwhile.
const CLAIM_ATTEMPTS_MAX: u32 = 4;
/// How often within the write timeout it is looked whether messages wait.
const WRITE_LOOKS: u32 = 4;
/// A host whose certificate ran out comes back within this time.
const RENEWED_SPREAD: model::Millis = model::Millis(5_000);

/// A stream before and while it runs.
pub(super) struct Session {
    shared: Arc<Shared>,
    host: HostId,
    /// Serial number of the host's certificate.
    serial: String,
    key: KeyFingerprint,
    /// The host's certificate: receipts are checked by its key.
    certificate: HostChain,
    /// End of the host's certificate.
    certificate_ends: Instant,
    connection: Arc<ConnectionState>,
    inbound: Streaming<AgentMessage>,
    inlet: Inlet,
    outgoing: Outgoing,
    shutdown: watch::Receiver<bool>,
    pace: Bucket,
    /// The machine the host said it is on.
    machine: Option<String>,
}

fn broken(status: &Status) -> Ending {
    match status.code() {
        Code::OutOfRange => Ending::TooLarge(status.message().to_owned()),
        // HTTP/2 gave up on a peer that sends more small frames than anybody reads.
        Code::ResourceExhausted => Ending::Frames(status.message().to_owned()),
        Code::Internal | Code::InvalidArgument => Ending::Invalid(status.message().to_owned()),
        _ => Ending::Broken(status.message().to_owned()),
    }
}

impl Session {
    pub(super) fn new(
        shared: Arc<Shared>,
        peer: PeerId,
        connection: Arc<ConnectionState>,
        inbound: Streaming<AgentMessage>,
        inlet: Inlet,
    ) -> Self {
        let outgoing = Outgoing::new(&inlet.queue, Arc::clone(&connection));
        let shutdown = shared.shutdown.clone();
        let PeerId { host, serial, key, expires, certificate } = peer;
        let now = Instant::now();
        let left = Duration::from_millis(expires.0.saturating_sub(wall_now().0));
        let settings = &shared.settings;
        let pace = Bucket::new(settings.messages_per_sec, settings.messages_burst, now);
        let (certificate_ends, machine) = (now + left, None);
        Self {
            shared,
            host,
            serial,
            key,
            certificate,
            certificate_ends,
            connection,
            inbound,
            inlet,
            outgoing,
            shutdown,
            pace,
            machine,
        }
    }

    /// Runs the stream to its end.
    pub(super) async fn run(mut self) {
        let ending = self.live().await;
        tracing::info!(host = %self.host, remote = %self.connection.facts.remote, reason = %ending, "stream ended");
        if let Some(kind) = ending.refusal() {
            let remote = self.connection.facts.remote;
            let refusal = Refusal::new(kind, Some(self.host.clone()), remote, &ending.to_string());
            // Fails only when the consumer is gone too.
            let _ = self.tell(FleetEvent::Refused(refusal)).await;
        }
        if let Some(status) = ending.status() {
            // A full queue loses the status: its reader does not read.
            let _ = self.inlet.queue.try_send(Err(status));
        }
        if let Some(wait) = ending.closes_connection() {
            let connection = Arc::clone(&self.connection);
            drop(self);
            tokio::time::sleep(wait).await;
            connection.close();
        }
    }

    async fn live(&mut self) -> Ending {
        let (hello, protocol) = match self.greet().await {
            Ok(greeted) => greeted,
            Err(ending) => return ending,
        };
        let session = SessionId(self.shared.next_session());
        if let Err(ending) = self.note_machine(&hello.system_uuid).await {
            return ending;
        }
        let bound = (self.host.clone(), self.key.clone());
        let slot = Arc::new(Slot::new(bound, session, hello, self.outgoing.clone()));
        if let Err(ending) = self.claim(&slot).await {
            return ending;
        }
        let ending = match self.begin(&slot, protocol).await {
            Ok(()) => self.converse(&slot).await,
            Err(ending) => ending,
        };
        if self.shared.registry.release(&slot) {
            let reason = ending.to_string();
            let gone = FleetEvent::Disconnected { host: self.host.clone(), session, reason };
            // Fails only when the consumer is gone too.
            let _ = self.tell(gone).await;
        }
        ending
    }

    /// The first message, which must be a hello in time.
    async fn greet(&mut self) -> Result<(AgentHello, u32), Ending> {
        let first = timeout(self.shared.settings.hello_timeout, self.inbound.message())
            .await
            .map_err(|_| Ending::Silent)?
            .map_err(|status| broken(&status))?
            .ok_or(Ending::Closed)?;
        let message = FromAgent::try_from(first).map_err(|error| Ending::Invalid(error.to_string()))?;
        let FromAgent::Hello(hello) = message else {
            return Err(Ending::Invalid("the first message of a stream must be a hello".to_owned()));
        };
        let protocol = agree_protocol(hello.protocol_min, hello.protocol_max).ok_or(Ending::NoProtocol {
            ours_min: PROTOCOL_MIN,
            ours_max: PROTOCOL_MAX,
            theirs_min: hello.protocol_min,
            theirs_max: hello.protocol_max,
        })?;
        Ok((hello, protocol))
    }

    /// The host says on which machine it is; one that it cannot be on ends the stream.
    async fn note_machine(&mut self, system_uuid: &str) -> Result<(), Ending> {
        let Some(machine) = usable_uuid(system_uuid).filter(|uuid| self.machine.as_ref() != Some(uuid))
        else {
            return Ok(());
        };
        self.shared.identities.machine(self.host.clone(), machine.clone()).await?;
        self.machine = Some(machine);
        Ok(())
    }

    /// Makes this stream the host's. Another agent process that holds the host is asked whether
    /// it is there; when it answers this stream is refused, when not it takes over.
    async fn claim(&self, slot: &Arc<Slot>) -> Result<(), Ending> {
        let mut over = None;
        for _ in 0..CLAIM_ATTEMPTS_MAX {
            let holder = match self.shared.registry.claim(slot, over) {
                Claim::Granted => return Ok(()),
                Claim::Held(holder) => holder,
            };
            let mut signs = holder.signs();
            let holder_session = holder.session;
            let holder_remote = holder.outgoing.connection().facts.remote;
            // A full queue is no answer either: the wait decides.
            let _ = holder.outgoing.offer(FromCoordinator::AreYouThere);
            // Without our reference the signs end when the holder's stream does.
            drop(holder);
            match timeout(self.shared.settings.rival_wait, signs.changed()).await {
                Ok(Ok(())) => {
                    let refused = self.connection.facts.remote;
                    let host = self.host.clone();
                    self.tell(FleetEvent::DuplicateIdentity { host, holder: holder_remote, refused }).await?;
                    return Err(Ending::Duplicate);
                }
                Ok(Err(_)) => {}
                Err(_) => over = Some(holder_session),
            }
        }
        Err(Ending::Duplicate)
    }

    async fn begin(&self, slot: &Slot, protocol: u32) -> Result<(), Ending> {
        let heartbeat = self.shared.settings.heartbeat_millis();
        tracing::info!(
            host = %self.host,
            remote = %self.connection.facts.remote,
            certificate = %self.serial,
            agent = %slot.hello.agent_version,
            "stream opened"
        );
        self.outgoing.offer_or_cut(FromCoordinator::Welcome { protocol, heartbeat });
        self.tell(FleetEvent::Connected {
            host: self.host.clone(),
            session: slot.session,
            hello: Box::new(slot.hello.clone()),
            remote: self.connection.facts.remote,
        })
        .await
    }

    async fn converse(&mut self, slot: &Slot) -> Ending {
        let silence_max = self.shared.settings.silence_max();
        let write_timeout = self.shared.settings.write_timeout;
        let mut silent_at = Instant::now() + silence_max;
        let mut look_at = Instant::now();
        loop {
            let message = tokio::select! {
                biased;
                ending = self.outgoing.ended() => return ending,
                _ = self.shutdown.wait_for(|stop| *stop) => {
                    let spread = self.shared.settings.goodbye_spread;
                    // An agent whose queue is full learns it from the end of the stream.
                    let _ = self.outgoing.offer(FromCoordinator::Goodbye { spread });
                    return Ending::ShuttingDown;
                }
                () = self.shared.stands_by() => return Ending::StandsBy,
                () = sleep_until(self.certificate_ends) => {
                    // An agent that renewed in time comes back with its new certificate.
                    let _ = self.outgoing.offer(FromCoordinator::Goodbye { spread: RENEWED_SPREAD });
                    return Ending::CertificateEnded;
                }
                () = sleep_until(look_at) => {
                    let now = Instant::now();
                    if self.inlet.stuck(write_timeout, now) {
                        return Ending::SlowReader;
                    }
                    look_at = now + write_timeout / WRITE_LOOKS;
                    continue;
                }
                // After the limits: an agent that talks all the time is under them too.
                message = self.inbound.message() => message,
                () = sleep_until(silent_at) => return Ending::Silent,
            };
            let taken = match message {
                Ok(Some(message)) => {
                    slot.seen();
                    self.take(slot, message).await
                }
                Ok(None) => return Ending::Closed,
                Err(status) => return broken(&status),
            };
            if let Err(ending) = taken {
                return ending;
            }
            silent_at = Instant::now() + silence_max;
        }
    }

    /// Large messages cost more: what counts is the work they make.
    fn pay_for(&mut self, message: &AgentMessage) -> Result<(), Ending> {
        let units = proto::wire_bytes(message) / MESSAGE_UNIT_BYTES;
        let cost = u32::try_from(units).unwrap_or(u32::MAX).saturating_add(1);
        if self.pace.take(cost, Instant::now()) {
            return Ok(());
        }
        Err(Ending::Flooding { per_sec: self.shared.settings.messages_per_sec })
    }

    async fn take(&mut self, slot: &Slot, message: AgentMessage) -> Result<(), Ending> {
        self.pay_for(&message)?;
        let host = self.host.clone();
        // What is signed is checked before it is decoded.
        let receipt = self.receipt(&message)?;
        let message = FromAgent::try_from(message).map_err(|error| Ending::Invalid(error.to_string()))?;
        let event = match message {
            FromAgent::Hello(_) => return Err(Ending::Invalid("a second hello on one stream".to_owned())),
            FromAgent::Heartbeat(report) => {
                slot.beat(report);
                return Ok(());
            }
            FromAgent::Ping(report) => {
                self.shared.registry.pings.answered(&host, report);
                return Ok(());
            }
            FromAgent::Observation(report) => {
                let proto::convert::ObservationReport { observed, hash, esxcli_calls } = *report;
                self.note_machine(&observed.facts.uuid).await?;
                let ack = self.ack(FromCoordinator::ObservationAck { hash: hash.clone() });
                FleetEvent::Observation { host, observed: Box::new(observed), hash, calls: esxcli_calls, ack }
            }
            FromAgent::Progress(progress) => {
                slot.progressed(progress.generation, progress.phase);
                FleetEvent::Progress { host, progress }
            }
            FromAgent::Outcome(report) => {
                let OutcomeReport { outcome, json: _, receipt: _ } = *report;
                let receipt = Box::new(receipt.ok_or(Ending::BadReceipt(ReceiptError::Missing))?);
                slot.progressed(outcome.generation, model::ApplyPhase::Idle);
                let change = outcome.change.clone();
                let ack = self.ack(FromCoordinator::OutcomeAck { change, generation: outcome.generation });
                FleetEvent::Outcome { host, outcome: Box::new(outcome), receipt, ack }
            }
            FromAgent::Local(action) => {
                let ack = self.ack(FromCoordinator::LocalAck { sequence: action.sequence });
                FleetEvent::Local { host, action, ack }
            }
            FromAgent::ApproverSetAck(answer) => FleetEvent::ApproverSet { host, answer },
            FromAgent::Drift(report) => {
                if report.host != host {
                    let text = format!("a drift report about {}, which is not this host", report.host);
                    return Err(Ending::Invalid(text));
                }
                FleetEvent::Drift { host, report }
            }
        };
        self.tell(event).await
    }

    /// The receipt of an outcome, checked; other messages have none.
    fn receipt(&self, message: &AgentMessage) -> Result<Option<Receipt>, Ending> {
        let Some(Message::Outcome(outcome)) = &message.message else { return Ok(None) };
        let receipt = Receipt {
            outcome_json: outcome.outcome_json.clone(),
            signature: outcome.receipt.clone(),
            certificate: self.certificate.clone(),
        };
        receipt.check_signature().map_err(Ending::BadReceipt)?;
        Ok(Some(receipt))
    }

    fn ack(&self, message: FromCoordinator) -> Ack {
        Ack::new(self.outgoing.clone(), message)
    }

    /// Hands an event over; waits while the consumer is behind.
    async fn tell(&self, event: FleetEvent) -> Result<(), Ending> {
        self.shared.events.send(event).await.map_err(|_| Ending::ShuttingDown)
    }
}

#[cfg(test)]
mod tests;

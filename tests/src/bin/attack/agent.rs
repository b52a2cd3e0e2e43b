//! The evil agent: a raw client with no, foreign, stolen, cloned or abused certificates against the real coordinator.

use crate::line::{Line, Refused};
use crate::stage::{Attack, Ground, Stage};
use crate::verdict::Told;
use crate::wire::{Authority, DOMAIN, HOUR_SECS, Identity, Says};
use anyhow::{Context, Result, bail};
use model::{
    ApplyOutcome, ApplyPhase, BootId, ChangeId, DriftReport, Generation, HostId, OutcomeKind, PlanDigest,
    Wall,
};
use proto::convert::{AgentHello, ConfirmQuestion, EnrolQuestion, FromAgent, OutcomeReport};
use proto::v1;
use proto::v1::agent_message::Message;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair};
use std::net::SocketAddr;
use tokio::runtime::Runtime;

/// A host name that nobody has.
pub const NOBODY: &str = "esx99";

/// What an evil agent has.
pub struct Outside {
    /// The lab.
    pub stage: Stage,
    runtime: Runtime,
    /// Where the coordinator listens for agents.
    pub address: SocketAddr,
    /// Its authority, in the wrong hands.
    pub authority: Authority,
    foreign: Authority,
    /// The host whose key was stolen; its own agent does not run.
    pub victim: String,
    stolen: Identity,
}

impl Ground for Outside {
    fn stage(&mut self) -> &mut Stage {
        &mut self.stage
    }
}

/// Everything an evil agent tries.
pub const ATTACKS: &[Attack<Outside>] = &[
    Attack { name: "agent_no_tls", expected: &["refused.handshake"], run: no_tls },
    Attack { name: "agent_tls_1_2", expected: &["refused.handshake"], run: tls_1_2 },
    Attack { name: "agent_foreign_authority", expected: &["refused.handshake"], run: foreign_authority },
    Attack { name: "agent_expired_certificate", expected: &["refused.handshake"], run: expired },
    Attack { name: "agent_server_certificate", expected: &["refused.handshake"], run: server_certificate },
    Attack { name: "agent_other_trust_domain", expected: &["refused.identity"], run: other_domain },
    Attack { name: "agent_two_names", expected: &["refused.identity"], run: two_names },
    Attack { name: "agent_name_is_no_host", expected: &["refused.identity"], run: no_host },
    Attack {
        name: "agent_session_without_certificate",
        expected: &["refused.no_certificate"],
        run: no_certificate,
    },
    Attack {
        name: "agent_confirm_without_certificate",
        expected: &["refused.no_certificate"],
        run: confirm_anonymous,
    },
    Attack { name: "agent_token_unknown", expected: &["refused.token"], run: token_unknown },
    Attack { name: "agent_token_reused", expected: &["refused.token"], run: token_reused },
    Attack { name: "agent_token_of_another_host", expected: &["refused.token"], run: token_of_another },
    Attack { name: "agent_request_without_its_key", expected: &["refused.enrolment"], run: broken_request },
    Attack { name: "agent_host_id_is_a_path", expected: &["refused.enrolment"], run: host_id_path },
    Attack { name: "agent_no_hello", expected: &["refused.message"], run: no_hello },
    Attack { name: "agent_two_hellos", expected: &["refused.message"], run: two_hellos },
    Attack { name: "agent_protocol_of_tomorrow", expected: &["refused.protocol"], run: protocol },
    Attack { name: "agent_generation_that_blocks_all", expected: &["refused.message"], run: generation },
    Attack { name: "agent_empty_message", expected: &["refused.message"], run: empty_message },
    Attack { name: "agent_oversized_message", expected: &["refused.too_large"], run: oversized },
    Attack { name: "agent_drift_of_another_host", expected: &["refused.message"], run: drift_of_another },
    Attack { name: "agent_observation_other_hash", expected: &["refused.message"], run: other_hash },
    Attack { name: "agent_outcome_unsigned", expected: &["refused.receipt"], run: unsigned },
    Attack {
        name: "agent_outcome_signed_by_another",
        expected: &["refused.receipt"],
        run: signed_by_another,
    },
    Attack { name: "agent_outcome_changed_after_signing", expected: &["refused.receipt"], run: changed },
    Attack { name: "agent_outcome_unknown_fields", expected: &["refused.message"], run: unknown_fields },
    Attack { name: "agent_outcome_of_no_order", expected: &["refused.unknown_order"], run: no_order },
    Attack {
        name: "agent_confirm_over_the_stream",
        expected: &["refused.confirmation"],
        run: confirm_over_stream,
    },
    Attack { name: "agent_confirm_bad_change", expected: &["refused.confirmation"], run: confirm_malformed },
    Attack { name: "agent_clone_beside_the_host", expected: &["host.duplicate_identity"], run: clone },
];

/// What an agent of this name says first.
pub fn hello(name: &str) -> AgentHello {
    AgentHello {
        protocol_min: 1,
        protocol_max: 1,
        agent_version: "0.1.0".to_owned(),
        boot_id: BootId("boot".to_owned()),
        instance_id: name.to_owned(),
        held_generation: Generation(1),
        committed_generation: Generation(1),
        open_change: None,
        phase: ApplyPhase::Idle,
        system_uuid: String::new(),
        approver_set_version: 0,
        approval_mode: model::ApprovalMode::Off,
    }
}

/// A hello of a host, for a stream that only listens.
pub fn hello_of(name: &str) -> Result<v1::AgentMessage> {
    wire(FromAgent::Hello(hello(name)))
}

fn outcome() -> Result<ApplyOutcome> {
    Ok(ApplyOutcome {
        change: ChangeId::new("attack").map_err(anyhow::Error::msg)?,
        generation: Generation(77),
        kind: OutcomeKind::Committed,
        steps_run: 1,
        esxcli_calls: 1,
        approval: None,
    })
}

/// A question about a change that nobody ordered.
pub fn confirm() -> Result<v1::ConfirmRequest> {
    let change = ChangeId::new("attack").map_err(anyhow::Error::msg)?;
    let question =
        ConfirmQuestion { change, generation: Generation(77), plan_digest: PlanDigest("00".into()) };
    Ok(question.into())
}

impl Outside {
    /// Takes the second host's key; its own agent is stopped. The first host's agent goes on.
    pub fn new(mut stage: Stage) -> Result<Self> {
        let victim = stage.names.last().context("no host")?.clone();
        stage.lab.agents.kill(&victim)?;
        let folder = stage.lab.root().join("agents").join(&victim);
        let stolen = Identity::stolen(&folder.join("host.pem"), &folder.join("host.key"))?;
        let authority = Authority::stolen(&stage.lab.root().join("state").join("ca"))?;
        let address = SocketAddr::from(([127, 0, 0, 1], stage.lab.agent_port()));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        Ok(Self { stage, runtime, address, authority, foreign: Authority::forged()?, victim, stolen })
    }

    /// Does one thing, and finds the entry of the audit trail that tells of its refusal.
    pub fn attempt(
        &mut self,
        actions: &[&str],
        deed: impl AsyncFnOnce(&mut Self) -> Result<Refused>,
    ) -> Result<Told> {
        let since = self.stage.audit_end()?;
        if self.wait(deed)? == Refused::No {
            return Ok(Told::default());
        }
        let fits = |entry: &serde_json::Value| {
            entry["action"].as_str().is_some_and(|action| actions.contains(&action))
        };
        let (action, place) = self.stage.audited(since, fits)?;
        Ok(Told::refused(action, place))
    }

    /// Does something that waits.
    pub fn wait<T>(&mut self, deed: impl AsyncFnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let runtime =
            std::mem::replace(&mut self.runtime, tokio::runtime::Builder::new_current_thread().build()?);
        let done = runtime.block_on(deed(self));
        self.runtime = runtime;
        done
    }

    /// A connection with this identity.
    pub async fn dial(&self, identity: Option<&Identity>) -> Result<Line> {
        Line::dial(self.address, &self.authority.certificate, identity).await
    }

    /// A connection that must not come about.
    fn shut_out(&mut self, actions: &[&str], identity: &Identity) -> Result<Told> {
        self.attempt(actions, async |this| match this.dial(Some(identity)).await {
            Err(_) => Ok(Refused::Yes),
            Ok(mut line) => line.try_confirm(confirm()?).await,
        })
    }

    /// Says this on a stream of the victim after the hello, and looks whether the stream ends with an error.
    fn say(&mut self, action: &str, message: impl FnOnce(&Self) -> Result<v1::AgentMessage>) -> Result<Told> {
        self.attempt(&[action], async |this| {
            let message = message(this)?;
            let mut line = this.dial(Some(&this.stolen)).await?;
            line.open(wire(FromAgent::Hello(hello("thief")))?).await?;
            line.say(message).await?;
            line.ended().await
        })
    }

    /// Begins a stream of the victim with this.
    fn begin(&mut self, action: &str, first: v1::AgentMessage) -> Result<Told> {
        self.attempt(&[action], async |this| {
            let mut line = this.dial(Some(&this.stolen)).await?;
            line.open(first).await?;
            line.ended().await
        })
    }

    fn enrol(&mut self, action: &str, host: &str, token: &str, csr_pem: String) -> Result<Told> {
        let request = v1::EnrolRequest {
            token: token.to_owned(),
            host_id: host.to_owned(),
            csr_pem,
            system_uuid: String::new(),
        };
        self.attempt(&[action], async |this| this.dial(None).await?.try_enrol(request).await)
    }
}

/// A message as it travels.
pub fn wire(message: FromAgent) -> Result<v1::AgentMessage> {
    Ok(v1::AgentMessage::try_from(message)?)
}

fn request() -> Result<String> {
    Ok(CertificateParams::default().serialize_request(&KeyPair::generate()?)?.pem()?)
}

fn no_tls(at: &mut Outside) -> Result<Told> {
    at.attempt(&["refused.handshake"], async |this| {
        Line::speak(this.address, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await
    })
}

/// The hello of a client that speaks TLS 1.2 only.
fn tls_1_2(at: &mut Outside) -> Result<Told> {
    let extensions: [u8; 22] = [0, 10, 0, 4, 0, 2, 0, 23, 0, 13, 0, 4, 0, 2, 4, 3, 0, 11, 0, 2, 1, 0];
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0xc0, 0x2b, 1, 0, 0, 22]);
    body.extend(extensions);
    let length = u8::try_from(body.len())?;
    let mut hello = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    hello.extend(body);
    at.attempt(&["refused.handshake"], async |this| Line::speak(this.address, &hello).await)
}

fn foreign_authority(at: &mut Outside) -> Result<Told> {
    let identity = at.foreign.issue(&Says::host(&at.victim))?;
    at.shut_out(&["refused.handshake"], &identity)
}

fn expired(at: &mut Outside) -> Result<Told> {
    let says = Says { ends_in_secs: -30 * HOUR_SECS, ..Says::host(&at.victim) };
    let identity = at.authority.issue(&says)?;
    at.shut_out(&["refused.handshake"], &identity)
}

fn server_certificate(at: &mut Outside) -> Result<Told> {
    let says = Says { usage: ExtendedKeyUsagePurpose::ServerAuth, ..Says::host(&at.victim) };
    let identity = at.authority.issue(&says)?;
    at.shut_out(&["refused.handshake"], &identity)
}

fn other_domain(at: &mut Outside) -> Result<Told> {
    let identity = at.authority.issue(&Says::uri(&format!("spiffe://evil.example/host/{}", at.victim)))?;
    at.shut_out(&["refused.identity"], &identity)
}

fn two_names(at: &mut Outside) -> Result<Told> {
    let uris = at.stage.names.iter().map(|name| format!("spiffe://{DOMAIN}/host/{name}")).collect();
    let identity = at.authority.issue(&Says { uris, ..Says::host(&at.victim) })?;
    at.shut_out(&["refused.identity"], &identity)
}

fn no_host(at: &mut Outside) -> Result<Told> {
    let identity = at.authority.issue(&Says::uri(&format!("spiffe://{DOMAIN}/host/../coordinator")))?;
    at.shut_out(&["refused.identity"], &identity)
}

fn no_certificate(at: &mut Outside) -> Result<Told> {
    let first = wire(FromAgent::Hello(hello("nobody")))?;
    at.attempt(&["refused.no_certificate"], async |this| this.dial(None).await?.try_open(first).await)
}

fn confirm_anonymous(at: &mut Outside) -> Result<Told> {
    at.attempt(&["refused.no_certificate"], async |this| this.dial(None).await?.try_confirm(confirm()?).await)
}

fn token_unknown(at: &mut Outside) -> Result<Told> {
    let token = format!("pointsman-enrol-{}", "ab".repeat(32));
    at.enrol("refused.token", NOBODY, &token, request()?)
}

fn token_reused(at: &mut Outside) -> Result<Told> {
    let token = at.stage.lab.token_for(NOBODY)?;
    let request = request()?;
    let question = EnrolQuestion {
        token: token.clone(),
        host: HostId::new(NOBODY).map_err(anyhow::Error::msg)?,
        csr_pem: request.clone(),
        system_uuid: String::new(),
    };
    let first = at.attempt(&[], async |this| {
        this.dial(None).await?.try_enrol(v1::EnrolRequest::from(question)).await
    })?;
    if first.refused.is_some() {
        bail!("the token was not even good once");
    }
    at.enrol("refused.token", NOBODY, &token, request)
}

fn token_of_another(at: &mut Outside) -> Result<Told> {
    let token = at.stage.lab.token_for(NOBODY)?;
    let victim = at.victim.clone();
    at.enrol("refused.token", &victim, &token, request()?)
}

fn broken_request(at: &mut Outside) -> Result<Told> {
    let token = at.stage.lab.token_for(NOBODY)?;
    // The last letters of the signature are others.
    let good = request()?;
    let middle = good.len() - 60;
    let swapped = if good[middle..].starts_with('A') { "B" } else { "A" };
    let bad = format!("{}{swapped}{}", &good[..middle], &good[middle + 1..]);
    at.enrol("refused.enrolment", NOBODY, &token, bad)
}

fn host_id_path(at: &mut Outside) -> Result<Told> {
    let token = at.stage.lab.token_for(NOBODY)?;
    at.enrol("refused.enrolment", "../../etc/passwd", &token, request()?)
}

fn no_hello(at: &mut Outside) -> Result<Told> {
    let report = at.signed(&outcome()?)?;
    at.begin("refused.message", report)
}

fn two_hellos(at: &mut Outside) -> Result<Told> {
    at.say("refused.message", |_| wire(FromAgent::Hello(hello("thief"))))
}

fn protocol(at: &mut Outside) -> Result<Told> {
    let newer = AgentHello { protocol_min: 800, protocol_max: 900, ..hello("thief") };
    at.begin("refused.protocol", wire(FromAgent::Hello(newer))?)
}

fn generation(at: &mut Outside) -> Result<Told> {
    let blocking = AgentHello { held_generation: Generation(u64::MAX), ..hello("thief") };
    at.begin("refused.message", wire(FromAgent::Hello(blocking))?)
}

fn empty_message(at: &mut Outside) -> Result<Told> {
    at.say("refused.message", |_| Ok(v1::AgentMessage { message: None }))
}

fn oversized(at: &mut Outside) -> Result<Told> {
    let network_json = vec![b' '; proto::MESSAGE_BYTES_MAX];
    let large = v1::Observation { content_hash: String::new(), network_json, esxcli_calls: 1 };
    at.say("refused.too_large", |_| Ok(v1::AgentMessage { message: Some(Message::Observation(large)) }))
}

fn drift_of_another(at: &mut Outside) -> Result<Told> {
    let first = at.stage.names.first().context("no host")?.clone();
    let report = DriftReport {
        host: HostId::new(first).map_err(anyhow::Error::msg)?,
        generation: Generation(1),
        first_seen: Wall(1),
        last_seen: Wall(1),
        differences: Vec::new(),
    };
    at.say("refused.message", |_| wire(FromAgent::Drift(Box::new(report))))
}

fn other_hash(at: &mut Outside) -> Result<Told> {
    let network_json = serde_json::to_vec(&serde_json::json!({ "taken_at": 1 }))?;
    let report = v1::Observation { content_hash: "00".to_owned(), network_json, esxcli_calls: 1 };
    at.say("refused.message", |_| Ok(v1::AgentMessage { message: Some(Message::Observation(report)) }))
}

impl Outside {
    /// An outcome with the victim's signature.
    fn signed(&self, outcome: &ApplyOutcome) -> Result<v1::AgentMessage> {
        let mut report = OutcomeReport::new(outcome.clone())?;
        report.receipt = self.stolen.receipt(&report.json)?;
        wire(FromAgent::Outcome(Box::new(report)))
    }
}

fn unsigned(at: &mut Outside) -> Result<Told> {
    at.say("refused.receipt", |_| wire(FromAgent::Outcome(Box::new(OutcomeReport::new(outcome()?)?))))
}

fn signed_by_another(at: &mut Outside) -> Result<Told> {
    let other = at.authority.issue(&Says::host(NOBODY))?;
    let mut report = OutcomeReport::new(outcome()?)?;
    report.receipt = other.receipt(&report.json)?;
    at.say("refused.receipt", |_| wire(FromAgent::Outcome(Box::new(report))))
}

fn changed(at: &mut Outside) -> Result<Told> {
    let refused = ApplyOutcome { kind: OutcomeKind::FailedMixed { reason: "broken".into() }, ..outcome()? };
    let receipt = at.stolen.receipt(&OutcomeReport::new(refused)?.json)?;
    let report = OutcomeReport { receipt, ..OutcomeReport::new(outcome()?)? };
    at.say("refused.receipt", |_| wire(FromAgent::Outcome(Box::new(report))))
}

fn unknown_fields(at: &mut Outside) -> Result<Told> {
    let mut json = serde_json::to_value(outcome()?)?;
    json["approved_by"] = "everybody".into();
    let outcome_json = serde_json::to_vec(&json)?;
    let receipt = at.stolen.receipt(&outcome_json)?;
    let message = Some(Message::Outcome(v1::Outcome { outcome_json, receipt }));
    at.say("refused.message", |_| Ok(v1::AgentMessage { message }))
}

/// Signed as it should be, but there was no such order: nothing of it is believed.
fn no_order(at: &mut Outside) -> Result<Told> {
    let message = at.signed(&outcome()?)?;
    at.attempt(&["refused.unknown_order"], async |this| {
        let mut line = this.dial(Some(&this.stolen)).await?;
        line.open(wire(FromAgent::Hello(hello("thief")))?).await?;
        line.say(message).await?;
        line.acknowledged().await?;
        Ok(Refused::Yes)
    })
}

fn confirm_over_stream(at: &mut Outside) -> Result<Told> {
    at.attempt(&["refused.confirmation"], async |this| {
        let mut line = this.dial(Some(&this.stolen)).await?;
        line.open(wire(FromAgent::Hello(hello("thief")))?).await?;
        line.try_confirm(confirm()?).await
    })
}

fn confirm_malformed(at: &mut Outside) -> Result<Told> {
    let request = v1::ConfirmRequest { change_id: "../..".into(), generation: 1, plan_digest: "00".into() };
    at.attempt(&["refused.confirmation"], async |this| {
        this.dial(Some(&this.stolen)).await?.try_confirm(request).await
    })
}

/// A second process with the identity of a host whose own agent runs and answers.
fn clone(at: &mut Outside) -> Result<Told> {
    let first = at.stage.names.first().context("no host")?.clone();
    let folder = at.stage.lab.root().join("agents").join(first);
    let twin = Identity::stolen(&folder.join("host.pem"), &folder.join("host.key"))?;
    at.attempt(&["host.duplicate_identity"], async |this| {
        let mut line = this.dial(Some(&twin)).await?;
        line.open_unanswered(wire(FromAgent::Hello(hello("twin")))?).await?;
        line.ended().await
    })
}

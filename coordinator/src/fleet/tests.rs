//! The agents' port over real TCP, TLS and gRPC: the good way, and everybody who should not get in.

mod identities;
mod limits;
mod rig;
mod standby;

use super::*;
use crate::trust::{Authority, HostChain};
use model::{ApplyOutcome, ApplyPhase, DriftReport, Generation, OutcomeKind, PlanDigest, ProbeVerdict, Wall};
use proto::convert::{
    ConfirmQuestion, EnrolAnswer, EnrolQuestion, EnrolReply, FromAgent, FromCoordinator, ObservationReport,
    OutcomeReport, PingReport,
};
use proto::v1;
use rig::*;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;

fn outcome() -> ApplyOutcome {
    ApplyOutcome {
        change: change(),
        generation: Generation(7),
        kind: OutcomeKind::Committed,
        steps_run: 3,
        esxcli_calls: 9,
        approval: None,
    }
}

fn confirm_request() -> v1::ConfirmRequest {
    let plan_digest = PlanDigest("ab".into());
    ConfirmQuestion { change: change(), generation: Generation(7), plan_digest }.into()
}

fn enrol_question(token: &str, name: &str, csr_pem: &str) -> EnrolQuestion {
    let system_uuid = String::new();
    EnrolQuestion { token: token.into(), host: host(name), csr_pem: csr_pem.into(), system_uuid }
}

fn settings() -> FleetSettings {
    FleetSettings::default()
}

#[tokio::test]
async fn a_host_enrols_takes_an_order_confirms_and_is_acknowledged() {
    let mut rig = Rig::start(settings()).await;
    let token = rig.token("esx01").await;
    let (key, csr_pem) = request();
    let mut anonymous = client(rig.address, &rig.authority, None).await.unwrap();
    let question = enrol_question(token.reveal(), "esx01", &csr_pem);
    let answer = within(anonymous.enrol(v1::EnrolRequest::from(question))).await.unwrap();
    let EnrolReply::Certified(answer) = answer.into_inner().try_into().unwrap() else { panic!() };
    let EnrolAnswer { certificate_pem, ca_pem, order_key } = answer;
    assert_eq!(order_key, Some(rig.order_key.public()), "the host learns who signs its orders");
    assert_eq!(ca_pem, rig.authority.root_pem());
    assert_eq!(rig.audited().await, ["host.enrolled"]);

    let identity = Identity::new(&certificate_pem, &key);
    let connection = client(rig.address, &rig.authority, Some(&identity)).await.unwrap();
    let mut agent = TestAgent::open(connection, "i-1").await.unwrap();
    let welcome = agent.next().await;
    assert_eq!(welcome, FromCoordinator::Welcome { protocol: 1, heartbeat: model::Millis(10_000) });
    let FleetEvent::Connected { host: connected, hello: said, .. } = rig.event().await else { panic!() };
    assert_eq!((connected, *said), (host("esx01"), hello("i-1")));
    assert!(rig.fleet.connected(&host("esx01")));

    rig.fleet.send_order(&host("esx01"), offered(order("esx01", 7))).unwrap();
    assert_eq!(agent.next().await, FromCoordinator::Order(Box::new(offered(order("esx01", 7)))));
    rig.fleet.observe_now(&host("esx01")).unwrap();
    assert_eq!(agent.next().await, FromCoordinator::ObserveNow);

    let refused = within(agent.client.confirm(confirm_request())).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "the stream's own connection proves nothing");
    let mut fresh = client(rig.address, &rig.authority, Some(&identity)).await.unwrap();
    let verdict = within(fresh.confirm(confirm_request())).await.unwrap().into_inner();
    assert_eq!(Verdict::try_from(verdict).unwrap(), Verdict::Confirmed);
    let asked = rig.confirm.asked.lock().unwrap().clone();
    assert!(
        matches!(asked.as_slice(), [one] if one.host == host("esx01") && one.generation == Generation(7))
    );

    agent.say(identity.outcome(outcome())).await;
    let FleetEvent::Outcome { host: from, outcome: told, receipt, ack } = rig.event().await else { panic!() };
    assert_eq!((from, *told), (host("esx01"), outcome()));
    assert_eq!(receipt.certificate, HostChain::new(&identity.chain).unwrap());
    assert_eq!((receipt.check_signature(), receipt.check_host(&host("esx01"))), (Ok(()), Ok(())));
    ack.ack();
    let acknowledged = FromCoordinator::OutcomeAck { change: change(), generation: Generation(7) };
    assert_eq!(agent.next().await, acknowledged);

    let report = ObservationReport::new(observed(), 12).unwrap();
    agent.say(FromAgent::Observation(Box::new(report.clone()))).await;
    let FleetEvent::Observation { hash, calls: 12, ack, .. } = rig.event().await else { panic!() };
    ack.ack();
    assert_eq!(agent.next().await, FromCoordinator::ObservationAck { hash });
    drop(agent);
    assert!(matches!(rig.event().await, FleetEvent::Disconnected { .. }));
    assert!(!rig.fleet.connected(&host("esx01")));
}

#[tokio::test]
async fn heartbeats_show_in_the_snapshot() {
    let mut rig = Rig::start(settings()).await;
    let agent = rig.agent("esx01", "i-1").await;
    agent.beat(1).await;
    let live = within(async {
        loop {
            match rig.fleet.snapshot().as_slice() {
                [live] if live.drift => return live.clone(),
                _ => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    assert_eq!(live.host, host("esx01"));
    assert_eq!((live.committed_generation, live.held_generation), (Generation(5), Generation(5)));
    assert_eq!((live.phase, live.rss_bytes), (ApplyPhase::Verifying, 3_700_000));
    assert_eq!(live.agent_version, "0.1.0-test");
    assert!(live.last_seen >= live.connected_since && live.remote.ip().is_loopback());
}

#[tokio::test]
async fn orders_for_absent_hosts_and_too_large_ones_are_refused() {
    let mut rig = Rig::start(settings()).await;
    let absent = rig.fleet.send_order(&host("esx01"), offered(order("esx01", 1)));
    assert_eq!(absent, Err(SendOrderError::NotConnected));
    let _agent = rig.agent("esx01", "i-1").await;
    let large = OfferedOrder { order_json: vec![b' '; proto::DOCUMENT_BYTES_MAX + 1], proof: None };
    let large = rig.fleet.send_order(&host("esx01"), large);
    assert!(matches!(large, Err(SendOrderError::NotSendable { .. })));
}

#[tokio::test]
async fn verdicts_travel_and_indecision_is_retryable() {
    let withdrawn = Verdict::Withdrawn { reason: "rollout aborted".into() };
    let rig = Rig::start_with(settings(), Ok(withdrawn.clone())).await;
    let verdict = within(rig.dial("esx01").await.confirm(confirm_request())).await.unwrap();
    assert_eq!(Verdict::try_from(verdict.into_inner()).unwrap(), withdrawn);
    let rig = Rig::start_with(settings(), Err(Undecided("database is locked".into()))).await;
    let status = within(rig.dial("esx01").await.confirm(confirm_request())).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
}

#[tokio::test]
async fn without_a_certificate_only_enrolment_is_open() {
    let mut rig = Rig::start(settings()).await;
    let mut anonymous = client(rig.address, &rig.authority, None).await.unwrap();
    let status = within(anonymous.confirm(confirm_request())).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    let status = TestAgent::open(anonymous, "i-1").await.err().unwrap();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert!(rig.confirm.asked.lock().unwrap().is_empty());
    for call in ["Confirm: ", "Session: "] {
        let Refusal { kind, host, remote: _, detail } = rig.refusal().await;
        assert_eq!((kind, host), (RefusalKind::NoCertificate, None));
        assert!(detail.starts_with(call), "{detail}");
    }
}

#[tokio::test]
async fn an_outcome_counts_only_with_the_signature_of_its_host() {
    let mut rig = Rig::start(settings()).await;
    let stolen = Identity::signed_by(&rig.authority, "esx02", wall_now());
    let unsigned = FromAgent::Outcome(Box::new(OutcomeReport::new(outcome()).unwrap()));
    for bad in [unsigned, stolen.outcome(outcome())] {
        let mut agent = rig.agent("esx01", "i-1").await;
        agent.say(bad).await;
        assert_eq!(agent.end().await.unwrap().code(), Code::InvalidArgument);
        let refusal = rig.refusal().await;
        assert_eq!((refusal.kind, refusal.host), (RefusalKind::Receipt, Some(host("esx01"))));
    }
    rig.agent("esx01", "i-1").await;
}

#[tokio::test]
async fn tls_below_1_3_is_refused() {
    let mut rig = Rig::start(settings()).await;
    let stream = TcpStream::connect(rig.address).await.unwrap();
    // A hello of TLS 1.2, as a client that cannot do better sends it.
    let mut stream = stream;
    stream.write_all(&client_hello_1_2()).await.unwrap();
    let answer = read_to_the_end(stream).await;
    // Alert, fatal, protocol_version.
    assert_eq!((answer.first(), answer.get(5..7)), (Some(&21), Some(&[2, 70][..])), "{answer:?}");
    assert_eq!(rig.refusal().await.kind, RefusalKind::Handshake);
}

/// The smallest hello of a client that speaks TLS 1.2 only: it offers no other version.
fn client_hello_1_2() -> Vec<u8> {
    let extensions: [u8; 22] = [
        0, 10, 0, 4, 0, 2, 0, 23, // groups: P-256
        0, 13, 0, 4, 0, 2, 4, 3, // signatures: ECDSA P-256
        0, 11, 0, 2, 1, 0, // points: uncompressed
    ];
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0xc0, 0x2b, 1, 0, 0, 22]);
    body.extend(extensions);
    let length = u8::try_from(body.len()).unwrap();
    let mut hello = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    hello.extend(body);
    hello
}

#[tokio::test]
async fn foreign_and_expired_certificates_do_not_get_in() {
    let mut rig = Rig::start(settings()).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let foreign = Authority::create(elsewhere.path(), "pointsman.test", wall_now()).unwrap();
    let long_ago = Wall(wall_now().0 - 100 * 24 * 60 * 60 * 1000);
    for identity in [
        Identity::signed_by(&foreign, "esx01", wall_now()),
        Identity::signed_by(&rig.authority, "esx01", long_ago),
    ] {
        // The client's side of the handshake ends first: the refusal comes with the first use.
        let refused = match client(rig.address, &rig.authority, Some(&identity)).await {
            Ok(mut client) => within(client.confirm(confirm_request())).await.is_err(),
            Err(_) => true,
        };
        assert!(refused);
    }
    assert!(client(rig.address, &foreign, None).await.is_err(), "a host does not take a foreign coordinator");
    assert!(rig.confirm.asked.lock().unwrap().is_empty());
    rig.agent("esx01", "i-1").await;
}

#[tokio::test]
async fn a_token_works_once_and_only_for_its_host() {
    let rig = Rig::start(settings()).await;
    let (_, csr_pem) = request();
    let mut client = client(rig.address, &rig.authority, None).await.unwrap();
    let mut enrol = async |token: &str, name: &str, csr_pem: &str| {
        let question = enrol_question(token, name, csr_pem);
        within(client.enrol(v1::EnrolRequest::from(question)))
            .await
            .map(|_| ())
            .map_err(|status| status.code())
    };
    let token = rig.token("esx01").await;
    assert_eq!(enrol(token.reveal(), "esx01", "no request").await, Err(Code::InvalidArgument));
    assert_eq!(enrol(token.reveal(), "esx01", &csr_pem).await, Ok(()), "a bad request costs no token");
    assert_eq!(enrol(token.reveal(), "esx01", &csr_pem).await, Err(Code::Unauthenticated));
    let token = rig.token("esx01").await;
    assert_eq!(enrol(token.reveal(), "esx02", &csr_pem).await, Err(Code::Unauthenticated));
    assert_eq!(enrol(token.reveal(), "esx01", &csr_pem).await, Err(Code::Unauthenticated));
    assert_eq!(enrol("", "esx01", &csr_pem).await, Err(Code::Unauthenticated));
}

/// A connection that begins a handshake and goes no further.
async fn slow_handshake(rig: &Rig) -> TcpStream {
    let mut stream = TcpStream::connect(rig.address).await.unwrap();
    stream.write_all(&[22, 3, 1]).await.unwrap();
    stream
}

/// Reads until the connection ends, with or without an error.
async fn read_to_the_end(mut stream: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut rest = Vec::new();
    let _ = within(stream.read_to_end(&mut rest)).await;
    rest
}

#[tokio::test]
async fn garbage_on_the_port_is_dropped() {
    let mut rig = Rig::start(settings()).await;
    let mut garbage = TcpStream::connect(rig.address).await.unwrap();
    garbage.write_all(b"GET / HTTP/1.1\r\nHost: coordinator\r\n\r\n").await.unwrap();
    let answer = read_to_the_end(garbage).await;
    assert!(answer.len() < 64, "more than a TLS alert: {answer:?}");
    rig.agent("esx01", "i-1").await;
}

#[tokio::test]
async fn slow_handshakes_do_not_hold_others_up() {
    let handshake_timeout = Duration::from_secs(3600);
    let handshakes_per_source_max = settings().handshakes_max;
    let limits = FleetSettings { handshake_timeout, handshakes_per_source_max, ..settings() };
    let mut rig = Rig::start(limits).await;
    let mut slow = Vec::new();
    for _ in 0..settings().handshakes_max - 1 {
        slow.push(slow_handshake(&rig).await);
    }
    rig.agent("esx01", "i-1").await;
}

#[tokio::test]
async fn a_slow_handshake_is_cut() {
    let handshake_timeout = Duration::from_millis(100);
    let rig = Rig::start(FleetSettings { handshake_timeout, handshakes_max: 1, ..settings() }).await;
    let first = slow_handshake(&rig).await;
    let second = slow_handshake(&rig).await;
    read_to_the_end(first).await;
    read_to_the_end(second).await;
}

#[tokio::test]
async fn an_anonymous_connection_does_not_stay() {
    let anonymous_max = Duration::from_millis(100);
    let rig = Rig::start(FleetSettings { anonymous_max, ..settings() }).await;
    read_to_the_end(within(tls(rig.address, &rig.authority, None)).await.unwrap()).await;
}

#[tokio::test]
async fn an_oversized_message_ends_the_stream() {
    let mut rig = Rig::start(settings()).await;
    let mut agent = rig.agent("esx01", "i-1").await;
    let network_json = vec![b' '; proto::MESSAGE_BYTES_MAX];
    let large = v1::Observation { content_hash: String::new(), network_json, esxcli_calls: 1 };
    let message = Some(v1::agent_message::Message::Observation(large));
    within(agent.outgoing.send(v1::AgentMessage { message })).await.unwrap();
    assert_eq!(agent.end().await.unwrap().code(), Code::ResourceExhausted);
    assert!(matches!(rig.event().await, FleetEvent::Disconnected { .. }));
}

#[tokio::test]
async fn wrong_messages_end_the_stream_with_a_reason() {
    let mut rig = Rig::start(settings()).await;
    let first = FromAgent::Outcome(Box::new(OutcomeReport::new(outcome()).unwrap()));
    let mut agent = TestAgent::open_with(rig.dial("esx01").await, first).await.unwrap();
    assert_eq!(agent.end().await.unwrap().code(), Code::InvalidArgument);

    let newer = FromAgent::Hello(AgentHello { protocol_min: 8, protocol_max: 9, ..hello("i-1") });
    let mut agent = TestAgent::open_with(rig.dial("esx01").await, newer).await.unwrap();
    assert_eq!(agent.end().await.unwrap().code(), Code::FailedPrecondition);

    let mut agent = rig.agent("esx01", "i-1").await;
    let about_another = DriftReport {
        host: host("esx02"),
        generation: Generation(1),
        first_seen: Wall(1),
        last_seen: Wall(1),
        differences: vec![],
    };
    agent.say(FromAgent::Drift(Box::new(about_another))).await;
    let status = agent.end().await.unwrap();
    assert!(status.message().contains("esx02"), "{status}");
    assert!(matches!(rig.event().await, FleetEvent::Disconnected { .. }));
}

#[tokio::test]
async fn silence_ends_a_stream() {
    let heartbeat = Duration::from_millis(40);
    let mut rig = Rig::start(FleetSettings { heartbeat, ..settings() }).await;
    let mut agent = rig.agent("esx01", "i-1").await;
    let FleetEvent::Disconnected { reason, .. } = rig.event().await else { panic!() };
    assert!(reason.contains("said nothing"), "{reason}");
    assert!(agent.end().await.is_some());
}

#[tokio::test]
async fn an_agent_that_does_not_read_is_busy_then_cut() {
    let mut rig = Rig::start(settings()).await;
    let agent = rig.agent("esx01", "i-1").await;
    agent.say(FromAgent::Observation(Box::new(ObservationReport::new(observed(), 12).unwrap()))).await;
    let FleetEvent::Observation { ack, .. } = rig.event().await else { panic!() };
    let mut large = order("esx01", 7);
    large.commit = "x".repeat(50_000);
    let large = offered(large);
    // The window of the connection fills up, then the queue, and both stay full.
    let busy = within(async {
        let mut full_rounds = 0;
        while full_rounds < 20 {
            match rig.fleet.send_order(&host("esx01"), large.clone()) {
                Ok(()) => full_rounds = 0,
                Err(SendOrderError::Busy) => full_rounds += 1,
                Err(error) => return error,
            }
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
        }
        SendOrderError::Busy
    })
    .await;
    assert_eq!(busy, SendOrderError::Busy);
    ack.ack();
    let FleetEvent::Disconnected { reason, .. } = rig.event().await else { panic!() };
    assert!(reason.contains("does not read"), "{reason}");
}

#[tokio::test]
async fn a_second_agent_is_refused_while_the_first_answers() {
    let mut rig = Rig::start(settings()).await;
    let mut holder = rig.agent("esx01", "i-1").await;
    let mut second = TestAgent::open(rig.dial("esx01").await, "i-2").await.unwrap();
    assert_eq!(holder.next().await, FromCoordinator::AreYouThere);
    holder.beat(1).await;
    let status = second.end().await.unwrap();
    assert_eq!(status.code(), Code::AlreadyExists);
    assert!(status.message().contains("stop one of the two"), "{status}");
    assert!(
        matches!(rig.event().await, FleetEvent::DuplicateIdentity { host, .. } if host.as_str() == "esx01")
    );
    rig.fleet.send_order(&host("esx01"), offered(order("esx01", 7))).unwrap();
    assert!(matches!(holder.next().await, FromCoordinator::Order(_)), "the first agent keeps its stream");
}

#[tokio::test]
async fn a_second_agent_takes_over_from_a_silent_one() {
    let rival_wait = Duration::from_millis(100);
    let mut rig = Rig::start(FleetSettings { rival_wait, ..settings() }).await;
    let mut silent = rig.agent("esx01", "i-1").await;
    let mut second = rig.agent("esx01", "i-2").await;
    assert!(silent.end().await.is_some());
    rig.fleet.observe_now(&host("esx01")).unwrap();
    assert_eq!(second.next().await, FromCoordinator::ObserveNow);
    drop(second);
    let event = rig.event().await;
    assert!(
        matches!(event, FleetEvent::Disconnected { .. }),
        "one end only, of the second stream: {event:?}"
    );
}

#[tokio::test]
async fn the_same_agent_replaces_its_own_stream_at_once() {
    let rival_wait = Duration::from_secs(3600);
    let mut rig = Rig::start(FleetSettings { rival_wait, ..settings() }).await;
    let mut old = rig.agent("esx01", "i-1").await;
    let mut new = rig.agent("esx01", "i-1").await;
    assert!(old.end().await.is_some());
    rig.fleet.observe_now(&host("esx01")).unwrap();
    assert_eq!(new.next().await, FromCoordinator::ObserveNow);
    assert_eq!(rig.fleet.snapshot().len(), 1);
}

#[tokio::test]
async fn a_shutdown_says_goodbye_first() {
    let shutdown_grace = Duration::from_secs(15);
    let mut rig = Rig::start(FleetSettings { shutdown_grace, ..settings() }).await;
    let mut agent = rig.agent("esx01", "i-1").await;
    let Rig { server, address, .. } = rig;
    let farewell = async {
        assert_eq!(agent.next().await, FromCoordinator::Goodbye { spread: model::Millis(30_000) });
        assert!(agent.end().await.is_none());
    };
    let started = std::time::Instant::now();
    within(async { tokio::join!(server.shutdown(), farewell) }).await;
    assert!(started.elapsed() < shutdown_grace, "an agent that keeps its connection delays nothing");
    assert!(TcpStream::connect(address).await.is_err(), "the port is closed");
}

fn peer_ping() -> PeerPing {
    PeerPing {
        vmk: model::VmkName::new("vmk1").unwrap(),
        netstack: model::NetstackName::default_stack(),
        target: "10.20.1.1".parse().unwrap(),
        size: Some(8972),
        count: 2,
    }
}

#[tokio::test]
async fn a_ping_is_answered_by_the_host_that_was_asked_only() {
    let mut rig = Rig::start(settings()).await;
    let mut asked = rig.agent("esx01", "i-1").await;
    let other = rig.agent("esx02", "i-2").await;
    let fleet = rig.fleet.clone();
    let waiting =
        tokio::spawn(async move { fleet.ping(&host("esx01"), peer_ping(), Duration::from_secs(60)).await });
    let FromCoordinator::Ping(question) = asked.next().await else { panic!("no ping was asked for") };
    assert_eq!((question.size, question.count), (Some(8972), 2));
    let report = |verdict| FromAgent::Ping(PingReport { request: question.request, verdict });
    other.say(report(ProbeVerdict::Pass)).await;
    // The heartbeat shows that the message before it was read.
    let before = rig.fleet.snapshot();
    other.beat(1).await;
    within(async {
        while rig.fleet.snapshot().iter().map(|live| live.phase).eq(before.iter().map(|live| live.phase)) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!waiting.is_finished(), "another host cannot vouch in its place");
    asked.say(report(ProbeVerdict::Fail { detail: "0 of 2".into() })).await;
    asked.say(report(ProbeVerdict::Pass)).await;
    assert_eq!(within(waiting).await.unwrap(), ProbeVerdict::Fail { detail: "0 of 2".into() });
}

#[tokio::test]
async fn a_ping_without_an_answer_is_unknown() {
    let mut rig = Rig::start(settings()).await;
    let unknown = |verdict: ProbeVerdict| match verdict {
        ProbeVerdict::Unknown { detail } => detail,
        other => panic!("{other}"),
    };
    let esx01 = host("esx01");
    let gone = rig.fleet.ping(&esx01, peer_ping(), Duration::from_secs(60));
    assert!(unknown(within(gone).await).contains("not connected"));
    let mut silent = rig.agent("esx01", "i-1").await;
    let late = rig.fleet.ping(&esx01, peer_ping(), Duration::from_millis(20));
    assert!(unknown(within(late).await).contains("no answer"));
    assert!(matches!(silent.next().await, FromCoordinator::Ping(_)));
}

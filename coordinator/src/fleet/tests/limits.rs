//! Limits of the agents' port: one address, one host, or a storm of enrolments cannot take it from others.

use super::*;
use tokio::net::TcpSocket;

#[tokio::test]
async fn one_address_cannot_take_all_handshakes() {
    let handshake_timeout = Duration::from_secs(3600);
    let limits = FleetSettings {
        handshake_timeout,
        handshakes_max: 3,
        handshakes_per_source_max: 2,
        arrivals_per_source_max: 3,
        ..settings()
    };
    let rig = Rig::start(limits).await;
    let identity = rig.identity("esx01").await;
    let mut slow = Vec::new();
    for _ in 0..3 {
        slow.push(slow_handshake(&rig).await);
    }
    // Another address of this machine gets in although three others are at the door.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let tcp = within(socket.connect(rig.address)).await.unwrap();
    let config = std::sync::Arc::new(client_config(&rig.authority, Some(&identity)));
    within(tls_over(tcp, rig.address, config)).await.unwrap();
    // A fourth one of the first address is dropped.
    read_to_the_end(slow_handshake(&rig).await).await;
}

#[tokio::test]
async fn strangers_cannot_take_all_connections() {
    let limits = FleetSettings { anonymous_connections_max: 1, ..settings() };
    let mut rig = Rig::start(limits).await;
    let first = client(rig.address, &rig.authority, None).await.unwrap();
    // The handshake of a second one ends before it is dropped.
    let mut second = within(tls(rig.address, &rig.authority, None)).await.unwrap();
    let _ = second.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(read_to_the_end(second).await.is_empty());
    rig.agent("esx01", "i-1").await;
    drop(first);
}

#[tokio::test]
async fn a_storm_of_enrolments_is_held_off() {
    let limits = FleetSettings { enrolments_per_sec: 1, enrolments_burst: 2, ..settings() };
    let mut rig = Rig::start(limits).await;
    let (_, csr_pem) = request();
    let mut anonymous = client(rig.address, &rig.authority, None).await.unwrap();
    let mut codes = Vec::new();
    for _ in 0..6 {
        let question = enrol_question("no-token", "esx01", &csr_pem);
        codes.push(within(anonymous.enrol(v1::EnrolRequest::from(question))).await.unwrap_err().code());
    }
    assert!(codes.starts_with(&[Code::Unauthenticated; 2]), "{codes:?}");
    assert!(codes.contains(&Code::ResourceExhausted), "{codes:?}");
    rig.agent("esx02", "i-1").await;
}

#[tokio::test]
async fn a_stranger_cannot_send_much() {
    let mut rig = Rig::start(settings()).await;
    let mut anonymous = client(rig.address, &rig.authority, None).await.unwrap();
    let csr_pem = "x".repeat(proto::PEM_BYTES_MAX * 2);
    let request = v1::EnrolRequest { host_id: "esx01".into(), csr_pem, ..Default::default() };
    assert!(within(anonymous.enrol(request)).await.is_err());
    let refusal = rig.refusal().await;
    assert_eq!((refusal.kind, refusal.host), (RefusalKind::TooLarge, None));
    let text = v1::ConfirmRequest { change_id: "x".repeat(proto::PEM_BYTES_MAX * 2), ..Default::default() };
    assert!(within(rig.dial("esx01").await.confirm(text)).await.is_err());
    let refusal = rig.refusal().await;
    assert_eq!((refusal.kind, refusal.host), (RefusalKind::TooLarge, Some(host("esx01"))));
    let question = enrol_question("no-token", "esx01", &request_pem());
    let status = within(anonymous.enrol(v1::EnrolRequest::from(question))).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "the connection still works");
}

fn request_pem() -> String {
    request().1
}

#[tokio::test]
async fn a_host_that_floods_is_cut_with_a_reason() {
    let limits = FleetSettings { messages_per_sec: 1, messages_burst: 10, ..settings() };
    let mut rig = Rig::start(limits).await;
    let mut flooding = rig.agent("esx01", "i-1").await;
    let quiet = rig.agent("esx02", "i-2").await;
    for sequence in 0..10 {
        flooding.beat(sequence).await;
    }
    quiet.beat(1).await;
    flooding.beat(11).await;
    flooding.beat(12).await;
    let status = flooding.end().await.unwrap();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("messages a second"), "{status}");
    let FleetEvent::Disconnected { host: cut, .. } = rig.event().await else { panic!() };
    assert_eq!(cut, host("esx01"));
    assert!(rig.fleet.connected(&host("esx02")));
}

#[tokio::test]
async fn large_messages_count_more() {
    let limits = FleetSettings { messages_per_sec: 1, messages_burst: 7, ..settings() };
    let mut rig = Rig::start(limits).await;
    let mut agent = rig.agent("esx01", "i-1").await;
    let mut large = observed();
    large.facts.hostname = "h".repeat(200 * 1024);
    let report = ObservationReport::new(large, 1).unwrap();
    agent.say(FromAgent::Observation(Box::new(report.clone()))).await;
    assert!(matches!(rig.event().await, FleetEvent::Observation { .. }), "one is within the limit");
    agent.say(FromAgent::Observation(Box::new(report))).await;
    assert_eq!(agent.end().await.unwrap().code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn a_message_that_waits_too_long_ends_the_stream() {
    let limits = FleetSettings { write_timeout: Duration::from_millis(200), ..settings() };
    let mut rig = Rig::start(limits).await;
    let agent = rig.agent("esx01", "i-1").await;
    let mut large = order("esx01", 7);
    large.commit = "x".repeat(50_000);
    // The window of the connection fills up; one more stays in the queue. The agent says it lives, and reads nothing.
    for _ in 0..6 {
        let _ = rig.fleet.send_order(&host("esx01"), offered(large.clone()));
        tokio::task::yield_now().await;
    }
    agent.beat(1).await;
    let FleetEvent::Disconnected { reason, .. } = rig.event().await else { panic!() };
    assert!(reason.contains("does not read"), "{reason}");
}

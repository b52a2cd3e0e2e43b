//! Identities over the wire: approval, renewal, recovery, copies, revocation. The answers are the real ones, on SQLite.

use super::*;
use crate::store::hosts::HostStatus;
use crate::store::identities::{self, RequestStatus};
use crate::store::tokens::NewToken;
use crate::tasks::identities::operator::{Decider, Verb, act, approve, deny};
use crate::tasks::identities::{SWEEP_EVERY, watch};
use crate::trust::{peer_of_chain, usable_uuid};
use model::KeyFingerprint;
use proto::convert::{RecoverQuestion, RecoverReply};
use proto::v1::agent_client::AgentClient;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use tonic::Status;
use tonic::transport::Channel;

const UUID_ONE: &str = "4c4c4544-0044-3510-8052-b4c04f4e4d32";
const UUID_TWO: &str = "5c4c4544-0044-3510-8052-b4c04f4e4d32";
const BY: Decider<'static> = Decider { actor: "user:ann", reason: "a test" };

async fn anonymous(rig: &Rig) -> AgentClient<Channel> {
    client(rig.address, &rig.authority, None).await.unwrap()
}

async fn enrol(rig: &Rig, question: EnrolQuestion) -> Result<EnrolReply, Status> {
    let answer = within(anonymous(rig).await.enrol(v1::EnrolRequest::from(question))).await?;
    Ok(answer.into_inner().try_into().unwrap())
}

async fn status_of(rig: &Rig, name: &str) -> HostStatus {
    identities::get(&rig.db, &host(name)).await.unwrap().unwrap().status
}

fn request_named(common_name: &str, key: &KeyPair) -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.serialize_request(key).unwrap().pem().unwrap()
}

/// A host that enrolled with a token of its own: its key and its identity.
async fn enrolled(rig: &Rig, name: &str, uuid: &str) -> (KeyPair, Identity) {
    let (key, csr_pem) = request();
    let token = rig.token(name).await;
    let question =
        EnrolQuestion { system_uuid: uuid.into(), ..enrol_question(token.reveal(), name, &csr_pem) };
    let EnrolReply::Certified(answer) = enrol(rig, question).await.unwrap() else { panic!("not let in") };
    let identity = Identity::new(&answer.certificate_pem, &key);
    (key, identity)
}

#[tokio::test]
async fn a_key_waits_for_an_operator_and_then_gets_its_certificate() {
    let mut rig = Rig::start(settings()).await;
    let token = rig.token_like(token_for("esx01")).await;
    let (key, csr_pem) = request();
    let question = || enrol_question(token.reveal(), "esx01", &csr_pem);
    let EnrolReply::Pending { fingerprint, .. } = enrol(&rig, question()).await.unwrap() else { panic!() };
    let shown: KeyFingerprint = fingerprint.parse().unwrap();
    assert!(matches!(enrol(&rig, question()).await, Ok(EnrolReply::Pending { .. })), "still waiting");
    assert_eq!(identities::get(&rig.db, &host("esx01")).await.unwrap(), None, "nobody yet");
    // Somebody with the token and another key is not the one who waits, and the token is dead.
    let (_, other) = request();
    let stolen = enrol(&rig, enrol_question(token.reveal(), "esx01", &other)).await;
    assert_eq!(stolen.unwrap_err().code(), Code::Unauthenticated);

    let wrong = KeyFingerprint::from_digest(&[1; 32]);
    assert!(approve(&rig.db, &host("esx01"), Some(&wrong), BY).await.is_err(), "another key was compared");
    assert_eq!(approve(&rig.db, &host("esx01"), Some(&shown), BY).await.unwrap(), shown);
    assert!(approve(&rig.db, &host("esx01"), None, BY).await.is_err(), "once is enough");
    let EnrolReply::Certified(answer) = enrol(&rig, question()).await.unwrap() else { panic!() };
    let identity = Identity::new(&answer.certificate_pem, &key);
    assert_eq!(peer_of_chain(&identity.chain, "pointsman.test").unwrap().key, shown);
    assert!(TestAgent::open(rig.dial_as(&identity).await, "i-1").await.is_ok());
    let again = enrol(&rig, question()).await;
    assert_eq!(again.unwrap_err().code(), Code::Unauthenticated, "the token is dead");
    for _ in 0..2 {
        let refusal = rig.refusal().await;
        assert_eq!((refusal.kind, refusal.host), (RefusalKind::Token, Some(host("esx01"))));
    }
    assert_eq!(rig.audited().await, ["host.enrolled", "host.approved", "host.enrolment_requested"]);
}

#[tokio::test]
async fn a_denied_key_and_one_that_nobody_looked_at_do_not_get_in() {
    let rig = Rig::start(settings()).await;
    let token = rig.token_like(token_for("esx01")).await;
    let (_, csr_pem) = request();
    let question = || enrol_question(token.reveal(), "esx01", &csr_pem);
    assert!(matches!(enrol(&rig, question()).await, Ok(EnrolReply::Pending { .. })));
    deny(&rig.db, &host("esx01"), BY).await.unwrap();
    assert_eq!(enrol(&rig, question()).await.unwrap_err().code(), Code::PermissionDenied);
    let request = identities::request(&rig.db, &host("esx01")).await.unwrap().unwrap();
    assert_eq!(request.status, RequestStatus::Denied);
    assert!(approve(&rig.db, &host("esx01"), None, BY).await.is_err());
}

#[tokio::test]
async fn a_token_for_a_machine_is_good_on_that_machine_only() {
    let rig = Rig::start(settings()).await;
    let bound = || NewToken {
        host: None,
        system_uuid: usable_uuid(UUID_ONE),
        needs_approval: false,
        ..token_for("any")
    };
    let (_, csr_pem) = request();
    let ask = async |token: &str, uuid: &str| {
        let question = EnrolQuestion { system_uuid: uuid.into(), ..enrol_question(token, "esx01", &csr_pem) };
        enrol(&rig, question).await.map(|_| ()).map_err(|status| status.code())
    };
    let token = rig.token_like(bound()).await;
    assert_eq!(ask(token.reveal(), UUID_TWO).await, Err(Code::Unauthenticated));
    let token = rig.token_like(bound()).await;
    assert_eq!(ask(token.reveal(), UUID_ONE).await, Ok(()));
    // One machine is one host: under another name it does not get in before the first is revoked.
    let second = async || {
        let token = rig.token("esx02").await;
        let question = EnrolQuestion {
            system_uuid: UUID_ONE.into(),
            ..enrol_question(token.reveal(), "esx02", &csr_pem)
        };
        enrol(&rig, question).await.map(|_| ()).map_err(|status| status.code())
    };
    assert_eq!(second().await, Err(Code::Unauthenticated));
    act(&rig.db, &host("esx01"), Verb::Revoke, BY).await.unwrap();
    assert_eq!(second().await, Ok(()));
}

#[tokio::test]
async fn a_certificate_is_renewed_for_its_own_key_while_the_stream_stands() {
    let mut rig = Rig::start(settings()).await;
    let (key, identity) = enrolled(&rig, "esx01", UUID_ONE).await;
    let mut agent = TestAgent::open(rig.dial_as(&identity).await, "i-1").await.unwrap();
    assert!(matches!(agent.next().await, FromCoordinator::Welcome { .. }));
    let mut calling = rig.dial_as(&identity).await;
    let renew = v1::RenewRequest { csr_pem: request_named("ignored", &key) };
    let renewed = within(calling.renew(renew)).await.unwrap().into_inner().certificate_pem;
    let renewed = Identity::new(&renewed, &key);
    let (old, new) = (&identity.chain, &renewed.chain);
    let serial = |chain: &[_]| peer_of_chain(chain, "pointsman.test").unwrap().serial;
    assert_ne!(serial(old), serial(new));
    assert!(rig.dial_as(&renewed).await.confirm(confirm_request()).await.is_ok());
    rig.fleet.observe_now(&host("esx01")).unwrap();
    assert_eq!(agent.next().await, FromCoordinator::ObserveNow, "the stream was left alone");
    let (_, other_key) = request();
    let refused = within(calling.renew(v1::RenewRequest { csr_pem: other_key })).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "a new key needs a new enrolment");
    let stored = identities::get(&rig.db, &host("esx01")).await.unwrap().unwrap();
    assert!(stored.certificate_expires.is_some());
    assert!(matches!(rig.event().await, FleetEvent::Connected { .. }));
}

/// One recovery; the answer is signed over `challenge` when that is given, else over the one that was asked for.
async fn recover(
    rig: &Rig,
    key: &KeyPair,
    (count, id, uuid): (u64, &str, &str),
    challenge: Option<&str>,
) -> Result<u64, Status> {
    let question = RecoverQuestion {
        host: host("esx01"),
        csr_pem: None,
        join_count: count,
        join_id: id.into(),
        system_uuid: uuid.into(),
    };
    let mut client = anonymous(rig).await;
    let first = within(client.recover(v1::RecoverRequest::from(question.clone()))).await?.into_inner();
    let RecoverReply::Challenge(asked) = RecoverReply::try_from(first).unwrap() else { panic!() };
    let csr_pem = Some(request_named(challenge.unwrap_or(&asked), key));
    let question = RecoverQuestion { csr_pem, ..question };
    let second = within(client.recover(v1::RecoverRequest::from(question.clone()))).await?.into_inner();
    let RecoverReply::Certified { certificate_pem, join_count } = RecoverReply::try_from(second).unwrap()
    else {
        panic!()
    };
    let identity = Identity::new(&certificate_pem, key);
    assert!(rig.dial_as(&identity).await.confirm(confirm_request()).await.is_ok());
    let replayed = within(client.recover(v1::RecoverRequest::from(question))).await;
    assert_eq!(replayed.unwrap_err().code(), Code::Unauthenticated, "a challenge is good once");
    Ok(join_count)
}

#[tokio::test]
async fn a_host_recovers_by_its_key_and_a_copy_of_it_is_noticed() {
    let rig = Rig::start(settings()).await;
    let (key, _) = enrolled(&rig, "esx01", UUID_ONE).await;
    assert_eq!(recover(&rig, &key, (0, "r0", UUID_ONE), None).await.unwrap(), 1);
    assert_eq!(recover(&rig, &key, (0, "r0", UUID_ONE), None).await.unwrap(), 1, "the answer was lost");
    assert_eq!(recover(&rig, &key, (1, "r1", ""), None).await.unwrap(), 2);

    let code = |result: Result<u64, Status>| result.unwrap_err().code();
    let (other, _) = request();
    assert_eq!(code(recover(&rig, &other, (2, "r2", UUID_ONE), None).await), Code::Unauthenticated);
    let foreign = recover(&rig, &key, (2, "r2", UUID_ONE), Some("another challenge")).await;
    assert_eq!(code(foreign), Code::Unauthenticated);
    assert_eq!(status_of(&rig, "esx01").await, HostStatus::Enrolled, "strangers quarantine nobody");

    // A copy that was made after the first recovery.
    let copy = recover(&rig, &key, (1, "copy", UUID_ONE), None).await.unwrap_err();
    assert_eq!(copy.code(), Code::PermissionDenied);
    assert!(copy.message().contains("copy"), "{copy}");
    assert_eq!(status_of(&rig, "esx01").await, HostStatus::Quarantined);
    assert_eq!(code(recover(&rig, &key, (2, "r2", UUID_ONE), None).await), Code::PermissionDenied);
    assert!(rig.audited().await.contains(&"host.quarantined".to_owned()));
    act(&rig.db, &host("esx01"), Verb::Release, BY).await.unwrap();
    assert_eq!(recover(&rig, &key, (2, "r2", UUID_ONE), None).await.unwrap(), 3);
}

#[tokio::test]
async fn a_host_on_another_machine_is_quarantined() {
    let mut rig = Rig::start(settings()).await;
    let (key, identity) = enrolled(&rig, "esx01", UUID_ONE).await;
    let moved = AgentHello { system_uuid: UUID_TWO.into(), ..hello("i-1") };
    let client = rig.dial_as(&identity).await;
    let mut agent = TestAgent::open_with(client, FromAgent::Hello(moved.clone())).await.unwrap();
    let status = agent.end().await.unwrap();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert!(status.message().contains(UUID_TWO), "{status}");
    assert_eq!(status_of(&rig, "esx01").await, HostStatus::Quarantined);
    let refused = TestAgent::open(rig.dial_as(&identity).await, "i-2").await.err().unwrap();
    assert_eq!(refused.code(), Code::PermissionDenied, "also on its old machine");
    assert!(recover(&rig, &key, (0, "r0", UUID_TWO), None).await.is_err());
    // Its mainboard was replaced: an operator says so.
    act(&rig.db, &host("esx01"), Verb::Release, BY).await.unwrap();
    let client = rig.dial_as(&identity).await;
    let mut agent = TestAgent::open_with(client, FromAgent::Hello(moved)).await.unwrap();
    assert!(matches!(agent.next().await, FromCoordinator::Welcome { .. }));
    assert!(matches!(rig.event().await, FleetEvent::Connected { .. }));
}

#[tokio::test]
async fn of_two_hosts_on_one_machine_the_second_is_quarantined() {
    let mut rig = Rig::start(settings()).await;
    enrolled(&rig, "esx01", UUID_ONE).await;
    let mut agent = rig.agent("esx02", "i-2").await;
    // It tells its machine with its first reading only.
    let mut network = observed();
    network.facts.uuid = UUID_ONE.to_uppercase();
    agent.say(FromAgent::Observation(Box::new(ObservationReport::new(network, 7).unwrap()))).await;
    let status = agent.end().await.unwrap();
    assert!(status.message().contains("esx01"), "{status}");
    assert_eq!(status_of(&rig, "esx02").await, HostStatus::Quarantined);
    assert_eq!(status_of(&rig, "esx01").await, HostStatus::Enrolled);
    assert!(matches!(rig.event().await, FleetEvent::Disconnected { .. }), "the reading was not taken");
}

#[tokio::test]
async fn a_revoked_host_loses_its_stream_in_time_and_every_call() {
    let mut rig = Rig::start(settings()).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let watching = tokio::spawn(watch(rig.db.clone(), rig.fleet.clone(), stopped));
    let mut bystander = rig.agent("esx02", "i-2").await;
    let (key, identity) = enrolled(&rig, "esx01", UUID_ONE).await;
    let mut agent = TestAgent::open(rig.dial_as(&identity).await, "i-1").await.unwrap();
    assert!(matches!(agent.next().await, FromCoordinator::Welcome { .. }));
    let mut standing = rig.dial_as(&identity).await;
    assert!(within(standing.confirm(confirm_request())).await.is_ok());

    // Made before: not its way back.
    let left_over = rig.token("esx01").await;
    let began = std::time::Instant::now();
    act(&rig.db, &host("esx01"), Verb::Revoke, BY).await.unwrap();
    assert_eq!(agent.end().await.unwrap().code(), Code::PermissionDenied);
    let taken = began.elapsed();
    println!("the stream ended {} ms after the revocation", taken.as_millis());
    assert!(taken < Duration::from_secs(5), "{taken:?}");
    assert!(SWEEP_EVERY < Duration::from_secs(4));
    // A connection that stood before, one of its own, renewal, recovery.
    let code = |status: Status| status.code();
    assert_eq!(code(within(standing.confirm(confirm_request())).await.unwrap_err()), Code::PermissionDenied);
    let opened = TestAgent::open(rig.dial_as(&identity).await, "i-1").await;
    assert_eq!(code(opened.err().unwrap()), Code::PermissionDenied);
    let renew = v1::RenewRequest { csr_pem: request_named("x", &key) };
    let renewed = within(rig.dial_as(&identity).await.renew(renew)).await;
    assert_eq!(code(renewed.unwrap_err()), Code::PermissionDenied);
    assert_eq!(
        code(recover(&rig, &key, (0, "r0", UUID_ONE), None).await.unwrap_err()),
        Code::PermissionDenied
    );
    rig.fleet.observe_now(&host("esx02")).unwrap();
    assert_eq!(bystander.next().await, FromCoordinator::ObserveNow, "others keep their streams");

    let old = enrol(&rig, enrol_question(left_over.reveal(), "esx01", &request().1)).await;
    assert_eq!(code(old.unwrap_err()), Code::Unauthenticated, "its tokens died with it");

    // Enrolled again it has another key: the old certificate stays worthless.
    let (_, anew) = enrolled(&rig, "esx01", UUID_ONE).await;
    let opened = TestAgent::open(rig.dial_as(&identity).await, "i-1").await;
    assert_eq!(code(opened.err().unwrap()), Code::PermissionDenied);
    assert!(TestAgent::open(rig.dial_as(&anew).await, "i-1").await.is_ok());
    stop.send_replace(true);
    within(watching).await.unwrap();
}

#[tokio::test]
async fn no_ticket_of_an_earlier_connection_gets_anybody_in() {
    let rig = Rig::start(settings()).await;
    let (_, identity) = enrolled(&rig, "esx01", UUID_ONE).await;
    // One configuration for both connections: it keeps whatever ticket it is given.
    let config = std::sync::Arc::new(client_config(&rig.authority, Some(&identity)));
    for _ in 0..2 {
        let mut stream = within(tls_with(rig.address, std::sync::Arc::clone(&config))).await.unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        let mut byte = [0];
        within(stream.read_exact(&mut byte)).await.unwrap();
        let (_, session) = stream.get_ref();
        assert_eq!(session.handshake_kind(), Some(rustls::HandshakeKind::Full));
        assert_eq!(session.tls13_tickets_received(), 0);
    }
}

#[tokio::test]
async fn a_host_that_the_database_forgot_is_let_in_by_an_operator_only() {
    let mut rig = Rig::start(settings()).await;
    let identity = Identity::signed_by(&rig.authority, "esx07", wall_now());
    let refused = TestAgent::open(rig.dial_as(&identity).await, "i-1").await.err().unwrap();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().contains("host approve esx07"), "{refused}");
    approve(&rig.db, &host("esx07"), None, BY).await.unwrap();
    let mut agent = TestAgent::open(rig.dial_as(&identity).await, "i-1").await.unwrap();
    assert!(matches!(agent.next().await, FromCoordinator::Welcome { .. }));
    assert!(matches!(rig.event().await, FleetEvent::Connected { .. }));
}

#[tokio::test]
async fn a_stream_ends_politely_with_the_certificate_it_was_opened_with() {
    let rig = Rig::start(settings()).await;
    let authority = rig.reopened_authority().with_host_certificate_life(Duration::from_secs(2));
    let identity = Identity::signed_by(&authority, "esx01", wall_now());
    rig.bind("esx01", &identity).await;
    let mut standing = rig.dial_as(&identity).await;
    let mut agent = TestAgent::open(rig.dial_as(&identity).await, "i-1").await.unwrap();
    assert!(matches!(agent.next().await, FromCoordinator::Welcome { .. }));
    assert!(matches!(agent.next().await, FromCoordinator::Goodbye { .. }));
    assert!(agent.end().await.is_none());
    let late = within(standing.confirm(confirm_request())).await.unwrap_err();
    assert_eq!(late.code(), Code::Unauthenticated, "a connection does not outlive its certificate");
}

//! Round trips of every message, limits, and what is refused.

use super::*;
use crate::{DOCUMENT_BYTES_MAX, agree_protocol, v1};
use model::{
    ApplyOutcome, ApproverRotation, BootId, ChangeId, DriftReport, Generation, HostFacts, HostId, Known,
    Millis, ObservedNetwork, Order, OutcomeKind, PlanDigest, RefusalReason, ReleaseProof, Sha256Hash, Wall,
};
use std::collections::BTreeMap;

fn change_id() -> ChangeId {
    ChangeId::new("0190c2a4-0000-7000-8000-000000000001").unwrap()
}

fn order() -> Order {
    Order {
        host: HostId::new("esx01").unwrap(),
        change: change_id(),
        generation: Generation(7),
        commit: "c0ffee".into(),
        desired: serde_json::from_str(r#"{"port_groups":{"old":{"absent":true}}}"#).unwrap(),
        plan_digest: PlanDigest("ab12".into()),
        disruption_allowed: model::Disruption::LinkBounce,
        confirm_timeout: Millis::from_secs(60),
        probes: model::ProbePlan { probes: vec!["mgmt-gateway".into()], need: None },
    }
}

fn observed(taken_at: u64) -> ObservedNetwork {
    ObservedNetwork {
        taken_at: Wall(taken_at),
        facts: HostFacts { hostname: "esx01".into(), ..HostFacts::default() },
        management_vmk: Known::Read(None),
        vswitches: Known::Read(BTreeMap::new()),
        port_groups: Known::unreadable("esxcli timed out"),
        vmkernels: Known::Read(BTreeMap::new()),
        nics: Known::Read(BTreeMap::new()),
        netstacks: Known::Read(BTreeMap::new()),
        vms: Known::Read(vec![]),
        dvs: Known::Read(vec![]),
    }
}

fn hello() -> AgentHello {
    AgentHello {
        protocol_min: 1,
        protocol_max: 2,
        agent_version: "0.1.0".into(),
        boot_id: BootId("boot-1".into()),
        instance_id: "i-1".into(),
        held_generation: Generation(9),
        committed_generation: Generation(8),
        open_change: Some(change_id()),
        phase: ApplyPhase::AwaitingConfirm,
        system_uuid: "4c4c4544-0044-3510-8052-b4c04f4e4d32".into(),
        approver_set_version: 3,
        approval_mode: model::ApprovalMode::Warn,
    }
}

#[track_caller]
fn outcome() -> OutcomeReport {
    let outcome = ApplyOutcome {
        change: change_id(),
        generation: Generation(9),
        kind: OutcomeKind::Refused(RefusalReason::OlderGeneration { held: Generation(10) }),
        steps_run: 0,
        esxcli_calls: 4,
        approval: None,
    };
    OutcomeReport::new(outcome).unwrap()
}

fn agent_round_trip(message: FromAgent) {
    let wire = v1::AgentMessage::try_from(message.clone()).unwrap();
    assert_eq!(FromAgent::try_from(wire).unwrap(), message);
}

#[track_caller]
fn coordinator_round_trip(message: FromCoordinator) {
    let wire = v1::CoordinatorMessage::try_from(message.clone()).unwrap();
    assert_eq!(FromCoordinator::try_from(wire).unwrap(), message);
}

#[test]
fn every_agent_message_survives_the_wire() {
    agent_round_trip(FromAgent::Hello(hello()));
    agent_round_trip(FromAgent::Hello(AgentHello { open_change: None, ..hello() }));
    agent_round_trip(FromAgent::Heartbeat(HeartbeatReport {
        sequence: 3,
        phase: ApplyPhase::Idle,
        committed_generation: Generation(8),
        drift: true,
        observation_hash: "ff".into(),
        rss_bytes: 3_700_000,
    }));
    agent_round_trip(FromAgent::Observation(Box::new(ObservationReport::new(observed(5), 31).unwrap())));
    agent_round_trip(FromAgent::Progress(StepProgress {
        change: change_id(),
        generation: Generation(9),
        phase: ApplyPhase::Applying,
        step: 2,
        steps_total: 5,
    }));
    agent_round_trip(FromAgent::Outcome(Box::new(OutcomeReport { receipt: vec![1, 2, 3], ..outcome() })));
    agent_round_trip(FromAgent::Drift(Box::new(DriftReport {
        host: HostId::new("esx01").unwrap(),
        generation: Generation(8),
        first_seen: Wall(1),
        last_seen: Wall(2),
        differences: vec![],
    })));
    for verdict in [
        model::ProbeVerdict::Pass,
        model::ProbeVerdict::Fail { detail: "0 of 2 packets answered".into() },
        model::ProbeVerdict::Unknown { detail: "busy".into() },
    ] {
        agent_round_trip(FromAgent::Ping(PingReport { request: 7, verdict }));
    }
    for refused in [None, Some("it is older".to_owned())] {
        agent_round_trip(FromAgent::ApproverSetAck(SetAck { version: 3, refused }));
    }
}

fn proof() -> ReleaseProof {
    ReleaseProof {
        manifest: b"{}".to_vec(),
        signatures: vec![b"SSHSIG-1".to_vec(), b"SSHSIG-2".to_vec()],
        parent: Generation(6),
        wave: 1,
        leaf_index: 5,
        path: vec![Sha256Hash([1; 32]), Sha256Hash([2; 32])],
        coordinator_signature: vec![3; 64],
    }
}

#[test]
fn a_proof_is_taken_within_bounds_only() {
    type Spoil = fn(&mut v1::Proof);
    let table: [(Spoil, &str); 6] = [
        (|wire| wire.manifest = vec![b' '; 4097], "`manifest` has 4097 bytes"),
        (|wire| wire.signatures = vec![vec![]; 17], "`signatures` is 17"),
        (|wire| wire.signatures = vec![vec![0; 2049]], "`signatures` has 2049 bytes"),
        (|wire| wire.path = vec![0; 33 * 32], "`path` has 1056 bytes"),
        (|wire| wire.path = vec![0; 33], "no row of hashes"),
        (|wire| wire.coordinator_signature = vec![0; 65], "`coordinator_signature` has 65 bytes"),
    ];
    for (spoil, told) in table {
        let mut wire = v1::Proof::try_from(proof()).unwrap();
        spoil(&mut wire);
        let offer = v1::OrderOffer { order_json: b"{}".to_vec(), proof: Some(wire) };
        let error = OfferedOrder::try_from(offer).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
    let long = ReleaseProof { signatures: vec![vec![0; 2049]], ..proof() };
    assert!(v1::Proof::try_from(long).is_err(), "what the other side would refuse is not sent");
    let wire = v1::EnrolResponse { order_key: vec![0; 31], ..v1::EnrolResponse::default() };
    assert!(EnrolReply::try_from(wire).unwrap_err().to_string().contains("order_key"));
    let mut wire = v1::Hello::from(hello());
    wire.approval_mode = "trust".into();
    assert!(AgentHello::try_from(wire).unwrap_err().to_string().contains("no mode of approval"));
}

fn ping(size: Option<u16>) -> PingQuestion {
    PingQuestion {
        request: 7,
        vmk: model::VmkName::new("vmk1").unwrap(),
        netstack: model::NetstackName::new("vmotion").unwrap(),
        target: "10.20.1.1".parse().unwrap(),
        size,
        count: 2,
    }
}

#[test]
fn a_ping_is_asked_for_within_bounds_only() {
    type Spoil = fn(&mut v1::PingRequest);
    let table: [(Spoil, &str); 6] = [
        (|wire| wire.count = 0, "`count` is 0"),
        (|wire| wire.count = 1000, "`count` is 1000"),
        (|wire| wire.size = 70_000, "`size` is 70000"),
        (|wire| wire.target = "fe80::1".into(), "no IPv4 address"),
        (|wire| wire.vmk = "eth0; reboot".into(), "no adapter name"),
        (|wire| wire.netstack = "n".repeat(5000), "`netstack` has 5000 bytes"),
    ];
    for (spoil, told) in table {
        let mut wire = v1::PingRequest::from(ping(Some(8972)));
        spoil(&mut wire);
        let error = PingQuestion::try_from(wire).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
    let wire = v1::PingResult { request_id: 1, verdict: "fine".into(), detail: String::new() };
    assert!(PingReport::try_from(wire).is_err());
    let detail = "ä".repeat(5000);
    let long = PingReport { request: 1, verdict: model::ProbeVerdict::Fail { detail } };
    assert!(PingReport::try_from(v1::PingResult::from(long)).is_ok(), "cut to what is allowed");
}

#[test]
fn every_coordinator_message_survives_the_wire() {
    coordinator_round_trip(FromCoordinator::Welcome { protocol: 1, heartbeat: Millis(10_000) });
    let change = ChangeId::new("rfc-7").unwrap();
    coordinator_round_trip(FromCoordinator::Extend { change, window: Millis::from_secs(600) });
    let unproven = OfferedOrder::without_proof(&order()).unwrap();
    coordinator_round_trip(FromCoordinator::Order(Box::new(unproven.clone())));
    coordinator_round_trip(FromCoordinator::Order(Box::new(OfferedOrder {
        proof: Some(proof()),
        ..unproven
    })));
    coordinator_round_trip(FromCoordinator::ApproverSet(Box::new(ApproverRotation {
        set: "{\"version\":2}".into(),
        signatures: vec!["-----BEGIN SSH SIGNATURE-----".into()],
    })));
    coordinator_round_trip(FromCoordinator::OutcomeAck { change: change_id(), generation: Generation(9) });
    coordinator_round_trip(FromCoordinator::ObservationAck { hash: "ab".into() });
    coordinator_round_trip(FromCoordinator::ObserveNow);
    coordinator_round_trip(FromCoordinator::Goodbye { spread: Millis(30_000) });
    coordinator_round_trip(FromCoordinator::AreYouThere);
    coordinator_round_trip(FromCoordinator::Ping(ping(None)));
    coordinator_round_trip(FromCoordinator::Ping(ping(Some(8972))));
}

#[test]
fn calls_beside_the_stream_survive_the_wire() {
    let question = ConfirmQuestion {
        change: change_id(),
        generation: Generation(2),
        plan_digest: PlanDigest("d".into()),
    };
    assert_eq!(ConfirmQuestion::try_from(v1::ConfirmRequest::from(question.clone())).unwrap(), question);
    for verdict in [Verdict::Confirmed, Verdict::Withdrawn { reason: "rollout aborted".into() }] {
        assert_eq!(Verdict::try_from(v1::ConfirmResponse::from(verdict.clone())).unwrap(), verdict);
    }
    let long = Verdict::Withdrawn { reason: "ä".repeat(5000) };
    assert!(Verdict::try_from(v1::ConfirmResponse::from(long)).is_ok());
}

#[test]
fn phases_on_the_wire_are_the_words_of_the_json() {
    for (phase, word) in PHASES {
        assert_eq!(phase_to_text(phase), word);
        assert_eq!(phase_from_text(word).unwrap(), phase);
        assert_eq!(serde_json::to_value(phase).unwrap(), serde_json::json!(word));
    }
    let error = phase_from_text(&"x".repeat(1000)).unwrap_err();
    assert!(error.to_string().len() < 200, "{error}");
}

#[test]
fn the_hash_of_an_observation_ignores_its_time_only() {
    let hash = content_hash(&observed(1)).unwrap();
    assert_eq!(hash.len(), 64);
    assert_eq!(hash, content_hash(&observed(2)).unwrap());
    let other = ObservedNetwork { vms: Known::unreadable("no answer"), ..observed(1) };
    assert_ne!(hash, content_hash(&other).unwrap());
}

#[test]
fn what_is_signed_of_an_outcome_is_what_travels() {
    let report = outcome();
    let wire = v1::Outcome::from(&report);
    assert_eq!(
        crate::receipt_message(&wire.outcome_json),
        [&b"pointsman-receipt-v1\0"[..], &report.json].concat()
    );
    let long = v1::Outcome { receipt: vec![0; crate::RECEIPT_BYTES_MAX + 1], ..wire };
    assert!(matches!(OutcomeReport::try_from(long), Err(WireError::TooLarge { field: "receipt", .. })));
}

#[test]
fn an_altered_observation_is_refused() {
    let mut wire = v1::Observation::try_from(&ObservationReport::new(observed(1), 1).unwrap()).unwrap();
    wire.network_json =
        serde_json::to_vec(&ObservedNetwork { vms: Known::unreadable("altered"), ..observed(1) }).unwrap();
    assert!(matches!(ObservationReport::try_from(wire), Err(WireError::HashDiffers { .. })));
}

#[test]
fn orders_have_a_size_limit_both_ways() {
    let mut large = order();
    large.commit = "x".repeat(DOCUMENT_BYTES_MAX);
    assert!(matches!(order_to_bytes(&large), Err(WireError::TooLarge { field: "order_json", .. })));
    let bytes = vec![b' '; DOCUMENT_BYTES_MAX + 1];
    let offer = v1::OrderOffer { order_json: bytes.clone(), proof: None };
    assert!(matches!(OfferedOrder::try_from(offer), Err(WireError::TooLarge { .. })));
    assert!(matches!(order_from_bytes(&bytes), Err(WireError::TooLarge { .. })));
}

#[test]
fn malformed_orders_name_field_and_place() {
    let mut json = serde_json::to_value(order()).unwrap();
    json["surplus"] = serde_json::json!(1);
    let error = order_from_bytes(&serde_json::to_vec(&json).unwrap()).unwrap_err().to_string();
    assert!(error.contains("order_json") && error.contains("surplus"), "{error}");
    let mut bytes = order_to_bytes(&order()).unwrap();
    bytes.extend_from_slice(b"{}");
    assert!(matches!(order_from_bytes(&bytes), Err(WireError::Malformed { .. })));
    assert!(matches!(order_from_bytes(b"\xff\xfe"), Err(WireError::Malformed { .. })));
}

#[test]
fn empty_messages_and_bad_ids_are_refused_by_name() {
    let empty = v1::AgentMessage { message: None };
    assert!(matches!(FromAgent::try_from(empty), Err(WireError::Missing { field: "message" })));
    let mut wire = v1::Hello::from(hello());
    wire.open_change_id = "../../etc".into();
    assert!(matches!(AgentHello::try_from(wire), Err(WireError::Id { field: "open_change_id", .. })));
    let mut wire = v1::Hello::from(hello());
    wire.agent_version = "v".repeat(5000);
    assert!(matches!(AgentHello::try_from(wire), Err(WireError::TooLarge { field: "agent_version", .. })));
    let mut wire = v1::Hello::from(hello());
    wire.instance_id.clear();
    assert!(matches!(AgentHello::try_from(wire), Err(WireError::Missing { field: "instance_id" })));
}

#[test]
fn protocol_ranges_meet_or_not() {
    assert_eq!(agree_protocol(1, 1), Some(1));
    assert_eq!(agree_protocol(1, 9), Some(1));
    assert_eq!(agree_protocol(2, 9), None);
    assert_eq!(agree_protocol(0, 0), None);
}

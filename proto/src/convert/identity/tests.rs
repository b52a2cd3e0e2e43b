//! The calls of identities survive the wire, and what is too large does not.

use super::*;

fn host() -> HostId {
    HostId::new("esx01").unwrap()
}

#[test]
fn enrolment_survives_the_wire_and_hides_its_token() {
    let question = EnrolQuestion {
        token: "secret".into(),
        host: host(),
        csr_pem: "-----BEGIN".into(),
        system_uuid: "4c4c4544-0044-3510-8052-b4c04f4e4d32".into(),
    };
    let wire = v1::EnrolRequest::from(question.clone());
    assert!(EnrolQuestion::try_from(wire).unwrap() == question);
    assert!(!format!("{question:?}").contains("secret"));
    let certified =
        |order_key| EnrolAnswer { certificate_pem: "leaf".into(), ca_pem: "ca".into(), order_key };
    let pending = EnrolReply::Pending { fingerprint: "ab".into(), retry: Duration::from_secs(5) };
    let signing = EnrolReply::Certified(certified(Some([7; ORDER_KEY_BYTES])));
    for reply in [EnrolReply::Certified(certified(None)), signing, pending] {
        assert_eq!(EnrolReply::try_from(v1::EnrolResponse::from(reply.clone())).unwrap(), reply);
    }
}

#[test]
fn no_coordinator_makes_a_host_wait_for_ever() {
    let pending = Some(v1::EnrolPending { fingerprint: "ab".into(), retry_ms: u32::MAX });
    let reply = EnrolReply::try_from(v1::EnrolResponse { pending, ..Default::default() }).unwrap();
    assert!(matches!(reply, EnrolReply::Pending { retry, .. } if retry == RETRY_MAX));
}

#[test]
fn recovery_survives_the_wire() {
    for csr_pem in [None, Some("-----BEGIN".to_owned())] {
        let question = RecoverQuestion {
            host: host(),
            csr_pem,
            join_count: 7,
            join_id: "r".into(),
            system_uuid: String::new(),
        };
        assert_eq!(RecoverQuestion::try_from(v1::RecoverRequest::from(question.clone())).unwrap(), question);
    }
    let certified = RecoverReply::Certified { certificate_pem: "leaf".into(), join_count: 8 };
    for reply in [RecoverReply::Challenge("nonce".into()), certified] {
        assert_eq!(RecoverReply::try_from(v1::RecoverResponse::from(reply.clone())).unwrap(), reply);
    }
    assert!(
        RecoverReply::try_from(v1::RecoverResponse::default()).is_err(),
        "neither challenge nor certificate"
    );
}

#[test]
fn what_is_too_large_or_nameless_is_refused() {
    let large = "x".repeat(PEM_BYTES_MAX + 1);
    assert!(renewal_from_wire(v1::RenewRequest { csr_pem: large.clone() }).is_err());
    assert!(renewed_from_wire(v1::RenewResponse { certificate_pem: large.clone() }).is_err());
    let enrol = v1::EnrolRequest { host_id: "esx01".into(), csr_pem: large.clone(), ..Default::default() };
    assert!(EnrolQuestion::try_from(enrol).is_err());
    let nameless = v1::RecoverRequest { csr_pem: "-----BEGIN".into(), ..Default::default() };
    assert!(RecoverQuestion::try_from(nameless).is_err());
}

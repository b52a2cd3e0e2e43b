//! Offers as they come: all are answered, none is read before it was verified.

use super::*;
use proto::v1::coordinator_message::Message;

fn offer(change: impl FnOnce(&mut v1::OrderOffer)) -> Result<Box<OfferedOrder>, UnreadableOrder> {
    let mut offer = v1::OrderOffer {
        order_json: br#"{"change":"c1","generation":3,"not":"an order"}"#.to_vec(),
        proof: Some(v1::Proof { manifest: b"{}".to_vec(), ..v1::Proof::default() }),
    };
    change(&mut offer);
    let message = v1::CoordinatorMessage { message: Some(Message::Order(offer)) };
    match understand(message).unwrap() {
        LinkEvent::Order(result) => result,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_offer_is_passed_on_unread() {
    let offered = offer(|_| {}).unwrap();
    assert_eq!(offered.proof.unwrap().manifest, b"{}");
    assert!(offered.order_json.starts_with(b"{\"change\""));
}

#[test]
fn an_offer_over_a_limit_is_refused_by_name() {
    let kind = |error: UnreadableOrder| {
        let outcome = error.refusal().unwrap();
        assert_eq!((outcome.change.as_str(), outcome.generation.0), ("c1", 3));
        outcome.kind
    };
    let large = |wire: &mut v1::OrderOffer| wire.proof.as_mut().unwrap().manifest = vec![b' '; 5000];
    let model::OutcomeKind::Refused(RefusalReason::Unproven(unproven)) = kind(offer(large).unwrap_err())
    else {
        panic!();
    };
    assert_eq!(unproven.kind, UnprovenKind::ProofTooLarge);
    let torn = |wire: &mut v1::OrderOffer| wire.proof.as_mut().unwrap().path = vec![0; 33];
    assert!(matches!(
        kind(offer(torn).unwrap_err()),
        model::OutcomeKind::Refused(RefusalReason::Malformed { .. })
    ));
    let long = |wire: &mut v1::OrderOffer| wire.order_json = vec![b' '; proto::DOCUMENT_BYTES_MAX + 1];
    assert_eq!(offer(long).unwrap_err().refusal(), None, "it names nothing that could be answered");
}

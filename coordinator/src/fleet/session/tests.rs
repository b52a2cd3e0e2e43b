//! What a broken stream was broken by.

use super::super::refusal::RefusalKind;
use super::*;

#[test]
fn a_flood_of_frames_is_no_large_message() {
    let kind = |status: Status| broken(&status).refusal();
    assert_eq!(kind(Status::out_of_range("too large")), Some(RefusalKind::TooLarge));
    assert_eq!(kind(Status::resource_exhausted("calm")), Some(RefusalKind::Flooding));
    assert_eq!(kind(Status::internal("not protobuf")), Some(RefusalKind::Message));
    assert_eq!(kind(Status::unknown("the connection is gone")), None);
}

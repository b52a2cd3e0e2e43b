//! When a certificate is renewed, and when it is recovered.

use super::*;

const KEPT: Kept = Kept { from: 1_000, until: 2_000, renew_at: 1_550 };

#[test]
fn a_certificate_is_renewed_from_half_of_its_life_and_recovered_after_it() {
    assert_eq!(KEPT.step(1_000, 0), Step::Wait(LOOK_MAX));
    assert_eq!(KEPT.step(1_549, 0), Step::Wait(Duration::from_secs(1)));
    assert_eq!(KEPT.step(1_550, 0), Step::Renew);
    assert_eq!(KEPT.step(1_999, RENEWALS_TRIED - 1), Step::Renew);
    assert_eq!(KEPT.step(1_999, RENEWALS_TRIED), Step::Recover, "this host's clock may be wrong");
    assert_eq!(KEPT.step(2_000, 0), Step::Recover);
}

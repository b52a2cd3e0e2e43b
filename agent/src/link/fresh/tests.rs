//! Which certificates may replace the kept one.

use super::*;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, date_time_ymd,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use std::time::Duration;

/// The day all these certificates begin.
const BEGIN_SECS: u64 = 1_798_761_600;
const DAY_SECS: u64 = 24 * 60 * 60;

struct Authority {
    root: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

fn dates(params: &mut CertificateParams, days: u64) {
    let begin = date_time_ymd(1970, 1, 1) + Duration::from_secs(BEGIN_SECS);
    (params.not_before, params.not_after) = (begin, begin + Duration::from_secs(days * DAY_SECS));
}

fn authority() -> Authority {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    dates(&mut params, 3650);
    let root = params.self_signed(&key).unwrap().der().clone();
    Authority { issuer: Issuer::from_ca_cert_der(&root, key).unwrap(), root }
}

fn certificate(of: &Authority, key: &KeyPair, usage: ExtendedKeyUsagePurpose, days: u64) -> String {
    let mut params = CertificateParams::default();
    params.extended_key_usages = vec![usage];
    dates(&mut params, days);
    params.signed_by(key, &of.issuer).unwrap().pem()
}

fn checked(of: &Authority, key: &KeyPair, pem: &str, day: u64) -> Result<(), NotFresh> {
    let der = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let at = UnixTime::since_unix_epoch(Duration::from_secs(BEGIN_SECS + day * DAY_SECS + 1));
    check(pem, der, vec![of.root.clone()], at)
}

#[test]
fn only_a_certificate_that_would_be_accepted_is_taken() {
    let (ours, theirs, key) = (authority(), authority(), KeyPair::generate().unwrap());
    let client = || ExtendedKeyUsagePurpose::ClientAuth;
    let good = certificate(&ours, &key, client(), 1);
    assert_eq!(checked(&ours, &key, &good, 0), Ok(()));
    assert!(matches!(checked(&ours, &key, &good, 2), Err(NotFresh::Authority(_))), "it has ended");
    let foreign = certificate(&theirs, &key, client(), 1);
    assert!(matches!(checked(&ours, &key, &foreign, 0), Err(NotFresh::Authority(_))));
    let server = certificate(&ours, &key, ExtendedKeyUsagePurpose::ServerAuth, 1);
    assert!(matches!(checked(&ours, &key, &server, 0), Err(NotFresh::Authority(_))));
    let other = certificate(&ours, &KeyPair::generate().unwrap(), client(), 1);
    assert_eq!(checked(&ours, &key, &other, 0), Err(NotFresh::OtherKey));
    let month = certificate(&ours, &key, client(), 31);
    assert_eq!(checked(&ours, &key, &month, 0), Ok(()));
    let years = certificate(&ours, &key, client(), 3650);
    assert_eq!(checked(&ours, &key, &years, 0), Err(NotFresh::Life { secs: 3650 * DAY_SECS }));
    for text in ["", "certificate", &good[..good.len() / 2]] {
        assert_eq!(checked(&ours, &key, text, 0), Err(NotFresh::Unreadable));
    }
}

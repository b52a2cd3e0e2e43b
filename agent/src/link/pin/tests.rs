//! What a token pins, and that only it is trusted.

use super::*;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

struct Authority {
    root: CertificateDer<'static>,
    leaf: CertificateDer<'static>,
}

fn authority() -> Authority {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&key).unwrap().der().clone();
    let issuer = Issuer::from_ca_cert_der(&root, key).unwrap();
    let own = KeyPair::generate().unwrap();
    let leaf =
        CertificateParams::new(vec!["pointsman".to_owned()]).unwrap().signed_by(&own, &issuer).unwrap();
    Authority { leaf: leaf.der().clone(), root }
}

fn fingerprint(certificate: &[u8]) -> String {
    Sha256::digest(certificate).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn verify(pinned: &str, leaf: &CertificateDer<'_>, shown: &[CertificateDer<'_>]) -> bool {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let name = ServerName::try_from("pointsman").unwrap();
    Pinned { fingerprint: pinned.to_owned(), provider }
        .verify_server_cert(leaf, shown, &name, &[], UnixTime::now())
        .is_ok()
}

#[test]
fn a_token_ends_with_the_fingerprint() {
    let digits = "0a".repeat(32);
    assert_eq!(of_token(&format!(" pointsman-enrol-11-{digits}\n")), Some(digits.as_str()));
    for text in [
        "",
        "token",
        "not-a-token",
        &digits,
        &format!("-{digits}"),
        &format!("a-{digits}x"),
        &format!("a-{}", "g".repeat(64)),
    ] {
        assert_eq!(of_token(text), None, "{text}");
    }
}

#[test]
fn only_a_chain_that_ends_at_the_pinned_certificate_is_trusted() {
    let (ours, other) = (authority(), authority());
    let pinned = fingerprint(&ours.root);
    assert!(verify(&pinned, &ours.leaf, std::slice::from_ref(&ours.root)));
    assert!(verify(&pinned.to_uppercase(), &ours.leaf, std::slice::from_ref(&ours.root)));
    assert!(!verify(&pinned, &ours.leaf, &[]), "the coordinator must show it");
    assert!(!verify(&pinned, &other.leaf, std::slice::from_ref(&other.root)), "another authority");
    // The root is public: showing it beside a foreign chain gains nothing.
    assert!(!verify(&pinned, &other.leaf, &[other.root.clone(), ours.root.clone()]));
    assert!(
        !verify(&fingerprint(&ours.leaf), &ours.leaf, std::slice::from_ref(&ours.root)),
        "a leaf is no authority"
    );
}

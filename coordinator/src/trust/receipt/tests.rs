//! A receipt fits one outcome, one key, one host, one authority.

use super::super::Authority;
use super::*;
use model::Wall;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};

use super::super::memory::NOW;

fn host(name: &str) -> HostId {
    HostId::new(name).unwrap()
}

fn authority() -> Authority {
    Authority::create(tempfile::tempdir().unwrap().path(), "pointsman.test", NOW).unwrap()
}

fn receipt(authority: &Authority, name: &str, key: &KeyPair) -> Receipt {
    super::super::memory::receipt(authority, &host(name), key, br#"{"change":"c1"}"#)
}

#[test]
fn every_kind_of_key_that_we_certify_signs() {
    let authority = authority();
    for kind in [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
        let good = receipt(&authority, "esx01", &KeyPair::generate_for(kind).unwrap());
        assert_eq!(good.check_signature(), Ok(()));
        assert_eq!(good.check_host(&host("esx01")), Ok(()));
        assert!(good.signature.len() <= proto::RECEIPT_BYTES_MAX);
        assert_eq!(Receipt::try_from(&Evidence::from(&good)).unwrap(), good);
    }
}

#[test]
fn what_does_not_fit_is_refused_by_its_word() {
    let authority = authority();
    let good = receipt(&authority, "esx01", &KeyPair::generate().unwrap());
    let other = receipt(&authority, "esx02", &KeyPair::generate().unwrap());
    let word = |receipt: &Receipt| receipt.check_signature().unwrap_err().as_str();
    let changed = Receipt { outcome_json: br#"{"change":"c2"}"#.to_vec(), ..good.clone() };
    assert_eq!(word(&changed), "receipt_signature");
    assert_eq!(
        word(&Receipt { certificate: other.certificate.clone(), ..good.clone() }),
        "receipt_signature"
    );
    assert_eq!(word(&Receipt { signature: vec![], ..good.clone() }), "receipt_missing");
    assert_eq!(word(&Receipt { certificate: HostChain::leaf(b"no"), ..good.clone() }), "receipt_certificate");
    assert!(matches!(other.check_host(&host("esx01")), Err(ReceiptError::OtherHost { .. })));
}

#[test]
fn an_auditor_trusts_the_authority_that_is_named_in_its_time_only() {
    let (ours, theirs) = (authority(), authority());
    let good = receipt(&ours, "esx01", &KeyPair::generate().unwrap());
    let trusted = TrustedAuthorities::new(std::slice::from_ref(ours.root_der())).unwrap();
    assert_eq!(trusted.check(&good, NOW), Ok(()));
    // Hosts' certificates live for a day: one that was good when it arrived is good for auditors ever after.
    let day = 24 * 60 * 60 * 1000;
    let at = |millis: u64| trusted.check(&good, Wall(NOW.0 + millis));
    assert_eq!(at(day - 1000), Ok(()), "it arrived in the certificate's last second");
    assert_eq!(at(day + STORED_WITHIN.0 - 1000), Ok(()), "and was written down later");
    assert!(matches!(at(day + STORED_WITHIN.0 + 1000), Err(ReceiptError::Authority(_))));
    // The root alone cannot tell who signed: the certificates between come with the receipt.
    let bare = Receipt { certificate: HostChain::leaf(good.certificate.host()), ..good.clone() };
    assert!(matches!(trusted.check(&bare, NOW), Err(ReceiptError::Authority(_))));
    let years = Wall(NOW.0 + 3 * 365 * 24 * 60 * 60 * 1000);
    assert!(matches!(trusted.check(&good, years), Err(ReceiptError::Authority(_))));
    let others = TrustedAuthorities::new(std::slice::from_ref(theirs.root_der())).unwrap();
    assert!(matches!(others.check(&good, NOW), Err(ReceiptError::Authority(_))));
}

#[test]
fn a_chain_is_of_a_size_that_can_be_kept() {
    let one = |bytes: usize| CertificateDer::from(vec![7; bytes]);
    assert!(HostChain::new(&vec![one(10); 4]).is_ok());
    assert!(matches!(HostChain::new(&vec![one(10); 5]), Err(PeerError::LongChain { certificates: 5, .. })));
    assert!(matches!(HostChain::new(&[one(8 * 1024 + 1)]), Err(PeerError::LongChain { .. })));
}

//! The authority's files over its life: an offline root, a new intermediate, sealed keys, an authority of others.

use super::*;
use rcgen::{BasicConstraints, IsCa, Issuer, KeyUsagePurpose};
use std::fs;

fn files(dir: &Path) -> AuthorityFiles {
    AuthorityFiles::new(dir, None)
}

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text).unwrap()
}

fn signs(authority: &Authority) {
    let certificate = authority.sign_host_csr(&greedy_request().pem().unwrap(), &host("esx01"), NOW).unwrap();
    verify_as_client(authority, &leaf(&certificate.chain_pem), NOW).unwrap();
}

#[test]
fn an_offline_root_is_needed_for_the_next_intermediate_only() {
    let (dir, usb) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root_dir = usb.path().join("root");
    let made = files(dir.path()).create("pointsman.test", Some(&root_dir), NOW).unwrap();
    assert!(!dir.path().join("ca.key").exists());
    assert!(root_dir.join("ca.key").exists() && root_dir.join("ca.pem").exists());
    signs(&files(dir.path()).open_proven(NOW).unwrap());
    assert!(matches!(files(dir.path()).renew_intermediate(None, NOW), Err(TrustError::Missing { .. })));
    let renewed = files(dir.path()).renew_intermediate(Some(&root_dir), NOW).unwrap();
    assert_eq!(renewed.fingerprint(), made.fingerprint(), "hosts trust the same root");
    signs(&renewed);
    // A host certificate of the old intermediate is still good: it brings its chain.
    let old = made.sign_host_csr(&greedy_request().pem().unwrap(), &host("esx01"), NOW).unwrap();
    verify_as_client(&made, &leaf(&old.chain_pem), NOW).unwrap();
}

#[test]
fn another_root_cannot_renew() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    authority(dir.path());
    authority(other.path());
    let refused = files(dir.path()).renew_intermediate(Some(other.path()), NOW);
    assert!(matches!(refused, Err(TrustError::NotAPair { .. })), "{refused:?}");
}

#[test]
fn an_intermediate_that_ran_out_is_noticed_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let made = authority(dir.path());
    let end = made.intermediate_expires().unwrap();
    assert!(files(dir.path()).open_proven(Wall(end.0 - DAY.0)).is_ok());
    let late = files(dir.path()).open_proven(end.plus(DAY));
    assert!(matches!(late, Err(TrustError::Unfit { .. })), "{late:?}");
}

#[test]
fn sealed_keys_open_with_their_passphrase_only() {
    let dir = tempfile::tempdir().unwrap();
    let plain = authority(dir.path());
    let secret = passphrase("a long passphrase");
    let sealing = AuthorityFiles::new(dir.path(), Some(secret.clone()));
    sealing.token_key().unwrap();
    let order_key = dir.path().join("order.key");
    let signing = files(dir.path()).order_key(&order_key).unwrap().public();
    assert_eq!(
        sealing.seal(&order_key).unwrap(),
        3,
        "ca.key, intermediate.key and order.key; token.key was sealed when it was made"
    );
    assert_eq!(sealing.seal(&order_key).unwrap(), 0, "once is enough");
    assert_eq!(sealing.order_key(&order_key).unwrap().public(), signing);
    assert!(matches!(files(dir.path()).order_key(&order_key), Err(TrustError::NoPassphrase)));
    for name in ["ca.key", "intermediate.key", "token.key", "order.key"] {
        let content = fs::read_to_string(dir.path().join(name)).unwrap();
        assert!(!content.contains("PRIVATE KEY"), "{name}");
        let mode = fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
    }
    let opened = sealing.open_proven(NOW).unwrap();
    assert_eq!(opened.fingerprint(), plain.fingerprint());
    signs(&sealing.renew_intermediate(None, NOW).unwrap());
    assert!(matches!(files(dir.path()).open(), Err(TrustError::NoPassphrase)));
    let wrong = AuthorityFiles::new(dir.path(), Some(passphrase("another passphrase"))).open();
    assert!(matches!(wrong, Err(TrustError::Sealed { .. })), "{wrong:?}");
    assert_eq!(format!("{secret:?}"), "Passphrase(..)");
    assert!(Passphrase::new("short\n").is_err());
}

#[test]
fn an_altered_sealed_key_does_not_open() {
    let dir = tempfile::tempdir().unwrap();
    let sealing = AuthorityFiles::new(dir.path(), Some(passphrase("a long passphrase")));
    sealing.create("pointsman.test", None, NOW).unwrap();
    let path = dir.path().join("intermediate.key");
    let content = fs::read_to_string(&path).unwrap();
    for (from, to) in [("600000", "600001"), ("600000", "1"), ("sealed-key-1", "sealed-key-2")] {
        let altered = content.replacen(from, to, 1);
        assert_ne!(altered, content);
        fs::write(&path, altered).unwrap();
        assert!(matches!(sealing.open(), Err(TrustError::Sealed { .. })), "{to}");
    }
}

/// What an intermediate certificate may do.
const SIGNS: IsCa = IsCa::Ca(BasicConstraints::Constrained(0));

/// An authority as somebody else makes one: no URI names anywhere.
fn foreign(dir: &Path, below_root: IsCa) -> ForeignAuthority {
    let signing = |name: &str, is_ca: IsCa| {
        let mut params = CertificateParams::default();
        params.is_ca = is_ca;
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(rcgen::DnType::CommonName, format!("corporate {name}"));
        params
    };
    let (root_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let root = signing("root", IsCa::Ca(BasicConstraints::Constrained(1))).self_signed(&root_key).unwrap();
    let issuer = Issuer::from_ca_cert_der(root.der(), root_key).unwrap();
    let intermediate = signing("intermediate", below_root).signed_by(&key, &issuer).unwrap();
    let write = |name: &str, text: String, mode: u32| {
        let path = dir.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    ForeignAuthority {
        certificate: write("corporate.pem", intermediate.pem(), 0o644),
        key: write("corporate.key", key.serialize_pem(), 0o600),
        root: write("corporate-root.pem", root.pem(), 0o644),
    }
}

#[test]
fn an_authority_of_others_is_taken_over_once_it_proved_itself() {
    let (dir, from) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let here = dir.path().join("ca");
    let corporate = foreign(from.path(), SIGNS);
    let imported = files(&here).import(&corporate, "pointsman.test", NOW).unwrap();
    assert_eq!(imported.trust_domain(), "pointsman.test");
    let opened = files(&here).open_proven(NOW).unwrap();
    assert_eq!(opened.fingerprint(), imported.fingerprint());
    signs(&opened);
    assert!(matches!(
        files(&here).renew_intermediate(Some(from.path()), NOW),
        Err(TrustError::Missing { .. })
    ));
    // The next intermediate of the same root is taken; another root would lock out every host.
    files(&here).import(&corporate, "pointsman.test", NOW).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let refused = files(&here).import(&foreign(elsewhere.path(), SIGNS), "pointsman.test", NOW);
    assert!(matches!(refused, Err(TrustError::AlreadyThere { .. })), "{refused:?}");
}

#[test]
fn an_authority_that_cannot_sign_for_hosts_is_not_taken_over() {
    let (dir, from) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let here = dir.path().join("ca");
    // What is imported may not sign for others.
    let refused = files(&here).import(&foreign(from.path(), IsCa::ExplicitNoCa), "pointsman.test", NOW);
    assert!(matches!(refused, Err(TrustError::Unfit { .. })), "{refused:?}");
    let other = tempfile::tempdir().unwrap();
    let mixed = ForeignAuthority { key: foreign(other.path(), SIGNS).key, ..foreign(from.path(), SIGNS) };
    let refused = files(&here).import(&mixed, "pointsman.test", NOW);
    assert!(matches!(refused, Err(TrustError::NotAPair { .. })), "{refused:?}");
    assert!(!here.exists(), "nothing is left behind");
}

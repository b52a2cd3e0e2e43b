//! The authority's files, what it signs, whom a certificate names, and the life of a token.

mod keeping;

use super::peer::peer_of;
use super::*;
use model::{HostId, Millis, Wall};
use rcgen::{CertificateParams, CertificateSigningRequest, KeyPair, SanType};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

const NOW: Wall = Wall(1_790_000_000_000);
const DAY: Millis = Millis(24 * 60 * 60 * 1000);

fn host(name: &str) -> HostId {
    HostId::new(name).unwrap()
}

fn authority(dir: &Path) -> Authority {
    Authority::create(dir, "pointsman.test", NOW).unwrap()
}

/// A request that asks for far too much.
fn greedy_request() -> CertificateSigningRequest {
    let mut params = CertificateParams::new(vec!["coordinator.example".to_owned()]).unwrap();
    params
        .subject_alt_names
        .push(SanType::URI("spiffe://pointsman.test/host/another".to_owned().try_into().unwrap()));
    params.serialize_request(&KeyPair::generate().unwrap()).unwrap()
}

fn leaf(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

fn verify_as_client(authority: &Authority, leaf: &CertificateDer<'_>, at: Wall) -> Result<(), rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.root_der().clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), crypto()).build().unwrap();
    let at = UnixTime::since_unix_epoch(Duration::from_millis(at.0));
    let intermediate = authority.intermediate_der.clone();
    verifier.verify_client_cert(leaf, &[intermediate], at).map(|_| ())
}

#[test]
fn an_authority_is_made_once_and_opens_again() {
    let dir = tempfile::tempdir().unwrap();
    let made = authority(dir.path());
    let opened = Authority::open(dir.path()).unwrap();
    assert_eq!(made.root_pem(), opened.root_pem());
    assert_eq!(opened.trust_domain(), "pointsman.test");
    assert_eq!(opened.fingerprint().len(), 64);
    let mode = |name: &str| dir.path().join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("ca.key"), mode("ca.pem")), (0o600, 0o644));
    assert_eq!((mode("intermediate.key"), mode("intermediate.pem")), (0o600, 0o644));
    let again = Authority::create(dir.path(), "pointsman.test", NOW);
    assert!(matches!(again, Err(TrustError::AlreadyThere { .. })));
    assert_eq!(Authority::open(dir.path()).unwrap().fingerprint(), made.fingerprint());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 4, "temporary files are left behind");
}

#[test]
fn a_key_is_never_overwritten_even_without_its_certificate() {
    let dir = tempfile::tempdir().unwrap();
    authority(dir.path());
    let key = std::fs::read(dir.path().join("ca.key")).unwrap();
    std::fs::remove_file(dir.path().join("ca.pem")).unwrap();
    let again = Authority::create(dir.path(), "pointsman.test", NOW);
    assert!(matches!(again, Err(TrustError::AlreadyThere { path }) if path.ends_with("ca.key")));
    assert_eq!(std::fs::read(dir.path().join("ca.key")).unwrap(), key);
    assert!(
        matches!(Authority::open(dir.path()), Err(TrustError::Missing { path }) if path.ends_with("ca.pem"))
    );
}

#[test]
fn an_exposed_key_a_wrong_pair_and_damage_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let key_path = dir.path().join("intermediate.key");
    authority(dir.path());
    std::fs::set_permissions(&key_path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(Authority::open(dir.path()), Err(TrustError::KeyExposed { mode: 0o640, .. })));
    std::fs::set_permissions(&key_path, std::fs::Permissions::from_mode(0o600)).unwrap();

    let other = tempfile::tempdir().unwrap();
    authority(other.path());
    let certificate = "intermediate.pem";
    std::fs::copy(other.path().join(certificate), dir.path().join(certificate)).unwrap();
    assert!(matches!(Authority::open(dir.path()), Err(TrustError::NotAPair { .. })));
    std::fs::write(dir.path().join(certificate), "nothing").unwrap();
    assert!(matches!(Authority::open(dir.path()), Err(TrustError::Damaged { .. })));
    let nowhere = Authority::open(&dir.path().join("nowhere"));
    assert!(matches!(nowhere, Err(TrustError::Missing { .. })));
}

#[test]
fn bad_trust_domains_and_server_names_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["", "Upper.case", "a/b", "-x", "a b"] {
        assert!(
            matches!(Authority::create(dir.path(), name, NOW), Err(TrustError::BadName { .. })),
            "{name}"
        );
    }
    let authority = authority(dir.path());
    for name in ["", "a b", "ä.example"] {
        let result = authority.issue_server(&[name.to_owned()], NOW);
        assert!(matches!(result, Err(TrustError::BadName { .. })), "{name}");
    }
    assert!(authority.issue_server(&[], NOW).is_err());
    assert!(authority.issue_server(&["pointsman.example".into(), "::1".into()], NOW).is_ok());
}

#[test]
fn a_host_certificate_says_what_the_authority_says() {
    let dir = tempfile::tempdir().unwrap();
    let authority = authority(dir.path()).with_host_certificate_life(10 * Duration::from_secs(86_400));
    let pem = authority.sign_host_csr(&greedy_request().pem().unwrap(), &host("esx01"), NOW).unwrap();
    assert_eq!(pem.expires, NOW.plus(Millis(DAY.0 * 10)));
    let pem = pem.chain_pem;
    let leaf = leaf(&pem);
    let peer = peer_of(&leaf, "pointsman.test").unwrap();
    assert_eq!((peer.host, peer.expires), (host("esx01"), NOW.plus(Millis(DAY.0 * 10))));
    assert!(matches!(peer_of(&leaf, "other.test"), Err(PeerError::ForeignName { .. })));
    assert!(verify_as_client(&authority, &leaf, NOW).is_ok());
    assert!(verify_as_client(&authority, &leaf, NOW.plus(Millis(DAY.0 * 9))).is_ok());
    assert!(verify_as_client(&authority, &leaf, NOW.plus(Millis(DAY.0 * 11))).is_err());
    let second = authority.sign_host_csr(&greedy_request().pem().unwrap(), &host("esx01"), NOW).unwrap();
    let second = second.chain_pem;
    let serial = |pem: &str| peer_of(&self::leaf(pem), "pointsman.test").unwrap().serial;
    assert_ne!(serial(&pem), serial(&second));
}

#[test]
fn a_server_certificate_is_no_host_and_no_client() {
    let dir = tempfile::tempdir().unwrap();
    let authority = authority(dir.path());
    let server = authority.issue_server(&["127.0.0.1".into()], NOW).unwrap();
    assert!(matches!(peer_of(&server.chain[0], "pointsman.test"), Err(PeerError::NotOneUri(0))));
    assert!(verify_as_client(&authority, &server.chain[0], NOW).is_err());
    assert!(matches!(peer_of(b"garbage", "pointsman.test"), Err(PeerError::Unreadable(_))));
}

#[test]
fn a_request_with_a_broken_signature_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let authority = authority(dir.path());
    let mut der = greedy_request().der().to_vec();
    let last = der.len() - 1;
    der[last] ^= 1;
    let pem = request_pem(&der);
    for bad in
        [pem.as_str(), "", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"]
    {
        let result = authority.sign_host_csr(bad, &host("esx01"), NOW);
        assert!(matches!(result, Err(TrustError::BadRequest { .. })), "{bad}");
    }
}

/// DER as the PEM text of a certificate request.
fn request_pem(der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("-----BEGIN CERTIFICATE REQUEST-----\n");
    let mut column = 0;
    for chunk in der.chunks(3) {
        let word =
            chunk.iter().enumerate().fold(0_u32, |word, (at, byte)| word | u32::from(*byte) << (16 - 8 * at));
        for at in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * at)) as usize & 63];
            text.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
        column += 4;
        if column == 64 {
            text.push('\n');
            column = 0;
        }
    }
    text.push_str("\n-----END CERTIFICATE REQUEST-----\n");
    text
}

#[test]
fn the_key_of_a_request_is_the_key_of_its_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let authority = authority(dir.path());
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "an answer");
    let request = params.serialize_request(&key).unwrap().pem().unwrap();
    let facts = Authority::check_host_csr(&request, &host("esx01")).unwrap();
    assert_eq!(facts.common_name, "an answer");
    let certificate = authority.sign_host_csr(&request, &host("esx01"), NOW).unwrap();
    assert_eq!(peer_of(&leaf(&certificate.chain_pem), "pointsman.test").unwrap().key, facts.key);
    let other = Authority::check_host_csr(&greedy_request().pem().unwrap(), &host("esx01")).unwrap();
    assert_ne!(other.key, facts.key);
}

#[test]
fn a_short_life_is_not_backdated_beyond_itself() {
    let dir = tempfile::tempdir().unwrap();
    let authority = authority(dir.path()).with_host_certificate_life(Duration::from_secs(60));
    let pem = authority.sign_host_csr(&greedy_request().pem().unwrap(), &host("esx01"), NOW).unwrap();
    let leaf = leaf(&pem.chain_pem);
    assert!(verify_as_client(&authority, &leaf, Wall(NOW.0 - 5_000)).is_ok());
    assert!(verify_as_client(&authority, &leaf, Wall(NOW.0 - 10_000)).is_err());
    assert!(verify_as_client(&authority, &leaf, NOW.plus(Millis(61_000))).is_err());
}

#[test]
fn a_token_tells_the_authority_and_is_known_by_its_hmac_only() {
    let dir = tempfile::tempdir().unwrap();
    let files = AuthorityFiles::new(dir.path(), None);
    let authority = files.create("pointsman.test", None, NOW).unwrap();
    let token = Token::generate(&authority.fingerprint()).unwrap();
    assert!(token.reveal().ends_with(&authority.fingerprint()));
    assert_eq!(format!("{token:?}"), "Token(***)");
    let key = files.token_key().unwrap();
    let hash = key.hash(&token);
    assert!(!hash.0.contains(token.reveal()));
    assert_eq!(key.hash(&Token::presented(&format!(" {}\n", token.reveal()))), hash);
    assert_ne!(key.hash(&Token::generate(&authority.fingerprint()).unwrap()), hash);
    assert_eq!(files.token_key().unwrap().hash(&token), hash, "the key stays");
    std::fs::remove_file(dir.path().join("token.key")).unwrap();
    assert_ne!(files.token_key().unwrap().hash(&token), hash, "without the key nobody knows the token");
}

#[test]
fn placeholders_are_no_machines() {
    let uuid = "4C4C4544-0044-3510-8052-B4C04F4E4D32";
    assert_eq!(usable_uuid(&format!(" {uuid}\n")), Some(uuid.to_lowercase()));
    for text in
        ["", "4c4c4544", "00000000-0000-0000-0000-000000000000", "03000200-0400-0500-0006-000700080009"]
    {
        assert_eq!(usable_uuid(text), None, "{text}");
    }
}

//! The request a host makes, and how its key is kept.

use super::*;

#[test]
fn a_request_names_the_host_and_a_key_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let pem = request("esx1", &key).unwrap();
    assert!(pem.contains("CERTIFICATE REQUEST"));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sub/host.key");
    write_key(&path, key.serialize_pem().as_bytes()).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

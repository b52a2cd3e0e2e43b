//! A key is private, stays the same, and signs requests.

use super::*;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_key_is_private_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sub/host.key");
    let made = make(&path).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(fingerprint(&read(&path).unwrap()), fingerprint(&made));
    assert_ne!(fingerprint(&make(&path).unwrap()), fingerprint(&made));
    assert!(request("esx1", &made).unwrap().contains("CERTIFICATE REQUEST"));
}

#[test]
fn a_damaged_key_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    assert!(read(&dir.path().join("none")).is_err());
    let path = dir.path().join("host.key");
    std::fs::write(&path, "nothing").unwrap();
    assert!(read(&path).is_err());
}

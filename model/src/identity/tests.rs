//! Fingerprints are read as people write them, and nothing else is.

use super::*;

#[test]
fn a_fingerprint_is_read_with_and_without_its_prefix() {
    let fingerprint = KeyFingerprint::from_digest(&[0xab; 32]);
    let digits = "ab".repeat(32);
    assert_eq!(fingerprint.as_str(), digits);
    for text in [digits.clone(), format!("sha256:{digits}"), format!(" SHA256:{} \n", digits.to_uppercase())]
    {
        assert_eq!(text.parse(), Ok(fingerprint.clone()), "{text}");
    }
    let json = serde_json::to_string(&fingerprint).unwrap();
    assert_eq!(json, format!("\"sha256:{digits}\""));
    assert_eq!(serde_json::from_str::<KeyFingerprint>(&json).unwrap(), fingerprint);
}

#[test]
fn anything_else_is_no_fingerprint() {
    for text in ["", "sha256:", &"a".repeat(63), &"g".repeat(64), &format!("md5:{}", "a".repeat(64))] {
        assert!(text.parse::<KeyFingerprint>().is_err(), "{text}");
    }
}

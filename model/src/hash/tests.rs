//! Hashes as text: both ways, and what is refused.

use super::*;

#[test]
fn a_hash_is_64_lower_case_digits_and_nothing_else() {
    let mut bytes = [0; SHA256_BYTES];
    (bytes[0], bytes[31]) = (0xAB, 0x01);
    let text = format!("ab{}01", "0".repeat(60));
    assert_eq!(Sha256Hash(bytes).to_string(), text);
    assert_eq!(text.parse(), Ok(Sha256Hash(bytes)));
    assert_eq!(serde_json::to_string(&Sha256Hash(bytes)).unwrap(), format!("\"{text}\""));
    for wrong in [text.to_uppercase(), text[1..].to_owned(), format!("{text}0"), format!("{}é", &text[..62])]
    {
        let error = wrong.parse::<Sha256Hash>().unwrap_err();
        assert!(error.text.len() <= text.len(), "{error}");
    }
    assert!(Sha256Hash::try_from(&bytes[1..]).is_err());
}

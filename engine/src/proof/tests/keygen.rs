//! What ssh-keygen really writes: verified, and refused when anything is changed.

use super::*;

const MESSAGE: &[u8] = br#"{"release":"of a test"}"#;

const PAIRS: [(&str, &str); 5] = [
    (include_str!("keygen/ed25519.pub"), include_str!("keygen/ed25519.sig")),
    (include_str!("keygen/ed25519.pub"), include_str!("keygen/ed25519-sha256.sig")),
    (include_str!("keygen/ecdsa-p256.pub"), include_str!("keygen/ecdsa-p256.sig")),
    (include_str!("keygen/ecdsa-p384.pub"), include_str!("keygen/ecdsa-p384.sig")),
    (include_str!("keygen/rsa.pub"), include_str!("keygen/rsa.sig")),
];

fn pairs() -> impl Iterator<Item = (SshPublicKey, Vec<u8>)> {
    PAIRS.into_iter().map(|(key, text)| (SshPublicKey::parse_line(key).unwrap(), dearmour(text).unwrap()))
}

#[test]
fn real_signatures_verify() {
    for (key, blob) in pairs() {
        let signature = SshSignature::parse(&blob).unwrap();
        assert_eq!(signature.namespace(), NAMESPACE_CHANGE);
        assert_eq!(signature.key_blob(), key.blob());
        signature.verify(&key, MESSAGE).unwrap();
        assert_eq!(signature.verify(&key, b"something else"), Err(SshError::Wrong));
    }
}

#[test]
fn a_signature_counts_for_its_own_key_only() {
    let all: Vec<_> = pairs().collect();
    for (key, _) in &all {
        for (other, blob) in all.iter().filter(|(other, _)| other != key) {
            let signature = SshSignature::parse(blob).unwrap();
            assert_eq!(signature.verify(key, MESSAGE), Err(SshError::Wrong), "{key:?} {other:?}");
        }
    }
}

#[test]
fn no_byte_can_be_changed_left_out_or_added() {
    for (key, blob) in pairs() {
        let verifies = |blob: &[u8]| {
            SshSignature::parse(blob).and_then(|signature| signature.verify(&key, MESSAGE)).is_ok()
        };
        assert!(verifies(&blob));
        for at in 0..blob.len() {
            let mut changed = blob.clone();
            changed[at] ^= 0x01;
            assert!(!verifies(&changed), "byte {at} of {key:?}");
            assert!(!verifies(&blob[..at]), "cut at {at}");
        }
        assert!(!verifies(&[&blob[..], &[0]].concat()));
    }
}

#[test]
fn a_signature_for_files_is_none_for_changes() {
    let blob = dearmour(include_str!("keygen/ed25519-file.sig")).unwrap();
    let key = include_str!("keygen/ed25519.pub").to_owned();
    SshSignature::parse(&blob).unwrap().verify(&SshPublicKey::parse_line(&key).unwrap(), MESSAGE).unwrap();
    let mut only = set();
    (only.threshold, only.approvers) = (1, vec![Approver { name: "ann".to_owned(), email: None, key }]);
    let error = TrustedSet::new(only).unwrap().signers(MESSAGE, &[blob]).unwrap_err();
    assert_eq!(error.kind, UnprovenKind::SignatureWrong);
    assert!(error.detail.contains("made for `file`"), "{error}");
}

#[test]
fn armour_is_that_of_ssh_keygen() {
    for (_, text) in PAIRS {
        assert_eq!(armour(&dearmour(text).unwrap()), text);
        for wrong in [&text[1..], &text[..text.len() - 3], "", "-----BEGIN SSH SIGNATURE-----"] {
            assert!(dearmour(wrong).is_err());
        }
        assert!(dearmour(&text.replacen('\n', "\n*", 1)).is_err());
        assert!(dearmour(&format!("x{text}")).is_err());
    }
    assert!(dearmour(&"A".repeat(10_000)).unwrap_err().to_string().contains("too long"));
}

#[test]
fn our_own_signature_is_the_one_ssh_keygen_makes() {
    // Ed25519 has one signature per key and message: the same bytes must come out.
    for (text, public) in [
        (include_str!("keygen/private-0.txt"), include_str!("keygen/public-0.txt")),
        (include_str!("keygen/private-16.txt"), include_str!("keygen/public-16.txt")),
    ] {
        let found = parse_ed25519_private_key(&private_file(text)).unwrap();
        let line = SshPublicKey::from_ed25519(found.public).line();
        assert_eq!(line, format!("ssh-ed25519 {}", public.trim()));
        let pair = Ed25519KeyPair::from_seed_and_public_key(&found.seed, &found.public).unwrap();
        let raw = pair.sign(&signed_data(NAMESPACE_CHANGE, MESSAGE));
        let blob = encode_ed25519(found.public, NAMESPACE_CHANGE, raw.as_ref().try_into().unwrap());
        SshSignature::parse(&blob)
            .unwrap()
            .verify(&SshPublicKey::parse_line(&line).unwrap(), MESSAGE)
            .unwrap();
        assert!(!format!("{found:?}").contains("seed: ["), "the secret is not printed");
    }
    let encoded = dearmour(include_str!("keygen/ed25519.sig")).unwrap();
    let raw: [u8; 64] = encoded[encoded.len() - 64..].try_into().unwrap();
    let key = SshPublicKey::parse_line(include_str!("keygen/ed25519.pub")).unwrap();
    let public: [u8; 32] = key.blob()[key.blob().len() - 32..].try_into().unwrap();
    assert_eq!(encode_ed25519(public, NAMESPACE_CHANGE, raw), encoded);
}

/// The lines around a private key are not in the repository: tools that look for secrets look for them.
fn private_file(body: &str) -> String {
    let name = "OPENSSH PRIVATE KEY";
    format!("-----BEGIN {name}-----\n{body}-----END {name}-----\n")
}

#[test]
fn private_keys_that_cannot_be_used_say_why() {
    let told = |text: &str| parse_ed25519_private_key(text).unwrap_err().to_string();
    let good = private_file(include_str!("keygen/private-16.txt"));
    assert!(told(&private_file(include_str!("keygen/private-passphrase.txt"))).contains("passphrase"));
    assert!(told("").contains("format of OpenSSH"));
    assert!(told(&good.replace("OPENSSH", "RSA")).contains("format of OpenSSH"));
    assert!(told(&"x".repeat(9000)).contains("too long"));
    let lines: Vec<&str> = good.lines().collect();
    for line in 1..lines.len() - 1 {
        for at in 0..lines[line].len() {
            let mut changed: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            let replacement = if &lines[line][at..=at] == "B" { "C" } else { "B" };
            changed[line].replace_range(at..=at, replacement);
            // A changed comment is not seen, a changed public key is. Whether the seed belongs to it, the signer sees:
            // it makes the key pair of both.
            if let Ok(found) = parse_ed25519_private_key(&changed.join("\n")) {
                assert_eq!(found.public, parse_ed25519_private_key(&good).unwrap().public);
                let pair = Ed25519KeyPair::from_seed_and_public_key(&found.seed, &found.public);
                assert_eq!(pair.is_ok(), found == parse_ed25519_private_key(&good).unwrap());
            }
        }
    }
}

#[test]
fn lines_of_public_keys_are_read_strictly() {
    let good = include_str!("keygen/ed25519.pub").trim();
    assert_eq!(SshPublicKey::parse_line(good).unwrap().line(), good.trim_end_matches(" test"));
    let blob = good.split(' ').nth(1).unwrap();
    for (line, told) in [
        (String::new(), "of the form"),
        ("ssh-ed25519".to_owned(), "of the form"),
        (format!("ssh-rsa {blob}"), "another algorithm"),
        (format!("ssh-ed25519 {}", &blob[..40]), "too early"),
        (format!("ssh-ed25519 {blob}="), "base64"),
        ("ssh-dss AAAAB3NzaC1kc3M=".to_owned(), "`ssh-dss` is not accepted"),
        (format!("ssh-ed25519 {}", "A".repeat(9000)), "too long"),
    ] {
        let error = SshPublicKey::parse_line(&line).unwrap_err().to_string();
        assert!(error.contains(told), "{line}: {error}");
    }
    let fingerprint = SshPublicKey::parse_line(good).unwrap().fingerprint();
    assert!(fingerprint.starts_with("SHA256:") && fingerprint.len() == 50, "{fingerprint}");
}

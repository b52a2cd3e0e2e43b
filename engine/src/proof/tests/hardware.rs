//! Keys on hardware: what a FIDO authenticator signs, made here from its specification.

use super::*;
use crate::proof::ssh::put_string;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use sha2::{Digest, Sha256};

const APPLICATION: &[u8] = b"ssh:";
const MESSAGE: &[u8] = b"a release";
const TOUCHED: u8 = 0x01;

/// What the authenticator signs, by the specification of SSH keys on hardware (PROTOCOL.u2f).
fn authenticator_data(flags: u8, counter: u32) -> Vec<u8> {
    let mut data = Sha256::digest(APPLICATION).to_vec();
    data.push(flags);
    data.extend(counter.to_be_bytes());
    data.extend(Sha256::digest(signed_data(NAMESPACE_CHANGE, MESSAGE)));
    data
}

fn frame(key: &SshPublicKey, algorithm: &[u8], raw: &[u8], flags: u8, counter: u32) -> Vec<u8> {
    let mut signature = Vec::new();
    put_string(&mut signature, algorithm);
    put_string(&mut signature, raw);
    signature.push(flags);
    signature.extend(counter.to_be_bytes());
    let mut blob = b"SSHSIG\0\0\0\x01".to_vec();
    put_string(&mut blob, key.blob());
    put_string(&mut blob, NAMESPACE_CHANGE.as_bytes());
    put_string(&mut blob, b"");
    put_string(&mut blob, b"sha512");
    put_string(&mut blob, &signature);
    blob
}

fn verdict(key: &SshPublicKey, blob: &[u8]) -> Result<(), SshError> {
    SshSignature::parse(blob)?.verify(key, MESSAGE)
}

#[test]
fn an_ed25519_key_on_hardware_must_be_touched() {
    const NAME: &[u8] = b"sk-ssh-ed25519@openssh.com";
    let pair = key(5);
    let mut blob = Vec::new();
    put_string(&mut blob, NAME);
    put_string(&mut blob, &public(&pair));
    put_string(&mut blob, APPLICATION);
    let key = SshPublicKey::from_blob(&blob).unwrap();
    assert_eq!(SshPublicKey::parse_line(&key.line()).unwrap(), key);
    let signed = |flags, counter| pair.sign(&authenticator_data(flags, counter)).as_ref().to_vec();
    let good = frame(&key, NAME, &signed(TOUCHED, 77), TOUCHED, 77);
    assert_eq!(verdict(&key, &good), Ok(()));
    assert_eq!(verdict(&key, &frame(&key, NAME, &signed(5, 1), 5, 1)), Ok(()), "touched, with a PIN");
    let untouched = verdict(&key, &frame(&key, NAME, &signed(0, 77), 0, 77)).unwrap_err();
    assert!(untouched.to_string().contains("without a touch"), "{untouched}");
    let lied = frame(&key, NAME, &signed(0, 77), TOUCHED, 77);
    assert_eq!(verdict(&key, &lied), Err(SshError::Wrong), "flags are signed");
    let other_counter = frame(&key, NAME, &signed(TOUCHED, 77), TOUCHED, 78);
    assert_eq!(verdict(&key, &other_counter), Err(SshError::Wrong), "the counter is signed");
    let plain = frame(&key, b"ssh-ed25519", &signed(TOUCHED, 77), TOUCHED, 77);
    assert!(verdict(&key, &plain).unwrap_err().to_string().contains("another algorithm"));
}

#[test]
fn an_ecdsa_key_on_hardware_must_be_touched() {
    const NAME: &[u8] = b"sk-ecdsa-sha2-nistp256@openssh.com";
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
    let mut blob = Vec::new();
    put_string(&mut blob, NAME);
    put_string(&mut blob, b"nistp256");
    put_string(&mut blob, pair.public_key().as_ref());
    put_string(&mut blob, APPLICATION);
    let key = SshPublicKey::from_blob(&blob).unwrap();
    // Several, so that numbers with and without a sign byte and leading zeros occur.
    for counter in 0..200 {
        let raw = pair.sign(&random, &authenticator_data(TOUCHED, counter)).unwrap();
        let (r, s) = raw.as_ref().split_at(32);
        let numbers = [mpint(r), mpint(s)].concat();
        let good = frame(&key, NAME, &numbers, TOUCHED, counter);
        assert_eq!(verdict(&key, &good), Ok(()));
        assert_eq!(verdict(&key, &frame(&key, NAME, &numbers, TOUCHED, counter + 1)), Err(SshError::Wrong));
        let padded = [vec![0, 0, 0, 34, 0, 0], r.to_vec(), mpint(s)].concat();
        assert!(verdict(&key, &frame(&key, NAME, &padded, TOUCHED, counter)).is_err(), "one form only");
    }
}

/// The shortest form of a number that is not negative.
fn mpint(bytes: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    let sign: &[u8] = if digits[0] & 0x80 == 0 { &[] } else { &[0] };
    let mut out = Vec::new();
    put_string(&mut out, &[sign, &digits].concat());
    out
}

#[test]
fn points_and_curves_are_those_of_the_algorithm() {
    let blob = |curve: &[u8], point: &[u8]| {
        let mut blob = Vec::new();
        put_string(&mut blob, b"ecdsa-sha2-nistp256");
        put_string(&mut blob, curve);
        put_string(&mut blob, point);
        blob
    };
    let point = [&[4u8][..], &[1; 64]].concat();
    assert!(
        SshPublicKey::from_blob(&blob(b"nistp256", &point)).is_ok(),
        "whether it is on the curve shows later"
    );
    for (curve, point) in
        [(&b"nistp384"[..], &point[..]), (b"nistp256", &point[..64]), (b"nistp256", &[2; 33]), (b"", b"")]
    {
        assert!(SshPublicKey::from_blob(&blob(curve, point)).is_err());
    }
}

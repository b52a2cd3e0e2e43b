//! Signing as an approver: with a key file of our own reading, or by `ssh-keygen` for everything else (keys in the SSH agent,
//! keys with a passphrase, hardware keys).
//!
//! Owns: the choice between the two, and the only process that a verb starts. Must not: keep a key. Called by `approve` and
//! `approvers`.

use super::failure::CliError;
use engine::proof::{Ed25519Seed, armour, encode_ed25519, parse_ed25519_private_key, signed_data};
use ring::signature::Ed25519KeyPair;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Largest key file, in bytes.
const KEY_BYTES_MAX: u64 = 16 * 1024;

/// Signs `message` under `namespace` with the key in `key`; gives the armoured signature.
pub fn sign(key: &Path, namespace: &str, message: &[u8]) -> Result<String, CliError> {
    let size = std::fs::metadata(key).map_err(CliError::file("read the key", key))?.len();
    if size > KEY_BYTES_MAX {
        return Err(CliError::Usage(format!("{} is no key: it has {size} bytes", key.display())));
    }
    let text = std::fs::read_to_string(key).map_err(CliError::file("read the key", key))?;
    match parse_ed25519_private_key(&text) {
        Ok(private) => natively(&private, namespace, message),
        Err(_) => by_ssh_keygen(key, namespace, message),
    }
}

fn natively(private: &Ed25519Seed, namespace: &str, message: &[u8]) -> Result<String, CliError> {
    let damaged = || CliError::Failed("the key file is damaged: its halves do not fit".to_owned());
    let pair =
        Ed25519KeyPair::from_seed_and_public_key(&private.seed, &private.public).map_err(|_| damaged())?;
    let raw = pair.sign(&signed_data(namespace, message)).as_ref().try_into().map_err(|_| damaged())?;
    Ok(armour(&encode_ed25519(private.public, namespace, raw)))
}

/// The message goes in and the signature comes out by pipes; a passphrase or a touch is asked for on the terminal.
fn by_ssh_keygen(key: &Path, namespace: &str, message: &[u8]) -> Result<String, CliError> {
    let failed = |error: std::io::Error| {
        let hint = "install OpenSSH, or give an unencrypted ed25519 key";
        CliError::Failed(format!("ssh-keygen cannot be run: {error}; {hint}"))
    };
    let mut child = Command::new("ssh-keygen")
        .args(["-Y", "sign", "-q", "-n", namespace, "-f"])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(message).map_err(failed)?;
    }
    let output = child.wait_with_output().map_err(failed)?;
    if !output.status.success() {
        return Err(CliError::Failed(format!("ssh-keygen did not sign with {}", key.display())));
    }
    String::from_utf8(output.stdout).map_err(CliError::failed)
}

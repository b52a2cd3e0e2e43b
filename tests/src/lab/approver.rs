//! Approvers of a lab: people with real SSH keys, made here so that a machine needs no OpenSSH.
//!
//! Owns: key files and the approver set. Must not sign: `pointsman approve` does, with the files made here. Called by the lab.

use super::text;
use anyhow::{Context, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use engine::proof::SshPublicKey;
use model::{Approver, ApproverSet};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Bytes of an Ed25519 seed, and of a public key.
const SEED_BYTES: usize = 32;
/// Characters of a line in a key file.
const LINE_CHARS: usize = 70;
/// Private halves are filled up to a multiple of this, in bytes.
const BLOCK_BYTES: usize = 8;

/// A person with a key.
#[derive(Debug, Clone)]
pub struct Person {
    /// As in the approver set.
    pub approver: Approver,
    /// File with the private key.
    pub key_file: PathBuf,
}

impl Person {
    /// Makes a key in `folder`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn new(folder: &Path, name: &str, email: &str) -> anyhow::Result<Self> {
        let mut seed = [0; SEED_BYTES];
        SystemRandom::new().fill(&mut seed).map_err(|_| anyhow!("the system gives no randomness"))?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|error| anyhow!("{error}"))?;
        let public: [u8; SEED_BYTES] = pair.public_key().as_ref().try_into()?;
        let key = SshPublicKey::from_ed25519(public);
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let key_file = folder.join(format!("{}.key", name.to_lowercase().replace(' ', "-")));
        write_private(&key_file, &private_key(&seed, &public, key.blob(), email))?;
        let approver = Approver { name: name.to_owned(), email: Some(email.to_owned()), key: key.line() };
        Ok(Self { approver, key_file })
    }
}

/// A set of these people for one group, or `default`.
#[must_use]
pub fn approver_set(name: &str, version: u64, threshold: u32, people: &[&Person]) -> ApproverSet {
    ApproverSet::new(name, version, threshold, people.iter().map(|person| person.approver.clone()).collect())
}

/// Writes a set as a file; gives its path.
///
/// # Errors
/// When it cannot be written.
pub fn write_set(folder: &Path, set: &ApproverSet) -> anyhow::Result<PathBuf> {
    let path = folder.join(format!("{}-{}.json", set.name, set.version));
    let body = serde_json::to_string_pretty(set)? + "\n";
    fs::write(&path, body).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(path)
}

fn write_private(path: &Path, content: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("{} cannot be made", text(path).unwrap_or("a key")))?;
    file.write_all(content.as_bytes()).with_context(|| format!("{} cannot be written", path.display()))
}

fn ssh_string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), bytes].concat()
}

/// A private key in the form of OpenSSH, without a passphrase.
fn private_key(seed: &[u8], public: &[u8], blob: &[u8], comment: &str) -> String {
    let check = [0x70, 0x6d, 0x61, 0x6e];
    let mut private = [check, check].concat();
    private.extend(ssh_string(b"ssh-ed25519"));
    private.extend(ssh_string(public));
    private.extend(ssh_string(&[seed, public].concat()));
    private.extend(ssh_string(comment.as_bytes()));
    private.extend((1..=u8::MAX).take((BLOCK_BYTES - private.len() % BLOCK_BYTES) % BLOCK_BYTES));
    let whole = [
        b"openssh-key-v1\0".to_vec(),
        ssh_string(b"none"),
        ssh_string(b"none"),
        ssh_string(b""),
        1_u32.to_be_bytes().to_vec(),
        ssh_string(blob),
        ssh_string(&private),
    ]
    .concat();
    let encoded = STANDARD.encode(&whole);
    let lines: Vec<&str> =
        encoded.as_bytes().chunks(LINE_CHARS).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    let head = "-----BEGIN OPENSSH PRIVATE KEY-----";
    let tail = "-----END OPENSSH PRIVATE KEY-----";
    format!("{head}\n{}\n{tail}\n", lines.join("\n"))
}

//! What this host has pinned: its approver set and the coordinator's order key, two small files.
//!
//! Owns: `approvers.json` and `order-key` in the state directory. Must not: judge an order. Called by the
//! event loop, enrolment and the console.

use crate::journal::write_durably;
use engine::proof::{ORDER_KEY_BYTES, SetError, TrustedSet};
use model::{APPROVER_SET_BYTES_MAX, Sha256Hash};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The approver set, exactly as it was signed.
const SET_FILE: &str = "approvers.json";
/// The public order key in hexadecimal.
const ORDER_KEY_FILE: &str = "order-key";
/// Longest file that is read, in bytes; one byte more than a set may have, so that a longer one is noticed.
const FILE_BYTES_MAX: u64 = APPROVER_SET_BYTES_MAX as u64 + 1;

/// Why something pinned cannot be used or changed.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// A file could not be read.
    #[error("{path} cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error("{path} cannot be written: check space and rights of the state directory")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// What was written is not what is read.
    #[error("{path} reads back other than it was written: do not trust this disk")]
    ReadBack {
        /// The file.
        path: PathBuf,
    },
    /// It is no usable set.
    #[error("{path} is not usable")]
    Set {
        /// The file.
        path: PathBuf,
        /// Why.
        source: SetError,
    },
    /// It is no key.
    #[error("{path} is not an order key: enrol this host again")]
    Key {
        /// The file.
        path: PathBuf,
    },
    /// Another set is pinned.
    #[error(
        "version {held} of `{name}` is pinned already: use --replace when this host is to trust other people"
    )]
    Pinned {
        /// Its version.
        held: u64,
        /// Its name.
        name: String,
    },
}

/// Whether a set that is pinned already may be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    /// Only the same one may be pinned again.
    No,
    /// A person wants so.
    Yes,
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, PinError> {
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(path);
    match opened.and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(PinError::Read { path: path.to_owned(), source }),
    }
}

fn write(path: PathBuf, bytes: &[u8]) -> Result<(), PinError> {
    if let Err(source) = write_durably(&path, bytes) {
        return Err(PinError::Write { path, source });
    }
    match read(&path)? {
        Some(found) if found == bytes => Ok(()),
        _ => Err(PinError::ReadBack { path }),
    }
}

/// The pinned set of a state directory; none when nothing was pinned yet.
pub fn read_set(dir: &Path) -> Result<Option<TrustedSet>, PinError> {
    let path = dir.join(SET_FILE);
    match read(&path)? {
        None => Ok(None),
        Some(bytes) => TrustedSet::parse(&bytes).map(Some).map_err(|source| PinError::Set { path, source }),
    }
}

/// Pins the set in these bytes; durable when it returns. `from` is for messages.
pub fn pin_set(dir: &Path, from: &Path, bytes: &[u8], replace: Replace) -> Result<TrustedSet, PinError> {
    let parsed = TrustedSet::parse(bytes);
    let set = parsed.map_err(|source| PinError::Set { path: from.to_owned(), source })?;
    if replace == Replace::No
        && let Some(held) = read_set(dir)?
        && held != set
    {
        return Err(PinError::Pinned { held: held.set().version, name: held.set().name.clone() });
    }
    write(dir.join(SET_FILE), bytes)?;
    Ok(set)
}

/// Pins the set of a file.
pub fn pin_file(dir: &Path, from: &Path, replace: Replace) -> Result<TrustedSet, PinError> {
    let missing = || std::io::Error::from(std::io::ErrorKind::NotFound);
    let bytes = read(from)?.ok_or_else(|| PinError::Read { path: from.to_owned(), source: missing() })?;
    pin_set(dir, from, &bytes, replace)
}

/// The pinned order key of a state directory.
pub fn read_order_key(dir: &Path) -> Result<Option<[u8; ORDER_KEY_BYTES]>, PinError> {
    let path = dir.join(ORDER_KEY_FILE);
    let Some(bytes) = read(&path)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    let key: Sha256Hash = text.trim().parse().map_err(|_| PinError::Key { path })?;
    Ok(Some(key.0))
}

/// Keeps the order key of the coordinator this host enrolled with, or forgets the one before.
pub fn write_order_key(dir: &Path, key: Option<[u8; ORDER_KEY_BYTES]>) -> Result<(), PinError> {
    let path = dir.join(ORDER_KEY_FILE);
    match key {
        // Both are 32 bytes: a hash is only their text form.
        Some(key) => write(path, Sha256Hash(key).to_string().as_bytes()),
        None => match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(PinError::Write { path, source })
            }
            _ => Ok(()),
        },
    }
}

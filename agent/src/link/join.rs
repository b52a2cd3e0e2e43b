//! How often this host recovered its certificate: the coordinator counts too, and a copy of this host cannot count like
//! both of us. Small and durable. Called by renewal and enrolment.

use crate::journal::write_durably;
use serde::{Deserialize, Serialize};
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

/// The file in the state directory.
const FILE: &str = "join.json";
/// Random part of the name of a recovery, in bytes.
const ID_BYTES: usize = 16;

/// What is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// Recoveries that succeeded.
    pub count: u64,
    /// Name of the recovery that was begun, kept until it succeeded: an answer that was lost is asked for again.
    #[serde(default)]
    pub id: String,
}

fn path(state_dir: &Path) -> PathBuf {
    state_dir.join(FILE)
}

fn read(state_dir: &Path) -> Result<Join> {
    match std::fs::read(path(state_dir)) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(Error::other),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Join::default()),
        Err(error) => Err(error),
    }
}

fn write(state_dir: &Path, join: &Join) -> Result<()> {
    write_durably(&path(state_dir), &serde_json::to_vec(join).map_err(Error::other)?)
}

/// Begins a recovery, or goes on with the one that was begun; durable before anybody hears of it.
pub fn begin(state_dir: &Path) -> Result<Join> {
    let mut join = read(state_dir)?;
    if join.id.is_empty() {
        let mut bytes = [0; ID_BYTES];
        let provider = rustls::crypto::ring::default_provider();
        provider
            .secure_random
            .fill(&mut bytes)
            .map_err(|_| Error::other("the system gives no random bytes"))?;
        join.id = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        write(state_dir, &join)?;
    }
    Ok(join)
}

/// The recovery succeeded.
pub fn done(state_dir: &Path, count: u64) -> Result<()> {
    write(state_dir, &Join { count, id: String::new() })
}

/// The host is enrolled anew: both sides count from the start.
pub fn forget(state_dir: &Path) -> Result<()> {
    match std::fs::remove_file(path(state_dir)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;

//! One agent per state directory: whoever listens on the socket has the seat.
//!
//! Owns: the socket's file. Must not: speak on it. A live socket means that an agent runs; one
//! nobody listens on is left over from a dead one and is removed. Where sockets cannot be made at
//! all the agent runs without this proof. Called by `main` and the console verbs.

use rustix::net::sockopt::socket_peercred;
use rustix::process::{Signal, kill_process_group};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Tries to take a seat while others come and go.
const TRIES_MAX: u32 = 5;
/// Only the owner may speak on the socket.
const MODE: u32 = 0o600;

/// The seat, or why it cannot be had for certain.
#[derive(Debug)]
pub enum Seat {
    /// Nobody else runs.
    Taken(UnixListener),
    /// Sockets cannot be made here: somebody else may run.
    Unknown {
        /// Why.
        detail: String,
    },
}

/// Somebody else has the seat.
#[derive(Debug, thiserror::Error)]
#[error("an agent runs already: {path} answers; use the console verbs to speak with it, or stop it first")]
pub struct Occupied {
    path: PathBuf,
}

/// Takes the seat.
pub fn take(path: &Path) -> Result<Seat, Occupied> {
    let mut last = String::new();
    for _ in 0..TRIES_MAX {
        match bind(path) {
            Ok(listener) => return Ok(Seat::Taken(listener)),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                if is_live(path) {
                    return Err(Occupied { path: path.to_owned() });
                }
                if let Err(error) = remove_stale(path)? {
                    last = error.to_string();
                }
            }
            Err(error) => last = error.to_string(),
        }
    }
    Ok(Seat::Unknown { detail: format!("{}: {last}", path.display()) })
}

fn bind(path: &Path) -> std::io::Result<UnixListener> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE))?;
    Ok(listener)
}

/// Whether somebody listens.
#[must_use]
pub fn is_live(path: &Path) -> bool {
    UnixStream::connect(path).is_ok()
}

/// Moves the file aside before it is removed: another process may have made a new one since.
fn remove_stale(path: &Path) -> Result<std::io::Result<()>, Occupied> {
    let aside = path.with_extension(format!("stale-{}", std::process::id()));
    if let Err(error) = std::fs::rename(path, &aside) {
        // Somebody else was faster.
        return Ok(if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) });
    }
    if is_live(&aside) {
        // Best effort: whoever made it must be found again.
        let _ = std::fs::rename(&aside, path);
        return Err(Occupied { path: path.to_owned() });
    }
    Ok(std::fs::remove_file(&aside))
}

/// Kills whoever has the seat, with all programs it started. Only for one that hangs.
pub fn evict(path: &Path) -> std::io::Result<i32> {
    let peer = socket_peercred(UnixStream::connect(path)?)?;
    kill_process_group(peer.pid, Signal::KILL)?;
    Ok(peer.pid.as_raw_nonzero().get())
}

#[cfg(test)]
mod tests;

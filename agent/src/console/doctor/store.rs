//! Whether the state directory keeps what it is given.

use super::{Check, Weight};
use crate::journal::write_durably;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Free space below which a change may find the disk full.
const FREE_BYTES_MIN: u64 = 32 * 1024 * 1024;
const PROBE: &str = "doctor.probe";
const KEEPS: &str = "the journal needs it: no order is taken without. Name another state_dir";

/// All checks of the directory.
pub(super) fn checks(dir: &Path) -> Vec<Check> {
    let probe = Probe(dir.join(PROBE));
    let made = std::fs::create_dir_all(dir).map(|()| dir.display().to_string());
    let mut checks = vec![
        Check::essential("state_dir", KEEPS, made.map_err(told)),
        Check::essential("state_write_fsync", KEEPS, write_and_sync(&probe.0).map_err(told)),
        Check::essential("state_rename", KEEPS, rename(&probe.0)),
        Check::useful("state_o_excl", "two processes could take one file for their own", exclusive(&probe.0)),
        Check::useful(
            "state_fsync_dir",
            "this file system cannot sync a directory: a power cut right after a rename may undo it",
            sync_dir(dir).map_err(told),
        ),
        free_space(dir),
    ];
    checks.push(persistence(dir));
    checks
}

struct Probe(PathBuf);

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
        let _ = std::fs::remove_file(self.0.with_extension("new"));
    }
}

fn told(error: std::io::Error) -> String {
    error.to_string()
}

fn write_and_sync(path: &Path) -> std::io::Result<String> {
    let mut file = File::create(path)?;
    file.write_all(b"probe")?;
    file.sync_all()?;
    Ok("written and synced".to_owned())
}

/// Rename over an existing file, and read back what is there then.
fn rename(path: &Path) -> Result<String, String> {
    write_durably(path, b"second").map_err(told)?;
    match std::fs::read(path).map_err(told)? {
        read if read == b"second" => Ok("replaces a file, read back".to_owned()),
        read => Err(format!("read back {} other bytes", read.len())),
    }
}

fn exclusive(path: &Path) -> Result<String, String> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok("refuses an existing file".to_owned()),
        Err(error) => Err(told(error)),
        Ok(_) => Err("made a file that was there".to_owned()),
    }
}

fn sync_dir(dir: &Path) -> std::io::Result<String> {
    File::open(dir)?.sync_all()?;
    Ok("works".to_owned())
}

fn free_space(dir: &Path) -> Check {
    const ID: &str = "state_free_space";
    const MEANING: &str =
        "a change is refused when the journal has no room: clean up or name another state_dir";
    match rustix::fs::statvfs(dir) {
        Err(error) => Check::unknown(ID, Weight::Useful, MEANING, error.to_string()),
        Ok(found) => {
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            let told = format!("{} MiB, {} files", free / 1024 / 1024, found.f_favail);
            Check::useful(ID, MEANING, if free < FREE_BYTES_MIN { Err(told) } else { Ok(told) })
        }
    }
}

/// Only a hint: what the real path says about surviving a reboot.
fn persistence(dir: &Path) -> Check {
    const ID: &str = "state_persistence";
    const MEANING: &str =
        "after a reboot an open change would be forgotten: use a volume, e.g. below /vmfs/volumes";
    let real = match dir.canonicalize() {
        Ok(real) => real,
        Err(error) => return Check::unknown(ID, Weight::Useful, MEANING, told(error)),
    };
    let shown = real.display().to_string();
    let below = |place: &str| real.starts_with(place);
    if ["/tmp", "/var/run", "/run", "/dev"].into_iter().any(below) {
        Check::useful(ID, MEANING, Err(format!("{shown} is a RAM disk on a host")))
    } else if below("/vmfs/volumes") {
        Check::useful(ID, MEANING, Ok(format!("{shown} is on a volume")))
    } else {
        Check::unknown(
            ID,
            Weight::Useful,
            MEANING,
            format!("{shown}: not known whether it survives a reboot"),
        )
    }
}

//! Where PostgreSQL's programs are, and how to get them.
//!
//! Owns the search and the installation by apt-get; starting the server is the parent module's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::account::is_root;
use crate::process::{find_program, succeeds};
use crate::report::Report;

/// Where Debian and Ubuntu keep the server programs of each major version.
const DEBIAN_VERSIONS_DIR: &str = "/usr/lib/postgresql";
const PACKAGE: &str = "postgresql";

/// What the search brought.
pub enum Found {
    /// The folder with `initdb` and `postgres`.
    Bin(PathBuf),
    /// Nothing, and it could not be installed; the text says what would do it.
    Missing(String),
}

/// Looks in `PATH` and Debian's folders; installs the package when we are root and apt-get is there.
pub fn find_or_install(report: &Report) -> anyhow::Result<Found> {
    if let Some(bin) = find() {
        return Ok(Found::Bin(bin));
    }
    let hint = format!("PostgreSQL is not installed: apt-get install {PACKAGE}");
    if find_program("apt-get").is_none() || !is_root()? {
        return Ok(Found::Missing(hint));
    }
    report.note(format_args!("PostgreSQL is missing, installing the package {PACKAGE}"));
    let updated = succeeds(Command::new("apt-get").args(["-q", "update"]), report)?;
    let installed = updated && succeeds(&mut install_command(), report)?;
    match find() {
        Some(bin) if installed => Ok(Found::Bin(bin)),
        _ => Ok(Found::Missing(format!("{hint} (tried, failed)"))),
    }
}

fn install_command() -> Command {
    let mut command = Command::new("apt-get");
    command.args(["-q", "install", "-y", "--no-install-recommends", PACKAGE]);
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn find() -> Option<PathBuf> {
    let in_path = find_program("initdb").and_then(|initdb| initdb.canonicalize().ok());
    let in_path = in_path.and_then(|initdb| initdb.parent().map(Path::to_path_buf));
    in_path.filter(|bin| has_server(bin)).or_else(|| newest_of(Path::new(DEBIAN_VERSIONS_DIR)).ok().flatten())
}

fn has_server(bin: &Path) -> bool {
    bin.join("initdb").is_file() && bin.join("postgres").is_file()
}

/// The `bin` folder of the highest major version below `dir`.
fn newest_of(dir: &Path) -> anyhow::Result<Option<PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
    let versions = entries.filter_map(Result::ok).filter_map(|entry| {
        let major: u32 = entry.file_name().to_str()?.parse().ok()?;
        let bin = entry.path().join("bin");
        has_server(&bin).then_some((major, bin))
    });
    Ok(versions.max().map(|(_, bin)| bin))
}

#[cfg(test)]
mod tests;

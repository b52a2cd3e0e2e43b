//! Child programs and the place of the workspace.
//!
//! Owns finding and running programs for the other modules. It must not know what they are run for.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::report::{Report, Style};

/// The folder of the workspace's `Cargo.toml`.
pub fn workspace_root() -> anyhow::Result<PathBuf> {
    let start = match env::var_os("CARGO_MANIFEST_DIR") {
        Some(dir) => PathBuf::from(dir),
        None => env::current_dir().context("cannot read the current directory")?,
    };
    for dir in start.ancestors() {
        if dir.join("xtask").join("Cargo.toml").is_file() {
            return Ok(dir.to_path_buf());
        }
    }
    bail!("{} is not inside the Pointsman workspace: run `cargo xtask` there", start.display())
}

/// The cargo that started us, working in the workspace.
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    // Set by the cargo that runs us; they describe xtask, not what is built next.
    for name in ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_PKG_NAME", "CARGO_PKG_VERSION"] {
        command.env_remove(name);
    }
    command
}

/// Whether the run is unattended, where nothing may be left out quietly.
pub fn in_ci() -> bool {
    env::var("CI").is_ok_and(|value| !value.is_empty() && value != "false" && value != "0")
}

/// Runs a program to its end without input. True when it succeeded. For programs its standard output joins the errors.
pub fn succeeds(command: &mut Command, report: &Report) -> anyhow::Result<bool> {
    command.stdin(Stdio::null());
    if report.style() == Style::Json {
        command.stdout(Stdio::from(io::stderr()));
    }
    let status = command.status().with_context(|| format!("cannot run {}", shown(command)))?;
    Ok(status.success())
}

/// Runs a program and returns what it wrote to standard output; its failure is an error with what it said.
pub fn output_of(command: &mut Command) -> anyhow::Result<String> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {}", shown(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{} ended with {}: {}", shown(command), output.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The first executable of this name in `PATH`.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(name)).find(|candidate| candidate.is_file())
}

/// A command as a person would type it, for messages.
pub fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

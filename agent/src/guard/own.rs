//! This program started by itself, in a process group of its own, for other ends than guarding.
//!
//! Must not: start a program of the host to change it; `host::runner` does. Called by the console.

use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::{OsStr, OsString};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};

/// A program that would run for long.
const LONG_PROGRAM: (&str, &str) = ("sleep", "60");
/// The signal that cannot be caught.
const KILLED: i32 = 9;

/// Runs this program once more with the same arguments and some more, so that it outlives the terminal.
pub fn again(more: &[&str]) -> std::io::Result<ExitStatus> {
    let mut arguments = std::env::args_os();
    let program: OsString = arguments.next().unwrap_or_default();
    Command::new(program).args(arguments).args(more).stdin(Stdio::null()).process_group(0).status()
}

/// Starts this program as the guard would, and gives what it prints.
pub fn version(program: &OsStr) -> Result<String, String> {
    let shown = program.to_string_lossy();
    let output = Command::new(program)
        .arg("version")
        .stdin(Stdio::null())
        .process_group(0)
        .output()
        .map_err(|error| format!("{shown}: {error}"))?;
    let printed = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && printed.starts_with("pointsman-agent") {
        Ok(format!("{shown} prints `{printed}`"))
    } else {
        Err(format!("{shown} ended with {} and printed `{printed}`", output.status))
    }
}

/// Starts something that would run for long and kills its group; none when there is nothing to start.
pub fn group_is_killed() -> Option<Result<(), String>> {
    let (program, argument) = LONG_PROGRAM;
    let mut child = Command::new(program)
        .arg(argument)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .ok()?;
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let killed = match group.map(|group| kill_process_group(group, Signal::KILL)) {
        Some(Ok(())) => Ok(()),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("the process has no number".to_owned()),
    };
    if killed.is_err() {
        // Nothing may be left behind.
        let _ = child.kill();
    }
    let ended = child.wait().map_err(|error| error.to_string());
    Some(killed.and(ended).and_then(|status| match status.signal() {
        Some(KILLED) => Ok(()),
        _ => Err(format!("a killed program ended with {status}")),
    }))
}

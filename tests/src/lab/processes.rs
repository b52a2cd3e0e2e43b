//! Processes of other processes: who started whom, and signals for them. Linux only, as all of the lab.

use anyhow::{Context, ensure};
use std::fs;
use std::process::Command;

/// Processes that this one started and that are not dead yet.
pub(super) fn children(parent: u32) -> anyhow::Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").context("/proc cannot be listed")?.flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // It may have ended in between.
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name in parentheses may hold anything; what counts stands behind it.
        let Some((_, fields)) = stat.rsplit_once(") ") else { continue };
        let mut fields = fields.split(' ');
        let state = fields.next().unwrap_or_default();
        if state != "Z" && fields.next().and_then(|ppid| ppid.parse().ok()) == Some(parent) {
            found.push(id);
        }
    }
    Ok(found)
}

/// Whether a process is there and not dead.
pub(super) fn is_alive(id: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, fields)| !fields.starts_with('Z'))
}

/// Sends a signal to one process.
pub(super) fn signal(id: u32, name: &str) -> anyhow::Result<()> {
    kill(name, &id.to_string())
}

/// Sends a signal to a process group.
pub(super) fn signal_group(id: u32, name: &str) -> anyhow::Result<()> {
    kill(name, &format!("-{id}"))
}

fn kill(name: &str, target: &str) -> anyhow::Result<()> {
    let output =
        Command::new("kill").args(["-s", name, "--", target]).output().context("kill cannot be run")?;
    ensure!(
        output.status.success(),
        "kill -{name} {target}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

//! The verb `describe`: a host description out of a folder of recorded esxcli outputs.
//!
//! Owns reading the folder and telling which recordings were of no use; what an output means is `esxcli`'s business. The result feeds
//! the simulator and `pointsman plan --host-file`.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

use crate::Outcome;
use crate::report::{Report, Style};

/// The largest recording that is read; the largest real ones have some hundred kilobytes.
const RECORDING_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Assembles the recordings in `dir` and writes the description to `out`, or prints it.
pub fn run(dir: &Path, out: Option<&Path>, report: &Report) -> anyhow::Result<Outcome> {
    let files = read_recordings(dir, report)?;
    let (network, problems) = esxcli::recordings::assemble_from_recordings(&files);
    for problem in &problems {
        report.note(problem);
    }
    if problems.len() >= files.len() {
        bail!("no file in {} is a usable recording; names look like network-nic-list.xml", dir.display());
    }
    let text = match report.style() {
        Style::People => serde_json::to_string_pretty(&network)?,
        Style::Json => serde_json::to_string(&network)?,
    };
    match out {
        None => report.result(&text),
        Some(path) => {
            fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    report.note(format_args!("{} recordings read, {} of no use", files.len(), problems.len()));
    Ok(Outcome::Passed)
}

/// Name and text of every file in the folder, by name.
fn read_recordings(dir: &Path, report: &Report) -> anyhow::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))? {
        let entry = entry.with_context(|| format!("cannot list {}", dir.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let facts = entry.metadata().with_context(|| format!("cannot look at {name}"))?;
        if !facts.is_file() || name.starts_with('.') {
            continue;
        }
        if facts.len() > RECORDING_BYTES_MAX {
            report.note(format_args!("{name}: left out, larger than {RECORDING_BYTES_MAX} bytes"));
            continue;
        }
        let bytes = fs::read(entry.path()).with_context(|| format!("cannot read {name}"))?;
        files.push((name, String::from_utf8_lossy(&bytes).into_owned()));
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests;

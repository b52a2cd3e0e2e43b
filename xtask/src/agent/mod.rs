//! The verb `agent`: builds the agent as it is shipped and proves that the result is static and small.
//!
//! Owns the recipe (flags, profile) of docs/adr/0004; it is the only place that sets them. The target is chosen by `target`.

mod elf;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail};
use serde::Serialize;

use crate::Outcome;
use crate::process::{cargo, shown};
use crate::report::Report;
use crate::target::{self, static_target};

const PROGRAM: &str = "pointsman-agent";
/// The largest agent we ship.
const SIZE_BYTES_MAX: u64 = 5 * 1024 * 1024;
/// No dynamic loader, a plain executable; and mio by poll and pipe, which every kernel has, instead of epoll and eventfd.
const FLAGS: &str = "-C target-feature=+crt-static -C relocation-model=static \
     --cfg mio_unsupported_force_poll_poll --cfg mio_unsupported_force_waker_pipe";

#[derive(Serialize)]
struct Built<'a> {
    path: &'a Path,
    bytes: u64,
    target: &'a str,
    #[serde(rename = "static")]
    is_static: bool,
}

/// Builds, checks, prints, and copies to `out` when asked.
pub fn run(root: &Path, out: Option<&Path>, report: &Report) -> anyhow::Result<Outcome> {
    let target = static_target(report);
    let mut path = build(root, target)?;
    if let Some(dir) = out {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let copy = dir.join(PROGRAM);
        fs::copy(&path, &copy).with_context(|| format!("cannot copy the agent to {}", copy.display()))?;
        path = copy;
    }
    let image = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let needs_loader = elf::has_interpreter(&image).with_context(|| format!("{}", path.display()))?;
    let bytes = u64::try_from(image.len()).context("the agent is too large to measure")?;
    report.object(&Built { path: &path, bytes, target, is_static: !needs_loader })?;
    report.line(format_args!("{}  {bytes} bytes  {target}", path.display()));
    let mut outcome = Outcome::Passed;
    if needs_loader {
        report.note(
            "the agent is not static: it asks for a dynamic loader (PT_INTERP), which ESXi may not offer",
        );
        outcome = Outcome::Failed;
    }
    if bytes > SIZE_BYTES_MAX {
        report.note(format_args!("the agent has {bytes} bytes, {SIZE_BYTES_MAX} are allowed"));
        outcome = Outcome::Failed;
    }
    Ok(outcome)
}

fn build(root: &Path, target: &str) -> anyhow::Result<PathBuf> {
    let mut command = cargo(root);
    command.args(["build", "-p", "agent", "--bin", PROGRAM, "--profile", "agent", "--target", target]);
    command.arg("--message-format=json-render-diagnostics");
    let flags = match env::var("RUSTFLAGS") {
        Ok(own) => format!("{own} {FLAGS}"),
        Err(_) => FLAGS.to_owned(),
    };
    command.env("RUSTFLAGS", flags).env_remove("CARGO_ENCODED_RUSTFLAGS");
    if let Some((name, compiler)) = target::c_compiler(target) {
        command.env(name, compiler);
    }
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {}", shown(&command)))?;
    if !output.status.success() {
        bail!("the agent does not build: {} ended with {}", shown(&command), output.status);
    }
    executable_in(&String::from_utf8_lossy(&output.stdout))
        .with_context(|| format!("cargo named no executable {PROGRAM}"))
}

/// The program's path in cargo's JSON messages.
fn executable_in(messages: &str) -> Option<PathBuf> {
    messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let path = PathBuf::from(message.get("executable")?.as_str()?);
        path.file_name().is_some_and(|name| name == PROGRAM).then_some(path)
    })
}

#[cfg(test)]
mod tests;

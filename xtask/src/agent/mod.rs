//! The verb `agent`: builds the agent as it is shipped and proves that the result is static and small.
//!
//! Owns the recipe (target, flags, C compiler) of docs/adr/0004; it is the only place that sets them. musl first; where its standard
//! library cannot be had, static glibc with a loud note.

mod elf;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde::Serialize;

use crate::Outcome;
use crate::process::{cargo, find_program, output_of, shown};
use crate::report::Report;

const PROGRAM: &str = "pointsman-agent";
const MUSL: &str = "x86_64-unknown-linux-musl";
const GNU: &str = "x86_64-unknown-linux-gnu";
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
    let target = choose_target(report);
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

/// musl where its standard library is installed or can be added.
fn choose_target(report: &Report) -> &'static str {
    if std_installed(MUSL) {
        return MUSL;
    }
    report.note(format_args!("adding the target {MUSL}"));
    match output_of(Command::new("rustup").args(["target", "add", MUSL])) {
        Ok(_) => MUSL,
        Err(error) => {
            report.note(format_args!("WARNING: {error:#}"));
            report.note(format_args!(
                "WARNING: building for {GNU} with a static glibc instead: fit for trials, ship the {MUSL} build"
            ));
            GNU
        }
    }
}

/// Whether this compiler has the standard library of a target.
fn std_installed(target: &str) -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let asked = output_of(Command::new(rustc).args(["--print", "target-libdir", "--target", target]));
    asked.is_ok_and(|dir| Path::new(dir.trim()).is_dir())
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
    if let Some((name, compiler)) = c_compiler(target) {
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

/// ring's C needs nothing of a C library, so that the plain `cc` serves for musl where no musl compiler is installed.
fn c_compiler(target: &str) -> Option<(&'static str, &'static str)> {
    const NAME: &str = "CC_x86_64_unknown_linux_musl";
    let wanted = target == MUSL && env::var_os(NAME).is_none() && find_program("musl-gcc").is_none();
    wanted.then_some((NAME, "cc"))
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

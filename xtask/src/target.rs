//! The static target: musl, where its standard library is installed or can be added.
//!
//! Owns the choice of target and of the C compiler for it. It must not build. Called by the verbs `agent`, `demo` and `bench`.

use std::env;
use std::path::Path;
use std::process::Command;

use crate::process::{find_program, output_of};
use crate::report::Report;

/// Static programs on any Linux kernel.
pub const MUSL: &str = "x86_64-unknown-linux-musl";
const GNU: &str = "x86_64-unknown-linux-gnu";

/// musl, or else static glibc with a loud note: a static program in any case.
pub fn static_target(report: &Report) -> &'static str {
    match add_musl(report) {
        Ok(()) => MUSL,
        Err(error) => {
            report.note(format_args!("WARNING: {error:#}"));
            report.note(format_args!(
                "WARNING: building for {GNU} with a static glibc instead: fit for trials, ship the {MUSL} build"
            ));
            GNU
        }
    }
}

/// Makes sure that musl's standard library is there.
pub fn add_musl(report: &Report) -> anyhow::Result<()> {
    if std_installed(MUSL) {
        return Ok(());
    }
    report.note(format_args!("adding the target {MUSL}"));
    output_of(Command::new("rustup").args(["target", "add", MUSL])).map(|_| ())
}

/// Whether this compiler has the standard library of a target.
fn std_installed(target: &str) -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let asked = output_of(Command::new(rustc).args(["--print", "target-libdir", "--target", target]));
    asked.is_ok_and(|dir| Path::new(dir.trim()).is_dir())
}

/// ring's C needs nothing of a C library, so that the plain `cc` serves for musl where no musl compiler is installed.
pub fn c_compiler(target: &str) -> Option<(&'static str, &'static str)> {
    const NAME: &str = "CC_x86_64_unknown_linux_musl";
    let wanted = target == MUSL && env::var_os(NAME).is_none() && find_program("musl-gcc").is_none();
    wanted.then_some((NAME, "cc"))
}

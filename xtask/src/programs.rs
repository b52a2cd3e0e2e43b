//! The programs of a lab: coordinator, agent and simulator, built as they are needed.
//!
//! Owns which packages are built and where their programs land. It must not run them. Called by the verbs `demo` and `bench`.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::ensure;

use crate::process::{cargo, succeeds};
use crate::report::Report;
use crate::target::{MUSL, add_musl};

/// How the programs are compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// As for tests: quick to build.
    Dev,
    /// As shipped: quick to run.
    Release,
}

/// Where built programs are.
#[derive(Debug)]
pub struct Built {
    /// Folder of coordinator, agent and simulator.
    pub folder: PathBuf,
    /// The simulated esxcli. A demo starts it thousands of times: a static one starts in a quarter of the time.
    pub esxcli: PathBuf,
}

/// The folder all builds share.
pub fn target_folder(root: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir))
}

/// Builds all of them.
pub fn build(root: &Path, profile: Profile, report: &Report) -> anyhow::Result<Built> {
    let packages = ["-p", "coordinator", "-p", "agent", "-p", "simulator", "--bins"];
    run(root, profile, &packages, report)?;
    let name = match profile {
        Profile::Dev => "debug",
        Profile::Release => "release",
    };
    let folder = target_folder(root).join(name);
    let esxcli = match add_musl(report) {
        Ok(()) => {
            run(root, profile, &["-p", "simulator", "--bin", "esxcli", "--target", MUSL], report)?;
            target_folder(root).join(MUSL).join(name).join("esxcli")
        }
        Err(error) => {
            report.note(format_args!("the simulated esxcli is not static and starts more slowly: {error:#}"));
            folder.join("esxcli")
        }
    };
    Ok(Built { folder, esxcli })
}

fn run(root: &Path, profile: Profile, arguments: &[&str], report: &Report) -> anyhow::Result<()> {
    let mut command = cargo(root);
    command.args(["build", "--quiet"]).args(arguments);
    if profile == Profile::Release {
        command.arg("--release");
    }
    ensure!(succeeds(&mut command, report)?, "the programs could not be built");
    Ok(())
}

//! Where the real programs are, and how they are run to the end.

use anyhow::{Context, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The four programs of a lab.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The coordinator and the operator's verbs.
    pub pointsman: PathBuf,
    /// The agent.
    pub agent: PathBuf,
    /// The simulated esxcli.
    pub esxcli: PathBuf,
    /// The simulator's own program.
    pub simulator: PathBuf,
}

impl Programs {
    /// The programs in a folder of built binaries, e.g. `target/debug`.
    ///
    /// # Errors
    /// When one is missing: it names the command that builds it.
    pub fn in_folder(folder: &Path) -> anyhow::Result<Self> {
        let folder =
            folder.canonicalize().with_context(|| format!("there is no folder {}", folder.display()))?;
        let find = |name: &str, package: &str| {
            let path = folder.join(name);
            if path.is_file() {
                Ok(path)
            } else {
                bail!("{} is missing: run `cargo build -p {package}`", path.display())
            }
        };
        Ok(Self {
            pointsman: find("pointsman", "coordinator")?,
            agent: find("pointsman-agent", "agent")?,
            esxcli: find("esxcli", "simulator")?,
            simulator: find("pointsman-sim", "simulator")?,
        })
    }

    /// The programs beside the running test or tool, in the same target folder.
    ///
    /// # Errors
    /// When one is missing.
    pub fn beside_this_program() -> anyhow::Result<Self> {
        let mut folder = std::env::current_exe().context("this program does not know where it is")?;
        folder.pop();
        if folder.ends_with("deps") {
            folder.pop();
        }
        Self::in_folder(&folder)
    }

    /// Runs `pointsman` to the end and gives what it printed.
    ///
    /// # Errors
    /// When it exits other than 0.
    pub fn pointsman(&self, arguments: &[&str]) -> anyhow::Result<String> {
        run(&self.pointsman, arguments)
    }

    /// Runs a verb of `pointsman` that says with exit code 1 that it found something, and gives what it printed.
    ///
    /// # Errors
    /// When it exits other than 0 or 1.
    pub fn pointsman_finding(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output =
            Command::new(&self.pointsman).args(arguments).output().context("pointsman cannot be run")?;
        match output.status.code() {
            Some(1) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            _ => printed(&self.pointsman, arguments, &output),
        }
    }

    /// Runs `pointsman-sim` to the end and gives what it printed.
    ///
    /// # Errors
    /// When it exits other than 0.
    pub fn simulator(&self, arguments: &[&str]) -> anyhow::Result<String> {
        run(&self.simulator, arguments)
    }
}

/// Runs a program to the end and gives what it printed.
pub(crate) fn run(program: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.with_context(|| format!("{} cannot be run", program.display()))?;
    printed(program, arguments, &output)
}

/// What a program printed, when it exited with 0.
pub(crate) fn printed(program: &Path, arguments: &[&str], output: &Output) -> anyhow::Result<String> {
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    bail!("`{name} {}` ended with {}:\n{stdout}{stderr}", arguments.join(" "), output.status)
}

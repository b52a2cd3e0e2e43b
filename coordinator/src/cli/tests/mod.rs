//! Verbs on outputs in memory, and the online ones against a real router on a local port.

mod approval;
mod offline;
mod online;
mod people;

use super::run_on;
use super::screen::Surface;
use std::path::{Path, PathBuf};

/// What a run printed, and its exit code.
pub struct Ran {
    pub code: u8,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {} {}", self.out, self.err))
    }
}

/// Runs `pointsman` with these arguments.
pub fn pointsman(arguments: &[&str]) -> Ran {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let arguments = std::iter::once("pointsman").chain(arguments.iter().copied()).map(Into::into);
    let code = run_on(arguments, Surface::Plain, &mut out, &mut err);
    Ran { code, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
}

pub fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/tests/cases").join(name)
}

//! One measured number, and where it was measured.

use serde_json::{Value, json};
use std::fs;
use std::process::Command;

/// A measured number.
#[derive(Debug)]
pub struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
    target: Option<f64>,
    detail: String,
}

impl Figure {
    /// A number without a promise.
    pub fn new(name: &'static str, value: f64, unit: &'static str) -> Self {
        Self { name, value, unit, target: None, detail: String::new() }
    }

    /// The number must not be larger than this.
    pub fn at_most(mut self, target: f64) -> Self {
        self.target = Some(target);
        self
    }

    /// What was measured, in words.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Whether the promise is kept; true without one.
    pub fn is_met(&self) -> bool {
        self.target.is_none_or(|target| self.value <= target)
    }

    /// The line that is printed.
    pub fn line(&self, bench: &str, origin: &Origin) -> Value {
        let mut line = json!({
            "bench": bench,
            "figure": self.name,
            "value": self.value,
            "unit": self.unit,
            "machine": origin.machine,
            "commit": origin.commit,
        });
        if let Some(target) = self.target {
            line["target"] = json!(target);
            line["met"] = json!(self.is_met());
        }
        if !self.detail.is_empty() {
            line["detail"] = json!(self.detail);
        }
        line
    }
}

/// The machine and the commit a number belongs to.
#[derive(Debug)]
pub struct Origin {
    machine: String,
    commit: String,
}

impl Origin {
    /// This machine and the commit checked out here.
    pub fn here() -> Self {
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let model = model.map_or("unknown processor", |(_, model)| model.trim());
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            machine: format!("{cores} cores, {model}"),
            commit: commit().unwrap_or_else(|| "unknown".to_owned()),
        }
    }
}

/// The short commit; `+` behind it when files differ from it.
fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short", "HEAD"])?;
    let changed = git(&["status", "--porcelain"]).is_some_and(|files| !files.is_empty());
    Some(if changed { commit + "+" } else { commit })
}

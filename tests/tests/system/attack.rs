//! A part of `cargo xtask attack`: everything is refused as expected, on record, and changes no host.

use serde_json::Value;
use std::process::Command;

/// Runs attacks whose name begins so; gives the summary.
fn attacked(only: &str) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_attack")).args(["--only", only]).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}{errors}");
    let last = printed.lines().last().unwrap();
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

#[test]
fn an_evil_agent_gets_nowhere_and_leaves_a_trace() {
    let summary = attacked("agent_");
    assert!(summary["attacks"].as_u64().is_some_and(|attacks| attacks >= 55), "{summary}");
    assert_eq!((&summary["mutations"], &summary["unaudited"]), (&0.into(), &0.into()), "{summary}");
    assert_eq!(summary["controls"][0]["good"], true, "{summary}");
}

//! The verb `rules`: proves the best-practice rules on clean fleets and mutants, and tells what cannot be decided.
//!
//! Owns: the lines for people and the verdict. The fleets, the mutants and the counting are the test program `rules` of
//! the crate `engine`. Called by `main`.

use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use crate::Outcome;
use crate::process::{cargo, output_of};
use crate::report::{Report, Style};

/// Runs the proof. Missed mutants and false alarms fail the verb.
pub fn run(root: &Path, report: &Report) -> anyhow::Result<Outcome> {
    let mut command = cargo(root);
    command.args([
        "test",
        "--quiet",
        "-p",
        "engine",
        "--test",
        "rules",
        "--",
        "--nocapture",
        "--exact",
        "report",
    ]);
    let printed = output_of(&mut command)?;
    let proof = report_in(&printed)?;
    match report.style() {
        Style::Json => report.result(&proof.to_string()),
        Style::People => show(&proof, report),
    }
    Ok(if is_kept(&proof) { Outcome::Passed } else { Outcome::Failed })
}

/// The line of JSON among what the test program printed.
fn report_in(printed: &str) -> anyhow::Result<Value> {
    let line = printed.lines().find(|line| line.starts_with('{')).context("the proof printed no report")?;
    serde_json::from_str(line).with_context(|| format!("the proof printed: {line}"))
}

fn is_kept(proof: &Value) -> bool {
    proof["missed"] == 0 && proof["false_alarms"] == 0 && proof["mutants"].as_u64() > Some(0)
}

fn show(proof: &Value, report: &Report) {
    for line in proof["rules"].as_array().into_iter().flatten() {
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        report.line(format_args!(
            "{:<9} {:<8} {:>5} mutants {:>4} missed  {}",
            text("rule"),
            text("severity"),
            line["mutants"],
            line["missed"],
            text("title")
        ));
    }
    for line in proof["not_decidable"].as_array().into_iter().flatten() {
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        report.line(format_args!("{:<9} not decidable: {}", text("rule"), text("missing")));
    }
    report.line(format_args!(
        "{} rules with {} mutants, {} missed; {} clean fleets, {} false alarms",
        proof["rules_implemented"],
        proof["mutants"],
        proof["missed"],
        proof["clean_states"],
        proof["false_alarms"]
    ));
}

#[cfg(test)]
mod tests;

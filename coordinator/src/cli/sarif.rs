//! Findings as SARIF 2.1.0, so that forges and editors show them on lines. Must not: judge. Called by `check`.

use engine::rules::{foreign, rule};
use model::{Finding, Severity};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The log of one run.
pub fn log(findings: &[Finding]) -> Value {
    let ids: BTreeMap<&str, usize> = findings.iter().map(|finding| (finding.rule.as_str(), 0)).collect();
    let ids: BTreeMap<&str, usize> = ids.into_keys().zip(0..).collect();
    let rules: Vec<Value> = ids.keys().map(|id| descriptor(id)).collect();
    let results: Vec<Value> = findings.iter().map(|finding| result(finding, &ids)).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "pointsman",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

/// SARIF knows three levels; a blocker is an error that no waiver lets through.
fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "note",
        Severity::Warning => "warning",
        Severity::Error | Severity::Blocker => "error",
    }
}

fn descriptor(id: &str) -> Value {
    match rule(id) {
        Some(rule) => json!({
            "id": id,
            "shortDescription": {"text": rule.title},
            "fullDescription": {"text": rule.why},
            "help": {"text": format!("{} Sources: {}.", rule.fix, rule.sources)},
            "defaultConfiguration": {"level": level(rule.severity)},
        }),
        None => {
            let about = foreign().find(|foreign| foreign.id == id).map_or("", |foreign| foreign.about);
            json!({"id": id, "shortDescription": {"text": if about.is_empty() { id } else { about }}})
        }
    }
}

fn result(finding: &Finding, ids: &BTreeMap<&str, usize>) -> Value {
    let host = finding.host.as_ref().map(|host| format!("{host}: ")).unwrap_or_default();
    let hint = finding.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
    let mut result = json!({
        "ruleId": finding.rule,
        "ruleIndex": ids.get(finding.rule.as_str()),
        "level": level(finding.severity),
        "message": {"text": format!("{host}{}{hint}", finding.message)},
        "properties": {"severity": finding.severity.as_str()},
    });
    if let Some(span) = &finding.span {
        result["locations"] = json!([{"physicalLocation": {
            "artifactLocation": {"uri": span.file},
            "region": {"startLine": span.line, "startColumn": span.column},
        }}]);
        // Lines move; file, rule, object and value tell the same finding again.
        let print =
            [&span.file, &finding.rule, &finding.object, &finding.value].map(String::as_str).join("|");
        result["partialFingerprints"] = json!({"pointsman/v1": print});
    }
    result
}

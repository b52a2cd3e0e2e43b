//! Findings for people and programs: one line each, a summary, and the exit code. Called by `check`, `plan`, `import`.

use super::failure::CliError;
use super::screen::{Screen, printable};
use engine::documents::sort_findings;
use engine::rules::Judged;
use model::{Finding, Severity};

/// Sorts findings by place, takes out repetitions, and counts the errors.
pub fn settle(findings: &mut Vec<Finding>) -> usize {
    sort_findings(findings);
    findings.dedup();
    findings.iter().filter(|finding| finding.is_error()).count()
}

/// Prints every finding as `file:line:column: error[RULE]: message; hint`.
pub fn print(findings: &[Finding], screen: &mut Screen<'_>) -> Result<(), CliError> {
    for finding in findings {
        screen.line(printable(&finding.to_string()))?;
    }
    Ok(())
}

/// `2 errors, 1 warning`.
pub fn counted(findings: &[Finding]) -> String {
    let of = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let errors = plural(of(Severity::Error) + of(Severity::Blocker), "error");
    format!("{errors}, {}", plural(of(Severity::Warning), "warning"))
}

/// What the best-practice rules leave beside the findings: `; 3 already there; 1 waived; 40 rules not decided here`.
pub fn beside(judged: &Judged) -> String {
    let parts = [
        (judged.already.len(), "already there"),
        (judged.waived.len(), "waived"),
        (judged.unknown.len(), "rules not decided here"),
    ];
    let said = parts.into_iter().filter(|(count, _)| *count > 0);
    said.map(|(count, words)| format!("; {count} {words}")).collect()
}

/// `1 host`, `2 hosts`.
pub fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

//! The review on a terminal: everything, in plain text.

use super::super::{ReviewFacts, plural};
use super::escape::visible;
use super::hosts;
use model::Disruption;

/// The review as lines.
#[must_use]
pub fn terminal(facts: &ReviewFacts) -> String {
    let mut lines = vec![format!("{}: {}", facts.subject.name, facts.headline())];
    if let (Some(head), Some(main)) = (&facts.subject.head, &facts.subject.main) {
        lines.push(format!("commit {head} merged with {main}"));
    }
    lines.extend(facts.rfc.iter().map(|rfc| format!("brings {rfc}")));
    lines.extend(facts.carried());
    lines.extend(facts.conflicts.iter().map(|path| format!("changed on both sides: {path}")));
    for folded in &facts.findings {
        let on = if folded.hosts.is_empty() { String::new() } else { format!(" [{}]", hosts(&folded.hosts)) };
        lines.push(format!("{}{on}", folded.finding));
    }
    for class in &facts.classes {
        lines.push(String::new());
        let steps = plural(class.steps.len(), "step");
        lines.push(format!("{}: {steps}, worst disruption {}", hosts(&class.hosts), class.disruption));
        for (number, step) in class.steps.iter().enumerate() {
            let mark = match step.disruption {
                Disruption::None => String::new(),
                worse => format!("  # {worse}"),
            };
            lines.push(format!("  {:>3}. {}{mark}", number + 1, step.esxcli));
        }
    }
    if let Some(schedule) = facts.schedule.as_ref().filter(|_| facts.hosts_changed > 0) {
        lines.push(String::new());
        for (number, wave) in schedule.waves.iter().enumerate() {
            lines.push(format!("wave {}: {}: {}", number + 1, plural(wave.len(), "host"), hosts(wave)));
        }
    }
    if !facts.touched.is_empty() {
        lines.push(String::new());
    }
    for touched in &facts.touched {
        let users =
            if touched.vmks.is_empty() { String::new() } else { format!(", {}", touched.vmks.join(", ")) };
        lines.push(format!(
            "touches {} {} on {}, disruption {}: {}{users}",
            touched.kind,
            touched.name,
            plural(touched.hosts, "host"),
            touched.disruption,
            plural(touched.vms, "VM"),
        ));
    }
    if !facts.unknown.is_empty() {
        lines.push(String::new());
    }
    lines.extend(facts.unknown.iter().map(|sentence| format!("not known: {sentence}")));
    let safe = lines.iter().map(|line| visible(line).collect::<String>());
    safe.collect::<Vec<_>>().join("\n")
}

//! The comment of a pull request. The verdict comes first; what does not fit is counted, not cut in half.

use super::super::{FoldedFinding, PlanClass, ReviewFacts, Schedule, plural};
use super::escape::{code_span, fenced, inline};
use super::{hosts, said};
use model::{Disruption, Severity};

/// Characters of a comment: far below the smallest limit of any forge (GitHub: 65,536).
pub const COMMENT_CHARS_MAX: usize = 29_900;
/// Characters that findings may take.
const FINDINGS_CHARS: usize = 9_000;
/// Characters that everything after the plans may take.
const TAIL_CHARS: usize = 7_000;
/// Characters of one text of somebody else.
const TEXT_CHARS: usize = 400;
/// Calls shown of one plan.
const STEPS_SHOWN_MAX: usize = 60;
/// Characters of one call.
const STEP_CHARS: usize = 400;
/// Touched objects shown.
const TOUCHED_SHOWN_MAX: usize = 15;
/// Adapters shown of a touched object.
const VMKS_SHOWN_MAX: usize = 6;
/// Waves shown.
const WAVES_SHOWN_MAX: usize = 12;

/// The comment.
#[must_use]
pub fn comment(facts: &ReviewFacts) -> String {
    let mut page = Page::new(COMMENT_CHARS_MAX);
    page.add(&head(facts));
    page.add(&findings(&facts.findings));
    let tail = tail(facts);
    plans(&mut page, &facts.classes, tail.chars().count());
    page.add(&tail);
    page.text
}

/// Text that stays below a length.
struct Page {
    text: String,
    left: usize,
}

impl Page {
    fn new(left: usize) -> Self {
        Self { text: String::new(), left }
    }

    /// Adds a piece whole or not at all.
    fn add(&mut self, piece: &str) -> bool {
        let length = piece.chars().count();
        let fits = length <= self.left;
        if fits {
            self.left -= length;
            self.text.push_str(piece);
        }
        fits
    }
}

fn head(facts: &ReviewFacts) -> String {
    let subject = &facts.subject;
    let mut title = format!("## Pointsman: {}", said(facts.verdict));
    if facts.hosts_changed > 0 {
        let hosts = plural(facts.hosts_changed, "host");
        title.push_str(&format!(" \u{2014} {hosts}, worst disruption `{}`", facts.disruption));
    }
    let mut text = format!("{title}\n\n");
    if let (Some(head), Some(main)) = (&subject.head, &subject.main) {
        text.push_str(&format!("Commit {} merged with {}", commit(head), commit(main)));
        if facts.hosts_named > 0 {
            text.push_str(&format!("; {} named", plural(facts.hosts_named, "host")));
        }
        text.push_str(".\n");
    }
    if let Some(rfc) = &facts.rfc {
        text.push_str(&format!("Brings {}.\n", inline(&short(rfc, TEXT_CHARS))));
    }
    if let Some(carried) = facts.carried() {
        text.push_str(&format!("{carried}.\n"));
    }
    if facts.disruption > facts.disruption_allowed && facts.hosts_changed > 0 {
        text.push_str(&format!("Allowed is at most `{}`.\n", facts.disruption_allowed));
    }
    if facts.conflict_count > 0 {
        let count = plural(facts.conflict_count, "file");
        text.push_str(&format!(
            "\n{count} changed here and on the branch; bring the branch in and decide:\n"
        ));
        for path in &facts.conflicts {
            text.push_str(&format!("- {}\n", code_span(&short(path, TEXT_CHARS))));
        }
    }
    text
}

fn commit(name: &str) -> String {
    code_span(&name.chars().take(12).collect::<String>())
}

fn findings(found: &[FoldedFinding]) -> String {
    if found.is_empty() {
        return String::new();
    }
    let mut page = Page::new(FINDINGS_CHARS);
    page.add("\n### Findings\n\n| | Rule | Where | What | Hosts |\n|---|---|---|---|---|\n");
    for (at, folded) in found.iter().enumerate() {
        if !page.add(&finding_row(folded)) {
            let left = plural(found.len() - at, "finding");
            return format!("{}\n{left} more: `pointsman review` shows all.\n", page.text);
        }
    }
    page.text
}

fn finding_row(folded: &FoldedFinding) -> String {
    let finding = &folded.finding;
    let word = match finding.severity {
        Severity::Error => "**error**",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    let place =
        finding.span.as_ref().map(|span| inline(&short(&span.to_string(), TEXT_CHARS))).unwrap_or_default();
    let hint = finding
        .hint
        .as_ref()
        .map(|hint| format!("<br>{}", inline(&short(hint, TEXT_CHARS))))
        .unwrap_or_default();
    let message = inline(&short(&finding.message, TEXT_CHARS));
    let on = if folded.hosts.is_empty() {
        String::new()
    } else {
        format!("{}: {}", folded.hosts.len(), inline(&hosts(&folded.hosts)))
    };
    format!("| {word} | {} | {place} | {message}{hint} | {on} |\n", inline(&short(&finding.rule, 40)))
}

/// Plans by class, as many as fit when `reserved` characters are kept free.
fn plans(page: &mut Page, classes: &[PlanClass], reserved: usize) {
    const MORE_CHARS: usize = 120;
    if classes.is_empty() {
        return;
    }
    let kept = reserved + MORE_CHARS;
    let held = page.left.min(kept);
    page.left -= held;
    page.add("\n### Plan\n");
    let mut shown = 0;
    for class in classes {
        if !page.add(&plan(class, shown == 0)) {
            break;
        }
        shown += 1;
    }
    page.left += held;
    if shown < classes.len() {
        let hosts: usize = classes.iter().skip(shown).map(|class| class.hosts.len()).sum();
        let rest = plural(classes.len() - shown, "more plan");
        page.add(&format!("\n{rest} on {}: `pointsman review` shows all.\n", plural(hosts, "host")));
    }
}

fn plan(class: &PlanClass, first: bool) -> String {
    let mark = |disruption: Disruption| match disruption {
        Disruption::None => String::new(),
        worse => format!("  # {worse}"),
    };
    let mut lines: Vec<String> = class
        .steps
        .iter()
        .take(STEPS_SHOWN_MAX)
        .map(|step| format!("{}{}", short(&step.esxcli, STEP_CHARS), mark(step.disruption)))
        .collect();
    if class.steps.len() > STEPS_SHOWN_MAX {
        lines.push(format!("# {} more", class.steps.len() - STEPS_SHOWN_MAX));
    }
    let same = if class.hosts.len() > 1 { "the same " } else { "" };
    format!(
        "\n<details{}><summary>{}: {same}{}, worst disruption {}</summary>\n\n{}\n\n{}\n</details>\n",
        if first { " open" } else { "" },
        plural(class.hosts.len(), "host"),
        plural(class.steps.len(), "step"),
        class.disruption,
        format_args!("Hosts: {}", inline(&hosts(&class.hosts))),
        fenced(lines.iter().map(String::as_str)),
    )
}

/// Everything after the plans.
fn tail(facts: &ReviewFacts) -> String {
    let mut page = Page::new(TAIL_CHARS);
    if let Some(schedule) = facts.schedule.as_ref().filter(|_| facts.hosts_changed > 0) {
        page.add(&rollout(schedule));
    }
    if !facts.touched.is_empty() {
        page.add(
            "\n### Blast radius\n\n| Object | Hosts | Disruption | VMs | Adapters |\n|---|---|---|---|---|\n",
        );
        for touched in facts.touched.iter().take(TOUCHED_SHOWN_MAX) {
            let more = touched.vmks.len().saturating_sub(VMKS_SHOWN_MAX);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let vmks: Vec<&str> = touched.vmks.iter().take(VMKS_SHOWN_MAX).map(String::as_str).collect();
            page.add(&format!(
                "| {} {} | {} | {} | {} | {}{more} |\n",
                inline(&touched.kind),
                code_span(&short(&touched.name, 80)),
                touched.hosts,
                touched.disruption,
                touched.vms,
                inline(&vmks.join(", ")),
            ));
        }
        if facts.touched.len() > TOUCHED_SHOWN_MAX {
            page.add(&format!("\n{} more.\n", plural(facts.touched.len() - TOUCHED_SHOWN_MAX, "object")));
        }
    }
    if !facts.unknown.is_empty() {
        page.add("\n### Not known\n\n");
        for sentence in &facts.unknown {
            page.add(&format!("- {}\n", inline(&short(sentence, TEXT_CHARS))));
        }
    }
    page.text
}

fn rollout(schedule: &Schedule) -> String {
    let mut text = "\n### Rollout after the merge\n\n".to_owned();
    for (number, wave) in schedule.waves.iter().take(WAVES_SHOWN_MAX).enumerate() {
        let count = plural(wave.len(), "host");
        text.push_str(&format!("{}. {count}: {}\n", number + 1, inline(&hosts(wave))));
    }
    let more = schedule.waves.len().saturating_sub(WAVES_SHOWN_MAX);
    if more > 0 {
        text.push_str(&format!("\n{} more.\n", plural(more, "wave")));
    }
    text.push_str(&format!(
        "\nAt most {} at once, {} s between waves, each host has {} s to be confirmed and otherwise undoes it; {} may fail after the first wave.\n",
        schedule.max_parallel,
        schedule.soak_secs,
        schedule.confirm_secs,
        plural(usize::try_from(schedule.failure_budget).unwrap_or(usize::MAX), "host"),
    ));
    text
}

fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most - 1).collect();
    format!("{kept}\u{2026}")
}

//! RFC documents: Markdown with YAML front matter. Owns: splitting, limits of texts, references.
//!
//! Must not: interpret `esxi-change` blocks (they are kept as text). Called by `parse_repository`.

use super::group::RolloutNumbers;
use super::yaml::{self, DOCUMENT_BYTES_MAX, Node, Place};
use super::{Document, Repository, place_of, read_tree, rules};
use model::{Component, Finding, RfcFrontMatter, RfcId};
use std::collections::BTreeSet;

/// Longest title, in characters.
pub const TITLE_CHARS_MAX: usize = 120;
/// Shortest reason, in characters.
pub const REASON_CHARS_MIN: usize = 40;
/// Shortest reason for going without witnesses, in characters.
pub const WAIVER_CHARS_MIN: usize = 20;
/// Highest risk number; the lowest is 1.
pub const RISK_MAX: u8 = 5;

/// An RFC document.
#[derive(Debug, Clone, PartialEq)]
pub struct RfcDocument {
    /// Path in the repository.
    pub file: String,
    /// What the front matter says.
    pub front: RfcFrontMatter,
    /// The front matter as a tree, for places.
    pub tree: Node,
    /// The Markdown below it.
    pub body: String,
    /// Line of the file the body starts on.
    pub body_line: u32,
    /// The `esxi-change` blocks of the body.
    pub blocks: Vec<ChangeBlock>,
}

/// A fenced `esxi-change` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeBlock {
    /// Line of the file the text starts on.
    pub line: u32,
    /// The text between the fences.
    pub text: String,
}

/// The two parts of a document.
struct Parts<'a> {
    front: &'a str,
    body: &'a str,
    body_line: u32,
}

/// Reads one RFC document into `repository`.
pub(super) fn read(path: &str, number: u32, bytes: &[u8], repository: &mut Repository) {
    if bytes.len() > DOCUMENT_BYTES_MAX {
        return repository.findings.push(yaml::too_large(path, Component::Rfc, bytes.len()));
    }
    let text = match yaml::text_of(path, Component::Rfc, bytes) {
        Ok(text) => text,
        Err(finding) => return repository.findings.push(*finding),
    };
    let parts = match split(text) {
        Ok(parts) => parts,
        Err(message) => {
            let finding = Finding::error(rules::FRONT_MATTER, Component::Rfc, message)
                .at(Place::START.in_file(path))
                .hint("begin with a line `---`, the fields, and a line `---`; see `pointsman rfc new`");
            return repository.findings.push(finding);
        }
    };
    let findings = &mut repository.findings;
    let parsed = yaml::parse(path, Component::Rfc, parts.front, 1);
    let document: Document<RfcFrontMatter> = read_tree(path, Component::Rfc, parsed, findings);
    let (blocks, open) = change_blocks(&parts);
    if let Some(line) = open {
        let finding =
            Finding::error(rules::CHANGE_BLOCK, Component::Rfc, "the `esxi-change` block has no end")
                .at(Place { line, column: 1 }.in_file(path));
        findings.push(finding.hint("close it with a line of three backticks"));
    }
    let (Some(front), Some(tree)) = (document.value, document.root) else { return };
    check(path, number, &front, &tree, findings);
    let id = RfcId(number);
    let rfc = RfcDocument {
        file: path.to_owned(),
        front,
        tree,
        body: parts.body.to_owned(),
        body_line: parts.body_line,
        blocks,
    };
    if let Some(first) = repository.rfcs.get(&id) {
        let message = format!("{id} is there twice: the other file is `{}`", first.file);
        let finding = Finding::error(rules::RFC_TWICE, Component::Rfc, message);
        let at = place_of(Some(&rfc.tree), &["rfc"]).in_file(path);
        findings.push(finding.at(at).hint("give one of them the next free number, in name and front matter"));
    } else {
        repository.rfcs.insert(id, rfc);
    }
}

fn split(text: &str) -> Result<Parts<'_>, &'static str> {
    let is_fence = |line: &str| line.trim_end() == "---";
    let mut lines = text.split_inclusive('\n');
    let first = lines.next().unwrap_or_default();
    if !is_fence(first) {
        return Err("the document does not begin with front matter");
    }
    let (start, mut end) = (first.len(), first.len());
    for (index, line) in lines.enumerate() {
        if is_fence(line) {
            let body_line = u32::try_from(index + 3).unwrap_or(u32::MAX);
            let front = text.get(start..end).unwrap_or_default();
            let body = text.get(end + line.len()..).unwrap_or_default();
            return Ok(Parts { front, body, body_line });
        }
        end += line.len();
    }
    Err("the front matter has no closing line `---`")
}

/// The `esxi-change` blocks, and the line of one that is not closed.
fn change_blocks(parts: &Parts<'_>) -> (Vec<ChangeBlock>, Option<u32>) {
    let mut blocks = Vec::new();
    let mut open: Option<(u32, bool, String)> = None;
    for (line, text) in (parts.body_line..).zip(parts.body.split_inclusive('\n')) {
        let bare = text.trim();
        match open.take() {
            None => {
                if let Some(info) = bare.strip_prefix("```") {
                    open = Some((line, info.trim() == "esxi-change", String::new()));
                }
            }
            Some((start, ours, content)) if bare == "```" => {
                if ours {
                    blocks.push(ChangeBlock { line: start.saturating_add(1), text: content });
                }
            }
            Some((start, ours, mut content)) => {
                content.push_str(text);
                open = Some((start, ours, content));
            }
        }
    }
    (blocks, open.filter(|(_, ours, _)| *ours).map(|(line, _, _)| line))
}

fn check(path: &str, number: u32, front: &RfcFrontMatter, tree: &Node, findings: &mut Vec<Finding>) {
    let root = Some(tree);
    let mut report = |rule: &str, keys: &[&str], message: String, hint: &str| {
        let at = place_of(root, keys).in_file(path);
        findings.push(Finding::error(rule, Component::Rfc, message).at(at).hint(hint));
    };
    if front.rfc.0 != number {
        let message = format!("the front matter says {}, the file name {}", front.rfc, RfcId(number));
        report(rules::RFC_NUMBER, &["rfc"], message, "use the same number in both");
    }
    let title = front.title.trim().chars().count();
    if title == 0 || title > TITLE_CHARS_MAX {
        let message = format!("`title` has {title} characters: use 1 to {TITLE_CHARS_MAX}");
        report(rules::RFC_TEXT, &["title"], message, "details belong into `reason` and the text");
    }
    let reason = front.reason.trim().chars().count();
    if reason < REASON_CHARS_MIN {
        let message = format!("`reason` has {reason} characters: use {REASON_CHARS_MIN} or more");
        report(rules::RFC_TEXT, &["reason"], message, "say why the change is needed, for an approver");
    }
    if front.authors.iter().all(|author| author.trim().is_empty()) {
        let message = "`authors` names nobody".to_owned();
        report(rules::RFC_TEXT, &["authors"], message, "name at least one person");
    }
    if let Some(risk) = &front.risk {
        for (key, value) in [("likelihood", risk.likelihood), ("impact", risk.impact)] {
            if !(1..=RISK_MAX).contains(&value) {
                let message = format!("`{key}` is {value}: use 1 (low) to {RISK_MAX} (high)");
                report(rules::RFC_RISK, &["risk", key], message, "the judgement is the author's");
            }
        }
    }
    if let Some(reason) = front.witnesses_waived()
        && reason.chars().count() < WAIVER_CHARS_MIN
    {
        let message = format!(
            "`witnesses` are not required, and `reason` has {} characters: use {WAIVER_CHARS_MIN} or more",
            reason.chars().count()
        );
        report(rules::RFC_TEXT, &["witnesses"], message, "say why no other host can vouch for the change");
    }
    if let Some(rollout) = &front.rollout {
        let numbers = RolloutNumbers {
            canary: rollout.canary,
            max_parallel: rollout.max_parallel,
            confirm_timeout_secs: rollout.confirm_timeout_secs,
        };
        numbers.check(path, Component::Rfc, root, findings);
    }
}

/// Checks that groups, hosts and RFCs named in RFCs are there.
pub(super) fn check_references(repository: &mut Repository) {
    let groups: BTreeSet<&str> = repository.groups.keys().map(|id| id.as_str()).collect();
    let mut findings = Vec::new();
    for (id, rfc) in &repository.rfcs {
        let unknown = |path: &[&str], word: &str, what: String, hint: &str| {
            let at = named_place(&rfc.tree, path, word);
            let message = format!("{id} names {what}, which is not there");
            Finding::warning(rules::UNKNOWN_REFERENCE, Component::Rfc, message)
                .at(at.in_file(&rfc.file))
                .hint(hint)
        };
        if let Some(targets) = &rfc.front.targets {
            for group in targets.groups.iter().filter(|group| !groups.contains(group.as_str())) {
                let known: Vec<&str> = groups.iter().copied().collect();
                let hint = super::near::suggest("groups", group, &known);
                findings.push(unknown(&["targets", "groups"], group, format!("group `{group}`"), &hint));
            }
            let member = |host: &&_| repository.groups.values().any(|group| group.members.contains(*host));
            for host in targets.exclude.iter().filter(|host| !member(host)) {
                let (path, name) = (["targets", "exclude"], format!("host `{host}`"));
                findings.push(unknown(&path, host.as_str(), name, "hosts are the members of groups"));
            }
        }
        if let Some(links) = &rfc.front.links {
            let named = [
                ("reverts", links.reverts.as_slice()),
                ("depends_on", &links.depends_on),
                ("supersedes", &links.supersedes),
            ];
            for (key, numbers) in named {
                for other in numbers.iter().filter(|other| !repository.rfcs.contains_key(other)) {
                    let word = other.0.to_string();
                    findings.push(unknown(&["links", key], &word, other.to_string(), "check the number"));
                }
            }
        }
    }
    repository.findings.append(&mut findings);
}

/// The place of the list item `word` at `path`, or of what is at `path`.
fn named_place(tree: &Node, path: &[&str], word: &str) -> Place {
    let list = path.iter().try_fold(tree, |node, key| node.get(key));
    let item = list.and_then(|list| list.items().iter().find(|item| item.scalar() == Some(word)));
    item.map_or_else(|| place_of(Some(tree), path), |item| item.place)
}

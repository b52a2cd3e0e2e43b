//! The RFC document of a group that is adopted.
//!
//! Owns: its text. Must not: write files or know Git. Called by the import verb when it makes a branch per group.

use super::files::Adopted;
use crate::documents::scaffold::{ScaffoldFile, filled};
use model::RfcId;

const TEXT: &str = include_str!("request.md");
/// Most outliers listed.
const OUTLIERS_MAX: usize = 50;
/// Most notes listed.
const NOTES_MAX: usize = 50;
/// Most hosts named in a line.
const HOSTS_MAX: usize = 5;

/// The RFC document that proposes `adopted`; `author` comes from the caller.
#[must_use]
pub fn request(number: RfcId, adopted: &Adopted, author: &str) -> ScaffoldFile {
    let hosts = adopted.hosts.len();
    let title =
        format!("Adopt group {} ({hosts} {})", adopted.group, if hosts == 1 { "host" } else { "hosts" });
    let (path, text) = filled(TEXT, number, &title, author);
    let outliers = adopted.outliers.iter().map(|outlier| {
        let (cause, hosts) = (outlier.cause.as_str(), named(outlier.hosts.iter()));
        format!("- {hosts}: {} (`{cause}`)", plain(&outlier.text))
    });
    let notes = adopted.notes.iter().map(|(host, note)| format!("- {host}: {}", plain(note)));
    let text = text
        .replace("@GROUP@", adopted.group.as_str())
        .replace("@HOSTS@", &hosts.to_string())
        .replace("@OVERRIDES@", &adopted.overrides.to_string())
        .replace("@OUTLIERS@", &list(outliers, OUTLIERS_MAX))
        .replace("@NOTES@", &list(notes, NOTES_MAX));
    (path, text)
}

fn list(lines: impl ExactSizeIterator<Item = String>, most: usize) -> String {
    let left = lines.len().saturating_sub(most);
    let mut lines: Vec<String> = lines.take(most).collect();
    match (lines.is_empty(), left) {
        (true, _) => lines.push("None.".to_owned()),
        (false, 0) => {}
        (false, _) => lines.push(format!("- and {left} more")),
    }
    lines.join("\n")
}

/// Some hosts by name, the rest by number.
fn named<'a>(hosts: impl ExactSizeIterator<Item = &'a model::HostId>) -> String {
    let left = hosts.len().saturating_sub(HOSTS_MAX);
    let names = hosts.take(HOSTS_MAX).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if left == 0 { names } else { format!("{names} and {left} more") }
}

/// Text of a host on one line, that opens no fence, link or mark of this file.
fn plain(text: &str) -> String {
    let safe = |c: char| if c.is_control() { ' ' } else { c };
    text.chars()
        .map(safe)
        .collect::<String>()
        .replace("```", "'''")
        .replace('<', "&lt;")
        .replace('@', "&#64;")
}

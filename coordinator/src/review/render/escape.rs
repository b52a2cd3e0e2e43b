//! Text of somebody else inside Markdown: shown as it is, and nothing more. No link, no image, no HTML, nobody called by name,
//! no reference to another issue, no command to the forge, no invisible or reordering character.
//!
//! Must not: shorten (the caller does). A line of ours never begins with such text: GitLab takes commands from the beginnings of
//! lines.

/// Breaks up what forges look for in running text; not visible.
const BREAK: char = '\u{200b}';

/// Characters that call people, or refer to issues, requests, labels and the like on some forge.
const SIGILS: &str = "@#!~%$&^";

/// Text for a line of Markdown, also inside a table.
#[must_use]
pub fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    let text = text.replace("://", &format!(":{BREAK}//"));
    for c in visible(&text) {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            c if c.is_ascii_punctuation() && !matches!(c, ',' | ';' | ':' | '\'' | '"' | '/' | '?' | '=') => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
        if SIGILS.contains(c) {
            out.push(BREAK);
        }
    }
    // Forges make links of this without being asked.
    out.replace("www\\.", &format!("www{BREAK}\\."))
}

/// Text as a code span.
#[must_use]
pub fn code_span(text: &str) -> String {
    // A bar ends a table's cell even inside of code.
    let text: String = visible(text).collect::<String>().replace('|', "\\|");
    let fence = "`".repeat(longest_run(&text) + 1);
    format!("{fence} {text} {fence}")
}

/// Lines as a block of code.
#[must_use]
pub fn fenced<'a>(lines: impl Iterator<Item = &'a str> + Clone) -> String {
    let ticks = lines.clone().map(longest_run).max().unwrap_or(0).max(2) + 1;
    let fence = "`".repeat(ticks);
    let mut out = format!("{fence}text\n");
    for line in lines {
        out.extend(visible(line));
        out.push('\n');
    }
    out.push_str(&fence);
    out.push('\n');
    out
}

/// Text without line ends, control characters, and characters that hide or reorder others.
pub(super) fn visible(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().map(|c| match c {
        c if c.is_control() => ' ',
        '\u{2028}'
        | '\u{2029}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{feff}' => '\u{fffd}',
        c => c,
    })
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

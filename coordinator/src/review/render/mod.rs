//! How facts are said: Markdown for forges, text for terminals. Pure. Must not: leave out the verdict, or pass on text that
//! somebody else wrote without making it harmless.

mod escape;
mod markdown;
mod text;

pub use escape::{code_span, fenced, inline};
pub use markdown::{COMMENT_CHARS_MAX, comment};
pub use text::terminal;

use super::Verdict;
use model::HostId;

/// Hosts named in one place; the rest is counted.
const HOSTS_SHOWN_MAX: usize = 8;

/// The verdict in words.
fn said(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ready => "can be merged",
        Verdict::NoSteps => "can be merged, no host would change",
        Verdict::Contained => "already on the branch",
        Verdict::Refused => "refused",
        Verdict::Conflict => "does not merge",
        Verdict::Unreadable => "cannot be read",
    }
}

/// `a, b and 3 more`.
fn hosts(all: &[HostId]) -> String {
    let shown: Vec<&str> = all.iter().take(HOSTS_SHOWN_MAX).map(HostId::as_str).collect();
    let more = all.len().saturating_sub(shown.len());
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

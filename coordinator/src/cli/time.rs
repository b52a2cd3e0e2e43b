//! Times for people: dates and "how long ago". Called by the verbs.

use crate::tasks::{day_of, wall_now};
use model::Wall;

const SECS_PER_DAY: u64 = 86_400;

/// The wall clock.
pub fn now() -> Wall {
    wall_now()
}

/// Today as `YYYY-MM-DD`, UTC.
pub fn today() -> String {
    day_of(now())
}

/// Date and time, UTC.
pub fn stamp(at: Wall) -> String {
    let secs = at.0 / 1000 % SECS_PER_DAY;
    format!("{}T{:02}:{:02}:{:02}Z", day_of(at), secs / 3600, secs / 60 % 60, secs % 60)
}

/// How long ago, in the largest unit.
pub fn ago(at: Option<Wall>, now: Wall) -> String {
    let Some(at) = at else { return "-".to_owned() };
    span(now.0.saturating_sub(at.0) / 1000)
}

/// A span of seconds in its largest unit.
pub fn span(secs: u64) -> String {
    match secs {
        0..60 => format!("{secs}s"),
        60..3600 => format!("{}m", secs / 60),
        3600..SECS_PER_DAY => format!("{}h", secs / 3600),
        _ => format!("{}d", secs / SECS_PER_DAY),
    }
}

/// Seconds of a span like `90`, `90s`, `10m`, `2h`, `1d`.
pub fn parse_span(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text.get(digits.len()..) {
        Some("" | "s") => 1,
        Some("m") => 60,
        Some("h") => 3600,
        Some("d") => SECS_PER_DAY,
        _ => 0,
    };
    let secs = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    secs.filter(|secs| *secs > 0)
        .ok_or_else(|| format!("`{text}` is no span of time: write 90s, 10m, 2h or 1d"))
}

//! Tables: a header line, a rule of dashes, then a row per record.
//!
//! Owns: cutting rows by the rule's column offsets. Names hold blanks, so rows are never split
//! on single blanks; a row that does not respect the offsets is split on runs of blanks only when
//! that gives one cell per column, else it is an error rather than a guess.

use super::{Line, Trouble, Value};
use crate::output::{Record, machine_name};

/// Columns of a rule as character offsets: start, and end without the gap.
struct Columns(Vec<(usize, usize)>);

/// Lines that may stand above the header (a title).
const TITLE_LINES_MAX: usize = 3;

/// Index of the rule of dashes, when this is a table.
pub(super) fn find_rule(lines: &[Line<'_>]) -> Option<usize> {
    let first = lines.iter().position(|l| !l.is_blank())?;
    let found = lines.iter().skip(first + 1).take(TITLE_LINES_MAX).position(is_rule)? + first + 1;
    let header = lines.get(found.checked_sub(1)?)?;
    (!header.is_blank() && header.field().is_none()).then_some(found)
}

fn is_rule(line: &Line<'_>) -> bool {
    !line.is_blank() && line.text.chars().all(|c| c == '-' || c == ' ') && line.text.contains("--")
}

impl Columns {
    fn of(rule: &Line<'_>) -> Self {
        let mut columns = Vec::new();
        let mut start = None;
        for (offset, c) in rule.raw.chars().chain([' ']).enumerate() {
            match (c == '-', start) {
                (true, None) => start = Some(offset),
                (false, Some(from)) => {
                    columns.push((from, offset));
                    start = None;
                }
                _ => {}
            }
        }
        Self(columns)
    }

    /// The gaps between neighbours: end of the left column, start of the right one.
    fn gaps(&self) -> impl Iterator<Item = (usize, usize)> {
        self.0.iter().zip(self.0.iter().skip(1)).map(|(left, right)| (left.1, right.0))
    }

    /// Cuts a row into one cell per column, or `None` when the row does not fit.
    fn cut(&self, row: &str) -> Option<Vec<String>> {
        let chars: Vec<char> = row.chars().collect();
        let blank = |at: usize| chars.get(at).is_none_or(|c| c.is_whitespace());
        if self.gaps().all(|(from, to)| (from..to).all(blank)) {
            return Some(cells(&chars, self.gaps().map(|(_, to)| to)));
        }
        let runs = split_on_runs(row);
        if runs.len() == self.0.len() {
            return Some(runs);
        }
        // A wider right-aligned number reaches into the gap but leaves one blank of it.
        let cuts: Option<Vec<usize>> =
            self.gaps().enumerate().map(|(i, gap)| self.cut_at(&chars, i, gap)).collect();
        cuts.map(|cuts| cells(&chars, cuts.into_iter()))
    }

    /// Where to cut at gap `index`: after the gap, or where a wide number begins inside it.
    fn cut_at(&self, chars: &[char], index: usize, (from, to): (usize, usize)) -> Option<usize> {
        let blank = |at: &usize| chars.get(*at).is_none_or(|c| c.is_whitespace());
        if (from..to).all(|at| blank(&at)) {
            return Some(to);
        }
        let begin = (from..to).find(|at| !blank(at))?;
        let end = self.0.get(index + 1)?.1.min(chars.len());
        let digits = chars.get(begin..end)?.iter().all(char::is_ascii_digit);
        (begin > from && digits).then_some(begin)
    }
}

fn cells(chars: &[char], cuts: impl Iterator<Item = usize>) -> Vec<String> {
    let mut from = 0;
    let mut made = Vec::new();
    for cut in cuts.chain([chars.len()]) {
        let to = cut.min(chars.len());
        let cell: String = chars.get(from.min(to)..to).unwrap_or_default().iter().collect();
        made.push(cell.trim().to_owned());
        from = to;
    }
    made
}

fn split_on_runs(row: &str) -> Vec<String> {
    row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
}

/// Reads the table whose rule is line `rule` of `lines`.
pub(super) fn parse(lines: &[Line<'_>], rule: usize) -> Result<Value, Trouble> {
    let (Some(header), Some(dashes)) = (rule.checked_sub(1).and_then(|h| lines.get(h)), lines.get(rule))
    else {
        return Err(Trouble::at(rule, "a rule of dashes without a header above it"));
    };
    let columns = Columns::of(dashes);
    let labels = columns.cut(header.raw).unwrap_or_default();
    let names: Vec<String> = labels.iter().map(|label| machine_name(label)).collect();
    if names.is_empty() || names.iter().any(String::is_empty) {
        return Err(Trouble::at(header.number, "the header does not match the rule of dashes below it"));
    }
    let mut records = Vec::new();
    for row in lines.iter().skip(rule + 1).filter(|l| !l.is_blank()) {
        let cells = columns.cut(row.raw).ok_or_else(|| {
            Trouble::at(row.number, "the row does not match the columns marked by the rule of dashes")
        })?;
        let record: Record = names.iter().cloned().zip(cells.into_iter().map(Value::Str)).collect();
        records.push(Value::Record(record));
    }
    Ok(Value::List(records))
}

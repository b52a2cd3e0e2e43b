//! The text for people: a table, records of indented `Label: value` lines, or bare values.
//!
//! Owns: telling the three apart, and bare values. `table` and `records` own the other two.
//! Text carries no types: every scalar is [`Value::Str`], lists are `a, b`.

mod records;
mod table;

use super::{Trouble, Value};

/// A line with its number (from 1) and its indent in blanks.
#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    number: usize,
    indent: usize,
    /// Without indent and trailing blanks; empty for a blank line.
    text: &'a str,
    /// As printed, without trailing blanks.
    raw: &'a str,
}

impl<'a> Line<'a> {
    fn new(index: usize, raw: &'a str) -> Self {
        let raw = raw.trim_end();
        let text = raw.trim_start();
        Self { number: index + 1, indent: raw.chars().take_while(|c| c.is_whitespace()).count(), text, raw }
    }

    fn is_blank(&self) -> bool {
        self.text.is_empty()
    }

    /// `Label: value` or `Label:`; the value is trimmed.
    fn field(&self) -> Option<(&'a str, &'a str)> {
        let (label, value) = match self.text.split_once(": ") {
            Some((label, value)) => (label, value.trim()),
            None => (self.text.strip_suffix(':')?, ""),
        };
        let plain = |c: char| c.is_alphanumeric() || " _-/().,&%#'+".contains(c);
        let starts_well = label.starts_with(|c: char| c.is_alphanumeric());
        (starts_well && label.chars().all(plain)).then_some((label, value))
    }
}

pub(super) fn parse(text: &str) -> Result<Value, Trouble> {
    let lines: Vec<Line<'_>> = text.lines().enumerate().map(|(i, l)| Line::new(i, l)).collect();
    if let Some(rule) = table::find_rule(&lines) {
        return table::parse(&lines, rule);
    }
    if lines.iter().any(|line| line.field().is_some()) {
        return records::parse(&lines);
    }
    let mut bare: Vec<Value> =
        lines.iter().filter(|l| !l.is_blank()).map(|l| Value::Str(l.text.to_owned())).collect();
    match (bare.len(), bare.pop()) {
        (1, Some(only)) => Ok(only),
        (_, last) => {
            bare.extend(last);
            Ok(Value::List(bare))
        }
    }
}

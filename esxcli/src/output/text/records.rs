//! Records: `Label: value` lines below an optional name line, nested structures deeper.
//!
//! Owns: where a record starts and ends. A name line stands at the margin above indented fields;
//! records without one are parted by a blank line or by the return of the same label; items of a
//! nested list of structures likewise.

use super::{Line, Trouble, Value};
use crate::output::{Record, check_nesting, machine_name};

/// Reads all records; one record without a name line stays single (a get command).
pub(super) fn parse(lines: &[Line<'_>]) -> Result<Value, Trouble> {
    let mut lines = lines.to_vec();
    restore_lost_indent(&mut lines);
    let margin = lines.iter().filter(|l| !l.is_blank()).map(|l| l.indent).min().unwrap_or(0);
    let headed = margin == 0 && has_name_lines(&lines);
    if !headed {
        return Ok(match read_fields(&lines, 0, Parted::ByBlankLine)? {
            mut one if one.len() == 1 => one.pop().map_or(Value::List(Vec::new()), Value::Record),
            many => Value::List(many.into_iter().map(Value::Record).collect()),
        });
    }
    let mut records = Vec::new();
    let mut rest = lines.as_slice();
    while let Some((name, body, after)) = next_headed(rest) {
        let mut made = read_fields(body, 0, Parted::ByLabel)?;
        if made.is_empty() {
            made.push(Record::default());
        }
        for record in &mut made {
            if record.heading().is_none() {
                record.set_heading(Some(name.to_owned()));
            }
        }
        records.extend(made.into_iter().map(Value::Record));
        rest = after;
    }
    Ok(Value::List(records))
}

/// A recorder that trims the whole text takes the first line's indent: give it back.
fn restore_lost_indent(lines: &mut [Line<'_>]) {
    let Some(first) = lines.iter().position(|l| !l.is_blank()) else { return };
    let others = || lines.iter().skip(first + 1).filter(|l| !l.is_blank());
    let Some(common) = others().map(|l| l.indent).min() else { return };
    let Some(line) = lines.get(first) else { return };
    let looks_like_field = line.field().is_some_and(|(_, value)| !value.is_empty());
    let named_below = others().filter_map(Line::field).any(|(_, value)| value == line.text);
    if line.indent == 0
        && common > 0
        && looks_like_field
        && !named_below
        && let Some(line) = lines.get_mut(first)
    {
        line.indent = common;
    }
}

/// Whether the lines at the margin are names: none of them is a field, or all have fields below.
fn has_name_lines(lines: &[Line<'_>]) -> bool {
    let filled: Vec<&Line<'_>> = lines.iter().filter(|l| !l.is_blank()).collect();
    let deeper_after = |i: usize| filled.get(i + 1).is_some_and(|next| next.indent > 0);
    let margin = || filled.iter().enumerate().filter(|(_, l)| l.indent == 0);
    let any_deeper = filled.iter().any(|l| l.indent > 0);
    any_deeper && (margin().all(|(_, l)| l.field().is_none()) || margin().all(|(i, _)| deeper_after(i)))
}

/// The next name line, its body, and what follows.
fn next_headed<'l, 'a>(lines: &'l [Line<'a>]) -> Option<(&'a str, &'l [Line<'a>], &'l [Line<'a>])> {
    let start = lines.iter().position(|l| !l.is_blank())?;
    let name = lines.get(start)?.text;
    let tail = lines.get(start + 1..)?;
    let end = tail.iter().position(|l| !l.is_blank() && l.indent == 0).unwrap_or(tail.len());
    let (body, after) = tail.split_at(end);
    Some((name, body, after))
}

/// What parts two records at the same indent, besides the return of the same label.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Parted {
    /// A blank line.
    #[default]
    ByBlankLine,
    /// Nothing else: below a name line there is one record, blank lines or not.
    ByLabel,
}

/// Collects records from field lines of one indent.
#[derive(Default)]
struct Builder {
    parted: Parted,
    records: Vec<Record>,
    current: Record,
    /// Machine name of the field read last.
    last: Option<String>,
    blank_before: bool,
    after_prose: bool,
}

impl Builder {
    fn finish_record(&mut self) {
        let done = std::mem::take(&mut self.current);
        if !done.is_empty() || done.heading().is_some() {
            self.records.push(done);
        }
    }

    fn add(&mut self, label: &str, value: Value) {
        let name = machine_name(label);
        let blank = self.parted == Parted::ByBlankLine && self.blank_before && !self.after_prose;
        if self.current.contains(&name) || (blank && !self.current.is_empty()) {
            self.finish_record();
        }
        self.blank_before = false;
        self.after_prose = false;
        self.current.insert(name.clone(), value);
        self.last = Some(name);
    }

    /// A line that is no field: more text of the field above it, or a name line.
    fn prose(&mut self, line: &Line<'_>) {
        let open = self.last.as_deref().filter(|_| line.indent > 0);
        match open.and_then(|name| self.current.text_mut(name)) {
            Some(text) => {
                text.push('\n');
                text.push_str(line.text);
                self.after_prose = true;
            }
            None => self.head(line.text),
        }
    }

    fn head(&mut self, text: &str) {
        self.finish_record();
        self.last = None;
        self.blank_before = false;
        self.current.set_heading(Some(text.to_owned()));
    }
}

fn read_fields(lines: &[Line<'_>], depth: usize, parted: Parted) -> Result<Vec<Record>, Trouble> {
    let mut build = Builder { parted, ..Builder::default() };
    let Some(indent) = lines.iter().find(|l| !l.is_blank()).map(|l| l.indent) else {
        return Ok(build.records);
    };
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        at += 1;
        if line.is_blank() {
            build.blank_before = true;
            continue;
        }
        check_nesting(depth, line.number)?;
        let below = below(lines.get(at..).unwrap_or_default(), line.indent.max(indent));
        at += below.len();
        match line.field() {
            Some((label, "")) => {
                let value = nested(below, depth)?;
                let prose = matches!(&value, Value::Str(text) if !text.is_empty());
                build.add(label, value);
                build.after_prose = prose;
            }
            Some((label, value)) => {
                let extra = joined(below);
                let text = if extra.is_empty() { value.to_owned() } else { format!("{value}\n{extra}") };
                build.add(label, Value::Str(text));
                build.after_prose = !extra.is_empty();
            }
            None => build.prose(line),
        }
    }
    build.finish_record();
    Ok(build.records)
}

/// The lines deeper than `indent` right below, with the blank ones between them.
fn below<'l, 'a>(lines: &'l [Line<'a>], indent: usize) -> &'l [Line<'a>] {
    let end = lines.iter().position(|l| !l.is_blank() && l.indent <= indent).unwrap_or(lines.len());
    let last = lines.iter().take(end).rposition(|l| !l.is_blank()).map_or(0, |i| i + 1);
    lines.get(..last).unwrap_or_default()
}

/// What stands below `Label:`: a structure, a list of structures, lines of prose, or nothing.
fn nested(below: &[Line<'_>], depth: usize) -> Result<Value, Trouble> {
    let first = below.iter().find(|l| !l.is_blank());
    if first.is_none_or(|line| line.field().is_none()) {
        return Ok(Value::Str(joined(below)));
    }
    let mut records = read_fields(below, depth + 1, Parted::ByBlankLine)?;
    Ok(match (records.len(), records.pop()) {
        (1, Some(only)) => Value::Record(only),
        (_, last) => {
            records.extend(last);
            Value::List(records.into_iter().map(Value::Record).collect())
        }
    })
}

fn joined(lines: &[Line<'_>]) -> String {
    let texts: Vec<&str> = lines.iter().filter(|l| !l.is_blank()).map(|l| l.text).collect();
    texts.join("\n")
}

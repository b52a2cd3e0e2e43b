//! The default text output: tables, headed blocks, single records.

use super::LastRule;
use crate::cli::value::{Document, ListView, Record, Value, Visibility};

const INDENT: &str = "   ";
const NESTED_INDENT: &str = "         ";
const NESTED_GAP: &str = "      ";

/// The document as text.
pub fn render(document: &Document, last_rule: LastRule) -> String {
    match document {
        Document::Silent => String::new(),
        Document::Scalar(value) => format!("{}\n", cell(value)),
        Document::Single(heading, record) => {
            let heading = heading.map(|line| format!("{line}\n")).unwrap_or_default();
            format!("{heading}{}", block(record))
        }
        Document::List(ListView::Table, records) => table(records, last_rule),
        Document::List(ListView::Headed(label), records) => {
            let blocks: Vec<String> = records.iter().map(|record| headed(record, label)).collect();
            blocks.join("\n")
        }
    }
}

fn headed(record: &Record, label: &str) -> String {
    let heading = record.fields.iter().find(|(name, _, _)| name == &label).map(|(_, value, _)| cell(value));
    format!("{}\n{}", heading.unwrap_or_default(), block(record))
}

fn cell(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Quantity(number, unit) => format!("{number} {unit}"),
        Value::Boolean(flag) => flag.to_string(),
        Value::Texts(texts) => texts.join(", "),
        Value::Nested(_) | Value::NestedList(_) => String::new(),
    }
}

fn shown(record: &Record) -> impl Iterator<Item = (&'static str, &Value)> {
    record
        .fields
        .iter()
        .filter(|(_, _, visibility)| *visibility == Visibility::Shown)
        .map(|(label, value, _)| (*label, value))
}

fn lines(record: &Record, indent: &str) -> String {
    shown(record).map(|(label, value)| format!("{indent}{label}: {}\n", cell(value))).collect()
}

fn block(record: &Record) -> String {
    let mut out = String::new();
    for (label, value) in shown(record) {
        out.push_str(&format!("{INDENT}{label}: {}\n", cell(value)));
        match value {
            Value::Nested(nested) => out.push_str(&lines(nested, NESTED_INDENT)),
            Value::NestedList(list) => {
                let items: Vec<String> = list.iter().map(|item| lines(item, NESTED_INDENT)).collect();
                out.push_str(&items.join(&format!("{NESTED_GAP}\n")));
            }
            _ => {}
        }
    }
    out
}

fn right_aligned(value: &Value) -> bool {
    matches!(value, Value::Integer(_) | Value::Quantity(..) | Value::Boolean(_))
}

struct Column {
    label: &'static str,
    right: bool,
    width: usize,
    rule: usize,
}

fn columns(records: &[Record], last_rule: LastRule) -> Vec<Column> {
    let Some(first) = records.first() else { return Vec::new() };
    let mut columns: Vec<Column> = shown(first)
        .map(|(label, value)| Column { label, right: right_aligned(value), width: label.len(), rule: 0 })
        .collect();
    for record in records {
        for (column, (_, value)) in columns.iter_mut().zip(shown(record)) {
            column.width = column.width.max(cell(value).chars().count());
        }
    }
    let last = columns.len().saturating_sub(1);
    for (index, column) in columns.iter_mut().enumerate() {
        let narrow = index == last && last_rule == LastRule::Header;
        column.rule = if narrow { column.label.len() } else { column.width };
        column.width = column.rule;
    }
    columns
}

fn pad(text: &str, width: usize, right: bool) -> String {
    let fill = " ".repeat(width.saturating_sub(text.chars().count()));
    if right { format!("{fill}{text}") } else { format!("{text}{fill}") }
}

fn table(records: &[Record], last_rule: LastRule) -> String {
    let columns = columns(records, last_rule);
    if columns.is_empty() {
        return String::new();
    }
    let join = |cells: Vec<String>| format!("{}\n", cells.join("  ").trim_end_matches(' '));
    let mut out = join(columns.iter().map(|c| pad(c.label, c.width, c.right)).collect());
    out.push_str(&join(columns.iter().map(|c| "-".repeat(c.rule)).collect()));
    for record in records {
        let cells =
            columns.iter().zip(shown(record)).map(|(c, (_, value))| pad(&cell(value), c.width, c.right));
        out.push_str(&join(cells.collect()));
    }
    out
}

//! The csv formatter: every line ends with a comma, every element of a list is followed by one.

use crate::cli::value::{Document, Record, Value};

/// The document as csv; `wanted` picks and orders columns when it is not empty.
pub fn render(document: &Document, wanted: &[String]) -> String {
    match document {
        Document::Silent => String::new(),
        Document::Scalar(value) => format!("{},\n", cell(value)),
        Document::Single(_, record) => rows(std::slice::from_ref(record), wanted),
        Document::List(_, records) => rows(records, wanted),
    }
}

fn rows(records: &[Record], wanted: &[String]) -> String {
    let Some(first) = records.first() else { return String::new() };
    let all: Vec<String> = first.by_machine_name().into_iter().map(|(name, _)| name).collect();
    let columns: &[String] = if wanted.is_empty() { &all } else { wanted };
    let mut out: String = columns.iter().map(|name| format!("{name},")).collect();
    out.push('\n');
    for record in records {
        let fields = record.by_machine_name();
        for column in columns {
            let found = fields.iter().find(|(name, _)| name == column);
            out.push_str(&found.map(|(_, value)| cell(value)).unwrap_or_default());
            out.push(',');
        }
        out.push('\n');
    }
    out
}

fn quote(text: &str) -> String {
    let special = text.contains(['"', ',', '\n']);
    if special { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Text(text) => quote(text),
        Value::Integer(number) | Value::Quantity(number, _) => number.to_string(),
        Value::Boolean(flag) => flag.to_string(),
        Value::Texts(texts) => quote(&texts.iter().map(|text| format!("{text},")).collect::<String>()),
        Value::Nested(_) | Value::NestedList(_) => String::new(),
    }
}

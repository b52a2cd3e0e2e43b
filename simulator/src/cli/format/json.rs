//! The json formatter: one line, keys in ASCII order, `/` escaped.

use crate::cli::value::{Document, Record, Value};

/// The document as one line of json.
pub fn render(document: &Document) -> String {
    let mut out = match document {
        Document::Silent => return String::new(),
        Document::Scalar(scalar) => value(scalar),
        Document::Single(_, record) => object(record),
        Document::List(_, records) => array(records.iter().map(object)),
    };
    out.push('\n');
    out
}

fn array(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

fn object(record: &Record) -> String {
    let fields = record.by_machine_name();
    let pairs = fields.iter().map(|(name, field)| format!("\"{name}\": {}", value(field)));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
}

fn string(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '/' => out.push_str("\\/"),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn value(value: &Value) -> String {
    match value {
        Value::Text(text) => string(text),
        Value::Integer(number) | Value::Quantity(number, _) => number.to_string(),
        Value::Boolean(flag) => flag.to_string(),
        Value::Texts(texts) => array(texts.iter().map(|text| string(text))),
        Value::Nested(record) => object(record),
        Value::NestedList(records) => array(records.iter().map(object)),
    }
}

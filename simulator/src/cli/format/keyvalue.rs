//! The keyvalue formatter: one line per value, the type as last path element.

use crate::cli::value::{Document, Record, Value};

/// The document as keyvalue lines.
pub fn render(document: &Document) -> String {
    let mut out = String::new();
    match document {
        Document::Silent => {}
        Document::Scalar(scalar) => value("", scalar, &mut out),
        Document::Single(_, record) => fields(&format!("{}.", record.type_name), record, &mut out),
        Document::List(_, records) => list("", records, &mut out),
    }
    out
}

fn list(prefix: &str, records: &[Record], out: &mut String) {
    for (index, record) in records.iter().enumerate() {
        fields(&format!("{prefix}structure[{index}].{}.", record.type_name), record, out);
    }
}

fn fields(prefix: &str, record: &Record, out: &mut String) {
    for (name, field) in record.by_machine_name() {
        value(&format!("{prefix}{name}."), field, out);
    }
}

fn value(prefix: &str, value: &Value, out: &mut String) {
    match value {
        Value::Text(text) => out.push_str(&format!("{prefix}string={text}\n")),
        Value::Integer(n) | Value::Quantity(n, _) => out.push_str(&format!("{prefix}integer={n}\n")),
        Value::Boolean(flag) => out.push_str(&format!("{prefix}boolean={flag}\n")),
        Value::Texts(texts) if texts.is_empty() => {
            let path = prefix.trim_end_matches('.');
            out.push_str(&format!("{path}.string[] = \n"));
        }
        Value::Texts(texts) => {
            for (index, text) in texts.iter().enumerate() {
                out.push_str(&format!("{prefix}string[{index}].string={text}\n"));
            }
        }
        Value::Nested(record) => fields(&format!("{prefix}{}.", record.type_name), record, out),
        Value::NestedList(records) => list(prefix, records, out),
    }
}

//! The xml formatter.

use crate::cli::value::{Document, Record, Value};

const STEP: &str = "   ";

/// The document as xml.
pub fn render(document: &Document) -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<output xmlns=\"http://www.vmware.com/Products/ESX/5.0/esxcli\">\n<root>\n",
    );
    match document {
        Document::Silent => {}
        Document::Scalar(scalar) => value(scalar, 1, &mut out),
        Document::Single(_, record) => structure(record, 1, &mut out),
        Document::List(_, records) => list(records, 1, &mut out),
    }
    out.push_str("</root>\n</output>\n");
    out
}

fn line(depth: usize, text: &str, out: &mut String) {
    out.push_str(&STEP.repeat(depth));
    out.push_str(text);
    out.push('\n');
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn list(records: &[Record], depth: usize, out: &mut String) {
    if records.is_empty() {
        return line(depth, "<list type=\"structure\"></list>", out);
    }
    line(depth, "<list type=\"structure\">", out);
    for record in records {
        structure(record, depth + 1, out);
    }
    line(depth, "</list>", out);
}

fn structure(record: &Record, depth: usize, out: &mut String) {
    line(depth, &format!("<structure typeName=\"{}\">", record.type_name), out);
    for (name, field) in record.by_machine_name() {
        line(depth + 1, &format!("<field name=\"{name}\">"), out);
        value(field, depth + 2, out);
        line(depth + 1, "</field>", out);
    }
    line(depth, "</structure>", out);
}

fn value(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Text(text) => line(depth, &format!("<string>{}</string>", escape(text)), out),
        Value::Integer(n) | Value::Quantity(n, _) => line(depth, &format!("<integer>{n}</integer>"), out),
        Value::Boolean(flag) => line(depth, &format!("<boolean>{flag}</boolean>"), out),
        Value::Texts(texts) if texts.is_empty() => line(depth, "<list type=\"string\"></list>", out),
        Value::Texts(texts) => {
            line(depth, "<list type=\"string\">", out);
            for text in texts {
                line(depth + 1, &format!("<string>{}</string>", escape(text)), out);
            }
            line(depth, "</list>", out);
        }
        Value::Nested(record) => structure(record, depth, out),
        Value::NestedList(records) => list(records, depth, out),
    }
}

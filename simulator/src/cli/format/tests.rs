//! Corners of the formatters that no host state reaches by itself.

use super::*;
use crate::cli::value::{ListView, Record};

fn style(format: Format) -> Style {
    Style { format, last_rule: LastRule::Header, fields: Vec::new() }
}

fn odd() -> Document {
    let nested = Record::new("Inner").text("In Use", "a<b&c");
    let record = Record::new("Outer")
        .text("Name", "one, \"two\"")
        .texts("Nets/All", vec!["a,b".into(), "c".into()])
        .nested_list("Port", vec![nested.clone(), nested])
        .texts("Empty", Vec::new());
    Document::List(ListView::Headed("Name"), vec![record])
}

#[test]
fn csv_quotes_and_ends_with_commas() {
    let expected = "Empty,Name,NetsAll,Port,\n,\"one, \"\"two\"\"\",\"a,b,c,\",,\n";
    assert_eq!(render(&odd(), &style(Format::Csv)), expected);
}

#[test]
fn json_escapes_and_sorts() {
    let text = render(&odd(), &style(Format::Json));
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value[0]["Name"], "one, \"two\"");
    assert_eq!(value[0]["Port"][1]["InUse"], "a<b&c");
    assert!(text.find("Empty").unwrap() < text.find("Name").unwrap());
    let slash =
        render(&Document::Scalar(crate::cli::value::Value::Text("a/\u{1}".into())), &style(Format::Json));
    assert_eq!(slash, "\"a\\/\\u0001\"\n");
}

#[test]
fn keyvalue_nests_and_marks_empty_lists() {
    let text = render(&odd(), &style(Format::KeyValue));
    assert!(text.contains("structure[0].Outer.Empty.string[] = \n"));
    assert!(text.contains("structure[0].Outer.NetsAll.string[1].string=c\n"));
    assert!(text.contains("structure[0].Outer.Port.structure[1].Inner.InUse.string=a<b&c\n"));
}

#[test]
fn xml_escapes_and_text_separates_nested_items() {
    assert!(render(&odd(), &style(Format::Xml)).contains("<string>a&lt;b&amp;c</string>"));
    let text = render(&odd(), &style(Format::Text));
    assert!(text.contains("   Port: \n         In Use: a<b&c\n      \n         In Use: a<b&c\n"), "{text}");
}

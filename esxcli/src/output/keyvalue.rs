//! The keyvalue document: one `path.type=value` line per scalar.
//!
//! `structure[0].Nic.MTU.integer=1500`, `....Uplinks.string[0].string=vmnic0`, an empty list as
//! `....Uplinks.string[] = `, a single record with its type name as prefix (`NICInfo.PauseRX.boolean=true`).
//! A path is a scalar type, or `T[i]` and a path, or type name, field name and a path.

use super::{Record, Trouble, Value, check_nesting, machine_name};
use std::collections::BTreeMap;

/// What the lines build before it becomes a [`Value`]; indexes are keys, never sizes.
enum Node {
    Empty,
    Scalar(Value),
    Items(BTreeMap<usize, Node>),
    Fields { heading: Option<String>, fields: BTreeMap<String, Node> },
}

pub(super) fn parse(text: &str) -> Result<Value, Trouble> {
    let mut root = Node::Empty;
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let number = index + 1;
        let (path, value) = line
            .split_once('=')
            .ok_or_else(|| Trouble::at(number, "no `=`: expected lines like `Nic.MTU.integer=1500`"))?;
        let segments: Vec<&str> = path.trim().split('.').collect();
        check_nesting(segments.len() / 3, number)?;
        insert(&mut root, &segments, value).map_err(|problem| Trouble::at(number, problem))?;
    }
    Ok(finish(root))
}

fn insert(node: &mut Node, path: &[&str], value: &str) -> Result<(), String> {
    match path {
        [] => Err("the path ends without a type".to_owned()),
        // `structure.NICInfo...`: a single record may carry the word without an index.
        ["structure", rest @ ..] if rest.len() > 1 => insert(node, rest, value),
        [kind] if !kind.contains('[') => {
            if !matches!(node, Node::Empty) {
                return Err(format!("`{kind}` gives a second value to the same field"));
            }
            *node = Node::Scalar(scalar(kind, value));
            Ok(())
        }
        [indexed, rest @ ..] if indexed.contains('[') => {
            if matches!(node, Node::Empty) {
                *node = Node::Items(BTreeMap::new());
            }
            let Node::Items(items) = node else {
                return Err(format!("`{indexed}` makes a list of a field that is none"));
            };
            let Some(index) = list_index(indexed)? else {
                return Ok(());
            };
            let item = items.entry(index).or_insert(Node::Empty);
            if rest.is_empty() { insert(item, &["string"], value) } else { insert(item, rest, value) }
        }
        // A field without the type name of its structure before it.
        [field, next, ..] if is_type(next) && (path.len() == 2 || next.contains('[')) => {
            insert(field_of(node, None, field)?, path.get(1..).unwrap_or_default(), value)
        }
        [type_name, field, rest @ ..] => insert(field_of(node, Some(type_name), field)?, rest, value),
        [_] => Err("the path ends without a type".to_owned()),
    }
}

fn is_type(segment: &str) -> bool {
    segment.contains('[') || matches!(segment, "string" | "integer" | "boolean" | "structure")
}

fn field_of<'a>(node: &'a mut Node, heading: Option<&str>, field: &str) -> Result<&'a mut Node, String> {
    if matches!(node, Node::Empty) {
        *node = Node::Fields { heading: heading.map(str::to_owned), fields: BTreeMap::new() };
    }
    match node {
        Node::Fields { fields, .. } => Ok(fields.entry(machine_name(field)).or_insert(Node::Empty)),
        _ => Err(format!("`{field}` is a field of something that is no structure")),
    }
}

/// `string[3]` is 3, `string[]` is no element.
fn list_index(segment: &str) -> Result<Option<usize>, String> {
    let inside = segment.split_once('[').and_then(|(_, rest)| rest.strip_suffix(']'));
    match inside {
        Some("") => Ok(None),
        Some(digits) => {
            digits.parse().map(Some).map_err(|_| format!("`{segment}` has no whole number as index"))
        }
        None => Err(format!("`{segment}` has an open bracket")),
    }
}

fn scalar(kind: &str, value: &str) -> Value {
    let text = Value::Str(value.to_owned());
    match kind {
        "integer" => text.to_int().map_or(text, Value::Int),
        "boolean" => text.to_bool().map_or(text, Value::Bool),
        _ => text,
    }
}

fn finish(node: Node) -> Value {
    match node {
        Node::Empty => Value::Str(String::new()),
        Node::Scalar(value) => value,
        Node::Items(items) => Value::List(items.into_values().map(finish).collect()),
        Node::Fields { heading, fields } => {
            let mut record = Record::with_heading(heading);
            for (name, field) in fields {
                record.insert(name, finish(field));
            }
            Value::Record(record)
        }
    }
}

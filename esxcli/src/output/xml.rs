//! The xml document: `<output><root>` with a list of structures, one structure, or a scalar.
//!
//! Owns: the reading of esxcli's small vocabulary (list, structure, field, string, integer,
//! boolean). Unknown scalar elements are read as text. No document type, no entities of its own.

use super::{Record, Trouble, Value, check_nesting, machine_name};
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

#[derive(Default)]
struct Element {
    tag: String,
    /// `name` of a field, `typeName` of a structure.
    label: Option<String>,
    text: String,
    children: Vec<Element>,
}

pub(super) fn parse(text: &str) -> Result<Value, Trouble> {
    let document = read_tree(text)?;
    let root = find_root(document)?;
    let Element { text, mut children, .. } = root;
    if children.len() > 1 {
        return Ok(Value::List(children.into_iter().map(convert).collect()));
    }
    match children.pop() {
        Some(only) => Ok(convert(only)),
        None if text.trim().is_empty() => Ok(Value::List(Vec::new())),
        None => Ok(Value::Str(text.trim().to_owned())),
    }
}

/// The `root` element, below `output` or on top.
fn find_root(document: Element) -> Result<Element, Trouble> {
    let mut outer = document;
    loop {
        if outer.tag == "root" {
            return Ok(outer);
        }
        if !matches!(outer.tag.as_str(), "" | "output") {
            return Err(Trouble::at(1, format!("the outermost element is `{}`, not `output`", outer.tag)));
        }
        outer = outer.children.pop().ok_or_else(|| Trouble::at(1, "there is no `root` element"))?;
    }
}

/// Reads all elements; the result is a nameless element around the document's.
fn read_tree(text: &str) -> Result<Element, Trouble> {
    let mut reader = Reader::from_str(text);
    let mut stack: Vec<Element> = vec![Element::default()];
    loop {
        let event = reader.read_event();
        let position =
            usize::try_from(reader.error_position().max(reader.buffer_position())).unwrap_or(usize::MAX);
        let fail = |problem: String| Trouble::at(line_of(text, position), problem);
        match event.map_err(|e| fail(e.to_string()))? {
            Event::Start(start) => {
                // Two elements (`field`, `structure`) make one level; `output` and `root` come on top.
                check_nesting(stack.len() / 2, 0).map_err(|t| fail(t.problem))?;
                stack.push(element(&start).map_err(fail)?);
            }
            Event::Empty(start) => {
                let child = element(&start).map_err(fail)?;
                if let Some(parent) = stack.last_mut() {
                    parent.children.push(child);
                }
            }
            Event::End(_) => {
                if let (Some(done), Some(parent)) = (stack.pop(), stack.last_mut()) {
                    parent.children.push(done);
                }
            }
            Event::Text(part) => push_text(&mut stack, &part.xml10_content()),
            Event::CData(part) => push_text(&mut stack, &part.xml10_content()),
            Event::GeneralRef(entity) => {
                let character = entity.resolve_char_ref().map_err(|e| fail(e.to_string()))?;
                let name = entity.xml10_content();
                match (character, resolve_predefined_entity(&name)) {
                    (Some(c), _) => push_text(&mut stack, c.encode_utf8(&mut [0; 4])),
                    (None, Some(known)) => push_text(&mut stack, known),
                    (None, None) => return Err(fail(format!("unknown entity `&{name};`"))),
                }
            }
            Event::DocType(_) => return Err(fail("a document type is not accepted".to_owned())),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    match (stack.pop(), stack.is_empty()) {
        (Some(outer), true) => Ok(outer),
        (Some(open), false) => {
            Err(Trouble::at(line_of(text, text.len()), format!("`{}` is not closed", open.tag)))
        }
        (None, _) => Err(Trouble::at(1, "there is no element")),
    }
}

fn line_of(text: &str, position: usize) -> usize {
    let upto = text.as_bytes().get(..position.min(text.len())).unwrap_or_default();
    upto.iter().filter(|b| **b == b'\n').count() + 1
}

fn push_text(stack: &mut [Element], part: &str) {
    if let Some(open) = stack.last_mut() {
        open.text.push_str(part);
    }
}

fn element(start: &BytesStart<'_>) -> Result<Element, String> {
    let mut made = Element { tag: start.local_name().into_inner().to_owned(), ..Element::default() };
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|e| e.to_string())?;
        if matches!(attribute.key.local_name().into_inner(), "name" | "typeName") {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|e| e.to_string())?;
            made.label = Some(value.into_owned());
        }
    }
    Ok(made)
}

fn convert(element: Element) -> Value {
    match element.tag.as_str() {
        "list" => Value::List(element.children.into_iter().map(convert).collect()),
        "structure" => {
            let mut record = Record::with_heading(element.label);
            for field in element.children {
                let name = machine_name(field.label.as_deref().unwrap_or(&field.tag));
                record.insert(name, field_value(field));
            }
            Value::Record(record)
        }
        "field" => field_value(element),
        tag => scalar(tag, element.text),
    }
}

/// A field holds one value element; several read as a list, none as its own text.
fn field_value(mut field: Element) -> Value {
    match field.children.len() {
        0 => scalar("string", field.text),
        1 => field.children.pop().map_or_else(|| Value::Str(String::new()), convert),
        _ => Value::List(field.children.into_iter().map(convert).collect()),
    }
}

fn scalar(tag: &str, text: String) -> Value {
    let value = Value::Str(text);
    match tag {
        "integer" => value.to_int().map_or(value, Value::Int),
        "boolean" => value.to_bool().map_or(value, Value::Bool),
        _ => value,
    }
}

//! The shape of a host: its network without what names the host, so that hosts can be compared.
//!
//! Owns: what counts as identity (addresses, the names of NICs) and the number of differences between two shapes.
//! Must not: decide which hosts belong together (`mine` does). Called by `mine`.
//!
//! A difference is what an override would have to say: an object that only one of the two has, or one field of an
//! object both have. A field that only one of them has is none: the other one did not tell it.

use super::describe::{Description, counted};
use super::fold::is_whole_field;
use super::subnets::Subnets;
use model::{VmkName, VmnicName};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The number of an inherited setting: its word is empty, so that it is the first one.
const INHERIT: u32 = 0;

/// Fields of one object by path, as text.
pub(super) type Fields<T> = Vec<(T, T)>;

/// A shape in the words of documents.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Words {
    /// Adapters documents must not name on this host: hosts that differ here cannot share a network.
    pub left_out: BTreeSet<VmkName>,
    /// Fields by object.
    pub objects: Vec<(String, Fields<String>)>,
}

/// A shape in numbers, which are given out in the order of the words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Shape {
    /// Fields by object.
    pub objects: Vec<(u32, Fields<u32>)>,
}

impl Shape {
    /// How many lines it would be, about: inherited settings are not written.
    pub fn size(&self) -> usize {
        let written = |fields: &Fields<u32>| fields.iter().filter(|(_, value)| *value != INHERIT).count();
        self.objects.iter().map(|(_, fields)| 1 + written(fields)).sum()
    }
}

/// One difference between two shapes, as the second one has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unlike {
    /// Has not got the object.
    Missing(u32),
    /// Has an object that the first one has not got.
    Extra(u32),
    /// Has another value: object, field, value.
    Field(u32, u32, u32),
}

/// Calls `found` for every difference of `b` from `a`. Linear in the size of both.
pub(super) fn compare(a: &Shape, b: &Shape, mut found: impl FnMut(Unlike)) {
    merge(&a.objects, &b.objects, |object, a, b| match (a, b) {
        (Some(a), Some(b)) => merge(a, b, |field, a, b| {
            if let (Some(a), Some(b)) = (a, b)
                && a != b
            {
                found(Unlike::Field(object, field, *b));
            }
        }),
        (Some(_), None) => found(Unlike::Missing(object)),
        (None, _) => found(Unlike::Extra(object)),
    });
}

/// The number of differences.
pub(super) fn distance(a: &Shape, b: &Shape) -> usize {
    let mut count = 0;
    compare(a, b, |_| count += 1);
    count
}

/// Walks two sorted lists side by side.
fn merge<'a, T>(
    a: &'a [(u32, T)],
    b: &'a [(u32, T)],
    mut each: impl FnMut(u32, Option<&'a T>, Option<&'a T>),
) {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    loop {
        match (a.peek(), b.peek()) {
            (Some((key, left)), Some((other, right))) if key == other => {
                each(*key, Some(left), Some(right));
                a.next();
                b.next();
            }
            (Some((key, left)), Some((other, _))) if key < other => {
                each(*key, Some(left), None);
                a.next();
            }
            (Some((key, left)), None) => {
                each(*key, Some(left), None);
                a.next();
            }
            (_, Some((key, right))) => {
                each(*key, None, Some(right));
                b.next();
            }
            (None, None) => return,
        }
    }
}

/// The numbers of words.
#[derive(Debug, Default)]
pub(super) struct Numbers<'a>(BTreeMap<&'a str, u32>);

impl<'a> Numbers<'a> {
    pub fn of(shapes: impl Iterator<Item = &'a Words>) -> Self {
        let mut words: BTreeSet<&str> = BTreeSet::from([""]);
        for shape in shapes {
            for (object, fields) in &shape.objects {
                words.insert(object);
                words.extend(fields.iter().flat_map(|(field, value)| [field.as_str(), value.as_str()]));
            }
        }
        Self(words.into_iter().zip(0..).collect())
    }

    pub fn shape(&self, words: &Words) -> Shape {
        let number = |word: &String| self.0.get(word.as_str()).copied().unwrap_or(u32::MAX);
        let objects = words.objects.iter().map(|(object, fields)| {
            let mut fields: Fields<u32> = fields.iter().map(|(f, v)| (number(f), number(v))).collect();
            fields.sort_unstable();
            (number(object), fields)
        });
        let mut objects: Vec<_> = objects.collect();
        objects.sort_unstable();
        Shape { objects }
    }
}

/// The shape of a described host. `Err` when it cannot be written as a document.
pub(super) fn words(description: &Description) -> Result<Words, serde_json::Error> {
    let places = places(description);
    // Racks with their own subnets are alike.
    let subnets = Subnets::of(&description.network);
    let network = serde_json::to_value(&description.network)?;
    let mut objects = Vec::new();
    for (kind, named) in network.as_object().into_iter().flatten() {
        for (name, object) in named.as_object().into_iter().flatten() {
            let shown = match places.get(name) {
                Some(place) if kind == "nics" => place,
                _ => name,
            };
            let mut walk = Walk { places: &places, subnets: &subnets, fields: Vec::new() };
            walk.fields(&mut vec![kind.clone(), name.clone()], object);
            objects.push((format!("{kind}/{shown}"), walk.fields));
        }
    }
    Ok(Words { left_out: description.left_out.clone(), objects })
}

/// Where each uplink is: switch and number among its NICs.
fn places(description: &Description) -> BTreeMap<String, String> {
    let mut places = BTreeMap::new();
    for (switch, fields) in &description.network.vswitches {
        let mut uplinks: Vec<&VmnicName> =
            fields.present().and_then(|fields| fields.uplinks.as_ref()).into_iter().flatten().collect();
        uplinks.sort_by_key(|nic| counted(nic));
        for (number, nic) in uplinks.into_iter().enumerate() {
            places.insert(nic.to_string(), format!("{switch}#{number}"));
        }
    }
    places
}

struct Walk<'a> {
    places: &'a BTreeMap<String, String>,
    subnets: &'a Subnets,
    fields: Fields<String>,
}

impl Walk<'_> {
    fn fields(&mut self, path: &mut Vec<String>, value: &Value) {
        match value {
            Value::Object(map) if !is_whole_field(path) => {
                for (key, value) in map {
                    path.push(key.clone());
                    self.fields(path, value);
                    path.pop();
                }
            }
            _ => {
                let field = path.get(2..).unwrap_or_default().join("/");
                let shown = match value.as_str() {
                    Some("inherit") => String::new(),
                    _ => self.shown(path, value).to_string(),
                };
                self.fields.push((field, shown));
            }
        }
    }

    /// A value without what names the host.
    fn shown(&self, path: &[String], value: &Value) -> Value {
        let last = path.last().map_or("", String::as_str);
        match value {
            Value::String(text) => Value::String(self.text(last, text)),
            Value::Array(items)
                if last == "uplinks" && path.first().is_some_and(|kind| kind == "vswitches") =>
            {
                Value::from(items.len())
            }
            Value::Array(items) if last == "addresses" => Value::from(items.len()),
            Value::Array(items) => items.iter().map(|item| self.shown(path, item)).collect(),
            Value::Object(map) => {
                let inner = map.iter().map(|(key, value)| {
                    let path: Vec<String> = path.iter().chain([key]).cloned().collect();
                    (key.clone(), self.shown(&path, value))
                });
                Value::Object(inner.collect())
            }
            other => other.clone(),
        }
    }

    fn text(&self, field: &str, text: &str) -> String {
        if let Some(place) = self.places.get(text) {
            return place.clone();
        }
        if field == "address" {
            return text.split_once('/').map_or(text, |(_, prefix)| prefix).to_owned();
        }
        self.subnets.relative_text(text)
    }
}
